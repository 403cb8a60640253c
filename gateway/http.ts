/** The few things that every handler of the gateway needs of HTTP. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** Larger than any reading (16 KiB of metadata) and any query that the limits let through. */
export const MAX_BODY_BYTES = 1024 * 1024;

export const JSON_TYPE = "application/json";

export interface Answer {
  readonly status: number;
  /** Sent as it is where it is text or bytes, as JSON else. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export function detail(status: number, text: string, headers?: Record<string, string>): Answer {
  return { status, body: { detail: text }, ...(headers === undefined ? {} : { headers }) };
}

export const NOT_FOUND = detail(404, "Not Found");
/** Says nothing of the cause: that is in the log. */
export const INTERNAL_ERROR = detail(500, "Internal server error");

export function send(response: ServerResponse, { status, body, headers }: Answer): void {
  const text = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  response.writeHead(status, {
    "content-type": JSON_TYPE,
    "content-length": Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

export class BodyTooLarge extends Error {}

/**
 * The whole body of a request.
 *
 * @throws BodyTooLarge past MAX_BODY_BYTES
 */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) throw new BodyTooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Not destroyed where it is given up: that would close the socket under the answer that says why.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new BodyTooLarge();
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** Ends with the client's going, so that work nobody waits for is given up. */
export function clientSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
