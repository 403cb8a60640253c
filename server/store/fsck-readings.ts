import type { Row, Sql } from "postgres";
import { DAY_US } from "../lib/time.ts";
import { decodeBlock } from "./block.ts";
import { monthRange } from "./compact-points.ts";
import type { Findings } from "./fsck-findings.ts";
import { SeriesTally, timeText } from "./fsck-sums.ts";
import { createPoints, MAX_BLOCK_POINTS } from "./points.ts";

/** Rows fetched at once: 6 MB where all are full. */
const FETCH_ROWS = 256;

/** What the rows of a partition's series add up to. */
export interface SeriesSums {
  readings: number;
  anomalies: number;
  late: number;
}

/**
 * Goes through all blocks, sensor by sensor in order of time, in bounded memory: a sensor's aggregates and the points of blocks
 * that overlap.
 */
export async function checkReadings(
  stream: Sql,
  sql: Sql,
  retainedFromUs: number,
  findings: Findings,
  onProgress: (done: number, all: number) => void,
): Promise<{ sums: Map<number, SeriesSums>; readings: number; blocks: number }> {
  const [all] = await sql`select (select count(*) from block) + (select count(*) from block_new) as blocks`;
  const total = Number(all!.blocks);
  const scan = new Scan(sql, retainedFromUs, findings);
  let blocks = 0;
  const cursor = stream`
    select coalesce(s.sensor_id, '') as sensor_id, b.* from (
      select tableoid::regclass::text as leaf, false as cold, series, first_us, last_us, first_id, points, anomalies, model, data
        from block_new
      union all
      select tableoid::regclass::text, true, series, first_us, last_us, first_id, points, anomalies, model, data from block) b
    left join series s on s.id = b.series
    order by s.sensor_id collate "C", b.first_us, b.cold`.cursor(FETCH_ROWS);
  for await (const rows of cursor) {
    for (const row of rows) await scan.block(row);
    blocks += rows.length;
    onProgress(blocks, total);
  }
  await scan.end();
  await scan.seriesWithoutBlocks();
  return { sums: scan.partitions, readings: scan.readings, blocks };
}

async function seriesBeingRemoved(sql: Sql): Promise<Set<number>> {
  const rows = await sql`select unnest(series) as id from sensor_deletion where finished_us is null`;
  return new Set(rows.map((r) => r.id as number));
}

class Scan {
  readonly #sql: Sql;
  readonly #retainedFromUs: number;
  readonly #findings: Findings;
  /** Series of deleted sensors of which not everything is removed yet. */
  #going: Set<number> | undefined;
  readonly #points = createPoints(MAX_BLOCK_POINTS);
  readonly partitions = new Map<number, SeriesSums>();
  readings = 0;
  #sensor: string | undefined;
  #open = new Map<number, SeriesTally>();
  /** Times of the sensor that later blocks may still have too, rising. */
  #pending: number[] = [];
  /** Times at which the sensor's alerts opened, to be met. */
  #alerts = new Map<number, number>();
  readonly #seen = new Set<number>();
  #models: Set<number> | undefined;

  constructor(sql: Sql, retainedFromUs: number, findings: Findings) {
    this.#sql = sql;
    this.#retainedFromUs = retainedFromUs;
    this.#findings = findings;
  }

  async block(row: Row): Promise<void> {
    const where = `block of series ${row.series} at ${timeText(row.first_us)} in ${row.leaf}`;
    if (row.sensor_id === "") {
      this.#going ??= await seriesBeingRemoved(this.#sql);
      if (this.#going.has(row.series)) return;
      this.#findings.add("unknown series", `${where} is of a series that is not there`);
      return;
    }
    if (row.sensor_id !== this.#sensor) {
      await this.end();
      await this.#begin(row.sensor_id);
    }
    this.#models ??= new Set((await this.#sql`select id from model`).map((r) => r.id as number));
    if (!this.#models.has(row.model)) this.#findings.add("unknown model", `${where} has the model ${row.model}`);
    const points = this.#points;
    points.length = 0;
    try {
      decodeBlock(row.data as Buffer, row.first_us, row.first_id, points);
    } catch (error) {
      this.#findings.add("undecodable", `${where}: ${(error as Error).message}`);
      return;
    }
    this.#checkRow(row, where);
    if (row.cold) this.#checkPlace(row, where);
    this.#count(row);
    this.#checkTimes();
  }

  async #begin(sensor: string): Promise<void> {
    this.#sensor = sensor;
    const rows = await this.#sql`
      select id, opened_us from alert a where sensor_id = ${sensor} and alert_type = 'anomaly_detection'
        and opened_us >= ${this.#retainedFromUs} and not exists (
          select from sensor_deletion d where d.finished_us is null and d.sensor_id = a.sensor_id collate "C" and a.id < d.first_id)`;
    for (const r of rows) this.#alerts.set(r.opened_us, r.id);
  }

  #checkRow(row: Row, where: string): void {
    const p = this.#points;
    let anomalies = 0;
    for (let i = 0; i < p.length; i++) anomalies += p.anomaly[i]!;
    if (p.length !== row.points) this.#findings.add("block row", `${where} says ${row.points} points, has ${p.length}`);
    if (anomalies !== row.anomalies) {
      this.#findings.add("block row", `${where} says ${row.anomalies} anomalies, has ${anomalies}`);
    }
    if (p.timeUs[p.length - 1] !== row.last_us) {
      this.#findings.add(
        "block row",
        `${where} says it ends at ${timeText(row.last_us)}, and does at ${timeText(p.timeUs[p.length - 1]!)}`,
      );
    }
    for (let i = 1; i < p.length; i++) {
      if (p.timeUs[i]! > p.timeUs[i - 1]!) continue;
      this.#findings.add("order", `${where} has ${timeText(p.timeUs[i]!)} behind ${timeText(p.timeUs[i - 1]!)}`);
      return;
    }
  }

  /** Rules of compacted blocks: their month, their day, and no overlap within the series. */
  #checkPlace(row: Row, where: string): void {
    const month = /^block_(\d{4}_\d{2})$/.exec(row.leaf)?.[1];
    const [from, to] = month === undefined ? [0, 0] : monthRange(month);
    if (row.first_us < from || row.last_us >= to) this.#findings.add("month", `${where} is not of that month`);
    if (Math.floor(row.first_us / DAY_US) !== Math.floor(row.last_us / DAY_US)) {
      this.#findings.add("day", `${where} goes on to ${timeText(row.last_us)}, past the end of its day`);
    }
    const open = this.#of(row.series);
    if (row.first_us <= open.endUs) {
      this.#findings.add("overlap", `${where} begins before the one before it ends, at ${timeText(open.endUs)}`);
    }
    open.endUs = Math.max(open.endUs, row.last_us);
  }

  #of(series: number): SeriesTally {
    let open = this.#open.get(series);
    if (open === undefined) {
      open = new SeriesTally(this.#retainedFromUs);
      this.#open.set(series, open);
    }
    return open;
  }

  #count(row: Row): void {
    const p = this.#points;
    const open = this.#of(row.series);
    this.readings += p.length;
    for (let i = 0; i < p.length; i++) {
      open.add(p, i, row.cold);
      const compared = !row.cold || p.timeUs[i]! >= this.#retainedFromUs;
      if (compared && this.#alerts.size > 0) this.#alerts.delete(p.timeUs[i]!);
    }
  }

  /** A sensor has one reading for a time, whatever the series. Blocks come in the order of their first times. */
  #checkTimes(): void {
    const p = this.#points;
    const times = Array.from(p.timeUs.subarray(0, p.length));
    const open = this.#pending.filter((t) => t >= times[0]!);
    if (open.length === 0) {
      this.#pending = times;
      return;
    }
    const known = new Set(open);
    for (const t of times) {
      if (known.has(t)) this.#findings.add("duplicate", `sensor "${this.#sensor}" has two readings at ${timeText(t)}`);
      else open.push(t);
    }
    this.#pending = open;
  }

  /** The sensor is complete. */
  async end(): Promise<void> {
    if (this.#sensor === undefined) return;
    const sensor = this.#sensor;
    for (const [time, alert] of this.#alerts) {
      this.#findings.add(
        "alert without reading",
        `alert ${alert} of sensor "${sensor}" opened at ${timeText(time)}, where no reading is`,
      );
    }
    const ids = `{${[...this.#open.keys()].join(",")}}`;
    const rows = await this.#sql`
      select s.*, r.minutes_from_us from series s left join rollup_series r on r.series = s.id where id = any(${ids}::int[])`;
    const rollups = await this.#sql`select * from rollup where series = any(${ids}::int[])`;
    for (const s of rows) {
      const open = this.#of(s.id);
      const own = rollups.filter((r) => r.series === s.id);
      open.checkRollups(s, own, this.#findings);
      open.checkSums(s, this.#findings);
      this.#addToPartition(s);
      this.#seen.add(s.id);
    }
    this.#sensor = undefined;
    this.#open = new Map();
    this.#pending = [];
    this.#alerts = new Map();
  }

  #addToPartition(s: Row): void {
    const sums = this.partitions.get(s.partition) ?? { readings: 0, anomalies: 0, late: 0 };
    sums.readings += s.readings;
    sums.anomalies += s.anomalies;
    sums.late += s.late;
    this.partitions.set(s.partition, sums);
  }

  /** All blocks of these are deleted by retention, or lost. */
  async seriesWithoutBlocks(): Promise<void> {
    const rows = this.#sql`
      select s.*, coalesce((select sum(readings) from rollup r where r.series = s.id and width = 86400
        and bucket_us < ${this.#retainedFromUs}), 0)::bigint as deleted from series s where readings > 0`;
    for (const s of await rows) {
      if (this.#seen.has(s.id)) continue;
      if (s.readings !== s.deleted) {
        this.#findings.add(
          "series sums",
          `series ${s.id} (sensor "${s.sensor_id}") says readings ${s.readings}, found ${s.deleted}`,
        );
      }
      this.#addToPartition(s);
    }
  }
}
