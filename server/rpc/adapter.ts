import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { ConnectRouterOptions } from "@connectrpc/connect";
import { Code, ConnectError, type ConnectRouter, createConnectRouter, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { Logger } from "../observe/logger.ts";
import { type AllowsOrigin, answerOrigin } from "./origins.ts";
import { type Peer, peerKey } from "./principal.ts";

export type NodeServerRequest = IncomingMessage | Http2ServerRequest;
export type NodeServerResponse = ServerResponse | Http2ServerResponse;

export interface AdapterOptions extends ConnectRouterOptions {
  readonly routes: (router: ConnectRouter) => void;
  /** Answers what is no call: health, unknown paths. */
  readonly fallback: (request: NodeServerRequest, response: NodeServerResponse) => void;
  /** For the whole body of a call that has one request. */
  readonly requestTimeoutMs: number;
  /** Of one request's headers in all. */
  readonly maxHeaderBytes: number;
  /** Which Host headers are answered. */
  readonly allowsHost: (authority: string) => boolean;
  /** Pages of which origins may call. */
  readonly allowsOrigin: AllowsOrigin;
  readonly logger: Logger;
}

export type RequestListener = (request: NodeServerRequest, response: NodeServerResponse) => void;

/**
 * Node requests to Connect's handlers. Connect's own adapter throws out of the request event on a request without a host
 * (ending the process), waits for ever for a body, and writes to the console.
 */
export function createAdapter(all: AdapterOptions): RequestListener {
  const { routes, fallback, requestTimeoutMs, maxHeaderBytes, allowsHost, allowsOrigin, logger, ...options } = all;
  const router = createConnectRouter({ acceptCompression: [compressionGzip, compressionBrotli], ...options });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    const handler = handlers.get(pathOf(request));
    if (headerBytes(request) > maxHeaderBytes) return refuseHeaders(response, maxHeaderBytes);
    const authority = authorityOf(request);
    if (!isAuthority(authority, request)) return refuseHost(response);
    if (!allowsHost(authority)) return misdirected(response, authority);
    if (answerOrigin(request, response, allowsOrigin)) return;
    if (handler === undefined) return fallback(request, response);
    if (handler.method.methodKind !== "bidi_streaming") limitBody(request, requestTimeoutMs);
    handle(handler, request, response).catch((error) => report(error, handler, logger));
  };
}

async function handle(handler: UniversalHandler, request: NodeServerRequest, response: NodeServerResponse) {
  const values = createContextValues().set(peerKey, peerOf(request));
  const answer = await handler(universalRequestFromNodeRequest(request, response, undefined, values));
  await universalResponseToNodeResponse(answer, response);
}

export function pathOf({ url = "" }: NodeServerRequest): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

/** The caller's to choose. */
function authorityOf(request: NodeServerRequest): string {
  return ("authority" in request ? request.authority : request.headers.host) ?? "";
}

/** Whether an absolute address can be made of it, as Connect will. */
function isAuthority(authority: string, request: NodeServerRequest): boolean {
  return /^[^\s/?#@\\]+$/.test(authority) && URL.canParse(request.url ?? "", `http://${authority}`);
}

/** HTTP/2 only advises its peers of a limit: whoever goes over it has to be refused by hand. */
function headerBytes({ rawHeaders }: NodeServerRequest): number {
  let bytes = 0;
  for (const part of rawHeaders) bytes += part.length;
  return bytes;
}

function refuseHeaders(response: NodeServerResponse, limit: number): void {
  sendJson(response, 431, { code: "resource_exhausted", message: `The headers are over ${limit} bytes` });
}

function refuseHost(response: NodeServerResponse): void {
  sendJson(response, 400, { code: "invalid_argument", message: "The Host header is missing or no host name" });
}

function misdirected(response: NodeServerResponse, authority: string): void {
  const message = `This server is not ${JSON.stringify(authority)}: call it by a name of the loopback, or set up AUTH`;
  sendJson(response, 421, { code: "permission_denied", message });
}

/** A short answer to what is no call. */
export function sendJson(
  response: NodeServerResponse,
  status: number,
  body: object,
  header: Readonly<Record<string, string>> = {},
): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries({ "content-type": "application/json", ...header })) {
    response.setHeader(name, value);
  }
  // Both kinds of response have this signature; TypeScript cannot see it through their overloads.
  (response as ServerResponse).end(JSON.stringify(body));
}

/** Ends a call whose one request does not arrive whole in time: it would hold its memory for ever. */
function limitBody(request: NodeServerRequest, timeoutMs: number): void {
  const timer = setTimeout(() => request.destroy(new Error("the request did not arrive in time")), timeoutMs);
  const stop = () => clearTimeout(timer);
  request.once("end", stop);
  request.once("close", stop);
}

function peerOf(request: NodeServerRequest): Peer {
  // An HTTP/2 request's own socket is a proxy that forbids much; the session has the real one.
  const socket = (request as Http2ServerRequest).stream?.session?.socket ?? request.socket;
  const tls = socket as Partial<TLSSocket>;
  const name = tls.authorized === true ? tls.getPeerCertificate?.().subject?.CN : undefined;
  return { address: socket.remoteAddress ?? "", certificateName: Array.isArray(name) ? name[0] : name };
}

/** A caller that went away is no news; anything else is. */
function report(error: unknown, handler: UniversalHandler, logger: Logger): void {
  const { code } = ConnectError.from(error);
  if (code === Code.Aborted || code === Code.Canceled) return;
  logger.warn({ err: error, method: `${handler.service.typeName}/${handler.method.name}` }, "call not answered");
}
