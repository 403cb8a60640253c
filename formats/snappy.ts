/**
 * Snappy's block format, as remote_write and Parquet have it. By hand: of the libraries in JavaScript none notices bytes that unpack
 * to another length than they say, and none stops before.
 */

/** Bytes that it says it unpacks to; undefined where it is no snappy. */
export function snappyLength(packed: Uint8Array): number | undefined {
  return lengthOf(packed)?.length;
}

/** All that was packed, in memory of the length that it says; undefined where it is no snappy. */
export function unpackSnappy(packed: Uint8Array): Buffer | undefined {
  const said = lengthOf(packed);
  if (said === undefined) return undefined;
  const { length } = said;
  const from = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const to = Buffer.allocUnsafe(length);
  let { at } = said;
  let out = 0;
  while (at < from.length) {
    const tag = from[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      let bytes = tag >>> 2;
      if (bytes >= 60) {
        const size = bytes - 59;
        if (at + size > from.length) return undefined;
        bytes = from.readUIntLE(at, size);
        at += size;
      }
      bytes++;
      if (at + bytes > from.length || out + bytes > length) return undefined;
      from.copy(to, out, at, at + bytes);
      at += bytes;
      out += bytes;
      continue;
    }
    const size = kind === 3 ? 4 : kind;
    if (at + size > from.length) return undefined;
    const bytes = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const offset = kind === 1 ? ((tag >>> 5) << 8) | from[at]! : from.readUIntLE(at, size);
    at += size;
    if (offset === 0 || offset > out || out + bytes > length) return undefined;
    // It may overlap with what it makes.
    if (offset >= bytes) to.copyWithin(out, out - offset, out - offset + bytes);
    else for (let i = 0; i < bytes; i++) to[out + i] = to[out + i - offset]!;
    out += bytes;
  }
  return out === length ? to : undefined;
}

function lengthOf(packed: Uint8Array): { length: number; at: number } | undefined {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const byte = packed[at];
    if (byte === undefined) break;
    length += (byte & 127) * 2 ** (7 * at);
    if (byte < 128) return { length, at: at + 1 };
  }
  return undefined;
}
