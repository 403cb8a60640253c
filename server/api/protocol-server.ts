/** Ingest protocols, and what reads over plain HTTP, by their paths: for the listener of the contract's calls and for another one of this process. */
import { Code, ConnectError } from "@connectrpc/connect";
import { allowLong } from "../lib/long-requests.ts";
import type { Logger } from "../observe/logger.ts";
import { type NodeServerRequest, type NodeServerResponse, pathOf, sendJson } from "./node-http.ts";
import type { ProtocolRoutes } from "./protocol-routes.ts";
import type { ReadRoutes } from "./read-routes.ts";

/** Answers a request whose path is a protocol's or one to read by; false where it is none's. */
export type ServeProtocol = (request: NodeServerRequest, response: NodeServerResponse) => boolean;

export interface ProtocolServer extends Pick<ProtocolRoutes, "methods" | "checkApart"> {
  readonly serve: ServeProtocol;
}

/** @param requestTimeoutMs for the whole body of those that are read whole */
export function protocolServer(
  routes: ProtocolRoutes | undefined,
  reads: ReadRoutes | undefined,
  requestTimeoutMs: number,
  logger: Logger,
): ProtocolServer {
  const serve: ServeProtocol = (request, response) => {
    const path = pathOf(request);
    const route = routes?.of(path) ?? reads?.of(path);
    if (route === undefined) return false;
    const authority = request.headers[":authority"] ?? request.headers.host ?? "";
    if (!isAuthority(String(authority), request)) {
      refuseHost(response);
      return true;
    }
    if (routes?.isStreamed(path)) allowLong(request);
    else limitBody(request, requestTimeoutMs);
    route(request, response).catch((error: unknown) => logger.warn({ err: error, path }, "request not answered"));
    return true;
  };
  const methods = [...(routes?.methods ?? []), ...(reads?.methods ?? [])];
  return { methods: [...new Set(methods)], checkApart: routes?.checkApart ?? (() => {}), serve };
}

/** Whether an absolute address can be made of it, as Connect will. */
export function isAuthority(authority: string, request: NodeServerRequest): boolean {
  return /^[^\s/?#@\\]+$/.test(authority) && URL.canParse(request.url ?? "", `http://${authority}`);
}

export function refuseHost(response: NodeServerResponse): void {
  sendJson(response, 400, { code: "invalid_argument", message: "The Host header is missing or no host name" });
}

/** Ends a call whose one request does not arrive whole in time: it would hold its memory forever. */
export function limitBody(request: NodeServerRequest, timeoutMs: number): void {
  const timer = setTimeout(() => {
    request.destroy(new ConnectError("The request did not arrive in time", Code.DeadlineExceeded));
  }, timeoutMs);
  const stop = () => clearTimeout(timer);
  request.once("end", stop);
  request.once("close", stop);
  // Where nobody reads the body, nobody listens for its error either, and an unheard one ends the process.
  request.on("error", stop);
}
