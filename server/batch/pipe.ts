/**
 * What Spark pipes a partition of history through: blocks as lines on stdin, sensor by sensor and in the order of time; the same
 * blocks with new scores on stdout. `node server/batch/pipe.ts RUN`, with DATABASE_URL as the platform has it.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { History } from "../backtest/history.ts";
import { openStoreSql } from "../store/postgres.ts";
import type { SeriesRow } from "../store/store.ts";
import { type RescoredBlock, rescore, type SourceBlock } from "./blocks.ts";
import { detectorOf, readRun } from "./run.ts";

/** Written at once: a line for each block would be a system call for each. */
const WRITE_BYTES = 256 * 1024;

const run = Number(process.argv[2]);
const url = process.env.DATABASE_URL;
if (!Number.isInteger(run) || url === undefined) {
  console.error("usage: DATABASE_URL=… pipe.ts RUN; the rescoring's number comes from whoever started it");
  process.exit(2);
}
// Spark ends a task that is no longer wanted by closing the pipe.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const sql = openStoreSql(url, 1);
const history = new History(sql);
let lines = "";
try {
  await rescore(blocks(), {
    createDetector: await detectorOf(await readRun(sql, run)),
    happenings: (partition) => history.happenings(partition),
    emit: async (block) => {
      lines += lineOf(block);
      if (lines.length >= WRITE_BYTES) await write();
    },
  });
  await write();
} finally {
  await sql.end();
}

async function write(): Promise<void> {
  const taken = process.stdout.write(lines);
  lines = "";
  if (!taken) await once(process.stdout, "drain");
}

async function* blocks(): AsyncGenerator<SourceBlock> {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line !== "") yield blockOf(line);
  }
}

function blockOf(line: string): SourceBlock {
  const fields = line.split("\t");
  const [partition, seriesId, series, firstUs, lastUs, firstId, points, wanted, data] = fields;
  if (data === undefined) throw new Error(`a line has ${fields.length} fields, wanted 9`);
  const { location, ...rest } = JSON.parse(series!) as Omit<SeriesRow, "location"> & { location: string | null };
  return {
    partition: Number(partition),
    seriesId: Number(seriesId),
    series: { ...rest, location: location ?? undefined },
    firstUs: Number(firstUs),
    lastUs: Number(lastUs),
    firstId: Number(firstId),
    points: Number(points),
    wanted: wanted === "1",
    data: Buffer.from(data, "base64"),
  };
}

function lineOf(b: RescoredBlock): string {
  return `${b.seriesId}\t${b.firstUs}\t${b.lastUs}\t${b.points}\t${b.anomalies}\t${b.data.toString("base64")}\n`;
}
