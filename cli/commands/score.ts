import { open, readdir, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { SingleBar } from "cli-progress";
import { Command, Option } from "commander";
import { counted } from "../../formats/counted.ts";
import { type CsvOptions, csvRow } from "../../formats/csv/index.ts";
import { makeFolder } from "../../formats/folder.ts";
import { scoreReadings, type Verdict } from "../../ml/score-series.ts";
import { REASONS } from "../../server/detect/index.ts";
import {
  type CsvArguments,
  type CsvFile,
  csvOptions,
  endWithLoss,
  openRows,
  readCsvFile,
  reportLosses,
  withCsv,
} from "../csv.ts";
import { number } from "../errors.ts";

/** Columns added to each row. */
const ADDED = ["signal", "anomaly_score", "confidence", "is_anomaly", "expected", "lower", "upper", "reason"];
const NOTHING = ADDED.map(() => "");
/** Rows turned to text at once. */
const WRITE_ROWS = 20_000;
/** Verdicts that are kept until all are there, of a file that is not in the order of time: about 100 bytes each. */
const MAX_UNSORTED = 5_000_000;

interface ScoreOptions extends CsvArguments {
  readonly out: string;
  readonly badRows: "skip" | "refuse";
  readonly threshold: number;
}

interface Sums {
  readonly rows: number;
  readonly anomalies: number;
  readonly lost: number;
}

/** `telltale score IN --out OUT`: the scorer over files, with no server. */
export function scoreCommand(): Command {
  const command = new Command("score")
    .description(
      "score a file (CSV, Parquet or Arrow), or every CSV of a folder, with no server; each file has sensors of its own",
    )
    .argument("<in>", "the file, or a folder of CSV files")
    .requiredOption("-o, --out <path>", "file to write, or folder (the tree of <in> is kept)")
    .addOption(
      new Option("--bad-rows <choice>", "what to do with rows that cannot be read: leave their scores empty, or stop")
        .choices(["skip", "refuse"])
        .default("skip"),
    )
    .option(
      "--threshold <confidence>",
      "confidence from which a reading is anomalous",
      number({ min: 0.5, max: 0.9999 }),
      0.95,
    );
  return withCsv(command)
    .addHelpText(
      "after",
      `\nAdds the columns ${ADDED.join(",")}. Rows keep their order; they are judged in the order of time.\nExit code 1 where rows could not be read.`,
    )
    .action(scoreFiles);
}

async function scoreFiles(input: string, options: ScoreOptions): Promise<void> {
  const folder = (await stat(input)).isDirectory();
  const files = folder ? await csvFiles(input) : [input];
  if (files.length === 0) throw new Error(`${input} holds no file that ends in .csv`);
  const bar = new SingleBar({ format: "{bar} {percentage}% | {value}/{total} files | {file}", stream: process.stderr });
  if (process.stderr.isTTY && files.length > 1) bar.start(files.length, 0, { file: "" });
  const sums = { rows: 0, anomalies: 0, lost: 0 };
  try {
    for (const file of files) {
      bar.update({ file: relative(input, file) || file });
      const done = await scoreFile(file, folder ? join(options.out, relative(input, file)) : options.out, options);
      sums.rows += done.rows;
      sums.anomalies += done.anomalies;
      sums.lost += done.lost;
      bar.increment();
    }
  } finally {
    bar.stop();
  }
  console.error(
    `${counted(files.length, "file")}, ${counted(sums.rows, "row")}, ${counted(sums.anomalies, "anomalous reading")} → ${options.out}`,
  );
  endWithLoss(sums.lost, options);
}

async function csvFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".csv"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function scoreFile(file: string, out: string, options: ScoreOptions): Promise<Sums> {
  const how = csvOptions(options);
  const csv = await readCsvFile(file, how);
  const { reader, readings } = csv;
  const { losses, place } = reader;
  try {
    if (reader.columns.values.length > 1)
      throw new Error(`${file}: scores are of one column: --value-column chooses it.`);
    const [first] = losses.first;
    if (options.badRows === "refuse" && first) throw new Error(`${file}, ${place} ${first.line}: ${first.reason}`);
    reportLosses(file, reader);
    if (readings.count === 0) throw new Error(`${file}: no row can be read.`);
    const verdicts = await inFileOrder(file, csv, scoreReadings(readings, { threshold: options.threshold }));
    return { ...(await writeScores(file, out, how, verdicts)), lost: losses.count };
  } finally {
    await readings.dispose();
  }
}

/** As they come, where the file is in the order of time; else all of them, sorted by line. */
async function inFileOrder(
  file: string,
  { readings }: CsvFile,
  verdicts: AsyncGenerator<Verdict>,
): Promise<AsyncGenerator<Verdict>> {
  if (readings.inOrder) return verdicts;
  if (readings.count > MAX_UNSORTED) {
    throw new Error(`${file} is not in the order of time and has more than ${MAX_UNSORTED} readings: sort it first.`);
  }
  const all: Verdict[] = [];
  for await (const verdict of verdicts) all.push(verdict);
  all.sort((a, b) => a.line - b.line);
  async function* sorted() {
    yield* all;
  }
  return sorted();
}

/** Reads the file again and writes each row with its verdict. */
async function writeScores(
  file: string,
  out: string,
  how: CsvOptions,
  verdicts: AsyncGenerator<Verdict>,
): Promise<Omit<Sums, "lost">> {
  const { reader, close } = await openRows(file, { ...how, everyCell: true });
  makeFolder(dirname(out));
  await using target = await open(out, "w");
  const { columns, delimiter, numbers } = reader;
  const names = columns.header.length > 0 ? columns.header.map(({ text }) => text) : namesOf(columns.width);
  let text = csvRow([...names, ...ADDED], delimiter);
  const sums = { rows: 0, anomalies: 0 };
  let late = 0;
  let next = await verdicts.next();
  for await (const { line, cells } of reader.rows()) {
    let added: readonly string[] = NOTHING;
    if (!next.done && next.value.line === line) {
      const { scored } = next.value;
      if (scored === undefined) late++;
      else added = scoreCells(scored, numbers.decimal === "," ? "," : ".");
      sums.anomalies += scored?.anomaly ?? 0;
      next = await verdicts.next();
    }
    text += csvRow([...cells, ...added], delimiter);
    if (++sums.rows % WRITE_ROWS === 0) {
      await target.write(text);
      text = "";
    }
  }
  await target.write(text);
  await close();
  if (late > 0)
    console.error(`${file}: ${counted(late, "row", ["is", "are"])} not later than the row before and not judged`);
  return sums;
}

/** For files that name no columns. */
function namesOf(width: number): string[] {
  return width === 1
    ? ["value"]
    : width === 2
      ? ["timestamp", "value"]
      : Array.from({ length: width }, (_, i) => `column ${i + 1}`);
}

function scoreCells(scored: NonNullable<Verdict["scored"]>, decimal: string): string[] {
  const { expected, band } = scored;
  const bounds = Number.isNaN(expected) ? ["", "", ""] : [expected, expected - band, expected + band].map(short);
  const numbers = [
    short(scored.signal),
    String(scored.score / 10000),
    String(scored.confidence / 10000),
    String(scored.anomaly),
  ];
  return [...[...numbers, ...bounds].map((text) => text.replace(".", decimal)), REASONS[scored.reason]!];
}

/** Seven significant digits: what single precision holds. */
function short(x: number): string {
  return x === 0 ? "0" : String(Number(x.toPrecision(7)));
}
