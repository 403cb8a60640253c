/**
 * What Spark pipes a partition of history through for a backtest: blocks as lines on stdin, sensor by sensor and in the order of time;
 * on stdout, by lines, `response` and a BacktestResponse in base64 where it has more than progress, and for each sensor `sums` and
 * what the summary is made of, in JSON. `node server/offline-scoring/backtest-pipe.ts JOB`, with DATABASE_URL as the platform has it.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { BacktestResponseSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { History } from "../backtest/history.ts";
import { runRange } from "../backtest/range.ts";
import type { Timeline } from "../backtest/timeline.ts";
import { openStoreSql } from "../store/postgres.ts";
import { bySensor, OpenBlocks, type Sensor } from "./blocks.ts";
import { readJob } from "./jobs.ts";
import { blocksOfLines, LineWriter } from "./lines.ts";
import { detectorOf } from "./run.ts";

const id = Number(process.argv[2]);
const url = process.env.DATABASE_URL;
if (!Number.isInteger(id) || url === undefined) {
  console.error("usage: DATABASE_URL=… backtest-pipe.ts JOB; the backtest's number comes from whoever started it");
  process.exit(2);
}

const sql = openStoreSql(url, 1);
const history = new History(sql);
const out = new LineWriter();
let known: { readonly partition: number; readonly timeline: Timeline } | undefined;
try {
  const { range, scorer } = await readJob(sql, id);
  const createDetector = await detectorOf({ ...scorer, threshold: range.threshold ?? scorer.threshold });
  for await (const sensor of bySensor(blocksOfLines())) {
    await runRange({
      createDetector,
      job: { ...range, sensorIds: [sensor.first.series.sensorId] },
      history: sourceOf(sensor),
      respond: async (bytes) => {
        const { alerts, readings, picture } = fromBinary(BacktestResponseSchema, bytes);
        if (alerts.length === 0 && readings.length === 0 && picture === undefined) return;
        await out.write(`response\t${Buffer.from(bytes).toString("base64")}\n`);
      },
      onSums: (sums, ticks) => void out.write(`sums\t${JSON.stringify({ ...sums, ticks })}\n`),
    });
  }
  await out.flush();
} finally {
  await sql.end();
}

/** The sensor's readings as they come through the pipe; what else is known of it from the store. */
function sourceOf(sensor: Sensor) {
  return {
    sensors: (ids: readonly string[], limit: number) => history.sensors(ids, limit),
    alerts: (sensorId: string, fromUs: number, toUs: number) => history.alerts(sensorId, fromUs, toUs),
    places: (sensors: readonly { readonly sensorId: string }[]) => history.places(sensors),
    pages: () => new OpenBlocks().pages(sensor.blocks),
    timeline: async (partition: number) => {
      if (known?.partition !== partition) known = { partition, timeline: await history.timeline(partition) };
      return known.timeline;
    },
  };
}
