import { mkdir, open, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { SingleBar } from "cli-progress";
import { Command, Option } from "commander";
import { type Played, playSeries } from "../../ml/play.ts";
import { parseSeries, type Series } from "../../ml/series.ts";
import { REASONS } from "../../server/detect/index.ts";
import { fileTrouble, number } from "../errors.ts";

/** Columns added to each row. */
const ADDED = "signal,anomaly_score,confidence,is_anomaly,expected,lower,upper,reason";
/** Rows turned to text at once, to keep memory flat. */
const WRITE_ROWS = 20_000;
/** Bad rows named one by one; the rest is counted. */
const NAMED_ROWS = 20;

interface ScoreOptions {
  readonly out: string;
  readonly badRows: "skip" | "refuse";
  readonly threshold: number;
}

/** `telltale score IN --out OUT`: the scorer over files, with no server. */
export function scoreCommand(): Command {
  return new Command("score")
    .description("score a CSV, or every CSV of a folder, with no server; each file is a sensor of its own")
    .argument("<in>", "a CSV file (timestamp,value, or value alone at one a minute), or a folder of them")
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
    )
    .addHelpText("after", `\nAdds the columns ${ADDED}.`)
    .action(scoreFiles);
}

async function scoreFiles(input: string, options: ScoreOptions): Promise<void> {
  const folder = (await stat(input)).isDirectory();
  const files = folder ? await csvFiles(input) : [input];
  if (files.length === 0) throw new Error(`${input} holds no file that ends in .csv`);
  const bar = new SingleBar({ format: "{bar} {percentage}% | {value}/{total} files | {file}", stream: process.stderr });
  if (process.stderr.isTTY) bar.start(files.length, 0, { file: "" });
  const problems: string[] = [];
  let rows = 0;
  let anomalies = 0;
  try {
    for (const file of files) {
      bar.update({ file: relative(input, file) || file });
      const done = await scoreFile(
        file,
        folder ? join(options.out, relative(input, file)) : options.out,
        options,
        problems,
      );
      rows += done.rows;
      anomalies += done.anomalies;
      bar.increment();
    }
  } finally {
    bar.stop();
  }
  for (const problem of problems) console.error(problem);
  console.error(`${files.length} files, ${rows} rows, ${anomalies} anomalous readings → ${options.out}`);
}

async function csvFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".csv"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function scoreFile(
  file: string,
  out: string,
  options: ScoreOptions,
  problems: string[],
): Promise<{ rows: number; anomalies: number }> {
  const series = await readSeries(file);
  for (const { line, reason } of series.bad.slice(0, NAMED_ROWS)) {
    const problem = `${file}, line ${line}: ${reason}`;
    if (options.badRows === "refuse") throw new Error(problem);
    problems.push(problem);
  }
  if (series.badCount > NAMED_ROWS) problems.push(`${file}: ${series.badCount - NAMED_ROWS} more bad rows`);
  const played = playSeries(series.timeUs, series.value, { threshold: options.threshold });
  const late = played.taken.reduce(
    (count, taken, i) => count + (taken === 0 && !Number.isNaN(series.value[i]!) ? 1 : 0),
    0,
  );
  if (late > 0) problems.push(`${file}: ${late} rows are not later than the row before them and were not judged`);
  await writeScores(out, series, played);
  return { rows: series.lines.length, anomalies: played.anomaly.reduce((sum, flag) => sum + flag, 0) };
}

async function readSeries(file: string): Promise<Series> {
  try {
    return parseSeries(await readFile(file, "utf8"));
  } catch (cause) {
    throw new Error(fileTrouble(file, cause) ?? `${file}: ${(cause as Error).message}`, { cause });
  }
}

async function writeScores(out: string, series: Series, played: Played): Promise<void> {
  await mkdir(dirname(out), { recursive: true });
  await using file = await open(out, "w");
  await file.write(`${series.header},${ADDED}\n`);
  for (let at = 0; at < series.lines.length; at += WRITE_ROWS) {
    const end = Math.min(series.lines.length, at + WRITE_ROWS);
    let text = "";
    for (let i = at; i < end; i++) text += `${series.lines[i]},${scoreCells(played, i)}\n`;
    await file.write(text);
  }
}

function scoreCells(played: Played, i: number): string {
  if (played.taken[i] === 0) return ",,,,,,,";
  const expected = played.expected[i]!;
  const band = played.band[i]!;
  const bounds = Number.isNaN(expected)
    ? ",,"
    : `${short(expected)},${short(expected - band)},${short(expected + band)}`;
  const confidence = played.confidence[i]! / 10000;
  return `${short(played.signal[i]!)},${played.score[i]! / 10000},${confidence},${played.anomaly[i]},${bounds},${REASONS[played.reason[i]!]}`;
}

/** Seven significant digits: what single precision holds. */
function short(x: number): string {
  return x === 0 ? "0" : String(Number(x.toPrecision(7)));
}
