/** The platform is started with another model when its log has lost its beginning. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultModel } from "../../server/detect/index.ts";
import { type Client, openClient } from "../../server/postgres/connection.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

const folder = mkdtempSync("/tmp/telltale-model-");
let postgres: TestPostgres;
let admin: Client;

beforeAll(async () => {
  postgres = await startPostgres();
  admin = openClient(postgres.url, { max: 1 });
}, 60_000);
afterAll(async () => {
  await admin.sql.end();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

const start = (more: NodeJS.ProcessEnv = {}) =>
  startPlatform({ DATABASE_URL: postgres.url, PARTITIONS: "2", LOG_LEVEL: "info", ...more });

/** Sends readings from..to of three sensors, one a minute; answers with the counts. */
async function send({ grpc }: Platform, from: number, to: number): Promise<Record<string, string>> {
  const readings = [];
  for (let i = from; i < to; i++) {
    const observedAt = new Date(Date.UTC(2026, 0, 5, 0, i)).toISOString();
    for (const sensorId of ["a", "b", "c"]) {
      readings.push({ sensorId, sensorType: "temperature", unit: "C", value: 20 + Math.sin(i / 9), observedAt });
    }
  }
  const response = await fetch(`${grpc}/telltale.v1.IngestService/SubmitReadings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ readings }),
  });
  return ((await response.json()) as { counts: Record<string, string> }).counts;
}

async function models(): Promise<string[]> {
  const rows = await admin.sql`select distinct split_part(version, '/', 3) as model from state_chunk where chunk >= 0`;
  return rows.map((r) => r.model as string);
}

test("another model goes on where the log has lost its beginning: nothing is lost, nothing is stored twice, and it says so", async () => {
  const first = await start();
  expect(await send(first, 0, 60)).toEqual({ accepted: "180" });
  await first.stop();
  // What was stored before this start is released by its first commits.
  const second = await start();
  for (let kept = 1; kept > 0; ) {
    await sleep(100);
    const [row] = await admin.sql`select count(*)::int as n from telltale_log.segment where id = 1`;
    kept = row!.n;
  }
  expect(await send(second, 60, 100)).toEqual({ accepted: "120" });
  await second.stop();
  const before = await models();

  const modelPath = `${folder}/other.json`;
  const other = { ...defaultModel, format: 1, name: "other", head: defaultModel.head.map((weight) => weight / 2) };
  writeFileSync(modelPath, JSON.stringify(other));
  const third = await start({ MODEL_PATH: modelPath });
  expect(await send(third, 90, 130)).toEqual({ accepted: "90", duplicate: "30" });
  expect(third.output()).toContain('"recovery":"warmed"');
  expect(third.output()).toContain("detectors start over");
  const metrics = await (await fetch(`${third.http}/api/v1/monitoring/metrics`)).text();
  expect(metrics).toMatch(/telltale_state_recoveries_total\{kind="warmed"\} [12]\n/);
  await third.stop();
  const after = await models();
  expect(before.some((model) => model.includes("other"))).toBe(false);
  expect(after).toHaveLength(1);
  expect(after[0]).toContain("other");
  const [row] = await admin.sql`select sum(readings)::int as n from log_partition`;
  expect(row!.n).toBe(3 * 130);

  // And once more as it is: nothing is said, nothing is read again.
  const fourth = await start({ MODEL_PATH: modelPath });
  expect(fourth.output()).not.toContain("warmed");
  expect(await send(fourth, 130, 131)).toEqual({ accepted: "3" });
  await fourth.stop();
}, 120_000);
