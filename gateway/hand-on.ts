/** Hands requests on to the services' listener as they come, body and answer in a stream. */
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request as open, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { readOff } from "../server/lib/long-requests.ts";
import { onAbort } from "../server/lib/signals.ts";

/** Of one connection, which ends with it (RFC 9110, 7.6.1), and the name of this server. */
const OF_THIS_CONNECTION = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"],
  ...["transfer-encoding", "upgrade", "host", "expect"],
]);

/** The services' listener, and the connections to it. */
export interface Upstream {
  readonly agent: Agent;
  readonly hostname: string;
  readonly port: string | number;
}

/** @param url such as "http://127.0.0.1:50051" */
export function upstreamAt(
  url: string,
  limits: { readonly maxSockets?: number; readonly maxFreeSockets: number },
): Upstream {
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, ...limits });
  return { agent, hostname: hostname.replace(/^\[|\]$/g, ""), port: port || 80 };
}

/** Why there is no answer: the services cannot be reached or broke the connection off, or they took too long. */
export type NoAnswer = "gone" | "late";

export interface HandOnOptions {
  readonly upstream: Upstream;
  /** Without the query where the services do not take one. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  /** For the head of the answer, from the end of the body on; absent: as long as it takes. */
  readonly answerTimeoutMs?: number | undefined;
  /** Ends the request, also in the middle of its answer. */
  readonly signal?: AbortSignal | undefined;
  readonly answerHeaders: (headers: IncomingMessage["headers"]) => OutgoingHttpHeaders;
  /** Answers for the services, in the form that the caller expects. */
  readonly refuse: (why: NoAnswer) => Promise<void>;
}

/** Resolves when the answer is sent, or nobody waits for it any more. */
export function handOn(request: IncomingMessage, response: ServerResponse, o: HandOnOptions): Promise<void> {
  const { agent, hostname, port } = o.upstream;
  const { path, headers } = o;
  const upstream = open({ agent, hostname, port, method: request.method, path, headers });
  let why: NoAnswer = "gone";
  let timer: NodeJS.Timeout | undefined;
  const cut = () => upstream.destroy(new Error("the request is over"));
  const cutLate = () => {
    why = "late";
    cut();
  };
  // Not destroyed with the request to the services: that would close the connection under the answer.
  const dropBody = () => {
    request.unpipe(upstream);
    readOff(request);
  };
  const waitForAnswer = () => {
    if (o.answerTimeoutMs !== undefined) timer = setTimeout(cutLate, o.answerTimeoutMs);
  };
  upstream.once("response", (answer) => {
    clearTimeout(timer);
    request.off("end", waitForAnswer);
    // Whoever answers before the body is whole has no use for the rest of it.
    if (!request.complete) dropBody();
    response.writeHead(answer.statusCode ?? 502, o.answerHeaders(answer.headers));
    // The head of a stream tells the caller that it is in place; its first message may be long in coming.
    response.flushHeaders();
    // An answer that breaks off ends the connection: it must not look whole.
    pipeline(answer, response, () => {});
  });
  // Also after the answer: of a body that nobody takes any more.
  upstream.on("error", () => {
    clearTimeout(timer);
    dropBody();
    if (!response.headersSent && !response.destroyed) void o.refuse(why).catch(() => response.destroy());
  });
  request.once("error", cut);
  request.once("end", waitForAnswer);
  request.pipe(upstream);
  const offSignal = o.signal === undefined ? undefined : onAbort(o.signal, cut);
  return new Promise((resolve) => {
    response.once("close", () => {
      clearTimeout(timer);
      offSignal?.();
      request.off("error", cut);
      if (!response.writableFinished) cut();
      resolve();
    });
  });
}

type Headers = IncomingMessage["headers"];

/** What is not of one connection alone. */
export function endToEnd(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_THIS_CONNECTION.has(name)));
}

/** A body without a length goes on in chunks. */
export function framing({ headers }: IncomingMessage): Headers {
  return headers["content-length"] === undefined ? { "transfer-encoding": "chunked" } : {};
}
