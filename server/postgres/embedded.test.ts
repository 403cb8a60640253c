import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import postgres from "postgres";
import { afterEach, describe, expect, test } from "vitest";
import { packagedPostgres } from "./binaries.ts";
import { type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./embedded.ts";
import { processesIn } from "./processes.ts";

const isRoot = process.getuid?.() === 0;
const logger = pino({ level: "silent" });
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function folder(mode = 0o755): string {
  const path = mkdtempSync(join(tmpdir(), "telltale-test-"));
  chmodSync(path, mode);
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function start(dataDir: string, more: Partial<EmbeddedPostgresOptions> = {}) {
  const database = await startEmbeddedPostgres({ dataDir, logger, ...more });
  cleanups.push(() => database.stop());
  return database;
}

async function query(address: { path: string; database: string; username: string }, text: string) {
  const sql = postgres({ ...address, max: 1, fetch_types: false });
  try {
    return await sql.unsafe(text);
  } finally {
    await sql.end();
  }
}

/** Starts a database in a process of its own, which may first become another user; answers with what it reports. */
async function startElsewhere(dataDir: string, how: { uid?: number; binaries?: string } = {}) {
  const child = fork(join(import.meta.dirname, "../../testing/database-process.ts"), [], { detached: true });
  cleanups.push(() => child.kill("SIGKILL"));
  child.send({ dataDir, ...how });
  const [report] = (await once(child, "message")) as [{ pid?: number; error?: string; rows?: number; path?: string }];
  return { child, ...report };
}

const ended = (pid: number) => expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);

describe("the embedded database", () => {
  test("keeps its data over a stop and a start", async () => {
    const dataDir = folder();
    const first = await start(dataDir);
    await query(first.address, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
    await first.stop();
    expect(processesIn(join(dataDir, "postgres"))).toEqual([]);
    const second = await start(dataDir);
    expect(await query(second.address, "SELECT sum(n)::int AS sum FROM t")).toEqual([{ sum: 500500 }]);
  });

  test("writes every commit to disk and answers nobody but its own user", async () => {
    const dataDir = folder();
    const { address } = await start(dataDir);
    const [row] = await query(
      address,
      "SELECT current_setting('fsync') f, current_setting('synchronous_commit') c, current_setting('listen_addresses') l",
    );
    expect(row).toEqual({ f: "on", c: "on", l: "" });
    expect(statSync(join(dataDir, "postgres")).mode & 0o777).toBe(0o700);
  });

  test("refuses a folder that another process uses, with one sentence that names it", async () => {
    const dataDir = folder();
    await start(dataDir);
    const second = await startElsewhere(dataDir);
    expect(second.error).toBe(
      `StartupError: DATA_DIR "${dataDir}" is in use by process ${process.pid}: stop that one first, or name another folder for this one.`,
    );
  });

  test("refuses a database of another major version", async () => {
    const dataDir = folder();
    await (await start(dataDir)).stop();
    writeFileSync(join(dataDir, "postgres", "PG_VERSION"), "17\n");
    await expect(start(dataDir)).rejects.toThrow(/holds a database of PostgreSQL 17, and this .* PostgreSQL 18/);
  });

  test("refuses a path that is no folder", async () => {
    const file = join(folder(), "file");
    writeFileSync(file, "");
    await expect(start(file)).rejects.toThrow(/^DATA_DIR is ".*file", which cannot be written/);
  });

  test("works in a folder whose path is longer than a socket's address may be", async () => {
    const { address } = await start(join(folder(), "a".repeat(100), "b".repeat(100)));
    expect(await query(address, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("comes back by itself, at the same address, when it is killed", async () => {
    const database = await start(folder());
    await query(database.address, "CREATE TABLE t AS SELECT 1 AS one");
    const before = database.pid;
    process.kill(before, "SIGKILL");
    await expect.poll(() => query(database.address, "SELECT one FROM t").catch(() => [])).toEqual([{ one: 1 }]);
    expect(database.pid).not.toBe(before);
  });

  test("is given up, and leaves a newer one alone, when its folder is removed under it", async () => {
    const dataDir = join(folder(), "data");
    const lost = Promise.withResolvers<Error>();
    const first = await start(dataDir, { onLost: lost.resolve });
    rmSync(dataDir, { recursive: true });
    const second = await start(dataDir);
    process.kill(first.pid, "SIGKILL");
    expect((await lost.promise).message).toMatch(/was removed while the platform was running/);
    await first.stop();
    expect(await query(second.address, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("half made by a start that was killed, is made anew", async () => {
    const dataDir = folder();
    const child = fork(join(import.meta.dirname, "../../testing/database-process.ts"), [], { detached: true });
    child.send({ dataDir });
    const unfinished = () => readdirSync(dataDir).filter((name) => name.startsWith("postgres.new"));
    await expect
      .poll(() => unfinished().some((name) => existsSync(join(dataDir, name, "base"))), {
        interval: 5,
        timeout: 20_000,
      })
      .toBe(true);
    child.kill("SIGKILL");
    await once(child, "exit");
    const { address } = await start(dataDir);
    expect(await query(address, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(unfinished()).toEqual([]);
  });
});

describe("after kill -9 of the process that started it, the embedded database", () => {
  test("ends by itself, and the next start finds everything committed", async () => {
    const dataDir = folder();
    const { child, pid } = await startElsewhere(dataDir);
    child.kill("SIGKILL");
    await ended(pid!);
    const { address } = await start(dataDir);
    expect(await query(address, "SELECT count(*)::int AS rows FROM kept")).toEqual([{ rows: 1000 }]);
  });

  test("is ended by the next start where it still runs", async () => {
    const dataDir = folder();
    const { child, pid } = await startElsewhere(dataDir);
    // Stopped, it cannot follow its parent; the next start must deal with it once it goes on.
    process.kill(pid!, "SIGSTOP");
    child.kill("SIGKILL");
    await once(child, "exit");
    setTimeout(() => process.kill(pid!, "SIGCONT"), 500);
    const { address } = await start(dataDir);
    expect(await query(address, "SELECT count(*)::int AS rows FROM kept")).toEqual([{ rows: 1000 }]);
    await ended(pid!);
  });

  test("starts over a process id file that names a stranger", async () => {
    const dataDir = folder();
    const { child, pid } = await startElsewhere(dataDir);
    const file = join(dataDir, "postgres", "postmaster.pid");
    const text = readFileSync(file, "utf8");
    process.kill(pid!, "SIGKILL");
    child.kill("SIGKILL");
    await expect.poll(() => processesIn(join(dataDir, "postgres"))).toEqual([]);
    const owner = statSync(join(dataDir, "postgres"));
    const stranger = spawn("sleep", ["60"], isRoot ? { uid: owner.uid, gid: owner.gid } : {});
    cleanups.push(() => stranger.kill());
    await once(stranger, "spawn");
    writeFileSync(file, text.replace(/^\d+/, String(stranger.pid)));
    if (isRoot) chownSync(file, owner.uid, owner.gid);
    const { address } = await start(dataDir);
    expect(await query(address, "SELECT count(*)::int AS rows FROM kept")).toEqual([{ rows: 1000 }]);
  });
});

const asRoot = isRoot ? describe : describe.skip;
asRoot(`as ${isRoot ? "root" : "root [needs root]"}, the embedded database`, () => {
  test("works where only root may enter the folders of the data and of the programs", async () => {
    const secret = folder(0o700);
    const binaries = join(secret, "package", "native");
    cpSync(packagedPostgres(), binaries, { recursive: true, verbatimSymlinks: true });
    cpSync(join(packagedPostgres(), "..", "package.json"), join(secret, "package", "package.json"));
    const database = await start(join(secret, "data"), { binaries });
    expect(await query(database.address, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(statSync(`/proc/${database.pid}`).uid).not.toBe(0);
    await database.stop();
    const again = await start(join(secret, "data"), { binaries });
    expect(await query(again.address, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("can go over to a plain user's start and back, when the folder is that user's", async () => {
    const dataDir = folder();
    const uid = 54_777; // has no account
    chownSync(dataDir, 65_534, 65_534);
    const readable = folder();
    cpSync(join(packagedPostgres(), ".."), readable, { recursive: true, verbatimSymlinks: true });
    const binaries = join(readable, "native");
    const plain = await startElsewhere(dataDir, { uid: 65_534, binaries });
    expect(plain.error).toBeUndefined();
    expect(plain.rows).toBe(1000);
    plain.child.send("stop");
    await once(plain.child, "exit");
    const other = await startElsewhere(dataDir, { uid, binaries });
    expect(other.error).toMatch(/^StartupError: DATA_DIR is ".*", which cannot be written \(permission denied\)/);
    const root = await start(dataDir, { binaries });
    expect(await query(root.address, "SELECT count(*)::int AS rows FROM kept")).toEqual([{ rows: 1000 }]);
    expect(statSync(`/proc/${root.pid}`).uid).toBe(65_534);
  });
});
