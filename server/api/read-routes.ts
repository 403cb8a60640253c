/** Serves what reads over plain HTTP on the listener of the contract's calls, under the same limits. */
import { Code } from "@connectrpc/connect";
import { TelltaleError } from "../errors.ts";
import { HttpRefusal, type ProtocolFailure, type ProtocolResponse } from "../ingest/protocol.ts";
import { FairQueue } from "../lib/fair-queue.ts";
import { MemoryBudget } from "../lib/memory-budget.ts";
import { orAbort } from "../lib/signals.ts";
import type { Logger } from "../observe/logger.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { SampledLines } from "../observe/sampled.ts";
import type { Peer, Principal } from "../security/principal.ts";
import type { Quota } from "../security/quota.ts";
import type { Access } from "./access.ts";
import { callerSignal, callSignal } from "./call-signal.ts";
import { toConnectError } from "./errors.ts";
import { statusName } from "./interceptors/tracing.ts";
import { bodyOf, type NodeServerRequest, type NodeServerResponse, pathOf, send } from "./node-http.ts";
import { type Admitted, admit, answerFailure } from "./plain-calls.ts";

/** What a caller must be allowed. */
const ACTION = "telltale.v1.QueryService/ListReadings";
/** Of the parameters in a body. */
const MAX_BODY_BYTES = 1024 * 1024;
/** Of the bodies of all requests at once, also those that wait for their turn. */
const MEMORY_BYTES = 64 * MAX_BODY_BYTES;
/** Answers that are made at once: each may have some millions of samples in memory. */
const AT_ONCE = 2;
const MAX_WAITING = 50;
const EXPECTED_MS = 20;
const RETRY_MS = 1_000;

export type ReadResponse = ProtocolResponse;

export interface ReadRequest {
  readonly headers: Headers;
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
  readonly principal: Principal;
  /** Aborts when the caller is gone or the listener gives up waiting. */
  readonly signal: AbortSignal;
}

export interface ReadApi {
  /** For metrics and log lines. */
  readonly name: string;
  /** With parameters in braces. */
  readonly paths: readonly { readonly path: string; readonly method: string }[];
  readonly answer: (path: string, request: ReadRequest) => Promise<ReadResponse>;
  readonly refuse: (failure: Pick<ProtocolFailure, "status" | "message">) => ReadResponse;
}

export interface ReadOptions {
  readonly apis: readonly ReadApi[];
  readonly access: Access;
  readonly quota: Quota | undefined;
  /** That bodies may take together. */
  readonly memoryBytes?: number;
}

export interface ReadRoutesOptions extends ReadOptions {
  readonly answerTimeoutMs: number;
  readonly peerOf: (request: NodeServerRequest) => Peer;
  readonly metrics: Pick<Metrics, "rpcs" | "rpcSeconds">;
  readonly logger: Logger;
  readonly lines: SampledLines;
  /** Aborts when requests under way are to be cut off. */
  readonly cut: AbortSignal;
}

export interface ReadRoutes {
  /** The route of a path; undefined where there is none. */
  readonly of: (
    path: string,
  ) => ((request: NodeServerRequest, response: NodeServerResponse) => Promise<void>) | undefined;
  readonly methods: readonly string[];
}

interface Place {
  readonly pattern: RegExp;
  /** With parameters in braces: a label with few values. */
  readonly path: string;
  readonly methods: readonly string[];
  readonly api: ReadApi;
}

/** What all requests share. */
interface Shared {
  readonly queue: FairQueue;
  readonly memory: MemoryBudget;
}

export function createReadRoutes(o: ReadRoutesOptions): ReadRoutes {
  const places = o.apis.flatMap(placesOf);
  const memory = new MemoryBudget(o.memoryBytes ?? MEMORY_BYTES, () => {
    const message = "the bodies of queries under way take all the memory that there is for them: ask again later";
    return new HttpRefusal(503, "exhausted", message, { retryAfterMs: RETRY_MS });
  });
  const queue = new FairQueue({
    ...{ atOnce: AT_ONCE, maxWaiting: MAX_WAITING, nowMs: () => performance.now() },
    refusal: (waiting) =>
      new TelltaleError("exhausted", `${waiting} of your queries wait already: ask for less at once`, {
        retryAfterMs: RETRY_MS,
      }),
  });
  return {
    methods: ["GET", "POST"],
    of: (path) => {
      const place = places.find(({ pattern }) => pattern.test(path));
      return place && ((request, response) => serve(place, request, response, { queue, memory }, o));
    },
  };
}

function placesOf(api: ReadApi): Place[] {
  return [...Map.groupBy(api.paths, ({ path }) => path)].map(([path, all]) => ({
    ...{ path, api, methods: all.map(({ method }) => method) },
    pattern: new RegExp(`^${path.replace(/\{[^}]*\}/g, "[^/]+")}$`),
  }));
}

async function serve(
  { api, path, methods }: Place,
  request: NodeServerRequest,
  response: NodeServerResponse,
  { queue, memory }: Shared,
  o: ReadRoutesOptions,
): Promise<void> {
  const label = `${request.method} ${path}`;
  const count = (code?: Code) => o.metrics.rpcs.inc({ method: label, code: statusName(code), kind: "unary" });
  if (!methods.includes(request.method ?? "")) {
    o.metrics.rpcs.inc({ method: `(other) ${path}`, code: "UNIMPLEMENTED", kind: "unary" });
    const answer = api.refuse({ status: 405, message: `${path} takes ${methods.join(" and ")}` });
    return send(response, { ...answer, headers: { ...answer.headers, allow: methods.join(", ") } });
  }
  const started = performance.now();
  const { signal, leave } = callerSignal(response, o.cut);
  const { hold, release } = memory.open();
  try {
    const admitted = await orAbort(admit(request, { action: ACTION }, o), signal);
    const body = await bodyOf(request, { limit: MAX_BODY_BYTES, tooLarge, signal, onBytes: hold });
    const answer = await answerOf(api, { path: pathOf(request), admitted, body, caller: signal }, queue, o);
    send(response, answer);
    o.metrics.rpcSeconds.observe({ method: label }, (performance.now() - started) / 1_000);
    count(answer.status < 400 ? undefined : Code.InvalidArgument);
  } catch (error) {
    const cause = signal.aborted ? signal.reason : error;
    const failure = toConnectError(cause);
    count(failure.code);
    const refuse = ({ status, code, message }: ProtocolFailure) => api.refuse({ status, message: message || code });
    answerFailure(request, response, { error: cause, failure, method: label, refuse }, o);
    request.resume();
  } finally {
    release();
    leave();
  }
}

function tooLarge(): HttpRefusal {
  return new HttpRefusal(413, "exhausted", `the body is over ${MAX_BODY_BYTES} bytes: ask for less`);
}

interface Asked {
  readonly path: string;
  readonly admitted: Admitted;
  readonly body: Uint8Array;
  /** Aborts when the caller is gone. */
  readonly caller: AbortSignal;
}

async function answerOf(
  api: ReadApi,
  { path, admitted, body, caller }: Asked,
  queue: FairQueue,
  o: ReadRoutesOptions,
): Promise<ReadResponse> {
  const { headers, url, principal } = admitted;
  const { signal, leave } = callSignal(caller, o.answerTimeoutMs);
  try {
    const input = { headers, query: url.searchParams, body, principal, signal };
    // Who leaves is let go at once; the next one's turn comes when the work has ended, which looks at the signal as it goes.
    const work = queue.run(admitted.caller, EXPECTED_MS, signal, () => api.answer(path, input));
    return await orAbort(work, signal);
  } finally {
    leave();
  }
}
