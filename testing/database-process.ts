// A process that starts the embedded database and keeps it, for tests that kill it. Told what to do by its parent's message.
import { pino } from "pino";
import postgres from "postgres";
import { startEmbeddedPostgres } from "../server/postgres/embedded.ts";

interface Order {
  readonly dataDir: string;
  /** Become this user first: everything is loaded by then, so that the user needs no way into the checkout. */
  readonly uid?: number;
  readonly binaries?: string;
}

const tell = (message: object) => new Promise((resolve) => process.send!(message, resolve));

process.once("message", async ({ dataDir, uid, binaries }: Order) => {
  try {
    if (uid !== undefined) {
      process.setgroups!([]);
      process.setgid!(uid);
      process.setuid!(uid);
    }
    const logger = pino({ level: "silent" });
    const database = await startEmbeddedPostgres({ dataDir, logger, ...(binaries === undefined ? {} : { binaries }) });
    const sql = postgres({ ...database.address, max: 1 });
    await sql`CREATE TABLE IF NOT EXISTS kept AS SELECT generate_series(1, 1000) AS n`;
    const [row] = await sql<{ rows: number }[]>`SELECT count(*)::int AS rows FROM kept`;
    process.on("message", async (message) => {
      if (message !== "stop") return;
      await sql.end();
      await database.stop();
      process.exit(0);
    });
    await tell({ pid: database.pid, rows: row!.rows });
  } catch (error) {
    await tell({ error: String(error) });
    process.exit(1);
  }
});
