/** A sensor's history: its readings in pages, and the timeline of its partition. */

import { fromBinary } from "@bufbuild/protobuf";
import type { Sql } from "postgres";
import type { DetectorConfig } from "../../gen/es/telltale/v1/detector_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { DAY_US } from "../lib/time.ts";
import { decodeBlock } from "../store/block.ts";
import { unpackTicks } from "../store/log-ticks.ts";
import { copyPoint, createPoints, type Points } from "../store/points.ts";
import { numbers, type SeriesSpan, spanOf } from "../store/series.ts";
import { withoutDeleted } from "./deleted.ts";
import { withNames } from "./named.ts";
import type { Page } from "./rerun.ts";
import { Ticks, type Timeline } from "./timeline.ts";
import type { Places } from "./tried.ts";

/** Readings read at once: 10 MB in columns. */
const PAGE_READINGS = 200_000;
/** Minutes of ticks read at once: a day. */
const TICK_ROWS = 1440;

/** A sensor that has readings. */
export interface SensorSpan {
  readonly sensorId: string;
  readonly partition: number;
  /** In the order in which they were met. */
  readonly series: readonly SeriesSpan[];
  /** Late ones too. */
  readonly readings: number;
  readonly firstUs: number;
  readonly newestUs: number;
}

/** A stored alert, as events are: from its opening until it was last seen, or for silence, until it was closed. */
export interface StoredAlert {
  readonly id: number;
  readonly fromUs: number;
  readonly untilUs: number;
  /** Whether a person called it right; null without a label. */
  readonly label: boolean | null;
}

/** Where histories come from. */
export interface HistorySource {
  /** True where the readings have never been judged: there is nothing to compare with. */
  readonly unscored?: true;
  /** When the reading with an id arrived; absent where ids are those of a store. */
  receivedUsOf?(readingId: number): number;
  sensors(sensorIds: readonly string[], limit: number): Promise<SensorSpan[]>;
  timeline(partition: number): Promise<Timeline>;
  alerts(sensorId: string, fromUs: number, toUs: number): Promise<StoredAlert[]>;
  /** The assets that the sensors are in now; absent where nobody knows of any. */
  places?(sensors: readonly Pick<SensorSpan, "sensorId">[]): Promise<Places>;
  pages(sensor: SensorSpan, fromUs: number, toUs: number): AsyncIterable<Page>;
}

/** Where parts of long histories come from. */
export interface LongHistorySource extends HistorySource {
  newest(sensor: SensorSpan, untilUs: number, readings: number): Promise<number>;
}

/** Histories as the store has them. */
export class History implements LongHistorySource {
  readonly #sql: Sql;
  /** What the sensors that were given out were called then, by their keys. */
  readonly #shown = new Map<string, string>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The sensors with these ids, or all; by partition, then by id. At most `limit` + 1. */
  async sensors(sensorIds: readonly string[], limit: number): Promise<SensorSpan[]> {
    const sql = this.#sql;
    const rows = await sql`
      select *, sensor_key(sensor_id) as key from series where readings > 0 and sensor_id in (
        select sensor_id from series where readings > 0
          ${sensorIds.length === 0 ? sql`` : sql`and sensor_id in ${sql(sensorIds as string[])}`}
        group by sensor_id order by sensor_id collate "C" limit ${limit + 1})
      order by partition, sensor_id collate "C", id`;
    const sensors: SensorSpan[] = [];
    let series: SeriesSpan[] = [];
    for (const [i, row] of rows.entries()) {
      series.push(spanOf(row));
      if (rows[i + 1]?.sensor_id === row.sensor_id) continue;
      if (row.key !== row.sensor_id) this.#shown.set(row.key, row.sensor_id);
      sensors.push({
        sensorId: row.sensor_id,
        partition: row.partition,
        series,
        readings: series.reduce((n, s) => n + s.readings, 0),
        firstUs: Math.min(...series.map((s) => s.firstUs)),
        newestUs: Math.max(...series.map((s) => s.lastUs)),
      });
      series = [];
    }
    return sensors;
  }

  /** The assets that the sensors are in now, by the ids that are shown. */
  async places(sensors: readonly Pick<SensorSpan, "sensorId">[]): Promise<Places> {
    const rows = await this.#sql`select sensor_id, asset from sensor_profile where asset <> ''
      and sensor_id in (select jsonb_array_elements_text(${JSON.stringify(sensors.map((s) => s.sensorId))}::text::jsonb))`;
    return new Map(rows.map((r) => [r.sensor_id as string, r.asset as string]));
  }

  /** The sensors of a scope of settings that have readings: how many, and those with the newest ones, at most `limit`. */
  async concerned(
    { sensorId, asset, sensorType }: Pick<DetectorConfig, "sensorId" | "asset" | "sensorType">,
    limit: number,
  ): Promise<{ sensorIds: string[]; total: number }> {
    const sql = this.#sql;
    // A sensor is of the type that it was met with.
    const ofType = sql`sensor_id in (select sensor_id from series where sensor_type = ${sensorType})`;
    const inAsset = sql`sensor_id collate "C" in (select p.sensor_id from sensor_profile p where is_in_asset(p.asset, ${asset}))`;
    const ofMany = sensorType !== "" ? ofType : asset !== "" ? inAsset : sql`true`;
    const wanted = sensorId !== "" ? sql`sensor_id = ${sensorId}` : ofMany;
    const isOfType = sensorType === "" ? sql`true` : sql`(array_agg(sensor_type order by id))[1] = ${sensorType}`;
    const rows = await sql`
      select sensor_id, count(*) over () as total from series where ${wanted} group by sensor_id
      having sum(readings) > 0 and ${isOfType}
      order by max(last_us) desc nulls last, sensor_id collate "C" limit ${limit}`;
    return { sensorIds: rows.map((r) => r.sensor_id as string), total: Number(rows[0]?.total ?? 0) };
  }

  /** Control events and ticks of the partition, of sensors by the ids that are shown. */
  async timeline(partition: number): Promise<Timeline> {
    const [timeline, names] = await Promise.all([
      this.loggedTimeline(partition),
      this.#sql`select key, name from sensor_name where current`,
    ]);
    const shown = new Map([...names.map((r) => [r.key as string, r.name as string] as const), ...this.#shown]);
    return { ...timeline, controls: withNames(timeline.controls, shown) };
  }

  /** As the log has them: of sensors by their keys. */
  async loggedTimeline(partition: number): Promise<Timeline> {
    const controls = await this.#sql`
      select tick, received_us, control from detector_setting where partition = ${partition} order by log_offset`;
    const ticks = new Ticks();
    const rows = this.#sql`select minute, ticks from log_tick where partition = ${partition} order by minute`;
    for await (const portion of rows.cursor(TICK_ROWS)) {
      for (const r of portion) unpackTicks(r.minute, r.ticks as Buffer, (us, tick) => ticks.add(us, tick));
    }
    return {
      controls: withoutDeleted(
        controls.map((r) => ({
          tick: r.tick ?? 0,
          receivedUs: r.received_us ?? 0,
          control: fromBinary(ControlSchema, r.control as Buffer),
        })),
      ),
      ticks,
    };
  }

  /** The sensor's stored alerts that opened in the range. */
  async alerts(sensorId: string, fromUs: number, toUs: number): Promise<StoredAlert[]> {
    const to = Number.isFinite(toUs) ? toUs : Number.MAX_SAFE_INTEGER;
    const rows = await this.#sql`
      select id, opened_us, case alert_type when 'anomaly_detection' then last_seen_us else coalesce(closed_us, last_seen_us) end as until_us,
        label from alert where sensor_id = ${sensorId} and opened_us between ${fromUs} and ${to} order by id`;
    return rows.map((r) => ({ id: r.id, fromUs: r.opened_us, untilUs: r.until_us, label: r.label }));
  }

  /** The time from which on the sensor has at most so many readings up to `untilUs`; to whole blocks. */
  async newest(sensor: SensorSpan, untilUs: number, readings: number): Promise<number> {
    const [row] = await this.#sql`
      select min(first_us)::bigint as from_us from (
        select first_us, sum(points) over (order by first_us desc) as upto from (
          select first_us, points from block_new where series = any(${ids(sensor)}::int[]) and first_us <= ${untilUs}
          union all
          select first_us, points from block where series = any(${ids(sensor)}::int[]) and first_us <= ${untilUs}) b) s
      where upto <= ${readings}`;
    return row?.from_us ?? untilUs;
  }

  /**
   * The sensor's readings in [fromUs, toUs], in rising order of time. Each page is read by one statement and ends where the next
   * begins, so that a reading that is being moved between tables is seen exactly once.
   */
  async *pages(sensor: SensorSpan, fromUs: number, toUs: number): AsyncGenerator<Page> {
    const byId = new Map(sensor.series.map((s) => [s.id, s]));
    for (let from = fromUs; from <= toUs; ) {
      const rows = await this.#blocks(sensor, from, toUs, PAGE_READINGS);
      if (rows.length === 0) return;
      // A block that begins where the page ends is read again with the next.
      const full = rows.length > 1 && rows[rows.length - 1]!.more === true;
      const last = rows[rows.length - 1]!.first_us as number;
      const end = full && last > from ? last - 1 : toUs;
      const all = full && last <= from ? await this.#blocks(sensor, from, toUs, Number.MAX_SAFE_INTEGER) : rows;
      yield pageOf(all, byId, from, end);
      from = end + 1;
    }
  }

  /** Blocks by their first times, up to so many readings and one block more. */
  #blocks(sensor: SensorSpan, fromUs: number, toUs: number, readings: number) {
    const day = Math.floor(fromUs / DAY_US) * DAY_US;
    return this.#sql`
      select * from (
        select *, coalesce(sum(points) over (order by first_us, series, first_id rows between unbounded preceding and 1 preceding), 0)
          as before, lead(first_us) over (order by first_us, series, first_id) is not null as more
        from (
          select series, first_us, first_id, points, data from block_new
            where series = any(${ids(sensor)}::int[]) and last_us >= ${fromUs} and first_us <= ${toUs}
          union all
          select series, first_us, first_id, points, data from block
            where series = any(${ids(sensor)}::int[]) and first_us between ${day} and ${toUs} and last_us >= ${fromUs}) b) s
      where before <= ${readings} order by first_us, series, first_id`;
  }
}

const ids = (sensor: SensorSpan) => numbers(sensor.series.map((s) => s.id));

type BlockRow = { series?: number; first_us?: number; first_id?: number; points?: number; data?: Uint8Array };

function pageOf(rows: readonly BlockRow[], byId: ReadonlyMap<number, SeriesSpan>, fromUs: number, toUs: number): Page {
  const points = createPoints(rows.reduce((n, r) => n + r.points!, 0));
  const series: SeriesSpan[] = [];
  for (const r of rows) {
    decodeBlock(r.data as Buffer, r.first_us!, r.first_id!, points);
    while (series.length < points.length) series.push(byId.get(r.series!)!);
  }
  const { timeUs } = points;
  const order: number[] = [];
  let sorted = true;
  for (let i = 0; i < points.length; i++) {
    if (timeUs[i]! < fromUs || timeUs[i]! > toUs) continue;
    if (order.length > 0 && timeUs[i]! < timeUs[order[order.length - 1]!]!) sorted = false;
    order.push(i);
  }
  if (sorted && order.length === points.length) return { points, series };
  if (!sorted) order.sort((a, b) => timeUs[a]! - timeUs[b]!);
  return { points: inOrder(points, order), series: order.map((i) => series[i]!) };
}

function inOrder(points: Points, order: readonly number[]): Points {
  const sorted = createPoints(order.length);
  for (const i of order) copyPoint(points, i, sorted);
  return sorted;
}
