import type { Sql } from "postgres";
import { DAY_US, MINUTE_US } from "../lib/time.ts";
import { maintain } from "./compact.ts";
import { monthRange } from "./compact-points.ts";

const LOCK_TIMEOUT_MS = 1000;
/** Key in `meta`: readings before this time have been deleted. */
export const RETAINED_FROM = "retained_from_us";

export interface Expired {
  /** First microsecond kept; a UTC midnight. */
  readonly fromUs: number;
  readonly months: number;
  readonly blocks: number;
}

/**
 * Deletes compacted readings of whole UTC days that ended `days` ago or more, their metadata, their minutes and the attributes that
 * held until then; months that hold nothing else are dropped as tables. Hours and days of `rollup`, the sums of `series` and `log_partition` (which count all that was
 * ever stored) and alerts stay.
 */
export async function deleteExpired(sql: Sql, days: number, nowUs: number): Promise<Expired> {
  const fromUs = Math.floor(nowUs / DAY_US - days) * DAY_US;
  return maintain(sql, async (tx) => {
    await tx.unsafe(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await tx`insert into meta (key, value) values (${RETAINED_FROM}, ${String(fromUs)})
      on conflict (key) do update set value = excluded.value where meta.value::bigint < excluded.value::bigint`;
    let months = 0;
    for (const month of await blockMonths(tx)) {
      if (monthRange(month)[1] > fromUs) continue;
      await tx.unsafe(`drop table block_${month}`);
      months++;
    }
    const deleted = await tx`delete from block where first_us < ${fromUs}::bigint`;
    await tx`delete from log_tick where minute < ${Math.floor(fromUs / MINUTE_US)}::bigint`;
    await tx`delete from rollup where width = 60 and bucket_us < ${fromUs}::bigint`;
    await tx`delete from reading_metadata where observed_us < ${fromUs}::bigint`;
    // What was replaced later holds for readings that are kept.
    await tx`delete from sensor_attributes a where since_us < ${fromUs}::bigint and exists (
      select from sensor_attributes b
      where b.sensor_id = a.sensor_id and b.since_us > a.since_us and b.since_us <= ${fromUs}::bigint)`;
    return { fromUs, months, blocks: deleted.count };
  });
}

/** Months that have a partition of `block`, for example "2026_11". */
async function blockMonths(sql: Sql): Promise<string[]> {
  const rows = await sql`
    select substring(c.relname from 'block_(\\d{4}_\\d{2})$') as month
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'block'::regclass order by 1`;
  return rows.map((r) => r.month as string);
}
