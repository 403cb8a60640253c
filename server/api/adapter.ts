import { constants, type Http2ServerRequest } from "node:http2";
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
import { canonicalAuthority } from "../lib/authority.ts";
import { type AllowsOrigin, answerOrigin } from "../lib/cors.ts";
import { quoted } from "../lib/quoted.ts";
import type { Logger } from "../observe/logger.ts";
import type { Peer } from "../security/principal.ts";
import {
  type NodeServerRequest,
  type NodeServerResponse,
  pathOf,
  plainMessage,
  type RequestListener,
  sendJson,
} from "./node-http.ts";
import { connectCors } from "./origins.ts";
import { peerKey } from "./principal.ts";
import { isAuthority, limitBody, type ProtocolServer, refuseHost } from "./protocol-server.ts";
import type { ShortPath } from "./short-path.ts";
import { boundStreams } from "./streaming-calls.ts";
import { strictJson } from "./strict-json.ts";
import { refuseUnknownMethods } from "./unknown-method.ts";

export interface AdapterOptions extends ConnectRouterOptions {
  readonly routes: (router: ConnectRouter) => void;
  /** Answers what is no call: health, unknown paths. */
  readonly fallback: (request: NodeServerRequest, response: NodeServerResponse) => void;
  /** Ingest protocols over plain HTTP. */
  readonly protocols: ProtocolServer;
  /** Answers calls of methods whose rate matters. */
  readonly shortPath: ShortPath;
  /** Called for each call of a method that there is not. */
  readonly onUnknownMethod: () => void;
  /** For the whole body of a call that has one request. */
  readonly requestTimeoutMs: number;
  /** Of one request's headers in all. */
  readonly maxHeaderBytes: number;
  /** Streams at once on one connection. */
  readonly maxStreamingCalls: number;
  /** Which Host headers are answered. */
  readonly allowsHost: (authority: string) => boolean;
  /** Pages of which origins may call. */
  readonly allowsOrigin: AllowsOrigin;
  readonly logger: Logger;
}

/**
 * Node requests to Connect's handlers. Connect's own adapter throws out of the request event on a request without a host
 * (ending the process), waits forever for a body, and writes to the console.
 */
export function createAdapter(all: AdapterOptions): RequestListener {
  const { routes, fallback, onUnknownMethod, requestTimeoutMs, maxHeaderBytes, maxStreamingCalls, ...more } = all;
  const { allowsHost, allowsOrigin, protocols, shortPath, logger, ...options } = more;
  const router = createConnectRouter({ acceptCompression: [compressionGzip, compressionBrotli], ...options });
  routes(strictJson(router));
  const cors = connectCors(allowsOrigin, protocols.methods);
  const tooManyStreams = boundStreams(maxStreamingCalls);
  const refuseUnknown = refuseUnknownMethods(
    router.handlers.map(({ requestPath }) => requestPath),
    onUnknownMethod,
  );
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  protocols.checkApart(handlers.keys());
  return (request, response) => {
    const refuse = (by: UniversalHandler) => {
      limitBody(request, requestTimeoutMs);
      request.resume(); // what is still to come of it is nobody's
      handle(by, request, response).catch((error) => report(error, by, logger));
    };
    const handler = handlers.get(pathOf(request));
    endWithAnswer(request);
    if (headerBytes(request) > maxHeaderBytes) return refuseHeaders(response, maxHeaderBytes);
    const authority = canonicalHost(request);
    if (!isAuthority(authority, request)) return refuseHost(response);
    if (!allowsHost(authority)) return misdirected(response, authority);
    if (answerOrigin(request, response, cors)) return;
    if (protocols.serve(request, response)) return;
    if (handler === undefined) {
      const unknown = refuseUnknown(request, pathOf(request));
      return unknown === undefined ? fallback(request, response) : refuse(unknown);
    }
    if (!handler.allowedMethods.includes(request.method ?? "")) return refuseVerb(response, handler);
    const type = request.headers["content-type"] ?? "";
    if (request.method === "POST" && !handler.supportedContentType(type)) return refuseType(response, handler, type);
    const tooMany = tooManyStreams(request, handler);
    if (tooMany !== undefined) return refuse(tooMany);
    if (handler.method.methodKind !== "bidi_streaming") limitBody(request, requestTimeoutMs);
    if (shortPath(request, response)) return;
    handle(handler, request, response).catch((error) => report(error, handler, logger));
  };
}

async function handle(handler: UniversalHandler, request: NodeServerRequest, response: NodeServerResponse) {
  const values = createContextValues().set(peerKey, peerOf(request));
  const answer = await handler(universalRequestFromNodeRequest(request, response, undefined, values));
  for (const headers of [answer.header, answer.trailer]) plainMessage(headers);
  await universalResponseToNodeResponse(answer, response);
}

/**
 * Tells a caller that is still sending when its answer is complete to stop (RFC 9113, 8.1). Nobody reads it any more: its stream
 * would stay open, and the connection with it when the server closes.
 */
function endWithAnswer(request: NodeServerRequest): void {
  if (!("stream" in request)) return;
  // The trailers are the last of an answer, and asked for even where there are none. Node queues them a turn of the event loop later.
  request.stream.once("wantTrailers", () => {
    if (!request.readableEnded) setImmediate(endStream, request);
  });
}

/**
 * Node sends the reset behind the frames that wait for the caller to read, the trailers among them, and destroys the stream then, once it is
 * read to its end. Destroyed here, its trailers would be dropped, and the caller would never hear how its call ended.
 */
function endStream({ stream, readableEnded }: Http2ServerRequest): void {
  if (readableEnded || stream.destroyed) return;
  stream.close(constants.NGHTTP2_NO_ERROR);
  // What has arrived, and what still comes before the caller hears of it, would keep the stream until somebody read it.
  stream.removeAllListeners("data").resume();
}

/** The caller's to choose; put into the request in the form that addresses are made of. */
function canonicalHost(request: NodeServerRequest): string {
  const isHttp2 = "authority" in request;
  const given = (isHttp2 ? request.authority : request.headers.host) ?? "";
  const { localPort } = realSocket(request);
  const authority = canonicalAuthority(given, localPort);
  if (authority !== given) request.headers[isHttp2 ? ":authority" : "host"] = authority;
  return authority;
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

function refuseVerb(response: NodeServerResponse, { allowedMethods, method }: UniversalHandler): void {
  const allow = allowedMethods.join(", ");
  sendJson(response, 405, { code: "unimplemented", message: `${method.name} is called by ${allow}` }, { allow });
}

function refuseType(response: NodeServerResponse, { method }: UniversalHandler, type: string): void {
  const wanted = method.methodKind === "unary" ? "application/json or application/proto" : "application/connect+json";
  const message = `content-type is ${quoted(type)}: send ${wanted}, or call ${method.name} by gRPC or gRPC-Web`;
  sendJson(response, 415, { code: "invalid_argument", message });
}

function misdirected(response: NodeServerResponse, authority: string): void {
  const message = `This server is not ${JSON.stringify(authority)}: call it by a name of the loopback, or set up AUTH`;
  sendJson(response, 421, { code: "permission_denied", message });
}

/** An HTTP/2 request's own socket is a proxy that forbids much; the session has the real one. */
function realSocket(request: NodeServerRequest): Http2ServerRequest["socket"] {
  return (request as Http2ServerRequest).stream?.session?.socket ?? request.socket;
}

export function peerOf(request: NodeServerRequest): Peer {
  const socket = realSocket(request);
  const tls = socket as Partial<TLSSocket>;
  const name = tls.authorized === true ? tls.getPeerCertificate?.().subject?.CN : undefined;
  return { address: socket.remoteAddress ?? "", certificateName: Array.isArray(name) ? name[0] : name };
}

/** A caller that disconnected is not worth a line; anything else is. */
function report(error: unknown, handler: UniversalHandler, logger: Logger): void {
  const { code } = ConnectError.from(error);
  if (code === Code.Aborted || code === Code.Canceled) return;
  logger.warn({ err: error, method: `${handler.service.typeName}/${handler.method.name}` }, "call not answered");
}
