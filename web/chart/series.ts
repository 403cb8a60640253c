/** What GetSeries answers, as a chart draws it: arrays of equal length, null where there is nothing. */
import type { GetSeriesResponse, Series, SeriesColumns, SeriesReadings } from "../../gen/web/telltale/v1/chart_pb.ts";
import { msOf } from "../app/format.ts";
import type { SeverityName } from "../app/severity.ts";

type Values = (number | null)[];

export interface ChartData {
  readonly unit: string;
  /** Whether each point is one reading. */
  readonly raw: boolean;
  /** Width of a column in milliseconds; 0 for single readings. */
  readonly columnMs: number;
  /** Middle of a column, or when the reading was observed; milliseconds since 1970. */
  readonly times: number[];
  readonly first: Values;
  readonly low: Values;
  readonly high: Values;
  readonly last: Values;
  readonly expected: Values;
  readonly lower: Values;
  readonly upper: Values;
  /** Readings in the column. */
  readonly counts: number[];
  /** Of these, anomalous. */
  readonly anomalies: number[];
  /** Highest anomaly score. */
  readonly scores: number[];
  readonly otherUnits: readonly string[];
}

export const NOTHING: ChartData = {
  ...{ unit: "", raw: true, columnMs: 0, otherUnits: [] },
  ...{
    times: [],
    first: [],
    low: [],
    high: [],
    last: [],
    expected: [],
    lower: [],
    upper: [],
    counts: [],
    anomalies: [],
    scores: [],
  },
};

export function chartDataOf(response: GetSeriesResponse, series: Series): ChartData {
  const shared = { unit: series.unit, otherUnits: series.otherUnits };
  if (series.readings !== undefined) return { ...shared, ...ofReadings(series.readings) };
  const columnMs = Number(response.columnWidthUs) / 1_000;
  const firstMs = response.firstColumnTime === undefined ? 0 : msOf(response.firstColumnTime);
  return { ...shared, ...ofColumns(series.columns, firstMs, columnMs) };
}

type Drawn = Omit<ChartData, "unit" | "otherUnits">;

const known = (values: readonly number[]): Values => values.map((value) => (Number.isNaN(value) ? null : value));

function ofReadings(readings: SeriesReadings): Drawn {
  const values = known(readings.values);
  return {
    ...{ raw: true, columnMs: 0 },
    times: readings.observedAtUs.map((us) => Number(us) / 1_000),
    ...{ first: values, low: values, high: values, last: values },
    ...bounds(readings),
    counts: values.map(() => 1),
    anomalies: readings.anomalies.map(Number),
    scores: [...readings.anomalyScores],
  };
}

function ofColumns(columns: SeriesColumns | undefined, firstMs: number, columnMs: number): Drawn {
  return {
    ...{ raw: false, columnMs },
    times: (columns?.indexes ?? []).map((index) => firstMs + (index + 0.5) * columnMs),
    first: known(columns?.firstValues ?? []),
    low: known(columns?.minValues ?? []),
    high: known(columns?.maxValues ?? []),
    last: known(columns?.lastValues ?? []),
    ...bounds(columns ?? { expectedValues: [], lowerBounds: [], upperBounds: [] }),
    counts: (columns?.counts ?? []).map(Number),
    anomalies: (columns?.anomalyCounts ?? []).map(Number),
    scores: [...(columns?.maxAnomalyScores ?? [])],
  };
}

function bounds(from: Pick<SeriesReadings, "expectedValues" | "lowerBounds" | "upperBounds">) {
  return { expected: known(from.expectedValues), lower: known(from.lowerBounds), upper: known(from.upperBounds) };
}

/** Severity of an anomaly score, as the platform ranks it. */
export function severityOfScore(score: number): SeverityName {
  if (score >= 0.9) return "critical";
  if (score >= 0.8) return "high";
  return score >= 0.6 ? "medium" : "low";
}

/** Index of the point nearest to a time; -1 where there is none. */
export function nearest(times: readonly number[], ms: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < ms) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return times.length === 0 ? -1 : 0;
  if (low === times.length) return low - 1;
  return ms - times[low - 1]! <= times[low]! - ms ? low - 1 : low;
}

export interface Tail {
  readonly atMs: number;
  readonly value: number;
  readonly expected: number | undefined;
  readonly lower: number | undefined;
  readonly upper: number | undefined;
  readonly isAnomaly: boolean;
  readonly score: number;
}

/** Single readings with newer ones behind them, those before `fromMs` dropped. What is not newer is known already. */
export function withTail(data: ChartData, tail: readonly Tail[], fromMs: number): ChartData {
  const lastMs = data.times.at(-1) ?? Number.NEGATIVE_INFINITY;
  const newer = tail.filter(({ atMs }) => atMs > lastMs).sort((a, b) => a.atMs - b.atMs);
  const start = data.times.findIndex((time) => time >= fromMs);
  const drop = start < 0 ? data.times.length : start;
  const joined = <T>(list: readonly T[], of: (reading: Tail) => T): T[] => [...list.slice(drop), ...newer.map(of)];
  const values = joined(data.last, ({ value }) => value);
  return {
    ...data,
    times: joined(data.times, ({ atMs }) => atMs),
    ...{ first: values, low: values, high: values, last: values },
    expected: joined(data.expected, ({ expected }) => expected ?? null),
    lower: joined(data.lower, ({ lower }) => lower ?? null),
    upper: joined(data.upper, ({ upper }) => upper ?? null),
    counts: joined(data.counts, () => 1),
    anomalies: joined(data.anomalies, ({ isAnomaly }) => Number(isAnomaly)),
    scores: joined(data.scores, ({ score }) => score),
  };
}
