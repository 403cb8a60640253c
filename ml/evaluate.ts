import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDetector, type DetectorOptions, defaultModel, KernelTrunk, PARTS } from "../server/detect/index.ts";
import { backtestSeries, type Label } from "./backtest.ts";
import { CATALOGUE_SEED, CATALOGUE_SENSORS, CATALOGUE_VERSION, FAULTS, simulateSensor } from "./catalogue.ts";
import {
  CATALOGUE_BUDGET,
  type CatalogueResult,
  playCatalogue,
  type SensorOutcome,
  scoreCatalogue,
} from "./catalogueScore.ts";
import { earlySection } from "./earlyScore.ts";
import { forecastTable, scoreForecasts } from "./forecastScore.ts";
import { type LabelledSet, loadFamilies, nabSet, telemetrySet } from "./labelled.ts";
import { countNab, LOW_FALSE_ALARMS, loadNab, type NabFile, STANDARD, scoreNab } from "./nab.ts";
import { loadPlants } from "./plants.ts";
import { meanFigure, plantTable, playPlants } from "./plantTable.ts";
import { playSeries } from "./play.ts";
import { Random } from "./random.ts";
import { BUDGETS, ownRecall, ownThreshold, rank } from "./ranking.ts";
import { ensemble } from "./runtimes.ts";
import { scoreSeries } from "./score-series.ts";
import { scoreSilence } from "./silenceScore.ts";
import { type Channel, loadTelemetry } from "./telemetry.ts";
import { tunedSection } from "./tuned.ts";
import { type PlayedSet, wholeTable } from "./wholeTable.ts";
import { wrapped } from "./wrap.ts";

/**
 * `npm run evaluate [-- --data FOLDER] [--quick]`: docs/internals/evaluation.md, but for what tuned.ts keeps by hand. FOLDER (or EVALUATION_DATA) holds the
 * public sets as `nab/` and `telemetry/`, and may hold `families/` (a folder each, with labels.json) and `plants/` (with sensors.json);
 * without it only the simulated catalogue is run. `--quick` plays a part of the series through the whole ensemble alone, and writes nothing.
 */
const RESAMPLES = 200;
const WORST = 8;
/** Of how many series one is played, and how many sensors of the catalogue, where it is to be quick. */
const QUICK_SHARE = 3;
const QUICK_SENSORS = 8;

/** Readings of an hour, six hours and a day of the catalogue, and of sets that read every five minutes. */
const CATALOGUE_AHEAD = [60, 360, 1440];
const SETS_AHEAD = [12, 72, 288];
const FORECAST_SENSORS = 8;

/** Sets that the folder of data may hold, as the report calls them. */
const OPTIONAL_SETS = [
  ["nab", "Numenta Anomaly Benchmark"],
  ["telemetry", "Spacecraft telemetry"],
  ["families", "Families of labelled series"],
  ["plants", "Plant sensors"],
] as const;

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
if (folder === undefined) console.error("Without --data FOLDER only the simulated catalogue is evaluated.");
if (process.argv.includes("--quick")) {
  const outcome = { name: "ensemble", nab: [], telemetry: [], catalogue: playCatalogue({}, QUICK_SENSORS) };
  const tables = folder === undefined ? [] : await tablesOf(folder, (_, k) => k % QUICK_SHARE === 0, false);
  const forecasts = forecastSection({ nab: [], telemetry: [] }, 2);
  console.log(wrapped([...tables, ...catalogueSection([outcome]), ...forecasts]).join("\n"));
} else await evaluateAll();

async function evaluateAll(): Promise<void> {
  const sets = loadSets(folder);
  const outcomes: Outcome[] = [];
  for (const part of [...PARTS, "ensemble"] as const) {
    process.stderr.write(`\r${part} …            `);
    outcomes.push(play(part, part === "ensemble" ? {} : { parts: [part] }, sets));
  }
  process.stderr.write("\r                     \r");
  const report = await makeReport(outcomes, sets);
  console.log(report);
  if (folder !== undefined) writeFileSync(join(import.meta.dirname, "../docs/internals/evaluation.md"), report);
}

/** All labelled sets and the plant sensors, as far as the folder has them. */
async function tablesOf(from: string, taken: (each: unknown, k: number) => boolean, ticks: boolean): Promise<string[]> {
  const has = (part: string) => existsSync(join(from, part));
  const all: readonly (readonly [LabelledSet, boolean])[] = [
    ...(has("nab") ? ([[nabSet(join(from, "nab")), false]] as const) : []),
    ...(has("telemetry") ? ([[telemetrySet(loadTelemetry(join(from, "telemetry"))), false]] as const) : []),
    ...(has("families") ? loadFamilies(join(from, "families")).map((set) => [set, true] as const) : []),
  ];
  const played: PlayedSet[] = [];
  for (const [set, family] of all) {
    process.stderr.write(`\r${set.name} …            `);
    const series = set.series.filter(taken);
    const groups = new Set(series.map(({ group }) => group));
    const events = set.events.map((event) => ({ ...event, counts: event.counts && groups.has(event.group) }));
    const results = [];
    for (const each of series) results.push(await playSeries(each, false));
    played.push({ set: { ...set, series, events }, played: results, family });
  }
  const lines = played.length === 0 ? [] : ["## All labelled sets", "", ...wholeTable(played, bootstrap)];
  if (has("plants")) {
    process.stderr.write("\rplants …            ");
    const outcomes = await playPlants(loadPlants(join(from, "plants")).filter(taken), ticks);
    const interval = (figure: Parameters<typeof meanFigure>[2]) =>
      bootstrap(outcomes.length, (drawn) => meanFigure(outcomes, drawn, figure));
    lines.push(...plantTable(outcomes, interval));
  }
  process.stderr.write("\r                     \r");
  return [...lines, ...leftOut(from)];
}

/** A set that is not there is named, in the report too: its figures would be gone without a word. */
function leftOut(from: string): string[] {
  return OPTIONAL_SETS.filter(([part]) => !existsSync(join(from, part))).flatMap(([part, name]) => {
    console.error(`${name}: not evaluated, because ${from} has no folder ${part}.`);
    return [`## ${name}`, "", `Not evaluated: the folder of data had no \`${part}/\`.`, ""];
  });
}

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
    nab: data.nab.map((f) => scoreSeries(f.timeUs, f.value, options).signal),
    telemetry: data.telemetry.map((c) => scoreSeries(c.timeUs, c.value, options).signal),
    catalogue: playCatalogue(options),
  };
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
    "`telemetry/`, and may hold further families of labelled series as `families/` and plant sensors as `plants/`; without it only the",
    "simulated catalogue is run; `--quick` plays a third of the series). One default configuration, no look-ahead, each series a sensor of its own. A detector group alone is the same detector with the other groups disabled; in brackets the 90 % bootstrap interval over series, those of one asset together.",
    "",
  ];
  if (folder !== undefined) lines.push(...(await tablesOf(folder, () => true, true)));
  if (data.nab.length > 0) lines.push(...nabSection(all, data.nab), ...telemetrySection(all, data.telemetry));
  lines.push(...catalogueSection(all), ...forecastSection(data), ...earlySection());
  if (data.nab.length > 0) lines.push(...(await thresholdSection(data)));
  lines.push(...costSection());
  if (data.nab.length > 0) lines.push(...failureSection(all.at(-1)!, data));
  lines.push(...tunedSection());
  return `${wrapped(lines).join("\n")}\n`;
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
  const set = telemetrySet(channels);
  const rows = all.map((o) => {
    const ranked = rank(set, o.telemetry);
    const cells = BUDGETS.map((budget) => {
      const interval = bootstrap(channels.length, (drawn) => ownRecall(ranked, budget, drawn));
      return `${ownRecall(ranked, budget).toFixed(2)} (${interval})`;
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
    return `| ${kind.fault}: ${kind.magnitude} | ${cells.join(" | ")} | ${delayOf(whole, f)} | ${whole.thresholdRecall[f]!.toFixed(2)} |`;
  });
  const silence = scoreSilence();
  return [
    `## Simulated catalogue ${CATALOGUE_VERSION}, ${CATALOGUE_SENSORS} sensors, seed ${CATALOGUE_SEED}`,
    "",
    `Recall at ${CATALOGUE_BUDGET} false alarms per sensor and day (signal), the ensemble's median delay in readings, and its recall at its own default threshold,`,
    `where clean sensors gave ${whole.thresholdAlertsPerDay.toFixed(3)} false alerts per sensor and day.`,
    "",
    `| Fault | ${all.map((o) => o.name).join(" | ")} | delay | at its threshold |`,
    `|---|${all.map(() => "---|").join("")}---|---|`,
    ...rows,
    "",
    `Silence for 3 intervals, by ticks: recall ${silence.recall.toFixed(2)}, median delay ${silence.delay.toFixed(1)} intervals, ${silence.falsePerSensorDay.toFixed(3)} false per sensor and day.`,
    "",
  ];
}

function forecastSection({ nab, telemetry }: Sets, sensors: number = FORECAST_SENSORS): string[] {
  const simulated = Array.from({ length: sensors }, (_, i) => simulateSensor(i));
  const sets = [
    ["catalogue", scoreForecasts(simulated, CATALOGUE_AHEAD)] as const,
    ...(nab.length === 0 ? [] : [["NAB", scoreForecasts(nab, SETS_AHEAD)] as const]),
    ...(telemetry.length === 0 ? [] : [["telemetry", scoreForecasts(telemetry, SETS_AHEAD)] as const]),
    ...(nab.length === 0 ? [] : familyForecasts()),
  ];
  return [
    "## Forecasts",
    "",
    "Share of later readings, faults among them, that were within each interval, of forecasts from 24 times of each series' second half; and",
    "the median over series of the mean error, as a share of that of the last reading taken for the forecast.",
    "",
    ...forecastTable(sets),
    "",
  ];
}

function familyForecasts() {
  const from = folder === undefined ? undefined : join(folder, "families");
  if (from === undefined || !existsSync(from)) return [];
  return loadFamilies(from).map(({ name, series }) => [name, scoreForecasts(series, SETS_AHEAD)] as const);
}

function delayOf(result: CatalogueResult, fault: number): string {
  return Number.isNaN(result.delay[fault]!) ? "–" : String(result.delay[fault]!);
}

function costSection(): string[] {
  const trunk = new KernelTrunk(defaultModel);
  const mixed = ensemble(trunk, 1000, 1).toFixed(2);
  const blocks = ensemble(trunk, 1000, 100).toFixed(2);
  return [
    "## Cost",
    "",
    `Whole ensemble, scoring kernel, 10,000 sensors, Node ${process.version}: ${mixed} µs of CPU a reading with one reading a sensor in a batch, ${blocks} µs in`,
    `blocks of 100; ${createDetector().bytesPerSensor} bytes of state a sensor. (The detector groups share one pass and have no separate cost.)`,
    "",
  ];
}

/** What a user of the default configuration gets: alerts at the default threshold, against the labelled stretches. */
async function thresholdSection(data: Sets): Promise<string[]> {
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
    "## Alerts at the default threshold",
    "",
    "No readings are skipped at the start; the alarm budget is 0.1 per sensor and day.",
    "",
    "| Set | Labelled intervals detected | Alerts outside them | per sensor and day |",
    "|---|---|---|---|",
    ...rows,
    "",
  ];
}

/** The series that cost most at the ensemble's best thresholds. */
function failureSection(o: Outcome, data: Sets): string[] {
  const nabThreshold = scoreNab(data.nab, o.nab, STANDARD).threshold;
  const nab = data.nab.map((file, i) => ({ name: file.name, ...countNab(file, o.nab[i]!, nabThreshold) }));
  const threshold = ownThreshold(rank(telemetrySet(data.telemetry), o.telemetry), BUDGETS[1]!);
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
