/** The sensors around an alert, in lines. */
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { counted } from "../../formats/counted.ts";
import { type AlertPeer, AlertPeerState, type GetAlertPeersResponse } from "../../gen/es/telltale/v1/alert_pb.ts";
import { figure } from "../../server/detect/index.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import { inert } from "../text.ts";

export function peerLines({ asset, peers, leftOut, summary }: GetAlertPeersResponse): string[] {
  if (asset === "") return ["Its sensor has no asset, so that there is nothing to compare it with."];
  if (peers.length === 0) return [`${inert(asset)} has no other sensor.`];
  return [
    inert(summary) || `No other sensor of ${inert(asset)} had a reading then.`,
    ...peers.map(peerLine),
    ...(leftOut > 0n ? [`Not looked at: ${counted(Number(leftOut), "more sensor")}.`] : []),
  ];
}

function peerLine({ sensorId, state, observedAt, value, expected }: AlertPeer): string {
  const name = enumName(AlertPeerState, state).replaceAll("_", " ");
  const at = observedAt === undefined ? "" : `${timestampDate(observedAt).toISOString()}  `;
  const where = expected === undefined ? "" : ` where ${figure(expected)} was expected`;
  const said = value === undefined ? "" : `${figure(value)}${where}`;
  return `  ${name.padEnd(10)}  ${at}${inert(sensorId)}  ${said}`.trimEnd();
}
