/**
 * The layout of blocks at rest (layout 2): every column as whole numbers in as few bits as it needs. Slower to write than the
 * layout of arrival, and half its size on noisy data; exact to the bit like that. `migrations/011_readings.sql` reads it too.
 *
 *   u8 layout, u8 form bits, u16 points (little-endian), then times, ids, values, confidences, [expected, band], [marks], anomalies
 *
 *   column    u8 width (0 to 32 bits) | DELTA | EXCEPTIONS, [number first, with DELTA], number base,
 *             [u16 n, n × (u16 index, number)], the elements less the base, most significant bit first, padded to a byte
 *   number    u8 bytes | NEGATIVE, magnitude, most significant byte first
 */
import type { Points } from "./block.ts";

export const COLD_LAYOUT = 2;

const POINTS = 1024;
const HAS_FORECAST = 1;
const HAS_MARKS = 2;
const DELTA = 64;
const EXCEPTIONS = 128;
const WIDTH = 63;
const NEGATIVE = 128;
/** Kinds of the value column beside 0 to 4 decimals. */
const AS_FLOAT32 = 254;
const AS_FLOAT64 = 255;
/** Ids of one partition differ by multiples of this. */
const ID_STEP = 128;
/** Rough bytes of an exception: index, length and magnitude. */
const EXCEPTION_BYTES = 6;
const SAMPLES = 32;

const column = new Float64Array(POINTS);
const deltas = new Float64Array(POINTS);
const sample = new Float64Array(SAMPLES);
const counts = new Uint32Array(34);
const f32 = new Float32Array(POINTS);
const f32Bits = new Uint32Array(f32.buffer);
const f64 = new Float64Array(POINTS);
const f64Bytes = new Uint8Array(f64.buffer);
/** A packed section and room to read past its end. */
const section = new Uint8Array(4 * POINTS + 8);
const sectionView = new DataView(section.buffer);

/** What `encodeCold` may write at the most for n points. */
export function maxColdBytes(n: number): number {
  return 64 + 7 * 32 + n * (7 * 14 + 5);
}

interface Plan {
  bytes: number;
  base: number;
  width: number;
  exceptions: number;
}

/** Cheapest width above a base; elements below it or too far above it are exceptions. */
function planAt(x: Float64Array, n: number, base: number): Plan {
  counts.fill(0);
  for (let i = 0; i < n; i++) {
    const d = x[i]! - base;
    counts[d < 0 || d > 4294967295 ? 33 : 32 - Math.clz32(d)]!++;
  }
  let exceptions = counts[33]!;
  let best: Plan = { bytes: Number.POSITIVE_INFINITY, base, width: 32, exceptions };
  for (let width = 32; width >= 0; width--) {
    const bytes = Math.ceil((n * width) / 8) + exceptions * EXCEPTION_BYTES;
    if (bytes < best.bytes) best = { bytes, base, width, exceptions };
    exceptions += counts[width]!;
  }
  return best;
}

/** The smallest element is the base, or, where a few lie far below the others, one near the low end of a sample. */
function plan(x: Float64Array, n: number): Plan {
  if (n === 0) return { bytes: 0, base: 0, width: 0, exceptions: 0 };
  let least = x[0]!;
  let most = x[0]!;
  for (let i = 1; i < n; i++) {
    const v = x[i]!;
    if (v < least) least = v;
    if (v > most) most = v;
  }
  if (least === most) return { bytes: 0, base: least, width: 0, exceptions: 0 };
  const first = planAt(x, n, least);
  if (n < SAMPLES) return first;
  for (let i = 0; i < SAMPLES; i++) sample[i] = x[Math.floor((i * n) / SAMPLES)]!;
  sample.sort();
  const low = sample[2]!;
  // Only a base that saves at least a bit an element is worth a look.
  if (most - low >= (most - least) / 2 && sample[SAMPLES - 3]! - low >= (most - least) / 4) return first;
  const second = planAt(x, n, low);
  return second.bytes < first.bytes ? second : first;
}

function putNumber(out: Buffer, at: number, x: number): number {
  let magnitude = Math.abs(x);
  let bytes = 0;
  for (let rest = magnitude; rest >= 1; rest = Math.floor(rest / 256)) bytes++;
  out[at] = bytes | (x < 0 ? NEGATIVE : 0);
  for (let i = bytes; i > 0; i--) {
    out[at + i] = magnitude % 256;
    magnitude = Math.floor(magnitude / 256);
  }
  return at + 1 + bytes;
}

/** Writes the first n elements of `x`, which it may change, in the cheaper of two forms. */
function putColumn(out: Buffer, at: number, x: Float64Array, n: number, mayDelta: boolean): number {
  let best = plan(x, n);
  let from = x;
  let m = n;
  let p = at + 1;
  let head = 0;
  if (mayDelta && n > 1 && best.width > 0) {
    for (let i = 1; i < n; i++) deltas[i - 1] = x[i]! - x[i - 1]!;
    const other = plan(deltas, n - 1);
    if (other.bytes + 4 < best.bytes) {
      best = other;
      head = DELTA;
      p = putNumber(out, p, x[0]!);
      from = deltas;
      m = n - 1;
    }
  }
  const { base, width } = best;
  p = putNumber(out, p, base);
  const limit = 2 ** width;
  if (best.exceptions > 0) {
    head |= EXCEPTIONS;
    out.writeUInt16LE(best.exceptions, p);
    p += 2;
    for (let i = 0; i < m; i++) {
      const d = from[i]! - base;
      if (d >= 0 && d < limit) continue;
      out.writeUInt16LE(i, p);
      p = putNumber(out, p + 2, from[i]!);
      from[i] = base;
    }
  }
  out[at] = head | width;
  return width === 0 ? p : putBits(out, p, from, m, base, width);
}

function putBits(out: Buffer, at: number, x: Float64Array, n: number, base: number, width: number): number {
  let p = at;
  let byte = 0;
  let free = 8;
  for (let i = 0; i < n; i++) {
    const d = x[i]! - base;
    let left = width;
    while (left >= free) {
      left -= free;
      out[p++] = byte | ((d >>> left) & (255 >>> (8 - free)));
      byte = 0;
      free = 8;
    }
    if (left > 0) {
      free -= left;
      byte |= (d & ((1 << left) - 1)) << free;
    }
  }
  if (free < 8) out[p++] = byte;
  return p;
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

const POWER = [1, 10, 100, 1000, 10000];

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
  const { timeUs, id, value, confidence, score, reason, anomaly, mark, expected, band } = points;
  let p = at + 4;
  for (let i = 1; i < n; i++) column[i - 1] = timeUs[from + i]! - timeUs[from + i - 1]!;
  p = putColumn(out, p, column, n - 1, false);

  let step = ID_STEP;
  for (let i = 1; i < n; i++) if ((id[from + i]! - id[from + i - 1]!) % ID_STEP !== 0) step = 1;
  for (let i = 1; i < n; i++) column[i - 1] = (id[from + i]! - id[from + i - 1]!) / step;
  out[p++] = step;
  p = putColumn(out, p, column, n - 1, false);

  p = putValues(value, from, n, decimals, out, p);
  for (let i = 0; i < n; i++) column[i] = confidence[from + i]!;
  p = putColumn(out, p, column, n, false);

  let form = 0;
  let marks = 0;
  let anomalies = 0;
  for (let i = from; i < to; i++) {
    if (!Number.isNaN(expected[i]!) || !Number.isNaN(band[i]!)) form |= HAS_FORECAST;
    marks |= mark[i]!;
    anomalies += anomaly[i]!;
  }
  if (form !== 0) {
    for (const floats of [expected, band]) {
      f32.set(floats.subarray(from, to));
      floatsToColumn(n);
      p = putColumn(out, p, column, n, true);
    }
  }
  if (marks !== 0) {
    form |= HAS_MARKS;
    for (let i = 0; i < n; i++) column[i] = mark[from + i]!;
    p = putColumn(out, p, column, n, false);
  }
  out.writeUInt16LE(anomalies, p);
  p += 2;
  for (let i = 0; i < n; i++) {
    if (anomaly[from + i] === 0) continue;
    out.writeUInt16LE(i, p);
    out.writeUInt16LE(score[from + i]!, p + 2);
    out[p + 4] = reason[from + i]!;
    p += 5;
  }
  out[at] = COLD_LAYOUT;
  out[at + 1] = form;
  out.writeUInt16LE(n, at + 2);
  return p;
}

function putValues(value: Float64Array, from: number, n: number, decimals: number, out: Buffer, at: number): number {
  if (decimals >= 0) {
    out[at] = decimals;
    const scale = POWER[decimals]!;
    for (let i = 0; i < n; i++) column[i] = Math.round(value[from + i]! * scale);
    return putColumn(out, at + 1, column, n, true);
  }
  let single = true;
  for (let i = 0; i < n && single; i++) {
    f32[i] = value[from + i]!;
    single = Object.is(f32[i], value[from + i]);
  }
  if (single) {
    out[at] = AS_FLOAT32;
    floatsToColumn(n);
    return putColumn(out, at + 1, column, n, true);
  }
  out[at] = AS_FLOAT64;
  f64.set(value.subarray(from, from + n));
  out.set(f64Bytes.subarray(0, 8 * n), at + 1);
  return at + 1 + 8 * n;
}

/** Reads a block's parts one after the other. */
class Reader {
  readonly bytes: Uint8Array;
  at = 4;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  byte(): number {
    const b = this.bytes[this.at++];
    if (b === undefined) throw new RangeError(`block ends early, at byte ${this.bytes.length}`);
    return b;
  }

  u16(): number {
    return this.byte() | (this.byte() << 8);
  }

  number(): number {
    const head = this.byte();
    let x = 0;
    for (let i = head & 127; i > 0; i--) x = x * 256 + this.byte();
    return head & NEGATIVE ? -x : x;
  }

  /** Fills the first n elements of `column`. */
  column(n: number): void {
    const head = this.byte();
    const delta = (head & DELTA) !== 0;
    const first = delta ? this.number() : 0;
    const base = this.number();
    const listed = head & EXCEPTIONS ? this.u16() : 0;
    const listedAt = this.at;
    for (let e = 0; e < listed; e++) {
      this.at += 2;
      this.number();
    }
    const m = delta ? n - 1 : n;
    const to = delta ? deltas : column;
    this.#bits(to, m, base, head & WIDTH);
    const end = this.at;
    this.at = listedAt;
    for (let e = 0; e < listed; e++) {
      const i = this.u16();
      to[i] = this.number();
    }
    this.at = end;
    if (!delta) return;
    column[0] = first;
    for (let i = 1; i < n; i++) column[i] = column[i - 1]! + deltas[i - 1]!;
  }

  #bits(to: Float64Array, n: number, base: number, width: number): void {
    if (width === 0) {
      to.fill(base, 0, n);
      return;
    }
    const size = Math.ceil((n * width) / 8);
    if (width > 32 || this.at + size > this.bytes.length) throw new RangeError(`block ends early, or is ${width} wide`);
    section.set(this.bytes.subarray(this.at, this.at + size));
    this.at += size;
    const drop = 32 - width;
    for (let i = 0, bit = 0; i < n; i++, bit += width) {
      const p = bit >>> 3;
      const shift = bit & 7;
      const high = sectionView.getUint32(p) << shift;
      const low = shift + width > 32 ? section[p + 4]! >>> (8 - shift) : 0;
      to[i] = base + ((high | low) >>> drop);
    }
  }
}

/** Appends the points of a block of layout 2 to `into`, which has room. Throws RangeError where the bytes are no block. */
export function decodeCold(bytes: Uint8Array, firstTimeUs: number, firstId: number, into: Points): void {
  const form = bytes[1]!;
  const n = bytes[2]! | (bytes[3]! << 8);
  if (n < 1 || n > POINTS) throw new RangeError(`a block holds 1 to ${POINTS} points, not ${n}`);
  const k = into.length;
  const r = new Reader(bytes);
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
  into.anomaly.fill(0, k, k + n);
  into.score.fill(0, k, k + n);
  into.reason.fill(0, k, k + n);
  for (let a = r.u16(); a > 0; a--) {
    const i = k + r.u16();
    into.anomaly[i] = 1;
    into.score[i] = r.u16();
    into.reason[i] = r.byte();
  }
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
