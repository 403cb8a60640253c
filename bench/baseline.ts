/** What the database alone takes on the same machine in the same run: rows by binary COPY, with and without a key. */
import { CopyBuffer, copyIn, putInt32, putInt64 } from "../server/postgres/copy.ts";
import { openStoreSql } from "../server/store/postgres.ts";
import { cpuOf, difference, sum } from "./cpu.ts";

export interface Baseline {
  readonly rowsPerSecond: number;
  /** Of database and client. */
  readonly cpuUsPerRow: number;
}

const ROWS_PER_TRANSACTION = 10_000;

/** Copies rows (sensor int4, time int8, value float8, score float4) in transactions of 10,000. */
export async function copyRows(
  address: Parameters<typeof openStoreSql>[0],
  pid: number,
  rows: number,
  key: boolean,
): Promise<Baseline> {
  const sql = openStoreSql(address, 1);
  try {
    await sql.unsafe(`drop table if exists bench_rows;
      create table bench_rows (sensor int, us bigint, value float8, score float4 ${key ? ", primary key (sensor, us)" : ""})`);
    const before = cpuOf([pid]);
    const own = process.cpuUsage();
    const started = performance.now();
    for (let from = 0; from < rows; from += ROWS_PER_TRANSACTION) {
      await copyIn(sql, "copy bench_rows from stdin with (format binary)", [encode(from, ROWS_PER_TRANSACTION)]);
    }
    const seconds = (performance.now() - started) / 1000;
    const used = process.cpuUsage(own);
    const cpu = sum(difference(before, cpuOf([pid]))) + (used.user + used.system) / 1e6;
    await sql`drop table bench_rows`;
    return { rowsPerSecond: rows / seconds, cpuUsPerRow: (cpu * 1e6) / rows };
  } finally {
    await sql.end();
  }
}

/** 10,000 sensors in turn, a second apart. */
function encode(from: number, count: number): Buffer {
  const copy = new CopyBuffer(count * 44);
  for (let i = from; i < from + count; i++) {
    const b = copy.reserve(44);
    let p = copy.position;
    b.writeInt16BE(4, p);
    p = putInt32(b, p + 2, i % 10_000);
    p = putInt64(b, p, 1.7e15 + Math.floor(i / 10_000) * 1e6);
    b.writeInt32BE(8, p);
    b.writeDoubleBE(21.5 + (i % 7), p + 4);
    b.writeInt32BE(4, p + 12);
    b.writeFloatBE(0.25, p + 16);
    copy.advance(p + 20);
  }
  return copy.finish();
}
