import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Sql } from "postgres";
import { REASONS } from "../detect/index.ts";
import type { SqlAddress } from "../postgres/connection.ts";
import { isUnavailable } from "../postgres/unavailable.ts";
import {
  closedGenerations,
  compactGeneration,
  dropGeneration,
  isLockTimeout,
  type Moved,
  markNow,
  PORTION_POINTS,
  rollGeneration,
} from "./compact.ts";
import { openStoreSql } from "./postgres.ts";
import { type Removed, removeDeleted } from "./removal.ts";
import { deleteExpired } from "./retention.ts";
import { type Completed, completeSome } from "./rollup-completion.ts";

/** A generation is closed at this age, so that aggregates and small blocks of slow sensors are never older; */
const GENERATION_MS = 3_600_000;
/** at this many readings, which compact in seconds; */
const GENERATION_READINGS = 2_000_000;
/** or at this size on disk, where its readings came one by one. */
const GENERATION_BYTES = 256 * 1024 * 1024;
/** How often the size is looked at: at full speed a generation fills in some ten seconds. */
const CHECK_MS = 5_000;
const RETENTION_MS = 3_600_000;
/**
 * Points of a portion, and the rest after it as a multiple of the time it took, by the number of generations that wait, the one at hand among
 * them. While another fills there is time to compact this one ten times over, and what is done at once is taken from readings that
 * arrive; but reads slow down with each that waits.
 */
const PACES = [
  { points: PORTION_POINTS / 4, rest: 5 },
  { points: PORTION_POINTS, rest: 2 },
  { points: PORTION_POINTS, rest: 1 },
] as const;
const AT_ONCE = { points: PORTION_POINTS, rest: 0 } as const;
/** Rest after each transaction of a removal, as a multiple of the time it took: what arrives goes first. */
const REMOVAL_REST = 1;
/** The same after each transaction that completes aggregates, which nobody waits for; and how long one look may go on with it. */
const COMPLETION_REST = 3;
const COMPLETION_MS = 4_000;
/** A portion that takes longer than this is stuck. */
const STATEMENT_TIMEOUT_MS = 300_000;

export interface MaintenanceOptions {
  readonly sql: SqlAddress;
  readonly logger: Logger;
  /** Readings older than this are deleted; 0 keeps all. */
  readonly retentionDays: number;
  /** Called with each portion that was compacted. */
  readonly onMoved?: (moved: Moved) => void;
  /** Called after each look, whoever did the work. */
  readonly onLooked?: (facts: MaintenanceFacts) => void;
  /** For tests: looks only when asked. */
  readonly manual?: boolean;
}

/** What a look at the database found, and did. */
export interface MaintenanceFacts {
  /** Generations of small blocks that are closed and not compacted yet. */
  readonly waitingGenerations: number;
  readonly compactedReadings: number;
  /** Blocks deleted because they were past their days; months dropped as tables. */
  readonly expiredBlocks: number;
  readonly expiredMonths: number;
  /** Sensors that were deleted and of which not everything is removed yet; deletions that were finished. */
  readonly waitingDeletions: number;
  readonly finishedDeletions: number;
}

export interface Compacted {
  readonly readings: number;
  readonly rewritten: number;
  readonly blocks: number;
}

export interface Maintenance {
  /** Closes the generation and compacts all that is closed. Rejects when the database is unavailable. */
  compactNow(): Promise<Compacted>;
  /** Deletes what is past its days. */
  expireNow(): Promise<void>;
  /** Removes what is stored of deleted sensors. */
  removeNow(): Promise<Removed>;
  /** Completes what aggregates lack. */
  completeNow(): Promise<Completed>;
  /** Ends after the transaction under way. */
  close(): Promise<void>;
}

/** Compaction and retention in the background. Every replica may run it: a lock in the database lets one work at a time. */
export function startMaintenance(options: MaintenanceOptions): Maintenance {
  const { logger, retentionDays } = options;
  const sql = openStoreSql(options.sql, 1, STATEMENT_TIMEOUT_MS, "telltale-maintenance");
  const stop = new AbortController();
  /** For each emptied generation, a transaction number after it was. */
  const emptied = new Map<number, string>();
  let queue: Promise<unknown> = Promise.resolve();
  let expiredAt = 0;
  let named = false;

  /** Closes the open generation where it is due, and the lock for it can be had; otherwise the next one who looks does. */
  async function rollDue(): Promise<boolean> {
    if (!(await isGenerationDue(sql))) return false;
    try {
      await rollGeneration(sql);
      return true;
    } catch (error) {
      if (isLockTimeout(error)) return false;
      throw error;
    }
  }

  /** One thing at a time. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = queue.then(work);
    queue = result.catch((error: unknown) => error); // the caller gets the error
    return result;
  }

  /** Closed generations with readings, oldest first. Emptied ones that are not dropped yet cost readers nothing, and are no reason to hurry. */
  async function waitingGenerations(): Promise<number[]> {
    return (await closedGenerations(sql)).filter((each) => !emptied.has(each));
  }

  async function compactClosed(rested: boolean): Promise<Compacted> {
    const sum = { readings: 0, rewritten: 0, blocks: 0 };
    let waiting = await waitingGenerations();
    const pace = () => (rested ? (PACES[waiting.length - 1] ?? AT_ONCE) : AT_ONCE);
    // What else there is to do has its turn after one more than waited at first, however fast they are closed.
    for (let left = waiting.length + 1; left > 0 && waiting.length > 0; left--, waiting = await waitingGenerations()) {
      const generation = waiting[0]!;
      let beganMs = performance.now();
      const afterPortion = async (moved: Moved) => {
        sum.readings += moved.readings;
        sum.rewritten += moved.rewritten;
        sum.blocks += moved.blocks;
        options.onMoved?.(moved);
        stop.signal.throwIfAborted();
        const tookMs = performance.now() - beganMs;
        // Where readings arrive faster than this goes, with its rests, the open one would grow with each turn; more that wait make haste.
        if (await rollDue()) waiting = await waitingGenerations();
        const { rest } = pace();
        if (rest > 0) await delay(rest * tookMs, undefined, { signal: stop.signal });
        beganMs = performance.now();
      };
      await compactGeneration(sql, generation, afterPortion, () => pace().points);
      emptied.set(generation, await markNow(sql));
    }
    const closed = await closedGenerations(sql);
    for (const [generation, mark] of emptied) {
      if (!closed.includes(generation) || (await dropGeneration(sql, generation, mark))) emptied.delete(generation);
    }
    if (sum.readings > 0) logger.info(sum, "compacted");
    return sum;
  }

  async function expire(): Promise<{ blocks: number; months: number }> {
    if (retentionDays === 0) return { blocks: 0, months: 0 };
    const expired = await deleteExpired(sql, retentionDays, Date.now() * 1000);
    if (expired.blocks > 0 || expired.months > 0) logger.info(expired, "deleted readings past their days");
    return expired;
  }

  async function remove(rested: boolean): Promise<Removed> {
    let began = performance.now();
    const removed = await removeDeleted(sql, Date.now() * 1000, async () => {
      stop.signal.throwIfAborted();
      if (rested) await delay(REMOVAL_REST * (performance.now() - began), undefined, { signal: stop.signal });
      began = performance.now();
    });
    if (removed.finished > 0) logger.info(removed, "removed what was stored of deleted sensors");
    return removed;
  }

  async function complete(rested: boolean): Promise<Completed> {
    const sum = { days: 0, readings: 0 };
    const startedMs = performance.now();
    for (let beganMs = startedMs; !rested || beganMs - startedMs < COMPLETION_MS; beganMs = performance.now()) {
      const done = await completeSome(sql);
      if (done === undefined) break;
      sum.days += done.days;
      sum.readings += done.readings;
      stop.signal.throwIfAborted();
      if (rested) await delay(COMPLETION_REST * (performance.now() - beganMs), undefined, { signal: stop.signal });
    }
    if (sum.days > 0) logger.info(sum, "completed aggregates for charts");
    return sum;
  }

  /** The names of reasons for SQL. Once for each start: a new version may know more. */
  async function nameReasons(): Promise<void> {
    if (named) return;
    await sql`insert into reason ${sql(REASONS.map((name, id) => ({ id, name })))}
      on conflict (id) do update set name = excluded.name where reason.name <> excluded.name`;
    named = true;
  }

  async function look(): Promise<void> {
    await nameReasons();
    await rollDue();
    const removed = await remove(true);
    const { readings } = await compactClosed(true);
    const due = Date.now() - expiredAt >= RETENTION_MS;
    const { blocks, months } = due ? await expire() : { blocks: 0, months: 0 };
    if (due) expiredAt = Date.now();
    await complete(true);
    if (options.onLooked === undefined) return;
    options.onLooked({
      waitingGenerations: (await waitingGenerations()).length,
      compactedReadings: readings,
      expiredBlocks: blocks,
      expiredMonths: months,
      waitingDeletions: removed.waiting,
      finishedDeletions: removed.finished,
    });
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await delay(CHECK_MS, undefined, { signal: stop.signal });
        await inTurn(look);
      } catch (error) {
        if (stop.signal.aborted) return;
        // The next look retries; a lock that could not be had is one of these.
        const message = isUnavailable(error) ? "maintenance waits for the database" : "maintenance failed";
        logger.warn({ err: error }, message);
      }
    }
  }

  const running = options.manual ? Promise.resolve() : run();
  return {
    compactNow: () =>
      inTurn(async () => {
        await nameReasons();
        await rollGeneration(sql);
        return compactClosed(false);
      }),
    removeNow: () => inTurn(() => remove(false)),
    completeNow: () => inTurn(() => complete(false)),
    expireNow: async () => {
      await inTurn(expire);
    },
    close: async () => {
      stop.abort();
      await running;
      await queue;
      await sql.end({ timeout: 5 });
    },
  };
}

/** Whether the open generation is old, long or large enough to be closed. Its age counts from the look that finds its first reading. */
export async function isGenerationDue(sql: Sql): Promise<boolean> {
  await sql`update block_generation set opened_at = clock_timestamp()
    where opened_at is null and readings_before < (select coalesce(sum(readings), 0) from log_partition)`;
  const [row] = await sql`
    select coalesce((extract(epoch from clock_timestamp() - opened_at) * 1000)::float8, 0) as age,
      (select coalesce(sum(readings), 0)::bigint from log_partition) - readings_before as readings,
      pg_total_relation_size(to_regclass('block_new_' || current))::bigint as bytes
    from block_generation`;
  const { age, readings, bytes } = row as unknown as { age: number; readings: number; bytes: number };
  return readings > 0 && (age >= GENERATION_MS || readings >= GENERATION_READINGS || bytes >= GENERATION_BYTES);
}
