import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { storageFull } from "../errors.ts";
import { withoutRoom } from "../postgres/unavailable.ts";
import type { Log } from "./log.ts";
import { type Pending, PendingAppends, type PendingLimits } from "./pending.ts";
import type { Row } from "./rows.ts";

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
  /** The database has refused the rows for want of room: none of them is stored, and nobody waits for it. */
  onRefused(error: unknown): void;
  /** The rows are stored. */
  committed(rows: readonly Row[]): void;
}

/** Bytes in one transaction: large enough that its fixed cost vanishes, small enough to be through in tens of milliseconds. */
const maxBatchBytes = 8 * 1024 * 1024;

/** Gathers what waits into one commit at a time and gives each record its offset. */
export class Appender {
  readonly pending: PendingAppends;
  readonly #gatherMs: number;
  readonly #sink: Sink;
  readonly #logger: Logger;
  readonly #queue: Pending[] = [];
  #running: Promise<void> | undefined;
  #lastCommitAt = 0;

  /** `gatherMs`: shortest time from one commit to the next; what arrives meanwhile shares a transaction. */
  constructor(limits: PendingLimits, gatherMs: number, sink: Sink, logger: Logger) {
    this.pending = new PendingAppends(limits);
    this.#gatherMs = gatherMs;
    this.#sink = sink;
    this.#logger = logger;
  }

  async append(...[partition, record]: Parameters<Log["append"]>): Promise<number> {
    const item = this.pending.admit(partition, record);
    this.#queue.push(item);
    this.#running ??= this.#run();
    return await item.answer;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#gather();
      const batch = this.pending.takeBatch(this.#queue, maxBatchBytes);
      if (batch.length > 0) await this.#commit(batch);
    }
    this.#running = undefined;
  }

  async #gather(): Promise<void> {
    const waitMs = this.#lastCommitAt + this.#gatherMs - performance.now();
    // No timer waits for less than 1 ms. What this turn of the loop appends goes along in any case: a batch has readings for all partitions.
    await (waitMs > 0.5 && !this.pending.closed ? sleep(waitMs) : setImmediate());
    this.#lastCommitAt = performance.now();
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    const next = [...this.#sink.next()];
    const rows = batch.map(({ partition, bytes }) => ({ partition, offset: next[partition]!++, bytes }));
    try {
      await this.#sink.commit(rows);
    } catch (error) {
      const full = withoutRoom(error);
      if (full !== undefined) {
        for (const item of batch) this.pending.fail(item, storageFull(full, error));
        this.#sink.onRefused(error);
        return;
      }
      if (!(await this.#stored(rows, error))) {
        this.#queue.unshift(...batch); // again, in the old order; those that have given up are left out there
        return;
      }
    }
    for (const [index, item] of batch.entries()) this.pending.succeed(item, rows[index]!.offset);
    this.#sink.committed(rows);
  }

  /** Whether the rows of a failed commit are stored after all. One transaction: if one is there, all are. */
  async #stored(rows: readonly Row[], cause: unknown): Promise<boolean> {
    try {
      await this.#sink.recover(cause);
    } catch (error) {
      this.#logger.warn({ err: error }, "the log was closed while the fate of an append was unknown");
      return false;
    }
    const last = rows.at(-1)!;
    return this.#sink.next()[last.partition]! > last.offset;
  }
}
