/** What a picture of an alert shows: a sensor's values and the band around it in the time around the alert. Pure. */
import type { ChartSeries } from "../../store/chart/charts.ts";
import type { NotifiedAlert } from "../message.ts";

/** Readings before the alert that are worth seeing. */
export const READINGS_BEFORE = 150;
const LEAST_BEFORE_US = 30_000_000;
/** Where it is not known how densely the sensor sends. */
const BEFORE_US = 3_600_000_000;

export interface Span {
  readonly fromUs: number;
  readonly toUs: number;
}

/** Elements of the arrays belong together, rising by time; NaN: there is none. A column has a lowest and a highest value, a reading one value. */
export interface Curve extends Span {
  readonly unit: string;
  readonly timesUs: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** Of the expected band. */
  readonly lower: readonly number[];
  readonly upper: readonly number[];
  /** While the alert was open; to the end of the picture where it still is. */
  readonly alert: Span;
}

/**
 * The time that shows how the alert came and how it is now, or how it went: much as the console's page of the alert (`web/app/around.ts`).
 *
 * @param earlierUs when the reading READINGS_BEFORE before it was observed; undefined: there is none
 */
export function spanAround(
  { startsUs, endsUs }: Pick<NotifiedAlert, "startsUs" | "endsUs">,
  earlierUs: number | undefined,
  nowUs: number,
): Span {
  const untilUs = Math.max(startsUs, endsUs ?? nowUs);
  const beforeUs = Math.max(
    LEAST_BEFORE_US,
    earlierUs === undefined ? BEFORE_US : startsUs - earlierUs,
    (untilUs - startsUs) / 3,
  );
  // A while behind its end, as far as that is past.
  const behindUs = Math.max(0, Math.min(nowUs - untilUs, beforeUs / 3));
  return { fromUs: Math.floor(startsUs - beforeUs), toUs: Math.ceil(untilUs + behindUs) };
}

/** @returns undefined where there is no reading to draw */
export function curveOf(
  { unit, points, sums }: Pick<ChartSeries, "unit" | "points" | "sums">,
  { fromUs, toUs }: Span,
  { startsUs, endsUs }: Pick<NotifiedAlert, "startsUs" | "endsUs">,
): Curve | undefined {
  const drawn = points === undefined ? ofColumns(sums) : ofReadings(points);
  if (drawn.timesUs.length === 0) return undefined;
  // Columns are whole, also at the edges of the range.
  const span = { fromUs: Math.min(fromUs, drawn.timesUs[0]!), toUs: Math.max(toUs, drawn.timesUs.at(-1)!) };
  return { unit, ...span, ...drawn, alert: { fromUs: startsUs, toUs: endsUs ?? span.toUs } };
}

type Drawn = Pick<Curve, "timesUs" | "low" | "high" | "lower" | "upper">;

function ofReadings(p: NonNullable<ChartSeries["points"]>): Drawn {
  const of = (value: (i: number) => number) => Array.from({ length: p.length }, (_, i) => value(i));
  const values = of((i) => p.value[i]!);
  return {
    timesUs: of((i) => p.timeUs[i]!),
    ...{ low: values, high: values },
    lower: of((i) => p.expected[i]! - p.band[i]!),
    upper: of((i) => p.expected[i]! + p.band[i]!),
  };
}

function ofColumns({ grid, count, charted, smallest, largest, lowest, highest }: ChartSeries["sums"]): Drawn {
  const filled = Array.from(count.keys()).filter((c) => count[c]! > 0);
  // A band of some readings of a column only is none.
  const bound = (of: Float64Array) => filled.map((c) => (charted[c] === count[c] ? finite(of[c]!) : Number.NaN));
  return {
    timesUs: filled.map((c) => grid.startUs + (c + 0.5) * grid.widthUs),
    low: filled.map((c) => smallest[c]!),
    high: filled.map((c) => largest[c]!),
    ...{ lower: bound(lowest), upper: bound(highest) },
  };
}

function finite(bound: number): number {
  return Number.isFinite(bound) ? bound : Number.NaN;
}

/** The band is shown as far as it does not press the values flat: by so much of their height. */
const BAND_ROOM = 0.6;
const MARGIN = 0.06;

/** The lowest and the highest value that the picture has room for. */
export function valueRange({ low, high, lower, upper }: Curve): readonly [number, number] {
  const min = low.reduce((a, b) => Math.min(a, b));
  const max = high.reduce((a, b) => Math.max(a, b));
  const room = (max - min || Math.abs(max) || 1) * BAND_ROOM;
  const bottom = lower.reduce((a, b) => (Number.isNaN(b) ? a : Math.min(a, Math.max(b, min - room))), min);
  const top = upper.reduce((a, b) => (Number.isNaN(b) ? a : Math.max(a, Math.min(b, max + room))), max);
  const margin = (top - bottom || Math.abs(top) || 1) * MARGIN;
  return [bottom - margin, top + margin];
}
