/** A second opinion on an alert: what the other sensors of its asset did when it opened. Pure; from what is stored, so that it changes nothing. */

/** Readings so far before and after the opening of an alert say how another sensor was then. */
export const PEER_WINDOW_US = 900_000_000;
/** Sensors that are compared. */
export const MAX_PEERS = 8;
/** Share of the sensors with readings from which on several that are abnormal have a common cause. */
const COMMON_SHARE = 0.5;
const LEAST_COMMON = 2;

export type PeerState = "as usual" | "above" | "below" | "no reading";

export interface PeerReading {
  readonly timeUs: number;
  readonly value: number;
  /** NaN where it was not judged. */
  readonly expected: number;
  readonly isAnomaly: boolean;
  readonly score: number;
}

export interface Peer {
  readonly sensorId: string;
  readonly state: PeerState;
  /** The most abnormal one, else the nearest to the opening. */
  readonly reading: PeerReading | undefined;
}

/** @param readings of the sensor within the window, in order of time */
export function peerOf(sensorId: string, readings: readonly PeerReading[], openedUs: number): Peer {
  const abnormal = most(
    readings.filter(({ isAnomaly }) => isAnomaly),
    ({ score }) => score,
  );
  if (abnormal !== undefined) {
    return { sensorId, state: abnormal.value < abnormal.expected ? "below" : "above", reading: abnormal };
  }
  const nearest = most(readings, ({ timeUs }) => -Math.abs(timeUs - openedUs));
  return { sensorId, state: nearest === undefined ? "no reading" : "as usual", reading: nearest };
}

/** The first of those for which it is largest. */
function most(readings: readonly PeerReading[], size: (reading: PeerReading) => number): PeerReading | undefined {
  return readings.reduce<PeerReading | undefined>(
    (best, each) => (best === undefined || size(each) > size(best) ? each : best),
    undefined,
  );
}

/** What follows from them; empty where nothing does. */
export function peersSummary(asset: string, peers: readonly Peer[]): string {
  const heard = peers.filter(({ state }) => state !== "no reading");
  if (heard.length === 0) return "";
  const all = heard.length;
  const of = `other sensor${all === 1 ? "" : "s"} of ${asset}`;
  const count = (wanted: PeerState) => heard.filter(({ state }) => state === wanted).length;
  const [usual, above, below] = [count("as usual"), count("above"), count("below")];
  const were = (n: number) => (n === 1 ? "was" : "were");
  if (usual === all)
    return `${usual} of ${all} ${of} ${were(usual)} as usual: likely this sensor or what it alone measures.`;
  const abnormal = all - usual;
  const sides = [...(above > 0 ? [`${above} above`] : []), ...(below > 0 ? [`${below} below`] : [])].join(", ");
  const said = `${abnormal} of ${all} ${of} ${were(abnormal)} abnormal at the same time (${sides} what was expected)`;
  const isCommon = abnormal >= LEAST_COMMON && abnormal / all >= COMMON_SHARE;
  return isCommon ? `${said}: likely a common cause.` : `${said}, ${usual} as usual.`;
}
