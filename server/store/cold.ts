/**
 * The layout of blocks at rest (layout 2): every column as whole numbers in as few bits as it needs. Slower to write than the
 * layout of arrival, and half its size on noisy data; lossless like that. `migrations/011_readings.sql` reads it too.
 *
 *   u8 layout, u8 form bits, u16 points (little-endian), then times, ids, values, confidences, [expected, band], [marks], anomalies
 *
 * A column is written by `packed.ts`.
 */
import { column, putColumn, Reader } from "./packed.ts";
import {
  contentsOf,
  MAX_BLOCK_POINTS,
  maxAnomalyBytes,
  POWER,
  type Points,
  putAnomalies,
  takeAnomalies,
} from "./points.ts";

export const COLD_LAYOUT = 2;

const HEAD = 4;
const HAS_FORECAST = 1;
const HAS_MARKS = 2;
/** Kinds of the value column beside 0 to 4 decimals. */
const AS_FLOAT32 = 254;
const AS_FLOAT64 = 255;
/** Ids of one partition differ by multiples of this. */
const ID_STEP = 128;

const f32 = new Float32Array(MAX_BLOCK_POINTS);
const f32Bits = new Uint32Array(f32.buffer);
const f64 = new Float64Array(MAX_BLOCK_POINTS);
const f64Bytes = new Uint8Array(f64.buffer);

/** What `encodeCold` may write at the most for n points. */
export function maxColdBytes(n: number): number {
  return 64 + 7 * 32 + n * 7 * 14 + maxAnomalyBytes(n);
}

/** Floats as whole numbers in the same order, so that near ones are near. */
function floatsToColumn(n: number): void {
  for (let i = 0; i < n; i++) {
    const bits = f32Bits[i]!;
    column[i] = bits < 0x80000000 ? bits + 0x80000000 : 0xffffffff - bits;
  }
}

function columnToFloats(n: number): void {
  for (let i = 0; i < n; i++) {
    const x = column[i]!;
    f32Bits[i] = x >= 0x80000000 ? x - 0x80000000 : 0xffffffff - x;
  }
}

/** `decimals`: how many hold every value exactly, or −1. Writes points [from, to) to `out` at `at` and returns the end. */
export function encodeCold(
  points: Points,
  from: number,
  to: number,
  decimals: number,
  out: Buffer,
  at: number,
): number {
  const n = to - from;
  const { timeUs, id, value, confidence, mark, expected, band } = points;
  let p = at + HEAD;
  for (let i = 1; i < n; i++) column[i - 1] = timeUs[from + i]! - timeUs[from + i - 1]!;
  p = putColumn(out, p, n - 1, false);

  let step = ID_STEP;
  for (let i = 1; i < n; i++) if ((id[from + i]! - id[from + i - 1]!) % ID_STEP !== 0) step = 1;
  for (let i = 1; i < n; i++) column[i - 1] = (id[from + i]! - id[from + i - 1]!) / step;
  out[p++] = step;
  p = putColumn(out, p, n - 1, false);

  p = putValues(value, from, n, decimals, out, p);
  for (let i = 0; i < n; i++) column[i] = confidence[from + i]!;
  p = putColumn(out, p, n, false);

  const { forecast, marks, anomalies } = contentsOf(points, from, to);
  if (forecast) {
    for (const floats of [expected, band]) {
      f32.set(floats.subarray(from, to));
      floatsToColumn(n);
      p = putColumn(out, p, n, true);
    }
  }
  if (marks) {
    for (let i = 0; i < n; i++) column[i] = mark[from + i]!;
    p = putColumn(out, p, n, false);
  }
  p = putAnomalies(points, from, to, anomalies, out, p);
  out[at] = COLD_LAYOUT;
  out[at + 1] = (forecast ? HAS_FORECAST : 0) | (marks ? HAS_MARKS : 0);
  out.writeUInt16LE(n, at + 2);
  return p;
}

function putValues(value: Float64Array, from: number, n: number, decimals: number, out: Buffer, at: number): number {
  if (decimals >= 0) {
    out[at] = decimals;
    const scale = POWER[decimals]!;
    for (let i = 0; i < n; i++) column[i] = Math.round(value[from + i]! * scale);
    return putColumn(out, at + 1, n, true);
  }
  let single = true;
  for (let i = 0; i < n && single; i++) {
    f32[i] = value[from + i]!;
    single = Object.is(f32[i], value[from + i]);
  }
  if (single) {
    out[at] = AS_FLOAT32;
    floatsToColumn(n);
    return putColumn(out, at + 1, n, true);
  }
  out[at] = AS_FLOAT64;
  f64.set(value.subarray(from, from + n));
  out.set(f64Bytes.subarray(0, 8 * n), at + 1);
  return at + 1 + 8 * n;
}

/** Appends the points of a block of layout 2 to `into`, which has room. Throws RangeError where the bytes are no block. */
export function decodeCold(bytes: Uint8Array, firstTimeUs: number, firstId: number, into: Points): void {
  const form = bytes[1]!;
  const n = bytes[2]! | (bytes[3]! << 8);
  if (n < 1 || n > MAX_BLOCK_POINTS) throw new RangeError(`a block holds 1 to ${MAX_BLOCK_POINTS} points, not ${n}`);
  const k = into.length;
  const r = new Reader(bytes, HEAD);
  r.column(n - 1);
  into.timeUs[k] = firstTimeUs;
  for (let i = 1; i < n; i++) into.timeUs[k + i] = into.timeUs[k + i - 1]! + column[i - 1]!;
  const step = r.byte();
  r.column(n - 1);
  into.id[k] = firstId;
  for (let i = 1; i < n; i++) into.id[k + i] = into.id[k + i - 1]! + step * column[i - 1]!;

  readValues(r, n, into);
  r.column(n);
  for (let i = 0; i < n; i++) into.confidence[k + i] = column[i]!;
  for (const floats of [into.expected, into.band]) {
    if ((form & HAS_FORECAST) === 0) {
      floats.fill(Number.NaN, k, k + n);
      continue;
    }
    r.column(n);
    columnToFloats(n);
    floats.set(f32.subarray(0, n), k);
  }
  into.mark.fill(0, k, k + n);
  if (form & HAS_MARKS) {
    r.column(n);
    for (let i = 0; i < n; i++) into.mark[k + i] = column[i]!;
  }
  r.at = takeAnomalies(bytes, r.at, n, into);
  if (r.at !== bytes.length) throw new RangeError(`block of ${n} points ends at byte ${r.at}, not ${bytes.length}`);
  into.length = k + n;
}

function readValues(r: Reader, n: number, into: Points): void {
  const k = into.length;
  const kind = r.byte();
  if (kind === AS_FLOAT64) {
    if (r.at + 8 * n > r.bytes.length) throw new RangeError(`block ends early, at byte ${r.bytes.length}`);
    f64Bytes.set(r.bytes.subarray(r.at, r.at + 8 * n));
    r.at += 8 * n;
    into.value.set(f64.subarray(0, n), k);
    return;
  }
  r.column(n);
  if (kind === AS_FLOAT32) {
    columnToFloats(n);
    for (let i = 0; i < n; i++) into.value[k + i] = f32[i]!;
    return;
  }
  const scale = POWER[kind];
  if (scale === undefined) throw new RangeError(`block has values of the unknown kind ${kind}`);
  for (let i = 0; i < n; i++) into.value[k + i] = column[i]! / scale;
}
