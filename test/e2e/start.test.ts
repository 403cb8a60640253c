import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { afterEach, describe, expect, test } from "vitest";
import { processesIn } from "../../server/postgres/processes.ts";
import { runCli, runNode } from "../../testing/cli.ts";
import { copyEmbeddedDatabase } from "../../testing/database-template.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startPostgres } from "../../testing/postgres.ts";
import { end, freePort } from "../../testing/processes.ts";

const MAIN = fileURLToPath(new URL("../../server/main.ts", import.meta.url));
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "telltale-start-"));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function platform(env: NodeJS.ProcessEnv, options: { firstStart?: boolean } = {}): Promise<Platform> {
  const it = await startPlatform(env, options);
  cleanups.push(() => end(it.process, "SIGKILL"));
  return it;
}

async function latest(at: Platform, sensor: string): Promise<unknown> {
  return (await fetch(`${at.http}/api/v1/sensors/data/${sensor}/latest`)).json();
}

function post(at: Platform, sensor: string): Promise<Response> {
  const body = JSON.stringify({ sensor_id: sensor, sensor_type: "temperature", value: 21.5, unit: "C" });
  return fetch(`${at.http}/api/v1/sensors/data`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
}

/** What it says that cannot start: one sentence, with exit code 1. */
async function refused(env: NodeJS.ProcessEnv): Promise<string> {
  const run = runNode([MAIN], {
    DATA_DIR: join(folder(), "data"),
    PORT: "0",
    GRPC_PORT: "0",
    LOG_LEVEL: "warn",
    ...env,
  });
  cleanups.push(() => run.process.kill("SIGKILL"));
  expect(await run.ended).toBe(1);
  expect(run.stdout()).toBe("");
  const lines = run.stderr().trim().split("\n");
  expect(lines).toHaveLength(1);
  return lines[0]!;
}

describe("what cannot start says so in one sentence, with exit code 1:", () => {
  test("a bad variable", async () => {
    expect(await refused({ PORT: "eighty" })).toMatch(/^PORT is "eighty".*65,?535/);
  });

  test("a folder that cannot be", async () => {
    const file = join(folder(), "file");
    writeFileSync(file, "");
    expect(await refused({ DATA_DIR: join(file, "data") })).toMatch(/^DATA_DIR is ".*data", which cannot be written/);
    expect(await refused({ DATA_DIR: "/proc/x" })).toMatch(/^DATA_DIR is "\/proc\/x", which cannot be written \(/);
  }, 180_000);

  const mounts = process.getuid?.() === 0 ? test : test.skip;
  mounts.each([
    ["without room", "size=2m", /no space left|No space left/i],
    ["that can only be read", "size=2m,ro", /read-only file system/],
  ])("a folder on a disk %s", { timeout: 120_000 }, async (_, options, why) => {
    const disk = folder();
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", disk]);
    cleanups.push(() => execFileSync("umount", [disk]));
    const said = await refused({ DATA_DIR: join(disk, "data") });
    expect(said).toContain(`DATA_DIR is "${join(disk, "data")}"`);
    expect(said).toMatch(why);
    expect(existsSync(join(disk, "data")) ? readdirSync(join(disk, "data")) : []).toEqual([]);
  });

  test("a database that cannot be had, without its password", async () => {
    const said = await refused({ DATABASE_URL: `postgres://me:pa55word@127.0.0.1:${await freePort()}/plant` });
    expect(said).toMatch(/^DATABASE_URL is "postgres:.*plant", and that database cannot be reached: .*ECONNREFUSED/);
    expect(said).not.toMatch(/pa55word|me:/);
  }, 120_000);

  test("a database that has become one that can only be read", async () => {
    const server = await startPostgres();
    cleanups.push(() => server.stop());
    const running = await platform({ DATABASE_URL: server.url });
    await end(running.process);
    const sql = postgres(server.url, { max: 1 });
    await sql.unsafe(`alter database ${sql.options.database} set default_transaction_read_only = on`);
    await sql.end();
    expect(await refused({ DATABASE_URL: server.url })).toMatch(
      /^DATABASE_URL is "postgres:.*", and that database can only be read: .* make room where a full disk is why/,
    );
  }, 120_000);

  test("an address that is not of this machine", async () => {
    expect(await refused({ BIND_ADDRESS: "192.0.2.1", AUTH: "on" })).toMatch(
      /^BIND_ADDRESS is "192.0.2.1" \(EADDRNOTAVAIL\), but it must be an address of this machine/,
    );
  }, 120_000);

  test.each(["PORT", "GRPC_PORT"])("a %s that another program has", async (name) => {
    const other: Server = createServer().listen(0, "127.0.0.1");
    cleanups.push(() => other.close());
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const said = await refused({ [name]: String(port) });
    expect(said).toContain(name);
    expect(said).toContain(String(port));
    expect(said).toMatch(/in use/);
  });
});

describe("the platform", () => {
  test.each([
    ["at once", () => true],
    ["while the database is made", (dir: string) => readdirSync(dir).some((name) => name.startsWith("postgres.new"))],
    ["while the database starts", (dir: string) => existsSync(join(dir, "postgres", "postmaster.pid"))],
  ])("ends cleanly when it is told so during its start: %s", { timeout: 240_000 }, async (_, moment) => {
    const dataDir = join(folder(), "data");
    const env = { DATA_DIR: dataDir, PORT: "0", GRPC_PORT: "0", LOG_LEVEL: "info" };
    const starting = runNode([MAIN], env);
    cleanups.push(() => starting.process.kill("SIGKILL"));
    await expect.poll(starting.stderr, { timeout: 60_000, interval: 5 }).toContain('"msg":"starting"');
    await expect.poll(() => existsSync(dataDir) && moment(dataDir), { timeout: 60_000, interval: 5 }).toBe(true);
    const told = performance.now();
    starting.process.kill("SIGTERM");
    expect(await starting.ended, starting.stderr()).toBe(0);
    expect(performance.now() - told).toBeLessThan(30_000);
    expect(starting.stderr()).toContain('"signal":"SIGTERM","msg":"stopping"');
    expect(
      starting
        .stderr()
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith('{"level":"info"')),
    ).toEqual([]);
    await expect.poll(() => processesIn(join(dataDir, "postgres")), { timeout: 30_000 }).toEqual([]);
    await end((await platform({ DATA_DIR: dataDir }, { firstStart: true })).process);
  });

  test("says in its log when it starts, as what, when it is ready, stopping and stopped", async () => {
    const dataDir = folder();
    await copyEmbeddedDatabase(dataDir);
    const run = runNode([MAIN], { DATA_DIR: dataDir, PORT: "0", GRPC_PORT: "0", LOG_LEVEL: "info" });
    cleanups.push(() => run.process.kill("SIGKILL"));
    await expect.poll(run.stdout, { timeout: 90_000 }).toContain("End it with Ctrl-C");
    run.process.kill("SIGINT");
    expect(await run.ended).toBe(0);
    const lines = run
      .stderr()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
    const line = (msg: string) => lines.find((each) => each.msg === msg);
    const about = { version: "0.1.0", node: process.version, pid: run.process.pid };
    const roles = ["ingest", "score", "query", "gateway", "notify"];
    expect(line("starting")).toMatchObject({ ...about, roles });
    expect(line("ready")).toMatchObject({
      ...about,
      roles,
      grpcPort: expect.any(Number),
      httpPort: expect.any(Number),
    });
    expect(line("stopping")).toMatchObject({ signal: "SIGINT" });
    expect(line("stopped")).toMatchObject({ afterMs: expect.any(Number) });
    expect(lines.at(-1).msg).toBe("stopped");
  }, 180_000);

  test("has its data folder for itself, and starts again with all data at once after kill -9 and after Ctrl-C", async () => {
    const dataDir = folder();
    const first = await platform({ DATA_DIR: dataDir });
    expect(await refused({ DATA_DIR: dataDir })).toMatch(/ is in use by process \d+: stop that one first/);
    expect((await post(first, "kept")).status).toBe(200);
    const before = await latest(first, "kept");
    const pids = processesIn(join(dataDir, "postgres"));
    expect(pids.length).toBeGreaterThan(3);
    const gone = once(first.process, "exit");
    for (const pid of [first.process.pid!, ...pids]) process.kill(pid, "SIGKILL");
    await gone;

    const second = await platform({ DATA_DIR: dataDir });
    expect(await latest(second, "kept")).toEqual(before);
    expect((await post(second, "also")).status).toBe(200);
    const also = await latest(second, "also");
    const asked = performance.now();
    await end(second.process, "SIGINT");
    expect(performance.now() - asked).toBeLessThan(10_000);
    expect(second.process.exitCode).toBe(0);
    expect(processesIn(join(dataDir, "postgres"))).toEqual([]);

    const third = await platform({ DATA_DIR: dataDir });
    expect([await latest(third, "kept"), await latest(third, "also")]).toEqual([before, also]);
  }, 180_000);
});

test("the command line runs the platform too, and passes options on", async () => {
  const run = runCli(
    "serve",
    "--data-dir",
    join(folder(), "data"),
    "--port",
    "0",
    "--grpc-port",
    "0",
    "--log-level",
    "warn",
  );
  cleanups.push(() => run.process.kill("SIGKILL"));
  await expect.poll(run.stdout, { timeout: 60_000 }).toContain("Telltale is ready.");
  run.process.kill("SIGTERM");
  expect(await run.ended).toBe(0);
});
