import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { seeded } from "../../testing/points.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { type Given, Stored } from "../../testing/stored.ts";
import { startMaintenance } from "./maintenance.ts";
import { Queries } from "./queries.ts";
import { deleteExpired } from "./retention.ts";
import { piecesOf } from "./rollup.ts";

const logger = pino({ level: "silent" });
const T0 = Date.UTC(2026, 9, 30, 21, 17, 3) * 1000;
const S = 1e6;

describeWith(["postgres"], "aggregates", () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  test("buckets of any width and range equal the readings, before, between and after compactions, with late ones", async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1e6);
    const random = seeded(seed);
    const stored = await Stored.create(server.url, "buckets");
    const queries = new Queries(stored.sql);
    const maintenance = startMaintenance({ sql: stored.url, logger, retentionDays: 0, manual: true });
    const given: Given[] = [];
    const held: Given[] = [];
    let at = T0;
    for (let round = 0; round < 5; round++) {
      for (let commit = 0; commit < 8; commit++) {
        const list: Given[] = [];
        for (let i = 0; i < 150; i++) {
          // Dense in the first rounds, then sparse, over three days and a month's end.
          at += Math.ceil(random() * (round < 3 ? 8 : 400) * S);
          const reading = { timeUs: at, value: Math.round(random() * 1000) / 10, anomaly: random() < 0.01 };
          if (random() < 0.1) held.push({ ...reading, late: true, anomaly: false });
          else list.push(reading);
        }
        const late = held.splice(0, Math.floor(random() * held.length));
        list.push(...late);
        given.push(...list);
        await stored.commit(new Map([["s", list]]));
      }
      if (round !== 1) await maintenance.compactNow();
      for (const width of [60, 300, 3600, 7200, 86_400, 45]) {
        for (let k = 0; k < 4; k++) {
          const a = T0 + Math.floor(random() * (at - T0 + S));
          const b = k === 0 ? at + 1 : a + Math.floor(random() * (at - a + S));
          const from = k === 0 ? T0 - 3600 * S : a;
          const found = await queries.buckets({ sensorId: "s", fromUs: from, toUs: b, widthUs: width * S });
          expect(rounded(found), `seed ${seed}, width ${width}, from ${from} to ${b}`).toEqual(
            rounded(bucketsOf(given, from, b, width * S)),
          );
        }
      }
    }
    const [minutes] = await stored.sql`select count(*)::int as n from rollup where width = 60`;
    expect(minutes!.n).toBeGreaterThan(100);
    await maintenance.close();
    await stored.close();
  }, 60_000);

  test("retention deletes whole days and months of readings, and keeps hours, days and sums", async () => {
    const stored = await Stored.create(server.url, "retention");
    const maintenance = startMaintenance({ sql: stored.url, logger, retentionDays: 0, manual: true });
    const first = Date.UTC(2026, 7, 30) * 1000;
    const list = Array.from({ length: 60 * 24 }, (_, i) => ({ timeUs: first + i * 3600 * S, value: i }));
    await stored.commit(new Map([["s", list]]));
    await maintenance.compactNow();
    const kept = Date.UTC(2026, 8, 20) * 1000;
    for (const [sensor, sinceUs] of [
      ["replaced", kept - 2 * S],
      ["replaced", kept - S],
      ["replaced", kept + S],
      ["old", first],
    ] as const)
      await stored.sql`insert into sensor_attributes values (${sensor}, ${sinceUs}, '{"line": "3"}')`;
    const now = Date.UTC(2026, 9, 20, 13) * 1000;
    expect(await deleteExpired(stored.sql, 30, now)).toEqual({
      fromUs: kept,
      months: 1,
      blocks: 19,
    });
    const [left] = await stored.sql`select sum(points)::int as n, min(first_us) as first from block`;
    expect(left).toEqual({ n: (60 - 21) * 24, first: kept });
    const [hours] = await stored.sql`select count(*)::int as n from rollup where width = 3600`;
    expect(hours!.n).toBe(60 * 24);
    const [series] = await stored.sql`select readings from series`;
    expect(series!.readings).toBe(60 * 24);
    // What held when the readings that are kept begin still holds.
    const attributes = await stored.sql`select sensor_id, since_us from sensor_attributes order by 1, 2`;
    expect(attributes.map((row) => [row.sensor_id, Number(row.since_us) - kept])).toEqual([
      ["old", first - kept],
      ["replaced", -S],
      ["replaced", S],
    ]);
    await maintenance.close();
    await stored.close();
  });
});

test("pieces cover the range once, and aggregates only whole buckets", () => {
  const random = seeded(7);
  for (let k = 0; k < 2000; k++) {
    const from = Math.floor(random() * 5e11);
    const to = from + Math.floor(random() * 5e11);
    const minutes = random() < 0.3 ? Number.MAX_SAFE_INTEGER : Math.floor(random() * 5e11);
    const pieces = piecesOf(from, to, [60, 120, 3600, 86_400, 7][k % 5]! * S, minutes);
    expect(pieces.reduce((at, p) => (p.fromUs === at && p.toUs > at ? p.toUs : -1), from)).toBe(to);
    for (const p of pieces) {
      if (p.width > 0) expect([p.fromUs % (p.width * S), p.toUs % (p.width * S)]).toEqual([0, 0]);
      if (p.width === 60) expect(p.fromUs).toBeGreaterThanOrEqual(minutes);
    }
  }
});

function bucketsOf(given: readonly Given[], from: number, to: number, width: number) {
  const found = new Map<
    number,
    { startUs: number; count: number; total: number; smallest: number; largest: number; anomalies: number }
  >();
  for (const g of given) {
    if (g.timeUs < from || g.timeUs >= to) continue;
    const startUs = Math.floor(g.timeUs / width) * width;
    const b = found.get(startUs) ?? {
      startUs,
      count: 0,
      total: 0,
      smallest: Number.POSITIVE_INFINITY,
      largest: Number.NEGATIVE_INFINITY,
      anomalies: 0,
    };
    found.set(startUs, {
      startUs,
      count: b.count + 1,
      total: b.total + g.value,
      smallest: Math.min(b.smallest, g.value),
      largest: Math.max(b.largest, g.value),
      anomalies: b.anomalies + (g.anomaly === true ? 1 : 0),
    });
  }
  return [...found.values()].sort((a, b) => a.startUs - b.startUs);
}

/** Sums in another order differ in their last digits. */
function rounded<T extends { total: number }>(buckets: readonly T[]): T[] {
  return buckets.map((b) => ({ ...b, total: Math.round(b.total * 1e6) / 1e6 }));
}
