import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  IngestCountsSchema,
  type IngestService,
  type Refusal,
  RefusalReason,
  RefusalSchema,
  type StreamReadingsRequest,
  type StreamReadingsResponseSchema,
  SubmitReadingsResponseSchema,
} from "../../gen/es/telltale/v1/ingest_pb.ts";
import type { Clock } from "../clock.ts";
import { type FieldViolation, TelltaleError } from "../errors.ts";
import { type Accepted, Acceptor, type Batch } from "../ingest/accept.ts";
import { MAX_BATCH_READINGS, MAX_REFUSALS_DETAILED, MAX_SINGLE_READINGS } from "../ingest/limits.ts";
import type { SeriesTable } from "../ingest/series.ts";
import { sendSpan } from "../observe/batch-spans.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { SampledLines } from "../observe/sampled.ts";
import type { Intake, Submitted } from "../pipeline/intake.ts";
import type { FragmentOutcome } from "../pipeline/outcome.ts";
import { maySee, principalOf } from "./principal.ts";

/** Batches of a stream that may be on their way to the log; half the window by which resent ones are recognised. */
const MAX_UNSAVED_BATCHES = 256;
/** Batches of a stream that may wait for their scores: bounds what is remembered of it. */
const MAX_UNSETTLED_BATCHES = 4096;
/** Readings that a sender may have unsaved: its credit at the most. */
const MAX_CREDIT = 100_000;
/** Stored readings are sent back with a unary answer up to this many. */
const MAX_ECHO = 100;
/** A unary call without a deadline of its own waits this long for its readings to settle. */
const SETTLE_TIMEOUT_MS = 30_000;

export interface IngestOptions {
  readonly intake: Intake;
  readonly table: SeriesTable;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Lines about refused readings. */
  readonly refused: SampledLines;
  readonly maxAheadUs: number;
  /** 0: readings are kept for ever. */
  readonly retentionUs: number;
  /** Runs when a unary call has stored something, before it is answered. */
  readonly onStored: () => Promise<void>;
  /** Aborts when the server begins to close. */
  readonly shutdown: AbortSignal;
}

export function createIngestService(o: IngestOptions): ServiceImpl<typeof IngestService> {
  const acceptor = new Acceptor(o.table);

  function accept(batch: Batch, context: Pick<HandlerContext, "values">): Accepted {
    const principal = principalOf(context);
    const nowUs = o.clock.nowUs();
    const accepted = acceptor.accept(batch, {
      nowUs,
      maxAheadUs: o.maxAheadUs,
      oldestUs: o.retentionUs === 0 ? 0 : nowUs - o.retentionUs,
      mayWrite: (sensorId) => maySee(principal, sensorId),
    });
    o.metrics.batchReadings.observe({ stage: "ingest" }, accepted.total);
    for (const r of accepted.refusals) {
      const reason = reasonName(r.reason);
      o.metrics.refusals.inc({ reason });
      o.refused.say(reason, { reason, producer: batch.producer, example: r.message }, "readings refused");
    }
    if (accepted.rejected > 0) o.metrics.outcomes.inc({ outcome: "rejected" }, accepted.rejected);
    return accepted;
  }

  return {
    async submitReadings(request, context) {
      const points = request.readings.length + request.blocks.reduce((n, b) => n + b.values.length, 0);
      checkSize(request.readings.length, points);
      if (points === 0 && request.blocks.length === 0) {
        const description = "readings is empty: give at least one reading";
        throw new TelltaleError("invalid", description, { violations: [{ field: "readings", description }] });
      }
      const started = o.clock.monotonicMs();
      o.intake.checkRoom();
      const span = sendSpan("", context.requestHeader.get("traceparent") ?? "", points);
      const batch: Batch = { ...request, traceparent: span.traceparent, echo: points <= MAX_ECHO };
      const accepted = accept(batch, context);
      if (accepted.rejected === accepted.total) {
        const refused = allRefused(accepted.refusals, request.readings.length);
        span.end(refused);
        throw refused;
      }
      const submitted = o.intake.submit(accepted);
      submitted.durable.then(() => span.end(), span.end);
      const outcomes = await settledInTime(submitted, context.signal);
      await o.onStored();
      o.metrics.ackSeconds.observe({ kind: "settled" }, (o.clock.monotonicMs() - started) / 1000);
      const stored = outcomes.flatMap((f) => f.stored).sort((a, b) => a.index - b.index);
      const metadata = new Map(request.readings.map((r, i) => [i, r.metadata]));
      return create(SubmitReadingsResponseSchema, {
        counts: countsOf(accepted, outcomes),
        refusals: refusalsOf(batch.sequence, accepted, outcomes),
        stored: stored.map(({ index, reading }) => {
          const given = metadata.get(index);
          return given === undefined ? reading : { ...reading, metadata: given };
        }),
      });
    },

    async *streamReadings(requests, context) {
      const stream = new IngestStream(o, accept);
      const signal = AbortSignal.any([context.signal, o.shutdown]);
      const reading = stream.read(requests, context, signal);
      reading.catch(() => stream.wake()); // told by responses()
      yield* stream.responses(reading, signal);
    },
  };
}

interface InFlight {
  readonly sequence: bigint;
  readonly accepted: Accepted;
  readonly since: number;
  durable: boolean;
  outcomes: readonly FragmentOutcome[] | undefined;
}

/** One sender's stream: what it has sent, and how far that is saved and settled. */
class IngestStream {
  readonly #o: IngestOptions;
  readonly #accept: (batch: Batch, context: HandlerContext) => Accepted;
  /** Batches in the order of their sequences, from the first that is not durable. */
  readonly #unsaved: InFlight[] = [];
  readonly #unsettled: InFlight[] = [];
  #unsavedReadings = 0;
  #durable = 0n;
  #settled = 0n;
  #failure: unknown;
  #ended = false;
  #changed = Promise.withResolvers<void>();

  constructor(o: IngestOptions, accept: (batch: Batch, context: HandlerContext) => Accepted) {
    this.#o = o;
    this.#accept = accept;
  }

  wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Takes batches in while there is room; not reading on is what slows the sender. */
  async read(
    requests: AsyncIterable<StreamReadingsRequest>,
    context: HandlerContext,
    signal: AbortSignal,
  ): Promise<void> {
    let producer: string | undefined;
    let epoch = 0n;
    let last = 0n;
    try {
      for await (const request of requests) {
        if (producer === undefined) {
          producer = checkProducer(request.producer);
          epoch = request.epoch;
          last = request.sequence - 1n;
          this.#durable = last;
          this.#settled = last;
        }
        checkOrder(request, producer, epoch, last);
        last = request.sequence;
        await this.#room(signal);
        this.#take({ ...request, producer, epoch, echo: false }, context);
      }
    } finally {
      this.#ended = true;
      this.wake();
    }
  }

  async #room(signal: AbortSignal): Promise<void> {
    await this.#o.intake.room(signal);
    while (
      this.#unsaved.length >= MAX_UNSAVED_BATCHES ||
      this.#unsettled.length >= MAX_UNSETTLED_BATCHES ||
      this.#unsavedReadings >= MAX_CREDIT
    ) {
      if (this.#failure !== undefined) throw this.#failure;
      await orAbort(this.#changed.promise, signal);
    }
  }

  #take(batch: Batch, context: HandlerContext): void {
    const points = batch.readings.length + batch.blocks.reduce((n, b) => n + b.values.length, 0);
    checkSize(batch.readings.length, points);
    const span = sendSpan(batch.traceparent, batch.traceparent, points);
    const accepted = this.#accept({ ...batch, traceparent: span.traceparent }, context);
    const submitted = this.#o.intake.submit(accepted);
    submitted.durable.then(() => span.end(), span.end);
    const item: InFlight = {
      sequence: batch.sequence,
      accepted,
      since: this.#o.clock.monotonicMs(),
      durable: false,
      outcomes: undefined,
    };
    this.#unsaved.push(item);
    this.#unsettled.push(item);
    this.#unsavedReadings += accepted.total;
    this.#follow(item, submitted);
  }

  #follow(item: InFlight, submitted: Submitted): void {
    const fail = (error: unknown) => {
      this.#failure ??= error;
      this.wake();
    };
    const seconds = () => (this.#o.clock.monotonicMs() - item.since) / 1000;
    submitted.durable.then(() => {
      item.durable = true;
      this.#o.metrics.ackSeconds.observe({ kind: "durable" }, seconds());
      this.wake();
    }, fail);
    submitted.settled.then((outcomes) => {
      item.outcomes = outcomes;
      this.#o.metrics.ackSeconds.observe({ kind: "settled" }, seconds());
      this.wake();
    }, fail);
  }

  /** A response whenever something moved, until everything taken is settled. */
  async *responses(reading: Promise<void>, signal: AbortSignal) {
    for (;;) {
      const changed = this.#changed.promise;
      const response = this.#progress();
      if (response !== undefined) yield response;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) {
        // A refusal of a message ends the stream once what was taken before it is told.
        if (this.#unsettled.length === 0) {
          await reading;
          return;
        }
      }
      if (response === undefined) await orAbort(changed, signal);
    }
  }

  #progress(): MessageInitShape<typeof StreamReadingsResponseSchema> | undefined {
    let moved = false;
    while (this.#unsaved[0]?.durable === true) {
      const item = this.#unsaved.shift()!;
      this.#durable = item.sequence;
      this.#unsavedReadings -= item.accepted.total;
      moved = true;
    }
    const counts = create(IngestCountsSchema);
    const refusals: Refusal[] = [];
    while (this.#unsettled[0]?.outcomes !== undefined && this.#unsettled[0].durable) {
      const { sequence, accepted, outcomes } = this.#unsettled[0];
      // One response describes so many refusals; the next batch waits for the next response.
      const more = refusalsOf(sequence, accepted, outcomes);
      if (refusals.length > 0 && refusals.length + more.length > MAX_REFUSALS_DETAILED) break;
      this.#unsettled.shift();
      this.#settled = sequence;
      refusals.push(...more);
      const c = countsOf(accepted, outcomes);
      counts.accepted += c.accepted;
      counts.duplicate += c.duplicate;
      counts.conflicting += c.conflicting;
      counts.rejected += c.rejected;
      counts.late += c.late;
      moved = true;
    }
    if (!moved) return undefined;
    return {
      durableSequence: this.#durable,
      settledSequence: this.#settled,
      counts,
      refusals,
      credit: Math.max(0, MAX_CREDIT - this.#unsavedReadings),
    };
  }
}

/** @param points readings and points of blocks together */
function checkSize(readings: number, points: number): void {
  if (readings <= MAX_SINGLE_READINGS && points <= MAX_BATCH_READINGS) return;
  const description =
    readings > MAX_SINGLE_READINGS
      ? `readings has ${readings} entries: give at most ${MAX_SINGLE_READINGS}, or send blocks`
      : `the batch has ${points} readings: give at most ${MAX_BATCH_READINGS}`;
  throw new TelltaleError("invalid", description, { violations: [{ field: "readings", description }] });
}

function checkProducer(producer: string): string {
  if (producer.length > 0 && producer.length <= 100) return producer;
  const description = `producer has ${producer.length} characters: name the sender with 1 to 100 in the first message`;
  throw new TelltaleError("invalid", description, { violations: [{ field: "producer", description }] });
}

function checkOrder(r: StreamReadingsRequest, producer: string, epoch: bigint, last: bigint): void {
  const refuse = (field: string, description: string) => {
    throw new TelltaleError("invalid", description, { violations: [{ field, description }] });
  };
  if (r.producer !== "" && r.producer !== producer) {
    refuse("producer", `producer changed from "${producer}" to "${r.producer}": open another stream for it`);
  }
  // An absent epoch in a later message means the same one.
  if (r.epoch !== epoch && !(r.producer === "" && r.epoch === 0n)) {
    refuse("epoch", `epoch changed from ${epoch} to ${r.epoch}: open another stream for it`);
  }
  if (r.sequence < 1n || r.sequence > BigInt(Number.MAX_SAFE_INTEGER)) {
    refuse("sequence", `sequence is ${r.sequence}: begin at 1 and count up`);
  }
  if (r.sequence !== last + 1n) refuse("sequence", `sequence ${r.sequence} follows ${last}: send ${last + 1n}`);
}

function countsOf(accepted: Accepted, outcomes: readonly FragmentOutcome[]) {
  const sum = [0, 0, 0, 0];
  for (const { counts } of outcomes) for (const [i, n] of counts.entries()) sum[i]! += n;
  return {
    accepted: BigInt(sum[0]!),
    duplicate: BigInt(sum[1]!),
    conflicting: BigInt(sum[2]!),
    rejected: BigInt(accepted.rejected),
    late: BigInt(sum[3]!),
  };
}

function refusalsOf(sequence: bigint, accepted: Accepted, outcomes: readonly FragmentOutcome[]): Refusal[] {
  const conflicts = outcomes.flatMap((f) =>
    f.conflicts.map(({ index, message }) =>
      create(RefusalSchema, { sequence, index, reason: RefusalReason.CONFLICTING, message, field: "value" }),
    ),
  );
  if (conflicts.length === 0) return [...accepted.refusals];
  return [...accepted.refusals, ...conflicts].sort((a, b) => a.index - b.index).slice(0, MAX_REFUSALS_DETAILED);
}

function allRefused(refusals: readonly Refusal[], singles: number): TelltaleError {
  const violations = refusals.map((r): FieldViolation => {
    const at = r.index < singles ? `readings[${r.index}]` : `points[${r.index - singles}]`;
    return { field: r.field === "" ? at : `${at}.${r.field}`, description: r.message };
  });
  const first = violations[0]!;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
  const forbidden = refusals.every((r) => r.reason === RefusalReason.FORBIDDEN);
  return new TelltaleError(forbidden ? "forbidden" : "invalid", `${first.field}: ${first.description}${more}`, {
    violations,
  });
}

function reasonName(reason: RefusalReason): string {
  const found = Object.entries(RefusalReason).find(([, number]) => number === reason);
  return (found?.[0] ?? "unspecified").toLowerCase();
}

/** The outcomes, or the error of a call whose deadline has passed. */
async function settledInTime({ settled }: Submitted, signal: AbortSignal): Promise<readonly FragmentOutcome[]> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const message = `the readings were not settled within ${SETTLE_TIMEOUT_MS / 1000} s: ask for them, or send them again with the same times`;
    reject(new ConnectError(message, Code.DeadlineExceeded));
  }, SETTLE_TIMEOUT_MS);
  try {
    return await orAbort(Promise.race([settled, late]), signal);
  } finally {
    // A thousand calls a second would leave thirty thousand timers behind.
    clearTimeout(timer);
  }
}

/** The promise's result, or the signal's reason as soon as it aborts. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
