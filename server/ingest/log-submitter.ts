/** From an accepted batch to the log, and from the log's outcomes back to whoever waits for them. */
import type { Logger } from "pino";
import { storageFull, TelltaleError } from "../errors.ts";
import { Changes, ignoreRejection, orAbort } from "../lib/signals.ts";
import type { Log } from "../log/log.ts";
import type { FragmentOutcome, RecordOutcome } from "../log/outcome.ts";
import { encodeField, encodeRecord } from "../log/record/encode.ts";
import type { Accepted } from "./accept.ts";

/** A record stays well below what a broker takes by default; a single larger fragment goes alone. */
const MAX_RECORD_BYTES = 768 * 1024;
/** Bytes waiting for the log in this process. Past it streams are no longer read and unary calls are refused. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

interface Waiting {
  readonly field: Uint8Array;
  readonly durable: { resolve(): void; reject(error: unknown): void };
  readonly settled: { resolve(outcome: FragmentOutcome): void; reject(error: unknown): void };
  /** Controls go alone: see `PartitionOwner`. */
  readonly alone: boolean;
  /** When it came, by the monotonic clock, milliseconds. */
  readonly since: number;
}

/** A batch on its way. */
export interface Submitted {
  /** Resolves when every part of it is in the log. */
  readonly durable: Promise<void>;
  /** Resolves when every part of it is scored and committed. */
  readonly settled: Promise<readonly FragmentOutcome[]>;
}

/** The field of a record that says nothing but when it came. */
const TIME_PASSED = encodeField(4, new Uint8Array());

interface PartitionQueue {
  readonly waiting: Waiting[];
  /** Whether a record is on its way that takes along what waits. */
  asked: boolean;
  /** Records whose append is not answered yet. */
  appending: number;
  /** Parts that are in the log and not settled, by the offset of their record. */
  readonly unsettled: Map<number, readonly Waiting[]>;
  /** Outcomes that came before the append was known to have succeeded. */
  readonly early: Map<number, RecordOutcome>;
}

export class LogSubmitter {
  readonly #log: Log;
  readonly #nowUs: () => number;
  readonly #logger: Logger;
  readonly #queues: PartitionQueue[];
  /** Partitions with a time record that is not durable yet. */
  readonly #ticking = new Set<number>();
  #waitingBytes = 0;
  #unsettledReadings = 0;
  readonly #maxUnsettledReadings: number;
  /** Why nothing can be stored at present, a sentence. */
  readonly #full: () => string | undefined;
  readonly #room = new Changes();

  constructor(options: {
    log: Log;
    nowUs: () => number;
    logger: Logger;
    maxUnsettledReadings: number;
    full?: () => string | undefined;
  }) {
    this.#full = options.full ?? (() => undefined);
    this.#log = options.log;
    this.#nowUs = options.nowUs;
    this.#logger = options.logger;
    this.#maxUnsettledReadings = options.maxUnsettledReadings;
    this.#queues = Array.from({ length: options.log.partitions }, () => ({
      waiting: [],
      asked: false,
      appending: 0,
      unsettled: new Map(),
      early: new Map(),
    }));
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }
  get unsettledReadings(): number {
    return this.#unsettledReadings;
  }
  get hasRoom(): boolean {
    return this.#waitingBytes < MAX_WAITING_BYTES && this.#unsettledReadings < this.#maxUnsettledReadings;
  }

  /** Resolves when more may be submitted; rejects with the signal's reason. */
  async room(signal: AbortSignal): Promise<void> {
    while (!this.hasRoom) {
      await orAbort(this.#room.next, signal);
    }
  }

  /** Throws TelltaleError "exhausted" where there is no room and the caller cannot wait for it. */
  checkRoom(): void {
    this.#checkSpace();
    if (this.hasRoom) return;
    throw new TelltaleError(
      "exhausted",
      "the server has more readings in hand than it can store at once: try again later",
      {
        retryAfterMs: 1000,
      },
    );
  }

  /** Throws TelltaleError "exhausted" where the disk is full: nothing is acknowledged then. */
  #checkSpace(): void {
    const full = this.#full();
    if (full !== undefined) throw storageFull(full);
  }

  submit(accepted: Accepted): Submitted {
    this.#checkSpace();
    const parts: { durable: Promise<void>; settled: Promise<FragmentOutcome> }[] = [];
    for (const [partition, { bytes, readings }] of accepted.fragments) {
      this.#unsettledReadings += readings;
      const part = this.#enqueue(partition, bytes, false);
      const done = () => {
        this.#unsettledReadings -= readings;
        this.#wake();
      };
      part.settled.then(done, done);
      parts.push(part);
    }
    const submitted = {
      durable: Promise.all(parts.map((p) => p.durable)).then(() => undefined),
      settled: Promise.all(parts.map((p) => p.settled)),
    };
    // Whoever waits for one of them hears of a failure; the other must not end the process.
    submitted.durable.catch(ignoreRejection);
    submitted.settled.catch(ignoreRejection);
    return submitted;
  }

  /** Logs a `Control` (binary form) and resolves when it is committed. */
  async control(partition: number, control: Uint8Array): Promise<void> {
    this.#checkSpace();
    const part = this.#enqueue(partition, encodeField(5, control), true);
    part.durable.catch(ignoreRejection);
    await part.settled;
  }

  /**
   * Logs that time has passed in the partition, also where so much is unsettled that there is no room for readings: without time records
   * the log seems to stand still. Best effort, and one at a time: the next one says it as well.
   */
  tick(partition: number): void {
    if (this.#full() !== undefined || this.#ticking.has(partition)) return;
    this.#ticking.add(partition);
    const { durable, settled } = this.#enqueue(partition, TIME_PASSED, true);
    settled.catch(ignoreRejection);
    durable.catch(ignoreRejection).finally(() => this.#ticking.delete(partition));
  }

  /** Resolves when everything that is in the partition's log by now is committed. */
  async caughtUp(partition: number): Promise<void> {
    const { durable, settled } = this.#enqueue(partition, TIME_PASSED, true);
    durable.catch(ignoreRejection);
    await settled;
  }

  #enqueue(partition: number, field: Uint8Array, alone: boolean) {
    const durable = Promise.withResolvers<void>();
    const settled = Promise.withResolvers<FragmentOutcome>();
    const queue = this.#queues[partition]!;
    queue.waiting.push({ field, durable, settled, alone, since: performance.now() });
    this.#waitingBytes += field.length;
    if (!queue.asked) void this.#append(partition, queue);
    return { durable: durable.promise, settled: settled.promise };
  }

  /** Appends a record of what waits by the time its turn has come. */
  async #append(partition: number, queue: PartitionQueue): Promise<void> {
    let parts: readonly Waiting[] = [];
    const record = () => {
      parts = this.#takeRecord(partition, queue);
      return encodeRecord(
        this.#nowUs(),
        parts.map((p) => p.field),
      );
    };
    queue.asked = true;
    queue.appending++;
    try {
      const offset = await this.#log.append(partition, record);
      for (const p of parts) p.durable.resolve();
      const early = queue.early.get(offset);
      if (early === undefined) queue.unsettled.set(offset, parts);
      else {
        queue.early.delete(offset);
        settle(parts, early);
      }
    } catch (error) {
      this.#logger.warn({ err: error, partition }, "log did not take a record");
      // Given up before its turn.
      if (parts.length === 0) parts = this.#takeRecord(partition, queue);
      for (const p of parts) {
        p.durable.reject(error);
        p.settled.reject(error);
      }
    }
    queue.appending--;
    for (const p of parts) this.#waitingBytes -= p.field.length;
    this.#wake();
  }

  /** As much of what waits as one record takes; the next record follows for the rest. */
  #takeRecord(partition: number, queue: PartitionQueue): Waiting[] {
    const parts = takeRecord(queue.waiting);
    queue.asked = false;
    if (queue.waiting.length > 0) void this.#append(partition, queue);
    return parts;
  }

  /**
   * A commit tells what became of records, also of those that other processes appended. Answers with the outcomes that somebody elsewhere
   * may be waiting for.
   */
  settled(partition: number, outcomes: readonly RecordOutcome[]): readonly RecordOutcome[] {
    const queue = this.#queues[partition]!;
    const elsewhere: RecordOutcome[] = [];
    for (const outcome of outcomes) {
      const parts = queue.unsettled.get(outcome.offset);
      if (parts !== undefined) {
        queue.unsettled.delete(outcome.offset);
        settle(parts, outcome);
        continue;
      }
      elsewhere.push(outcome);
      if (queue.appending === 0) continue;
      queue.early.set(outcome.offset, outcome);
      // Only a record under way can be meant; others are not ours.
      for (const old of queue.early.keys()) {
        if (queue.early.size <= MAX_EARLY) break;
        queue.early.delete(old);
      }
    }
    return elsewhere;
  }

  /** Offsets of records that have waited for their outcome for longer than `ms`, by partition, at most `limit` each. */
  overdue(ms: number, limit: number): Map<number, number[]> {
    const before = performance.now() - ms;
    const found = new Map<number, number[]>();
    this.#queues.forEach((queue, partition) => {
      const offsets: number[] = [];
      for (const [offset, parts] of queue.unsettled) {
        if (offsets.length >= limit || parts[0]!.since > before) break;
        offsets.push(offset);
      }
      if (offsets.length > 0) found.set(partition, offsets);
    });
    return found;
  }

  #wake(): void {
    if (this.hasRoom) this.#room.tell();
  }
}

/** Outcomes kept for appends whose answers are still on their way: few would do, the bound is for other processes' records. */
const MAX_EARLY = 1024;

function takeRecord(waiting: Waiting[]): Waiting[] {
  let bytes = 0;
  let n = 0;
  while (n < waiting.length) {
    const next = waiting[n]!;
    if (n > 0 && (next.alone || bytes + next.field.length > MAX_RECORD_BYTES)) break;
    bytes += next.field.length;
    n++;
    if (next.alone) break;
  }
  return waiting.splice(0, n);
}

/** Of a control or a time record. */
const NO_READINGS: FragmentOutcome = {
  ...{ accepted: 0, duplicate: 0, conflicting: 0, late: 0, quarantined: 0 },
  ...{ conflicts: [], stored: [], quarantinedIndices: [] },
};

function settle(parts: readonly Waiting[], outcome: RecordOutcome): void {
  parts.forEach((p, i) => {
    p.settled.resolve(outcome.fragments[i] ?? NO_READINGS);
  });
}
