import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { create, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import { timestampDate, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { Command, InvalidArgumentError, Option } from "commander";
import { connect } from "../../client/transport.ts";
import { AlertSchema } from "../../gen/es/telltale/v1/alert_pb.ts";
import {
  type BacktestResponse,
  BacktestResponseSchema,
  type DetectorConfig,
  DetectorConfigSchema,
  DetectorService,
  type LabelledEvent,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { SeriesSource } from "../../ml/backtest.ts";
import { page } from "../../ml/picture.ts";
import { parseSeries, parseTime } from "../../ml/series.ts";
import type { RangeJob } from "../../server/backtest/jobs.ts";
import { runRange } from "../../server/backtest/range.ts";
import { backtestOnSpark, LOCAL_BACKTEST, openBatchSql, scorerFrom } from "../../server/batch/index.ts";
import { createDetector } from "../../server/detect/index.ts";
import { number } from "../errors.ts";
import { credentials, type ServerOptions, withServer } from "../server.ts";
import { untilInterrupted } from "../signals.ts";
import { parseLabels } from "./backtest-labels.ts";
import { backtestLine, type Found, gather, summaryLines } from "./backtest-report.ts";

/** Columns of a picture: one for each point of its width. */
const PICTURE_COLUMNS = 1300;

interface Options extends ServerOptions {
  readonly sensorId?: readonly string[];
  readonly from?: number;
  readonly to?: number;
  readonly labels?: string;
  readonly html?: string;
  readonly out?: string;
  readonly json?: true;
  readonly unit: string;
  readonly sensorType: string;
  readonly threshold?: number;
  readonly alarmsPerSensorDay?: number;
  readonly rangeMin?: number;
  readonly rangeMax?: number;
  readonly maxRatePerSecond?: number;
  readonly stuckSeconds?: number;
  readonly silenceSeconds?: number;
  readonly counter?: true;
  readonly engine: "server" | "spark";
  readonly sparkRemote?: string;
  readonly databaseUrl?: string;
  readonly scorer: string;
  readonly tasks: number;
}

const ANY = { min: -Number.MAX_VALUE, max: Number.MAX_VALUE };
const POSITIVE = { min: 1e-9, max: Number.MAX_VALUE };

/** `telltale backtest [FILE]`: which alerts would have been raised, over a server's history or over a file. */
export function backtestCommand(): Command {
  const command = new Command("backtest")
    .description(
      "report the alerts that would have been raised, over a server's stored history, or over a CSV with no server",
    )
    .argument(
      "[file]",
      "a CSV file (timestamp,value, or value alone at one a minute); without it, the server's history",
    )
    .option("-s, --sensor-id <ids...>", "only these sensors of the server")
    .option("--from <time>", "alerts from here on (ISO 8601)", time)
    .option("--to <time>", "alerts up to here (ISO 8601)", time)
    .option("--labels <file>", "events that happened: CSV with sensor_id, start, end, or JSON: [[start, end], …]")
    .option("--html <file>", "write a page with series, expected band, alerts and labels")
    .option("--out <file>", "write the readings with their scores (CSV)")
    .option("--json", "a JSON object an alert")
    .option("--unit <unit>", "unit of the values of a CSV, for the messages", "")
    .option("--sensor-type <type>", "the settings below are for this type only; without, for all", "")
    .option(
      "--threshold <confidence>",
      "confidence from which a reading is anomalous, 0.5 to 0.9999",
      number({ min: 0.5, max: 0.9999 }),
    )
    .option("--alarms-per-sensor-day <n>", "alarm budget on normal data", number({ min: 1e-6, max: 1000 }))
    .option("--range-min <value>", "values below are impossible", number(ANY))
    .option("--range-max <value>", "values above are impossible", number(ANY))
    .option("--max-rate-per-second <rate>", "faster changes are impossible", number(POSITIVE))
    .option("--stuck-seconds <seconds>", "a value unchanged for this long is stuck", number(POSITIVE))
    .option("--silence-seconds <seconds>", "no reading for this long is silence", number(POSITIVE))
    .option("--counter", "the value only grows and starts again from zero")
    .addOption(
      new Option("--engine <engine>", "who plays a server's history: the server, or Spark")
        .choices(["server", "spark"])
        .default("server"),
    )
    .addOption(new Option("--spark-remote <address>", "Spark Connect, sc://host:port").env("SPARK_REMOTE"))
    .addOption(new Option("--database-url <url>", "the platform's PostgreSQL, for --engine spark").env("DATABASE_URL"))
    .addOption(
      new Option("--scorer <command>", "starts the player on Spark's workers")
        .env("SPARK_BACKTEST")
        .default(LOCAL_BACKTEST),
    )
    .option("--tasks <n>", "tasks on Spark, a process each", number({ min: 1, max: 10_000, integer: true }), 8)
    .addHelpText(
      "after",
      "\nWithout any of the settings, a server's history is judged as it was: with the settings of then.",
    );
  return withServer(command).action(run);
}

async function run(file: string | undefined, options: Options): Promise<void> {
  const name = file === undefined ? undefined : basename(file);
  const only = name ?? (options.sensorId?.length === 1 ? options.sensorId[0] : undefined);
  const labels =
    options.labels === undefined ? [] : parseLabels(options.labels, await readFile(options.labels, "utf8"), only);
  // A file is one sensor, whatever its labels call it.
  const own = name === undefined ? labels : labels.map((each) => ({ ...each, sensorId: name }));
  const out = options.out === undefined ? undefined : createWriteStream(options.out);
  out?.write("sensor_id,timestamp,value,anomaly_score,confidence,is_anomaly,expected,lower,upper,reason\n");
  const write = async (readings: readonly ScoredReading[]) => {
    if (out !== undefined && !out.write(readings.map(csvLine).join(""))) await once(out, "drain");
  };
  let found: Found | undefined;
  const finished = await untilInterrupted(async (signal) => {
    const overHistory = options.engine === "spark" ? overSpark(options, own) : overServer(options, own, signal);
    const responses = file === undefined ? overHistory : overFile(file, options, own);
    found = await gather(responses, write);
  });
  if (out !== undefined) {
    out.end();
    await once(out, "close");
  }
  if (!finished || found === undefined) return;
  await report(found, options, file);
}

async function report({ alerts, pictures, summary }: Found, options: Options, file: string | undefined): Promise<void> {
  for (const a of alerts) console.log(options.json ? toJsonString(AlertSchema, a) : backtestLine(a));
  const lines = summaryLines(summary, file === undefined);
  // With JSON the standard output is for programs.
  for (const line of lines) (options.json ? console.error : console.log)(line);
  if (options.html === undefined) return;
  const title = `Backtest of ${file === undefined ? `${summary.sensors} sensors` : basename(file)}`;
  await writeFile(options.html, page({ title, summary: lines, pictures, alerts }));
  console.error(`picture → ${options.html}`);
}

async function* overServer(
  options: Options,
  labels: readonly LabelledEvent[],
  signal: AbortSignal,
): AsyncGenerator<BacktestResponse> {
  const connection = connect(credentials(options));
  try {
    const service = createClient(DetectorService, connection.transport);
    const { sensorId: sensorIds = [], from, to, threshold } = options;
    const config = configOf(options);
    yield* service.backtest(
      {
        sensorIds: [...sensorIds],
        ...(from === undefined ? {} : { startTime: timestampFromMs(from / 1000) }),
        ...(to === undefined ? {} : { endTime: timestampFromMs(to / 1000) }),
        ...(config === undefined ? {} : { config }),
        ...(threshold === undefined ? {} : { accuracyThreshold: threshold }),
        labels: [...labels],
        includeReadings: options.out !== undefined,
        pictureColumns: options.html === undefined ? 0 : PICTURE_COLUMNS,
      },
      { signal },
    );
  } finally {
    connection.close();
  }
}

/** The server's history, played by Spark's workers. */
async function* overSpark(options: Options, labels: readonly LabelledEvent[]): AsyncGenerator<BacktestResponse> {
  const { sparkRemote: remote, scorer, tasks, sensorId = [] } = options;
  const databaseUrl = options.databaseUrl?.replace(/^(postgres(?:ql)?)\+\w+:/i, "$1:");
  if (remote === undefined || databaseUrl === undefined) {
    throw new Error("--engine spark needs SPARK_REMOTE, for example sc://localhost:15002, and DATABASE_URL");
  }
  const sql = openBatchSql(databaseUrl);
  try {
    const settings = await scorerFrom(process.env);
    yield* backtestOnSpark(sql, jobOf(options, sensorId, labels), settings, { remote, databaseUrl, scorer, tasks });
  } finally {
    await sql.end();
  }
}

/** The same play over a file, in this process. */
async function* overFile(
  file: string,
  options: Options,
  labels: readonly LabelledEvent[],
): AsyncGenerator<BacktestResponse> {
  const series = parseSeries(await readFile(file, "utf8"));
  for (const { line, reason } of series.bad) console.error(`${file}, line ${line}: ${reason}`);
  const source = new SeriesSource(basename(file), options.unit, series.timeUs, series.value);
  if (source.late > 0)
    console.error(`${file}: ${source.late} rows are not later than the row before them and were not judged`);
  const { threshold } = options;
  const responses: Uint8Array[] = [];
  await runRange({
    history: source,
    createDetector: () => createDetector(threshold === undefined ? {} : { threshold }),
    job: jobOf(options, [], labels),
    respond: async (bytes) => void responses.push(bytes),
  });
  for (const bytes of responses) yield fromBinary(BacktestResponseSchema, bytes);
}

function jobOf(options: Options, sensorIds: readonly string[], labels: readonly LabelledEvent[]): RangeJob {
  const { from, to, threshold } = options;
  const config = configOf(options);
  return {
    kind: "range",
    ...{ sensorIds, threshold, fromUs: from ?? 0, toUs: to ?? Number.POSITIVE_INFINITY },
    config: config === undefined ? undefined : toBinary(DetectorConfigSchema, config),
    events: labels.map((l) => ({ sensorId: l.sensorId, fromUs: us(l.startTime!), untilUs: us(l.endTime!) })),
    includeReadings: options.out !== undefined,
    pictureColumns: options.html === undefined ? 0 : PICTURE_COLUMNS,
  };
}

const us = (t: Parameters<typeof timestampMs>[0]) => timestampMs(t) * 1000;

/** Undefined where no setting is given. */
function configOf(o: Options): DetectorConfig | undefined {
  const { alarmsPerSensorDay, rangeMin, rangeMax, maxRatePerSecond, stuckSeconds, silenceSeconds, counter } = o;
  const settings = { alarmsPerSensorDay, rangeMin, rangeMax, maxRatePerSecond, stuckSeconds, silenceSeconds, counter };
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  return Object.keys(given).length === 0
    ? undefined
    : create(DetectorConfigSchema, { sensorType: o.sensorType, ...given });
}

function csvLine(r: ScoredReading): string {
  const cells = [
    ...[
      r.sensorId,
      timestampDate(r.observedAt!).toISOString(),
      r.value,
      r.anomalyScore,
      r.confidence,
      r.isAnomaly ? 1 : 0,
    ],
    ...[r.expected ?? "", r.lower ?? "", r.upper ?? "", r.reason],
  ];
  return `${cells.map((c) => (/[",\n]/.test(String(c)) ? `"${String(c).replaceAll('"', '""')}"` : c)).join(",")}\n`;
}

function time(text: string): number {
  const found = parseTime(text);
  if (Number.isNaN(found)) throw new InvalidArgumentError("Wanted a time such as 2024-01-31T12:00:00Z.");
  return found;
}
