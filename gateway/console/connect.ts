/**
 * Calls of the console to the services, on its own origin: `POST /telltale.v1.SERVICE/METHOD` by Connect's protocol, unary and server
 * streams, handed on as they are over HTTP/1.1. Each stream has a connection of its own, so none waits for another.
 */
import { Agent, request as call, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { send } from "../http.ts";
import { passedOn } from "../mesh/call.ts";
import { MAX_RESPONSE } from "../mesh/channel.ts";
import type { CookieCredential } from "./sessions.ts";

/** Streams and calls at once of all callers together; what comes beyond waits for a connection. */
const MAX_CONNECTIONS = 1_000;
const MAX_FREE_CONNECTIONS = 32;
/** Headers of Connect's protocol. */
const PROTOCOL = [
  ...["content-type", "content-encoding", "content-length", "accept-encoding"],
  ...["connect-protocol-version", "connect-timeout-ms", "connect-content-encoding", "connect-accept-encoding"],
];
/** What an answer's connection to us says of itself, and not to the browser. */
const HOP = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade"]);
const CONTENT = /^application\/(?:connect\+)?(?:json|proto)(?:;|$)/;

export const CONNECT_PREFIX = "/telltale.v1.";
export const CONNECT_ROUTE = "/{service}/{method}";

export interface ForwarderOptions {
  readonly grpcUrl: string;
  /** Aborts when the gateway is about to stop: streams end then, and browsers come again. */
  readonly ending: AbortSignal;
}

export class Forwarder {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: MAX_FREE_CONNECTIONS });
  readonly #target: URL;
  readonly #ending: AbortSignal;

  constructor({ grpcUrl, ending }: ForwarderOptions) {
    this.#target = new URL(grpcUrl);
    this.#ending = ending;
  }

  /** Resolves when the answer is sent, or nobody waits for it any more. */
  async forward(request: IncomingMessage, response: ServerResponse, session?: CookieCredential): Promise<void> {
    const type = request.headers["content-type"] ?? "";
    if (!CONTENT.test(type)) {
      request.resume();
      return refuse(
        response,
        415,
        "invalid_argument",
        "Call it by Connect's protocol here; gRPC has a port of its own",
      );
    }
    if (session?.renewed !== undefined) response.setHeader("set-cookie", session.renewed);
    await this.#hand(request, response, session);
  }

  close(): void {
    this.#agent.destroy();
  }

  #hand(request: IncomingMessage, response: ServerResponse, session?: CookieCredential): Promise<void> {
    const headers = headersOf(request, session?.authorization);
    const { hostname, port } = this.#target;
    const path = request.url!.split("?")[0]!;
    return new Promise((resolve) => {
      const upstream = call({
        agent: this.#agent,
        host: hostname.replace(/^\[|\]$/g, ""),
        port: port || 80,
        method: "POST",
        path,
        headers,
      });
      const cut = () => upstream.destroy();
      const timer = session && setTimeout(cut, Math.max(0, session.endsMs - Date.now())).unref();
      this.#ending.addEventListener("abort", cut, { once: true });
      response.once("close", () => {
        cut();
        clearTimeout(timer);
        this.#ending.removeEventListener("abort", cut);
        resolve();
      });
      upstream.once("response", (answer) => {
        response.writeHead(answer.statusCode ?? 502, answerHeaders(answer));
        // The head of a stream tells the browser that it is in place; its first message may be long in coming.
        response.flushHeaders();
        pipeline(answer, response, () => {});
      });
      upstream.on("error", () => {
        if (response.headersSent) response.destroy();
        else if (!response.destroyed)
          void refuse(response, 503, "unavailable", "The platform's services do not answer; try again");
      });
      pipeline(request, upstream, () => {});
    });
  }
}

/** A refusal as Connect's clients read it. */
export function refuse(response: ServerResponse, status: number, code: string, message: string): Promise<void> {
  return send(response, { status, body: { code, message } });
}

function headersOf({ headers }: IncomingMessage, authorization: string | undefined): OutgoingHttpHeaders {
  const given: Record<string, string | undefined> = { ...(headers as Record<string, string | undefined>) };
  if (authorization !== undefined) given.authorization = authorization;
  const protocol = PROTOCOL.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]] as const]));
  return Object.fromEntries([...protocol, ...passedOn(given), MAX_RESPONSE]);
}

function answerHeaders({ headers }: IncomingMessage): OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !HOP.has(name) && !name.startsWith("access-control-")),
  );
}
