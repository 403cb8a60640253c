import pino from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FleetReport } from "../../gen/es/telltale/v1/report_pb.ts";
import { Verdict } from "../../gen/es/telltale/v1/report_pb.ts";
import { dayUs, hourUs, reportedUs, storeFleet } from "../../testing/fleet.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Stored } from "../../testing/stored.ts";
import { startMaintenance } from "../store/maintenance.ts";
import { judge } from "./guidelines.ts";
import { makeReport } from "./report.ts";

const deviation = Math.sqrt(168 / 167);

describeWith(["postgres"], "a report of a day of a fleet", () => {
  let server: TestPostgres;
  let stored: Stored & { url: string };
  let report: FleetReport;
  const options = {
    fromUs: reportedUs,
    toUs: reportedUs + dayUs,
    nowUs: reportedUs + 3 * dayUs,
    operators: 1,
    top: 10,
  };
  beforeAll(async () => {
    server = await startPostgres();
    stored = await Stored.create(server.url, "fleet");
    const logger = pino({ level: "silent" });
    const maintenance = startMaintenance({ sql: stored.url, logger, retentionDays: 0, manual: true });
    await storeFleet(stored, () => maintenance.compactNow());
    await maintenance.close();
    report = await makeReport(stored.sql, options);
  }, 60_000);
  afterAll(async () => {
    await stored?.close();
    await server?.stop();
  });

  it("counts what there was, compacted or not", async () => {
    expect(Number((await stored.sql`select count(*) from rollup where width = 3600`)[0]!.count)).toBeGreaterThan(500);
    expect(Number((await stored.sql`select count(*) from block_new`)[0]!.count)).toBeGreaterThan(0);
    expect(report.totals).toMatchObject({
      sensors: 7,
      reportingSensors: 6,
      seldomSensors: 1,
      readings: 901n,
      anomalies: 1n,
      alarms: 16,
      silences: 1,
      acknowledged: 2,
      medianAcknowledgeSeconds: 900,
      standing: 3,
      driftingSensors: 1,
    });
  });

  it("tells the availability of each sensor by what it usually sends, from its first reading on", () => {
    const least = report.leastAvailable.map(({ sensorId, availabilityPercent }) => [sensorId, availabilityPercent]);
    expect(least).toEqual([
      ["gone", 0],
      ["half", 50],
      ["gap", 75],
    ]);
    expect(report.sensorsByAvailability).toEqual([3, 0, 0, 0, 2, 0, 1]);
    expect(report.totals!.availabilityPercent).toBeCloseTo((3 * 100 + 75 + 50) / 6, 9);
    const gap = report.leastAvailable[2]!;
    expect(gap.usualReadingsPerHour).toBe(10);
    expect(gap.readingsPerHour).toEqual([...Array(6).fill(10), ...Array(6).fill(0), ...Array(12).fill(10)]);
  });

  it("finds the sensors with most alarms, and those that chatter", () => {
    expect(report.badActors).toMatchObject([
      { sensorId: "half", alarms: 12, sharePercent: 75, cumulativePercent: 75, chatters: 10, fleeting: 12 },
      { sensorId: "drifting", alarms: 2, sharePercent: 12.5, cumulativePercent: 87.5, chatters: 0 },
      { sensorId: "gap", alarms: 1, sharePercent: 6.25 },
      { sensorId: "steady", alarms: 1, cumulativePercent: 100 },
    ]);
    expect(report.alarmsBySeverity).toEqual([13, 1, 1, 1]);
    const busy = report.alarmsPerTenMinutes.flatMap((count, slot) => (count > 0 ? [[slot, count]] : []));
    expect(busy).toEqual([
      [18, 12],
      [36, 1],
      [48, 1],
      [132, 1],
      [138, 1],
    ]);
  });

  it("names what stands at the end, and since when", () => {
    expect(report.standing).toMatchObject([
      { sensorId: "gone", stale: true, alertType: "silence" },
      { sensorId: "steady", stale: false },
      { sensorId: "drifting", stale: false, alertId: 15n },
    ]);
  });

  it("finds the sensor whose level moved, in deviations of its own hours", () => {
    const [drifting, ...others] = report.drift;
    expect(drifting).toMatchObject({ sensorId: "drifting", unit: "C", baselineMean: 20, mean: 23 });
    expect(drifting!.baselineDeviation).toBeCloseTo(deviation, 9);
    expect(drifting!.shift).toBeCloseTo(3 / deviation, 9);
    expect(drifting!.points).toHaveLength(8 * 24);
    expect(others.map(({ sensorId, shift }) => [sensorId, shift])).toEqual([
      ["gap", 0],
      ["half", 0],
      ["steady", 0],
    ]);
  });

  it("of a range that is not over ends with the present", async () => {
    const nowUs = reportedUs + 3 * hourUs + hourUs / 2;
    const early = await makeReport(stored.sql, { ...options, nowUs });
    expect(early.endTime).toMatchObject({ seconds: BigInt(nowUs / 1e6) });
    // The fourth hour counts by half.
    expect(early.leastAvailable.map(({ sensorId }) => sensorId)).toEqual(["gone", "half"]);
    expect(early.leastAvailable[1]!.availabilityPercent).toBeGreaterThan(49);
    expect(early.alarmsPerTenMinutes).toHaveLength(21);
  });

  it("of nothing is a report all the same", async () => {
    const before = { ...options, fromUs: reportedUs - 60 * dayUs, toUs: reportedUs - 59 * dayUs };
    const empty = await makeReport(stored.sql, before);
    expect(empty.totals).toMatchObject({ sensors: 0, readings: 0n, alarms: 0 });
    expect(empty.totals!.availabilityPercent).toBeUndefined();
    expect(empty.drift).toEqual([]);
  });

  it("leaves no table behind", async () => {
    expect(await stored.sql`select relname from pg_class where relname like 'report%'`).toEqual([]);
  });
});

describe("the guidance of ISA-18.2", () => {
  const quiet = {
    days: 1,
    operators: 1,
    alarms: 0,
    readings: 100_000,
    perTenMinutes: Array<number>(144).fill(0),
    bySeverity: [0, 0, 0, 0],
    ofTopTen: 0,
    nuisances: 0,
    stale: 0,
  };
  const verdicts = (load: Partial<typeof quiet>) =>
    Object.fromEntries(judge({ ...quiet, ...load }).map(({ id, verdict }) => [id, verdict]));

  it("finds nothing to say of a day without alarms", () => {
    expect(new Set(Object.values(verdicts({})))).toEqual(new Set([Verdict.GOOD, Verdict.UNSPECIFIED]));
  });

  it("calls nothing good of a range without data, and what is bad stays bad", () => {
    expect(new Set(Object.values(verdicts({ readings: 0 })))).toEqual(new Set([Verdict.UNSPECIFIED]));
    expect(verdicts({ readings: 0, stale: 20 }).stale_alarms).toBe(Verdict.BAD);
  });

  it("calls 64 % of high and critical alarms bad, of few alarms too; 80, 15 and 5 % of low, medium and high are good", () => {
    const shares = (...bySeverity: number[]) =>
      verdicts({ alarms: bySeverity.reduce((sum, count) => sum + count, 0), bySeverity }).high_and_critical_share;
    expect(shares(30, 6, 20, 44)).toBe(Verdict.BAD);
    expect(shares(3, 1, 5, 2)).toBe(Verdict.BAD);
    expect(shares(1, 0, 1, 0)).toBe(Verdict.UNSPECIFIED);
    expect(shares(80, 15, 4, 1)).toBe(Verdict.GOOD);
    expect(shares(60, 25, 10, 5)).toBe(Verdict.BORDERLINE);
  });

  it("calls an alarm in each ten minutes bearable, two borderline, three bad, and shares them among operators", () => {
    const every = (count: number, operators = 1) =>
      verdicts({ operators, alarms: 144 * count, perTenMinutes: Array(144).fill(count) }).alarms_per_ten_minutes;
    expect([every(1), every(2), every(3), every(6, 3)]).toEqual([
      Verdict.GOOD,
      Verdict.BORDERLINE,
      Verdict.BAD,
      Verdict.BORDERLINE,
    ]);
  });

  it("calls more than ten in ten minutes a flood, and more than one such in a hundred too much", () => {
    const floods = (count: number, size: number) => {
      const { peak_ten_minutes, time_in_flood } = verdicts({
        alarms: count * size,
        perTenMinutes: quiet.perTenMinutes.map((_, i) => (i < count ? size : 0)),
      });
      return [peak_ten_minutes, time_in_flood];
    };
    expect(floods(20, 10)).toEqual([Verdict.GOOD, Verdict.GOOD]);
    expect(floods(1, 11)).toEqual([Verdict.BAD, Verdict.GOOD]);
    expect(floods(2, 11)).toEqual([Verdict.BAD, Verdict.BORDERLINE]);
    expect(floods(9, 11)).toEqual([Verdict.BAD, Verdict.BAD]);
  });

  it("says nothing of shares of a handful of alarms", () => {
    expect(verdicts({ alarms: 49, ofTopTen: 49 }).top_ten_share).toBe(Verdict.UNSPECIFIED);
    expect(verdicts({ alarms: 50, ofTopTen: 50 }).top_ten_share).toBe(Verdict.BAD);
  });
});
