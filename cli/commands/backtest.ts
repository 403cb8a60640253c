import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { Command } from "commander";
import { type Backtest, backtest, type Label } from "../../ml/backtest.ts";
import { picture } from "../../ml/picture.ts";
import { parseSeries, parseTime } from "../../ml/series.ts";
import { number } from "../errors.ts";

interface Options {
  readonly labels?: string;
  readonly html?: string;
  readonly unit: string;
  readonly threshold: number;
  readonly alarmsPerSensorDay: number;
  readonly rangeMin?: number;
  readonly rangeMax?: number;
  readonly maxRatePerSecond?: number;
  readonly stuckSeconds?: number;
  readonly counter?: boolean;
}

/** `telltale backtest FILE`: which alerts would have been raised, with no server. */
export function backtestCommand(): Command {
  return new Command("backtest")
    .description("play a CSV through the detector and report the alerts that would have been raised, with no server")
    .argument("<file>", "a CSV file (timestamp,value, or value alone at one a minute)")
    .option("--labels <file>", 'JSON list of labelled events: [["2024-01-31T10:00:00Z","2024-01-31T12:00:00Z"], …]')
    .option("--html <file>", "write a page with series, expected band, alerts and labels")
    .option("--unit <unit>", "unit of the values, for the messages", "")
    .option(
      "--threshold <confidence>",
      "confidence from which a reading is anomalous, 0.5 to 0.9999",
      number({ min: 0.5, max: 0.9999 }),
      0.95,
    )
    .option("--alarms-per-sensor-day <n>", "alarm budget on normal data", number({ min: 1e-6, max: 1000 }), 0.1)
    .option(
      "--range-min <value>",
      "values below are impossible",
      number({ min: -Number.MAX_VALUE, max: Number.MAX_VALUE }),
    )
    .option(
      "--range-max <value>",
      "values above are impossible",
      number({ min: -Number.MAX_VALUE, max: Number.MAX_VALUE }),
    )
    .option("--max-rate-per-second <rate>", "faster changes are impossible", number({ min: 0, max: Number.MAX_VALUE }))
    .option(
      "--stuck-seconds <seconds>",
      "a value unchanged for this long is stuck",
      number({ min: 0, max: Number.MAX_VALUE }),
    )
    .option("--counter", "the value only grows and starts again from zero")
    .action(run);
}

async function run(file: string, options: Options): Promise<void> {
  const series = parseSeries(await readFile(file, "utf8"));
  for (const { line, reason } of series.bad) console.error(`${file}, line ${line}: ${reason}`);
  const labels = options.labels === undefined ? [] : readLabels(options.labels, await readFile(options.labels, "utf8"));
  const { threshold, alarmsPerSensorDay, rangeMin, rangeMax, maxRatePerSecond, stuckSeconds, counter } = options;
  const result = backtest(
    series.timeUs,
    series.value,
    options.unit,
    labels,
    { threshold, alarmsPerSensorDay },
    { rangeMin, rangeMax, maxRatePerSecond, stuckSeconds, counter },
  );
  print(result, labels);
  if (options.html === undefined) return;
  await writeFile(options.html, picture(basename(file), series.timeUs, series.value, result, labels));
  console.log(`picture → ${options.html}`);
}

function readLabels(file: string, text: string): Label[] {
  const content: unknown = JSON.parse(text);
  if (!Array.isArray(content)) throw new Error(`${file} is no JSON list of [start, end] pairs`);
  return content.map((pair: unknown, i) => {
    const [from, until] = Array.isArray(pair) ? pair.map((t) => parseTime(String(t))) : [];
    if (from === undefined || until === undefined || !(from <= until)) {
      throw new Error(`${file}: label ${i + 1} is ${JSON.stringify(pair)}; wanted [start, end] as ISO 8601 times`);
    }
    return { fromUs: from, untilUs: until };
  });
}

function print(result: Backtest, labels: readonly Label[]): void {
  const time = (us: number) =>
    Number.isNaN(us) ? "still open          " : new Date(us / 1000).toISOString().slice(0, 19).concat("Z");
  for (const a of result.alerts) {
    console.log(`${time(a.openedAtUs)} to ${time(a.closedAtUs)}  ${a.severity.padEnd(8)}  ${a.message}`);
  }
  console.log(
    `${result.alerts.length} alerts (${result.alertsPerDay.toFixed(3)} a day), ${result.notifications} notifications, ` +
      `${(result.alertSeconds / 3600).toFixed(2)} hours in alert`,
  );
  if (labels.length === 0) return;
  console.log(`${result.labelsMet} of ${labels.length} labels met, ${result.alertsOutsideLabels} alerts outside them`);
}
