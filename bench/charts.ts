/** How long charts take: of one sensor with tens of millions of readings, and of the anomalies of very many sensors. */
import { pino } from "pino";
import type { Sql } from "postgres";
import { copyIn } from "../server/postgres/copy.ts";
import { migrate } from "../server/postgres/migrate.ts";
import { BLOCK_COLUMNS, BlockRows } from "../server/store/blocks.ts";
import { gridOf } from "../server/store/chart/grid.ts";
import { startMaintenance } from "../server/store/maintenance.ts";
import { openStoreSql } from "../server/store/postgres.ts";
import { Queries } from "../server/store/queries.ts";
import { beginCompletion } from "../server/store/rollup-completion.ts";
import { noisyPoints, seeded } from "../testing/points.ts";
import { cpuOf, difference, sum } from "./cpu.ts";
import { startDatabase } from "./database.ts";
import type { StorageRow } from "./storage-queries.ts";

const HOUR_US = 3_600e6;
const DAY_US = 24 * HOUR_US;
/** Readings that are made and stored at once. */
const BATCH = 1_000_000;
/** Readings of the sensor that come together. */
const COMMIT = 100;
const RUNS = 40;
const COLUMNS = 1_000;
/** Sensors of the map with an anomaly in an hour: each has one every ten days. */
const ANOMALOUS_HOURS_PER_SENSOR_DAY = 0.1;
const MAP_DAYS = 30;

/** A row as soon as it is known. */
export async function* chartRows(readings: number, sensors: number): AsyncGenerator<StorageRow> {
  const postgres = await startDatabase();
  const address = { ...postgres.address };
  // Filling takes as long as it takes.
  const sql = openStoreSql(address, 4, 0);
  const maintenance = startMaintenance({
    sql: address,
    logger: pino({ level: "silent" }),
    retentionDays: 0,
    manual: true,
  });
  try {
    await migrate(sql);
    const endUs = await fillSensor(sql, readings);
    const { moved, cpu } = await cost(postgres.pid, async () => (await maintenance.compactNow()).readings);
    yield { name: "chart_compact_us", value: (cpu * 1e6) / moved, unit: "µs/reading", beside: { readings: moved } };
    yield await rollupBytes(sql, moved);
    await sql`vacuum analyze`;
    yield* chartTimes(sql, postgres.pid, readings, endUs);
    yield await completion(sql, postgres.pid, maintenance);
    yield await rollupBytes(sql, moved);
    await fillMap(sql, sensors, endUs);
    yield* mapTimes(sql, postgres.pid, sensors, endUs);
  } finally {
    await maintenance.close();
    await sql.end();
    await postgres.stop();
  }
}

/** One sensor with a reading a second up to now; answers with the end. */
export async function fillSensor(sql: Sql, readings: number): Promise<number> {
  const endUs = Math.floor(Date.now() / 1e3) * 1e6;
  await sql`insert into model (version) values ('bench')`;
  await sql`insert into log_partition (partition) values (0)`;
  const [row] =
    await sql`insert into series (partition, sensor_id, sensor_type, unit) values (0, 'long', 'vibration', 'C') returning id`;
  const [generation] = await sql`select current from block_generation`;
  for (let at = 0; at < readings; at += BATCH) {
    const n = Math.min(BATCH, readings - at);
    const points = noisyPoints(n, at, endUs - (readings - at) * 1e6);
    const rows = new BlockRows(n);
    for (let i = 0; i < n; i += COMMIT) rows.add(row!.id, 1, points, i, Math.min(n, i + COMMIT));
    await copyIn(sql, `copy block_new_${generation!.current} (${BLOCK_COLUMNS}) from stdin with (format binary)`, [
      rows.finish(),
    ]);
  }
  const firstUs = endUs - readings * 1e6;
  await sql`update series set readings = ${readings}, first_us = ${firstUs}, newest_us = ${endUs}, last_us = ${endUs}`;
  await sql`update log_partition set readings = ${readings}`;
  return endUs;
}

async function cost(pid: number, work: () => Promise<number>): Promise<{ moved: number; cpu: number }> {
  const before = cpuOf([pid]);
  const own = process.cpuUsage();
  const moved = await work();
  const used = process.cpuUsage(own);
  return { moved, cpu: (used.user + used.system) / 1e6 + sum(difference(before, cpuOf([pid]))) };
}

async function rollupBytes(sql: Sql, readings: number): Promise<StorageRow> {
  const [row] =
    await sql`select pg_total_relation_size('rollup')::float8 as bytes, (select count(*) from rollup)::int as rows`;
  return { name: "rollup_bytes", value: row!.bytes / readings, unit: "bytes/reading", beside: { rows: row!.rows } };
}

async function* chartTimes(sql: Sql, pid: number, readings: number, endUs: number): AsyncGenerator<StorageRow> {
  const queries = new Queries(sql);
  const random = seeded(3);
  const wholeUs = readings * 1e6;
  const ranges = {
    all: wholeUs,
    quarter: 91 * DAY_US,
    month: 30 * DAY_US,
    week: 7 * DAY_US,
    day: DAY_US,
    hour: HOUR_US,
  };
  for (const [name, lengthUs] of Object.entries(ranges)) {
    if (lengthUs > wholeUs) continue;
    for (const columns of [COLUMNS, 2 * COLUMNS]) {
      const chart = () => {
        const fromUs = Math.floor(endUs - lengthUs - random() * (wholeUs - lengthUs));
        return queries.chart(["long"], { fromUs, toUs: fromUs + lengthUs, columns });
      };
      const { grid } = await chart();
      const { p95, ...beside } = await times(pid, chart);
      yield {
        name: `chart_${name}_${columns}_ms`,
        value: p95,
        unit: "ms",
        beside: { ...beside, width_s: grid.widthUs / 1e6 },
      };
    }
  }
}

/** What the upgrade of a database costs in the background. */
async function completion(
  sql: Sql,
  pid: number,
  maintenance: ReturnType<typeof startMaintenance>,
): Promise<StorageRow> {
  await sql`update rollup set charted = 0`;
  await beginCompletion(sql);
  const { moved, cpu } = await cost(pid, async () => (await maintenance.completeNow()).readings);
  return { name: "chart_completion_us", value: (cpu * 1e6) / moved, unit: "µs/reading", beside: { readings: moved } };
}

/** Sensors of which the map has aggregates: those with anomalies, which are all that it reads. */
async function fillMap(sql: Sql, sensors: number, endUs: number): Promise<void> {
  await sql`insert into series (partition, sensor_id, sensor_type, unit, readings, first_us, newest_us, last_us)
    select 0, 'sensor-' || i, 'temperature', 'C', 1, ${endUs - MAP_DAYS * DAY_US}, ${endUs}, ${endUs} from generate_series(1, ${sensors}) i`;
  const [ids] = await sql`select min(id) as first from series where sensor_id <> 'long'`;
  const count = Math.round(sensors * MAP_DAYS * ANOMALOUS_HOURS_PER_SENSOR_DAY);
  await sql`
    with a as materialized (
      select ${ids!.first}::int + floor(random() * ${sensors})::int as series, (random() * 10000)::int as score,
        ${endUs}::bigint - (random() * ${MAP_DAYS * DAY_US}::float8)::bigint as us
      from generate_series(1, ${count}::int))
    insert into rollup (width, series, bucket_us, readings, total, smallest, largest, anomalies, charted, worst)
    select w, series, us - us % (w * 1000000::bigint), count(*), 0, 0, 0, count(*), count(*), max(score)
    from a cross join (values (60), (3600), (86400)) v(w) group by 1, 2, 3`;
  await sql`vacuum analyze`;
}

async function* mapTimes(sql: Sql, pid: number, sensors: number, endUs: number): AsyncGenerator<StorageRow> {
  const queries = new Queries(sql);
  for (const [name, days] of Object.entries({ day: 1, week: 7, month: MAP_DAYS })) {
    const grid = gridOf({ fromUs: endUs - days * DAY_US, toUs: endUs, columns: 100 }, 60e6);
    const map = () => queries.heatmap({ grid, sensorPrefix: "", test: () => true, top: 50 });
    const { total } = await map();
    const { p95, ...beside } = await times(pid, map);
    yield {
      name: `heatmap_${name}_ms`,
      value: p95,
      unit: "ms",
      beside: { ...beside, sensors, anomalous: total },
    };
  }
}

interface Times {
  readonly p50: number;
  readonly p95: number;
  /** CPU of this process and the database for one run, which other work on the machine hardly changes. */
  readonly cpu_ms: number;
}

async function times(pid: number, run: () => Promise<unknown>): Promise<Times> {
  const ms: number[] = [];
  const { cpu } = await cost(pid, async () => {
    for (let i = 0; i < RUNS; i++) {
      const startedMs = performance.now();
      await run();
      ms.push(performance.now() - startedMs);
    }
    return RUNS;
  });
  ms.sort((a, b) => a - b);
  const at = (share: number) => tenths(ms[Math.floor(share * RUNS)]!);
  return { p50: at(0.5), p95: at(0.95), cpu_ms: tenths((1e3 * cpu) / RUNS) };
}

const tenths = (x: number) => Math.round(10 * x) / 10;
