import { HttpRefusal } from "../protocol.ts";

/** Encodings that the listener has taken off by now. */
const ENCODINGS: ReadonlySet<string> = new Set(["", "identity", "gzip", "x-gzip", "deflate", "br"]);

/** Of a protocol that has no encoding of its own. @throws HttpRefusal 415 */
export function checkEncoding(headers: Headers): void {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (ENCODINGS.has(encoding)) return;
  throw new HttpRefusal(415, "invalid", `content-encoding is ${JSON.stringify(encoding.slice(0, 50))}: send gzip`);
}
