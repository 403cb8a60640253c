/** Names of sensors in PostgreSQL: see `migrations/170_sensor_names.sql`. */
import type { Sql } from "postgres";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { transaction } from "../postgres/transaction.ts";

/** Ids that lead to one sensor: each is kept in memory by every process that takes readings. */
export const MAX_NAMES = 20;

/** What `rename_sensor` raises. */
const REFUSED = "TT004";
const DEADLOCK = "40P01";

/** A sensor and the id that it is to have. */
export interface Renaming {
  /** What the log knows it by. */
  readonly key: string;
  /** What is shown of it. */
  readonly shown: string;
  readonly name: string;
  readonly nowUs: number;
  readonly who: string;
}

/**
 * Whether a new id may be given: "reserved" leads to the sensor from now on, "own" did before; "taken": there is a sensor of that id, or it
 * leads to one; "removing": what was stored under it is not removed yet; "many": the sensor has as many as it may have.
 */
export type Reserved = "reserved" | "own" | "taken" | "removing" | "many";

/** Lets the new id lead to the sensor. */
export function reserveName(sql: Sql, { key, shown, name, nowUs, who }: Renaming): Promise<Reserved> {
  return transaction(sql, async (tx): Promise<Reserved> => {
    const [known] = await tx`select key from sensor_name where name = ${name}`;
    if (known !== undefined) return known.key === key ? "own" : "taken";
    const [found] = await tx`
      select exists (select from sensor_deletion where finished_us is null and sensor_id = ${name}) as removing,
        exists (select from series where sensor_id = ${name}) or exists (select from sensor_profile where sensor_id = ${name})
          or exists (select from alert where sensor_id = ${name}) as taken,
        (select count(*)::int from sensor_name where key = ${key}) as names`;
    // What is being removed has alerts yet: a sensor of the id that was begun since has a series or a profile.
    if (found!.removing) return "removing";
    if (found!.taken) return "taken";
    if (found!.names >= MAX_NAMES) return "many";
    await tx`insert into sensor_name (name, key, current, named_us, named_by) values (${shown}, ${key}, true, ${nowUs}, ${who})
      on conflict (name) do nothing`;
    const made = await tx`insert into sensor_name (name, key, current, named_us, named_by)
      values (${name}, ${key}, false, ${nowUs}, ${who}) on conflict (name) do nothing`;
    if (made.count === 1) return "reserved";
    const [other] = await tx`select key from sensor_name where name = ${name}`;
    return other?.key === key ? "own" : "taken";
  });
}

/** Takes a reservation back that came to nothing; of a sensor that was never renamed nothing is left. */
export async function releaseName(sql: Sql, { key, name }: Renaming): Promise<void> {
  await transaction(sql, async (tx) => {
    await tx`delete from sensor_name where name = ${name} and key = ${key} and not current`;
    await tx`delete from sensor_name where key = ${key} and name = ${key}
      and not exists (select from sensor_name n where n.key = ${key} and n.name <> n.key)`;
  });
}

/** Shows the sensor under the new id. "gone": it was deleted meanwhile; "taken": there is a sensor of that id by now. */
export async function completeRename(
  sql: Sql,
  { key, shown, name, nowUs, who }: Renaming,
  partition: number,
): Promise<"done" | "gone" | "taken"> {
  try {
    await sql`select rename_sensor(${key}, ${partition}, ${name}, ${nowUs}, ${who})`;
    return "done";
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    // A commit that has to do with an alert of the past waited for this one, and the other way round.
    if (code === DEADLOCK)
      throw new TelltaleError("unavailable", `alerts of ${quoted(shown)} are being changed: try again`, {
        cause: error,
      });
    if (code === REFUSED && (message === "gone" || message === "taken")) return message;
    throw error;
  }
}

/** Of the names, as all processes see them that know it. */
export async function namesVersion(sql: Sql): Promise<number> {
  const [row] = await sql`select version from sensor_name_version`;
  return row!.version;
}
