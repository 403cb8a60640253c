import pino from "pino";
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { seeded } from "../../testing/points.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Stored } from "../../testing/stored.ts";
import { decodeBlock } from "../store/block.ts";
import { encodeCold, maxColdBytes } from "../store/cold.ts";
import { fsck } from "../store/fsck.ts";
import { startMaintenance } from "../store/maintenance.ts";
import { createPoints, decimalsOf, MAX_BLOCK_POINTS } from "../store/points.ts";
import { isCompleting } from "../store/rollup-completion.ts";
import { readRun } from "./run.ts";
import { switchOver } from "./switch.ts";

const T0 = Date.UTC(2026, 8, 30, 12) * 1000;

describeWith(["postgres"], "new scores that take the place of the old ones", () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  test("change aggregates too: anomalies at once, what charts show in the background; back again, all is as before", async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1e6);
    const random = seeded(seed);
    const stored = await Stored.create(server.url, "switched");
    const maintenance = startMaintenance({
      sql: stored.url,
      logger: pino({ level: "silent" }),
      retentionDays: 0,
      manual: true,
    });
    const readings = (gapUs: number) =>
      Array.from({ length: 1500 }, (_, i) => ({
        timeUs: T0 + i * gapUs,
        value: Math.round(random() * 100),
        anomaly: random() < 0.05,
        score: Math.floor(random() * 10_000),
      }));
    await stored.commit(
      new Map([
        ["dense", readings(2e6)],
        ["sparse", readings(90e6)],
      ]),
    );
    await maintenance.compactNow();
    const before = await rollups(stored.sql);
    const run = await rescored(stored.sql, random);

    for (const again of [false, true]) {
      await switchOver(stored.sql, await readRun(stored.sql, run));
      expect(await anomalies(stored.sql), `seed ${seed}`).toEqual(await anomaliesOfBlocks(stored.sql));
      expect(await isCompleting(stored.sql)).toBe(true);
      expect((await fsck(stored.url)).problems).toEqual([]);
      expect((await maintenance.completeNow()).days).toBeGreaterThan(2);
      expect((await fsck(stored.url)).problems, `seed ${seed}`).toEqual([]);
      const after = await rollups(stored.sql);
      if (again) expect(after, `seed ${seed}`).toEqual(before);
      else expect(after).not.toEqual(before);
    }
    await maintenance.close();
    await stored.close();
  });
});

/** Sums in another order differ in their last digits. */
async function rollups(sql: Sql) {
  const rows = await sql`select * from rollup order by series, width, bucket_us`;
  return rows.map((r) => ({ ...r, expected_total: Math.round((r.expected_total ?? 0) * 1e3) }));
}

/** A finished run whose blocks have other anomalies, scores and expected values. */
async function rescored(sql: Sql, random: () => number): Promise<number> {
  const [run] =
    await sql`insert into rescore_run (from_us, until_us, model, runtime, threshold, alarms_per_sensor_day, parts)
    values (0, 9e15, 1, 'js', 0.9, 0.1, 1) returning id`;
  const points = createPoints(MAX_BLOCK_POINTS);
  for (const b of await sql`select * from block`) {
    points.length = 0;
    decodeBlock(b.data, b.first_us, b.first_id, points);
    let anomalies = 0;
    for (let i = 0; i < points.length; i++) {
      points.anomaly[i] = random() < 0.05 ? 1 : 0;
      points.score[i] = points.anomaly[i]! * Math.floor(random() * 10_000);
      points.reason[i] = points.anomaly[i]!;
      points.expected[i] = points.value[i]! + random();
      anomalies += points.anomaly[i]!;
    }
    const data = Buffer.alloc(maxColdBytes(points.length));
    const end = encodeCold(points, 0, points.length, decimalsOf(points.value, 0, points.length), data, 0);
    await sql`insert into rescored_block values (${run!.id}, 0, ${b.series}, ${b.first_us}, ${b.last_us}, ${b.points}, ${anomalies},
      ${b.model}, ${data.subarray(0, end)})`;
  }
  return run!.id;
}

/** Anomalies by series in minutes, hours and days. */
async function anomalies(sql: Sql) {
  const rows = await sql`select series, width, sum(anomalies)::int as n from rollup group by 1, 2 order by 1, 2`;
  return rows.map((r) => [r.series, r.width, r.n]);
}

async function anomaliesOfBlocks(sql: Sql) {
  const rows = await sql`select series, width, sum(anomalies)::int as n
    from block cross join (values (60), (3600), (86400)) w(width) group by 1, 2 order by 1, 2`;
  return rows.map((r) => [r.series, r.width, r.n]);
}
