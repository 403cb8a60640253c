/** Scored readings in columns: what is packed into blocks, unpacked from them, and handed between the store's parts. */

/** Most points in one block: larger ones gain nothing and make small reads dear. */
export const MAX_BLOCK_POINTS = 1024;

/** Points in columns, in rising order of time. Arrays may be longer than `length`. */
export interface Points {
  length: number;
  /** Microseconds since 1970. */
  timeUs: Float64Array;
  /** Reading ids. */
  id: Float64Array;
  value: Float64Array;
  /** Steps of 1e-4. */
  confidence: Uint16Array;
  /** Steps of 1e-4. */
  score: Uint16Array;
  /** Index of the detector that spoke. Kept where `anomaly` is set. */
  reason: Uint8Array;
  anomaly: Uint8Array;
  /** Bit 0: late. Bit 1: the time is the server's. */
  mark: Uint8Array;
  /** NaN: none. */
  expected: Float32Array;
  /** Half width of the band around `expected`; NaN: none. */
  band: Float32Array;
}

export const MARK_LATE = 1;
export const MARK_SERVER_TIME = 2;

export function createPoints(capacity: number): Points {
  return {
    length: 0,
    timeUs: new Float64Array(capacity),
    id: new Float64Array(capacity),
    value: new Float64Array(capacity),
    confidence: new Uint16Array(capacity),
    score: new Uint16Array(capacity),
    reason: new Uint8Array(capacity),
    anomaly: new Uint8Array(capacity),
    mark: new Uint8Array(capacity),
    expected: new Float32Array(capacity),
    band: new Float32Array(capacity),
  };
}

/** Copies one point from one set of columns to the end of another. */
export function copyPoint(from: Points, i: number, to: Points): void {
  const k = to.length++;
  to.timeUs[k] = from.timeUs[i]!;
  to.id[k] = from.id[i]!;
  to.value[k] = from.value[i]!;
  to.confidence[k] = from.confidence[i]!;
  to.score[k] = from.score[i]!;
  to.reason[k] = from.reason[i]!;
  to.anomaly[k] = from.anomaly[i]!;
  to.mark[k] = from.mark[i]!;
  to.expected[k] = from.expected[i]!;
  to.band[k] = from.band[i]!;
}

/** Decimals tried: most sensors report no more. */
const MAX_DECIMALS = 4;
/** Powers of ten by number of decimals. */
export const POWER = [1, 10, 100, 1000, 10000];

/** Smallest number of decimals that holds every value exactly as an integer of at most 31 bits, or -1. */
export function decimalsOf(value: Float64Array, from: number, to: number): number {
  let e = 0;
  for (let i = from; i < to; i++) {
    const v = value[i]!;
    for (;;) {
      const scaled = Math.round(v * POWER[e]!);
      if (scaled / POWER[e]! === v && scaled >= -2147483648 && scaled <= 2147483647 && !Object.is(v, -0)) break;
      if (++e > MAX_DECIMALS) return -1;
    }
  }
  // A later value may have needed more decimals than fit an early large one.
  for (let i = from; i < to; i++) {
    const scaled = Math.round(value[i]! * POWER[e]!);
    if (scaled < -2147483648 || scaled > 2147483647 || scaled / POWER[e]! !== value[i]) return -1;
  }
  return e;
}

/** Which optional columns the points [from, to) need, and how many of them are anomalies. */
export function contentsOf(points: Points, from: number, to: number) {
  const { expected, band, mark, anomaly } = points;
  let forecast = false;
  let marks = 0;
  let anomalies = 0;
  for (let i = from; i < to; i++) {
    if (!Number.isNaN(expected[i]!) || !Number.isNaN(band[i]!)) forecast = true;
    marks |= mark[i]!;
    anomalies += anomaly[i]!;
  }
  return { forecast, marks: marks !== 0, anomalies };
}

/** What `putAnomalies` may write at the most for n points. */
export const maxAnomalyBytes = (n: number) => 2 + n * 5;

/** Writes what only anomalies have, which are few: u16 count, then u16 index, u16 score and u8 reason of each. Returns the end. */
export function putAnomalies(points: Points, from: number, to: number, count: number, out: Buffer, at: number): number {
  out.writeUInt16LE(count, at);
  let p = at + 2;
  if (count === 0) return p;
  for (let i = from; i < to; i++) {
    if (points.anomaly[i] === 0) continue;
    out.writeUInt16LE(i - from, p);
    out.writeUInt16LE(points.score[i]!, p + 2);
    out[p + 4] = points.reason[i]!;
    p += 5;
  }
  return p;
}

/** Reads what `putAnomalies` wrote, for the n points at the end of `into`, and returns the end. Throws RangeError where it is cut. */
export function takeAnomalies(bytes: Uint8Array, at: number, n: number, into: Points): number {
  const k = into.length;
  into.anomaly.fill(0, k, k + n);
  into.score.fill(0, k, k + n);
  into.reason.fill(0, k, k + n);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint16(at, true);
  let p = at + 2;
  for (let a = 0; a < count; a++, p += 5) {
    const i = k + view.getUint16(p, true);
    into.anomaly[i] = 1;
    into.score[i] = view.getUint16(p + 2, true);
    into.reason[i] = view.getUint8(p + 4);
  }
  return p;
}
