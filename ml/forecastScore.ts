/** How honest forecasts are: the share of later readings within each interval, by how far ahead they are. */
import { createDetector, createScoreBatch } from "../server/detect/index.ts";
import { type Forecast, Forecaster } from "../server/forecast/forecaster.ts";
import { horizonsOf } from "../server/forecast/horizons.ts";
import { upperMedian } from "./median.ts";

/** Shares that intervals are made for. */
export const INTERVALS: readonly number[] = [0.5, 0.8, 0.95];
/** From so many times of each series' second half forecasts are made. */
const ORIGINS = 24;

export interface ForecastSeries {
  readonly timeUs: Float64Array;
  readonly value: Float64Array;
}

/** Of one time ahead, over all series. */
export interface Coverage {
  readonly intervals: number;
  forecasts: number;
  /** Within each of INTERVALS. */
  readonly within: number[];
  /** Of each series the mean error over that of the last reading taken for the forecast. */
  readonly ratios: number[];
}

/** @param ahead how many usual intervals ahead */
export function scoreForecasts(series: readonly ForecastSeries[], ahead: readonly number[]): Coverage[] {
  const found = ahead.map((intervals) => ({
    ...{ intervals, forecasts: 0, within: INTERVALS.map(() => 0), ratios: [] },
  }));
  for (const each of series) scoreOne(each, found);
  return found;
}

function scoreOne({ timeUs, value }: ForecastSeries, found: readonly Coverage[]): void {
  const count = value.length;
  const usualUs = upperMedian(Array.from({ length: Math.min(count - 1, 1000) }, (_, i) => timeUs[i + 1]! - timeUs[i]!));
  const detector = createDetector();
  const slot = detector.addSensor("", "");
  const batch = createScoreBatch(1);
  const seasonal = (at: number) => detector.seasonal(slot, at);
  const longest = found.at(-1)!.intervals * usualUs;
  const forecaster = new Forecaster(horizonsOf(longest, usualUs));
  const origins = new Set(Array.from({ length: ORIGINS }, (_, k) => Math.floor(count * (0.5 + (0.5 * k) / ORIGINS))));
  const errors = found.map(() => ({ own: 0, last: 0 }));
  for (let i = 0; i < count; i++) {
    forecaster.reading(timeUs[i]!, value[i]!, seasonal);
    batch.length = 1;
    batch.slot[0] = slot;
    batch.timeUs[0] = timeUs[i]!;
    batch.value[0] = value[i]!;
    detector.score(batch);
    if (!origins.has(i)) continue;
    found.forEach((coverage, k) => {
      const at = timeUs[i]! + coverage.intervals * usualUs;
      const later = firstFrom(timeUs, i, at);
      if (later === undefined || timeUs[later]! - at > 1.5 * usualUs) return;
      const [forecast] = forecaster.forecasts([at], seasonal);
      if (forecast === undefined) return;
      countOne(coverage, forecast, value[later]!);
      errors[k]!.own += Math.abs(value[later]! - forecast.quantile(0.5));
      errors[k]!.last += Math.abs(value[later]! - value[i]!);
    });
  }
  errors.forEach(({ own, last }, k) => {
    if (last > 0) found[k]!.ratios.push(own / last);
  });
}

function countOne(coverage: Coverage, forecast: Forecast, value: number): void {
  coverage.forecasts++;
  INTERVALS.forEach((share, k) => {
    const outside = (1 - share) / 2;
    if (value >= forecast.quantile(outside) && value <= forecast.quantile(1 - outside)) coverage.within[k]!++;
  });
}

function firstFrom(timeUs: Float64Array, from: number, at: number): number | undefined {
  let low = from;
  let high = timeUs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timeUs[middle]! < at) low = middle + 1;
    else high = middle;
  }
  return low < timeUs.length ? low : undefined;
}

/** A table of the coverage of some sets. */
export function forecastTable(sets: readonly (readonly [name: string, found: readonly Coverage[]])[]): string[] {
  const rows = sets.flatMap(([name, found]) =>
    found.map(({ intervals, forecasts, within, ratios }) => {
      const shares = within.map((n) => (forecasts === 0 ? "–" : `${((100 * n) / forecasts).toFixed(0)} %`));
      const ratio = ratios.length === 0 ? "–" : upperMedian(ratios).toFixed(2);
      return `| ${name} | ${intervals} | ${forecasts} | ${shares.join(" | ")} | ${ratio} |`;
    }),
  );
  return [
    "| Series | intervals ahead | forecasts | in 50 % | in 80 % | in 95 % | error |",
    "|---|---|---|---|---|---|---|",
    ...rows,
  ];
}
