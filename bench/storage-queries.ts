/** A filled store and the queries that people wait for, beside the same on rows with a key. */
import type { Sql } from "postgres";
import { CopyBuffer, copyIn, putInt32, putInt64 } from "../server/postgres/copy.ts";
import { BLOCK_COLUMNS, BlockRows } from "../server/store/blocks.ts";
import type { Points } from "../server/store/points.ts";
import { Queries } from "../server/store/queries.ts";
import { noisyPoints, seeded } from "../testing/points.ts";

/** A line of the table. */
export interface StorageRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly beside: Record<string, unknown>;
}

export interface Dataset {
  /** Sensors with 30 days at 1 Hz, ending at `endUs`. */
  readonly dense: readonly string[];
  readonly all: readonly string[];
  readonly endUs: number;
}

const DAY_S = 86_400;
const MONTH_READINGS = 30 * DAY_S;
/** Readings of a sensor that come together. */
const BATCH = 100;
const COMMIT = 200_000;
const SPARSE_READINGS = 1000;
const RUNS = 60;

/** A tenth of the readings is of sensors with one a minute, the rest of sensors with one a second for 30 days. */
export async function fill(sql: Sql, readings: number): Promise<Dataset> {
  const endUs = Math.floor(Date.now() / 1000) * 1e6;
  const denseCount = Math.max(1, Math.floor((0.9 * readings) / MONTH_READINGS));
  const sparseCount = Math.max(10, Math.floor((0.1 * readings) / SPARSE_READINGS));
  const dense = Array.from({ length: denseCount }, (_, i) => `dense-${i}`);
  const sparse = Array.from({ length: sparseCount }, (_, i) => `sparse-${i}`);
  await sql`insert into model (version) values ('bench') on conflict do nothing`;
  await sql`insert into log_partition (partition) values (0) on conflict do nothing`;
  await sql.unsafe(
    "drop table if exists bench_keyed; create table bench_keyed (series int, us bigint, value float8, primary key (series, us))",
  );
  const writer = new Writer(sql);
  for (const [i, name] of dense.entries()) {
    await writer.series(name, "vibration", noisyPoints(MONTH_READINGS, i, endUs - MONTH_READINGS * 1e6), i === 0);
  }
  for (const [i, name] of sparse.entries()) {
    const p = noisyPoints(SPARSE_READINGS, i);
    for (let k = 0; k < p.length; k++) p.timeUs[k] = endUs - (p.length - k) * 60e6 + (i % 1000) * 1000;
    await writer.series(name, i % 10 === 0 ? "pressure" : "temperature", p, false);
  }
  await writer.flush();
  await sql.unsafe(
    "update log_partition set readings = (select sum(readings) from series), anomalies = (select sum(anomalies) from series); analyze",
  );
  return { dense, all: [...dense, ...sparse], endUs };
}

class Writer {
  readonly #sql: Sql;
  #rows = new BlockRows(COMMIT);
  #pending = 0;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async series(name: string, type: string, p: Points, keyed: boolean): Promise<void> {
    let total = 0;
    let smallest = Number.POSITIVE_INFINITY;
    let largest = Number.NEGATIVE_INFINITY;
    let anomalies = 0;
    for (let i = 0; i < p.length; i++) {
      total += p.value[i]!;
      smallest = Math.min(smallest, p.value[i]!);
      largest = Math.max(largest, p.value[i]!);
      anomalies += p.anomaly[i]!;
    }
    const last = p.length - 1;
    const row = {
      partition: 0,
      sensor_id: name,
      sensor_type: type,
      unit: "C",
      readings: p.length,
      total,
      smallest,
      largest,
      anomalies,
      first_us: p.timeUs[0]!,
      newest_us: p.timeUs[last]!,
      last_us: p.timeUs[last]!,
      last_id: p.id[last]!,
      last_value: p.value[last]!,
      last_score: p.score[last]!,
      last_anomaly: p.anomaly[last] === 1,
    };
    const [added] = await this.#sql`insert into series ${this.#sql(row)} returning id`;
    for (let i = 0; i < p.length; i += BATCH) {
      this.#rows.add(added!.id, 1, p, i, Math.min(p.length, i + BATCH));
      this.#pending += BATCH;
      if (this.#pending >= COMMIT) await this.flush();
    }
    if (keyed) await this.#keyed(added!.id, p);
  }

  async flush(): Promise<void> {
    const [g] = await this.#sql`select current from block_generation`;
    await copyIn(this.#sql, `copy block_new_${g!.current} (${BLOCK_COLUMNS}) from stdin with (format binary)`, [
      this.#rows.finish(),
    ]);
    this.#rows = new BlockRows(COMMIT);
    this.#pending = 0;
  }

  async #keyed(series: number, p: Points): Promise<void> {
    for (let from = 0; from < p.length; from += COMMIT) {
      const copy = new CopyBuffer(COMMIT * 40);
      for (let i = from; i < Math.min(p.length, from + COMMIT); i++) {
        const b = copy.reserve(40);
        let at = copy.position;
        b.writeInt16BE(3, at);
        at = putInt64(b, putInt32(b, at + 2, series), p.timeUs[i]!);
        b.writeInt32BE(8, at);
        b.writeDoubleBE(p.value[i]!, at + 4);
        copy.advance(at + 12);
      }
      await copyIn(this.#sql, "copy bench_keyed from stdin with (format binary)", [copy.finish()]);
    }
  }
}

export async function latencies(sql: Sql, data: Dataset): Promise<StorageRow[]> {
  const random = seeded(11);
  const queries = new Queries(sql);
  const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)]!;
  const { endUs } = data;
  const any = {
    sensorId: undefined,
    sensorPrefix: "",
    sensorType: undefined,
    location: undefined,
    fromUs: 0,
    toUs: endUs,
  };
  const filter = { ...any, anomaliesOnly: false, after: undefined };
  const dayUs = DAY_S * 1e6;
  const [first] = await sql`select id from series where sensor_id = ${data.dense[0]!}`;
  const id = first!.id as number;
  const day = () => endUs - Math.floor(random() * 28 + 2) * dayUs;

  const cases: [string, () => Promise<unknown>, (() => Promise<unknown>) | undefined][] = [
    [
      "q_latest_ms",
      () => queries.latest([pick(data.all)], ""),
      () => sql`select * from bench_keyed where series = ${id} order by us desc limit 1`,
    ],
    [
      "q_thousand_ms",
      () => queries.readings({ ...filter, sensorId: pick(data.dense) }, 1000, 0),
      () => sql`select * from bench_keyed where series = ${id} order by us desc limit 1000`,
    ],
    [
      "q_hourly_ms",
      () => queries.buckets({ sensorId: pick(data.dense), fromUs: endUs - 30 * dayUs, toUs: endUs, widthUs: 3600e6 }),
      () =>
        sql`select us / 3600000000, count(*), avg(value), min(value), max(value) from bench_keyed where series = ${id} group by 1`,
    ],
    [
      "q_day_ms",
      () => {
        const fromUs = day();
        return queries.readings({ ...filter, sensorId: pick(data.dense), fromUs, toUs: fromUs + dayUs - 1 }, DAY_S, 0);
      },
      () => {
        const from = day();
        return sql`select * from bench_keyed where series = ${id} and us >= ${from} and us < ${from + dayUs} order by us desc`;
      },
    ],
    ["q_type_ms", () => queries.readings({ ...filter, sensorType: "pressure" }, 100, 0), undefined],
    ["q_stats_ms", () => queries.platformCounts(endUs - dayUs), undefined],
  ];
  const rows: StorageRow[] = [];
  for (const [name, ours, keyed] of cases) {
    const runs = name === "q_hourly_ms" ? 5 : RUNS / 2;
    const own = await times(ours, RUNS);
    const beside = keyed === undefined ? {} : keyedTimes(await times(keyed, runs));
    rows.push({ name, value: at(own, 0.95), unit: "ms", beside: { p50: at(own, 0.5), ...beside } });
  }
  return rows;
}

const keyedTimes = (ms: readonly number[]) => ({ keyed_rows_p50: at(ms, 0.5), keyed_rows_p95: at(ms, 0.95) });

async function times(run: () => Promise<unknown>, n: number): Promise<number[]> {
  await run();
  const ms: number[] = [];
  for (let i = 0; i < n; i++) {
    const started = performance.now();
    await run();
    ms.push(performance.now() - started);
  }
  return ms.sort((a, b) => a - b);
}

const at = (sorted: readonly number[], share: number) =>
  Math.round(1000 * sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!) / 1000;
