/** A database of somebody else's that takes no writes: refused with the reason, nothing acknowledged is lost, and it goes on by itself. */
import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { unprivileged } from "../../testing/processes.ts";
import { noDisk, SmallDisk } from "../../testing/small-disk.ts";

const eventually = <T>(look: () => Promise<T>) => vi.waitFor(look, { timeout: 60_000, interval: 200 });
/** Large enough that the log cannot put a batch into room that it has already. */
const POINTS = 5_000;

let server: TestPostgres;
let admin: postgres.Sql;
let platform: Platform;
let batches = 0;
/** Batches by what became of them. */
let acknowledged: number[];
let refused: number[];
/** Those of which nobody knows yet. */
let open: number[];

beforeAll(async () => {
  server = await startPostgres();
  admin = postgres(server.url, { max: 1, onnotice: () => undefined });
}, 60_000);
afterAll(async () => {
  await admin?.end();
  await server?.stop();
});

let database = "";
async function start(name: string): Promise<void> {
  database = name;
  [batches, acknowledged, refused, open] = [0, [], [], []];
  platform = await startPlatform({ DATABASE_URL: server.url.replace(/[^/]*$/, database), PARTITIONS: "2" });
}

async function send(batch: number): Promise<{ status: number; code?: string; message?: string; retry: string | null }> {
  const at = (1_700_000_000 + batch * POINTS) * 1e6;
  const block = {
    ...{ sensorId: "a", sensorType: "t", unit: "C", baseTimeUs: String(at) },
    timeDeltasUs: Array.from({ length: POINTS }, (_, i) => (i === 0 ? 0 : 1_000_000)),
    values: Array.from({ length: POINTS }, () => 20 + Math.random()),
  };
  const response = await fetch(`${platform.grpc}/telltale.v1.IngestService/SubmitReadings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ blocks: [block] }),
  });
  const body = (await response.json()) as { code?: string; message?: string };
  if (response.status === 200) acknowledged.push(batch);
  else if (body.code === "resource_exhausted") refused.push(batch);
  else open.push(batch);
  return { ...body, status: response.status, retry: response.headers.get("retry-after") };
}

const rest = () =>
  fetch(`${platform.http}/api/v1/sensors/data`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sensor_id: "r", sensor_type: "t", unit: "C", value: 1 }),
  });
const readiness = async () => (await fetch(`${platform.grpc}/health`)).status;
const health = async () =>
  (await (await fetch(`${platform.http}/api/v1/monitoring/health`)).json()) as { services: Record<string, string> };
const stored = async () => {
  const sql = postgres(server.url.replace(/[^/]*$/, database), { max: 1 });
  try {
    const [row] = await sql`select coalesce(sum(readings), 0)::int as n from log_partition`;
    return row!.n as number;
  } finally {
    await sql.end();
  }
};

/** Refuses from a moment on, says why, and takes everything again once there is room. */
async function refusesAndGoesOn(
  fill: () => unknown,
  free: () => unknown,
  { said, still }: { said: string; still: () => Promise<void> },
): Promise<void> {
  for (let i = 0; i < 3; i++) expect((await send(batches++)).status).toBe(200);
  await fill();
  const answer = await eventually(async () => {
    const sent = await send(batches++);
    expect(sent.code).toBe("resource_exhausted");
    return sent;
  });
  expect(answer.message).toContain(said);
  expect(Number(answer.retry)).toBeGreaterThan(0);
  const byRest = await rest();
  expect([byRest.status, byRest.headers.get("retry-after")]).toEqual([507, "10"]);
  expect(JSON.stringify(await byRest.json())).toContain(said);
  await eventually(async () => expect(await readiness()).toBe(503));
  expect((await health()).services.database).toMatch(new RegExp(`^unhealthy: .*${said}`));
  await still();
  expect((await send(batches++)).code).toBe("resource_exhausted");
  expect(platform.process.exitCode).toBeNull();

  await free();
  await eventually(async () => expect(await readiness()).toBe(200));
  // What was refused was not stored, and what was acknowledged is.
  await eventually(async () => expect(await stored()).toBe((acknowledged.length + open.length) * POINTS));
  for (const batch of refused.splice(0)) expect((await send(batch)).status).toBe(200);
  expect(await stored()).toBe(batches * POINTS);
  expect((await rest()).status).toBe(200);
  expect((await health()).services.database).toBe("healthy");
}

describe.skipIf(noDisk !== undefined)(`a tablespace without room [${noDisk ?? "53100"}]`, () => {
  const folder = mkdtempSync("/tmp/telltale-full-database-");
  let disk: SmallDisk;
  beforeAll(async () => {
    chmodSync(folder, 0o755);
    disk = new SmallDisk(join(folder, "disk"), "96m");
    const { uid, gid } = unprivileged();
    if (uid !== undefined) chownSync(disk.folder, uid, gid);
    await admin.unsafe(`create tablespace small location '${disk.folder}'`);
    await admin.unsafe("create database small tablespace small");
    await start("small");
  }, 120_000);
  afterAll(async () => {
    await platform?.stop();
    await admin.unsafe("drop database if exists small with (force)");
    await admin.unsafe("drop tablespace if exists small");
    disk?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test("refuses with the reason and goes on when there is room", async () => {
    await refusesAndGoesOn(
      () => disk.fill(),
      () => disk.free(),
      {
        said: "has no room on its disk",
        // A trial that would succeed where a batch does not would let readings in again and again.
        still: async () => {
          const before = platform.output().match(/readings are taken/g)?.length ?? 0;
          await new Promise((resolve) => setTimeout(resolve, 6_000));
          expect(platform.output().match(/readings are taken/g)?.length ?? 0).toBe(before);
        },
      },
    );
  }, 180_000);
});

describe("a database that allows reading only, as managed ones do when their disk is full", () => {
  beforeAll(async () => {
    await admin.unsafe("create database managed");
    await start("managed");
  }, 120_000);
  afterAll(() => platform?.stop());

  test("refuses with the reason and goes on when it may be written to", async () => {
    const only = async (on: boolean) => {
      await admin.unsafe("set default_transaction_read_only = off");
      await admin.unsafe(`alter system set default_transaction_read_only = ${on ? "on" : "off"}`);
      await admin.unsafe("select pg_reload_conf()");
    };
    await refusesAndGoesOn(
      () => only(true),
      () => only(false),
      { said: "takes no writes", still: async () => undefined },
    );
  }, 180_000);
});
