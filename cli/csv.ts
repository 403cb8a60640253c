/** Files of readings on the command line, CSV, Parquet and Arrow: the options that say how they are written, and the messages about them. */
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { SingleBar } from "cli-progress";
import { type Command, Option } from "commander";
import {
  type ColumnarFormat,
  type ColumnarOptions,
  MAX_COLUMNAR_BYTES,
  openColumnarFile,
  openColumnarStream,
  randomAccess,
  recognised,
  spool,
} from "../formats/columnar/index.ts";
import { counted } from "../formats/counted.ts";
import {
  type CsvOptions,
  CsvProblem,
  CsvReader,
  describeContent,
  describeForm,
  describeTimes,
  type Reading,
  type RowReader,
  SortedReadings,
} from "../formats/csv/index.ts";
import { fileTrouble, number } from "./errors.ts";
import { inert } from "./text.ts";
import { timeOption } from "./time.ts";

/** Lines named one by one; the rest is counted. */
const NAMED_LINES = 20;
/** Without a terminal, progress is a line this often. */
const LINE_EVERY_MS = 5_000;
/** Of a record batch, or the pages of all columns: files are the user's own, and so is the memory. */
const MAX_BYTES = 16 * MAX_COLUMNAR_BYTES;
/** Of a Parquet or Arrow file from the standard input, which goes to the temporary folder. */
const MAX_STDIN_BYTES = 16 * 1024 * 1024 * 1024;
/** The name of the standard input. */
const STDIN = "-";

export interface CsvArguments {
  readonly delimiter?: string;
  readonly decimal?: "." | ",";
  readonly encoding?: string;
  readonly timeColumn?: string;
  readonly valueColumn?: readonly string[];
  readonly sensorColumn?: string;
  readonly wide?: true;
  readonly header?: boolean;
  readonly dayFirst?: true;
  readonly monthFirst?: true;
  readonly timeZone?: string;
  readonly dst?: "refuse" | "earlier" | "later";
  readonly timeUnit?: "s" | "ms" | "us" | "ns";
  readonly interval?: number;
  readonly start?: number;
  readonly allowLoss?: true;
}

const HOW = "Format of the file (detected; what is ambiguous is refused):";

/** The options of every command that reads readings from a file. Without them it is found how the file is written. */
export function withCsv(command: Command): Command {
  command
    .optionsGroup(HOW)
    .option("--time-column <name>", "column of the times, by name or number")
    .option("--value-column <name...>", "column of the values; several are a sensor each")
    .option("--sensor-column <name>", "column of the sensors' ids")
    .option("--wide", "each column of numbers is a sensor")
    .option("--header", "the first line names the columns")
    .option("--no-header", "the first line is a row")
    .option("--interval <seconds>", "the rows have no times: give them some", number({ min: 1e-6, max: 1e9 }))
    .option("--start <time>", "with --interval, the time of the first row", timeOption);
  return withCsvForm(command);
}

/** Those of them that have nothing to do with the columns. */
export function withCsvForm(command: Command): Command {
  return command
    .optionsGroup(HOW)
    .option("--delimiter <character>", "between cells: a character, or comma, semicolon, tab, pipe")
    .addOption(new Option("--decimal <mark>", "decimal mark").choices([".", ","]))
    .option("--encoding <name>", "for example windows-1252; without it UTF-8 or UTF-16")
    .addOption(new Option("--day-first", "01/02/2026 is the first of February").conflicts("monthFirst"))
    .option("--month-first", "01/02/2026 is the second of January")
    .option("--time-zone <name>", "of times without one, for example Europe/Berlin (default: UTC)")
    .addOption(
      new Option("--dst <choice>", "local times that occur twice in the zone").choices(["refuse", "earlier", "later"]),
    )
    .addOption(new Option("--time-unit <unit>", "of times that are numbers").choices(["s", "ms", "us", "ns"]))
    .optionsGroup("Other options:")
    .option("--allow-loss", "exit code 0 also where rows were lost");
}

export function csvOptions(o: CsvArguments): CsvOptions {
  if (o.start !== undefined && o.interval === undefined) throw new Error("--start goes with --interval.");
  const { delimiter, decimal, encoding, timeColumn, valueColumn, sensorColumn, wide, header } = o;
  return {
    ...{ delimiter, decimal, encoding, timeColumn, valueColumn, sensorColumn, wide, header },
    ...{ timeZone: o.timeZone, dst: o.dst, timeUnit: o.timeUnit },
    dayOrder: o.dayFirst ? "day-first" : o.monthFirst ? "month-first" : undefined,
    intervalUs: o.interval === undefined ? undefined : o.interval * 1e6,
    startUs: o.start,
  };
}

/** What is wrong with a file names it. */
export function inFile(file: string, error: unknown): unknown {
  if (error instanceof CsvProblem) return new Error(`${file}: ${error.message}`, { cause: error });
  const trouble = fileTrouble(file, error);
  return trouble === undefined ? error : new Error(trouble, { cause: error });
}

/**
 * Opens a file, or the standard input: CSV, Parquet or Arrow, as its first bytes say. `read` gets the number of bytes read. What is open
 * beside is closed by the caller.
 */
export async function openRows(
  file: string,
  options: ColumnarOptions,
  read: (bytes: number) => void = () => {},
): Promise<OpenRows> {
  const stream = file === STDIN ? process.stdin : createReadStream(file, { highWaterMark: 256 * 1024 });
  let close = async () => {};
  async function* bytes() {
    let count = 0;
    for await (const chunk of stream) {
      count += chunk.length;
      read(count);
      yield chunk as Uint8Array;
    }
  }
  try {
    const { format, pieces } = await recognised(bytes());
    checkName(file, format);
    if (format === undefined) return { reader: await CsvReader.open(pieces, options), close };
    if (format === "arrow-stream") return { reader: await openColumnarStream(pieces, options, MAX_BYTES), close };
    // What they hold stands at their end.
    const handle = file === STDIN ? await spool(pieces, MAX_STDIN_BYTES) : await open(file);
    close = () => handle.close();
    if (stream !== process.stdin) stream.destroy();
    return { reader: await openColumnarFile(format, await randomAccess(handle), options, MAX_BYTES), close };
  } catch (error) {
    await close();
    throw inFile(file, error);
  }
}

/** Endings of names that say that a file is a table with typed columns. */
export const TABLE_NAME = /\.(?:parquet|pq|arrow|arrows|feather|ipc)$/i;

function checkName(file: string, format: ColumnarFormat | undefined): void {
  if (format === undefined && TABLE_NAME.test(file))
    throw new CsvProblem("by its name it is Parquet or Arrow, and it begins as neither does.");
}

export interface OpenRows {
  readonly reader: RowReader;
  readonly close: () => Promise<void>;
}

/** A file's readings in the order of time, and what was understood of it, which has been printed on stderr. */
export interface CsvFile {
  readonly reader: RowReader;
  readonly readings: SortedReadings;
}

/**
 * Reads a file to its end before anything is done with it, in bounded memory: what refuses it, refuses all of it. The caller disposes
 * of the readings.
 */
export async function readCsvFile(file: string, options: CsvOptions): Promise<CsvFile> {
  const progress = await showReading(file);
  const readings = new SortedReadings();
  let close = async () => {};
  try {
    const opened = await openRows(file, options, progress.bytes);
    close = opened.close;
    const { reader } = opened;
    for await (const { timeUs, points, line } of reader.rows()) {
      for (const { value, series } of points) await readings.add(timeUs, value, series, line);
      progress.readings(readings.count);
    }
    progress.stop();
    await tell(file, reader, readings);
    return { reader, readings };
  } catch (error) {
    await readings.dispose();
    throw inFile(file, error);
  } finally {
    progress.stop();
    await close();
  }
}

async function tell(file: string, reader: RowReader, readings: SortedReadings): Promise<void> {
  const say = (text: string | undefined) => text !== undefined && console.error(inert(`${file}: ${text}`));
  let first: Reading | undefined;
  for await (first of readings) break;
  say(describeForm(reader));
  say(describeTimes(reader));
  say(describeContent(reader, readings, first));
}

/** The first lines that could not be read, and how many there were of each kind. */
export function reportLosses(file: string, { losses, place }: RowReader, then: ", left out" | "" = ""): void {
  for (const { line, reason } of losses.first.slice(0, NAMED_LINES))
    console.error(`${file}, ${place} ${line}${then}: ${reason}`);
  if (losses.count > NAMED_LINES) console.error(`${file}: ${losses.count} in all: ${losses.totals()}`);
}

/** Rows that were lost end a command with 1, unless that was allowed. */
export function endWithLoss(lost: number, { allowLoss }: Pick<CsvArguments, "allowLoss">): void {
  if (lost === 0 || allowLoss) return;
  console.error(`${counted(lost, "row", ["was", "were"])} lost: exit code 1. --allow-loss makes it 0.`);
  process.exitCode ||= 1;
}

/** How far the reading of a file is: a bar on a terminal, a line now and then elsewhere; always on stderr. */
async function showReading(file: string) {
  // That it cannot be looked at is said by whoever reads it.
  const total = file === STDIN ? 0 : ((await stat(file).catch(() => undefined))?.size ?? 0);
  let bytes = 0;
  let readings = 0;
  const percent = () => (total === 0 ? "" : `${Math.floor((100 * bytes) / total)} % read, `);
  const bar = process.stderr.isTTY
    ? new SingleBar({ format: "{bar} {percentage}% read | {readings} readings", stream: process.stderr })
    : undefined;
  bar?.start(Math.max(total, 1), 0, { readings });
  const show = () =>
    bar ? bar.update(bytes, { readings }) : console.error(`${file}: ${percent()}${counted(readings, "reading")}`);
  const timer = setInterval(show, bar ? 200 : LINE_EVERY_MS);
  return {
    bytes: (count: number) => {
      bytes = count;
    },
    readings: (count: number) => {
      readings = count;
    },
    stop: () => {
      clearInterval(timer);
      bar?.stop();
    },
  };
}
