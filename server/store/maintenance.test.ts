import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../test/support/needs.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { Stored } from "../../test/support/stored.ts";
import { silentLogger } from "../observe/logger.ts";
import { countMaintenance } from "../observe/maintenance.ts";
import { createMetrics } from "../observe/metrics.ts";
import { type MaintenanceFacts, startMaintenance } from "./maintenance.ts";
import { startMaintenanceThread } from "./maintenance-thread.ts";

describeWith(["postgres"], "maintenance", () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  test("its thread closes and compacts an old generation by itself, says so in the metrics, and ends when told", async () => {
    const stored = await Stored.create(server.url, "thread");
    await stored.commit(new Map([["s", [{ timeUs: 1.7e15, value: 1 }]]]));
    await stored.sql`update block_generation set opened_at = now() - interval '2 hours'`;
    const looked = Promise.withResolvers<MaintenanceFacts>();
    const data = { sql: stored.url, logLevel: "silent" as const, retentionDays: 0 };
    const thread = startMaintenanceThread(data, silentLogger(), looked.resolve);
    const metrics = createMetrics({ processMetrics: false });
    countMaintenance(metrics, await looked.promise, 1_700_000_000_000);
    const [row] = await stored.sql`select count(*)::int as n from block`;
    expect(row!.n).toBe(1);
    const text = await metrics.text();
    expect(text).toContain("telltale_compacted_readings_total 1\n");
    expect(text).toContain("telltale_compaction_waiting_generations 0\n");
    expect(text).toContain("telltale_maintenance_last_run_seconds 1700000000\n");
    await thread.close();
    await stored.close();
  }, 30_000);

  test("replicas at once move each reading once", async () => {
    const stored = await Stored.create(server.url, "replicas");
    const list = Array.from({ length: 5000 }, (_, i) => ({ timeUs: 1.7e15 + i * 1e6, value: i }));
    for (let k = 0; k < 50; k++) await stored.commit(new Map([["s", list.slice(k * 100, k * 100 + 100)]]));
    const many = Array.from({ length: 4 }, () =>
      startMaintenance({ sql: stored.url, logger: silentLogger(), retentionDays: 0, manual: true }),
    );
    await Promise.all(many.map((m) => m.compactNow()));
    const [row] =
      await stored.sql`select sum(points)::int as n, (select sum(readings)::int from rollup where width = 86400) as days
      from block`;
    expect(row).toEqual({ n: 5000, days: 5000 });
    for (const m of many) await m.close();
    await stored.close();
  }, 30_000);
});
