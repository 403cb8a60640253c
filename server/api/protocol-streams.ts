/**
 * Bodies of ingest protocols that are stored while they are read: memory for a piece of them, whatever their size. There is no
 * deadline for the whole; each step has one: the next bytes of the caller, the next room in the log, the outcome of a batch.
 */
import { pipeline, Readable, type Transform } from "node:stream";
import { Code, ConnectError } from "@connectrpc/connect";
import { TelltaleError } from "../errors.ts";
import type { Batch } from "../ingest/accept.ts";
import type { Ingestor, Submission } from "../ingest/ingestor.ts";
import { HttpRefusal, type ProtocolResponse, type StreamedProtocol, type StreamedRequest } from "../ingest/protocol.ts";
import { Changes, orAbort } from "../lib/signals.ts";
import { checkProducer } from "../security/principal.ts";
import type { Quota } from "../security/quota.ts";
import { encodingOf, MAX_PIECE } from "./encodings.ts";
import type { RpcLimits } from "./limits.ts";
import { brokenOff, type NodeServerRequest } from "./node-http.ts";

export interface StreamBounds
  extends Pick<RpcLimits, "maxStreamedBodies" | "minStreamedBytes" | "requestTimeoutMs" | "answerTimeoutMs"> {
  /** Aborts when the server begins to close. */
  readonly ending: AbortSignal;
}

/** Bytes that one packed byte may unpack to, beyond the first pieces: texts of readings come to fifty. */
const MAX_RATIO = 500;
const RATIO_FREE = 16 * MAX_PIECE;
/** For another request at the same time. */
const RETRY_MS = 1_000;

/** Requests under way: their memory is bounded by their number. */
export class Streams {
  readonly #most: number;
  readonly #byCaller = new Map<string, number>();
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** A place, until the function is called. @throws TelltaleError "exhausted" where there is none */
  enter(caller: string): () => void {
    const own = this.#byCaller.get(caller) ?? 0;
    const mostOwn = Math.max(1, this.#most / 4);
    if (own >= mostOwn || this.#count >= this.#most) {
      const limit = own >= mostOwn ? `${mostOwn} uploads of one caller` : `${this.#most} uploads`;
      throw new TelltaleError("exhausted", `${limit} are under way: try again later`, { retryAfterMs: RETRY_MS });
    }
    this.#count++;
    this.#byCaller.set(caller, own + 1);
    return () => {
      this.#count--;
      const left = this.#byCaller.get(caller)! - 1;
      if (left === 0) this.#byCaller.delete(caller);
      else this.#byCaller.set(caller, left);
    };
  }
}

export interface StreamedCall {
  readonly asked: Pick<StreamedRequest, "headers" | "query" | "principal" | "who" | "skip">;
  readonly caller: AbortSignal;
  readonly handOver: (batch: Partial<Batch>) => Submission;
}

export async function answerStreamed(
  protocol: StreamedProtocol,
  request: NodeServerRequest,
  { asked, caller: signal, handOver }: StreamedCall,
  o: {
    readonly ingestor: Pick<Ingestor, "room" | "checkRoom">;
    readonly quota: Quota | undefined;
    readonly streams: StreamBounds;
  },
): Promise<ProtocolResponse> {
  const { answerTimeoutMs } = o.streams;
  const body = new StreamedBody(request, signal, o.streams);
  try {
    return await protocol.handleStream({
      ...asked,
      ...{ signal, body: unpacked(body, asked.headers) },
      async submit(batch) {
        const parts = { producer: "", readings: [], blocks: [], ...batch };
        checkProducer(asked.principal, parts.producer);
        await o.quota?.takeSlowly(asked.who, parts, signal);
        const late = "the server had no room for more readings in time: send them again";
        await within(answerTimeoutMs, o.ingestor.room(signal), signal, late);
        signal.throwIfAborted();
        o.ingestor.checkRoom();
        return handOver(batch);
      },
      settled({ settled }) {
        const late = `readings were not settled within ${answerTimeoutMs / 1000} s: send them again with the same times`;
        return within(answerTimeoutMs, settled, signal, late);
      },
    });
  } finally {
    body.close();
  }
}

/** The promise's result, or a failure after so many milliseconds or with the signal. */
async function within<T>(ms: number, promise: Promise<T>, signal: AbortSignal, late: string): Promise<T> {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new ConnectError(late, Code.DeadlineExceeded)), ms);
  try {
    return await orAbort(Promise.race([promise, timeout]), signal);
  } finally {
    clearTimeout(timer);
  }
}

/** The bytes of a request as they come. Nothing more is taken from the connection than was asked for, and a buffer of Node's. */
class StreamedBody implements AsyncIterable<Buffer> {
  readonly #request: NodeServerRequest;
  readonly #bounds: StreamBounds;
  readonly #signal: AbortSignal;
  readonly #changes = new Changes();
  readonly #listeners: Readonly<Record<string, (error?: Error) => void>>;
  #ended = false;
  #closed = false;
  #failure: unknown;
  /** Waited for the caller, milliseconds, and what came meanwhile, since enough had come. */
  #waitedMs = 0;
  #bytes = 0;

  constructor(request: NodeServerRequest, signal: AbortSignal, bounds: StreamBounds) {
    this.#request = request;
    this.#signal = signal;
    this.#bounds = bounds;
    const wake = () => this.#changes.tell();
    this.#listeners = {
      readable: wake,
      end: () => {
        this.#ended = true;
        wake();
      },
      error: (error) => {
        this.#failure ??= brokenOff(error!);
        wake();
      },
      close: () => {
        if (!this.#ended) this.#failure ??= brokenOff(new Error("closed"));
        wake();
      },
    };
    if (request.errored) this.#failure = brokenOff(request.errored);
    for (const [event, listener] of Object.entries(this.#listeners)) request.on(event, listener);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    while (!this.#closed) {
      this.#signal.throwIfAborted();
      const changed = this.#changes.next;
      const piece = this.#request.read() as Buffer | null;
      if (piece !== null) {
        this.#came(piece.length);
        for (let at = 0; at < piece.length; at += MAX_PIECE) yield piece.subarray(at, at + MAX_PIECE);
      } else if (this.#failure !== undefined) throw this.#failure;
      else if (this.#ended) return;
      else await this.#wait(changed);
    }
  }

  #came(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.#bounds.minStreamedBytes) return;
    this.#bytes = 0;
    this.#waitedMs = 0;
  }

  async #wait(changed: Promise<void>): Promise<void> {
    const { requestTimeoutMs, minStreamedBytes } = this.#bounds;
    const since = performance.now();
    const late = `Fewer than ${minStreamedBytes} bytes came within ${requestTimeoutMs / 1000} s`;
    await within(Math.max(1, requestTimeoutMs - this.#waitedMs), changed, this.#signal, late);
    this.#waitedMs += performance.now() - since;
  }

  /** Leaves the rest to others; whoever waits for it finds its end. */
  close(): void {
    this.#closed = true;
    for (const [event, listener] of Object.entries(this.#listeners)) this.#request.off(event, listener);
    this.#changes.tell();
    // An error that comes from now on is nobody's, and must not end the process.
    this.#request.on("error", () => {});
  }
}

/** Other encodings are the protocol's own. */
function unpacked(body: AsyncIterable<Buffer>, headers: Headers): AsyncIterable<Uint8Array> {
  const { encoding, unpack } = encodingOf(headers);
  return unpack === undefined ? body : unpackedBy(unpack, body, encoding);
}

async function* unpackedBy(
  unpack: () => Transform,
  body: AsyncIterable<Buffer>,
  encoding: string,
): AsyncGenerator<Uint8Array> {
  let packedBytes = 0;
  let failure: unknown;
  async function* packed() {
    try {
      for await (const piece of body) {
        packedBytes += piece.length;
        yield piece;
      }
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  const stream = unpack();
  // Its failure is the stream's too, of which the loop hears.
  pipeline(Readable.from(packed(), { objectMode: true, highWaterMark: 1 }), stream, () => {});
  let bytes = 0;
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > RATIO_FREE + MAX_RATIO * packedBytes) throw bomb();
      yield piece;
    }
  } catch (error) {
    if (failure !== undefined) throw failure;
    if (error instanceof HttpRefusal || (error as NodeJS.ErrnoException).errno === undefined) throw error;
    const message = `the body is not ${encoding}, as content-encoding says, or was cut off`;
    throw new HttpRefusal(400, "invalid", message);
  }
}

function bomb(): HttpRefusal {
  const message = `the body unpacks to more than ${MAX_RATIO} times its size: send it with less compression`;
  return new HttpRefusal(413, "exhausted", message);
}
