/**
 * What storing a reading costs by size of block, beside rows in the same run; bytes at rest; and how long queries take.
 *
 *   node bench/storage.ts [--readings 10000000] [--json FILE]
 */
import { writeFile } from "node:fs/promises";
import { pino } from "pino";
import type { Sql } from "postgres";
import { CopyBuffer, copyIn, putInt16, putInt32, putInt64 } from "../server/postgres/copy.ts";
import { migrate } from "../server/postgres/migrate.ts";
import { BLOCK_COLUMNS, BlockRows } from "../server/store/blocks.ts";
import { startMaintenance } from "../server/store/maintenance.ts";
import { MAX_BLOCK_POINTS, type Points } from "../server/store/points.ts";
import { openStoreSql } from "../server/store/postgres.ts";
import { noisyPoints } from "../testing/points.ts";
import { runScript, ScriptError } from "../testing/script.ts";
import { cpuOf, difference, sum } from "./cpu.ts";
import { startDatabase } from "./database.ts";
import { type Dataset, fill, latencies, type StorageRow } from "./storage-queries.ts";

type Address = Parameters<typeof openStoreSql>[0];

interface Cost {
  readonly nodeUs: number;
  readonly postgresUs: number;
  readonly diskBytes: number;
  readonly walBytes: number;
}

const SERIES = 1000;
const WRITES = 20;
/** Readings stored for each size of block; single ones are dear. */
const READINGS = 400_000;

const silent = pino({ level: "silent" });

const blockTable = `
  create table bench (series int not null, first_us bigint not null, last_us bigint not null, first_id bigint not null,
    points smallint not null, anomalies smallint not null, model smallint not null, data bytea not null);
  alter table bench alter column data set storage external;
  create index on bench (series, last_us);
  create index on bench (last_us) where anomalies > 0;`;
const rowTable = (key: boolean) => `
  create table bench (series int not null, us bigint not null, value float8 not null, id bigint not null,
    confidence smallint not null, score smallint not null, reason smallint not null, expected float4, band float4
    ${key ? ", primary key (series, us)" : ""});`;

/** Measures `writes` COPYs; `write` gives the bytes of one. */
async function cost(
  sql: Sql,
  pid: number,
  table: string,
  columns: string,
  write: (k: number) => Buffer,
): Promise<Cost> {
  await sql.unsafe(`drop table if exists bench; ${table}; checkpoint`);
  const [{ lsn }] = (await sql`select pg_current_wal_lsn()::text as lsn`) as unknown as [{ lsn: string }];
  const before = cpuOf([pid]);
  let nodeUs = 0;
  for (let k = 0; k < WRITES; k++) {
    const own = process.cpuUsage();
    const bytes = write(k);
    const used = process.cpuUsage(own);
    nodeUs += used.user + used.system;
    await copyIn(sql, `copy bench (${columns}) from stdin with (format binary)`, [bytes]);
  }
  const seconds = sum(difference(before, cpuOf([pid])));
  const [row] = await sql`
    select pg_total_relation_size('bench')::float8 as disk, pg_wal_lsn_diff(pg_current_wal_lsn(), ${lsn}::text::pg_lsn)::float8 as wal`;
  return {
    nodeUs: nodeUs / READINGS,
    postgresUs: (seconds * 1e6) / READINGS,
    diskBytes: row!.disk / READINGS,
    walBytes: row!.wal / READINGS,
  };
}

/** Blocks of one size: each write brings so many readings of each series that whole blocks fill it. */
function blockWriter(points: Points, size: number): (k: number) => Buffer {
  const perWrite = READINGS / WRITES;
  return (k) => {
    const rows = new BlockRows(perWrite);
    const blocks = Math.ceil(perWrite / size);
    for (let b = 0; b < blocks; b++) {
      const n = Math.min(size, perWrite - b * size);
      const from = ((k * blocks + b) * size) % (points.length - MAX_BLOCK_POINTS);
      rows.add(b % SERIES, 1, points, from, from + n);
    }
    return rows.finish();
  };
}

function rowWriter(points: Points): (k: number) => Buffer {
  const perWrite = READINGS / WRITES;
  return (k) => {
    const copy = new CopyBuffer(perWrite * 80);
    for (let i = 0; i < perWrite; i++) {
      const at = k * perWrite + i;
      const b = copy.reserve(96);
      let p = copy.position;
      b.writeInt16BE(9, p);
      p = putInt32(b, p + 2, i % SERIES);
      p = putInt64(b, p, 1.7e15 + at * 1e6);
      b.writeInt32BE(8, p);
      b.writeDoubleBE(points.value[at]!, p + 4);
      p = putInt64(b, p + 12, at * 128);
      p = putInt16(b, p, points.confidence[at]!);
      p = putInt16(b, p, points.score[at]!);
      p = putInt16(b, p, points.reason[at]!);
      for (const x of [points.expected[at]!, points.band[at]!]) {
        b.writeInt32BE(4, p);
        b.writeFloatBE(x, p + 4);
        p += 8;
      }
      copy.advance(p);
    }
    return copy.finish();
  };
}

async function writeCosts(address: Address, pid: number): Promise<Map<string, Cost>> {
  const sql = openStoreSql(address, 1);
  const points = noisyPoints(READINGS + MAX_BLOCK_POINTS, 1);
  const costs = new Map<string, Cost>();
  try {
    await cost(sql, pid, blockTable, BLOCK_COLUMNS, blockWriter(points, 60)); // warms up both sides
    for (const size of [1, 4, 16, 60, 256, 1024]) {
      costs.set(`blocks of ${size}`, await cost(sql, pid, blockTable, BLOCK_COLUMNS, blockWriter(points, size)));
    }
    const columns = "series, us, value, id, confidence, score, reason, expected, band";
    costs.set("rows, no key", await cost(sql, pid, rowTable(false), columns, rowWriter(points)));
    costs.set("rows with a key", await cost(sql, pid, rowTable(true), columns, rowWriter(points)));
    await sql`drop table bench`;
    return costs;
  } finally {
    await sql.end();
  }
}

function costTable(costs: ReadonlyMap<string, Cost>): string {
  const line = (name: string, c: Cost) =>
    `| ${name} | ${c.nodeUs.toFixed(2)} | ${c.postgresUs.toFixed(2)} | ${c.diskBytes.toFixed(1)} | ${c.walBytes.toFixed(1)} |`;
  return [
    "| Stored as | Node µs | PostgreSQL µs | bytes on disk | bytes of WAL |",
    "|---|---|---|---|---|",
    ...[...costs].map(([name, c]) => line(name, c)),
  ].join("\n");
}

/** Fills a database, compacts it and times the queries. */
async function atRest(address: Address, pid: number, readings: number): Promise<StorageRow[]> {
  const sql = openStoreSql(address, 4);
  const rows: StorageRow[] = [];
  try {
    await migrate(sql);
    const data: Dataset = await fill(sql, readings);
    const maintenance = startMaintenance({ sql: address, logger: silent, retentionDays: 0, manual: true });
    const before = cpuOf([pid]);
    const own = process.cpuUsage();
    const moved = await maintenance.compactNow();
    const used = process.cpuUsage(own);
    const node = (used.user + used.system) / moved.readings;
    const postgres = (sum(difference(before, cpuOf([pid]))) * 1e6) / moved.readings;
    rows.push({
      name: "compact_us",
      value: node + postgres,
      unit: "µs/reading",
      beside: { node_us: node, postgres_us: postgres, readings: moved.readings, blocks: moved.blocks },
    });
    await maintenance.close();
    rows.push(await bytesAtRest(sql));
    rows.push(...(await latencies(sql, data)));
    return rows;
  } finally {
    await sql.end();
  }
}

async function bytesAtRest(sql: Sql): Promise<StorageRow> {
  const [r] = await sql`
    select (select sum(pg_total_relation_size(inhrelid)) from pg_inherits where inhparent = 'block'::regclass)::float8 as blocks,
      pg_total_relation_size('rollup')::float8 as rollups, (select sum(points) from block)::float8 as readings`;
  const { blocks, rollups, readings } = r as unknown as { blocks: number; rollups: number; readings: number };
  return {
    name: "bytes_per_reading",
    value: (blocks + rollups) / readings,
    unit: "bytes",
    beside: { blocks_and_index: blocks / readings, aggregates: rollups / readings, readings },
  };
}

/** All rows for the benchmark's list. */
export async function storageRows(readings = 10_000_000): Promise<{ rows: StorageRow[]; table: string }> {
  const postgres = await startDatabase();
  try {
    const costs = await writeCosts({ ...postgres.address }, postgres.pid);
    const rows = await atRest({ ...postgres.address }, postgres.pid, readings);
    return { rows, table: costTable(costs) };
  } finally {
    await postgres.stop();
  }
}

async function main(): Promise<number> {
  const option = (name: string) => {
    const at = process.argv.indexOf(name);
    return at < 0 ? undefined : process.argv[at + 1];
  };
  const readings = Number(option("--readings") ?? 10_000_000);
  if (!(readings >= 1)) throw new ScriptError(`--readings is "${option("--readings")}": give a number of readings`);
  const { rows, table } = await storageRows(readings);
  console.log(table);
  for (const r of rows)
    console.log(
      `${r.name.padEnd(20)} ${r.value.toPrecision(4).padStart(10)} ${r.unit.padEnd(11)} ${JSON.stringify(r.beside)}`,
    );
  const json = option("--json");
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ rows }, null, 1)}\n`);
  return 0;
}

if (import.meta.main) await runScript({ name: "node bench/storage.ts", needs: [] }, main);
