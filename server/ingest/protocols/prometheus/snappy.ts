/**
 * Snappy's block format, as remote_write has it. By hand: of the libraries in JavaScript none notices a body that unpacks to another
 * length than it says, and none stops before.
 */
import { TelltaleError } from "../../../errors.ts";
import { HttpRefusal } from "../../protocol.ts";

/**
 * @param hold is told how many bytes are taken before they are, and throws where there is no room
 * @throws HttpRefusal 413 past `limit` bytes, before anything is unpacked; TelltaleError "invalid" for what is no snappy
 */
export function uncompress(packed: Uint8Array, limit: number, hold: (bytes: number) => void = () => {}): Buffer {
  const { length, at: start } = lengthOf(packed);
  if (length > limit)
    throw new HttpRefusal(413, "exhausted", `the body unpacks to ${length} bytes: send at most ${limit}`);
  hold(length);
  const from = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const to = Buffer.allocUnsafe(length);
  let at = start;
  let out = 0;
  while (at < from.length) {
    const tag = from[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      let bytes = tag >>> 2;
      if (bytes >= 60) {
        const size = bytes - 59;
        if (at + size > from.length) throw broken();
        bytes = from.readUIntLE(at, size);
        at += size;
      }
      bytes++;
      if (at + bytes > from.length || out + bytes > length) throw broken();
      from.copy(to, out, at, at + bytes);
      at += bytes;
      out += bytes;
      continue;
    }
    const size = kind === 3 ? 4 : kind;
    if (at + size > from.length) throw broken();
    const bytes = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const offset = kind === 1 ? ((tag >>> 5) << 8) | from[at]! : from.readUIntLE(at, size);
    at += size;
    if (offset === 0 || offset > out || out + bytes > length) throw broken();
    // It may overlap with what it makes.
    if (offset >= bytes) to.copyWithin(out, out - offset, out - offset + bytes);
    else for (let i = 0; i < bytes; i++) to[out + i] = to[out + i - offset]!;
    out += bytes;
  }
  if (out !== length) throw broken();
  return to;
}

function lengthOf(packed: Uint8Array): { length: number; at: number } {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const byte = packed[at];
    if (byte === undefined) break;
    length += (byte & 127) * 2 ** (7 * at);
    if (byte < 128) return { length, at: at + 1 };
  }
  throw broken();
}

function broken(): TelltaleError {
  return new TelltaleError("invalid", "the body is not snappy's block format, as content-encoding says");
}
