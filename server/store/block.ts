/**
 * The stored form of a run of scored readings of one series: columns packed by the cheapest of a few exact encodings. What is
 * decoded is bit-identical to what was encoded. Multi-byte numbers are little-endian. `docs/decisions/storage.md` has the
 * measurements behind it.
 *
 *   u8 layout, u8 form bits (below), u16 points, then the sections in the order of the constants
 */

import { COLD_LAYOUT, decodeCold } from "./cold.ts";
import {
  contentsOf,
  decimalsOf,
  MAX_BLOCK_POINTS,
  maxAnomalyBytes,
  POWER,
  type Points,
  putAnomalies,
  takeAnomalies,
} from "./points.ts";

export const BLOCK_LAYOUT = 1;

// Form bits. Times: step or u32 or f64 deltas. Ids: one step or u32 or f64 deltas. Values: f64, or decimals in 4 or 2 bytes.
const TIME_U32 = 1;
const TIME_F64 = 2;
const ID_U32 = 4;
const ID_F64 = 8;
const VALUE_I32 = 16;
const VALUE_I16 = 32;
const HAS_MARKS = 64;
const HAS_FORECAST = 128;

const HEAD = 4;

const f64 = new Float64Array(MAX_BLOCK_POINTS);
const f64Bytes = new Uint8Array(f64.buffer);
const i32 = new Int32Array(f64.buffer);
const i16 = new Int16Array(f64.buffer);
const u32 = new Uint32Array(f64.buffer);
const u16 = new Uint16Array(f64.buffer);
const f32 = new Float32Array(f64.buffer);

/** What `encodeBlock` may write at the most for n points. */
export function maxBlockBytes(n: number): number {
  return HEAD + 8 + 8 + n * (8 + 8 + 8 + 2 + 4 + 4 + 1) + maxAnomalyBytes(n);
}

/** A view of so many bytes is an object, and costs more than to copy them one by one. */
const FEW_BYTES = 32;

/** Copies the first bytes of the column above. Returns the end. */
function put(out: Buffer, at: number, bytes: number): number {
  if (bytes <= FEW_BYTES) for (let i = 0; i < bytes; i++) out[at + i] = f64Bytes[i]!;
  else out.set(bytes === f64Bytes.length ? f64Bytes : f64Bytes.subarray(0, bytes), at);
  return at + bytes;
}

/** The form bit of the differences within a column: none where all are the same. */
function formOf(column: Float64Array, from: number, to: number, narrow: number, wide: number): number {
  if (to - from === 1) return 0;
  const step = column[from + 1]! - column[from]!;
  let even = true;
  let fits = true;
  for (let i = from + 1; i < to; i++) {
    const d = column[i]! - column[i - 1]!;
    if (d !== step) even = false;
    if (d < 0 || d > 4294967295) fits = false;
  }
  if (even) return 0;
  return fits ? narrow : wide;
}

/** Writes the differences in the form that `formOf` found. Returns the end. */
function putDeltas(column: Float64Array, from: number, to: number, form: number, out: Buffer, at: number): number {
  const n = to - from;
  if (n === 1) return at;
  if (form === 0) return out.writeDoubleLE(column[from + 1]! - column[from]!, at);
  if (form === TIME_U32 || form === ID_U32) {
    for (let i = 1; i < n; i++) u32[i - 1] = column[from + i]! - column[from + i - 1]!;
    return put(out, at, 4 * (n - 1));
  }
  for (let i = 1; i < n; i++) f64[i - 1] = column[from + i]! - column[from + i - 1]!;
  return put(out, at, 8 * (n - 1));
}

/**
 * Packs points [from, to) into `out` at `at` and returns the end. The first time and the first id are not in it: they are columns
 * of the row.
 */
export function encodeBlock(points: Points, from: number, to: number, out: Buffer, at: number): number {
  const n = to - from;
  if (n < 1 || n > MAX_BLOCK_POINTS) throw new RangeError(`a block holds 1 to ${MAX_BLOCK_POINTS} points, not ${n}`);
  const { timeUs, id, value, confidence, mark, expected, band } = points;
  const times = formOf(timeUs, from, to, TIME_U32, TIME_F64);
  const ids = formOf(id, from, to, ID_U32, ID_F64);
  let form = times | ids;
  let p = putDeltas(timeUs, from, to, times, out, at + HEAD);
  p = putDeltas(id, from, to, ids, out, p);

  const decimals = decimalsOf(value, from, to);
  if (decimals < 0) {
    for (let i = 0; i < n; i++) f64[i] = value[from + i]!;
    p = put(out, p, 8 * n);
  } else {
    out[p++] = decimals;
    let small = true;
    for (let i = 0; i < n; i++) {
      const scaled = Math.round(value[from + i]! * POWER[decimals]!);
      i32[i] = scaled;
      if (scaled < -32768 || scaled > 32767) small = false;
    }
    if (small) {
      form |= VALUE_I16;
      for (let i = 0; i < n; i++) i16[i] = i32[i]!;
      p = put(out, p, 2 * n);
    } else {
      form |= VALUE_I32;
      p = put(out, p, 4 * n);
    }
  }

  for (let i = 0; i < n; i++) u16[i] = confidence[from + i]!;
  p = put(out, p, 2 * n);

  const { forecast, marks, anomalies } = contentsOf(points, from, to);
  if (forecast) {
    form |= HAS_FORECAST;
    for (let i = 0; i < n; i++) f32[i] = expected[from + i]!;
    p = put(out, p, 4 * n);
    for (let i = 0; i < n; i++) f32[i] = band[from + i]!;
    p = put(out, p, 4 * n);
  }
  if (marks) {
    form |= HAS_MARKS;
    for (let i = from; i < to; i++) out[p++] = mark[i]!;
  }
  p = putAnomalies(points, from, to, anomalies, out, p);
  out[at] = BLOCK_LAYOUT;
  out[at + 1] = form;
  out.writeUInt16LE(n, at + 2);
  return p;
}

/**
 * Appends a block's points to `into`, which must have room. `firstTimeUs` and `firstId` are the row's columns. Throws RangeError
 * where the bytes are no block.
 */
export function decodeBlock(bytes: Uint8Array, firstTimeUs: number, firstId: number, into: Points): void {
  const form = bytes[1]!;
  const n = bytes[2]! | (bytes[3]! << 8);
  const k = into.length;
  if (k + n > into.timeUs.length) throw new RangeError(`no room for ${n} points behind ${k} of ${into.timeUs.length}`);
  if (bytes[0] === COLD_LAYOUT) {
    decodeCold(bytes, firstTimeUs, firstId, into);
    return;
  }
  if (bytes[0] !== BLOCK_LAYOUT)
    throw new RangeError(`block has layout ${bytes[0]}, this program reads ${BLOCK_LAYOUT} and ${COLD_LAYOUT}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let p = HEAD;

  const take = (size: number) => {
    f64Bytes.set(bytes.subarray(p, p + size));
    p += size;
  };
  const deltas = (column: Float64Array, first: number, narrow: number, wide: number): void => {
    column[k] = first;
    if (n === 1) return;
    if (form & narrow) {
      take(4 * (n - 1));
      for (let i = 1; i < n; i++) column[k + i] = column[k + i - 1]! + u32[i - 1]!;
    } else if (form & wide) {
      take(8 * (n - 1));
      for (let i = 1; i < n; i++) column[k + i] = column[k + i - 1]! + f64[i - 1]!;
    } else {
      const step = view.getFloat64(p, true);
      p += 8;
      for (let i = 1; i < n; i++) column[k + i] = column[k + i - 1]! + step;
    }
  };
  deltas(into.timeUs, firstTimeUs, TIME_U32, TIME_F64);
  deltas(into.id, firstId, ID_U32, ID_F64);

  if (form & (VALUE_I16 | VALUE_I32)) {
    const scale = POWER[bytes[p++]!]!;
    if (form & VALUE_I16) {
      take(2 * n);
      for (let i = 0; i < n; i++) into.value[k + i] = i16[i]! / scale;
    } else {
      take(4 * n);
      for (let i = 0; i < n; i++) into.value[k + i] = i32[i]! / scale;
    }
  } else {
    take(8 * n);
    into.value.set(f64.subarray(0, n), k);
  }

  take(2 * n);
  into.confidence.set(u16.subarray(0, n), k);
  if (form & HAS_FORECAST) {
    take(4 * n);
    into.expected.set(f32.subarray(0, n), k);
    take(4 * n);
    into.band.set(f32.subarray(0, n), k);
  } else {
    into.expected.fill(Number.NaN, k, k + n);
    into.band.fill(Number.NaN, k, k + n);
  }
  if (form & HAS_MARKS) {
    into.mark.set(bytes.subarray(p, p + n), k);
    p += n;
  } else into.mark.fill(0, k, k + n);
  p = takeAnomalies(bytes, p, n, into);
  if (p !== bytes.length) throw new RangeError(`block of ${n} points ends at byte ${p}, not ${bytes.length}`);
  into.length = k + n;
}
