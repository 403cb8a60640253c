/** What the sessions of an embedded database are for. */
import { join } from "node:path";
import postgres from "postgres";

/** Their names by process id, of the platform's own. */
export async function sessionsOf(dataDir: string): Promise<Map<string, string>> {
  const path = join(dataDir, "postgres", ".s.PGSQL.5432");
  const sql = postgres({ path, database: "telltale", username: "telltale", max: 1 });
  try {
    const rows =
      await sql`select pid::text, application_name as name from pg_stat_activity where application_name like 'telltale%'`;
    return new Map(rows.map(({ pid, name }) => [pid as string, name as string]));
  } finally {
    await sql.end();
  }
}

/** CPU by thread and process of the platform, as `cpuInside` has it: those of the database by what they are for. */
export async function named(used: Record<string, number>, dataDir: string): Promise<Record<string, number>> {
  const sessions = await sessionsOf(dataDir);
  const sums: Record<string, number> = {};
  for (const [of, seconds] of Object.entries(used)) {
    const session = sessions.get(of)?.replace(/^(telltale-log)-.*/, "$1");
    const name = session ?? (Number.isInteger(Number(of)) ? "database, other" : of);
    sums[name] = (sums[name] ?? 0) + seconds;
  }
  return sums;
}
