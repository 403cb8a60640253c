/** Serves ingest protocols over plain HTTP on the listener of the contract's calls, under the same limits. */
import { Code } from "@connectrpc/connect";
import { TelltaleError } from "../errors.ts";
import type { Batch } from "../ingest/accept.ts";
import type { Ingestor, Submission } from "../ingest/ingestor.ts";
import {
  type HttpProtocol,
  HttpRefusal,
  type IngestProtocol,
  type Probe,
  type ProtocolFailure,
  type ProtocolResponse,
  type Skip,
  type StreamedProtocol,
} from "../ingest/protocol.ts";
import { readOff } from "../lib/long-requests.ts";
import type { MemoryBudget, MemoryShare } from "../lib/memory-budget.ts";
import { ignoreRejection, orAbort } from "../lib/signals.ts";
import type { Logger } from "../observe/logger.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { SampledLines } from "../observe/sampled.ts";
import { checkProducer, type Peer } from "../security/principal.ts";
import type { Quota, SensorsOverLimit } from "../security/quota.ts";
import type { Access } from "./access.ts";
import { callerSignal, callSignal } from "./call-signal.ts";
import { encodingOf } from "./encodings.ts";
import { toConnectError } from "./errors.ts";
import { statusName } from "./interceptors/tracing.ts";
import { bodyOf, headersOf, type NodeServerRequest, type NodeServerResponse, send, sendJson } from "./node-http.ts";
import { PLAIN_PATHS } from "./plain.ts";
import { type Admitted, admit, answerFailure } from "./plain-calls.ts";
import { answerStreamed, type StreamBounds, Streams } from "./protocol-streams.ts";

/** What a caller must be allowed, whichever protocol its readings come by. */
const ACTION = "telltale.v1.IngestService/SubmitReadings";

export interface ProtocolOptions {
  readonly protocols: readonly HttpProtocol[];
  readonly ingestor: Pick<Ingestor, "submit" | "checkRoom" | "room">;
  readonly access: Access;
  readonly quota: Quota | undefined;
  /** For the bodies of requests under way, and the readings in them. */
  readonly memory: MemoryBudget;
  /** Runs when readings of a request are stored, before `settled` of their submission resolves. */
  readonly onStored: () => Promise<void>;
}

export interface ProtocolRoutesOptions extends ProtocolOptions {
  /** Of a body, also after decompression. */
  readonly maxBodyBytes: number;
  /** For the answer, from the whole body on. */
  readonly answerTimeoutMs: number;
  readonly peerOf: (request: NodeServerRequest) => Peer;
  readonly metrics: Pick<Metrics, "rpcs" | "rpcSeconds" | "protocolSkipped">;
  readonly logger: Logger;
  readonly lines: SampledLines;
  /** Aborts when requests under way are to be cut off. */
  readonly cut: AbortSignal;
  /** Of bodies that are stored while they are read. */
  readonly streams: StreamBounds;
}

/** Answers a request whose path is a protocol's. */
export type ProtocolRoute = (request: NodeServerRequest, response: NodeServerResponse) => Promise<void>;

export interface ProtocolRoutes {
  /** The route of a path; undefined where no protocol has it. */
  readonly of: (path: string) => ProtocolRoute | undefined;
  /** Whether its bodies take as long as they take. */
  readonly isStreamed: (path: string) => boolean;
  /** Of HTTP, that protocols take. */
  readonly methods: readonly string[];
  /** @throws Error where one of these paths is a protocol's too: it would never be served by both */
  readonly checkApart: (paths: Iterable<string>) => void;
}

/** @throws Error where two protocols have one path, or one has a path of the listener's own, or none */
export function createProtocolRoutes(o: ProtocolRoutesOptions): ProtocolRoutes {
  const routes = new Map<string, ProtocolRoute>();
  const streamed = new Set<string>();
  const streams = new Streams(o.streams.maxStreamedBodies);
  for (const protocol of o.protocols) {
    const { name, path } = protocol;
    if (!/^\/[^?#\s]*$/.test(path))
      throw new Error(`The path of ${name} is ${JSON.stringify(path)}: begin it with "/"`);
    if (routes.has(path)) throw new Error(`${name} has the path ${path}, which another ingest protocol has already`);
    routes.set(path, "probe" in protocol ? probeRoute(protocol, o) : routeOf(protocol, o, streams));
    if ("handleStream" in protocol) streamed.add(path);
  }
  const checkApart = (paths: Iterable<string>) => {
    for (const path of paths) {
      if (routes.has(path)) throw new Error(`An ingest protocol has the path ${path}, which is the listener's own`);
    }
  };
  checkApart(PLAIN_PATHS);
  const isStreamed = (path: string) => streamed.has(path);
  return { of: (path) => routes.get(path), isStreamed, methods: o.protocols.map(({ method }) => method), checkApart };
}

/** Its answer is the same for all: nobody is asked who they are. */
function probeRoute(probe: Probe, o: ProtocolRoutesOptions): ProtocolRoute {
  const method = `${probe.method} ${probe.path}`;
  return async (request, response) => {
    const isProbe = request.method === "GET" || request.method === "HEAD";
    o.metrics.rpcs.inc({ method, code: statusName(isProbe ? undefined : Code.Unimplemented), kind: "unary" });
    if (isProbe) send(response, probe.probe);
    else refuseMethod(response, probe);
    request.resume();
  };
}

function routeOf(protocol: Exclude<HttpProtocol, Probe>, o: ProtocolRoutesOptions, streams: Streams): ProtocolRoute {
  const label = `${protocol.method} ${protocol.path}`;
  const isStreamed = "handleStream" in protocol;
  const kind = isStreamed ? "stream" : "unary";
  const count = (code?: Code) => o.metrics.rpcs.inc({ method: label, code: statusName(code), kind });
  return async (request, response) => {
    if (request.method !== protocol.method) {
      count(Code.Unimplemented);
      refuseMethod(response, protocol);
      if (isStreamed) readOff(request);
      return;
    }
    const started = performance.now();
    const { signal, leave } = callerSignal(response, isStreamed ? o.streams.ending : o.cut);
    const memory = o.memory.open();
    try {
      const answer = isStreamed
        ? await streamed(protocol, request, signal, o, streams)
        : await answerOf(protocol, request, { signal, memory }, o);
      send(response, answer);
      if (!isStreamed) o.metrics.rpcSeconds.observe({ method: label }, (performance.now() - started) / 1_000);
      count(answer.status < 400 ? undefined : Code.InvalidArgument);
    } catch (error) {
      // Whatever a protocol throws once it was interrupted, why it was is what counts.
      const cause = signal.aborted ? signal.reason : error;
      const failure = toConnectError(cause);
      count(failure.code);
      const refuse = (told: ProtocolFailure) => (protocol.refuse ?? refused)(told, headersOf(request));
      answerFailure(request, response, { error: cause, failure, method: label, refuse }, o);
      // What is still to come of the request is nobody's; of a streamed one it may be without end.
      if (!isStreamed) request.resume();
    } finally {
      memory.release();
      leave();
      if (isStreamed) readOff(request);
    }
  };
}

async function streamed(
  protocol: StreamedProtocol,
  request: NodeServerRequest,
  caller: AbortSignal,
  o: ProtocolRoutesOptions,
  streams: Streams,
): Promise<ProtocolResponse> {
  const admitted = await orAbort(admit(request, { action: ACTION, credential: protocol.credential }, o), caller);
  const { headers, url, principal } = admitted;
  const leave = streams.enter(admitted.caller);
  try {
    // Among the caller's streams of the contract, which are as long.
    const leaveQuota = await o.quota?.enter(admitted.caller);
    try {
      const skip = skipping(protocol.name, o);
      const asked = { headers, query: url.searchParams, principal, who: admitted.caller, skip };
      const handOver = (batch: Partial<Batch>) => handedOver({ ...EMPTY_BATCH, ...batch }, admitted, o);
      return await answerStreamed(protocol, request, { asked, caller, handOver }, o);
    } finally {
      leaveQuota?.();
    }
  } finally {
    leave();
  }
}

async function answerOf(
  protocol: IngestProtocol,
  request: NodeServerRequest,
  { signal: caller, memory }: { readonly signal: AbortSignal; readonly memory: MemoryShare },
  o: ProtocolRoutesOptions,
): Promise<ProtocolResponse> {
  const { hold } = memory;
  const admitted = await orAbort(admit(request, { action: ACTION, credential: protocol.credential }, o), caller);
  protocol.checkHeaders?.(admitted.headers);
  const limit = o.maxBodyBytes;
  const whole = await bodyOf(request, { limit, tooLarge: () => tooLarge(limit), signal: caller, onBytes: hold });
  const body = await decompressed(whole, admitted.headers, { limit, hold });
  const { signal, leave } = callSignal(caller, o.answerTimeoutMs);
  const { headers, url, principal } = admitted;
  const submit = (batch: Partial<Batch>) => submitted(batch, admitted, signal, o);
  const skip = skipping(protocol.name, o);
  try {
    const input = {
      headers,
      query: url.searchParams,
      body,
      maxBodyBytes: limit,
      principal,
      signal,
      submit,
      hold,
      skip,
    };
    return await orAbort(protocol.handle(input), signal);
  } finally {
    leave();
  }
}

/** Hands readings over within the quota. Nothing more is stored for a call that is over. */
export async function submitted(
  part: Partial<Batch>,
  by: Pick<Admitted, "headers" | "principal" | "caller">,
  signal: AbortSignal,
  o: Pick<ProtocolOptions, "quota" | "onStored"> & { readonly ingestor: Pick<Ingestor, "submit" | "checkRoom"> },
): Promise<Submission> {
  const batch = { ...EMPTY_BATCH, ...part };
  checkProducer(by.principal, batch.producer);
  const overLimit = await o.quota?.takeEach(by.caller, batch);
  signal.throwIfAborted();
  o.ingestor.checkRoom();
  return handedOver({ ...batch, overLimit }, by, o);
}

function handedOver(
  batch: Batch & { readonly overLimit?: SensorsOverLimit | undefined },
  { headers, principal }: Pick<Admitted, "headers" | "principal">,
  { ingestor, onStored }: Pick<ProtocolOptions, "onStored"> & { readonly ingestor: Pick<Ingestor, "submit"> },
): Submission {
  const callTraceparent = batch.traceparent || (headers.get("traceparent") ?? "");
  const submission = ingestor.submit({ ...batch, callTraceparent }, principal);
  if (submission.rejected === submission.readings) return submission;
  const settled = submission.settled.then(async (outcome) => {
    await onStored();
    return outcome;
  });
  // A protocol may answer once it is durable.
  settled.catch(ignoreRejection);
  return { ...submission, settled };
}

/** Counts, and says once a second, what of a protocol becomes no reading. */
export function skipping(
  protocol: string,
  { metrics, lines }: Pick<ProtocolRoutesOptions, "lines"> & { readonly metrics: Pick<Metrics, "protocolSkipped"> },
): Skip {
  return (reason, count, example) => {
    if (count === 0) return;
    metrics.protocolSkipped.inc({ protocol, reason }, count);
    lines.say(`${protocol} ${reason}`, { protocol, reason, example }, "no reading made of it", count);
  };
}

const EMPTY_BATCH = { producer: "", epoch: 0n, sequence: 0n, traceparent: "", readings: [], blocks: [], echo: false };

/** Other encodings, such as snappy, are the protocol's own. */
async function decompressed(
  body: Buffer,
  headers: Headers,
  { limit, hold }: { readonly limit: number; readonly hold: MemoryShare["hold"] },
): Promise<Uint8Array> {
  const { encoding, unpack } = encodingOf(headers);
  if (unpack === undefined) return body;
  const decompress = unpack();
  const chunks: Buffer[] = [];
  let bytes = 0;
  decompress.end(body);
  try {
    // Bit by bit: what comes out is known only then.
    for await (const chunk of decompress) {
      bytes += chunk.length;
      if (bytes > limit) throw tooLarge(limit);
      hold(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof HttpRefusal) throw error;
    throw new TelltaleError("invalid", `the body is not ${encoding}, as content-encoding says`, { cause: error });
  }
  return Buffer.concat(chunks);
}

function tooLarge(limit: number): HttpRefusal {
  return new HttpRefusal(413, "exhausted", `the body is over ${limit} bytes: send less at once`);
}

function refused({ status, code, message }: ProtocolFailure): ProtocolResponse {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify({ code, message }) };
}

function refuseMethod(response: NodeServerResponse, { name, path, ...protocol }: HttpProtocol): void {
  const allow = "probe" in protocol ? "GET, HEAD" : protocol.method;
  sendJson(response, 405, { code: "unimplemented", message: `${path} (${name}) takes ${allow}` }, { allow });
}
