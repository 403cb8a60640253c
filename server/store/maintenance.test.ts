import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Stored } from "../../testing/stored.ts";
import { silentLogger } from "../observe/logger.ts";
import { createMetrics } from "../observe/metrics.ts";
import { dropGeneration, ensureMonth, maintain, rollGeneration } from "./compact.ts";
import { isGenerationDue, type MaintenanceFacts, startMaintenance } from "./maintenance.ts";
import { countMaintenance } from "./maintenance-metrics.ts";
import { startMaintenanceThread } from "./maintenance-thread.ts";
import { openStoreSql } from "./postgres.ts";

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
    expect(text).toContain("telltale_maintenance_last_run_timestamp_seconds 1700000000\n");
    await thread.close();
    await stored.close();
  }, 30_000);

  test("a generation is as old as its first reading, however long it was empty", async () => {
    const stored = await Stored.create(server.url, "age");
    const agesBy = (time: string) => stored.sql`update block_generation set opened_at = opened_at - ${time}::interval`;
    await agesBy("2 hours");
    await stored.commit(new Map([["s", [{ timeUs: 1.7e15, value: 1 }]]]));
    expect(await isGenerationDue(stored.sql)).toBe(false);
    await agesBy("2 hours");
    expect(await isGenerationDue(stored.sql)).toBe(true);
    await rollGeneration(stored.sql);
    await agesBy("2 hours");
    await stored.commit(new Map([["s", [{ timeUs: 1.8e15, value: 1 }]]]));
    expect(await isGenerationDue(stored.sql)).toBe(false);
    await stored.close();
  }, 30_000);

  test("what becomes due while another generation is compacted is closed meanwhile, and compacted by the same look", async () => {
    const stored = await Stored.create(server.url, "meanwhile");
    await stored.commit(new Map([["s", [{ timeUs: 1.7e15, value: 1 }]]]));
    await rollGeneration(stored.sql);
    await stored.commit(new Map([["s", [{ timeUs: 1.8e15, value: 1 }]]]));
    await stored.sql.unsafe(`
      create function grow_old() returns trigger language plpgsql as $$ begin
        update block_generation set opened_at = now() - interval '2 hours'; return null; end $$;
      create trigger grows_old after insert on rollup execute function grow_old()`);
    const looked = Promise.withResolvers<MaintenanceFacts>();
    const options = { sql: stored.url, logger: silentLogger(), retentionDays: 0 };
    const maintenance = startMaintenance({ ...options, onLooked: looked.resolve });
    expect(await looked.promise).toMatchObject({ compactedReadings: 2, waitingGenerations: 0 });
    await maintenance.close();
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

  test("a replica sees what another dropped or made while it waited for its turn", async () => {
    const stored = await Stored.create(server.url, "turns");
    await stored.commit(new Map([["s", [{ timeUs: 1.7e15, value: 1 }]]]));
    const generation = await rollGeneration(stored.sql);
    const month = "2031_05";
    const waits = openStoreSql(stored.url, 1);
    /** What the session does behind the other's change, with what it knew before it. */
    const behind = async <T>(change: string, work: () => Promise<T>): Promise<T> => {
      let done: Promise<T> | undefined;
      await maintain(stored.sql, async (tx) => {
        done = work();
        await expect
          .poll(() => tx`select from pg_stat_activity where wait_event = 'advisory'`, { interval: 5 })
          .toHaveLength(1);
        await tx.unsafe(change);
      });
      return done!;
    };
    const makeMonth = () => maintain(waits, (tx) => ensureMonth(tx, month));
    const drop = () => dropGeneration(waits, generation, undefined);
    expect(await drop()).toBe(false);
    expect(await behind(`drop table block_new_${generation}`, drop)).toBe(true);
    await makeMonth();
    await behind(`drop table block_${month}`, makeMonth);
    const [made] = await stored.sql`select to_regclass(${`block_${month}`}) is not null as there`;
    expect(made).toEqual({ there: true });
    await waits.end();
    await stored.close();
  }, 30_000);
});
