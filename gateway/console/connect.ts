/**
 * Calls of the console to the services, on its own origin: `POST /telltale.v1.SERVICE/METHOD` by Connect's protocol, unary and server
 * streams, handed on as they are over HTTP/1.1. Each stream has a connection of its own, so none waits for another.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { SESSION_HEADER } from "../../formats/console-page.ts";
import { endToEnd, handOn, type NoAnswer, type Upstream, upstreamAt } from "../hand-on.ts";
import { send } from "../http.ts";
import { passedOn } from "../mesh/call.ts";
import { MAX_RESPONSE } from "../mesh/channel.ts";
import type { CookieCredential } from "./sessions.ts";

/** Streams and calls at once of all callers together; what comes beyond waits for a connection. */
const MAX_CONNECTIONS = 1_000;
const MAX_FREE_CONNECTIONS = 32;
const TIMEOUT = "connect-timeout-ms";
/** Headers of Connect's protocol. */
const PROTOCOL = [
  ...["content-type", "content-encoding", "content-length", "accept-encoding"],
  ...["connect-protocol-version", TIMEOUT, "connect-content-encoding", "connect-accept-encoding"],
];
/** Of a unary call whose caller gives none: as long as the services wait for readings to settle. */
const DEADLINE_MS = 30_000;
/** For the services to say themselves that a deadline has passed. */
const GRACE_MS = 5_000;
/** More than 24 days are no time that a timer can be set to. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const CONTENT = /^application\/(connect\+)?(?:json|proto)(?:;|$)/;

export const CONNECT_PREFIX = "/telltale.v1.";
export const CONNECT_ROUTE = "/{service}/{method}";

export interface ForwarderOptions {
  readonly grpcUrl: string;
  /** Aborts when the gateway is about to stop: streams end then, and browsers come again. */
  readonly ending: AbortSignal;
}

export class Forwarder {
  readonly #upstream: Upstream;
  readonly #ending: AbortSignal;

  constructor({ grpcUrl, ending }: ForwarderOptions) {
    this.#upstream = upstreamAt(grpcUrl, { maxSockets: MAX_CONNECTIONS, maxFreeSockets: MAX_FREE_CONNECTIONS });
    this.#ending = ending;
  }

  /** Resolves when the answer is sent, or nobody waits for it any more. */
  async forward(request: IncomingMessage, response: ServerResponse, session?: CookieCredential): Promise<void> {
    const [whole, stream] = CONTENT.exec(request.headers["content-type"] ?? "") ?? [];
    if (whole === undefined) {
      request.resume();
      return refuse(
        response,
        415,
        "invalid_argument",
        "Call it by Connect's protocol here; gRPC has a port of its own",
      );
    }
    if (session?.renewed !== undefined) response.setHeader("set-cookie", session.renewed);
    if (session !== undefined) response.setHeader(SESSION_HEADER, session.id);
    const headers = headersOf(request, session?.authorization);
    const isStream = stream !== undefined;
    if (!isStream) headers[TIMEOUT] ??= String(DEADLINE_MS);
    await handOn(request, response, {
      ...{ upstream: this.#upstream, path: request.url!.split("?")[0]!, headers, answerHeaders },
      answerTimeoutMs: isStream ? undefined : answerTimeoutOf(headers[TIMEOUT]),
      // Calls of one answer are let go on: they are over soon.
      signal: isStream ? this.#endOf(session) : undefined,
      refuse: (why) => refuse(response, ...NO_ANSWER[why]),
    });
  }

  close(): void {
    this.#upstream.agent.destroy();
  }

  /** A stream ends with the gateway, and with the session that it came by. */
  #endOf(session: CookieCredential | undefined): AbortSignal {
    if (session === undefined) return this.#ending;
    return AbortSignal.any([this.#ending, AbortSignal.timeout(Math.max(0, session.endsMs - Date.now()))]);
  }
}

const NO_ANSWER: Readonly<Record<NoAnswer, readonly [status: number, code: string, message: string]>> = {
  gone: [503, "unavailable", "The platform's services do not answer; try again"],
  late: [504, "deadline_exceeded", "The platform's services did not answer in time"],
};

function answerTimeoutOf(timeout: OutgoingHttpHeaders[string]): number {
  const ms = Number(timeout);
  return Math.min(Number.isFinite(ms) ? Math.max(0, ms) + GRACE_MS : DEADLINE_MS, MAX_TIMER_MS);
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

function answerHeaders(headers: IncomingMessage["headers"]): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(endToEnd(headers)).filter(([name]) => !name.startsWith("access-control-")));
}
