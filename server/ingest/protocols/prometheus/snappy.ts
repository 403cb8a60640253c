/** Bodies in snappy's block format, as remote_write and remote_read have them. */
import { snappyLength, unpackSnappy } from "../../../../formats/snappy.ts";
import { TelltaleError } from "../../../errors.ts";
import { HttpRefusal } from "../../protocol.ts";

/**
 * @param hold is told how many bytes are taken before they are, and throws where there is no room
 * @throws HttpRefusal 413 past `limit` bytes, before anything is unpacked; TelltaleError "invalid" for what is no snappy
 */
export function uncompress(packed: Uint8Array, limit: number, hold: (bytes: number) => void = () => {}): Buffer {
  const length = snappyLength(packed);
  if (length === undefined) throw broken();
  if (length > limit)
    throw new HttpRefusal(413, "exhausted", `the body unpacks to ${length} bytes: send at most ${limit}`);
  hold(length);
  const unpacked = unpackSnappy(packed);
  if (unpacked === undefined) throw broken();
  return unpacked;
}

function broken(): TelltaleError {
  return new TelltaleError("invalid", "the body is not snappy's block format, as content-encoding says");
}
