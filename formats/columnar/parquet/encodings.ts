/** Parquet's encodings: the bytes of a page to its values. Nothing is made that the page's header has not been allowed. */
import { damaged } from "../budget.ts";
import { MAX_PAGE_BYTES } from "../limits.ts";
import { typed } from "../values.ts";
import type { Physical } from "./footer.ts";

/** Values as they lie in the file. Bytes by where each begins and ends. */
export type Raw =
  | { readonly kind: "numbers"; readonly values: Int32Array | Float32Array | Float64Array }
  | { readonly kind: "wholes"; readonly values: BigInt64Array }
  | { readonly kind: "flags"; readonly values: Uint8Array }
  | { readonly kind: "bytes"; readonly bytes: Buffer; readonly from: Int32Array; readonly to: Int32Array };

export class PageReader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw short();
    return byte;
  }

  /** Of 32 bits, little-endian. */
  length(): number {
    return this.take(4).readUInt32LE(0);
  }

  take(length: number): Buffer {
    if (!(length >= 0) || this.at + length > this.bytes.length) throw short();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  rest(): Buffer {
    return this.take(this.bytes.length - this.at);
  }

  /** Exact to 2^53. */
  varint(): number {
    let result = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.byte();
      result += (byte & 127) * scale;
      if (byte < 128) return result;
      scale *= 128;
    }
    throw damaged("a number of more than ten bytes");
  }

  zigzag(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
    }
    throw damaged("a number of more than ten bytes");
  }
}

function short(): Error {
  return damaged("a page with fewer values than it says");
}

/** Runs of one value, and groups of eight values of a few bits each. */
export function runs(reader: PageReader, bits: number, length: number): Uint32Array {
  if (bits > 32) throw damaged(`values of ${bits} bits`);
  const values = new Uint32Array(length);
  const bytes = Math.ceil(bits / 8);
  for (let i = 0; i < length; ) {
    const header = reader.varint();
    const count = Math.floor(header / 2);
    if (header % 2 === 0) {
      let value = 0;
      for (let byte = 0; byte < bytes; byte++) value += reader.byte() * 2 ** (8 * byte);
      // A run may say that it is longer than the page.
      const end = Math.min(length, i + count);
      values.fill(value, i, end);
      i = end;
    } else {
      const packed = reader.take(Math.min(count * bits, reader.bytes.length - reader.at));
      const end = Math.min(length, i + count * 8);
      unpackBits(packed, bits, values, i, end);
      i = end;
    }
  }
  return values;
}

function unpackBits(packed: Buffer, bits: number, values: Uint32Array, from: number, to: number): void {
  if (packed.length * 8 < (to - from) * bits) throw short();
  let at = 0;
  let held = 0;
  let buffer = 0;
  const size = 2 ** bits;
  for (let i = from; i < to; i++) {
    while (held < bits) {
      buffer += packed[at++]! * 2 ** held;
      held += 8;
    }
    values[i] = buffer % size;
    buffer = Math.floor(buffer / size);
    held -= bits;
  }
}

export function plain(reader: PageReader, physical: Physical, width: number, length: number): Raw {
  switch (physical) {
    case "int32":
      return numbersOf(typed(Int32Array, reader.take(length * 4), length)!);
    case "float":
      return numbersOf(typed(Float32Array, reader.take(length * 4), length)!);
    case "double":
      return numbersOf(typed(Float64Array, reader.take(length * 8), length)!);
    case "int64":
      return { kind: "wholes", values: typed(BigInt64Array, reader.take(length * 8), length)! };
    case "boolean": {
      const packed = reader.take(Math.ceil(length / 8));
      return { kind: "flags", values: Uint8Array.from({ length }, (_, i) => (packed[i >> 3]! >> (i & 7)) & 1) };
    }
    case "int96":
      return fixed(reader, 12, length);
    case "fixed":
      return fixed(reader, width, length);
    case "bytes":
      return prefixed(reader, length);
  }
}

const numbersOf = (values: Int32Array | Float32Array | Float64Array): Raw => ({ kind: "numbers", values });

function fixed(reader: PageReader, width: number, length: number): Raw {
  if (!(width > 0 && width <= MAX_PAGE_BYTES)) throw damaged(`values of ${width} bytes`);
  const bytes = reader.take(width * length);
  const from = Int32Array.from({ length }, (_, i) => i * width);
  return { kind: "bytes", bytes, from, to: from.map((at) => at + width) };
}

/** Bytes behind their lengths. */
function prefixed(reader: PageReader, length: number): Raw {
  const from = new Int32Array(length);
  const to = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const size = reader.length();
    reader.take(size);
    to[i] = reader.at;
    from[i] = reader.at - size;
  }
  return { kind: "bytes", bytes: reader.bytes, from, to };
}

/** Differences, in blocks of miniblocks whose values have as many bits as the greatest needs. */
export function deltas(reader: PageReader, length: number): BigInt64Array {
  const values = new BigInt64Array(length);
  const blockSize = reader.varint();
  const miniblocks = reader.varint();
  reader.varint();
  let value = reader.zigzag();
  if (length === 0) return values;
  const perMiniblock = blockSize / miniblocks;
  if (!(miniblocks > 0 && miniblocks <= 1_024 && perMiniblock > 0 && perMiniblock % 8 === 0 && perMiniblock <= 65_536))
    throw damaged("differences in blocks of no size");
  values[0] = value;
  for (let i = 1; i < length; ) {
    const least = reader.zigzag();
    const widths = reader.take(miniblocks);
    for (let block = 0; block < miniblocks && i < length; block++) {
      const bits = widths[block]!;
      if (bits > 64) throw damaged(`differences of ${bits} bits`);
      // The last may be cut off behind its last value.
      const packed = reader.take(Math.min((perMiniblock / 8) * bits, reader.bytes.length - reader.at));
      const end = Math.min(length, i + perMiniblock);
      const differences = bits <= 32 ? smallBits(packed, bits, end - i) : greatBits(packed, bits, end - i);
      for (let at = 0; i < end; at++, i++) {
        value = BigInt.asIntN(64, value + least + BigInt(differences[at]!));
        values[i] = value;
      }
    }
  }
  return values;
}

function smallBits(packed: Buffer, bits: number, length: number): Uint32Array {
  const values = new Uint32Array(length);
  unpackBits(packed, bits, values, 0, length);
  return values;
}

function greatBits(packed: Buffer, bits: number, length: number): bigint[] {
  if (packed.length * 8 < length * bits) throw short();
  const mask = (1n << BigInt(bits)) - 1n;
  let at = 0;
  let held = 0;
  let buffer = 0n;
  return Array.from({ length }, () => {
    for (; held < bits; held += 8) buffer |= BigInt(packed[at++]!) << BigInt(held);
    const value = buffer & mask;
    buffer >>= BigInt(bits);
    held -= bits;
    return value;
  });
}

export function deltaNumbers(reader: PageReader, physical: Physical, length: number): Raw {
  const values = deltas(reader, length);
  if (physical === "int64") return { kind: "wholes", values };
  return numbersOf(Int32Array.from(values, (value) => Number(BigInt.asIntN(32, value))));
}

/** All lengths first, then all bytes. */
export function deltaLengths(reader: PageReader, length: number): Raw {
  const sizes = deltas(reader, length);
  const from = new Int32Array(length);
  const to = new Int32Array(length);
  const bytes = reader.rest();
  let at = 0;
  for (let i = 0; i < length; i++) {
    from[i] = at;
    at += sizeOf(sizes[i]!, bytes.length - at);
    to[i] = at;
  }
  return { kind: "bytes", bytes, from, to };
}

/** Each with so many bytes of the one before. Together they may be far more than the page. */
export function deltaBytes(reader: PageReader, length: number): Raw {
  const shared = deltas(reader, length);
  const own = deltas(reader, length);
  const rest = reader.rest();
  const from = new Int32Array(length);
  const to = new Int32Array(length);
  let total = 0;
  for (let i = 0; i < length; i++) {
    const before = i === 0 ? 0 : to[i - 1]! - from[i - 1]!;
    from[i] = total;
    total += sizeOf(shared[i]!, before) + sizeOf(own[i]!, rest.length);
    if (total > MAX_PAGE_BYTES) throw damaged("texts that are longer than a page");
    to[i] = total;
  }
  const bytes = Buffer.alloc(total);
  let at = 0;
  for (let i = 0; i < length; i++) {
    const prefix = Number(shared[i]);
    const suffix = Number(own[i]);
    if (at + suffix > rest.length) throw short();
    if (prefix > 0) bytes.copyWithin(from[i]!, from[i - 1]!, from[i - 1]! + prefix);
    rest.copy(bytes, from[i]! + prefix, at, at + suffix);
    at += suffix;
  }
  return { kind: "bytes", bytes, from, to };
}

function sizeOf(value: bigint, most: number): number {
  if (value < 0n || value > BigInt(most)) throw short();
  return Number(value);
}

/** The first bytes of all values, then the second of all, and so on. */
export function byteStreams(reader: PageReader, physical: Physical, width: number, length: number): Raw {
  const size = { int32: 4, float: 4, int64: 8, double: 8, fixed: width, boolean: 0, int96: 0, bytes: 0 }[physical];
  if (!(size > 0)) throw damaged("an encoding that is not of its type");
  const streams = reader.take(size * length);
  const bytes = new Uint8Array(size * length);
  for (let byte = 0; byte < size; byte++)
    for (let i = 0; i < length; i++) bytes[i * size + byte] = streams[byte * length + i]!;
  return plain(new PageReader(bytes), physical, width, length);
}
