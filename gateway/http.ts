/** The few things that every handler of the gateway needs of HTTP. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { encode } from "./compress.ts";

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

const GRAPHQL_CODES: Readonly<Record<number, string>> = {
  400: "BAD_REQUEST",
  401: "UNAUTHENTICATED",
  403: "FORBIDDEN",
  415: "BAD_REQUEST",
  429: "RATE_LIMITED",
};

/** A refusal of a whole request, in GraphQL's form too where it is asked by GraphQL. */
export function refusal(graphql: boolean, { status, message }: { status: number; message: string }): Answer {
  const headers = status === 401 ? { "www-authenticate": "Bearer" } : undefined;
  const answer = detail(status, message, headers);
  if (!graphql) return answer;
  const errors = [{ message, extensions: { code: GRAPHQL_CODES[status] ?? "BAD_REQUEST" } }];
  return { ...answer, body: { detail: message, errors } };
}

export const NOT_FOUND = detail(404, "Not Found");
/** Contains nothing of the cause: that is in the log. */
export const INTERNAL_ERROR = detail(500, "Internal server error");

export async function send(response: ServerResponse, { status, body, headers }: Answer): Promise<void> {
  const text = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const all: Record<string, string> = { "content-type": JSON_TYPE, ...headers };
  const accepted = response.req.headers["accept-encoding"];
  const encoded = await encode(accepted, all["content-type"]!, Buffer.isBuffer(text) ? text : Buffer.from(text));
  const { vary, ...coding } = encoded.headers;
  if (vary !== undefined) response.appendHeader("vary", vary);
  response.writeHead(status, { ...all, ...coding, "content-length": encoded.bytes.length });
  response.end(encoded.bytes);
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

/** Of a path or a part of one; undefined where it is not encoded as it should be. */
export function decodePath(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
