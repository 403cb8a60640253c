import fc from "fast-check";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { type Given, Stored } from "../../testing/stored.ts";
import { DAY_US } from "../lib/time.ts";
import { decodeBlock } from "./block.ts";
import { closedGenerations, compactGeneration, rollGeneration } from "./compact.ts";
import { type Existing, planDay } from "./compact-plan.ts";
import { startMaintenance } from "./maintenance.ts";
import { createPoints, type Points } from "./points.ts";
import { openStoreSql } from "./postgres.ts";

const logger = pino({ level: "silent" });
const T0 = Date.UTC(2026, 9, 31, 22) * 1000;

interface Line {
  timeUs: number;
  value: number;
  id: number;
  confidence: number;
  model: number;
  mark: number;
}

/** Every reading of both tables in one statement, by series. */
async function all(stored: Stored): Promise<Map<number, Line[]>> {
  const rows = await stored.sql`
    select series, first_us, first_id, points, model, data from block_new
    union all select series, first_us, first_id, points, model, data from block`;
  const found = new Map<number, Line[]>();
  for (const r of rows) {
    const p: Points = createPoints(r.points);
    decodeBlock(r.data, r.first_us, r.first_id, p);
    const list = found.get(r.series) ?? [];
    for (let i = 0; i < p.length; i++) {
      const line = { timeUs: p.timeUs[i]!, value: p.value[i]!, id: p.id[i]!, confidence: p.confidence[i]! };
      list.push({ ...line, model: r.model, mark: p.mark[i]! });
    }
    found.set(r.series, list);
  }
  for (const list of found.values()) list.sort((a, b) => a.timeUs - b.timeUs);
  return found;
}

async function expectTidy(stored: Stored): Promise<void> {
  const rows = await stored.sql`select series, first_us, last_us, points from block order by series, first_us`;
  for (const [i, r] of rows.entries()) {
    expect(r.points).toBeGreaterThan(0);
    expect(Math.floor(r.first_us / DAY_US)).toBe(Math.floor(r.last_us / DAY_US));
    const before = rows[i - 1];
    if (before?.series === r.series) expect(r.first_us).toBeGreaterThan(before!.last_us);
  }
}

describeWith(["postgres"], "compaction", () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  test("keeps every reading once, in order, with all that it had, whatever came late and however often it runs", async () => {
    const stored = await Stored.create(server.url, "mixed");
    const maintenance = startMaintenance({ sql: stored.url, logger, retentionDays: 0, manual: true });
    const step = 30_000_000;
    let tick = 0;
    const given: { sensor: string; reading: Given }[] = [];
    for (let round = 0; round < 6; round++) {
      for (let commit = 0; commit < 20; commit++) {
        const batch = new Map<string, Given[]>();
        for (const sensor of ["a", "b", "c"]) {
          const list: Given[] = [];
          for (let i = 0; i < 17; i++) {
            const timeUs = T0 + (tick * 17 + i) * step;
            // Every fifth is held back and comes late, some much later.
            if ((tick * 17 + i) % 5 !== 0) list.push({ timeUs, value: i / 4, anomaly: i === 3 });
          }
          const back = tick - (sensor === "a" ? 1 : sensor === "b" ? 7 : 55);
          if (back >= 0) {
            for (let i = 0; i < 17; i++) {
              if ((back * 17 + i) % 5 === 0) list.push({ timeUs: T0 + (back * 17 + i) * step, value: -i, late: true });
            }
          }
          batch.set(sensor, list);
          for (const reading of list) given.push({ sensor, reading });
        }
        await stored.commit(batch, round < 3 ? "test/1" : "test/2");
        tick++;
      }
      const before = await all(stored);
      const moved = await maintenance.compactNow();
      expect(moved.readings).toBeGreaterThan(0);
      expect(await all(stored)).toEqual(before);
      await expectTidy(stored);
    }
    const found = await all(stored);
    expect([...found.values()].reduce((n, list) => n + list.length, 0)).toBe(given.length);
    const [left] = await stored.sql`select count(*)::int as n from block_new`;
    expect(left!.n).toBe(0);
    // Those of "a" are hardly late: but for the change of model its days are whole blocks.
    const [sizes] = await stored.sql`select count(*)::int as blocks, sum(points)::int as points from block
      join series on id = series where sensor_id = 'a'`;
    expect(sizes!.points / sizes!.blocks).toBeGreaterThan(150);
    await maintenance.close();
    await stored.close();
  }, 60_000);

  test("readers see each reading exactly once while it runs, and writers go on", async () => {
    const stored = await Stored.create(server.url, "beside");
    const maintenance = startMaintenance({ sql: stored.url, logger, retentionDays: 0, manual: true });
    let written = 0;
    let done = false;
    const write = async () => {
      for (let k = 0; k < 150; k++) {
        const list = Array.from({ length: 20 }, (_, i) => ({ timeUs: T0 + (k * 20 + i) * 1e6, value: i }));
        await stored.commit(new Map([["a", list]]));
        written += 20;
      }
      done = true;
    };
    let looks = 0;
    const read = async () => {
      while (!done) {
        const atLeast = written;
        const times = [...(await all(stored)).values()].flat().map((l) => l.timeUs);
        expect(new Set(times).size).toBe(times.length);
        expect(times.length).toBeGreaterThanOrEqual(atLeast);
        looks++;
      }
    };
    const compact = async () => {
      while (!done) await maintenance.compactNow();
    };
    await Promise.all([write(), read(), compact()]);
    expect(looks).toBeGreaterThan(10);
    await maintenance.compactNow();
    await expectTidy(stored);
    expect([...(await all(stored)).values()].flat().length).toBe(3000);
    await maintenance.close();
    await stored.close();
  }, 60_000);

  test("a database that is killed in the middle has each reading once, and the next run ends the work", async () => {
    const stored = await Stored.create(server.url, "killed");
    for (let k = 0; k < 40; k++) {
      const batch = new Map<string, Given[]>();
      for (let s = 0; s < 10; s++) {
        batch.set(
          `s${s}`,
          Array.from({ length: 50 }, (_, i) => ({ timeUs: T0 + (k * 50 + i) * 1e6, value: (s * i) / 2 })),
        );
      }
      await stored.commit(batch);
    }
    const before = await all(stored);
    const closed = await rollGeneration(stored.sql);
    // Held before the last statement of its transaction: everything is written but not committed.
    const holder = openStoreSql(server.url.replace(/[^/]*$/, "killed"), 1);
    await holder`select 1`;
    const held = await holder.reserve();
    await held.unsafe(`begin; lock table block_new_${closed} in share mode`);
    const work = compactGeneration(stored.sql, closed).catch((error: unknown) => error);
    for (let waiting = 0; waiting === 0; ) {
      const [row] = await held`select count(*)::int as n from pg_locks where not granted`;
      waiting = row!.n;
    }
    await server.kill();
    expect(await work).toBeInstanceOf(Error);
    await holder.end({ timeout: 1 });
    await server.start();
    expect(await all(stored)).toEqual(before);
    for (const generation of await closedGenerations(stored.sql)) await compactGeneration(stored.sql, generation);
    expect(await all(stored)).toEqual(before);
    await expectTidy(stored);
    await stored.close();
  }, 60_000);
});

test("a plan covers every new point once, and no run reaches into a block that stays", () => {
  const times = fc.uniqueArray(fc.nat(2000), { minLength: 1, maxLength: 60 }).map((t) => t.sort((a, b) => a - b));
  const spans = fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 1024 })), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(times, spans, (t, list) => {
      let at = 0;
      const existing: Existing[] = list.map(([gap, length, points]) => {
        const firstUs = at + gap + 1;
        at = firstUs + length;
        return { firstUs, lastUs: at, points };
      });
      const runs = planDay(Float64Array.from(t), 0, t.length, existing);
      expect(runs.reduce((next, r) => (r.from === next ? r.to : -1), 0)).toBe(t.length);
      let lastBlock = 0;
      const absorbed = new Set<number>();
      for (const r of runs) {
        expect(r.firstBlock).toBeGreaterThanOrEqual(lastBlock);
        lastBlock = r.endBlock;
        for (let j = r.firstBlock; j < r.endBlock; j++) absorbed.add(j);
      }
      for (const r of runs) {
        const blocks = existing.slice(r.firstBlock, r.endBlock);
        const first = Math.min(t[r.from] ?? Infinity, ...blocks.map((b) => b.firstUs));
        const last = Math.max(t[r.to - 1] ?? 0, ...blocks.map((b) => b.lastUs));
        for (const [j, b] of existing.entries()) {
          if (!absorbed.has(j)) expect(b.lastUs < first || b.firstUs > last).toBe(true);
        }
      }
    }),
    { numRuns: 2000 },
  );
});
