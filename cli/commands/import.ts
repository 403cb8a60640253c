import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { Command } from "commander";
import { counted } from "../../formats/counted.ts";
import { type CsvArguments, csvOptions, endWithLoss, withCsvForm } from "../csv.ts";
import { type Comparison, compareAlerts } from "../import/alerts.ts";
import { isDatabase } from "../import/database.ts";
import { RefusedRows } from "../import/refused.ts";
import type { BadRow } from "../import/row.ts";
import { sendRows } from "../import/send.ts";
import { openSource, sourceName } from "../import/source.ts";
import { type Position, StateFile } from "../import/state.ts";
import { countsLine, showProgress } from "../progress.ts";
import { credentials, outageReporter, type ServerOptions, withServer } from "../server.ts";
import { untilInterrupted } from "../signals.ts";

/** How often the state goes to disk: this much is resent, as duplicates, after a kill -9. */
const SAVE_EVERY_MS = 250;
/** How often the progress of reading a file is printed, before the first row is sent. */
const REPORT_ROWS = 1_000_000;

interface ImportOptions extends ServerOptions, CsvArguments {
  /** A source of its own, or false: none. */
  readonly alerts?: string | false;
  readonly alertsReport: string;
  readonly state: string;
  readonly refused: string;
  readonly again?: true;
}

/** `telltale import SOURCE`: imports the old platform's readings into a running platform. */
export function importCommand(): Command {
  const command = withCsvForm(
    new Command("import")
      .description(
        "import readings from an earlier platform's database, or from an export of it, into a running platform",
      )
      .argument(
        "<source>",
        "postgresql://… with the table sensor_data, or a .csv, .parquet, .arrow, .feather, .json, .ndjson or .jsonl file",
      )
      .option("--alerts <source>", "old alerts to compare with (default: the table anomaly_alerts)")
      .option("--no-alerts", "do not look at old alerts")
      .option(
        "--alerts-report <file>",
        "report that compares each old alert with the platform's",
        "telltale-import-alerts.csv",
      )
      .option("--state <file>", "progress of the import; a second run continues from there", "telltale-import.json")
      .option("--refused <file>", "what could not be stored, and why", "telltale-import-refused.ndjson")
      .option("--again", "begin again; what is stored is counted as duplicate"),
  );
  return withServer(command)
    .addHelpText(
      "after",
      "\nReadings are sent in the order of their time and judged as if they came now; old scores are not imported.\nCtrl-C or a crash loses nothing: the next run continues, and whatever is sent twice is stored once.\nExit code 1 where rows were left out.",
    )
    .action(run);
}

async function run(source: string, options: ImportOptions): Promise<void> {
  const state = await StateFile.open(options.state);
  const name = await sourceName(source);
  const before = options.again ? undefined : state.get(name);
  await sendReadings(source, name, before?.position, before?.settled ?? 0, state, options);
  const alerts = options.alerts ?? (isDatabase(source) && source);
  if (alerts === false) return;
  const compared = await compareAlerts(alerts, options, options.alertsReport, csvOptions(options));
  console.log(compared ? comparisonText(compared, options.alertsReport) : "There are no old alerts to compare with.");
}

async function sendReadings(
  source: string,
  name: string,
  after: Position | undefined,
  settledBefore: number,
  state: StateFile,
  options: ImportOptions,
): Promise<void> {
  const refused = new RefusedRows(options.refused, name, (text) => console.error(text));
  let reached: { position: Position; settled: number } | undefined;
  const save = async () => {
    if (reached !== undefined) await state.set(name, reached);
  };
  const hooks = {
    bad: (row: BadRow) => refused.add(row),
    reading: (rows: number) => {
      if (rows % REPORT_ROWS === 0) console.error(`${counted(rows, "row")} read, none sent yet`);
    },
  };
  const opened = await openSource(source, after, hooks, csvOptions(options));
  if (after !== undefined) {
    const hint = opened.total === 0 ? " --again sends all of them once more." : "";
    console.error(
      `${counted(settledBefore, "row", ["was", "were"])} settled before; ${opened.total} ${opened.total === 1 ? "is" : "are"} left.${hint}`,
    );
  }
  const view = showProgress(opened.total);
  let failure: Error | undefined;
  const saver = setInterval(() => {
    save().catch((error: Error) => {
      failure ??= error;
    });
  }, SAVE_EVERY_MS);
  const started = Date.now();
  try {
    const client = {
      ...credentials(options),
      producer: producerOf(name),
      onConnection: outageReporter(view.say),
    };
    let line = "0 sent";
    const finished = await untilInterrupted((signal) =>
      sendRows(
        opened,
        client,
        view,
        {
          settled: (position, readings, counts) => {
            reached = { position, settled: settledBefore + readings };
            line = countsLine(readings, counts);
          },
          refused: (row) => refused.add(row),
        },
        signal,
      ),
    );
    view.stop();
    await save();
    if (failure) throw failure;
    console.log(`${line} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    if (refused.count > 0)
      console.log(
        `${counted(refused.count, "row", ["was", "were"])} left out; each is in ${refused.file} with the reason.`,
      );
    if (!finished) throw new Error("Interrupted. The same command continues from here.");
    endWithLoss(refused.count, options);
  } finally {
    clearInterval(saver);
    view.stop();
    await opened.close();
    await refused.close();
  }
}

/** Stable over runs of the same import from the same machine; at most 100 characters. */
function producerOf(source: string): string {
  return `import:${hostname().slice(0, 60)}:${createHash("sha256").update(source).digest("hex").slice(0, 16)}`;
}

function comparisonText({ old, met, own, ownAlone, bad }: Comparison, file: string): string {
  const unreadable = bad === 0 ? "" : `; ${bad} more could not be read`;
  return [
    `${counted(old, "old alert")}: ${met} within an alert of Telltale, ${old - met} not${unreadable}.`,
    `Telltale has ${counted(own, "alert")} of these sensors in that time, ${ownAlone} of them where there was none. Line by line: ${file}`,
  ].join("\n");
}
