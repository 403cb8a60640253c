/** What was compressed, to the length that is known before: whatever unpacks to another is refused, and never takes more memory. */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { snappyLength, unpackSnappy } from "../snappy.ts";
import { damaged } from "./budget.ts";

export type Codec = "snappy" | "gzip" | "brotli" | "zstd" | "lz4" | "lz4_hadoop" | "lz4_frame";

/** @throws CsvProblem where the bytes do not unpack to so many */
export function unpack(codec: Codec, packed: Uint8Array, length: number): Uint8Array {
  const unpacked = unpackedBy(codec, packed, length);
  if (unpacked?.length !== length) throw damaged(`a part that is not ${codec}, or not of the length that it says`);
  return unpacked;
}

function unpackedBy(codec: Codec, packed: Uint8Array, length: number): Uint8Array | undefined {
  // Node's own take the option from one byte on.
  const options = { maxOutputLength: Math.max(1, length) };
  switch (codec) {
    case "snappy":
      return snappyLength(packed) === length ? unpackSnappy(packed) : undefined;
    case "gzip":
      return byNode(() => gunzipSync(packed, options));
    case "brotli":
      return byNode(() => brotliDecompressSync(packed, options));
    case "zstd":
      return byNode(() => zstdDecompressSync(packed, options));
    case "lz4":
      return lz4(packed, length);
    case "lz4_hadoop":
      return lz4Hadoop(packed, length) ?? lz4(packed, length);
    case "lz4_frame":
      return lz4Frame(packed, length);
  }
}

/** Bytes that are none of the codec, or unpack to more: Node throws its own errors for both. */
function byNode(unpacked: () => Buffer): Buffer | undefined {
  try {
    return unpacked();
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code === "string") return undefined;
    throw error;
  }
}

function lz4(packed: Uint8Array, length: number): Uint8Array | undefined {
  const to = new Uint8Array(length);
  return lz4Block(packed, to, 0) === length ? to : undefined;
}

/** One block of LZ4; what it refers to may lie before it. Answers with where it ends in `to`, or undefined where it is none. */
function lz4Block(from: Uint8Array, to: Uint8Array, start: number): number | undefined {
  let at = 0;
  let out = start;
  const extended = (first: number): number => {
    let length = first;
    if (first !== 15) return length;
    for (;;) {
      const byte = from[at++];
      if (byte === undefined) return Number.NaN;
      length += byte;
      if (byte !== 255) return length;
    }
  };
  while (at < from.length) {
    const token = from[at++]!;
    const literals = extended(token >>> 4);
    if (!(at + literals <= from.length && out + literals <= to.length)) return undefined;
    to.set(from.subarray(at, at + literals), out);
    at += literals;
    out += literals;
    if (at === from.length) return out;
    if (at + 2 > from.length) return undefined;
    const offset = from[at]! | (from[at + 1]! << 8);
    at += 2;
    const length = extended(token & 15) + 4;
    if (offset === 0 || offset > out || !(out + length <= to.length)) return undefined;
    if (offset >= length) to.copyWithin(out, out - offset, out - offset + length);
    else for (let i = 0; i < length; i++) to[out + i] = to[out + i - offset]!;
    out += length;
  }
  return out;
}

/** Blocks of LZ4 as Hadoop writes them: each behind its two lengths, big-endian. */
function lz4Hadoop(packed: Uint8Array, length: number): Uint8Array | undefined {
  const from = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const to = new Uint8Array(length);
  let at = 0;
  let out = 0;
  while (at < from.length) {
    if (at + 8 > from.length) return undefined;
    const end = out + from.readUInt32BE(at);
    const size = from.readUInt32BE(at + 4);
    at += 8;
    if (at + size > from.length || end > length) return undefined;
    if (lz4Block(from.subarray(at, at + size), to.subarray(0, end), out) !== end) return undefined;
    at += size;
    out = end;
  }
  return out === length ? to : undefined;
}

const FRAME = 0x184d2204;

/** Frames of LZ4; checksums are not looked at. */
function lz4Frame(packed: Uint8Array, length: number): Uint8Array | undefined {
  const from = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const to = new Uint8Array(length);
  let at = 0;
  let out = 0;
  while (at < from.length) {
    if (at + 7 > from.length || from.readUInt32LE(at) !== FRAME) return undefined;
    const flags = from[at + 4]!;
    // Behind magic, flags and block size: the content's length, a dictionary's id, and a checksum of all that.
    at += 6 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0) + 1;
    for (;;) {
      if (at + 4 > from.length) return undefined;
      const word = from.readUInt32LE(at);
      at += 4;
      if (word === 0) break;
      const size = word & 0x7fff_ffff;
      if (at + size > from.length) return undefined;
      const block = from.subarray(at, at + size);
      if (word >>> 31 === 0) {
        const end = lz4Block(block, to, out);
        if (end === undefined) return undefined;
        out = end;
      } else {
        if (out + size > length) return undefined;
        to.set(block, out);
        out += size;
      }
      at += size + (flags & 16 ? 4 : 0);
    }
    if (flags & 4) at += 4;
  }
  return out === length ? to : undefined;
}
