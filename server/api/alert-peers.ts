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
import type { AlertRow } from "../store/store.ts";

/** Readings of a sensor that are looked at, the newest of the window: at 1 Hz all. */
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
  const { points, order } = await queries.readings(
    {
      ...{ sensorId, sensorPrefix: "", sensorType: undefined, location: undefined, anomaliesOnly: false },
      ...{ fromUs: openedUs - PEER_WINDOW_US, toUs: openedUs + PEER_WINDOW_US, after: undefined },
    },
    MAX_READINGS,
    0,
  );
  const readings = order.map(
    (i): PeerReading => ({
      ...{ timeUs: points.timeUs[i]!, value: points.value[i]!, expected: points.expected[i]! },
      ...{ isAnomaly: points.anomaly[i] === 1, score: points.score[i]! },
    }),
  );
  return peerOf(sensorId, readings.reverse(), openedUs);
}

function messageOf({ sensorId, state, reading }: Peer) {
  if (reading === undefined) return { sensorId, state: STATES[state] };
  const { timeUs, value, expected } = reading;
  return {
    ...{ sensorId, state: STATES[state], observedAt: toTimestamp(timeUs), value },
    ...(Number.isNaN(expected) ? {} : { expected }),
  };
}
