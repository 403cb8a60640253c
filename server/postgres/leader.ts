/** Work that one process of an installation does, step by step, each in a transaction. */
import { setTimeout as delay } from "node:timers/promises";
import type { Sql } from "postgres";
import type { Logger } from "../observe/logger.ts";
import { allEnded, type Ending, endingTransaction } from "./transaction.ts";

/** What tells that there is something to do: see `live/feed.ts`. */
export interface Changes {
  readonly next: number;
  changed(position: number, timeoutMs: number, signal: AbortSignal): Promise<boolean>;
}

export interface LeaderOptions<T, R> {
  /** Of one connection, which nothing else uses: the lock is its session's, so that who lost it cannot write either. */
  readonly sql: Sql;
  /** The number of an advisory lock of its own. */
  readonly lock: number;
  /** For the log, such as "incidents are derived". */
  readonly what: string;
  readonly logger: Logger;
  readonly changes: Changes;
  /** What nobody tells of, and a lock that its holder has lost, are looked for this often. */
  readonly lookAgainMs: number;
  /** What each step reads first, and changes nothing: it is asked for behind the lock, without waiting for that. */
  readonly read: (tx: Sql) => Promise<R>;
  /**
   * In the transaction of the session that leads. What is kept in memory from step to step has to be held against the store: another process
   * may have gone on, and this one lead again, between two steps. Undefined: another version of the program has to do it.
   */
  readonly step: (tx: Sql, read: R) => Promise<Ending<T> | undefined>;
  /** What a step did, once it is committed; undefined: another process leads. Answers for how long there is nothing to do without a change. */
  readonly onStep: (done: T | undefined) => number;
  /** A step failed: what it has left in memory is perhaps not stored. */
  readonly onFailed: () => void;
}

const STANDS_BY: Ending<undefined> = { statements: [], done: () => undefined };

/** Leads, or asks for the lock of whoever does. */
export class Leader<T, R> {
  readonly #o: LeaderOptions<T, R>;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: LeaderOptions<T, R>) {
    this.#o = options;
    this.#running = this.#run();
  }

  /** Waits for the step under way; then another process may go on. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the process ends"));
    await this.#running;
    await this.#o.sql.end({ timeout: 5 });
  }

  async #run(): Promise<void> {
    const { sql, changes, logger, what, lookAgainMs, onStep, onFailed } = this.#o;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      // Taken before the look, so that nothing committed meanwhile goes unseen.
      const seen = changes.next;
      try {
        const waitMs = onStep(await endingTransaction(sql, (tx) => this.#step(tx)));
        if (waitMs > 0) await changes.changed(seen, waitMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        onFailed();
        logger.warn({ err: error, retryInMs: lookAgainMs }, `${what} later`);
        await delay(lookAgainMs, undefined, { signal }).catch(() => undefined); // ends with the process
      }
    }
  }

  async #step(tx: Sql): Promise<Ending<T | undefined>> {
    const { lock, read, step } = this.#o;
    // Sent together, the lock first: it does not wait to be awaited.
    const asked = tx`select pg_try_advisory_lock(${lock}) as leads`.execute();
    const [[row], found] = await allEnded([asked, read(tx)]);
    if (!row!.leads) return STANDS_BY;
    const ending = await step(tx, found);
    if (ending !== undefined) return ending;
    await tx`select pg_advisory_unlock_all()`;
    return STANDS_BY;
  }
}
