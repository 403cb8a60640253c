/** Requests and responses of Node's HTTP/1.1 and HTTP/2 servers alike. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ProtocolResponse } from "../ingest/protocol.ts";
import { onAbort } from "../lib/signals.ts";

export type NodeServerRequest = IncomingMessage | Http2ServerRequest;
export type NodeServerResponse = ServerResponse | Http2ServerResponse;
export type RequestListener = (request: NodeServerRequest, response: NodeServerResponse) => void;

export function pathOf({ url = "" }: NodeServerRequest): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

/** A short answer to what is no call. */
export function sendJson(
  response: NodeServerResponse,
  status: number,
  body: object,
  header: Readonly<Record<string, string>> = {},
): void {
  send(response, { status, headers: { "content-type": "application/json", ...header }, body: JSON.stringify(body) });
}

/** An answer that is whole. */
export function send(response: NodeServerResponse, { status, headers = {}, body = "" }: ProtocolResponse): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  // Both kinds of response have this signature; TypeScript cannot see it through their overloads.
  (response as ServerResponse).end(body);
}

/** The headers without those of HTTP/2 itself. */
export function headersOf({ headers }: NodeServerRequest): Headers {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    all.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  return all;
}

export interface BodyBounds {
  /** Of the whole body, bytes. */
  readonly limit: number;
  /** Makes the error of a body that is larger, or says that it will be. */
  readonly tooLarge: () => Error;
  /** Ends the reading, with its reason. */
  readonly signal: AbortSignal;
  /** Told of each piece before it is kept; what it throws refuses the body. */
  readonly onBytes?: (bytes: number) => void;
  /** How long the body is by its first bytes; undefined where it takes more of them to know. Absent: they do not say it. */
  readonly announced?: (head: Buffer) => number | undefined;
}

/**
 * The whole body of a request. One that is too large is refused as soon as that is known, and from then on nothing of it is kept;
 * the rest is still read, since a connection that is cut would lose the answer.
 */
export function bodyOf(
  request: NodeServerRequest,
  { limit, tooLarge, signal, onBytes, announced }: BodyBounds,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    let length = announced === undefined ? Number(request.headers["content-length"] ?? 0) : undefined;
    const end = () => {
      offSignal();
      chunks = [];
      for (const [event, listener] of Object.entries(listeners)) request.off(event, listener);
    };
    const refuse = (error: unknown) => {
      end();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      try {
        onBytes?.(chunk.length);
      } catch (error) {
        return refuse(error);
      }
      chunks.push(chunk);
      bytes += chunk.length;
      length ??= announced?.(Buffer.concat(chunks));
      if (Math.max(bytes, length ?? 0) > limit) refuse(tooLarge());
    };
    const onEnd = () => {
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
      end();
    };
    const listeners = { data: onData, end: onEnd, error: (error: Error) => refuse(brokenOff(error)) };
    let offSignal = () => {};
    // Whoever reads it late has missed the events.
    if (request.errored) return reject(brokenOff(request.errored));
    offSignal = onAbort(signal, () => refuse(signal.reason));
    if (signal.aborted) return;
    if ((length ?? 0) > limit) return refuse(tooLarge());
    for (const [event, listener] of Object.entries(listeners)) request.on(event, listener);
  });
}

/** What ends a body has given its reason, or is the caller. */
export function brokenOff(error: Error): ConnectError {
  if (error instanceof ConnectError) return error;
  return new ConnectError("The request ended before its body did", Code.Canceled, undefined, undefined, error);
}

/**
 * Connect escapes a status message as if it were part of a URL, and grpc-js leaves the escapes of reserved characters in what it shows.
 * The protocol asks for escapes of what is not printable ASCII, and of the escape itself. Set now or at the end of the call.
 */
export function plainMessage(headers: Headers | HeadersInit | undefined): void {
  if (!(headers instanceof Headers)) return;
  const set = headers.set.bind(headers);
  headers.set = (name, value) => set(name, name === GRPC_MESSAGE ? respelled(value) : value);
  const known = headers.get(GRPC_MESSAGE);
  if (known !== null) set(GRPC_MESSAGE, respelled(known));
}

const GRPC_MESSAGE = "grpc-message";

function respelled(escaped: string): string {
  return escaped.replace(/%[2-7][0-9A-F]/g, (hex) => (hex === "%25" || hex === "%7F" ? hex : decodeURIComponent(hex)));
}
