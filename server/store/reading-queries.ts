/** Lists of readings, from the blocks that hold them. Newest first means by time of observation, then by id. */

import type { Row, Sql } from "postgres";
import { DAY_US } from "../lib/time.ts";
import { decodeBlock } from "./block.ts";
import { copyPoint, createPoints, MAX_BLOCK_POINTS, type Points } from "./points.ts";
import { numbers, type SeriesSpan, spanOf } from "./series.ts";
import type { SeriesRow } from "./store.ts";

/** A first look is this much wider than the mean density asks for: most lists then need one look. */
const LOOK_WIDER = 1.5;
/** Every further look goes back this many times as far. */
const LOOK_FURTHER = 4;
/** Shortest look, microseconds. */
const SHORTEST_LOOK_US = 1_000_000;
/** Readings of a list whose metadata are looked for one by one. */
const LONG_LIST = 500;

export interface ReadingFilter {
  readonly sensorId: string | undefined;
  /** Only sensors whose id begins so; empty: all. */
  readonly sensorPrefix: string;
  readonly sensorType: string | undefined;
  readonly location: string | undefined;
  /** Inclusive, microseconds. */
  readonly fromUs: number;
  /** Inclusive, microseconds. */
  readonly toUs: number;
  readonly anomaliesOnly: boolean;
  /** Only what comes behind this one. */
  readonly after: { readonly timeUs: number; readonly id: number } | undefined;
}

/** Points of several series in one set of columns. */
export interface FoundReadings {
  readonly points: Points;
  /** Series and model of each point. */
  readonly series: readonly SeriesRow[];
  readonly model: readonly string[];
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** Points in the order asked for. */
  readonly order: readonly number[];
}

/** Key of `FoundReadings.metadata`. */
export function metadataKey(sensorId: string, timeUs: number): string {
  return `${timeUs}/${sensorId}`;
}

export class ReadingQueries {
  readonly #sql: Sql;
  readonly #models = new Map<number, string>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** At most `count` readings behind the first `skip`, newest first. */
  async readings(filter: ReadingFilter, count: number, skip: number): Promise<FoundReadings> {
    const series = await this.#series(filter);
    const wanted = count + skip;
    if (series.length === 0 || count === 0) return nothing;
    const toUs = Math.min(
      filter.toUs,
      series.reduce((most, s) => Math.max(most, s.lastUs), 0),
    );
    const firstUs = Math.max(
      filter.fromUs,
      series.reduce((least, s) => Math.min(least, s.firstUs), toUs),
    );
    for (let look = firstLook(series, wanted, toUs, filter.anomaliesOnly); ; look *= LOOK_FURTHER) {
      const fromUs = Math.max(firstUs, Math.floor(toUs - look));
      const found = await this.#points(series, fromUs, toUs, filter.anomaliesOnly);
      const { points } = found;
      const { after } = filter;
      const order: number[] = [];
      for (let i = 0; i < points.length; i++) {
        const t = points.timeUs[i]!;
        if (t < fromUs || t > toUs) continue;
        if (filter.anomaliesOnly && points.anomaly[i] === 0) continue;
        if (after !== undefined && (t > after.timeUs || (t === after.timeUs && points.id[i]! >= after.id))) continue;
        order.push(i);
      }
      if (order.length < wanted && fromUs > firstUs) continue;
      newestFirst(order, points);
      const page = order.slice(skip, wanted);
      return { ...found, order: page, metadata: await this.#metadata(found, page, filter.anomaliesOnly) };
    }
  }

  /** How many readings the filter can find at most: those of its series, whatever their times. */
  async mostReadings(filter: ReadingFilter): Promise<number> {
    return (await this.#series(filter)).reduce((sum, { readings }) => sum + readings, 0);
  }

  /** The newest reading of each of these sensors, in the order asked for; sensors without one are left out. */
  async latest(sensorIds: readonly string[], sensorPrefix: string): Promise<FoundReadings> {
    if (sensorIds.length === 0) return nothing;
    const rows = await this.#sql`
      select distinct on (sensor_id) * from series
      where sensor_id in ${this.#sql(sensorIds as string[])} and starts_with(sensor_id, ${sensorPrefix}) and readings > 0
      order by sensor_id, newest_us desc`;
    const spans = rows.map(spanOf);
    if (spans.length === 0) return nothing;
    const found = await this.#pointsAt(spans);
    const newest = new Map<string, number>();
    for (let i = 0; i < found.points.length; i++) {
      const { sensorId } = found.series[i]!;
      const best = newest.get(sensorId);
      if (best === undefined || found.points.timeUs[i]! > found.points.timeUs[best]!) newest.set(sensorId, i);
    }
    const order = sensorIds.flatMap((id) => newest.get(id) ?? []);
    return { ...found, order, metadata: await this.#metadata(found, order) };
  }

  async #series(f: ReadingFilter): Promise<SeriesSpan[]> {
    const sql = this.#sql;
    const rows = await sql`
      select * from series where readings > 0 and starts_with(sensor_id, ${f.sensorPrefix})
        and newest_us >= ${f.fromUs} and first_us <= ${f.toUs}
        ${f.sensorId === undefined ? sql`` : sql`and sensor_id = ${f.sensorId}`}
        ${f.sensorType === undefined ? sql`` : sql`and sensor_type = ${f.sensorType}`}
        ${f.location === undefined ? sql`` : sql`and location = ${f.location}`}`;
    return rows.map(spanOf);
  }

  /** The readings of these series within [fromUs, toUs]. */
  async #points(
    all: readonly SeriesSpan[],
    fromUs: number,
    toUs: number,
    anomaliesOnly: boolean,
  ): Promise<FoundReadings> {
    const within = all.filter((s) => s.lastUs >= fromUs && s.firstUs <= toUs);
    if (within.length === 0) return nothing;
    const ids = numbers(within.map((s) => s.id));
    const least = anomaliesOnly ? 1 : 0;
    const day = Math.floor(fromUs / DAY_US) * DAY_US;
    const rows = await this.#sql`
      select series, first_us, last_us, first_id, points, model, data from block_new
        where series = any(${ids}::int[]) and last_us >= ${fromUs} and first_us <= ${toUs} and anomalies >= ${least}
      union all
      select series, first_us, last_us, first_id, points, model, data from block
        where series = any(${ids}::int[]) and first_us between ${day} and ${toUs} and last_us >= ${fromUs}
          and anomalies >= ${least}`;
    return this.#decode(within, rows, fromUs, toUs);
  }

  /** The blocks that hold each series' newest reading. */
  async #pointsAt(spans: readonly SeriesSpan[]): Promise<FoundReadings> {
    const ids = numbers(spans.map((s) => s.id));
    const lasts = numbers(spans.map((s) => s.lastUs));
    const rows = await this.#sql`
      with s as (select * from unnest(${ids}::int[], ${lasts}::bigint[]) x(series, last_us))
      select b.series, b.first_us, b.last_us, b.first_id, b.points, b.model, b.data from s
        join block_new b on b.series = s.series and b.last_us = s.last_us
      union all
      select b.series, b.first_us, b.last_us, b.first_id, b.points, b.model, b.data from s
        join block b on b.series = s.series and b.first_us between s.last_us - s.last_us % ${DAY_US}::bigint and s.last_us
          and b.last_us = s.last_us`;
    return this.#decode(spans, rows, Math.min(...spans.map((s) => s.lastUs)), Number.POSITIVE_INFINITY);
  }

  /** The points of these blocks within [fromUs, toUs]. */
  async #decode(
    known: readonly SeriesSpan[],
    rows: readonly Row[],
    fromUs: number,
    toUs: number,
  ): Promise<FoundReadings> {
    const byId = new Map(known.map((s) => [s.id, s]));
    const blocks = new Decoded(rows.reduce((n, r) => n + (r.first_us >= fromUs ? (r.points as number) : 0), 0));
    const series: SeriesRow[] = [];
    const model: string[] = [];
    // In the order of time, so that a list of one series need not be sorted.
    for (const r of [...rows].sort((a, b) => a.first_us - b.first_us)) {
      const from = blocks.points.length;
      blocks.add(r, fromUs, toUs);
      const { length } = blocks.points;
      const version = await this.#model(r.model as number);
      series.length = length;
      model.length = length;
      series.fill(byId.get(r.series as number)!, from);
      model.fill(version, from);
    }
    return { points: blocks.points, series, model, metadata: new Map(), order: [] };
  }

  async #metadata(
    found: FoundReadings,
    order: readonly number[],
    anomaliesOnly = false,
  ): Promise<Map<string, Uint8Array>> {
    const metadata = new Map<string, Uint8Array>();
    if (order.length === 0) return metadata;
    const idOf = (i: number) => (found.series[i] as SeriesSpan).id;
    const { timeUs } = found.points;
    // Of a long list everything in its span is cheaper than one by one.
    const rows =
      order.length > LONG_LIST && !anomaliesOnly
        ? await this.#sql`
            select s.sensor_id, m.observed_us, m.struct from reading_metadata m join series s on s.id = m.series
            where m.series = any(${numbers([...new Set(order.map(idOf))])}::int[])
              and m.observed_us between ${timeUs[order[order.length - 1]!]!} and ${timeUs[order[0]!]!}`
        : await this.#sql`
            select s.sensor_id, m.observed_us, m.struct
            from unnest(${numbers(order.map(idOf))}::int[], ${numbers(order.map((i) => timeUs[i]!))}::bigint[]) x(series, us)
            join reading_metadata m on m.series = x.series and m.observed_us = x.us join series s on s.id = m.series`;
    for (const r of rows) metadata.set(metadataKey(r.sensor_id, r.observed_us), new Uint8Array(r.struct as Buffer));
    return metadata;
  }

  async #model(number: number): Promise<string> {
    const known = this.#models.get(number);
    if (known !== undefined) return known;
    for (const r of await this.#sql`select id, version from model`) this.#models.set(r.id, r.version);
    return this.#models.get(number) ?? "";
  }
}

const nothing: FoundReadings = { points: createPoints(0), series: [], model: [], metadata: new Map(), order: [] };

/** How far back a first look goes: by the mean density of the series, or to the last times of as many series as are wanted. */
function firstLook(series: readonly SeriesSpan[], wanted: number, toUs: number, anomaliesOnly: boolean): number {
  let perUs = 0;
  for (const s of series) {
    const n = anomaliesOnly ? s.anomalies : s.readings;
    perUs += n / Math.max(SHORTEST_LOOK_US, s.lastUs - s.firstUs);
  }
  const byDensity = perUs > 0 ? (LOOK_WIDER * wanted) / perUs : SHORTEST_LOOK_US;
  const newest = series.map((s) => s.lastUs).sort((a, b) => b - a);
  // As many series as are wanted have a reading since then, however short ago that is.
  const byCount = wanted <= newest.length && !anomaliesOnly ? toUs - newest[wanted - 1]! : -1;
  const long = Math.max(SHORTEST_LOOK_US, byDensity);
  return byCount < 0 ? long : Math.max(1, Math.min(long, byCount));
}

/** Points of several blocks. A short list of many sensors needs few points of each block: only those are kept. */
class Decoded {
  points: Points;
  static readonly #block = createPoints(MAX_BLOCK_POINTS);

  constructor(capacity: number) {
    this.points = createPoints(Math.max(capacity, MAX_BLOCK_POINTS));
  }

  add(row: Row, fromUs: number, toUs: number): void {
    const [first, last, n] = [row.first_us as number, row.last_us as number, row.points as number];
    this.#reserve(this.points.length + n);
    if (first >= fromUs && last <= toUs) {
      decodeBlock(row.data as Buffer, first, row.first_id as number, this.points);
      return;
    }
    const block = Decoded.#block;
    block.length = 0;
    decodeBlock(row.data as Buffer, first, row.first_id as number, block);
    for (let i = 0; i < block.length; i++) {
      if (block.timeUs[i]! >= fromUs && block.timeUs[i]! <= toUs) copyPoint(block, i, this.points);
    }
  }

  #reserve(n: number): void {
    if (n <= this.points.timeUs.length) return;
    const larger = createPoints(2 * n);
    const { length, ...columns } = this.points;
    for (const [name, column] of Object.entries(columns)) larger[name as keyof typeof columns].set(column as never);
    larger.length = length;
    this.points = larger;
  }
}

/** Points in rising order of time are turned round, others sorted. */
function newestFirst(order: number[], points: Points): void {
  const { timeUs, id } = points;
  for (let k = 1; k < order.length; k++) {
    if (timeUs[order[k]!]! > timeUs[order[k - 1]!]!) continue;
    order.sort((a, b) => timeUs[b]! - timeUs[a]! || id[b]! - id[a]!);
    return;
  }
  order.reverse();
}
