/** Reads for the query services. Newest first means by time of observation, then by id. */
import type { Row, Sql } from "postgres";
import { decodeBlock } from "./block.ts";
import { copyPoint, createPoints, MAX_BLOCK_POINTS, type Points } from "./points.ts";
import { alertOf } from "./postgres.ts";
import { type Piece, piecesOf } from "./rollup.ts";
import type { AlertRow, SeriesRow } from "./store.ts";

const DAY_US = 86_400_000_000;
/** A first look is this much wider than the mean density asks for: most lists then need one look. */
const LOOK_WIDER = 1.5;
/** Every further look goes back this many times as far. */
const LOOK_FURTHER = 4;
/** A process that wrote down its uptime this short ago runs still. */
const STILL_RUNS_US = 10_000_000;
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

interface SeriesSpan extends SeriesRow {
  readonly id: number;
  readonly readings: number;
  readonly anomalies: number;
  readonly firstUs: number;
  readonly lastUs: number;
}

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

export interface BucketRow {
  readonly startUs: number;
  count: number;
  total: number;
  smallest: number;
  largest: number;
  anomalies: number;
}

const numbers = (values: readonly number[]) => `{${values.join(",")}}`;

export class Queries {
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

  /** Every reading of the sensor in [fromUs, toUs), aggregated. */
  async buckets(sensorId: string, fromUs: number, toUs: number, widthUs: number): Promise<BucketRow[]> {
    const series = (await this.#sql`select * from series where sensor_id = ${sensorId} and readings > 0`).map(spanOf);
    const buckets = new Map<number, BucketRow>();
    const add = (startUs: number, n: number, total: number, smallest: number, largest: number, anomalies: number) => {
      const b = buckets.get(startUs);
      if (b === undefined) {
        buckets.set(startUs, { startUs, count: n, total, smallest, largest, anomalies });
        return;
      }
      b.count += n;
      b.total += total;
      b.smallest = Math.min(b.smallest, smallest);
      b.largest = Math.max(b.largest, largest);
      b.anomalies += anomalies;
    };
    const within = series.filter((s) => s.lastUs >= fromUs && s.firstUs < toUs);
    if (within.length === 0) return [];
    const ids = numbers(within.map((s) => s.id));
    // Nothing lies before the first reading: narrower edges.
    const first = within.reduce((least, s) => Math.min(least, s.firstUs), toUs);
    const start = Math.max(fromUs, Math.floor(first / widthUs) * widthUs);
    const [kept] = await this.#sql`
      select max(coalesce(minutes_from_us, ${Number.MAX_SAFE_INTEGER}::bigint))::bigint as minutes from rollup_series
      where series = any(${ids}::int[])`;
    const pieces = piecesOf(start, toUs, widthUs, kept!.minutes ?? Number.MAX_SAFE_INTEGER);
    const [whole, raw] = [pieces.filter((p) => p.width > 0), pieces.filter((p) => p.width === 0)];
    const from = (list: readonly Piece[]) => numbers(list.map((p) => p.fromUs));
    const to = (list: readonly Piece[]) => numbers(list.map((p) => p.toUs));
    // One statement, so that a reading that is being compacted is seen exactly once.
    const rows = await this.#sql`
      select r.start as first_us, null::bigint as first_id, sum(r.readings)::int as points, null::bytea as data,
        sum(r.total) as total, min(r.smallest) as smallest, max(r.largest) as largest, sum(r.anomalies)::int as anomalies,
        null::bigint as low, null::bigint as high
      from unnest(${numbers(whole.map((p) => p.width))}::int[], ${from(whole)}::bigint[], ${to(whole)}::bigint[])
          p(width, low, high)
        cross join lateral (select *, bucket_us - bucket_us % ${widthUs}::bigint as start from rollup
          where series = any(${ids}::int[]) and width = p.width and bucket_us >= p.low and bucket_us < p.high offset 0) r
      group by r.start
      union all
      select first_us, first_id, points, data, null, null, null, null, ${start}::bigint, ${toUs}::bigint from block_new
        where series = any(${ids}::int[]) and last_us >= ${start} and first_us < ${toUs}
      union all
      select b.first_us, b.first_id, b.points, b.data, null, null, null, null, p.low, p.high
      from unnest(${from(raw)}::bigint[], ${to(raw)}::bigint[]) p(low, high)
        cross join lateral (select * from block where series = any(${ids}::int[])
          and first_us >= p.low - p.low % ${DAY_US}::bigint and first_us < p.high and last_us >= p.low offset 0) b`;
    const points = createPoints(MAX_BLOCK_POINTS);
    for (const r of rows) {
      if (r.data === null) {
        add(r.first_us, r.points, r.total, r.smallest, r.largest, r.anomalies);
        continue;
      }
      points.length = 0;
      decodeBlock(r.data as Buffer, r.first_us as number, r.first_id as number, points);
      for (let i = 0; i < points.length; i++) {
        const t = points.timeUs[i]!;
        if (t < r.low || t >= r.high) continue;
        const v = points.value[i]!;
        add(Math.floor(t / widthUs) * widthUs, 1, v, v, v, points.anomaly[i]!);
      }
    }
    return [...buckets.values()].sort((a, b) => a.startUs - b.startUs);
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

  async platformCounts(dayAgoUs: number): Promise<PlatformCounts> {
    const [sums, active, recent] = await Promise.all([
      this.#sql`select coalesce(sum(readings), 0)::bigint as readings, coalesce(sum(anomalies), 0)::bigint as anomalies,
        coalesce(sum(late), 0)::bigint as late from log_partition`,
      this.#sql`select count(*)::bigint as n from (
        select sensor_id from series where last_us >= ${dayAgoUs} group by sensor_id) s`,
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
      activeSensors: active[0]!.n,
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

function anomaliesSince(r: Row, sinceUs: number): number {
  const points = createPoints(r.points as number);
  decodeBlock(r.data as Buffer, r.first_us as number, r.first_id as number, points);
  let n = 0;
  for (let i = 0; i < points.length; i++) if (points.timeUs[i]! >= sinceUs) n += points.anomaly[i]!;
  return n;
}

function seriesRow(r: Row): SeriesRow {
  return {
    sensorId: r.sensor_id,
    sensorType: r.sensor_type,
    unit: r.unit,
    location: (r.location as string | null) ?? undefined,
  };
}

function spanOf(r: Row): SeriesSpan {
  return {
    ...seriesRow(r),
    id: r.id,
    readings: r.readings,
    anomalies: r.anomalies,
    firstUs: r.first_us,
    lastUs: r.newest_us,
  };
}
