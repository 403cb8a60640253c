import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { seeded } from "../../testing/points.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { type Given, Stored } from "../../testing/stored.ts";
import { silentLogger } from "../observe/logger.ts";
import { startMaintenance } from "./maintenance.ts";
import { Queries } from "./queries.ts";
import type { ReadingFilter } from "./reading-queries.ts";

const T0 = Date.UTC(2026, 9, 31, 20) * 1000;

describeWith(["postgres"], "lists of readings", () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  test("any page of any filter is what sorting all readings gives, new and compacted", async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1e6);
    const random = seeded(seed);
    const stored = await Stored.create(server.url, "lists");
    const queries = new Queries(stored.sql);
    const maintenance = startMaintenance({ sql: stored.url, logger: silentLogger(), retentionDays: 0, manual: true });
    const all: { sensorId: string; timeUs: number; value: number; anomaly: boolean }[] = [];
    for (let k = 0; k < 30; k++) {
      const batch = new Map<string, Given[]>();
      for (let s = 0; s < 12; s++) {
        // Some sensors fall silent, some report all at the same times, one is a hundred times as fast.
        if (k > 3 * s + 3) continue;
        const n = s === 11 ? 300 : 3;
        const list = Array.from({ length: n }, (_, i) => ({
          timeUs: T0 + k * 600e6 + Math.floor((i * 600e6) / n) + (s % 3 === 0 ? 0 : Math.floor(random() * 1e6)),
          value: Math.floor(random() * 100),
          anomaly: random() < 0.03,
        }));
        batch.set(`s${s}`, list);
        for (const g of list) all.push({ sensorId: `s${s}`, ...g });
      }
      await stored.commit(batch);
      if (k === 9 || k === 21) await maintenance.compactNow();
    }
    const last = T0 + 30 * 600e6;
    for (let k = 0; k < 150; k++) {
      const fromUs = random() < 0.5 ? 0 : T0 + Math.floor(random() * (last - T0));
      const filter: ReadingFilter = {
        sensorId: random() < 0.4 ? `s${Math.floor(random() * 12)}` : undefined,
        sensorPrefix: random() < 0.2 ? "s1" : "",
        sensorType: undefined,
        location: undefined,
        fromUs,
        toUs: random() < 0.5 ? last : fromUs + Math.floor(random() * 7200e6),
        anomaliesOnly: random() < 0.2,
        after: undefined,
      };
      const count = 1 + Math.floor(random() * 700);
      const skip = random() < 0.5 ? 0 : Math.floor(random() * 50);
      const found = await queries.readings(filter, count, skip);
      const wanted = all
        .filter((g) => filter.sensorId === undefined || g.sensorId === filter.sensorId)
        .filter((g) => g.sensorId.startsWith(filter.sensorPrefix) && (!filter.anomaliesOnly || g.anomaly))
        .filter((g) => g.timeUs >= filter.fromUs && g.timeUs <= filter.toUs)
        .sort((a, b) => b.timeUs - a.timeUs)
        .slice(skip, skip + count);
      const told = `seed ${seed}, ${JSON.stringify(filter)}, ${count} behind ${skip}`;
      expect(
        found.order.map((i) => found.points.timeUs[i]),
        told,
      ).toEqual(wanted.map((g) => g.timeUs));
      const key = (sensorId: string, timeUs: number, value: number) => `${timeUs} ${sensorId} ${value}`;
      const known = new Set(all.map((g) => key(g.sensorId, g.timeUs, g.value)));
      const got = found.order.map((i) =>
        key(found.series[i]!.sensorId, found.points.timeUs[i]!, found.points.value[i]!),
      );
      expect(new Set(got).size, told).toBe(got.length);
      for (const one of got) expect(known.has(one), `${told}: ${one}`).toBe(true);
      for (let i = 1; i < found.order.length; i++) {
        const [a, b] = [found.order[i - 1]!, found.order[i]!];
        if (found.points.timeUs[a] === found.points.timeUs[b])
          expect(found.points.id[a]).toBeGreaterThan(found.points.id[b]!);
      }
    }
    const since = T0 + 100 * 60e6;
    const counts = await queries.platformCounts(since);
    expect(counts).toMatchObject({
      readings: all.length,
      recentAnomalies: all.filter((g) => g.anomaly && g.timeUs >= since).length,
    });
    await maintenance.close();
    await stored.close();
  }, 60_000);

  test("alert events go on from each partition's number, and begin with the first of a partition that was not known", async () => {
    const stored = await Stored.create(server.url, "events");
    const { sql } = stored;
    for (const partition of [0, 1, 2])
      await sql`insert into log_partition (partition) values (${partition}) on conflict do nothing`;
    const event = Buffer.from("e");
    const given = [
      [0, 1, 7],
      [0, 2, 7],
      [0, 3, 7],
      [1, 1, 8],
      [1, 2, 0], // of an alert that was removed
      [1, 3, 8],
      [1, 4, 8],
    ] as const;
    for (const [partition, number, alert] of given)
      await sql`insert into alert_event (partition, number, alert_id, event) values (${partition}, ${number}, ${alert}, ${event})`;
    const queries = new Queries(sql);
    const numbersOf = async (from: ReadonlyMap<number, number>, limit: number) =>
      (await queries.alertEvents(from, limit)).map(({ partition, number }) => [partition, number]);
    expect(await numbersOf(new Map([[0, 3]]), 10)).toEqual([
      [0, 3],
      [1, 1],
      [1, 3],
      [1, 4],
    ]);
    expect(
      await numbersOf(
        new Map([
          [0, 1],
          [1, 5],
          [2, 1],
        ]),
        2,
      ),
    ).toEqual([
      [0, 1],
      [0, 2],
    ]);
    await stored.close();
  });
});
