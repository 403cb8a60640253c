import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { Command, Option } from "commander";
import { createDeviceClient, type DeviceClient, type RefusedReading } from "../../client/index.ts";
import { parseSeries, type Series } from "../../ml/series.ts";
import { fileTrouble, number } from "../errors.ts";
import { countsLine, showProgress } from "../progress.ts";
import { credentials, outageReporter, type ServerOptions, withServer } from "../server.ts";
import { untilInterrupted } from "../signals.ts";
import { printAlerts } from "./alerts.ts";

/** Points handed over at once: enough to be cheap, few enough that Ctrl-C is answered at once. */
const SLICE = 1_000;
/** With --speed, readings that fall due within this time go together. */
const TICK_MS = 20;
/** Rows named one by one; the rest is counted. */
const NAMED_ROWS = 20;

interface ReplayOptions extends ServerOptions {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  readonly location?: string;
  readonly speed?: number;
  readonly badRows: "skip" | "refuse";
  readonly producer?: string;
  readonly buffer?: string;
  readonly alerts?: true;
}

/** `telltale replay FILE.csv --sensor-id …`: streams a file by gRPC, whatever happens to the server meanwhile. */
export function replayCommand(): Command {
  return withServer(
    new Command("replay")
      .description("stream a CSV (timestamp,value, or value alone at one a minute) to a server")
      .argument("<file>", "the CSV file")
      .requiredOption("-s, --sensor-id <id>", "the sensor that the readings are of")
      .option("--sensor-type <type>", "its type", "sensor")
      .option("--unit <unit>", "unit of the values", "1")
      .option("--location <place>", "where it is")
      .option(
        "--speed <factor>",
        "times real time; without it, as fast as the server takes them",
        number({ min: 1e-3, max: 1e9 }),
      )
      .addOption(
        new Option("--bad-rows <choice>", "rows that cannot be read: leave them out, or send nothing")
          .choices(["skip", "refuse"])
          .default("skip"),
      )
      .option("--producer <name>", "name of the sender (default: replay, host and sensor)")
      .option("--buffer <folder>", "keep what is not settled on disk, for the next run to send")
      .option("--alerts", "print the alerts of the sensor afterwards"),
  )
    .addHelpText(
      "after",
      "\nSending a file again stores nothing twice: its readings are counted as duplicate.\nWhile the server is away, replay waits and then goes on by itself.",
    )
    .action(replay);
}

async function replay(file: string, options: ReplayOptions): Promise<void> {
  const series = await readSeries(file, options.badRows);
  const rows = [...series.timeUs.keys()].filter((row) => !Number.isNaN(series.timeUs[row]!));
  const refused: RefusedReading[] = [];
  // It checks its options: what is wrong with them is said before there is progress to show.
  const client = createDeviceClient({
    ...credentials(options),
    producer: options.producer ?? `replay:${hostname()}:${options.sensorId}`.slice(0, 100),
    ...(options.buffer === undefined ? {} : { bufferDir: options.buffer }),
    onProgress: (progress) => view.update(progress),
    onConnection: outageReporter((text) => view.say(text)),
    onRefusal: (each) => refused.push(each),
  });
  const view = showProgress(rows.length);
  const started = Date.now();
  try {
    const finished = await untilInterrupted(async (signal) => {
      await sendRows(client, series, rows, options, signal);
      signal.throwIfAborted();
      await client.flush();
    });
    view.stop();
    nameRefused(file, series, refused);
    const { settled, counts } = client.progress;
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`${countsLine(settled, counts)} in ${seconds} s`);
    if (!finished) throw new Error(`Interrupted: ${rows.length - settled} of ${rows.length} rows are not settled.`);
  } finally {
    view.stop();
    await client.close();
  }
  if (options.alerts) await printAlerts(options, options.sensorId);
}

async function readSeries(file: string, badRows: "skip" | "refuse"): Promise<Series> {
  let series: Series;
  try {
    series = parseSeries(await readFile(file, "utf8"));
  } catch (cause) {
    throw new Error(fileTrouble(file, cause) ?? `${file}: ${(cause as Error).message}`, { cause });
  }
  for (const { line, reason } of series.bad.slice(0, NAMED_ROWS)) {
    if (badRows === "refuse") throw new Error(`${file}, line ${line}: ${reason}; nothing was sent.`);
    console.error(`${file}, line ${line}, left out: ${reason}`);
  }
  if (series.badCount > NAMED_ROWS) console.error(`${file}: ${series.badCount - NAMED_ROWS} more bad rows left out`);
  return series;
}

async function sendRows(
  client: DeviceClient,
  series: Series,
  rows: readonly number[],
  options: ReplayOptions,
  signal: AbortSignal,
): Promise<void> {
  const { sensorId, sensorType, unit, location, speed } = options;
  const of = { sensorId, sensorType, unit, ...(location === undefined ? {} : { location }) };
  const firstUs = series.timeUs[rows[0] ?? 0] ?? 0;
  const startedMs = performance.now();
  for (let at = 0; at < rows.length && !signal.aborted; ) {
    let end = Math.min(rows.length, at + SLICE);
    if (speed !== undefined) {
      const untilUs = firstUs + (performance.now() - startedMs) * 1000 * speed;
      while (end > at && series.timeUs[rows[end - 1]!]! > untilUs) end--;
      if (end === at) {
        await pause(Math.max(TICK_MS, (series.timeUs[rows[at]!]! - untilUs) / 1000 / speed), signal);
        continue;
      }
    }
    const slice = rows.slice(at, end);
    await client.sendBlock({
      ...of,
      timesUs: slice.map((row) => series.timeUs[row]!),
      values: slice.map((row) => series.value[row]!),
    });
    at = end;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    // setTimeout takes no more than 24.8 days.
    const timer = setTimeout(done, Math.min(ms, 2 ** 31 - 1));
    signal.addEventListener("abort", done, { once: true });
  });
}

function nameRefused(file: string, series: Series, refused: readonly RefusedReading[]): void {
  for (const { refusal, reading } of refused.slice(0, NAMED_ROWS)) {
    const row = series.timeUs.findIndex(
      (us, index) => us === reading.observedAtUs && series.value[index] === reading.value,
    );
    console.error(`${file}, line ${series.firstLine + row}, refused: ${refusal.message}`);
  }
  if (refused.length > NAMED_ROWS) console.error(`${file}: ${refused.length - NAMED_ROWS} more refused`);
}
