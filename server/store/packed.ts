/**
 * Columns of whole numbers in as few bits as they need: the building block of the layout of blocks at rest (`cold.ts`).
 *
 *   column    u8 width (0 to 32 bits) | DELTA | EXCEPTIONS, [number first, with DELTA], number base,
 *             [u16 n, n × (u16 index, number)], the elements less the base, most significant bit first, padded to a byte
 *   number    u8 bytes | NEGATIVE, magnitude, most significant byte first
 */
import { MAX_BLOCK_POINTS } from "./points.ts";

const DELTA = 64;
const EXCEPTIONS = 128;
const WIDTH = 63;
const NEGATIVE = 128;
/** Rough bytes of an exception: index, length and magnitude. */
const EXCEPTION_BYTES = 6;
const SAMPLES = 32;

/** The column being written or just read: whole numbers, and scratch for whoever fills it. */
export const column = new Float64Array(MAX_BLOCK_POINTS);
const deltas = new Float64Array(MAX_BLOCK_POINTS);
const sample = new Float64Array(SAMPLES);
const counts = new Uint32Array(34);
/** A packed section and room to read past its end. */
const section = new Uint8Array(4 * MAX_BLOCK_POINTS + 8);
const sectionView = new DataView(section.buffer);

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

/** Writes the first n elements of `column`, which it may change, in the cheaper of two forms, and returns the end. */
export function putColumn(out: Buffer, at: number, n: number, mayDelta: boolean): number {
  const x = column;
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

/** Reads a block's parts one after the other. Throws RangeError where the bytes end early. */
export class Reader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
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
