/**
 * Completes aggregates that an earlier version stored, which lack what charts show, and those whose scores were replaced: in the background, from
 * the blocks, in small transactions. What is past its retention stays as it is.
 */
import type { Row, Sql } from "postgres";
import { DAY_US } from "../lib/time.ts";
import { list } from "../postgres/literal.ts";
import { maintain } from "./compact.ts";
import { Gathered } from "./compact-points.ts";
import { RETAINED_FROM } from "./retention.ts";
import { RollupRows } from "./rollup-sums.ts";

/** Readings gone through in one transaction: as many as compaction moves in one. */
const PORTION_READINGS = 131_072;
/** Series that are looked at for days to complete, in one transaction; and days of these. */
const PORTION_SERIES = 1_000;
const PORTION_DAYS = 1_000;
/**
 * Processes of an earlier version may still add to aggregates while a cluster is replaced: so long after the migration all series are gone through
 * once more.
 */
const REPLACED_WITHIN = "24 hours";

export interface Completed {
  /** Days of a series. */
  readonly days: number;
  readonly readings: number;
}

interface Place {
  readonly series: number;
  readonly dayUs: number;
}

/** Whether there may be aggregates that are not completed. */
export async function isCompleting(sql: Sql): Promise<boolean> {
  const [row] = await sql`select completed_at is null as completing from rollup_completion`;
  return row?.completing === true;
}

/** All are to be gone through: some are not completed any more. */
export async function beginCompletion(sql: Sql): Promise<void> {
  await sql`update rollup_completion
    set after_series = -1, after_us = 0, began_at = clock_timestamp(), completed_at = null`;
}

/** One transaction of it; undefined: there is nothing to do. */
export async function completeSome(sql: Sql): Promise<Completed | undefined> {
  return maintain(sql, async (tx) => {
    const from = await placeOf(tx);
    if (from === undefined) return undefined;
    const ids = await nextSeries(tx, from);
    if (ids.length === 0) {
      await tx`update rollup_completion set completed_at = began_at, after_series = -1, after_us = 0`;
      return undefined;
    }
    const days = await uncompleted(tx, ids, from);
    const readings = await complete(tx, days);
    const last = days.length === 0 ? { series: ids.at(-1)!, dayUs: Number.MAX_SAFE_INTEGER } : days.at(-1)!;
    await tx`update rollup_completion set after_series = ${last.series}, after_us = ${last.dayUs}`;
    return { days: days.length, readings };
  });
}

/** Where to go on; undefined where all is done. A pass begins where none has ended, or the last one began too early. */
async function placeOf(tx: Sql): Promise<Place | undefined> {
  const [row] = await tx`
    select c.*, c.began_at > c.completed_at as again, c.completed_at < v.applied_at + ${REPLACED_WITHIN}::interval as early,
      clock_timestamp() >= v.applied_at + ${REPLACED_WITHIN}::interval as replaced
    from rollup_completion c, schema_version v where v.number = 190`;
  if (row === undefined) return undefined;
  if (row.completed_at === null) return { series: row.after_series, dayUs: row.after_us };
  if (!row.early || !row.replaced) return undefined;
  if (row.again) return { series: row.after_series, dayUs: row.after_us };
  await tx`update rollup_completion set after_series = -1, after_us = 0, began_at = clock_timestamp()`;
  return { series: -1, dayUs: 0 };
}

/** The series at the place, of which days may be left, and those behind it. */
async function nextSeries(tx: Sql, from: Place): Promise<number[]> {
  const rows =
    await tx`select id from series where id > ${from.series} or (id = ${from.series} and ${from.dayUs}::bigint < ${Number.MAX_SAFE_INTEGER}::bigint)
    order by id limit ${PORTION_SERIES}`;
  return rows.map((r) => r.id as number);
}

interface Day extends Place {
  readonly minutesFromUs: number;
}

/** The next days that are not completed and of which the readings are there, up to a portion of readings and at least one. */
async function uncompleted(tx: Sql, ids: readonly number[], from: Place): Promise<Day[]> {
  const rows = await tx`
    select s.id as series, r.bucket_us, r.readings, coalesce(m.minutes_from_us, ${Number.MAX_SAFE_INTEGER}::bigint) as minutes_from_us
    from unnest(${list(ids)}::int[]) s(id) left join rollup_series m on m.series = s.id cross join lateral (
      select bucket_us, readings from rollup where series = s.id and width = 86400 and charted <> readings
        and bucket_us >= (select coalesce(max(value::bigint), 0) from meta where key = ${RETAINED_FROM}) offset 0) r
    where (s.id, r.bucket_us) > (${from.series}, ${from.dayUs}::bigint)
    order by 1, 2 limit ${PORTION_DAYS}`;
  let readings = 0;
  const cut = rows.findIndex((r) => {
    readings += r.readings as number;
    return readings > PORTION_READINGS;
  });
  return rows.slice(0, cut === -1 ? rows.length : Math.max(1, cut)).map(dayOf);
}

function dayOf(r: Row): Day {
  return { series: r.series, dayUs: r.bucket_us, minutesFromUs: r.minutes_from_us };
}

async function complete(tx: Sql, days: readonly Day[]): Promise<number> {
  if (days.length === 0) return 0;
  const first = days.reduce((least, { dayUs }) => Math.min(least, dayUs), Number.POSITIVE_INFINITY);
  const end = days.reduce((most, { dayUs }) => Math.max(most, dayUs), 0) + DAY_US;
  const blocks = await tx`
    select x.place::int, b.* from unnest(${list(days.map((d) => d.series))}::int[], ${list(days.map((d) => d.dayUs))}::bigint[])
      with ordinality x(series, day, place)
    join block b on b.series = x.series and b.first_us >= x.day and b.first_us < x.day + ${DAY_US}::bigint
      and b.first_us >= ${first}::bigint and b.first_us < ${end}::bigint
    order by x.place, b.first_us`;
  const gathered = new Gathered(PORTION_READINGS);
  const rows = new RollupRows();
  for (const [place, ofDay] of Map.groupBy(blocks, (r) => r.place as number)) {
    const from = gathered.length;
    for (const block of ofDay) gathered.add(block as never);
    const { series, minutesFromUs } = days[place - 1]!;
    rows.addPoints(series, gathered.points, { from, to: gathered.length, minutesFromUs });
  }
  await rows.complete(tx);
  return gathered.length;
}
