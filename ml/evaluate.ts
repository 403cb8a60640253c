import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDetector, type DetectorOptions, defaultModel, JsTrunk, PARTS } from "../server/detect/index.ts";
import { backtestSeries, type Label } from "./backtest.ts";
import { CATALOGUE_SEED, CATALOGUE_SENSORS, CATALOGUE_VERSION, FAULTS } from "./catalogue.ts";
import {
  CATALOGUE_BUDGET,
  type CatalogueResult,
  playCatalogue,
  type SensorOutcome,
  scoreCatalogue,
} from "./catalogueScore.ts";
import { countNab, LOW_FALSE_ALARMS, loadNab, type NabFile, STANDARD, scoreNab } from "./nab.ts";
import { playSeries } from "./play.ts";
import { Random } from "./random.ts";
import { ensemble } from "./runtimes.ts";
import { scoreSilence } from "./silenceScore.ts";
import { BUDGETS, type Channel, loadTelemetry, scoreTelemetry } from "./telemetry.ts";

/**
 * `npm run evaluate [-- --data FOLDER]`: every figure of docs/evaluation.md. FOLDER (or EVALUATION_DATA) holds the public sets as
 * `nab/` and `telemetry/`; without it only the simulated catalogue is played.
 */
const RESAMPLES = 200;
const WORST = 8;

interface Sets {
  readonly nab: readonly NabFile[];
  readonly telemetry: readonly Channel[];
}

interface Outcome {
  readonly name: string;
  readonly nab: readonly Float32Array[];
  readonly telemetry: readonly Float32Array[];
  readonly catalogue: readonly SensorOutcome[];
}

const folder = argument("--data") ?? process.env.EVALUATION_DATA;
const sets = loadSets(folder);
const outcomes: Outcome[] = [];
for (const part of [...PARTS, "ensemble"] as const) {
  process.stderr.write(`\r${part} …            `);
  outcomes.push(play(part, part === "ensemble" ? {} : { parts: [part] }, sets));
}
process.stderr.write("\r                     \r");
const report = await makeReport(outcomes, sets);
console.log(report);
if (folder !== undefined) writeFileSync(join(import.meta.dirname, "../docs/evaluation.md"), report);

function argument(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

function loadSets(from: string | undefined): Sets {
  if (from === undefined) return { nab: [], telemetry: [] };
  for (const part of ["nab", "telemetry"]) {
    if (existsSync(join(from, part))) continue;
    console.error(`--data is "${from}", which has no folder ${part}`);
    process.exit(1);
  }
  return { nab: loadNab(join(from, "nab")), telemetry: loadTelemetry(join(from, "telemetry")) };
}

function play(name: string, options: DetectorOptions, data: Sets): Outcome {
  return {
    name,
    nab: data.nab.map((f) => playSeries(f.timeUs, f.value, options).signal),
    telemetry: data.telemetry.map((c) => playSeries(c.timeUs, c.value, options).signal),
    catalogue: playCatalogue(options),
  };
}

/** What the figures above owe to having been looked at. Kept by hand: whoever tunes, says so here. */
function tunedSection(): string[] {
  return [
    "",
    "## What was tuned where",
    "",
    "- **On the NAB and telemetry files above**, so that these figures are flattered: which features there are, how the two rulers of a record are",
    "  mixed (half and half, the plainest), the gain of seasons that were not found (0.72), the errors' share in the scatter (0.7), from where the signal",
    "  grows with the logarithm (4). About 150 configurations were looked at. Where one of these constants was moved by a third or so while they were",
    "  chosen, NAB moved by up to 3 points and telemetry by up to 0.08.",
    "- **On simulated sensors of two other seeds than the catalogue's**: the weekly course, the roughness of times of day, and the bar, which was then checked",
    "  on the public sets. The weekly course cost telemetry one event of 46 at one false alarm in 10,000. The catalogue itself was looked at three times and nothing was chosen by it.",
    "- **On nothing**: the forecaster's weights and the priors of types, which are trained on kinds of series that are in none of the sets.",
    "- Files that nobody here has seen will score lower: detectors of this kind, tuned to half of NAB, have lost 7 to 25 points on the other half. The column with the threshold from elsewhere is no estimate of that, since the features were chosen on these files too. Differences below five NAB points or two telemetry",
    "  events are noise.",
  ];
}

/** 90 % interval of a figure over series drawn with replacement. */
function bootstrap(series: number, figure: (drawn: readonly number[]) => number): string {
  const random = new Random(3);
  const draws: number[] = [];
  for (let r = 0; r < RESAMPLES; r++) draws.push(figure(Array.from({ length: series }, () => random.below(series))));
  draws.sort((a, b) => a - b);
  const at = (q: number) => draws[Math.floor(q * (draws.length - 1))]!;
  const digits = Math.abs(at(0.95)) > 2 ? 1 : 2;
  return `${at(0.05).toFixed(digits)}–${at(0.95).toFixed(digits)}`;
}

async function makeReport(all: readonly Outcome[], data: Sets): Promise<string> {
  const lines = [
    "# Evaluation of the detector",
    "",
    "Written by `npm run evaluate -- --data FOLDER` (FOLDER holds the Numenta Anomaly Benchmark as `nab/` and spacecraft telemetry as",
    "`telemetry/`; without it only the simulated catalogue is played). One default configuration, no look-ahead, each series a sensor",
    "of its own. A part alone is the same detector with the others silent; in brackets the 90 % bootstrap interval over series.",
    "",
  ];
  if (data.nab.length > 0) lines.push(...nabSection(all, data.nab), ...telemetrySection(all, data.telemetry));
  lines.push(...catalogueSection(all));
  if (data.nab.length > 0) lines.push(...(await barSection(data)));
  lines.push(...costSection());
  if (data.nab.length > 0) lines.push(...failureSection(all.at(-1)!, data));
  lines.push(...tunedSection());
  return `${lines.join("\n")}\n`;
}

function nabSection(all: readonly Outcome[], files: readonly NabFile[]): string[] {
  const rows = all.map((o) => {
    const standard = scoreNab(files, o.nab, STANDARD).score;
    const interval = bootstrap(
      files.length,
      (drawn) =>
        scoreNab(
          drawn.map((i) => files[i]!),
          drawn.map((i) => o.nab[i]!),
          STANDARD,
        ).score,
    );
    const low = scoreNab(files, o.nab, LOW_FALSE_ALARMS).score;
    return `| ${o.name} | ${standard.toFixed(1)} (${interval}) | ${low.toFixed(1)} | ${transferred(o, files).toFixed(1)} |`;
  });
  return [
    `## Numenta Anomaly Benchmark, ${files.length} files`,
    "",
    "The last column takes each category's threshold from the other categories.",
    "",
    "| Detector | Standard | Low false alarms | Standard, threshold from elsewhere |",
    "|---|---|---|---|",
    ...rows,
    "",
  ];
}

/** Standard score when each category is judged at the threshold that is best for the others. */
function transferred(o: Outcome, files: readonly NabFile[]): number {
  const categories = [...new Set(files.map((f) => f.name.split("/")[0]!))];
  let score = 0;
  let windows = 0;
  for (const category of categories) {
    const own = files.flatMap((f, i) => (f.name.startsWith(`${category}/`) ? [i] : []));
    const others = files.flatMap((f, i) => (f.name.startsWith(`${category}/`) ? [] : [i]));
    const threshold = scoreNab(
      others.map((i) => files[i]!),
      others.map((i) => o.nab[i]!),
      STANDARD,
    ).threshold;
    const count = own.reduce((sum, i) => sum + files[i]!.windows, 0);
    if (count === 0) {
      // No window of its own: only its false alarms count, against the whole.
      for (const i of own) score -= 100 * STANDARD.falseAlarm * countNab(files[i]!, o.nab[i]!, threshold).falseAlarms;
      continue;
    }
    score +=
      count *
      scoreNab(
        own.map((i) => files[i]!),
        own.map((i) => o.nab[i]!),
        STANDARD,
        threshold,
      ).score;
    windows += count;
  }
  return score / windows;
}

function telemetrySection(all: readonly Outcome[], channels: readonly Channel[]): string[] {
  const rows = all.map((o) => {
    const { recall } = scoreTelemetry(channels, o.telemetry);
    const cells = recall.map((r, b) => {
      const interval = bootstrap(
        channels.length,
        (drawn) =>
          scoreTelemetry(
            drawn.map((i) => channels[i]!),
            drawn.map((i) => o.telemetry[i]!),
          ).recall[b]!,
      );
      return `${r.toFixed(2)} (${interval})`;
    });
    return `| ${o.name} | ${cells.join(" | ")} |`;
  });
  return [
    `## Spacecraft telemetry (SMAP and MSL), ${channels.length} channels`,
    "",
    "Event recall at one threshold for all channels, by false alarms per 10,000 readings.",
    "",
    `| Detector | ${BUDGETS.join(" | ")} |`,
    `|---|${BUDGETS.map(() => "---|").join("")}`,
    ...rows,
    "",
  ];
}

function catalogueSection(all: readonly Outcome[]): string[] {
  const results = all.map((o) => scoreCatalogue(o.catalogue));
  const whole = results.at(-1)!;
  const sensors = all.at(-1)!.catalogue;
  const rows = FAULTS.map((kind, f) => {
    const interval = bootstrap(sensors.length, (drawn) => scoreCatalogue(drawn.map((i) => sensors[i]!)).recall[f]!);
    const cells = results.map((r) => r.recall[f]!.toFixed(2));
    cells[cells.length - 1] += ` (${interval})`;
    return `| ${kind.fault}: ${kind.magnitude} | ${cells.join(" | ")} | ${delayOf(whole, f)} | ${whole.barRecall[f]!.toFixed(2)} |`;
  });
  const silence = scoreSilence();
  return [
    `## Simulated catalogue ${CATALOGUE_VERSION}, ${CATALOGUE_SENSORS} sensors, seed ${CATALOGUE_SEED}`,
    "",
    `Recall at ${CATALOGUE_BUDGET} false alarms per sensor and day (signal), the ensemble's median delay in readings, and its recall at its own default bar,`,
    `where clean sensors gave ${whole.barAlertsPerDay.toFixed(3)} false alerts per sensor and day.`,
    "",
    `| Fault | ${all.map((o) => o.name).join(" | ")} | delay | at its bar |`,
    `|---|${all.map(() => "---|").join("")}---|---|`,
    ...rows,
    "",
    `Silence for 3 intervals, by ticks: recall ${silence.recall.toFixed(2)}, median delay ${silence.delay.toFixed(1)} intervals, ${silence.falsePerSensorDay.toFixed(3)} false per sensor and day.`,
    "",
  ];
}

function delayOf(result: CatalogueResult, fault: number): string {
  return Number.isNaN(result.delay[fault]!) ? "–" : String(result.delay[fault]!);
}

function costSection(): string[] {
  const trunk = new JsTrunk(defaultModel);
  const mixed = ensemble(trunk, 1000, 1).toFixed(2);
  const blocks = ensemble(trunk, 1000, 100).toFixed(2);
  return [
    "## Cost",
    "",
    `Whole ensemble, pinned kernel, 10,000 sensors, Node ${process.version}: ${mixed} µs of CPU a reading with one reading a sensor in a batch, ${blocks} µs in`,
    `blocks of 100; ${createDetector().bytesPerSensor} bytes of state a sensor. (The parts share one pass and have no cost of their own.)`,
    "",
  ];
}

/** What a user of the default configuration is told: alerts at the default bar, against the labelled stretches. */
async function barSection(data: Sets): Promise<string[]> {
  const telemetry = data.telemetry.map((c) => ({ ...c, owner: c.event, count: c.events }));
  const nab = data.nab.map((f) => ({ ...f, owner: f.window, count: f.windows }));
  const rows: string[] = [];
  for (const [name, series] of [
    ["NAB", nab],
    ["Telemetry", telemetry],
  ] as const) {
    let [met, labelled, outside, days] = [0, 0, 0, 0];
    for (const { timeUs, value, owner, count } of series) {
      const labels: Label[] = Array.from({ length: count }, (_, k) => k)
        .filter((k) => owner.includes(k))
        .map((k) => ({ fromUs: timeUs[owner.indexOf(k)]!, untilUs: timeUs[owner.lastIndexOf(k)]! }));
      const result = await backtestSeries(timeUs, value, labels);
      met += Number(result.labelsMet);
      labelled += labels.length;
      outside += Number(result.alerts - result.alertsRight);
      days += (timeUs.at(-1)! - timeUs[0]!) / 86_400e6;
    }
    rows.push(`| ${name} | ${met} of ${labelled} | ${outside} | ${(outside / days).toFixed(2)} |`);
  }
  return [
    "## Alerts at the default bar",
    "",
    "Nothing left out at the start; the budget asked for is 0.1 per sensor and day.",
    "",
    "| Set | Labelled stretches met | Alerts outside them | per sensor and day |",
    "|---|---|---|---|",
    ...rows,
    "",
  ];
}

/** The series that cost most at the ensemble's best thresholds. */
function failureSection(o: Outcome, data: Sets): string[] {
  const nabThreshold = scoreNab(data.nab, o.nab, STANDARD).threshold;
  const nab = data.nab.map((file, i) => ({ name: file.name, ...countNab(file, o.nab[i]!, nabThreshold) }));
  const threshold = scoreTelemetry(data.telemetry, o.telemetry).threshold[1]!;
  const telemetry = data.telemetry.map((c, i) => {
    const met = new Set<number>();
    let falseAlarms = 0;
    for (let k = c.start; k < c.event.length; k++) {
      if (o.telemetry[i]![k]! < threshold) continue;
      if (c.event[k]! < 0) falseAlarms++;
      else met.add(c.event[k]!);
    }
    return { name: c.name, missed: c.events - met.size, falseAlarms };
  });
  const noisy = [...nab].sort((a, b) => b.falseAlarms - a.falseAlarms).slice(0, WORST);
  const missed = nab.filter((f) => f.hit < f.windows);
  const loud = telemetry.filter((c) => c.falseAlarms > 1).sort((a, b) => b.falseAlarms - a.falseAlarms);
  return [
    "## What fails",
    "",
    `- NAB, at the best threshold (${nabThreshold.toFixed(2)}): windows missed in ${missed.map((f) => `${f.name} (${f.windows - f.hit} of ${f.windows})`).join(", ") || "none"}; most false alarms in ${noisy.map((f) => `${f.name} (${f.falseAlarms})`).join(", ")}.`,
    `- Telemetry, at 2 false alarms per 10,000 (${threshold.toFixed(2)}): events missed in ${
      telemetry
        .filter((c) => c.missed > 0)
        .map((c) => `${c.name} (${c.missed})`)
        .join(", ") || "none"
    }; more than one false alarm in ${loud.map((c) => `${c.name} (${c.falseAlarms})`).join(", ") || "none"}.`,
  ];
}
