/** The sensors around an alert: those of its asset that the caller may see, and what they did when it opened. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AlertPeerState, type GetAlertPeersResponseSchema } from "../../gen/es/telltale/v1/alert_pb.ts";
import {
  MAX_PEERS,
  PEER_WINDOW_US,
  type Peer,
  type PeerReading,
  type PeerState,
  peerOf,
  peersSummary,
} from "../incidents/peers.ts";
import { toTimestamp } from "../lib/time.ts";
import type { Registry } from "../registry/registry.ts";
import type { Principal } from "../security/principal.ts";
import type { Queries } from "../store/queries.ts";
import type { ReadingFilter } from "../store/reading-queries.ts";
import type { AlertRow } from "../store/store.ts";

/** Readings of a sensor that are looked at, the newest of the window. */
const MAX_READINGS = 2_000;

const STATES: Readonly<Record<PeerState, AlertPeerState>> = {
  "as usual": AlertPeerState.AS_USUAL,
  above: AlertPeerState.ABOVE,
  below: AlertPeerState.BELOW,
  "no reading": AlertPeerState.NO_READING,
};

interface PeerOptions {
  readonly queries: Queries;
  readonly registry: Registry;
}

export async function alertPeers(
  { queries, registry }: PeerOptions,
  { sensorId, openedUs }: AlertRow,
  { sensorPrefix }: Principal,
): Promise<MessageInitShape<typeof GetAlertPeersResponseSchema>> {
  const [details] = await registry.get([sensorId]);
  const asset = details?.profile?.asset ?? "";
  if (asset === "") return {};
  const { page, counts } = await registry.find({
    ...{ sensorPrefix, search: "", sort: "id", descending: false, after: undefined, withCounts: true },
    matchers: [
      { name: "asset", operator: "=", value: asset },
      { name: "state", operator: "!=", value: "retired" },
      { name: "sensor_id", operator: "!=", value: sensorId },
    ],
    limit: MAX_PEERS,
  });
  const compared = page.slice(0, MAX_PEERS);
  const peers = await Promise.all(compared.map((place) => peerAt(queries, place.sensorId, openedUs)));
  return {
    ...{ asset, summary: peersSummary(asset, peers), peers: peers.map(messageOf) },
    leftOut: BigInt(counts!.total - peers.length),
  };
}

async function peerAt(queries: Queries, sensorId: string, openedUs: number): Promise<Peer> {
  const [fromUs, toUs] = [openedUs - PEER_WINDOW_US, openedUs + PEER_WINDOW_US];
  const read = (range: ReadingRange, limit: number) => readingsOf(queries, sensorId, range, limit);
  // Abnormal ones first, and alone: of a sensor that reads often they are few among many.
  const abnormal = await read({ fromUs, toUs, anomaliesOnly: true }, MAX_READINGS);
  if (abnormal.length > 0) return peerOf(sensorId, abnormal, openedUs);
  const before = await read({ fromUs, toUs: openedUs, anomaliesOnly: false }, 1);
  const after = await read({ fromUs: openedUs, toUs, anomaliesOnly: false }, MAX_READINGS);
  return peerOf(sensorId, [...before, ...after], openedUs);
}

type ReadingRange = Pick<ReadingFilter, "fromUs" | "toUs" | "anomaliesOnly">;

/** In order of time; the newest, where there are more. */
async function readingsOf(queries: Queries, sensorId: string, range: ReadingRange, limit: number) {
  const any = { sensorPrefix: "", sensorType: undefined, location: undefined, after: undefined };
  const { points, order } = await queries.readings({ sensorId, ...any, ...range }, limit, 0);
  return order
    .map(
      (i): PeerReading => ({
        ...{ timeUs: points.timeUs[i]!, value: points.value[i]!, expected: points.expected[i]! },
        ...{ isAnomaly: points.anomaly[i] === 1, score: points.score[i]! },
      }),
    )
    .reverse();
}

function messageOf({ sensorId, state, reading }: Peer) {
  if (reading === undefined) return { sensorId, state: STATES[state] };
  const { timeUs, value, expected } = reading;
  return {
    ...{ sensorId, state: STATES[state], observedAt: toTimestamp(timeUs), value },
    ...(Number.isNaN(expected) ? {} : { expected }),
  };
}
