import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSeries } from "./series.ts";

/**
 * The scoring of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015, github.com/numenta/NAB): windows around each anomaly, a
 * sigmoid that rewards early hits, a charge for each alarm outside, one threshold for all files, 0 = never speaks, 100 = perfect.
 */
export interface NabFile {
  readonly name: string;
  readonly timeUs: Float64Array;
  readonly value: Float64Array;
  /** Window of each row, -1 outside. */
  readonly window: Int32Array;
  readonly windows: number;
  /** What an alarm at each row is worth before the profile's weights. */
  readonly worth: Float64Array;
  /** Rows before this are not scored. */
  readonly probation: number;
}

export interface Profile {
  readonly falseAlarm: number;
  readonly miss: number;
}
export const STANDARD: Profile = { falseAlarm: 0.11, miss: 1 };
export const LOW_FALSE_ALARMS: Profile = { falseAlarm: 0.22, miss: 1 };

export interface NabResult {
  readonly score: number;
  readonly threshold: number;
}

export function loadNab(folder: string): NabFile[] {
  const labels: Record<string, [string, string][]> = JSON.parse(
    readFileSync(join(folder, "labels/combined_windows.json"), "utf8"),
  );
  const names = Object.keys(labels).sort();
  return names
    .filter((name) => existsSync(join(folder, "data", name)))
    .map((name) => prepare(name, readFileSync(join(folder, "data", name), "utf8"), labels[name]!));
}

function prepare(name: string, text: string, windows: readonly (readonly [string, string])[]): NabFile {
  const series = parseSeries(text);
  const rows = series.lines.length;
  const stamps = series.lines.map((line) => line.slice(0, line.indexOf(",")));
  const window = new Int32Array(rows).fill(-1);
  const worth = new Float64Array(rows).fill(-1);
  let next = 0;
  let previous: { end: number; length: number } | undefined;
  for (let k = 0; k <= windows.length; k++) {
    const first = k < windows.length ? stamps.indexOf(windows[k]![0].slice(0, 19)) : rows;
    for (let i = next; i < Math.min(first, rows); i++) {
      if (previous !== undefined) worth[i] = sigmoid((i - previous.end) / (previous.length - 1));
    }
    if (k === windows.length) break;
    const end = stamps.indexOf(windows[k]![1].slice(0, 19));
    const length = end - first + 1;
    for (let i = first; i <= end; i++) {
      worth[i] = sigmoid(-(end - i + 1) / length) / sigmoid(-1);
      window[i] = k;
    }
    previous = { end, length };
    next = end + 1;
  }
  const probation = Math.min(Math.floor(0.15 * rows), 0.15 * 5000);
  return { name, timeUs: series.timeUs, value: series.value, window, windows: windows.length, worth, probation };
}

function sigmoid(x: number): number {
  return x > 3 ? -1 : 2 / (1 + Math.exp(5 * x)) - 1;
}

/** Score of the signals (one per file) at the best threshold, or at the one given. */
export function scoreNab(
  files: readonly NabFile[],
  signals: readonly ArrayLike<number>[],
  profile: Profile,
  threshold?: number,
): NabResult {
  const alarms: { signal: number; worth: number; window: number }[] = [];
  let total = 0;
  let reachable = 0;
  files.forEach((file, k) => {
    const seen = new Set<number>();
    for (let i = Math.ceil(file.probation); i < file.window.length; i++) {
      const window = file.window[i]! < 0 ? -1 : total + file.window[i]!;
      if (window >= 0) seen.add(window);
      const signal = signals[k]![i]!;
      if (signal > 0) alarms.push({ signal, worth: file.worth[i]!, window });
    }
    total += file.windows;
    reachable += seen.size;
  });
  if (total === 0) return { score: Number.NaN, threshold: Number.NaN };
  alarms.sort((a, b) => b.signal - a.signal);
  const best = new Float64Array(total).fill(-profile.miss);
  let sum = -profile.miss * reachable;
  let top = { sum, threshold: Number.POSITIVE_INFINITY };
  for (let i = 0; i < alarms.length; i++) {
    const { signal, worth, window } = alarms[i]!;
    if (threshold !== undefined && signal < threshold) break;
    if (window < 0) sum += worth * profile.falseAlarm;
    else if (worth > best[window]!) {
      sum += worth - best[window]!;
      best[window] = worth;
    }
    const last = i + 1 === alarms.length || alarms[i + 1]!.signal !== signal;
    if (last && threshold === undefined && sum > top.sum) top = { sum, threshold: signal };
  }
  if (threshold !== undefined) top = { sum, threshold };
  const nothing = -profile.miss * total;
  return { score: (100 * (top.sum - nothing)) / (total - nothing), threshold: top.threshold };
}

export interface NabCounts {
  readonly hit: number;
  readonly windows: number;
  readonly falseAlarms: number;
}

/** Windows met and alarms outside windows in one file at a threshold. */
export function countNab(file: NabFile, signal: ArrayLike<number>, threshold: number): NabCounts {
  const hit = new Set<number>();
  let falseAlarms = 0;
  for (let i = Math.ceil(file.probation); i < file.window.length; i++) {
    if (signal[i]! < threshold) continue;
    if (file.window[i]! >= 0) hit.add(file.window[i]!);
    else falseAlarms++;
  }
  return { hit: hit.size, windows: file.windows, falseAlarms };
}
