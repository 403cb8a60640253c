/** Functions of a range of samples. What they come to is what Prometheus' functions of the same names do. */
import { largestOf, meanOf, quantileOf, Sum, smallestOf, sumOf, varianceOf } from "./statistics.ts";

/** Samples `lo` to `hi` of a series, at least one: those within (startMs, endMs]. */
export interface Window {
  timesMs: Float64Array;
  values: Float64Array;
  lo: number;
  hi: number;
  startMs: number;
  endMs: number;
  /** The moment of evaluation. */
  nowMs: number;
}

/** Undefined: it has no value there. */
export type RangeFunction = (w: Window, argument: number) => number | undefined;

function over(statistic: (values: Float64Array, lo: number, hi: number) => number): RangeFunction {
  return ({ values, lo, hi }) => statistic(values, lo, hi);
}

function count(w: Window, isOne: (now: number, before: number) => boolean): number {
  let n = 0;
  for (let i = w.lo + 1; i < w.hi; i++) if (isOne(w.values[i]!, w.values[i - 1]!)) n++;
  return n;
}

/** A counter that fell has started again from zero. */
function restarts({ values, lo, hi }: Window): number {
  let sum = 0;
  for (let i = lo + 1; i < hi; i++) if (values[i]! < values[i - 1]!) sum += values[i - 1]!;
  return sum;
}

/** Up to so many mean distances between samples the ends of the range count as covered. */
const COVERED = 1.1;

/**
 * The growth within the range, extrapolated to its ends where the samples come close to them, and half a distance between samples
 * further where they do not; a counter never to before it was zero.
 */
function growth(w: Window, { isCounter, perSecond }: { isCounter: boolean; perSecond: boolean }): number | undefined {
  const { timesMs, values, lo, hi, startMs, endMs } = w;
  if (hi - lo < 2) return undefined;
  const first = values[lo]!;
  const grown = values[hi - 1]! - first + (isCounter ? restarts(w) : 0);
  const sampled = (timesMs[hi - 1]! - timesMs[lo]!) / 1_000;
  const distance = sampled / (hi - lo - 1);
  let before = (timesMs[lo]! - startMs) / 1_000;
  let behind = (endMs - timesMs[hi - 1]!) / 1_000;
  if (before >= COVERED * distance) before = distance / 2;
  if (isCounter && grown > 0 && first >= 0) before = Math.min(before, sampled * (first / grown));
  if (behind >= COVERED * distance) behind = distance / 2;
  const factor = (sampled + before + behind) / sampled;
  return (grown * factor) / (perSecond ? (endMs - startMs) / 1_000 : 1);
}

function lastGrowth(w: Window, isRate: boolean): number | undefined {
  const { timesMs, values, lo, hi } = w;
  if (hi - lo < 2) return undefined;
  const seconds = (timesMs[hi - 1]! - timesMs[hi - 2]!) / 1_000;
  if (seconds === 0) return undefined;
  const [before, now] = [values[hi - 2]!, values[hi - 1]!];
  if (!isRate) return now - before;
  return (now < before ? now : now - before) / seconds;
}

/** A line through the samples by least squares: its slope a second, and where it is at the moment. */
function line({ timesMs, values, lo, hi }: Window, atMs: number): { slope: number; height: number } {
  const isConstant = values.subarray(lo, hi).every((value) => value === values[lo]!);
  if (isConstant) {
    const height = Number.isFinite(values[lo]!) ? values[lo]! : Number.NaN;
    return { slope: Number.isFinite(height) ? 0 : Number.NaN, height };
  }
  const [x, y, xy, xx] = [new Sum(), new Sum(), new Sum(), new Sum()];
  for (let i = lo; i < hi; i++) {
    const at = (timesMs[i]! - atMs) / 1_000;
    x.add(at);
    y.add(values[i]!);
    xy.add(at * values[i]!);
    xx.add(at * at);
  }
  const n = hi - lo;
  const slope = (xy.value - (x.value * y.value) / n) / (xx.value - (x.value * x.value) / n);
  return { slope, height: y.value / n - (slope * x.value) / n };
}

export const RANGE_FUNCTIONS: ReadonlyMap<string, RangeFunction> = new Map<string, RangeFunction>([
  ["sum_over_time", over(sumOf)],
  ["avg_over_time", over(meanOf)],
  ["count_over_time", (w) => w.hi - w.lo],
  ["min_over_time", over(smallestOf)],
  ["max_over_time", over(largestOf)],
  ["stdvar_over_time", over(varianceOf)],
  ["stddev_over_time", (w) => Math.sqrt(varianceOf(w.values, w.lo, w.hi))],
  ["last_over_time", (w) => w.values[w.hi - 1]!],
  ["first_over_time", (w) => w.values[w.lo]!],
  ["present_over_time", () => 1],
  ["quantile_over_time", ({ values, lo, hi }, q) => quantileOf(q, values.slice(lo, hi))],
  ["rate", (w) => growth(w, { isCounter: true, perSecond: true })],
  ["increase", (w) => growth(w, { isCounter: true, perSecond: false })],
  ["delta", (w) => growth(w, { isCounter: false, perSecond: false })],
  ["irate", (w) => lastGrowth(w, true)],
  ["idelta", (w) => lastGrowth(w, false)],
  ["deriv", (w) => (w.hi - w.lo < 2 ? undefined : line(w, w.timesMs[w.lo]!).slope)],
  [
    "predict_linear",
    (w, seconds) => {
      if (w.hi - w.lo < 2) return undefined;
      const { slope, height } = line(w, w.nowMs);
      return slope * seconds + height;
    },
  ],
  ["changes", (w) => count(w, (now, before) => now !== before && !(Number.isNaN(now) && Number.isNaN(before)))],
  ["resets", (w) => count(w, (now, before) => now < before)],
]);

/** They answer a sample as it is, and so with its name. */
export const KEEP_NAME: ReadonlySet<string> = new Set(["last_over_time", "first_over_time"]);
