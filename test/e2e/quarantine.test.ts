/** What is set aside, as operators meet it: the whole platform, its RPCs, command line, metrics and health. */
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../testing/cli.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

let platform: Platform;
let sql: postgres.Sql;
beforeAll(async () => {
  platform = await startPlatform({ PARTITIONS: "1" });
  const path = `${platform.dataDir}/postgres/.s.PGSQL.5432`;
  sql = postgres({ path, database: "telltale", username: "telltale", max: 1 });
  // It stands for whatever a database may refuse.
  await sql`alter table series add constraint picky check (largest < 1000)`;
}, 120_000);
afterAll(async () => {
  await sql?.end();
  await platform?.stop();
});

async function call(method: string, body: object) {
  const response = await fetch(`${platform.grpc}/telltale.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

const reading = (sensorId: string, value: number) => ({
  sensorId,
  sensorType: "t",
  unit: "C",
  value,
  observedAt: "2026-01-01T00:00:00Z",
});

async function cli(...args: string[]) {
  const run = runCli("quarantine", ...args, "--url", platform.grpc);
  await run.ended;
  return { stdout: run.stdout() };
}

test("a refused reading is told to its sender, listed, submitted again or discarded, audited and counted", async () => {
  const sent = await call("IngestService/SubmitReadings", {
    readings: [reading("a", 1), reading("b", 5000), reading("c", 6000)],
  });
  expect(sent).toMatchObject({
    status: 200,
    body: {
      counts: { accepted: "1", rejected: "2" },
      refusals: [{ index: 1 }, { reason: "REFUSAL_REASON_QUARANTINED", index: 2 }],
    },
  });
  const { body: listed } = await call("AdminService/ListQuarantinedReadings", {});
  expect(listed).toMatchObject({
    waiting: "2",
    readings: [{ reading: { value: 6000 } }, { reading: { value: 5000 }, sqlstate: "23514" }],
  });
  const [c, b] = listed.readings.map(({ id }: { id: string }) => id);
  expect((await cli("list")).stdout).toMatch(/"c" 6000 C: .*picky[\s\S]*"b" 5000 C: .*picky/);

  await sql`alter table series drop constraint picky`;
  expect((await cli("replay", b)).stdout).toContain("1 accepted, 0 duplicate");
  expect((await cli("discard", c)).stdout).toContain("discarded");
  expect((await cli("list")).stdout).toBe("");
  expect((await cli("list", "--all")).stdout).toMatch(/discarded by anonymous[\s\S]*submitted again by anonymous/);
  const again = await call("AdminService/ReplayQuarantinedReading", { id: b });
  expect(again).toMatchObject({ status: 400, body: { code: "failed_precondition" } });
  expect((await call("AdminService/DiscardQuarantinedReading", { id: "999" })).status).toBe(404);
  const latest = await call("QueryService/GetLatestReading", { sensorId: "b" });
  expect(latest.body.reading).toMatchObject({ value: 5000, observedAt: "2026-01-01T00:00:00Z" });
  const audit = await call("AdminService/ListAuditEvents", {});
  expect(audit.body.events.map((e: { action: string }) => e.action)).toEqual([
    "quarantine.discard",
    "quarantine.replay",
  ]);

  const metrics = await (await fetch(`${platform.grpc}/metrics`)).text();
  expect(metrics).toMatch(/telltale_quarantined_total\{kind="reading"\} 2/);
  expect(metrics).toMatch(/telltale_refusals_total\{reason="quarantined"\} 2/);
}, 60_000);
