/**
 * Checks every invariant of the stored data in one snapshot of the database: what was promised while writing must be readable
 * again. Reads everything once, a series at a time; writes nothing.
 */
import type { Sql, TransactionSql } from "postgres";
import type { SqlAddress } from "./log/connection.ts";
import { createPoints, decodeBlock, MARK_LATE, MAX_BLOCK_POINTS } from "./store/block.ts";
import { openStoreSql } from "./store/postgres.ts";
import { RETAINED_FROM } from "./store/retention.ts";
import { ROLLUP_WIDTHS } from "./store/rollup.ts";

/** Something that is not as it must be. */
export interface Finding {
  /** The invariant, in a few words. */
  readonly rule: string;
  readonly where: string;
  /** What was found, and what was expected. */
  readonly what: string;
}

export interface FsckReport {
  readonly findings: readonly Finding[];
  /** Findings beyond those listed. */
  readonly more: number;
  readonly series: number;
  readonly readings: number;
  readonly blocks: number;
  readonly alerts: number;
}

const DAY_US = 86_400_000_000;
/** A damaged store may have millions: so many are listed, the rest is counted. */
const LISTED_FINDINGS = 100;
const BLOCKS_AT_ONCE = 500;
/** Sums of the same numbers in another order differ by rounding. */
const SUM_TOLERANCE = 1e-9;
const NO_TIMEOUT = 0;

interface SeriesState {
  readonly id: number;
  readonly sensor: string;
  readonly readings: number;
  readonly total: number;
  readonly smallest: number | null;
  readonly largest: number | null;
  readonly anomalies: number;
  readonly late: number;
  readonly newestUs: number | null;
}

interface BlockRow {
  readonly series: number;
  readonly first_us: number;
  readonly last_us: number;
  readonly first_id: number;
  readonly points: number;
  readonly anomalies: number;
  readonly model: number;
  readonly data: Uint8Array;
  readonly cold: boolean;
}

interface Sums {
  readings: number;
  total: number;
  smallest: number;
  largest: number;
  anomalies: number;
}

/** Checks the store at the address. Rejects where the database cannot be read. */
export async function fsck(address: SqlAddress): Promise<FsckReport> {
  const sql = openStoreSql(address, 1, NO_TIMEOUT);
  try {
    return (await sql.begin("isolation level repeatable read read only", (tx) => new Check(tx).run())) as FsckReport;
  } finally {
    await sql.end();
  }
}

class Check {
  readonly #sql: TransactionSql;
  readonly #findings: Finding[] = [];
  #more = 0;
  #blocks = 0;
  #readings = 0;
  #retainedFromUs = 0;
  #series = new Map<number, SeriesState>();
  #models = new Set<number>();
  readonly #points = createPoints(MAX_BLOCK_POINTS);

  constructor(sql: TransactionSql) {
    this.#sql = sql;
  }

  async run(): Promise<FsckReport> {
    await this.#load();
    await this.#checkBlocks();
    await this.#checkPartitions();
    const alerts = await this.#checkAlerts();
    return {
      findings: this.#findings,
      more: this.#more,
      series: this.#series.size,
      readings: this.#readings,
      blocks: this.#blocks,
      alerts,
    };
  }

  #found(rule: string, where: string, what: string): void {
    if (this.#findings.length < LISTED_FINDINGS) this.#findings.push({ rule, where, what });
    else this.#more++;
  }

  #same(rule: string, where: string, what: string, found: unknown, wanted: unknown): void {
    if (found !== wanted) this.#found(rule, where, `${what} is ${found}, but must be ${wanted}`);
  }

  async #load(): Promise<void> {
    const [retained] = await this.#sql`select value from meta where key = ${RETAINED_FROM}`;
    this.#retainedFromUs = Number(retained?.value ?? 0);
    const models = await this.#sql`select id from model`;
    this.#models = new Set(models.map(({ id }) => id as number));
    const series = await this.#sql<SeriesState[]>`
      select id, sensor_id as sensor, readings, total, smallest, largest, anomalies, late, newest_us as "newestUs" from series`;
    this.#series = new Map(series.map((each) => [each.id, each]));
  }

  /** Blocks come by series; each series is judged when its last block has been read. */
  async #checkBlocks(): Promise<void> {
    let current: SeriesCheck | undefined;
    const seen = new Set<number>();
    const rows = this.#sql<BlockRow[]>`
      select series, first_us, last_us, first_id, points, anomalies, model, data, false as cold from block_new
      union all
      select series, first_us, last_us, first_id, points, anomalies, model, data, true as cold from block
      order by series, first_us`.cursor(BLOCKS_AT_ONCE);
    for await (const some of rows) {
      for (const row of some) {
        if (current?.id !== row.series) {
          if (current) await this.#judge(current);
          current = new SeriesCheck(row.series);
          seen.add(row.series);
        }
        this.#checkBlock(row, current);
      }
    }
    if (current) await this.#judge(current);
    for (const { id, sensor, readings } of this.#series.values()) {
      if (readings > 0 && !seen.has(id) && this.#retainedFromUs === 0) {
        this.#found("counted = stored", `sensor ${sensor}`, `${readings} readings are counted, but none is stored`);
      }
    }
  }

  #checkBlock(row: BlockRow, series: SeriesCheck): void {
    const where = `series ${row.series}, block at ${new Date(row.first_us / 1000).toISOString()}`;
    const points = this.#points;
    this.#blocks++;
    points.length = 0;
    try {
      decodeBlock(row.data, row.first_us, row.first_id, points);
    } catch (error) {
      this.#found("blocks can be read", where, (error as Error).message);
      return;
    }
    const n = points.length;
    this.#readings += n;
    const rule = "a block is what its row says";
    this.#same(rule, where, "the number of points", n, row.points);
    this.#same(rule, where, "the first time", points.timeUs[0], row.first_us);
    this.#same(rule, where, "the last time", points.timeUs[n - 1], row.last_us);
    let anomalies = 0;
    for (let i = 0; i < n; i++) anomalies += points.anomaly[i]!;
    this.#same(rule, where, "the number of anomalies", anomalies, row.anomalies);
    if (!this.#models.has(row.model)) this.#found("a score names its model", where, `there is no model ${row.model}`);
    if (row.cold) {
      const overlaps = row.first_us <= series.lastColdUs;
      if (overlaps) this.#found("compacted blocks do not overlap", where, "it begins before the one before it ends");
      const sameDay = Math.floor(row.first_us / DAY_US) === Math.floor(row.last_us / DAY_US);
      if (!sameDay) this.#found("a compacted block is within a day", where, "it crosses midnight (UTC)");
      series.lastColdUs = Math.max(series.lastColdUs, row.last_us);
    }
    series.add(points, row.cold);
  }

  async #judge(check: SeriesCheck): Promise<void> {
    const state = this.#series.get(check.id);
    if (!state) return this.#found("a block has a series", `series ${check.id}`, "there is no such series");
    const where = `sensor ${state.sensor}`;
    const twice = check.timesTwice();
    if (twice > 0) this.#found("a reading is stored once", where, `${twice} times are stored more than once`);
    // The counters count all that was ever stored; retention takes readings away.
    if (this.#retainedFromUs === 0) {
      const rule = "counted = stored";
      const { sums } = check;
      this.#same(rule, where, "the count of readings", state.readings, sums.readings);
      this.#same(rule, where, "the count of anomalies", state.anomalies, sums.anomalies);
      this.#same(rule, where, "the count of late readings", state.late, check.late);
      this.#same(rule, where, "the smallest value", state.smallest, sums.smallest);
      this.#same(rule, where, "the largest value", state.largest, sums.largest);
      if (!isClose(state.total, sums.total, check.magnitude))
        this.#same(rule, where, "the sum", state.total, sums.total);
      this.#same(rule, where, "the newest time", state.newestUs, check.newestUs);
    }
    await this.#checkRollups(check, where);
  }

  async #checkRollups(check: SeriesCheck, where: string): Promise<void> {
    const [kept] = await this.#sql`select minutes_from_us as from from rollup_series where series = ${check.id}`;
    const minutesFromUs = (kept?.from as number | null | undefined) ?? Number.POSITIVE_INFINITY;
    const rows = await this.#sql<(Sums & { width: number; bucketUs: number })[]>`
      select width, bucket_us as "bucketUs", readings, total, smallest, largest, anomalies from rollup where series = ${check.id}`;
    const stored = new Map(rows.map((row) => [`${row.width}/${row.bucketUs}`, row]));
    for (const [key, sums] of check.buckets) {
      const [width, bucketUs] = key.split("/").map(Number) as [number, number];
      // Of the oldest day that retention cut, only a part may be left.
      if (width === 60 && bucketUs < Math.max(minutesFromUs, this.#retainedFromUs)) continue;
      if (this.#retainedFromUs > 0 && bucketUs < this.#retainedFromUs) continue;
      const row = stored.get(key);
      stored.delete(key);
      const at = `${where}, ${width} s from ${new Date(bucketUs / 1000).toISOString()}`;
      const rule = "aggregates = readings";
      if (!row) {
        this.#found(rule, at, `${sums.readings} readings are not aggregated`);
        continue;
      }
      for (const name of ["readings", "smallest", "largest", "anomalies"] as const) {
        this.#same(rule, at, name, row[name], sums[name]);
      }
      if (!isClose(row.total, sums.total, check.magnitude)) this.#same(rule, at, "total", row.total, sums.total);
    }
    if (this.#retainedFromUs > 0) return;
    for (const key of stored.keys())
      this.#found("aggregates = readings", `${where}, ${key}`, "there are no readings for it");
  }

  async #checkPartitions(): Promise<void> {
    const rows = await this.#sql`
      select p.partition, p.readings, p.anomalies, p.late, p.next_offset, p.replay_offset, p.next_event,
        coalesce(sum(s.readings), 0)::bigint as s_readings, coalesce(sum(s.anomalies), 0)::bigint as s_anomalies,
        coalesce(sum(s.late), 0)::bigint as s_late
      from log_partition p left join series s using (partition) group by p.partition`;
    for (const row of rows) {
      const where = `partition ${row.partition}`;
      for (const name of ["readings", "anomalies", "late"]) {
        this.#same("the sums of a partition are its sensors'", where, name, row[name], row[`s_${name}`]);
      }
      if (row.replay_offset > row.next_offset) {
        this.#found("recovery begins before the commit", where, `${row.replay_offset} is after ${row.next_offset}`);
      }
    }
  }

  async #checkAlerts(): Promise<number> {
    const sql = this.#sql as unknown as Sql;
    const [count] = await sql`select count(*) as alerts from alert`;
    const bad = await sql`
      select id, sensor_id, state, closed_us, opened_us, last_seen_us from alert
      where (state = 1) <> (closed_us is null) or last_seen_us < opened_us or closed_us < opened_us
        or sensor_id not in (select sensor_id from series) limit ${LISTED_FINDINGS}`;
    for (const row of bad) {
      this.#found(
        "an alert is an episode of a sensor",
        `alert ${row.id} of ${row.sensor_id}`,
        `state ${row.state}, opened ${row.opened_us}, last seen ${row.last_seen_us}, closed ${row.closed_us}`,
      );
    }
    const events = await sql`
      select p.partition, p.next_event, count(e.number) as events, min(e.number) as first, max(e.number) as last,
        count(*) filter (where e.number is not null and a.id is null) as strays
      from log_partition p left join alert_event e using (partition) left join alert a on a.id = e.alert_id
      group by p.partition, p.next_event`;
    for (const { partition, next_event, events: n, first, last, strays } of events) {
      const where = `partition ${partition}`;
      if (n > 0) this.#same("alert events are numbered without a gap", where, "their number", n, last - first + 1);
      if (n > 0) this.#same("alert events are numbered without a gap", where, "the next number", next_event, last + 1);
      this.#same("an alert event has its alert", where, "the number of those without", strays, 0);
    }
    return count?.alerts ?? 0;
  }
}

/** What the blocks of one series add up to. */
class SeriesCheck {
  readonly id: number;
  readonly sums = emptySums();
  late = 0;
  newestUs = 0;
  lastColdUs = -1;
  /** Sum of absolute values: what rounding is measured by. */
  magnitude = 0;
  readonly buckets = new Map<string, Sums>();
  #times: Float64Array[] = [];

  constructor(id: number) {
    this.id = id;
  }

  add(points: ReturnType<typeof createPoints>, cold: boolean): void {
    this.#times.push(points.timeUs.slice(0, points.length));
    for (let i = 0; i < points.length; i++) {
      const time = points.timeUs[i]!;
      const value = points.value[i]!;
      include(this.sums, value, points.anomaly[i]!);
      this.magnitude += Math.abs(value);
      if ((points.mark[i]! & MARK_LATE) !== 0) this.late++;
      if (time > this.newestUs) this.newestUs = time;
      if (!cold) continue;
      for (const width of ROLLUP_WIDTHS) {
        const key = `${width}/${Math.floor(time / (width * 1e6)) * width * 1e6}`;
        const bucket = this.buckets.get(key) ?? emptySums();
        this.buckets.set(key, bucket);
        include(bucket, value, points.anomaly[i]!);
      }
    }
  }

  timesTwice(): number {
    const all = new Float64Array(this.sums.readings);
    let at = 0;
    for (const times of this.#times) {
      all.set(times, at);
      at += times.length;
    }
    all.sort();
    let twice = 0;
    for (let i = 1; i < all.length; i++) if (all[i] === all[i - 1]) twice++;
    return twice;
  }
}

function emptySums(): Sums {
  return { readings: 0, total: 0, smallest: Number.POSITIVE_INFINITY, largest: Number.NEGATIVE_INFINITY, anomalies: 0 };
}

function include(sums: Sums, value: number, anomaly: number): void {
  sums.readings++;
  sums.total += value;
  if (value < sums.smallest) sums.smallest = value;
  if (value > sums.largest) sums.largest = value;
  sums.anomalies += anomaly;
}

function isClose(a: number, b: number, magnitude: number): boolean {
  return Math.abs(a - b) <= SUM_TOLERANCE * Math.max(1, magnitude);
}
