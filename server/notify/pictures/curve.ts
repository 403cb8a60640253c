/** What a picture of an alert shows: a sensor's values and the band around it in the time around the alert. Pure. */
import { spanAround } from "../../../formats/chart-frame.ts";
import type { ChartSeries } from "../../store/chart/charts.ts";
import type { NotifiedAlert } from "../message.ts";

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

/** @param earlierUs when the reading READINGS_BEFORE before it was observed; undefined: there is none */
export function spanAroundAlert(
  { startsUs, endsUs }: Pick<NotifiedAlert, "startsUs" | "endsUs">,
  earlierUs: number | undefined,
  nowUs: number,
): Span {
  const nowMs = nowUs / 1_000;
  const endedMs = endsUs === undefined ? nowMs : endsUs / 1_000;
  const earlierMs = earlierUs === undefined ? undefined : earlierUs / 1_000;
  const { fromMs, toMs } = spanAround({ openedMs: startsUs / 1_000, endedMs, earlierMs, nowMs });
  return { fromUs: Math.floor(fromMs * 1_000), toUs: Math.ceil(toMs * 1_000) };
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
