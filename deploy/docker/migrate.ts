/** Brings the schema of DATABASE_URL up to date and ends: for a job that runs before a new version is rolled out. */
import { migrate } from "../../server/postgres/migrate.ts";
import { openStoreSql } from "../../server/store/postgres.ts";

/** Adding an index to a large table takes longer than any query. */
const TIMEOUT_MS = 3_600_000;

const url = process.env.DATABASE_URL;
if (!url) {
  console.error("DATABASE_URL is not set: say which database is to be brought up to date.");
  process.exit(1);
}
const sql = openStoreSql(url, 1, TIMEOUT_MS);
try {
  await migrate(sql);
  const [row] = await sql`select max(number) as number from schema_version`;
  process.stdout.write(`The database has schema ${row?.number}.\n`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await sql.end({ timeout: 5 });
}
