/** Overrides of schedules in PostgreSQL. */
import type { Row, Sql } from "postgres";
import type { Override } from "./oncall.ts";

/** Those that are not over: each may be looked at for every message. */
export const MAX_OVERRIDES = 500;
/** Over for longer than this, they are removed. */
const KEPT_US = 90 * 86_400_000_000;

export type NewOverride = Omit<Override, "id" | "createdUs">;

/** Undefined where there are too many already. */
export async function addOverride(sql: Sql, override: NewOverride, nowUs: number): Promise<Override | undefined> {
  const { schedule, receiver, replaces, startsUs, endsUs, author, comment } = override;
  await sql`delete from on_call_override where ends_us < ${nowUs - KEPT_US}`;
  const [row] = await sql`insert into on_call_override
      (schedule, receiver, replaces, starts_us, ends_us, author, comment, created_us, updated_us)
    select ${schedule}, ${receiver}, ${replaces}, ${startsUs}, ${endsUs}, ${author}, ${comment}, ${nowUs}, ${nowUs}
    where (select count(*) from on_call_override where ends_us > ${nowUs}) < ${MAX_OVERRIDES}
    returning *`;
  return row && overrideOf(row);
}

/** Ends it now; one that has not begun never does. Undefined where there is none of this id, or it is over. */
export async function endOverride(sql: Sql, id: string, nowUs: number): Promise<Override | undefined> {
  const [row] = await sql`update on_call_override
    set ends_us = ${nowUs}, starts_us = least(starts_us, ${nowUs}), updated_us = ${nowUs}
    where id::text = ${id} and ends_us > ${nowUs} returning *`;
  return row && overrideOf(row);
}

/** Another whenever one was made or ended, whatever the clock of the process says that did it. */
export async function overridesVersion(sql: Sql): Promise<number> {
  const [row] = await sql`select version from notify_version where of_table = 'on_call_override'`;
  return row!.version;
}

/** Those that end after a time, in the order in which they were made. */
export async function readOverrides(sql: Sql, { endAfterUs }: { readonly endAfterUs: number }): Promise<Override[]> {
  const rows = await sql`select * from on_call_override where ends_us > ${endAfterUs} order by made`;
  return rows.map(overrideOf);
}

function overrideOf(r: Row): Override {
  const { id, schedule, receiver, replaces, author, comment } = r;
  const times = { startsUs: r.starts_us, endsUs: r.ends_us, createdUs: r.created_us };
  return { id, schedule, receiver, replaces, author, comment, ...times };
}
