/** Silences in PostgreSQL. */
import type { Row, Sql } from "postgres";
import type { Matcher } from "../../../formats/matchers.ts";
import { TelltaleError } from "../../errors.ts";
import { jsonText } from "../../postgres/literal.ts";
import { transaction } from "../../postgres/transaction.ts";
import { isUpdatable, type Silence } from "./silence.ts";

/** Silences that are not over, in all of an installation: each alert is held against every one of them. */
export const MAX_SILENCES = 500;
/** The others follow with the next look. */
export const TOLD_AT_ONCE = 10;
/** Over for longer than this, they are removed. */
const KEPT_US = 30 * 86_400_000_000;

export type NewSilence = Omit<Silence, "id" | "createdUs" | "updatedUs">;

/** @throws TelltaleError "exhausted" where there are too many already */
export async function addSilence(sql: Sql, silence: NewSilence, nowUs: number): Promise<Silence> {
  const { matchers, sensorPrefix, author, comment, startsUs, endsUs, tell, tellBeforeUs } = silence;
  await sql`delete from silence where ends_us < ${nowUs - KEPT_US}`;
  const [row] =
    await sql`insert into silence (matchers, sensor_prefix, author, comment, starts_us, ends_us, created_us, updated_us,
      tell, tell_before_us)
    select ${jsonText(matchers)}::text::jsonb, ${sensorPrefix}, ${author}, ${comment}, ${startsUs}, ${endsUs}, ${nowUs}, ${nowUs}, ${tell}, ${tellBeforeUs}
    where (select count(*) from silence where ends_us > ${nowUs}) < ${MAX_SILENCES}
    returning *`;
  if (row !== undefined) return silenceOf(row);
  throw new TelltaleError("exhausted", `there are ${MAX_SILENCES} silences already: end those that nobody needs`);
}

/**
 * Changes what is to come of it, or ends it now and puts a new one in its place: what a silence was stays on record. The rules are
 * Alertmanager's. Undefined where there is none of this id within the prefix.
 *
 * @throws TelltaleError "exhausted" where there is no room for a new one; then nothing has changed
 */
export function updateSilence(
  sql: Sql,
  { id, ...wanted }: NewSilence & { readonly id: string },
  nowUs: number,
): Promise<Silence | undefined> {
  return transaction(sql, async (tx) => {
    const { sensorPrefix, comment, startsUs, endsUs, tell, tellBeforeUs } = wanted;
    const [row] = await tx`select * from silence
      where id::text = ${id} and starts_with(sensor_prefix, ${sensorPrefix}) for update`;
    if (row === undefined) return undefined;
    const before = silenceOf(row);
    if (!isUpdatable(before, wanted, nowUs)) {
      await expireSilence(tx, { id, sensorPrefix }, nowUs);
      // It reaches no further than the one before.
      return addSilence(tx, { ...wanted, sensorPrefix: before.sensorPrefix }, nowUs);
    }
    const [updated] = await tx`update silence set comment = ${comment}, starts_us = ${startsUs}, ends_us = ${endsUs},
      tell = ${tell}, tell_before_us = ${tellBeforeUs}, updated_us = ${nowUs} where id = ${before.id} returning *`;
    return silenceOf(updated!);
  });
}

/** Gives a silence that is not over another end. */
export async function prolongSilence(tx: Sql, id: string, endsUs: number, nowUs: number): Promise<Silence> {
  const [row] = await tx`update silence set ends_us = ${endsUs}, updated_us = ${nowUs} where id = ${id} returning *`;
  return silenceOf(row!);
}

/** All that end soon and are to tell somebody of it: those that hide nothing yet stay among them. */
export async function silencesToTell(sql: Sql, nowUs: number): Promise<Silence[]> {
  const rows = await sql`select * from silence where tell <> '' and not is_reported and tell_before_us > 0
    and starts_us <= ${nowUs} and ends_us > ${nowUs} and ends_us - tell_before_us <= ${nowUs}
    and told_end_us is distinct from ends_us order by ends_us`;
  return rows.map(silenceOf);
}

export async function markTold(tx: Sql, { id, endsUs }: Silence): Promise<void> {
  await tx`update silence set told_end_us = ${endsUs} where id = ${id}`;
}

/** Those that are over, and are to tell somebody what they hid. One that was never in force hid nothing. */
export async function silencesToReport(sql: Sql, nowUs: number): Promise<Silence[]> {
  const rows = await sql`select * from silence where tell <> '' and not is_reported
    and ends_us <= ${nowUs} and starts_us < ends_us order by ends_us limit ${TOLD_AT_ONCE}`;
  return rows.map(silenceOf);
}

export async function markReported(tx: Sql, { id }: Silence): Promise<void> {
  await tx`update silence set is_reported = true where id = ${id}`;
}

/** Also where it is over. */
export async function findSilence(
  sql: Sql,
  { id, sensorPrefix }: { id: string; sensorPrefix: string },
): Promise<Silence | undefined> {
  const [row] = await sql`select * from silence where id::text = ${id} and starts_with(sensor_prefix, ${sensorPrefix})`;
  return row && silenceOf(row);
}

/** Ends it now; one that has not begun never does. Undefined where the caller has none of this id, or it is over. */
export async function expireSilence(
  sql: Sql,
  { id, sensorPrefix }: { id: string; sensorPrefix: string },
  nowUs: number,
): Promise<Silence | undefined> {
  const [row] = await sql`update silence
    set ends_us = ${nowUs}, starts_us = least(starts_us, ${nowUs}), updated_us = ${nowUs}
    where id::text = ${id} and ends_us > ${nowUs} and starts_with(sensor_prefix, ${sensorPrefix}) returning *`;
  return row && silenceOf(row);
}

/** Another whenever one was made, changed or ended, whatever the clock of the process says that did it. */
export async function silencesVersion(sql: Sql): Promise<number> {
  const [row] = await sql`select version from notify_version where of_table = 'silence'`;
  return row!.version;
}

/** Those that are in force or to come, the first to end first. */
export async function pendingSilences(sql: Sql, nowUs: number): Promise<Silence[]> {
  return (await sql`select * from silence where ends_us > ${nowUs} order by ends_us, id`).map(silenceOf);
}

/** All that are kept, newest first, behind a place. */
export async function listSilences(
  sql: Sql,
  o: {
    readonly limit: number;
    readonly sensorPrefix: string;
    /** Matchers that they have, to the letter. */
    readonly having: readonly Matcher[];
    /** Absent: also those that are over. */
    readonly notOverAtUs?: number;
    readonly before: { readonly timeUs: number; readonly id: string } | undefined;
  },
): Promise<Silence[]> {
  const { limit, sensorPrefix, having, notOverAtUs, before } = o;
  const active = notOverAtUs === undefined ? sql`true` : sql`ends_us > ${notOverAtUs}`;
  const behind = before === undefined ? sql`true` : sql`(created_us, id::text) < (${before.timeUs}, ${before.id})`;
  const rows =
    await sql`select * from silence where ${active} and ${behind} and starts_with(sensor_prefix, ${sensorPrefix})
      and matchers @> ${jsonText(having)}::text::jsonb
    order by created_us desc, id::text desc limit ${limit}`;
  return rows.map(silenceOf);
}

export function silenceOf(r: Row): Silence {
  const { id, matchers, sensor_prefix: sensorPrefix, author, comment, tell, tell_before_us: tellBeforeUs } = r;
  const times = { startsUs: r.starts_us, endsUs: r.ends_us, createdUs: r.created_us, updatedUs: r.updated_us };
  return { id, matchers, sensorPrefix, author, comment, tell, tellBeforeUs, ...times };
}
