/**
 * gRPC calls of a few methods whose rate matters, without Connect's generic path: the frame is taken apart and put together here,
 * and the call goes through the same gate, interceptors and service as any other. What is not plain gRPC over HTTP/2 with a known
 * compression is left to Connect.
 */
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { promisify } from "node:util";
import { gunzip, gzip, type ZlibOptions } from "node:zlib";
import { type DescMethodUnary, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { parseTimeout, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import type { Logger } from "../observe/logger.ts";
import type { Peer } from "../security/principal.ts";
import { callerSignal } from "./call-signal.ts";
import { toConnectError } from "./errors.ts";
import type { InProcessCall } from "./in-process.ts";
import {
  bodyOf,
  headersOf,
  type NodeServerRequest,
  type NodeServerResponse,
  pathOf,
  plainMessage,
} from "./node-http.ts";

export interface ShortPathOptions {
  readonly methods: readonly DescMethodUnary[];
  readonly call: InProcessCall;
  /** Of one message, also after decompression. */
  readonly readMaxBytes: number;
  readonly peerOf: (request: NodeServerRequest) => Peer;
  /** Aborts when calls under way are to be cut off. */
  readonly cut: AbortSignal;
  readonly logger: Logger;
}

/** Answers a call; false where it is left to Connect. */
export type ShortPath = (request: NodeServerRequest, response: NodeServerResponse) => boolean;

const GRPC = new Set(["application/grpc", "application/grpc+proto"]);
/** A frame begins with whether it is compressed, and its length. */
const PREFIX_BYTES = 5;
/** Shorter responses are not worth compressing; as Connect does it. */
const COMPRESS_FROM_BYTES = 1024;
/** Connect bounds no deadline either. */
const MAX_TIMEOUT_MS = Number.MAX_SAFE_INTEGER;

export function createShortPath(o: ShortPathOptions): ShortPath {
  const methods = new Map(o.methods.map((method) => [`/${method.parent.typeName}/${method.name}`, method]));
  return (request, response) => {
    const method = methods.get(pathOf(request));
    if (method === undefined || request.httpVersionMajor !== 2) return false;
    const { "content-type": type = "", "grpc-encoding": encoding = "identity" } = request.headers;
    if (!GRPC.has(type) || (encoding !== "identity" && encoding !== "gzip")) return false;
    answer(request as Http2ServerRequest, response as Http2ServerResponse, method, o).catch((error: unknown) => {
      o.logger.warn({ err: error, method: nameOf(method) }, "call not answered");
      // Whoever waits for it learns so now, not by the deadline.
      (response as Http2ServerResponse).stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    });
    return true;
  };
}

async function answer(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  method: DescMethodUnary,
  o: ShortPathOptions,
): Promise<void> {
  const headers = headersOf(request);
  const { signal, leave } = callerSignal(response, o.cut);
  let frame: Frame | undefined;
  let failure: ConnectError | undefined;
  try {
    const timeout = parseTimeout(headers.get("grpc-timeout"), MAX_TIMEOUT_MS);
    if (timeout.error !== undefined) throw timeout.error;
    const from = { peer: o.peerOf(request), url: `http://${request.authority}${request.url}` };
    const read = () => messageOf(request, method, o.readMaxBytes, signal);
    const message = await o.call(method, read, { headers, signal, timeoutMs: timeout.timeoutMs, from });
    frame = await encoded(message, method, headers, o.logger);
  } catch (error) {
    failure = toConnectError(error);
  } finally {
    leave();
  }
  send(request, response, { frame, failure });
}

function nameOf({ parent, name }: DescMethodUnary): string {
  return `${parent.typeName}/${name}`;
}

/** The interceptors have seen the call end well: what fails now is logged by nobody else. */
async function encoded(message: Message, method: DescMethodUnary, headers: Headers, logger: Logger): Promise<Frame> {
  try {
    return await frameOf(toBinary(method.output, message), headers);
  } catch (error) {
    logger.error({ err: error, method: nameOf(method) }, "answer not encoded");
    throw error;
  }
}

interface Frame {
  readonly bytes: Buffer;
  readonly encoding: Readonly<Record<string, string>>;
}

function send(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  { frame, failure }: { readonly frame: Frame | undefined; readonly failure: ConnectError | undefined },
): void {
  if (response.destroyed || response.stream.destroyed) return;
  const trailers = new Headers();
  plainMessage(trailers);
  if (failure === undefined) trailers.set("grpc-status", "0");
  else setTrailerStatus(trailers, failure);
  response.writeHead(200, { "content-type": "application/grpc+proto", ...frame?.encoding });
  response.addTrailers(Object.fromEntries(trailers));
  // What is still to come of the request is nobody's.
  request.resume();
  if (frame === undefined) response.end();
  else response.end(frame.bytes);
}

const zip = promisify<Uint8Array, Buffer>(gzip);
const unzip = promisify<Uint8Array, ZlibOptions, Buffer>(gunzip);

async function frameOf(message: Uint8Array, headers: Headers): Promise<Frame> {
  const accepted = headers.get("grpc-accept-encoding") ?? "";
  const compresses = message.length >= COMPRESS_FROM_BYTES && /\bgzip\b/.test(accepted);
  const body = compresses ? await zip(message) : message;
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + body.length);
  bytes.writeUInt8(compresses ? 1 : 0, 0);
  bytes.writeUInt32BE(body.length, 1);
  bytes.set(body, PREFIX_BYTES);
  return { bytes, encoding: compresses ? { "grpc-encoding": "gzip" } : {} };
}

/** The one message of the request. @throws ConnectError for what is none, or too large */
async function messageOf(
  request: Http2ServerRequest,
  method: DescMethodUnary,
  limit: number,
  signal: AbortSignal,
): Promise<Message> {
  const bounds = { limit: PREFIX_BYTES + limit, tooLarge: () => tooLarge(limit), signal, announced };
  const body = await bodyOf(request, bounds);
  checkFrame(body);
  const flags = body[0]!;
  const message = body.subarray(PREFIX_BYTES);
  const bytes = flags === 1 ? await decompressed(request, message, limit) : message;
  try {
    return fromBinary(method.input, bytes) as Message;
  } catch (error) {
    throw unreadable(`The request is no message of its type: ${(error as Error).message}`);
  }
}

/** @throws ConnectError, with the codes of Connect's generic path, where the body is not one message */
function checkFrame(body: Buffer): void {
  if (body.length === 0) throw new ConnectError("the request has no message", Code.Unimplemented);
  const rest = body.subarray(announced(body) ?? PREFIX_BYTES);
  if (!isWhole(body) || (rest.length > 0 && !isWhole(rest))) {
    throw unreadable("the request ended before its message did");
  }
  if (rest.length > 0) throw new ConnectError("the request has more than one message", Code.Unimplemented);
  if (body[0]! > 1) throw new ConnectError(`the message's frame has the flags ${body[0]}`, Code.Internal);
}

function isWhole(frame: Buffer): boolean {
  return frame.length >= (announced(frame) ?? PREFIX_BYTES);
}

/** Nobody waits for gigabytes to refuse them. */
function announced(head: Buffer): number | undefined {
  return head.length < PREFIX_BYTES ? undefined : PREFIX_BYTES + head.readUInt32BE(1);
}

async function decompressed(request: Http2ServerRequest, message: Buffer, limit: number): Promise<Buffer> {
  if (request.headers["grpc-encoding"] !== "gzip")
    // The code that gRPC's compression document asks for.
    throw new ConnectError("the message is compressed, but grpc-encoding names no compression", Code.Internal);
  try {
    return await unzip(message, { maxOutputLength: limit });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(limit);
    throw unreadable(`the message is not gzip: ${(error as Error).message}`);
  }
}

function unreadable(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}

function tooLarge(limit: number): ConnectError {
  return new ConnectError(`message is larger than configured readMaxBytes ${limit}`, Code.ResourceExhausted);
}
