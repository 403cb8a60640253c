/** The database that the platform brings along, alone. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../server/postgres/embedded.ts";
import { hold } from "../testing/held.ts";

export interface Database {
  readonly pid: number;
  readonly address: EmbeddedPostgres["address"];
  /** Stops it and removes its data. */
  stop(): Promise<void>;
}

export async function startDatabase(): Promise<Database> {
  const dataDir = await mkdtemp(join(tmpdir(), "telltale-bench-"));
  let postgres: EmbeddedPostgres | undefined;
  const stop = hold({ folder: dataDir }, async () => {
    await postgres?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  postgres = await startEmbeddedPostgres({ dataDir, logger: pino({ level: "silent" }) });
  return { pid: postgres.pid, address: postgres.address, stop };
}

/** A temporary folder that goes when the script ends, if not before. */
export async function temporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "telltale-bench-"));
  return { path, remove: hold({ folder: path }, () => rm(path, { recursive: true, force: true })) };
}
