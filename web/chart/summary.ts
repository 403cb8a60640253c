/** A chart in sentences, for whoever does not see it. */
import { countText, durationText, plural, timeText, valueText } from "../app/format.ts";
import type { ChartData } from "./series.ts";

export function summaryOf(name: string, data: ChartData, zone: string): string {
  const { times, counts, low, high, last, anomalies, unit, raw, columnMs } = data;
  if (times.length === 0) return `${name} has no reading in this range.`;
  const readings = counts.reduce((a, b) => a + b, 0);
  const odd = anomalies.reduce((a, b) => a + b, 0);
  const numbers = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
  const min = Math.min(...numbers(low));
  const max = Math.max(...numbers(high));
  const newest = numbers(last).at(-1);
  // A column stands for its middle, and its readings lie anywhere in it.
  const half = raw ? 0 : columnMs / 2;
  const [from, to] = [times[0]! - half, times.at(-1)! + half];
  const range = `${name}: ${plural(readings, "reading")} from ${timeText(from, zone)} to ${timeText(to, zone)} (${durationText(to - from)})`;
  const values = `between ${valueText(min, unit)} and ${valueText(max, unit)}${newest === undefined ? "" : `, last ${valueText(newest, unit)}`}`;
  return `${range}, ${values}. ${oddText(odd, worst(data), data, zone)}`;
}

function worst({ anomalies, scores, times }: ChartData): { ms: number; score: number } | undefined {
  let at = -1;
  for (const [index, count] of anomalies.entries())
    if (count > 0 && (at < 0 || scores[index]! > scores[at]!)) at = index;
  return at < 0 ? undefined : { ms: times[at]!, score: scores[at]! };
}

function oddText(
  count: number,
  peak: { ms: number; score: number } | undefined,
  { raw, columnMs }: ChartData,
  zone: string,
): string {
  if (count === 0 || peak === undefined) return "None is anomalous.";
  const what = count === 1 ? "One is anomalous" : `${countText(count)} are anomalous`;
  const when = raw
    ? `at ${timeText(peak.ms, zone)}`
    : `within ${durationText(columnMs)} from ${timeText(peak.ms - columnMs / 2, zone)}`;
  return `${what}, the strongest ${when} with a score of ${peak.score.toFixed(2)}.`;
}

/** The point under the cursor. */
export function pointText(data: ChartData, index: number, zone: string): string {
  const { times, raw, low, high, last, expected, lower, upper, anomalies, counts, scores, unit, columnMs } = data;
  const ms = times[index]!;
  const when = raw ? timeText(ms, zone) : `${timeText(ms - columnMs / 2, zone)}, ${durationText(columnMs)}`;
  const what =
    raw || counts[index] === 1
      ? valueText(last[index] ?? low[index] ?? 0, unit)
      : `${valueText(low[index] ?? 0, unit)} to ${valueText(high[index] ?? 0, unit)}, ${plural(counts[index]!, "reading")}`;
  const normal =
    lower[index] == null || upper[index] == null
      ? ""
      : `; normal ${valueText(lower[index], unit)} to ${valueText(upper[index], unit)}`;
  const wanted = expected[index] == null ? "" : `; expected ${valueText(expected[index], unit)}`;
  const odd =
    anomalies[index]! > 0
      ? `; ${raw ? "anomalous" : plural(anomalies[index]!, "anomaly", "anomalies")}, score ${scores[index]!.toFixed(2)}`
      : "";
  return `${when}: ${what}${wanted}${normal}${odd}`;
}
