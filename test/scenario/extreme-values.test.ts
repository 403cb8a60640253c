/** Values at the ends of double precision: each is stored, summed, aggregated and reported, and none stops what is beside it. */
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeReport } from "../../server/report/report.ts";
import { fsck } from "../../server/store/fsck.ts";
import { startMaintenance } from "../../server/store/maintenance.ts";
import { Queries } from "../../server/store/queries.ts";
import { Bench, countsOf, record, type Sent, START, tick } from "../../testing/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

const { MAX_VALUE } = Number;
const EXTREMES = [MAX_VALUE, -MAX_VALUE, 1e308, -1e308, 5e-324, -5e-324, 2.2250738585072014e-308, -0, 0, 1e155, 3.4e38];
const logger = pino({ level: "silent" });

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

async function compact(bench: Bench): Promise<void> {
  const maintenance = startMaintenance({ sql: bench.url, logger, retentionDays: 0, manual: true });
  await maintenance.compactNow();
  await maintenance.close();
}

async function checked(bench: Bench): Promise<unknown> {
  return (await fsck(bench.url)).problems;
}

test("a sensor that sends 1e308 again and again is stored, and its sums and means stay finite", async () => {
  const bench = await Bench.open(postgres.url);
  for (let minute = 0; minute < 6; minute++) {
    const readings = [0, 10, 20].map((s) => ({ sensor: "huge", at: 60 * minute + s, value: 1e308 }));
    await bench.append([
      record(60 * minute + 30, [{ readings: [...readings, { sensor: "a", at: 60 * minute, value: 1 }] }]),
    ]);
    if (minute % 2 === 1) await compact(bench);
  }
  const queries = new Queries(bench.sql);
  expect((await queries.sensorStats("huge"))[0]).toMatchObject({ readings: 18, mean: 1e308, smallest: 1e308 });
  expect((await queries.sensorStats("a"))[0]).toMatchObject({ readings: 6, mean: 1 });
  const [bucket] = await queries.buckets({ sensorId: "huge", fromUs: START, toUs: START + 3600e6, widthUs: 3600e6 });
  expect(bucket).toMatchObject({ count: 18, total: MAX_VALUE });
  expect(await checked(bench)).toEqual([]);
  await bench.resume();
  await bench.close();
}, 60_000);

test("an infinite sum of an earlier version is replaced by a finite one", async () => {
  const bench = await Bench.open(postgres.url);
  for (const [i, stored] of ["Infinity", "-Infinity", "NaN"].entries()) {
    await bench.append([record(i, [{ readings: [{ sensor: `s${i}`, at: i, value: 2 }] }])]);
    await bench.sql`update series set total = ${stored}::float8 where sensor_id = ${`s${i}`}`;
    await bench.append([record(i + 10, [{ readings: [{ sensor: `s${i}`, at: i + 10, value: 3 }] }])]);
  }
  const rows = await bench.sql`select total from series order by sensor_id`;
  expect(rows.map((r) => r.total)).toEqual([MAX_VALUE, -MAX_VALUE, 3]);
  await bench.close();
});

test("every value at an end of double precision comes back as it was sent, before and after compaction, and is reported", async () => {
  const bench = await Bench.open(postgres.url);
  const records: Uint8Array[] = [];
  for (let minute = 0; minute < 40 * 60; minute += 5) {
    const readings: Sent[] = [];
    for (const [s, value] of EXTREMES.entries()) {
      // One value forever, the same with normal ones between, and all of them in turn.
      readings.push({ sensor: `only-${s}`, at: 60 * minute, value });
      readings.push({ sensor: `some-${s}`, at: 60 * minute, value: minute % 60 === 0 ? value : 20 + (minute % 7) });
    }
    readings.push({ sensor: "all", at: 60 * minute, value: EXTREMES[(minute / 5) % EXTREMES.length]! });
    records.push(record(60 * minute + 10, [{ readings }]), tick(60 * minute + 20));
  }
  await bench.append(records, 50);
  const before = await bench.everything();
  await compact(bench);
  expect(await bench.everything()).toBe(before);
  expect(await checked(bench)).toEqual([]);
  for (const { value } of await storedValues(bench)) expect(Number.isFinite(value)).toBe(true);

  const queries = new Queries(bench.sql);
  const end = START + 40 * 3600e6;
  for (const [s, value] of EXTREMES.entries()) {
    const [stats] = await queries.sensorStats(`only-${s}`);
    expect(stats).toMatchObject({ mean: value === 0 ? 0 : value });
    for (const widthUs of [60e6, 3600e6, 86_400e6]) {
      for (const b of await queries.buckets({ sensorId: `some-${s}`, fromUs: START, toUs: end, widthUs })) {
        expect(Number.isFinite(b.total)).toBe(true);
      }
    }
  }
  const options = { fromUs: START + 30 * 3600e6, toUs: end, nowUs: end, operators: 1, top: 10 };
  const report = await makeReport(bench.sql, options);
  expect(report.totals?.reportingSensors).toBe(2 * EXTREMES.length + 1);

  // Alerts have finite numbers only, and the saved state gives the same again.
  const alerts = await bench.sql`select score, value, threshold, confidence, expected from alert`;
  for (const a of alerts) for (const x of Object.values(a)) expect(x === null || Number.isFinite(x)).toBe(true);
  await bench.resume();
  expect(await bench.everything()).toBe(before);
  await bench.close();
}, 120_000);

async function storedValues(bench: Bench): Promise<{ value: number }[]> {
  return await bench.sql`select r.value from (select distinct sensor_id from series) s, readings(s.sensor_id) r`;
}

test("0 and -0 are the same value: the second is a duplicate, also of a stored one", async () => {
  const bench = await Bench.open(postgres.url);
  await bench.append([record(1, [{ readings: [{ sensor: "z", at: 1, value: 0 }] }])]);
  await bench.append([record(2, [{ readings: [{ sensor: "z", at: 1, value: -0 }] }])]);
  await bench.append([record(3, [{ readings: [{ sensor: "z", at: 2, value: -0 }] }])]);
  // Late by now: compared with what is stored.
  await bench.append([record(4, [{ readings: [1, 2].map((at) => ({ sensor: "z", at, value: at === 1 ? -0 : 0 })) }])]);
  expect(bench.outcomes.map((o) => countsOf(o.fragments[0]!))).toEqual([
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [1, 0, 0, 0],
    [0, 2, 0, 0],
  ]);
  await bench.close();
});

test("values in different units are never mixed: statistics and aggregates are of the current unit, and of each by itself", async () => {
  const bench = await Bench.open(postgres.url);
  const celsius = [19, 20, 21].map((value, i) => ({ sensor: "u", at: 10 * i, value }));
  const fahrenheit = [66, 68].map((value, i) => ({ sensor: "u", at: 100 + 10 * i, value, unit: "F" }));
  await bench.append([record(50, [{ readings: celsius }]), record(120, [{ readings: fahrenheit }])], 1);
  const queries = new Queries(bench.sql);
  expect(await queries.sensorStats("u")).toMatchObject([
    { unit: "F", readings: 2, mean: 67, smallest: 66, largest: 68 },
    { unit: "C", readings: 3, mean: 20, smallest: 19, largest: 21 },
  ]);
  const range = { sensorId: "u", fromUs: START, toUs: START + 3600e6, widthUs: 3600e6 };
  for (const compacted of [false, true]) {
    if (compacted) await compact(bench);
    expect(await queries.buckets({ ...range, unit: "C" })).toMatchObject([{ count: 3, total: 60 }]);
    expect(await queries.buckets({ ...range, unit: "F" })).toMatchObject([{ count: 2, total: 134 }]);
  }
  expect(bench.unitChanges).toBe(1);
  await bench.close();
});
