import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sql } from "postgres";
import { StartupError } from "../errors.ts";

export const MIGRATIONS: string = join(import.meta.dirname, "migrations");
/** Any constant of our own: all processes of an installation ask for the same lock. */
const LOCK = 7_351_909_402;

/**
 * Brings the schema up to date: files `NNN_name.sql` in the order of their numbers, each in a transaction of its own, under an
 * advisory lock so that replicas can start together. Throws StartupError where the database is newer than this program.
 */
export async function migrate(sql: Sql, folder: string = MIGRATIONS): Promise<void> {
  const files = (await readdir(folder)).filter((f) => /^\d{3}_\w+\.sql$/.test(f)).sort();
  // The library reserves only a connection that is open already, where it does not fetch types.
  await sql`select 1`;
  const session = await sql.reserve();
  try {
    await session`select pg_advisory_lock(${LOCK})`;
    await session`create table if not exists schema_version (
      number int primary key, name text not null, applied_at timestamptz not null default now())`;
    const done = new Set((await session`select number from schema_version`).map((r) => r.number as number));
    const known = files.map((f) => Number(f.slice(0, 3)));
    const newest = Math.max(0, ...done);
    if (newest > Math.max(...known)) {
      throw new StartupError(
        `The database has schema ${newest}, this program knows up to ${Math.max(...known)}: start the newer program, or give it another database.`,
      );
    }
    for (const [i, file] of files.entries()) {
      const number = known[i]!;
      if (done.has(number)) continue;
      const text = await readFile(join(folder, file), "utf8");
      await session.unsafe(
        `begin; ${text}; insert into schema_version (number, name) values (${number}, '${file}'); commit`,
      );
    }
  } finally {
    await session`select pg_advisory_unlock(${LOCK})`.catch((error: unknown) => {
      // The lock ends with the session in any case.
      if (!(error instanceof Error)) throw error;
    });
    session.release();
  }
}
