/** The one way in for readings: every protocol hands its batches over here. */
import type { Refusal } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { RefusalReason } from "../../gen/es/telltale/v1/ingest_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { sizeOf } from "../lib/batch-size.ts";
import { enumName } from "../lib/enum-name.ts";
import { ignoreRejection } from "../lib/signals.ts";
import { sendSpan } from "../observe/batch-spans.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { SampledLines } from "../observe/sampled.ts";
import { canAccessSensor, type Principal } from "../security/principal.ts";
import type { SensorsOverLimit } from "../security/quota.ts";
import { type Accepted, Acceptor, type Batch, type Census } from "./accept.ts";
import { MAX_BATCH_READINGS, MAX_SINGLE_READINGS } from "./limits.ts";
import type { LogSubmitter } from "./log-submitter.ts";
import { checkSender, loggedProducer } from "./sender.ts";
import type { SeriesTable } from "./series.ts";
import { type SettledBatch, settledBatch } from "./settled.ts";

/** A batch on its way. */
export interface Submission {
  /** Readings in it, those refused included. */
  readonly readings: number;
  /** Refused before the log, each with its reason, up to a limit. */
  readonly rejected: number;
  readonly refusals: readonly Refusal[];
  /** Resolves when the rest of it is in the log: nothing of it is lost from then on. */
  readonly durable: Promise<void>;
  /** Resolves when the rest of it is scored and committed. */
  readonly settled: Promise<SettledBatch>;
}

/** A batch as it is handed over. */
export interface Submitted extends Batch {
  readonly callTraceparent?: string;
  /** Sensors that its sender may not send beside those that it has. */
  readonly overLimit?: SensorsOverLimit | undefined;
}

export interface IngestorOptions {
  readonly submitter: Pick<LogSubmitter, "submit" | "room" | "checkRoom">;
  readonly table: SeriesTable;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Lines about refused readings. */
  readonly refused: Pick<SampledLines, "say">;
  /** How far ahead of the server's clock a reading may be, microseconds. */
  readonly maxAheadUs: number;
  /** How long readings are kept, microseconds; 0: for ever. */
  readonly retentionUs: number;
  /** Where the number of sensors is limited. */
  readonly census?: Census | undefined;
}

export class Ingestor {
  readonly #o: IngestorOptions;
  readonly #acceptor: Acceptor;

  constructor(options: IngestorOptions) {
    this.#o = options;
    this.#acceptor = new Acceptor(options.table);
  }

  /** Resolves when more may be submitted; rejects with the signal's reason. For senders that can be slowed. */
  room(signal: AbortSignal): Promise<void> {
    return this.#o.submitter.room(signal);
  }

  /** For senders that cannot. @throws TelltaleError "exhausted" where there is no room, with the time to wait */
  checkRoom(): void {
    this.#o.submitter.checkRoom();
  }

  /**
   * Checks each reading, hands the good ones to the log and answers at once with what was refused.
   *
   * @param batch its `traceparent` is that of the batch itself; without one, the call that is being served is the parent, and
   *   `callTraceparent` goes into the log where nothing is traced here. Readings of its `overLimit` are refused
   * @throws TelltaleError "invalid" for a batch that is too large or whose sender cannot be known again, "exhausted" where nothing can
   *   be stored
   */
  submit(batch: Submitted, principal: Principal): Submission {
    const { clock, metrics, submitter } = this.#o;
    const readings = sizeOf(batch);
    checkSize(batch.readings.length, readings);
    checkSender(batch);
    const sinceMs = clock.monotonicMs();
    const span = sendSpan(batch.traceparent, batch.callTraceparent ?? batch.traceparent, readings);
    const accepted = this.#accept({ ...batch, traceparent: span.traceparent }, principal);
    const { durable, settled } = submitter.submit(accepted);
    // A batch of which nothing goes to the log waits for nothing: it is no measure of the log, and not sent where all was refused.
    const isLogged = accepted.fragments.size > 0;
    if (isLogged) durable.then(() => span.end(), span.end);
    else span.end(accepted.rejected > 0 ? new Error("all readings were refused") : undefined);
    const timed = (kind: string) => {
      if (isLogged) metrics.ackSeconds.observe({ kind }, (clock.monotonicMs() - sinceMs) / 1000);
    };
    const submission = {
      readings: accepted.total,
      rejected: accepted.rejected,
      refusals: accepted.refusals,
      durable: durable.then(() => {
        accepted.logged();
        timed("durable");
      }),
      settled: settled.then((outcomes) => {
        timed("settled");
        return settledBatch(batch.sequence, accepted, outcomes);
      }),
    };
    // Whoever waits for one of them hears of a failure; the other must not end the process.
    submission.durable.catch(ignoreRejection);
    submission.settled.catch(ignoreRejection);
    return submission;
  }

  #accept(batch: Submitted, principal: Principal): Accepted {
    const { clock, metrics, refused, maxAheadUs, retentionUs, census } = this.#o;
    const nowUs = clock.nowUs();
    const logged = { ...batch, producer: loggedProducer(principal, batch.producer) };
    const accepted = this.#acceptor.accept(logged, {
      nowUs,
      maxAheadUs,
      oldestUs: retentionUs === 0 ? 0 : nowUs - retentionUs,
      mayWrite: (sensorId) => canAccessSensor(principal, sensorId),
      census,
      overLimit: batch.overLimit,
    });
    metrics.batchReadings.observe({ stage: "ingest" }, accepted.total);
    let index = -1;
    for (const r of accepted.refusals) {
      // A reading with several bad fields has a refusal for each and counts once.
      if (r.index === index) continue;
      index = r.index;
      const reason = enumName(RefusalReason, r.reason);
      metrics.refusals.inc({ reason });
      refused.say(reason, { reason, producer: batch.producer, example: r.message }, "readings refused");
    }
    if (accepted.rejected > 0) metrics.outcomes.inc({ outcome: "rejected" }, accepted.rejected);
    return accepted;
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
