/** Reads for the query services. */

import type { Row, Sql } from "postgres";
import type { Attributes } from "../../formats/attributes.ts";
import { DAY_US } from "../lib/time.ts";
import { alertOf } from "./alerts.ts";
import { attributesOf } from "./attributes.ts";
import { decodeBlock } from "./block.ts";
import { type BucketRange, type BucketRow, bucketsOf } from "./buckets.ts";
import { type Chart, type ChartRange, readChart } from "./chart/charts.ts";
import { type Heatmap, type HeatmapWanted, readHeatmap } from "./chart/heatmap.ts";
import { readBlocks, type SeriesPart, type TakePoints } from "./chart/read.ts";
import { createPoints } from "./points.ts";
import { ReadingQueries } from "./reading-queries.ts";
import { numbers, type SeriesSpan, seriesRow, spansWithin } from "./series.ts";
import type { AlertRow, SeriesRow } from "./store.ts";
import { meanOf, type Totalled } from "./sums.ts";

/** A process that wrote down its uptime this short ago runs still. */
const STILL_RUNS_US = 10_000_000;

export interface SensorRow extends SeriesRow {
  readonly lastUs: number;
  readonly lastValue: number;
  readonly lastScore: number;
  readonly lastAnomaly: boolean;
  readonly readings: number;
  readonly attributes: Attributes;
}

/** Of a sensor's readings in one unit. */
export interface UnitStats {
  readonly unit: string;
  readonly readings: number;
  readonly mean: number;
  readonly smallest: number;
  readonly largest: number;
  readonly anomalies: number;
  readonly late: number;
  readonly firstUs: number;
  readonly lastUs: number;
  /** Of the newest reading that was not late, which defines the current unit; −1 where all were late. */
  readonly currentUs: number;
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
  /** Only what comes behind this one. */
  readonly after: { readonly timeUs: number; readonly id: number } | undefined;
}

export class Queries extends ReadingQueries {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    super(sql);
    this.#sql = sql;
  }

  /** Every reading of the sensor in the range, in one unit, aggregated. */
  buckets(range: BucketRange): Promise<BucketRow[]> {
    return bucketsOf(this.#sql, range);
  }

  /** Series of some sensors that may have readings within [fromUs, toUs), by sensor. */
  seriesWithin(sensorIds: readonly string[], range: { fromUs: number; toUs: number }): Promise<SeriesSpan[]> {
    return spansWithin(this.#sql, sensorIds, range);
  }

  /** Readings of series, a block at a time: of each those of its points that are within [lowUs, highUs) count. */
  readSeries(parts: readonly SeriesPart[], take: TakePoints): Promise<void> {
    return readBlocks(this.#sql, parts, take);
  }

  /** Readings of some sensors by column; of those that have any. */
  chart(sensorIds: readonly string[], range: ChartRange): Promise<Chart> {
    return readChart(this.#sql, sensorIds, range);
  }

  /** Anomalies by sensor and column. */
  heatmap(wanted: HeatmapWanted): Promise<Heatmap> {
    return readHeatmap(this.#sql, wanted);
  }

  /** A row for each unit that the sensor has readings in, the current unit first. Values in different units are never added up. */
  async sensorStats(sensorId: string): Promise<UnitStats[]> {
    const rows = await this.#sql`
      select unit, sum(readings)::bigint as readings, saturated_total(total) as total, min(smallest) as smallest,
        max(largest) as largest, sum(anomalies)::bigint as anomalies, sum(late)::bigint as late, min(first_us) as first_us,
        max(newest_us) as newest_us, coalesce(max(last_us), -1) as current_us
      from series where sensor_id = ${sensorId} and readings > 0 group by unit order by current_us desc, newest_us desc, unit`;
    return rows.map((r) => ({
      unit: r.unit,
      readings: r.readings,
      mean: meanOf({ ...(r as unknown as Totalled), count: r.readings }),
      smallest: r.smallest,
      largest: r.largest,
      anomalies: r.anomalies,
      late: r.late,
      firstUs: r.first_us,
      lastUs: r.newest_us,
      currentUs: r.current_us,
    }));
  }

  /** Sensors with a reading since then. */
  async activeSensors(sinceUs: number): Promise<number> {
    const [row] = await this.#sql`select count(*)::bigint as n from (
      select sensor_id from series where last_us >= ${sinceUs} group by sensor_id) s`;
    return row!.n;
  }

  async platformCounts(dayAgoUs: number): Promise<PlatformCounts> {
    const [sums, active, recent] = await Promise.all([
      this.#sql`select coalesce(sum(readings - deleted_readings), 0)::bigint as readings,
        coalesce(sum(anomalies - deleted_anomalies), 0)::bigint as anomalies,
        coalesce(sum(late - deleted_late), 0)::bigint as late from log_partition`,
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

  /** Sensors that are not retired, in byte order of their ids, by their newest reading; and how many there are, and of those fresh. */
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
        and sensor_id collate "C" not in (select sensor_id from sensor_retirement where retired_us is not null)`;
    const sorted = sql`order by sensor_id collate "C", last_us desc`;
    const where = sql`
      where (${filter.sensorType ?? null}::text is null or sensor_type = ${filter.sensorType ?? null})
        and (${filter.location ?? null}::text is null or location = ${filter.location ?? null})`;
    const [rows, counts] = await Promise.all([
      sql`select s.*, ${attributesOf(sql, sql`s.sensor_id`)} as attributes
        from (${newest} and sensor_id collate "C" > ${filter.after} ${sorted}) s ${where}
        order by sensor_id collate "C" limit ${filter.limit}`,
      sql`select count(*)::bigint as total, count(*) filter (where last_us > ${filter.freshSinceUs})::bigint as fresh
        from (${newest} ${sorted}) s ${where}`,
    ]);
    return {
      sensors: rows.map((r) => ({
        ...seriesRow(r),
        lastUs: r.last_us,
        lastValue: r.last_value,
        lastScore: r.last_score,
        lastAnomaly: r.last_anomaly,
        readings: r.readings,
        attributes: r.attributes ?? {},
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
        ${f.after === undefined ? sql`` : sql`and (opened_us, id) < (${f.after.timeUs}::bigint, ${f.after.id}::bigint)`}
      order by opened_us desc, id desc limit ${f.limit} offset ${f.offset}`;
    return rows.map(alertOf);
  }

  async alert(id: number): Promise<AlertRow | undefined> {
    const rows = await this.#sql`select * from alert where id = ${id}`;
    return rows[0] === undefined ? undefined : alertOf(rows[0]);
  }

  /** What happened to an alert, in order. It opens, ends and is acknowledged once, and is raised at most three times. */
  async eventsOfAlert(id: number): Promise<Uint8Array[]> {
    const rows = await this.#sql`select event from alert_event where alert_id = ${id} order by partition, number`;
    return rows.map(({ event }) => new Uint8Array(event as Buffer));
  }

  /** The sensor's newest alert that opened at or before the time. */
  async alertBefore(sensorId: string, timeUs: number): Promise<AlertRow | undefined> {
    const rows = await this.#sql`select * from alert where sensor_id = ${sensorId} and opened_us <= ${timeUs}
      order by opened_us desc, id desc limit 1`;
    return rows[0] === undefined ? undefined : alertOf(rows[0]);
  }

  /**
   * Alert events from each partition's number on, of a partition without one from its first on, in order within a partition and `limit`
   * of each; those of alerts that were removed are of alert 0.
   */
  async alertEvents(from: ReadonlyMap<number, number>, limit: number) {
    const partitions = numbers([...from.keys()]);
    const next = numbers([...from.values()]);
    const rows = await this.#sql`
      select e.partition, e.number, e.event from log_partition p
      left join unnest(${partitions}::int[], ${next}::bigint[]) f(partition, next) using (partition)
      cross join lateral (select * from alert_event where partition = p.partition and number >= coalesce(f.next, 1)
        and alert_id <> 0 order by number limit ${limit}) e order by e.partition, e.number`;
    return rows.map((r) => ({
      partition: r.partition as number,
      number: r.number as number,
      event: new Uint8Array(r.event as Buffer),
    }));
  }

  /** Every setting ever made, in the order of the log: `Control` messages in binary form. All partitions have the same, but for those of single sensors. */
  async settings(): Promise<Uint8Array[]> {
    const rows = await this.#sql`select control from detector_setting where partition = 0 order by log_offset`;
    return rows.map((r) => new Uint8Array(r.control as Buffer));
  }

  /**
   * Settings of one partition from a place of its log on, in its order. `receivedUs`: when the log took them, microseconds since 1970; 0
   * of those that the store has from before it kept that.
   */
  async settingsFrom(
    partition: number,
    offset: number,
  ): Promise<{ offset: number; receivedUs: number; control: Uint8Array }[]> {
    const rows = await this.#sql`select log_offset, received_us, control from detector_setting
      where partition = ${partition} and log_offset >= ${offset} order by log_offset`;
    return rows.map((r) => ({
      offset: Number(r.log_offset),
      receivedUs: Number(r.received_us ?? 0),
      control: new Uint8Array(r.control as Buffer),
    }));
  }

  /** What the log knows the sensor by, by any id that leads to it. */
  async keyOf(sensorId: string): Promise<string> {
    const [row] = await this.#sql`select sensor_key(${sensorId}) as key`;
    return row!.key;
  }

  /** The asset of a sensor, by its key, as the log knows it; "" where it is in none, or settings of assets never counted for it. */
  async placeOf(key: string): Promise<string> {
    const [row] = await this.#sql`select asset from sensor_place where sensor_key = ${key}`;
    return row?.asset ?? "";
  }

  /** Whether any sensor whose id begins so is in the asset. */
  async isAssetSeen(asset: string, sensorPrefix: string): Promise<boolean> {
    const [row] = await this.#sql`select exists (select from sensor_profile
      where starts_with(sensor_id, ${sensorPrefix}) and is_in_asset(asset, ${asset})) as seen`;
    return row!.seen;
  }

  /** The id that is shown of the sensor, by any id that leads to it. */
  async shownOf(sensorId: string): Promise<string> {
    const [row] = await this.#sql`select sensor_shown(sensor_key(${sensorId})) as shown`;
    return row!.shown;
  }

  /** What is shown of sensors, by their keys; of those that were never renamed there is nothing. */
  async shownNames(): Promise<Map<string, string>> {
    const rows = await this.#sql`select key, name from sensor_name where current`;
    return new Map(rows.map((r) => [r.key as string, r.name as string]));
  }

  /** The type that a sensor was met with; undefined where it has never been. */
  async sensorType(sensorId: string): Promise<string | undefined> {
    const rows = await this.#sql`select sensor_type from series where sensor_id = ${sensorId} order by id limit 1`;
    return rows[0]?.sensor_type;
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
