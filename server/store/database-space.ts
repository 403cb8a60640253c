/**
 * Room in a database that is somebody else's. How much there is cannot be asked, so that it counts as full from the first write that it
 * refuses for want of room until a trial succeeds: what comes in meanwhile is refused with the reason, and goes on by itself.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Sql } from "postgres";
import { transaction } from "../postgres/transaction.ts";
import { isUnavailable, withoutRoom } from "../postgres/unavailable.ts";
import type { Room } from "./space.ts";

/**
 * Before a trial: soon at first, for people who wait, and twice as long after each that fails. A trial writes 8 MiB, which a database
 * that has been full for an hour should not be asked for every few seconds.
 */
const FIRST_WAIT_MS = 2_000;
const MOST_WAIT_MS = 30_000;
/** Rows of a trial, one a page of 8 KiB: 8 MiB, as much as the log may write at once. */
const TRIAL_ROWS = 1024;
const ROW_CHARACTERS = 7000;

export interface DatabaseSpaceOptions {
  readonly logger: Pick<Logger, "info" | "warn" | "error" | "debug">;
  /** Rejects where the database has no room. */
  readonly tryRoom: () => Promise<void>;
  /** By default those of above. */
  readonly waits?: { readonly firstMs: number; readonly mostMs: number };
}

export class DatabaseSpace implements Room {
  full: string | undefined;
  readonly #o: DatabaseSpaceOptions;
  readonly #firstMs: number;
  readonly #mostMs: number;
  readonly #closing = new AbortController();
  #looking: Promise<void> | undefined;
  #waitMs: number;
  /** When readings were let in without a trial that says so, on the clock of `performance`. */
  #unprovenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: DatabaseSpaceOptions) {
    this.#o = options;
    const { firstMs, mostMs } = options.waits ?? { firstMs: FIRST_WAIT_MS, mostMs: MOST_WAIT_MS };
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
    this.#waitMs = firstMs;
  }

  refused(error: unknown): void {
    const why = withoutRoom(error);
    if (why === undefined || this.#closing.signal.aborted) return;
    const before = this.full;
    this.full = why;
    if (before !== undefined) return;
    this.#o.logger.error({ err: error }, `${why}: readings are refused until it takes writes again`);
    // Where trials cannot be made, readings are the trials: those that fail soon are to come more and more rarely as well.
    if (performance.now() - this.#unprovenAtMs > this.#mostMs) this.#waitMs = this.#firstMs;
    this.#looking = this.#look();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#looking;
  }

  /** Tries until there is room. Ends with the trial that clears `full`: the next refusal has a search of its own, however soon it comes. */
  async #look(): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      await delay(this.#waitMs, undefined, { signal }).catch(() => undefined); // closing ends the wait
      if (signal.aborted) return;
      this.#waitMs = Math.min(2 * this.#waitMs, this.#mostMs);
      const open = await this.#o.tryRoom().then(
        () => this.#open(),
        (error: unknown) => this.#openAfter(error),
      );
      if (open) return;
    }
  }

  #open(): boolean {
    this.full = undefined;
    this.#waitMs = this.#firstMs;
    this.#o.logger.info("the database takes writes again: readings are taken");
    return true;
  }

  /** Whether a trial that failed lets readings in. */
  #openAfter(error: unknown): boolean {
    const { logger } = this.#o;
    const why = withoutRoom(error);
    if (why !== undefined || isUnavailable(error)) {
      this.full = why ?? this.full;
      logger.debug({ err: error }, "there is no room in the database yet");
      return false;
    }
    // It says nothing of room, for example that the user may make no temporary tables. Who waits for it to say more waits for ever.
    this.full = undefined;
    this.#unprovenAtMs = performance.now();
    logger.warn(
      { err: error },
      "room in the database cannot be tried: readings are taken, and refused again if it refuses them",
    );
    return true;
  }
}

/**
 * Writes to where the tables are and takes it back. What it writes is not logged ahead, but for a few rows of the catalogue: the
 * write-ahead log may have no room either.
 */
export async function tryRoom(sql: Sql): Promise<void> {
  await transaction(sql, async (tx) => {
    await tx.unsafe(`set local temp_tablespaces = '';
      create temporary table telltale_room (filler text) on commit drop;
      alter table telltale_room alter column filler set storage plain;
      insert into telltale_room select repeat('x', ${ROW_CHARACTERS}) from generate_series(1, ${TRIAL_ROWS})`);
  });
}
