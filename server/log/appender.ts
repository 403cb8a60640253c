import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { TelltaleError } from "../errors.ts";
import type { Row } from "./copy.ts";
import { maxRecordBytes } from "./log.ts";

export interface AppenderOptions {
  readonly partitions: number;
  /** Shortest time from one commit to the next, in milliseconds: what arrives meanwhile shares a transaction. */
  readonly gatherMs: number;
  /** Bytes that may wait for their commit; more is refused as "exhausted". */
  readonly maxPendingBytes: number;
  /** An append that has waited so long is rejected as "unavailable", in milliseconds. */
  readonly timeoutMs: number;
}

/** What the appender writes to. */
export interface Sink {
  /** Offset of the next record, for each partition. */
  next(): readonly number[];
  /** Stores all rows or none. */
  commit(rows: readonly Row[]): Promise<void>;
  /**
   * After a failed commit: comes back when rows can be stored again and `next` is what is truly stored, so that one look tells
   * the failed commit's fate. Rejects when closed.
   */
  recover(cause: unknown): Promise<void>;
  /** The rows are stored. */
  committed(rows: readonly Row[]): void;
}

interface Waiting {
  readonly partition: number;
  readonly bytes: Uint8Array;
  readonly deadline: number;
  settled: boolean;
  resolve(offset: number): void;
  reject(error: Error): void;
}

/** Bytes in one transaction: large enough that its fixed cost vanishes, small enough to be through in tens of milliseconds. */
const maxBatchBytes = 8 * 1024 * 1024;

/** Gathers what waits into one commit at a time and gives each record its offset. */
export class Appender {
  readonly counts = { appendedRecords: 0, appendedBytes: 0, rejectedRecords: 0, pendingBytes: 0 };
  readonly #options: AppenderOptions;
  readonly #sink: Sink;
  readonly #logger: Logger;
  #queue: Waiting[] = [];
  #inFlight: Waiting[] = [];
  #running: Promise<void> | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #lastCommitAt = 0;
  #closed = false;

  constructor(options: AppenderOptions, sink: Sink, logger: Logger) {
    this.#options = options;
    this.#sink = sink;
    this.#logger = logger;
  }

  append(partition: number, bytes: Uint8Array): Promise<number> {
    const refusal = this.#refusal(partition, bytes);
    if (refusal) {
      this.counts.rejectedRecords++;
      return Promise.reject(refusal);
    }
    this.counts.pendingBytes += bytes.length;
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + this.#options.timeoutMs;
      this.#queue.push({ partition, bytes, deadline, settled: false, resolve, reject });
      this.#armExpiry();
      this.#running ??= this.#run();
    });
  }

  /** Refuses further appends and waits for those under way; what is left after the time is rejected. */
  async close(timeoutMs: number): Promise<void> {
    this.#closed = true;
    const timeout = sleep(timeoutMs, undefined, { ref: false });
    await Promise.race([this.#running, timeout]);
    this.#failAll();
    clearTimeout(this.#expiry);
  }

  #refusal(partition: number, { length }: Uint8Array): TelltaleError | undefined {
    if (this.#closed) return unavailable("the log is closed");
    if (!Number.isInteger(partition) || partition < 0 || partition >= this.#options.partitions) {
      return new TelltaleError(
        "internal",
        `The log has no partition ${partition}, only 0 to ${this.#options.partitions - 1}.`,
      );
    }
    if (length > maxRecordBytes) {
      return new TelltaleError(
        "invalid",
        `A record of ${length} bytes is larger than the log takes (${maxRecordBytes}).`,
      );
    }
    if (this.counts.pendingBytes + length > this.#options.maxPendingBytes) {
      const waiting = `${this.counts.pendingBytes} of ${this.#options.maxPendingBytes} bytes wait already`;
      return new TelltaleError("exhausted", `The log is behind: ${waiting}.`, { retryAfterMs: 200 });
    }
    return undefined;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#gather();
      if (this.#queue.length > 0) await this.#commit(this.#nextBatch()); // all may have given up meanwhile
    }
    this.#running = undefined;
  }

  async #gather(): Promise<void> {
    const waitMs = this.#lastCommitAt + this.#options.gatherMs - performance.now();
    await (waitMs > 0.5 && !this.#closed ? sleep(waitMs) : Promise.resolve()); // a timer cannot wait for less than 1 ms
    this.#lastCommitAt = performance.now();
  }

  #nextBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && (count === 0 || bytes + this.#queue[count]!.bytes.length <= maxBatchBytes)) {
      bytes += this.#queue[count++]!.bytes.length;
    }
    this.#inFlight = this.#queue.splice(0, count);
    return this.#inFlight;
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const next = [...this.#sink.next()];
    const rows = batch.map(({ partition, bytes }) => ({ partition, offset: next[partition]!++, bytes }));
    try {
      await this.#sink.commit(rows);
    } catch (error) {
      if (!(await this.#recovered(error, rows))) return this.#again(batch);
    }
    this.#inFlight = [];
    for (const [index, item] of batch.entries()) this.#succeed(item, rows[index]!.offset);
    this.#sink.committed(rows);
  }

  /** Whether the rows are stored after all. One transaction: if one is there, all are. */
  async #recovered(cause: unknown, rows: readonly Row[]): Promise<boolean> {
    try {
      await this.#sink.recover(cause);
    } catch (error) {
      this.#logger.warn({ err: error }, "the log was closed while an append's fate was unknown");
      return false;
    }
    const last = rows.at(-1)!;
    return this.#sink.next()[last.partition]! > last.offset;
  }

  /** Not stored: back to the head of the queue, in the old order, without those that have given up. */
  #again(batch: readonly Waiting[]): void {
    this.#inFlight = [];
    this.#queue.unshift(...batch.filter((item) => !item.settled));
    if (this.#closed) this.#failAll();
  }

  #failAll(): void {
    for (const item of [...this.#inFlight, ...this.#queue]) this.#fail(item, unavailable("the log is closed"));
    this.#queue = [];
  }

  #succeed(item: Waiting, offset: number): void {
    this.counts.appendedRecords++;
    this.counts.appendedBytes += item.bytes.length;
    if (!this.#settle(item)) return;
    item.resolve(offset);
  }

  #fail(item: Waiting, error: Error): void {
    if (!this.#settle(item)) return;
    this.counts.rejectedRecords++;
    item.reject(error);
  }

  #settle(item: Waiting): boolean {
    if (item.settled) return false;
    item.settled = true;
    this.counts.pendingBytes -= item.bytes.length;
    return true;
  }

  /** One timer for the oldest append (all have the same time to wait). */
  #armExpiry(): void {
    if (this.#expiry) return;
    const oldest = this.#inFlight.find(({ settled }) => !settled) ?? this.#queue[0];
    if (!oldest) return;
    this.#expiry = setTimeout(
      () => {
        this.#expiry = undefined;
        this.#expire();
        this.#armExpiry();
      },
      Math.max(1, oldest.deadline - performance.now()),
    ).unref();
  }

  #expire(): void {
    const now = performance.now();
    const late = [...this.#inFlight, ...this.#queue].filter((item) => item.deadline <= now);
    for (const item of late) this.#fail(item, unavailable(`no commit within ${this.#options.timeoutMs} ms`));
    this.#queue = this.#queue.filter((item) => !item.settled);
  }
}

function unavailable(why: string): TelltaleError {
  return new TelltaleError("unavailable", `The record may not be saved: ${why}.`, { retryAfterMs: 1_000 });
}
