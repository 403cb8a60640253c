/** Secrets of the installation: named by the environment, or made when the first is needed and kept in the database. */
import type { Sql } from "postgres";
import type { Clock } from "../clock.ts";
import { type Environment, text } from "../environment.ts";
import { StartupError } from "../errors.ts";
import type { Secret } from "./config/config.ts";

/** Where it is kept: a table of one row. */
export interface Keeping {
  readonly table: "notify_link_key" | "web_push_key";
  readonly column: "secret" | "private_key";
  /** One that nobody has. */
  readonly make: () => Buffer;
}

/**
 * Where the variable of that name, or its file by NAME_FILE, has it; undefined: in the database.
 *
 * @param check throws an error with what is wrong with a value
 * @throws StartupError where both are set, or the value is refused
 */
export function givenKey(env: Environment, name: string, check: (value: string) => unknown): Secret | undefined {
  const file = text(env, `${name}_FILE`);
  const given = text(env, name);
  if (given !== undefined && file !== undefined) {
    throw new StartupError(`${name} and ${name}_FILE are both set: set one of them.`);
  }
  if (file !== undefined) return Object.freeze({ file });
  if (given === undefined) return undefined;
  try {
    check(given);
  } catch (error) {
    throw new StartupError(`${(error as Error).message}.`);
  }
  return Object.freeze({ env: name });
}

/** Where a given one stands, for a complaint about it. */
export function placeOf(given: Secret): string {
  if ("file" in given) return given.file;
  return "env" in given ? given.env : "the configuration";
}

/** Read whenever it is needed: all processes have the same, and what is replaced by one counts at once in all. */
export async function keptKey(sql: Sql, clock: Clock, { table, column, make }: Keeping): Promise<Buffer> {
  const read = () => sql`select ${sql(column)} as key from ${sql(table)}`;
  const [found] = await read();
  if (found !== undefined) return found.key;
  await sql`insert into ${sql(table)} (${sql(column)}, made_us) values (${make()}, ${clock.nowUs()})
    on conflict do nothing`;
  const [made] = await read();
  return made!.key;
}

/** Puts another in its place, at `nowUs`. */
export async function replaceKey(sql: Sql, nowUs: number, { table, column, make }: Keeping): Promise<void> {
  await sql`insert into ${sql(table)} (${sql(column)}, made_us) values (${make()}, ${nowUs})
    on conflict (only_row) do update set ${sql(column)} = excluded.${sql(column)}, made_us = excluded.made_us`;
}
