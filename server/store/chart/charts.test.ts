import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../../testing/needs.ts";
import { seeded } from "../../../testing/points.ts";
import { startPostgres, type TestPostgres } from "../../../testing/postgres.ts";
import { type Given, STORED_BAND, STORED_EXPECTED, Stored } from "../../../testing/stored.ts";
import { DAY_US, HOUR_US } from "../../lib/time.ts";
import { fsck } from "../fsck.ts";
import { startMaintenance } from "../maintenance.ts";
import { Queries } from "../queries.ts";
import { deleteExpired } from "../retention.ts";
import { beginCompletion, isCompleting } from "../rollup-completion.ts";
import type { ChartSeries } from "./charts.ts";
import { endOf, type Grid, gridOf, LADDER_US } from "./grid.ts";

const logger = pino({ level: "silent" });
const T0 = Date.UTC(2026, 8, 30, 12) * 1000;
const S = 1e6;
/** Wider ones hold all that the tests store. */
const WIDTHS = LADDER_US.filter((width) => width <= 20 * DAY_US);

describeWith(["postgres"], "charts", () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  test("equal the readings put together at every width, and are these where there are few", async () => {
    const { seed, random } = seeds();
    const plant = await Plant.open(server.url, "charts", random);
    let raw = 0;
    for (let round = 0; round < 5; round++) {
      await plant.send(round < 3 ? 8 : 400);
      if (round !== 1) await plant.compact();
      for (const width of WIDTHS) raw += await plant.check(width, `seed ${seed}, round ${round}, width ${width}`);
    }
    expect(raw).toBeGreaterThan(10);
    expect(await plant.problems()).toEqual([]);
    await plant.close();
  }, 120_000);

  test("aggregates of an earlier version show what they have until they are completed, and then all of it", async () => {
    const { seed, random } = seeds();
    const plant = await Plant.open(server.url, "completed", random);
    for (const gap of [5, 400]) {
      await plant.send(gap);
      await plant.compact();
    }
    await plant.sql.unsafe(`
      delete from rollup t where width = 60
        and bucket_us < (select coalesce(minutes_from_us, 9e15) from rollup_series r where r.series = t.series);
      update rollup set charted = 0, forecast = 0, expected_total = null, first_us = null, first_value = null, last_us = null,
        last_value = null, lowest = null, highest = null, worst = null`);
    await beginCompletion(plant.sql);
    expect(await isCompleting(plant.sql)).toBe(true);
    const range = { fromUs: T0, toUs: plant.atUs, columns: 2 };
    const [lacking] = (await plant.queries.chart(["s"], range)).series;
    expect(Array.from(lacking!.sums.charted)).not.toEqual(Array.from(lacking!.sums.count));
    expect(await plant.problems(), "not completed is no problem").toEqual([]);
    // What an earlier version still adds meanwhile, and what this one does.
    await plant.send(30);
    await plant.compact();
    expect((await plant.maintenance.completeNow()).days).toBeGreaterThan(3);
    expect(await isCompleting(plant.sql)).toBe(false);
    expect(await plant.problems()).toEqual([]);
    const [left] = await plant.sql`select count(*)::int as n from rollup where charted <> readings`;
    expect(left!.n).toBe(0);
    for (const width of WIDTHS) await plant.check(width, `seed ${seed}, width ${width}`);
    expect(await plant.maintenance.completeNow()).toEqual({ days: 0, readings: 0 });
    await plant.close();
  }, 120_000);

  test("past their retention readings show in hours and days alone", async () => {
    const { random } = seeds();
    const plant = await Plant.open(server.url, "expired", random);
    await plant.send(300);
    await plant.compact();
    const all = { fromUs: T0, toUs: plant.atUs + S, columns: 2000 };
    const [before] = (await plant.queries.chart(["s"], { ...all, columns: 20 })).series;
    await deleteExpired(plant.sql, 0, plant.atUs + 2 * DAY_US);
    const { series, grid } = await plant.queries.chart(["s"], { ...all, columns: 20 });
    expect(grid.widthUs % HOUR_US).toBe(0);
    expect(columnsOf(series[0]!)).toEqual(columnsOf(before!));
    // As many columns as there are readings would answer them one by one, were they there.
    const wide = await plant.queries.chart(["s"], { ...all, toUs: T0 + 1999 * HOUR_US });
    expect(wide.series[0]!.points).toBeUndefined();
    await plant.close();
  });

  test("where too many readings would be gone through one by one, columns are as wide as aggregates", async () => {
    const { random } = seeds();
    const plant = await Plant.open(server.url, "affordable", random);
    await plant.send(4);
    await plant.compact();
    const range = { fromUs: T0, toUs: T0 + 600 * S, columns: 600 };
    expect((await plant.queries.chart(["s"], range)).grid.widthUs).toBe(S);
    await plant.sql`update series set readings = readings + 20000000`;
    const { grid, series } = await plant.queries.chart(["s"], range);
    // One of its units is too sparse for aggregates of minutes.
    expect(grid.widthUs).toBe(HOUR_US);
    for (const each of series) {
      const wanted = plant.given.filter((g) => g.unit === each.unit && isWithin(g, grid));
      expect(columnsOf(each)).toEqual(plain(wanted, grid));
    }
    await plant.close();
  });

  test("anomalies by sensor and column are those of the readings, the worst sensors first, compacted or not", async () => {
    const { seed, random } = seeds();
    const plant = await Plant.open(server.url, "heatmap", random);
    for (const gap of [5, 90, 900]) {
      await plant.send(gap, ["a", "b", "c", "d", "e", "f"]);
      const all = { fromUs: T0, toUs: plant.atUs + S };
      for (const columns of [1, 7, 40, 500]) {
        for (const fromUs of [T0, T0 + Math.floor(random() * (plant.atUs - T0))]) {
          const grid = gridOf({ ...all, fromUs, columns }, 60 * S);
          const which = `seed ${seed}, ${columns} columns from ${fromUs}`;
          const found = await plant.queries.heatmap({ grid, sensorPrefix: "", test: () => true, top: 100 });
          expect(found.sensors.map(sensorOf), which).toEqual(plant.anomalous(grid));
        }
      }
      await plant.compact();
    }
    const grid = gridOf({ fromUs: T0, toUs: plant.atUs + S, columns: 100 }, 60 * S);
    const ranked = plant.anomalous(grid).filter(({ sensorId }) => sensorId !== "b");
    const some = { grid, sensorPrefix: "", test: (id: string) => id !== "b" };
    const two = await plant.queries.heatmap({ ...some, top: 2 });
    expect([two.total, two.sensors.map(sensorOf)]).toEqual([ranked.length, ranked.slice(0, 2)]);
    const own = await plant.queries.heatmap({ ...some, sensorPrefix: "c", top: 9 });
    expect(own.sensors.map(({ sensorId }) => sensorId)).toEqual(["c"]);
    await plant.close();
  });
});

function seeds() {
  const seed = Number(process.env.SEED ?? Date.now() % 1e6);
  return { seed, random: seeded(seed) };
}

type Sent = Given & { readonly sensorId: string };

/** Sensors that send readings of all kinds, and a store of them. */
class Plant {
  readonly given: Sent[] = [];
  readonly stored: Stored & { url: string };
  readonly queries: Queries;
  readonly maintenance: ReturnType<typeof startMaintenance>;
  readonly random: () => number;
  #held: Sent[] = [];
  /** Time of the newest reading. */
  atUs = T0;

  private constructor(stored: Stored & { url: string }, random: () => number) {
    this.stored = stored;
    this.queries = new Queries(stored.sql);
    this.maintenance = startMaintenance({ sql: stored.url, logger, retentionDays: 0, manual: true });
    this.random = random;
  }

  static async open(url: string, name: string, random: () => number): Promise<Plant> {
    return new Plant(await Stored.create(url, name), random);
  }

  get sql() {
    return this.stored.sql;
  }

  /** Commits of readings up to `gap` seconds apart: in two units, some late, some anomalous, some not judged. */
  async send(gap: number, sensorIds: readonly string[] = ["s"]): Promise<void> {
    const { random } = this;
    for (let commit = 0; commit < 8; commit++) {
      const list = Array.from({ length: 150 }, () => this.#reading(gap, sensorIds));
      const late = list.filter(() => random() < 0.1).map((g) => ({ ...g, late: true, anomaly: false }));
      const times = new Set(late.map(({ timeUs }) => timeUs));
      const now = [...list.filter(({ timeUs }) => !times.has(timeUs)), ...this.#held.splice(0, 5 * commit)];
      this.#held.push(...late);
      this.given.push(...now);
      await this.stored.commit(Map.groupBy(now, ({ sensorId }) => sensorId));
    }
  }

  #reading(gap: number, sensorIds: readonly string[]): Sent {
    const { random } = this;
    this.atUs += Math.ceil(random() * gap * S);
    return {
      sensorId: sensorIds[Math.floor(random() * sensorIds.length)]!,
      timeUs: this.atUs,
      value: Math.round(random() * 1000) / 10,
      anomaly: random() < 0.02,
      score: Math.floor(random() * 10_000),
      judged: random() < 0.9,
      unit: random() < 0.05 ? "F" : "C",
    };
  }

  compact() {
    return this.maintenance.compactNow();
  }

  async problems() {
    return (await fsck(this.stored.url)).problems;
  }

  /** A chart of this width somewhere in the range; answers how many series came as single readings. */
  async check(widthUs: number, which: string): Promise<number> {
    const columns = 1 + Math.floor(this.random() * 200);
    const near = this.given[Math.floor(this.random() * this.given.length)]!.timeUs;
    const fromUs = Math.max(0, near - Math.floor(this.random() * columns * widthUs));
    const chart = await this.queries.chart(["s"], { fromUs, toUs: fromUs + columns * widthUs, columns });
    expect(chart.grid.widthUs, which).toBe(widthUs);
    const within = this.given.filter((g) => isWithin(g, chart.grid));
    // The current unit has a series in any case.
    for (const unit of new Set(within.map((g) => g.unit))) {
      const wanted = within.filter((g) => g.unit === unit);
      const series = chart.series.find((s) => s.unit === unit)!;
      expect(columnsOf(series), `${which}, ${unit}`).toEqual(plain(wanted, chart.grid));
      expect(pointsOf(series), `${which}, ${unit}`).toEqual(wanted.length <= columns ? inOrder(wanted) : undefined);
    }
    return chart.series.filter(({ points }) => points !== undefined).length;
  }

  anomalous(grid: Grid) {
    const within = this.given.filter((g) => isWithin(g, grid) && g.anomaly === true);
    const all = [...Map.groupBy(within, ({ sensorId }) => sensorId)].map(([sensorId, list]) => ({
      sensorId,
      ...cellOf(list),
      columns: [...Map.groupBy(list, (g) => columnOf(g, grid))].map(([c, l]) => [c, cellOf(l)] as const).sort(byColumn),
    }));
    return all.sort((a, b) => b.worst - a.worst || b.anomalies - a.anomalies || (a.sensorId < b.sensorId ? -1 : 1));
  }

  async close(): Promise<void> {
    await this.maintenance.close();
    await this.stored.close();
  }
}

const byColumn = ([a]: readonly [number, unknown], [b]: readonly [number, unknown]) => a - b;
const isWithin = (g: Given, grid: Grid) => g.timeUs >= grid.startUs && g.timeUs < endOf(grid);
const columnOf = (g: Given, grid: Grid) => Math.floor((g.timeUs - grid.startUs) / grid.widthUs);
const cellOf = (list: readonly Given[]) => ({
  anomalies: list.length,
  worst: Math.max(...list.map(({ score }) => score!)),
});
const inOrder = (list: readonly Given[]) =>
  [...list]
    .sort((a, b) => a.timeUs - b.timeUs)
    .map(({ timeUs, value, late, anomaly }) => [timeUs, value, late === true, anomaly]);

function sensorOf(s: { sensorId: string; anomalies: number; worst: number; columns: Map<number, object> }) {
  return { ...s, columns: [...s.columns].sort(byColumn) };
}

function pointsOf({ points: p }: ChartSeries) {
  return (
    p &&
    Array.from({ length: p.length }, (_, i) => [p.timeUs[i], p.value[i], (p.mark[i]! & 1) === 1, p.anomaly[i] === 1])
  );
}

/** Sums in another order differ in their last digits. */
const rounded = (x: number) => Math.round(x * 1e6) / 1e6;

/** Columns that have a reading. */
function columnsOf({ sums }: ChartSeries) {
  return Array.from(sums.count.keys())
    .filter((c) => sums.count[c]! > 0)
    .map((c) => ({
      column: c,
      count: sums.count[c],
      charted: sums.charted[c],
      first: sums.first[c],
      smallest: sums.smallest[c],
      largest: sums.largest[c],
      last: sums.last[c],
      expected: rounded(sums.expectedTotal[c]! / sums.expectedCount[c]!),
      lowest: sums.lowest[c],
      highest: sums.highest[c],
      anomalies: sums.anomalies[c],
      worst: sums.worst[c],
    }));
}

/** The same from the readings. */
function plain(given: readonly Given[], grid: Grid) {
  return [...Map.groupBy(given, (g) => columnOf(g, grid))].sort(byColumn).map(([column, list]) => {
    const sorted = [...list].sort((a, b) => a.timeUs - b.timeUs);
    const values = list.map(({ value }) => value);
    const expected = list
      .filter(({ late, judged }) => late !== true && judged !== false)
      .map(({ value }) => Math.fround(value + STORED_EXPECTED));
    return {
      column,
      count: list.length,
      charted: list.length,
      first: sorted[0]!.value,
      smallest: Math.min(...values),
      largest: Math.max(...values),
      last: sorted.at(-1)!.value,
      expected: rounded(expected.reduce((a, b) => a + b, 0) / expected.length),
      lowest: Math.min(...expected) - STORED_BAND,
      highest: Math.max(...expected) + STORED_BAND,
      anomalies: list.filter(({ anomaly }) => anomaly).length,
      worst: Math.max(0, ...list.filter(({ anomaly }) => anomaly).map(({ score }) => score!)),
    };
  });
}
