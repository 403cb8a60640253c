/** Content encodings that the listener takes off bodies of plain HTTP. */
import type { Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

/** Of a piece that is unpacked, bytes. */
export const MAX_PIECE: number = 64 * 1024;

const options = { chunkSize: MAX_PIECE };
const UNPACK: ReadonlyMap<string, () => Transform> = new Map<string, () => Transform>([
  ["gzip", () => createGunzip(options)],
  ["x-gzip", () => createGunzip(options)],
  ["deflate", () => createInflate(options)],
  ["br", () => createBrotliDecompress(options)],
]);

/** What a body is packed by; without `unpack` where it is not, or by an encoding that is the protocol's own. */
export function encodingOf(headers: Headers): {
  readonly encoding: string;
  readonly unpack: (() => Transform) | undefined;
} {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  return { encoding, unpack: UNPACK.get(encoding) };
}
