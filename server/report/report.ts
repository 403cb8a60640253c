/** Makes the fleet's report in one read of the database: fills the tables, runs the SQL files, and puts the answers together. */

import { readFileSync } from "node:fs";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Row, Sql, TransactionSql } from "postgres";
import { type FleetReport, FleetReportSchema } from "../../gen/es/telltale/v1/report_pb.ts";
import { DAY_US, HOUR_US, toTimestamp } from "../lib/time.ts";
import { judge } from "./guidelines.ts";
import { fillTables, type Period } from "./tables.ts";

const SLOT_US = HOUR_US / 6;
/** A day is compared with the week before it, a longer range with four weeks: whole weeks, for weekends differ. */
const BASELINE_DAYS = { short: 7, long: 28 };
const SHORT_US = 2 * DAY_US;
/** Thousands of sensors take seconds; a fleet that takes longer is one for another engine. */
const TIMEOUT_MS = 120_000;
/** From this many of its usual deviations on, a level has moved. */
const DRIFT = 1;
/** Lower ends of the classes of availability, percent; below the last, above 0; then none at all. */
const CLASSES = [100, 99, 95, 90, 50] as const;
/** Counting and rounding may take a little from what is all. */
const ALL = 100 - 1e-9;

export interface ReportOptions {
  readonly fromUs: number;
  /** Exclusive. */
  readonly toUs: number;
  readonly nowUs: number;
  readonly operators: number;
  /** Rows of each list. */
  readonly top: number;
}

/** The statements, ANSI SQL over the tables of `tables.ts`. */
export const statements = Object.fromEntries(
  (
    [
      "alarm_rate",
      "alarms",
      "availability",
      "bad_actors",
      "drift",
      "drift_points",
      "hours",
      "standing",
      "totals",
    ] as const
  ).map((name) => [name, readFileSync(new URL(`${name}.sql`, import.meta.url), "utf8")]),
) as Readonly<Record<Statement, string>>;
type Statement =
  | "alarm_rate"
  | "alarms"
  | "availability"
  | "bad_actors"
  | "drift"
  | "drift_points"
  | "hours"
  | "standing"
  | "totals";

export async function makeReport(sql: Sql, options: ReportOptions): Promise<FleetReport> {
  const period = periodOf(options);
  // One view of the data for all statements; a reading that is being compacted is seen exactly once.
  const parts = await sql.begin("isolation level repeatable read", async (tx) => {
    await tx.unsafe(`set local statement_timeout = ${TIMEOUT_MS}`);
    await fillTables(tx, period);
    const availability = await availabilityOf(tx, period, options);
    return [
      await alarmsOf(tx, period, options, Number(availability.totals.readings)),
      availability,
      await driftOf(tx, options),
    ] as const;
  });
  const [alarms, availability, drift] = parts;
  const { totals: ofAlarms, ...alarmLists } = alarms;
  const { totals: ofSensors, ...sensorLists } = availability;
  const { totals: ofDrift, ...driftLists } = drift;
  return create(FleetReportSchema, {
    startTime: toTimestamp(period.fromUs),
    endTime: toTimestamp(period.toUs),
    baselineStartTime: toTimestamp(period.baselineUs),
    generatedAt: toTimestamp(options.nowUs),
    operators: options.operators,
    totals: { ...ofAlarms, ...ofSensors, ...ofDrift },
    ...alarmLists,
    ...sensorLists,
    ...driftLists,
  });
}

function periodOf({ fromUs, toUs, nowUs }: ReportOptions): Period {
  const short = toUs - fromUs <= SHORT_US;
  const baselineUs = fromUs - (short ? BASELINE_DAYS.short : BASELINE_DAYS.long) * DAY_US;
  return { fromUs, toUs: Math.min(toUs, nowUs), baselineUs, stepUs: short ? HOUR_US : DAY_US };
}

type Report = MessageInitShape<typeof FleetReportSchema>;
type Totals = NonNullable<Report["totals"]>;

async function alarmsOf(
  tx: TransactionSql,
  { fromUs, toUs }: Period,
  { operators, top }: ReportOptions,
  readings: number,
) {
  const [counts] = await run(tx, "alarms");
  const rates = await run(tx, "alarm_rate");
  const actors = await run(tx, "bad_actors");
  const standing = await run(tx, "standing");
  const perTenMinutes = Array<number>(Math.ceil((toUs - fromUs) / SLOT_US)).fill(0);
  for (const { slot, alarms } of rates) perTenMinutes[slot] = Number(alarms);
  const alarms = Number(counts!.alarms);
  const bySeverity = [counts!.low, counts!.medium, counts!.high, counts!.critical].map(Number);
  const median = counts!.median_acknowledge_seconds as number | null;
  return {
    totals: {
      alarms,
      silences: Number(counts!.silences),
      acknowledged: Number(counts!.acknowledged),
      ...(median === null ? {} : { medianAcknowledgeSeconds: median }),
      standing: standing.length,
    } satisfies Totals,
    guidelines: judge({
      days: (toUs - fromUs) / DAY_US,
      operators,
      alarms,
      readings,
      perTenMinutes,
      bySeverity,
      ofTopTen: sum(actors.slice(0, 10), "alarms"),
      nuisances: sum(actors, "chatters") + sum(actors, "fleeting"),
      stale: sum(standing, "stale"),
    }),
    alarmsPerTenMinutes: perTenMinutes,
    alarmsBySeverity: bySeverity,
    badActors: actors.slice(0, top).map((row) => ({
      sensorId: row.sensor_id,
      sensorType: row.sensor_type,
      alarms: Number(row.alarms),
      sharePercent: Number(row.share),
      cumulativePercent: Number(row.cumulative),
      chatters: Number(row.chatters),
      fleeting: Number(row.fleeting),
    })),
    standing: standing.slice(0, top).map((row) => ({
      alertId: BigInt(row.alert_id),
      sensorId: row.sensor_id,
      alertType: row.alert_type,
      severity: row.severity,
      openedAt: toTimestamp(row.opened_us),
      stale: row.stale === 1,
      acknowledged: row.acknowledged_us !== null,
    })),
  };
}

async function availabilityOf(tx: TransactionSql, { fromUs, toUs }: Period, { top }: ReportOptions) {
  const [counts] = await run(tx, "totals");
  const sensors = await run(tx, "availability");
  const judgeable = sensors.filter(({ availability }) => availability !== null);
  const least = judgeable.filter(({ availability }) => availability < ALL).slice(0, top);
  const ids = least.map(({ sensor_id }) => sensor_id as string);
  const byHour = new Map(ids.map((id) => [id, Array<number>(Math.ceil((toUs - fromUs) / HOUR_US)).fill(0)]));
  await listed(tx, "sensor_id", ids);
  for (const { sensor_id, hour_us, readings } of await run(tx, "hours")) {
    byHour.get(sensor_id)![(hour_us - fromUs) / HOUR_US] = Number(readings);
  }
  const classes = Array<number>(CLASSES.length + 2).fill(0);
  for (const { availability } of judgeable) classes[classOf(availability)]!++;
  return {
    totals: {
      sensors: sensors.length,
      reportingSensors: sensors.filter(({ readings }) => Number(readings) > 0).length,
      seldomSensors: sensors.length - judgeable.length,
      readings: BigInt(counts!.readings),
      anomalies: BigInt(counts!.anomalies),
      ...(judgeable.length === 0 ? {} : { availabilityPercent: sum(judgeable, "availability") / judgeable.length }),
    } satisfies Totals,
    sensorsByAvailability: classes,
    leastAvailable: least.map((row) => ({
      sensorId: row.sensor_id,
      sensorType: row.sensor_type,
      availabilityPercent: row.availability,
      usualReadingsPerHour: row.usual,
      readingsPerHour: byHour.get(row.sensor_id)!,
    })),
  };
}

function classOf(percent: number): number {
  if (percent <= 0) return CLASSES.length + 1;
  const found = CLASSES.findIndex((end) => percent >= Math.min(end, ALL));
  return found === -1 ? CLASSES.length : found;
}

async function driftOf(tx: TransactionSql, { top }: ReportOptions) {
  const levels = await run(tx, "drift");
  const moved = levels.slice(0, top);
  const points = new Map(
    moved.map(({ series }) => [series as number, [] as { startTime: ReturnType<typeof toTimestamp>; mean: number }[]]),
  );
  await listed(tx, "series", [...points.keys()]);
  for (const { series, start_us, mean } of await run(tx, "drift_points")) {
    points.get(series)!.push({ startTime: toTimestamp(start_us), mean });
  }
  return {
    totals: { driftingSensors: levels.filter(({ shift }) => Math.abs(shift) >= DRIFT).length } satisfies Totals,
    drift: moved.map((row) => ({
      sensorId: row.sensor_id,
      unit: row.unit,
      baselineMean: row.baseline_mean,
      baselineDeviation: row.baseline_deviation,
      mean: row.mean,
      shift: row.shift,
      points: points.get(row.series)!,
    })),
  };
}

async function run(tx: TransactionSql, name: Statement): Promise<Row[]> {
  return tx.unsafe(statements[name]);
}

/** The rows that the next statement is about. */
async function listed(
  tx: TransactionSql,
  column: "sensor_id" | "series",
  values: readonly (string | number)[],
): Promise<void> {
  await tx`truncate report_listed`;
  if (values.length > 0) await tx`insert into report_listed ${tx(values.map((value) => ({ [column]: value })))}`;
}

function sum(rows: readonly Row[], column: string): number {
  return rows.reduce((total, row) => total + Number(row[column]), 0);
}
