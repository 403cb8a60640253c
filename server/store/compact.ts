/**
 * Moves readings from the small blocks of a closed generation into `block`: portion by portion, each in a transaction that takes
 * the rows out of the generation and puts their points, merged with what lies beside them, into blocks at rest. A statement sees
 * each reading exactly once at any time, and a process that is killed leaves whole portions behind.
 *
 * All of this and retention hold one advisory lock for the length of each transaction, so that of many replicas one works.
 */

import type { Sql } from "postgres";
import { DAY_US } from "../lib/time.ts";
import { copyIn } from "../postgres/copy.ts";
import { list } from "../postgres/literal.ts";
import { transaction } from "../postgres/transaction.ts";
import { BLOCK_COLUMNS } from "./blocks.ts";
import { type Existing, planDay, type Run } from "./compact-plan.ts";
import { type BlockRow, ColdRows, Gathered, monthRange } from "./compact-points.ts";
import { addToRollups, type Stretch } from "./rollup.ts";

/**
 * Points moved in one transaction: some 60 bytes of memory each, and some hundred milliseconds of work. A half of it costs an eighth more CPU a
 * reading, twice of it an eighth less, and delays for longer what arrives meanwhile.
 */
export const PORTION_POINTS = 131_072;
/** Points of old blocks rewritten in one transaction. Late readings far apart touch a block each. */
const MOST_REWRITTEN = 4 * PORTION_POINTS;
/** Rows fetched at once: 12 MB where all are full. */
const FETCH_ROWS = 512;
/** Writers and readers wait behind a lock that is waited for: rather give up and come again. */
const LOCK_TIMEOUT_MS = 1000;
/** Any constant of our own. */
const MAINTENANCE_LOCK = 7_351_909_403;

/** A place in a generation: rows are in the order of (series, last_us). */
interface Place {
  readonly series: number;
  readonly lastUs: number;
}
const START: Place = { series: -1, lastUs: -1 };

/** Whether a lock was not had within `lock_timeout`. */
export function isLockTimeout(error: unknown): boolean {
  return (error as { code?: string }).code === "55P03";
}

export interface Moved {
  readonly readings: number;
  /** Readings of old blocks written again. */
  readonly rewritten: number;
  readonly blocks: number;
}

/** Runs `work` in a transaction under the lock of maintenance; waits for another replica's transaction to end. */
export async function maintain<T>(sql: Sql, work: (tx: Sql) => Promise<T>): Promise<T> {
  return transaction(sql, async (tx) => {
    await tx`select pg_advisory_xact_lock(${MAINTENANCE_LOCK})`;
    return work(tx);
  });
}

/**
 * Opens a new generation and answers with the number of the closed one. While the lock on log_partition is held no commit is under
 * way: all later ones see the new number. Fails with 55P03 when the lock cannot be had soon; then nothing has changed.
 */
export async function rollGeneration(sql: Sql): Promise<number> {
  return maintain(sql, async (tx) => {
    const [row] = await tx`select current from block_generation`;
    const closed = row!.current as number;
    const next = closed + 1;
    const table = `block_new_${next}`;
    // Made apart and then attached: readers of block_new are not blocked.
    await tx.unsafe(`
      set local lock_timeout = ${LOCK_TIMEOUT_MS};
      create table ${table} (like block_new including defaults including storage)
        with (autovacuum_enabled = false, toast.autovacuum_enabled = false);
      alter table ${table} alter column generation set default ${next};
      create index on ${table} (series, last_us);
      create index on ${table} (last_us) where anomalies > 0;
      alter table block_new attach partition ${table} for values in (${next});
      lock table log_partition in exclusive mode;
      update block_generation set current = ${next}, opened_at = null,
        readings_before = (select coalesce(sum(readings), 0) from log_partition)`);
    return closed;
  });
}

/** Tables of blocks on arrival or at rest. */
export async function blockTables(sql: Sql, of: "block_new" | "block"): Promise<string[]> {
  const rows = await sql`select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = ${of}::regclass order by 1`;
  return rows.map((r) => r.name as string);
}

/** Closed generations that still have a table, oldest first. */
export async function closedGenerations(sql: Sql): Promise<number[]> {
  const rows = await sql`
    select substring(c.relname from 'block_new_(\\d+)$')::int as generation
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'block_new'::regclass order by 1`;
  const [row] = await sql`select current from block_generation`;
  return rows.map((r) => r.generation as number).filter((g) => g < (row!.current as number));
}

/**
 * Compacts a closed generation and calls back after each portion. Leaves the empty table, see `dropGeneration`.
 *
 * @param pointsOf the most points of the next portion
 */
export async function compactGeneration(
  sql: Sql,
  generation: number,
  afterPortion: (moved: Moved) => Promise<void> | void = () => {},
  pointsOf = () => PORTION_POINTS,
): Promise<void> {
  for (let place: Place | undefined = START; place !== undefined; ) {
    const from: Place = place;
    let limit = pointsOf();
    let portion: { moved: Moved; end: Place | undefined } | undefined;
    // Late readings that touch too many blocks at once: a smaller portion of them.
    for (; portion === undefined; limit = Math.ceil(limit / 8)) {
      portion = await maintain(sql, (tx) => movePortion(tx, generation, from, limit));
    }
    place = portion.end;
    if (portion.moved.readings > 0) await afterPortion(portion.moved);
  }
}

/** Undefined: the portion would rewrite too much, and nothing was done. */
async function movePortion(tx: Sql, generation: number, from: Place, limit: number) {
  const leaf = `block_new_${generation}`;
  if (!(await isThere(tx, leaf))) return { moved: { readings: 0, rewritten: 0, blocks: 0 }, end: undefined };
  // Nested loops into the index of block, whatever the statistics say of a table that was just made.
  await tx.unsafe(
    "set local synchronous_commit = off; set local enable_hashjoin = off; set local enable_mergejoin = off",
  );
  const gathered = new Gathered(limit);
  const { stretches, last, all } = await gather(tx, leaf, from, limit, gathered);
  if (last === undefined) return { moved: { readings: 0, rewritten: 0, blocks: 0 }, end: undefined };
  const readings = gathered.length;
  sortStretches(gathered, stretches);
  const days = cutDays(gathered, stretches);
  const existing = await existingBlocks(tx, days);
  const runs = days.map((d, i) => planDay(gathered.points.timeUs, d.from, d.to, existing[i]!));
  const rewritten = countRewritten(runs, existing);
  if (rewritten > MOST_REWRITTEN && limit > 1) return undefined;

  await addToRollups(tx, gathered.points, stretches);
  const rows = new ColdRows();
  const old = await takeExisting(tx, days, runs, existing, gathered);
  for (const [i, day] of days.entries()) {
    for (const run of runs[i]!) {
      const order = orderOf(run, existing[i]!, old, day.series, gathered);
      rows.add(day.series, gathered, order, run.endBlock < existing[i]!.length);
    }
  }
  for (const [month, copy] of rows.months) {
    await ensureMonth(tx, month);
    await copyIn(tx, `copy block_${month} (${BLOCK_COLUMNS}) from stdin with (format binary)`, [copy.finish()]);
  }
  await tx`delete from ${tx(leaf)} where (series, last_us) > (${from.series}, ${from.lastUs}::bigint)
    and (series, last_us) <= (${last.series}, ${last.lastUs}::bigint)`;
  return { moved: { readings, rewritten, blocks: rows.rows }, end: all ? undefined : last };
}

/** Reads rows from a place on until the limit of points is reached. */
async function gather(tx: Sql, leaf: string, from: Place, limit: number, into: Gathered) {
  const stretches: { series: number; from: number; to: number }[] = [];
  let last: Place | undefined;
  const cursor = tx`select series, first_us, last_us, first_id, points, model, data from ${tx(leaf)}
    where (series, last_us) > (${from.series}, ${from.lastUs}::bigint) order by series, last_us`.cursor(FETCH_ROWS);
  for await (const fetched of cursor) {
    for (const row of fetched as unknown as BlockRow[]) {
      if (into.length >= limit) return { stretches, last, all: false };
      const start = into.length;
      into.add(row);
      const current = stretches[stretches.length - 1];
      if (current?.series === row.series) current.to = into.length;
      else stretches.push({ series: row.series, from: start, to: into.length });
      last = { series: row.series, lastUs: row.last_us };
    }
  }
  return { stretches, last, all: true };
}

/** Brings each series' points into the order of time; they are, but for late ones. */
function sortStretches(gathered: Gathered, stretches: readonly Stretch[]): void {
  for (const { from, to } of stretches) {
    const { timeUs } = gathered.points;
    let rising = true;
    for (let i = from + 1; i < to && rising; i++) rising = timeUs[i]! >= timeUs[i - 1]!;
    if (rising) continue;
    const order = Array.from({ length: to - from }, (_, i) => from + i).sort((a, b) => timeUs[a]! - timeUs[b]!);
    const { length: _, ...columns } = gathered.points;
    for (const column of [...Object.values(columns), gathered.model]) {
      column.set(
        order.map((i) => column[i]!),
        from,
      );
    }
  }
}

interface Day extends Stretch {
  readonly dayUs: number;
}

function cutDays(gathered: Gathered, stretches: readonly Stretch[]): Day[] {
  const { timeUs } = gathered.points;
  const days: Day[] = [];
  for (const { series, from, to } of stretches) {
    for (let begin = from; begin < to; ) {
      const dayUs = Math.floor(timeUs[begin]! / DAY_US) * DAY_US;
      let end = begin + 1;
      while (end < to && timeUs[end]! < dayUs + DAY_US) end++;
      days.push({ series, from: begin, to: end, dayUs });
      begin = end;
    }
  }
  return days;
}

type Found = Existing & { readonly firstUs: number };

async function existingBlocks(tx: Sql, days: readonly Day[]): Promise<Found[][]> {
  const first = days.reduce((least, d) => Math.min(least, d.dayUs), Number.POSITIVE_INFINITY);
  const end = days.reduce((most, d) => Math.max(most, d.dayUs), 0) + DAY_US;
  const rows = await tx`
    select x.place::int, b.first_us, b.last_us, b.points
    from unnest(${list(days.map((d) => d.series))}::int[], ${list(days.map((d) => d.dayUs))}::bigint[])
      with ordinality x(series, day, place)
    join block b on b.series = x.series and b.first_us >= x.day and b.first_us < x.day + ${DAY_US}::bigint
      and b.first_us >= ${first}::bigint and b.first_us < ${end}::bigint
    order by x.place, b.first_us`;
  const found: Found[][] = days.map(() => []);
  for (const r of rows) found[r.place - 1]!.push({ firstUs: r.first_us, lastUs: r.last_us, points: r.points });
  return found;
}

function countRewritten(runs: readonly Run[][], existing: readonly Found[][]): number {
  let n = 0;
  runs.forEach((ofDay, i) => {
    for (const run of ofDay) for (let j = run.firstBlock; j < run.endBlock; j++) n += existing[i]![j]!.points;
  });
  return n;
}

const blockKey = (series: number, firstUs: number) => `${series}/${firstUs}`;

/** Takes the blocks that runs rewrite out of the table and appends their points; answers with where those are. */
async function takeExisting(
  tx: Sql,
  days: readonly Day[],
  runs: readonly Run[][],
  existing: readonly Found[][],
  into: Gathered,
): Promise<Map<string, [number, number]>> {
  const series: number[] = [];
  const firsts: number[] = [];
  days.forEach((day, i) => {
    for (const run of runs[i]!) {
      for (let j = run.firstBlock; j < run.endBlock; j++) {
        series.push(day.series);
        firsts.push(existing[i]![j]!.firstUs);
      }
    }
  });
  const taken = new Map<string, [number, number]>();
  if (series.length === 0) return taken;
  const low = firsts.reduce((a, b) => Math.min(a, b));
  const high = firsts.reduce((a, b) => Math.max(a, b));
  const rows = await tx`
    delete from block b using unnest(${list(series)}::int[], ${list(firsts)}::bigint[]) x(series, first_us)
    where b.series = x.series and b.first_us = x.first_us and b.first_us between ${low}::bigint and ${high}::bigint
    returning b.series, b.first_us, b.last_us, b.first_id, b.points, b.model, b.data`;
  for (const row of rows as unknown as BlockRow[]) {
    const from = into.length;
    into.add(row);
    taken.set(blockKey(row.series, row.first_us), [from, into.length]);
  }
  return taken;
}

/** The run's points, new and old, in rising order of time. */
function orderOf(
  run: Run,
  existing: readonly Found[],
  old: ReadonlyMap<string, [number, number]>,
  series: number,
  gathered: Gathered,
): number[] {
  const order: number[] = [];
  for (let j = run.firstBlock; j < run.endBlock; j++) {
    const [from, to] = old.get(blockKey(series, existing[j]!.firstUs))!;
    for (let i = from; i < to; i++) order.push(i);
  }
  for (let i = run.from; i < run.to; i++) order.push(i);
  const { timeUs } = gathered.points;
  for (let i = 1; i < order.length; i++) {
    if (timeUs[order[i]!]! < timeUs[order[i - 1]!]!) return order.sort((a, b) => timeUs[a]! - timeUs[b]!);
  }
  return order;
}

/**
 * Another replica may have dropped or made the table while this one waited for the lock of maintenance. A look into the catalog by a
 * query sees that; to_regclass would answer from what the session knew when its transaction began.
 */
async function isThere(tx: Sql, table: string): Promise<boolean> {
  const [row] = await tx`
    select exists (select from pg_class where relname = ${table} and pg_table_is_visible(oid)) as there`;
  return row!.there;
}

/** Makes the partition of `block` for a month unless it is there. Readers are not blocked. */
export async function ensureMonth(tx: Sql, month: string): Promise<void> {
  const table = `block_${month}`;
  if (await isThere(tx, table)) return;
  const [from, to] = monthRange(month);
  await tx.unsafe(`
    create table ${table} (like block including defaults including storage);
    alter table block attach partition ${table} for values from (${from}) to (${to})`);
}

/** Drops the empty table of a compacted generation. False: it is not empty, or something still reads it; come again. */
export async function dropGeneration(sql: Sql, generation: number, emptySince: string | undefined): Promise<boolean> {
  const leaf = `block_new_${generation}`;
  try {
    return await maintain(sql, async (tx) => {
      if (!(await isThere(tx, leaf))) return true;
      const [left] = await tx`select exists (select from ${tx(leaf)}) as any`;
      if (left!.any === true) return false;
      // A query that began before the last portion was moved sees the rows here still, and must find the table.
      if (emptySince === undefined || (await anyoneSince(tx, emptySince))) return false;
      await tx.unsafe(`set local lock_timeout = ${LOCK_TIMEOUT_MS / 4}; drop table ${leaf}`);
      return true;
    });
  } catch (error) {
    if (isLockTimeout(error)) return false;
    throw error;
  }
}

/** A mark of now for `dropGeneration`. */
export async function markNow(sql: Sql): Promise<string> {
  const [row] = await sql`select pg_current_xact_id()::text as now`;
  return row!.now as string;
}

async function anyoneSince(tx: Sql, mark: string): Promise<boolean> {
  const [row] = await tx`
    select exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
      and backend_xmin is not null and age(backend_xmin) > age((${mark}::text::bigint % 4294967296)::text::xid)) as any`;
  return row!.any === true;
}
