import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { processesIn } from "../../server/store/postgres-processes.ts";
import { run, runCli, runNode } from "../support/cli.ts";
import { type Platform, startPlatform } from "../support/platform.ts";
import { end } from "../support/processes.ts";

const MAIN = fileURLToPath(new URL("../../server/main.ts", import.meta.url));
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
}, 300_000); // a clone with its packages is a gigabyte to remove

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "telltale-start-"));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function platform(env: NodeJS.ProcessEnv): Promise<Platform> {
  const it = await startPlatform(env);
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

describe("what cannot start says so in one sentence, with exit code 1:", () => {
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

  test("a bad variable", async () => {
    expect(await refused({ PORT: "eighty" })).toMatch(/^PORT is "eighty".*65,?535/);
  });

  test("a folder that cannot be written", async () => {
    const file = join(folder(), "file");
    writeFileSync(file, "");
    expect(await refused({ DATA_DIR: join(file, "data") })).toMatch(/^DATA_DIR is ".*data", which cannot be written/);
  });

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

  test("a data folder that a running platform has", async () => {
    const first = await platform({ DATA_DIR: folder() });
    expect(await refused({ DATA_DIR: first.dataDir })).toMatch(/ is in use by process \d+: stop that one first/);
  });
});

describe("the platform", () => {
  test("ends cleanly within seconds on Ctrl-C, and the next start finds all data", async () => {
    const dataDir = folder();
    const first = await platform({ DATA_DIR: dataDir });
    expect((await post(first, "kept")).status).toBe(200);
    const before = await latest(first, "kept");
    const asked = performance.now();
    await end(first.process, "SIGINT");
    expect(performance.now() - asked).toBeLessThan(10_000);
    expect(first.process.exitCode).toBe(0);
    expect(processesIn(join(dataDir, "postgres"))).toEqual([]);
    const second = await platform({ DATA_DIR: dataDir });
    expect(await latest(second, "kept")).toEqual(before);
  });

  test("starts again at once after kill -9 of everything that belongs to it", async () => {
    const dataDir = folder();
    const first = await platform({ DATA_DIR: dataDir });
    expect((await post(first, "kept")).status).toBe(200);
    const before = await latest(first, "kept");
    const pids = processesIn(join(dataDir, "postgres"));
    expect(pids.length).toBeGreaterThan(3);
    const gone = once(first.process, "exit");
    for (const pid of [first.process.pid!, ...pids]) process.kill(pid, "SIGKILL");
    await gone;
    const second = await platform({ DATA_DIR: dataDir });
    expect(await latest(second, "kept")).toEqual(before);
  });
});

// Installs everything anew: minutes of network and a gigabyte of disk, which is for CI rather than for every run on a laptop.
const inCi = process.env.CI === "true" || process.env.TELLTALE_TEST_CLONE === "1" ? describe : undefined;
inCi?.("on a fresh clone", () => {
  test("npm start installs what is missing, and the second start does not", { timeout: 900_000 }, async () => {
    const clone = join(folder(), "clone");
    const root = fileURLToPath(new URL("../..", import.meta.url));
    execFileSync("git", ["clone", "-q", root, clone]);
    const start = async (): Promise<{ seconds: number; said: string }> => {
      const since = performance.now();
      const started = run("npm", ["start"], { PORT: "0", GRPC_PORT: "0", LOG_LEVEL: "warn", CI: "" }, clone);
      cleanups.push(() => started.process.kill("SIGTERM"));
      await expect.poll(started.stdout, { timeout: 600_000, interval: 50 }).toContain("Telltale is ready.");
      const seconds = (performance.now() - since) / 1000;
      started.process.kill("SIGINT");
      expect(await started.ended).toBe(0);
      return { seconds, said: started.stderr() };
    };
    expect((await start()).said).toContain("Installing dependencies");
    expect(existsSync(join(clone, ".telltale", "postgres", "PG_VERSION"))).toBe(true);
    const second = await start();
    expect(second.said).not.toContain("Installing");
    expect(second.seconds).toBeLessThan(20);
  });
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
