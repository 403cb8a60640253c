import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { create, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { Command, Option } from "commander";
import { connect } from "../../client/transport.ts";
import { counted } from "../../formats/counted.ts";
import { csvRow } from "../../formats/csv/write.ts";
import { instantText } from "../../formats/time.ts";
import { AlertSchema } from "../../gen/es/telltale/v1/alert_pb.ts";
import {
  type BacktestResponse,
  BacktestResponseSchema,
  type DetectorConfig,
  DetectorConfigSchema,
  DetectorService,
  type Direction,
  type LabelledEvent,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { SeriesSet } from "../../ml/backtest.ts";
import { page } from "../../ml/picture.ts";
import type { RangeJob } from "../../server/backtest/jobs.ts";
import { runRange } from "../../server/backtest/range.ts";
import { createDetector } from "../../server/detect/index.ts";
import { backtestOnSpark, LOCAL_BACKTEST, openBatchSql, scorerFrom } from "../../server/offline-scoring/index.ts";
import { readLabels } from "../backtest/labels.ts";
import { backtestLine, type Found, gather, summaryLines } from "../backtest/report.ts";
import { type CsvArguments, csvOptions, endWithLoss, readCsvFile, reportLosses, withCsv } from "../csv.ts";
import { directionOption } from "../direction.ts";
import { number } from "../errors.ts";
import { OutputFile } from "../output.ts";
import { credentials, type ServerOptions, withServer } from "../server.ts";
import { untilInterrupted } from "../signals.ts";
import { microsecondsOf, timeOption, timestampOf } from "../time.ts";
import { timeZoneOption } from "../time-zone.ts";

/** Columns of a picture: one for each point of its width. */
const PICTURE_COLUMNS = 1300;

interface Options extends ServerOptions, CsvArguments {
  readonly sensorId?: readonly string[];
  readonly from?: number;
  readonly to?: number;
  readonly labels?: string;
  readonly html?: string;
  readonly out?: string;
  readonly json?: true;
  readonly unit?: string;
  readonly sensorType: string;
  readonly threshold?: number;
  readonly alarmsPerSensorDay?: number;
  readonly rangeMin?: number;
  readonly rangeMax?: number;
  readonly maxRatePerSecond?: number;
  readonly stuckSeconds?: number;
  readonly silenceSeconds?: number;
  readonly counter?: true;
  readonly direction?: Direction;
  readonly detectorTimeZone?: string;
  readonly engine: "server" | "spark";
  readonly sparkRemote?: string;
  readonly databaseUrl?: string;
  readonly scorer: string;
  readonly tasks: number;
}

/** Readings of a file are in memory while they are replayed: about 100 bytes each. */
const MAX_FILE_READINGS = 20_000_000;

const ANY = { min: -Number.MAX_VALUE, max: Number.MAX_VALUE };
const POSITIVE = { min: 1e-9, max: Number.MAX_VALUE };

/** `telltale backtest [FILE]`: which alerts would have been raised, over a server's history or over a file. */
export function backtestCommand(): Command {
  const command = new Command("backtest")
    .description(
      "report the alerts that would have been raised, over a server's stored history, or over a file with no server",
    )
    .argument("[file]", "a file (CSV, Parquet or Arrow); without it, the server's history")
    .option("-s, --sensor-id <ids...>", "only these sensors of the server, or of the file")
    .option("--from <time>", "alerts from here on (ISO 8601)", timeOption)
    .option("--to <time>", "alerts up to here (ISO 8601)", timeOption)
    .option("--labels <file>", "events that happened: CSV with sensor_id, start, end, or JSON: [[start, end], …]")
    .option("--html <file>", "write a page with series, expected band, alerts and labels")
    .option("--out <file>", "write the readings with their scores (CSV)")
    .option("--json", "a JSON object an alert")
    .option("--unit <unit>", "unit of the values of a CSV, for the messages (default: as in the file)")
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
    .option("--direction <both|high|low>", "on which side of what is expected readings are abnormal", directionOption)
    .option("--detector-time-zone <name>", "the zone of its days and weeks, such as Europe/Berlin", timeZoneOption)
    .addOption(
      new Option("--engine <engine>", "engine that replays a server's history: the server, or Spark")
        .choices(["server", "spark"])
        .default("server"),
    )
    .addOption(new Option("--spark-remote <address>", "Spark Connect, sc://host:port").env("SPARK_REMOTE"))
    .addOption(new Option("--database-url <url>", "the platform's PostgreSQL, for --engine spark").env("DATABASE_URL"))
    .addOption(
      new Option("--scorer <command>", "command that starts the replay on Spark's workers")
        .env("SPARK_BACKTEST")
        .default(LOCAL_BACKTEST, "the one of this installation"),
    )
    .option("--tasks <n>", "tasks on Spark, a process each", number({ min: 1, max: 10_000, integer: true }), 8)
    .addHelpText(
      "after",
      "\nWithout any of these settings, a server's history is replayed with the settings in force at the time.",
    );
  return withServer(withCsv(command)).action(run);
}

async function run(file: string | undefined, options: Options): Promise<void> {
  const name = file === undefined ? undefined : basename(file);
  const only = name ?? (options.sensorId?.length === 1 ? options.sensorId[0] : undefined);
  const labels =
    options.labels === undefined ? [] : await readLabels(options.labels, await readFile(options.labels), only, options);
  const csv = file === undefined ? undefined : await readFileOfSensors(file, options);
  // A file that names no sensors is one, whatever its labels call it.
  const own = csv?.names === false ? labels.map((each) => ({ ...each, sensorId: name! })) : labels;
  await using out = options.out === undefined ? undefined : await OutputFile.open(options.out);
  let head = "sensor_id,timestamp,value,anomaly_score,confidence,is_anomaly,expected,lower,upper,reason\n";
  const write = async (readings: readonly ScoredReading[]) => {
    await out?.write(head + readings.map(csvLine).join(""));
    head = "";
  };
  let found: Found | undefined;
  const finished = await untilInterrupted(async (signal) => {
    const overHistory = options.engine === "spark" ? overSpark(options, own) : overServer(options, own, signal);
    const responses = csv === undefined ? overHistory : overFile(csv, options, own);
    found = await gather(responses, write);
  });
  if (!finished || found === undefined) return;
  await report(found, options, file);
  endWithLoss(csv?.lost ?? 0, options);
}

async function report({ alerts, pictures, summary }: Found, options: Options, file: string | undefined): Promise<void> {
  for (const a of alerts) console.log(options.json ? toJsonString(AlertSchema, a) : backtestLine(a));
  const lines = summaryLines(summary, file === undefined);
  // With JSON the standard output is for programs.
  for (const line of lines) (options.json ? console.error : console.log)(line);
  if (options.html === undefined) return;
  const title = `Backtest of ${file === undefined ? counted(summary.sensors, "sensor") : basename(file)}`;
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
        ...(from === undefined ? {} : { startTime: timestampOf(from) }),
        ...(to === undefined ? {} : { endTime: timestampOf(to) }),
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

/** The server's history, replayed by Spark's workers. */
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

/** What a file holds, ready to be replayed. */
async function readFileOfSensors(file: string, options: Options) {
  const { reader, readings } = await readCsvFile(file, csvOptions(options));
  try {
    reportLosses(file, reader);
    if (readings.count === 0) throw new Error(`${file}: no row can be read.`);
    if (readings.count > MAX_FILE_READINGS) {
      throw new Error(
        `${file} has ${readings.count} readings, of which ${MAX_FILE_READINGS} can be replayed: send it to a server.`,
      );
    }
    const source = new SeriesSet();
    for await (const { timeUs, value, series } of readings) {
      const { sensorId, unit } = reader.series[series]!;
      source.add(sensorId || basename(file), options.unit ?? unit, timeUs, value);
    }
    source.end();
    if (source.late > 0)
      console.error(
        `${file}: ${counted(source.late, "row", ["is", "are"])} not later than the row before and not judged`,
      );
    return { source, lost: reader.losses.count, names: reader.columns.wide || reader.columns.sensor !== undefined };
  } finally {
    await readings.dispose();
  }
}

/** The same replay over a file, in this process. */
async function* overFile(
  { source, names }: Awaited<ReturnType<typeof readFileOfSensors>>,
  options: Options,
  labels: readonly LabelledEvent[],
): AsyncGenerator<BacktestResponse> {
  const { threshold } = options;
  const responses: Uint8Array[] = [];
  await runRange({
    history: source,
    createDetector: () => createDetector(threshold === undefined ? {} : { threshold }),
    job: jobOf(options, names ? (options.sensorId ?? []) : [], labels),
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
    events: labels.map((l) => ({
      sensorId: l.sensorId,
      fromUs: microsecondsOf(l.startTime!),
      untilUs: microsecondsOf(l.endTime!),
    })),
    includeReadings: options.out !== undefined,
    pictureColumns: options.html === undefined ? 0 : PICTURE_COLUMNS,
  };
}

/** Undefined where no setting is given. */
function configOf(o: Options): DetectorConfig | undefined {
  const { alarmsPerSensorDay, rangeMin, rangeMax, maxRatePerSecond, stuckSeconds, silenceSeconds } = o;
  const limits = { rangeMin, rangeMax, maxRatePerSecond, stuckSeconds, silenceSeconds };
  const settings = {
    alarmsPerSensorDay,
    ...limits,
    counter: o.counter,
    direction: o.direction,
    timeZone: o.detectorTimeZone,
  };
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  return Object.keys(given).length === 0
    ? undefined
    : create(DetectorConfigSchema, { sensorType: o.sensorType, ...given });
}

function csvLine(r: ScoredReading): string {
  const { sensorId, observedAt, value, anomalyScore, confidence, isAnomaly, expected, lower, upper, reason } = r;
  const time = instantText(microsecondsOf(observedAt!));
  return csvRow([sensorId, time, value, anomalyScore, confidence, isAnomaly ? 1 : 0, expected, lower, upper, reason]);
}
