import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDeviceClient } from "../../client/index.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { silentLogger } from "../../server/observe/logger.ts";
import { fsck, type OpenStore, openStore } from "../../server/offline.ts";
import { startMaintenance } from "../../server/store/maintenance.ts";
import { runCli } from "../../testing/cli.ts";
import { startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";

let dataDir: string;
let store: OpenStore | undefined;
let sql: Sql;

const registryOf = (baseUrl: string) => createClient(RegistryService, createGrpcTransport({ baseUrl }));

/** Three sensors over three days, some late, with a jump that alerts. */
async function fill(url: string, firstDay: number): Promise<void> {
  const client = createDeviceClient({ url, producer: "fsck-test", lingerMs: 0 });
  const at = (day: number, second: number) => 1_700_006_400e6 + (day * 86_400 + second) * 1e6;
  for (const sensorId of ["a", "b", "c"]) {
    const of = { sensorId, sensorType: "t", unit: "C" };
    for (let day = firstDay; day < firstDay + 3; day++) {
      const timesUs = Array.from({ length: 2_000 }, (_, n) => at(day, n * 5));
      const values = timesUs.map((_, n) => 20 + Math.sin(n * 1.7) + (n > 1_990 ? 100 + day : 0));
      await client.sendBlock({ ...of, timesUs, values });
    }
    await client.flush();
    await client.send({ ...of, value: 19, observedAtUs: at(firstDay, 1) });
  }
  expect((await client.flush()).accepted).toBe(18_003n);
  await client.close();
}

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "telltale-fsck-"));
  const platform = await startPlatform({ DATA_DIR: dataDir });
  await fill(platform.grpc, 0);
  await end(platform.process);
  store = await openStore({ dataDir, databaseUrl: undefined, logger: silentLogger() });
  sql = postgres({ ...(store.address as object), max: 1, onnotice: () => {} });
});

afterAll(async () => {
  await sql?.end();
  await store?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

test("what the platform stored is as promised, before and after it is compacted", async () => {
  expect(await fsck(store!.address)).toMatchObject({ problems: [], readings: 18_003 });
  const maintenance = startMaintenance({ sql: store!.address, logger: silentLogger(), retentionDays: 0, manual: true });
  await maintenance.compactNow();
  await maintenance.close();
  const [row] = await sql`select count(*)::int as blocks from block`;
  expect(row!.blocks).toBeGreaterThan(9);
  expect(await fsck(store!.address)).toMatchObject({ problems: [], readings: 18_003 });
});

test.each([
  "update series set readings = readings + 1 where sensor_id = 'a'",
  "update log_partition set late = late + 1",
  "update rollup set total = total + 1 where width = 3600",
  "delete from rollup where width = 86400",
  "insert into block select * from block limit 1",
  "update block set points = points - 1 where ctid = (select min(ctid) from block)",
  "update block set data = '\\x00'",
  "update block set model = 999",
  "update alert set last_seen_us = opened_us - 1",
  "delete from alert",
  "update log_partition set next_event = next_event + 1",
  "update log_partition set replay_offset = next_offset + 1",
])("finds the damage of: %s", async (damage) => {
  // What a statement damages is put back from copies.
  const tables = ["series", "log_partition", "rollup", "block", "alert"];
  for (const table of tables) await sql.unsafe(`create table saved_${table} as table ${table}`);
  try {
    await sql.unsafe(damage);
    expect((await fsck(store!.address)).problems).not.toEqual([]);
  } finally {
    for (const table of tables) {
      await sql.unsafe(`delete from ${table}`);
      await sql.unsafe(`insert into ${table} overriding system value select * from saved_${table}`);
      await sql.unsafe(`drop table saved_${table}`);
    }
  }
  expect((await fsck(store!.address)).problems).toEqual([]);
});

test("the command says that all is well, or what is wrong, by its exit code too", async () => {
  await sql.end();
  await store!.close();
  store = undefined;
  const good = runCli("fsck", "--data-dir", dataDir);
  expect(await good.ended, good.stderr()).toBe(0);
  expect(good.stdout()).toMatch(/^18003 readings in \d+ blocks: all is well\n$/);
  const nothing = runCli("fsck", "--data-dir", join(dataDir, "nothing"));
  expect(await nothing.ended).toBe(1);
  expect(nothing.stderr()).toMatch(/^DATA_DIR ".*nothing" holds no data of Telltale\.\n$/);
});

test("a sensor is deleted also where the platform is killed in the middle, and of the others nothing is lost", async () => {
  const killed = await startPlatform({ DATA_DIR: dataDir });
  const { deletion } = await registryOf(killed.grpc).deleteSensor({ sensorId: "b" });
  expect(deletion).toMatchObject({ readings: 6_001n, removedReadings: 0n });
  await end(killed.process, "SIGKILL");

  const again = await startPlatform({ DATA_DIR: dataDir });
  const registry = registryOf(again.grpc);
  const left = async () => (await registry.listSensorDeletions({ unfinished: true })).deletions.length;
  await expect.poll(left, { interval: 200 }).toBe(0);
  const [done] = (await registry.listSensorDeletions({})).deletions;
  expect(done).toMatchObject({ sensorId: "b", readings: 6_001n, removedReadings: 6_001n });
  expect((await registry.listSensors({})).sensors.map(({ sensorId }) => sensorId)).toEqual(["a", "c"]);
  await end(again.process);
  const checked = runCli("fsck", "--data-dir", dataDir);
  expect(await checked.ended, checked.stdout()).toBe(0);
  expect(checked.stdout()).toMatch(/^12002 readings in \d+ blocks: all is well\n$/);
});
