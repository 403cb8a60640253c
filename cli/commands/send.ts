import { hostname } from "node:os";
import { Command, Option } from "commander";
import { createDeviceClient, type DeviceClient, type RefusedReading } from "../../client/index.ts";
import { connect } from "../../client/transport.ts";
import type { CsvSeries, Reading } from "../../formats/csv/index.ts";
import { printAlerts } from "../alerts.ts";
import {
  type CsvArguments,
  type CsvFile,
  csvOptions,
  endWithLoss,
  readCsvFile,
  reportLosses,
  withCsv,
} from "../csv.ts";
import { number } from "../errors.ts";
import { countsLine, showProgress } from "../progress.ts";
import { credentials, outageReporter, type ServerOptions, withServer } from "../server.ts";
import { untilInterrupted } from "../signals.ts";

/** Readings handed over at once, in one message: enough that those of many sensors are still blocks, few enough that Ctrl-C is answered at once. */
const SLICE = 10_000;
/** With --speed, readings that fall due within this time go together. */
const TICK_MS = 20;
/** Refused readings named one by one; the rest is counted. */
const NAMED_ROWS = 20;

interface SendOptions extends ServerOptions, CsvArguments {
  readonly sensorId?: string;
  readonly sensorType?: string;
  readonly unit?: string;
  readonly location?: string;
  readonly speed?: number;
  readonly badRows: "skip" | "refuse";
  readonly producer?: string;
  readonly buffer?: string;
  readonly alerts?: true;
}

/** `telltale send FILE.csv --sensor-id …`: sends a file by gRPC, whatever happens to the server meanwhile. */
export function sendCommand(): Command {
  const command = new Command("send")
    .alias("replay")
    .description("send the readings of a file (CSV, Parquet or Arrow) to a server")
    .argument("<file>", 'the file, or "-" for the standard input')
    .option("-s, --sensor-id <id>", "the sensor that the readings are of, where the file names none")
    .option("--sensor-type <type>", "its type (default: as in the file, or sensor)")
    .option("--unit <unit>", "unit of the values (default: as in the file, or 1)")
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
    .option("--producer <name>", "name of the sender (default: send, host and sensor)")
    .option("--buffer <folder>", "keep what is not settled on disk, for the next run to send")
    .option("--alerts", "print the alerts of the sensor afterwards");
  return withServer(withCsv(command))
    .addHelpText(
      "after",
      "\nHow the file was understood is printed before the first reading is sent. Exit code 1 where rows were lost: could not be read,\nor were refused by the server. A column called value alone, without times, is one reading a minute from 2024-01-01 on.\nSending a file again stores nothing twice: its readings are counted as duplicate.\nWhile the server is unavailable, send waits and then continues by itself.",
    )
    .action(send);
}

async function send(file: string, options: SendOptions): Promise<void> {
  const { sensorId, sensorType, unit, location } = options;
  // An address that is none is reported before a large file is read.
  connect(credentials(options)).close();
  const csv = await readCsvFile(file, { ...csvOptions(options), sensorId, sensorType, unit, location });
  try {
    const of = seriesToSend(file, csv, options);
    checkLosses(file, csv, options);
    const refused = await sendAll(file, csv, of, options);
    endWithLoss(csv.reader.losses.count + refused, options);
  } finally {
    await csv.readings.dispose();
  }
  if (options.alerts) await printAlerts(options, options.sensorId ?? "");
}

/** What the readings of each series are sent as. */
function seriesToSend(file: string, { reader }: CsvFile, { sensorId }: SendOptions): Sent[] {
  const { columns, series } = reader;
  const ids = new Set(series.map((each) => each.sensorId));
  if (sensorId !== undefined && ids.size > 1) {
    const names = [...ids].slice(0, 3).map((id) => JSON.stringify(id));
    throw new Error(
      `${file} has ${ids.size} sensors (${names.join(", ")} …): leave --sensor-id out to send each as its own.`,
    );
  }
  if (sensorId === undefined && columns.sensor === undefined && !columns.wide) {
    throw new Error(`${file} names no sensor: --sensor-id says which it is.`);
  }
  return series.map((each) => sentAs(each, sensorId));
}

function sentAs({ sensorId, sensorType, unit, location }: CsvSeries, chosen: string | undefined): Sent {
  const place = location === "" ? {} : { location };
  return { sensorId: chosen ?? sensorId, sensorType: sensorType || "sensor", unit: unit || "1", ...place };
}

interface Sent {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  readonly location?: string;
}

function checkLosses(file: string, { reader, readings }: CsvFile, { badRows }: SendOptions): void {
  const { losses, place } = reader;
  const [first] = losses.first;
  if (badRows === "refuse" && first !== undefined) {
    throw new Error(`${file}, ${place} ${first.line}: ${first.reason}; nothing was sent.`);
  }
  reportLosses(file, reader, ", left out");
  if (readings.count === 0) throw new Error(`${file}: no row can be read; nothing was sent.`);
}

/** Answers with how many readings the server did not store. */
async function sendAll(file: string, csv: CsvFile, of: readonly Sent[], options: SendOptions): Promise<number> {
  const refused: RefusedReading[] = [];
  let refusals = 0;
  // It checks its options: what is wrong with them is reported before there is progress to show.
  const client = createDeviceClient({
    ...credentials(options),
    producer: options.producer ?? `send:${hostname()}:${options.sensorId ?? file}`.slice(0, 100),
    batchReadings: SLICE,
    ...(options.buffer === undefined ? {} : { bufferDir: options.buffer }),
    onProgress: (progress) => view.update(progress),
    onDamage: ({ path, at, bytes }) =>
      view.say(`${path}: ${bytes} bytes at ${at} hold no whole batch and are left out`),
    onConnection: outageReporter((text) => view.say(text)),
    onRefusal: (each) => {
      if (refusals++ < NAMED_ROWS) refused.push(each);
    },
  });
  const total = csv.readings.count;
  const view = showProgress(total);
  const started = Date.now();
  try {
    const finished = await untilInterrupted(async (signal) => {
      await sendReadings(client, csv.readings, of, options, signal);
      signal.throwIfAborted();
      await client.flush();
    });
    view.stop();
    await nameRefused(file, csv, of, refused);
    if (refusals > NAMED_ROWS) console.error(`${file}: ${refusals - NAMED_ROWS} more refused`);
    const { settled, counts } = client.progress;
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`${countsLine(settled, counts)} in ${seconds} s`);
    if (!finished) throw new Error(`Interrupted: ${total - settled} of ${total} rows are not settled.`);
    return Number(counts.conflicting + counts.rejected);
  } finally {
    view.stop();
    await client.close();
  }
}

async function sendReadings(
  client: DeviceClient,
  readings: AsyncIterable<Reading>,
  of: readonly Sent[],
  { speed }: SendOptions,
  signal: AbortSignal,
): Promise<void> {
  let slice: Reading[] = [];
  let firstUs: number | undefined;
  const startedMs = performance.now();
  for await (const reading of readings) {
    firstUs ??= reading.timeUs;
    // With a speed: when the reading is due, in milliseconds from now.
    const dueMs = speed === undefined ? 0 : (reading.timeUs - firstUs) / 1000 / speed + startedMs - performance.now();
    if (slice.length === SLICE || dueMs > 0) {
      await sendSlice(client, slice, of);
      slice = [];
      if (dueMs > 0) await pause(Math.max(TICK_MS, dueMs), signal);
    }
    if (signal.aborted) return;
    slice.push(reading);
  }
  await sendSlice(client, slice, of);
}

/** Readings of a few moments: those of a sensor in their order, as a block for each stretch of one series. */
async function sendSlice(client: DeviceClient, slice: readonly Reading[], of: readonly Sent[]): Promise<void> {
  for (const readings of Map.groupBy(slice, ({ series }) => of[series]!.sensorId).values()) {
    for (const { series, timesUs, values } of stretches(readings)) {
      await client.sendBlock({ ...of[series]!, timesUs, values });
    }
  }
}

interface Stretch {
  readonly series: number;
  readonly timesUs: number[];
  readonly values: number[];
}

function stretches(readings: readonly Reading[]): Stretch[] {
  const all: Stretch[] = [];
  for (const { series, timeUs, value } of readings) {
    const last = all.at(-1);
    if (last?.series !== series) all.push({ series, timesUs: [timeUs], values: [value] });
    else {
      last.timesUs.push(timeUs);
      last.values.push(value);
    }
  }
  return all;
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

/** Reports the line of each refused reading, and why it was refused. */
async function nameRefused(
  file: string,
  { readings, reader }: CsvFile,
  of: readonly Sent[],
  refused: readonly RefusedReading[],
): Promise<void> {
  if (refused.length === 0) return;
  const key = (sensorId: string, us: number | undefined, value: number) => `${us} ${value} ${sensorId}`;
  const wanted = new Map(refused.map(({ reading: r }) => [key(r.sensorId, r.observedAtUs, r.value), 0]));
  for await (const { timeUs, value, series, line } of readings) {
    const own = key(of[series]!.sensorId, timeUs, value);
    if (wanted.get(own) === 0) wanted.set(own, line);
  }
  for (const { refusal, reading } of refused) {
    const line = wanted.get(key(reading.sensorId, reading.observedAtUs, reading.value));
    console.error(`${file}, ${reader.place} ${line}, refused: ${refusal.message}`);
  }
}
