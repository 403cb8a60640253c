/** Reads for the query services. */
import type { Row, Sql } from "postgres";
import { alertOf } from "./alerts.ts";
import { decodeBlock } from "./block.ts";
import { type BucketRow, bucketsOf } from "./buckets.ts";
import { createPoints } from "./points.ts";
import { ReadingQueries } from "./reading-queries.ts";
import { numbers, seriesRow } from "./series.ts";
import type { AlertRow, SeriesRow } from "./store.ts";

const DAY_US = 86_400_000_000;
/** A process that wrote down its uptime this short ago runs still. */
const STILL_RUNS_US = 10_000_000;

export interface SensorRow extends SeriesRow {
  readonly lastUs: number;
  readonly lastValue: number;
  readonly lastScore: number;
  readonly lastAnomaly: boolean;
  readonly readings: number;
}

export interface SensorStats {
  readonly readings: number;
  readonly mean: number;
  readonly smallest: number;
  readonly largest: number;
  readonly anomalies: number;
  readonly late: number;
  readonly lastUs: number;
}

export interface PlatformCounts {
  readonly readings: number;
  readonly anomalies: number;
  readonly late: number;
  readonly activeSensors: number;
  readonly recentAnomalies: number;
}

export interface AlertFilter {
  readonly sensorId: string | undefined;
  readonly sensorPrefix: string;
  readonly severity: number | undefined;
  readonly resolved: boolean | undefined;
  readonly fromUs: number;
  readonly toUs: number;
  readonly limit: number;
  readonly offset: number;
}

export class Queries extends ReadingQueries {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    super(sql);
    this.#sql = sql;
  }

  /** Every reading of the sensor in [fromUs, toUs), aggregated. */
  buckets(sensorId: string, fromUs: number, toUs: number, widthUs: number): Promise<BucketRow[]> {
    return bucketsOf(this.#sql, sensorId, fromUs, toUs, widthUs);
  }

  async sensorStats(sensorId: string): Promise<SensorStats | undefined> {
    const rows = await this.#sql`
      select sum(readings)::bigint as readings, sum(total) as total, min(smallest) as smallest, max(largest) as largest,
        sum(anomalies)::bigint as anomalies, sum(late)::bigint as late, max(last_us) as last_us
      from series where sensor_id = ${sensorId} and readings > 0`;
    const r = rows[0]!;
    if (r.readings === null) return undefined;
    return {
      readings: r.readings,
      mean: r.total / r.readings,
      smallest: r.smallest,
      largest: r.largest,
      anomalies: r.anomalies,
      late: r.late,
      lastUs: r.last_us,
    };
  }

  /** Sensors with a reading since then. */
  async activeSensors(sinceUs: number): Promise<number> {
    const [row] = await this.#sql`select count(*)::bigint as n from (
      select sensor_id from series where last_us >= ${sinceUs} group by sensor_id) s`;
    return row!.n;
  }

  async platformCounts(dayAgoUs: number): Promise<PlatformCounts> {
    const [sums, active, recent] = await Promise.all([
      this.#sql`select coalesce(sum(readings), 0)::bigint as readings, coalesce(sum(anomalies), 0)::bigint as anomalies,
        coalesce(sum(late), 0)::bigint as late from log_partition`,
      this.activeSensors(dayAgoUs),
      // A block that began earlier is counted point by point.
      this.#sql`
        with b as (
          select first_us, first_id, points, anomalies, data from block_new where anomalies > 0 and last_us >= ${dayAgoUs}
          union all
          select first_us, first_id, points, anomalies, data from block
            where anomalies > 0 and last_us >= ${dayAgoUs} and first_us >= ${dayAgoUs - DAY_US})
        select null::bigint as first_us, null::bigint as first_id, null::smallint as points,
          coalesce(sum(anomalies), 0)::bigint as anomalies, null::bytea as data from b where first_us >= ${dayAgoUs}
        union all
        select first_us, first_id, points, anomalies, data from b where first_us < ${dayAgoUs}`,
    ]);
    let recentAnomalies = 0;
    for (const r of recent) {
      recentAnomalies += r.data === null ? (r.anomalies as number) : anomaliesSince(r, dayAgoUs);
    }
    const s = sums[0]!;
    return {
      readings: s.readings,
      anomalies: s.anomalies,
      late: s.late,
      activeSensors: active,
      recentAnomalies,
    };
  }

  /** Sensors in byte order of their ids, by their newest reading; and how many there are, and of those fresh. */
  async sensors(filter: {
    sensorPrefix: string;
    sensorType: string | undefined;
    location: string | undefined;
    after: string;
    limit: number;
    freshSinceUs: number;
  }): Promise<{ sensors: SensorRow[]; total: number; fresh: number }> {
    const sql = this.#sql;
    const newest = sql`
      select distinct on (sensor_id collate "C") * from series where last_us is not null and readings > 0
        and starts_with(sensor_id, ${filter.sensorPrefix})
      order by sensor_id collate "C", last_us desc`;
    const where = sql`
      where (${filter.sensorType ?? null}::text is null or sensor_type = ${filter.sensorType ?? null})
        and (${filter.location ?? null}::text is null or location = ${filter.location ?? null})`;
    const [rows, counts] = await Promise.all([
      sql`select * from (${newest}) s ${where} and sensor_id collate "C" > ${filter.after}
        order by sensor_id collate "C" limit ${filter.limit}`,
      sql`select count(*)::bigint as total, count(*) filter (where last_us > ${filter.freshSinceUs})::bigint as fresh
        from (${newest}) s ${where}`,
    ]);
    return {
      sensors: rows.map((r) => ({
        ...seriesRow(r),
        lastUs: r.last_us,
        lastValue: r.last_value,
        lastScore: r.last_score,
        lastAnomaly: r.last_anomaly,
        readings: r.readings,
      })),
      total: counts[0]!.total,
      fresh: counts[0]!.fresh,
    };
  }

  async alerts(f: AlertFilter): Promise<AlertRow[]> {
    const sql = this.#sql;
    const rows = await sql`
      select * from alert where opened_us between ${f.fromUs} and ${f.toUs} and starts_with(sensor_id, ${f.sensorPrefix})
        ${f.sensorId === undefined ? sql`` : sql`and sensor_id = ${f.sensorId}`}
        ${f.severity === undefined ? sql`` : sql`and severity = ${f.severity}`}
        ${f.resolved === undefined ? sql`` : f.resolved ? sql`and state <> 1` : sql`and state = 1`}
      order by opened_us desc, id desc limit ${f.limit} offset ${f.offset}`;
    return rows.map(alertOf);
  }

  async alert(id: number): Promise<AlertRow | undefined> {
    const rows = await this.#sql`select * from alert where id = ${id}`;
    return rows[0] === undefined ? undefined : alertOf(rows[0]);
  }

  /** The sensor's newest alert that opened at or before the time. */
  async alertBefore(sensorId: string, timeUs: number): Promise<AlertRow | undefined> {
    const rows = await this.#sql`select * from alert where sensor_id = ${sensorId} and opened_us <= ${timeUs}
      order by opened_us desc, id desc limit 1`;
    return rows[0] === undefined ? undefined : alertOf(rows[0]);
  }

  /** Alert events from each partition's number on, in order within a partition. */
  async alertEvents(from: ReadonlyMap<number, number>, limit: number) {
    const partitions = numbers([...from.keys()]);
    const next = numbers([...from.values()]);
    const rows = await this.#sql`
      select e.partition, e.number, e.event from unnest(${partitions}::int[], ${next}::bigint[]) f(partition, next)
      cross join lateral (select * from alert_event where partition = f.partition and number >= f.next
        order by number limit ${limit}) e order by e.partition, e.number`;
    return rows.map((r) => ({
      partition: r.partition as number,
      number: r.number as number,
      event: new Uint8Array(r.event as Buffer),
    }));
  }

  /** Every setting ever made, in the order of the log: `Control` messages in binary form. All partitions have the same. */
  async settings(): Promise<Uint8Array[]> {
    const rows = await this.#sql`select control from detector_setting where partition = 0 order by log_offset`;
    return rows.map((r) => new Uint8Array(r.control as Buffer));
  }

  /** Outcomes of log records, as far as they are kept. */
  async outcomes(partition: number, offsets: readonly number[]): Promise<Uint8Array[]> {
    const rows = await this.#sql`select outcome from record_outcome
      where partition = ${partition} and log_offset = any(${numbers(offsets)}::bigint[]) order by log_offset`;
    return rows.map((r) => new Uint8Array(r.outcome as Buffer));
  }

  /** Next event number of each partition. */
  async nextEvents(): Promise<Map<number, number>> {
    const rows = await this.#sql`select partition, next_event from log_partition`;
    return new Map(rows.map((r) => [r.partition as number, r.next_event as number]));
  }

  /** Share of the time since the first start during which the platform ran, 0 to 1. */
  async uptime(nowUs: number): Promise<number> {
    const rows = await this.#sql`select min(started_us) as first, sum(case when seen_us >= ${nowUs - STILL_RUNS_US}
      then ${nowUs}::bigint else seen_us end - started_us)::bigint as up from uptime`;
    const { first, up } = rows[0]!;
    if (first === null || nowUs <= first) return 1;
    return Math.min(1, up / (nowUs - first));
  }
}

function anomaliesSince(r: Row, sinceUs: number): number {
  const points = createPoints(r.points as number);
  decodeBlock(r.data as Buffer, r.first_us as number, r.first_id as number, points);
  let n = 0;
  for (let i = 0; i < points.length; i++) if (points.timeUs[i]! >= sinceUs) n += points.anomaly[i]!;
  return n;
}
