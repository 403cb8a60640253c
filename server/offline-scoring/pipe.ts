/**
 * What Spark pipes a partition of history through: blocks as lines on stdin, sensor by sensor and in the order of time; the same
 * blocks with new scores on stdout. `node server/offline-scoring/pipe.ts RUN`, with DATABASE_URL as the platform has it.
 */
import { History } from "../backtest/history.ts";
import { openStoreSql } from "../store/postgres.ts";
import { type RescoredBlock, rescore } from "./blocks.ts";
import { blocksOfLines, LineWriter } from "./lines.ts";
import { detectorOf, readRun } from "./run.ts";

const run = Number(process.argv[2]);
const url = process.env.DATABASE_URL;
if (!Number.isInteger(run) || url === undefined) {
  console.error("usage: DATABASE_URL=… pipe.ts RUN; the rescoring's number comes from whoever started it");
  process.exit(2);
}
const sql = openStoreSql(url, 1);
const history = new History(sql);
const out = new LineWriter();
try {
  await rescore(blocksOfLines(), {
    createDetector: await detectorOf(await readRun(sql, run)),
    timeline: (partition) => history.loggedTimeline(partition),
    emit: (block) => out.write(lineOf(block)),
  });
  await out.flush();
} finally {
  await sql.end();
}

function lineOf(b: RescoredBlock): string {
  return `${b.seriesId}\t${b.firstUs}\t${b.lastUs}\t${b.points}\t${b.anomalies}\t${b.data.toString("base64")}\n`;
}
