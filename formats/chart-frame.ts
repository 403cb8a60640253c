/** What a chart of a sensor shows of time and values: one rule for the console and for pictures in messages. */

/** Readings before an alert that are worth seeing. */
export const READINGS_BEFORE = 150;
const LEAST_BEFORE_MS = 30_000;
/** Where it is not known how densely the sensor sends. */
const BEFORE_MS = 3_600_000;

/** Times of an alert, in milliseconds of one clock. */
export interface AlertTimes {
  readonly openedMs: number;
  /** When it was seen last, or ended. */
  readonly endedMs: number;
  /** When the reading READINGS_BEFORE before it was observed; undefined: it is not known. */
  readonly earlierMs: number | undefined;
  /** Nothing is there behind it; absent: nobody knows. */
  readonly nowMs?: number;
}

/** The stretch of time around an alert that shows how it came and how it went. */
export function spanAround({ openedMs, endedMs, earlierMs, nowMs = Number.POSITIVE_INFINITY }: AlertTimes): {
  readonly fromMs: number;
  readonly toMs: number;
} {
  const untilMs = Math.max(openedMs, endedMs);
  const beforeMs = Math.max(
    LEAST_BEFORE_MS,
    earlierMs === undefined ? BEFORE_MS : openedMs - earlierMs,
    (untilMs - openedMs) / 3,
  );
  return { fromMs: openedMs - beforeMs, toMs: untilMs + Math.max(0, Math.min(nowMs - untilMs, beforeMs / 3)) };
}

/** null and NaN: there is none. */
type Figures = readonly (number | null)[];

const isFigure = (value: number | null): value is number => value !== null && !Number.isNaN(value);

/** The band is shown as far as it does not press the values flat: by so much of their height. */
const BAND_ROOM = 0.6;
const MARGIN = 0.06;

/** The values axis: all values, and the band as far as there is room for it. */
export function valueRange({
  low,
  high,
  lower,
  upper,
}: {
  readonly low: Figures;
  readonly high: Figures;
  /** Of the band. */
  readonly lower: Figures;
  readonly upper: Figures;
}): [number, number] {
  const values = [...low, ...high].filter(isFigure);
  if (values.length === 0) return [0, 1];
  const min = values.reduce((a, b) => Math.min(a, b));
  const max = values.reduce((a, b) => Math.max(a, b));
  const room = (max - min || Math.abs(max) || 1) * BAND_ROOM;
  const bottom = lower.filter(isFigure).reduce((a, b) => Math.min(a, Math.max(b, min - room)), min);
  const top = upper.filter(isFigure).reduce((a, b) => Math.max(a, Math.min(b, max + room)), max);
  const margin = (top - bottom || Math.abs(top) || 1) * MARGIN;
  return [bottom - margin, top + margin];
}

/** Where nothing came for so many times the usual pause, the line breaks. */
const GAP = 8;

/** Indexes of the points behind which it breaks. `columnWidth`: of columns, in the unit of the times; 0: these are readings. */
export function breaksIn(times: readonly number[], columnWidth = 0): Set<number> {
  const steps = times.slice(1).map((time, i) => time - times[i]!);
  const usual = [...steps].sort((a, b) => a - b)[Math.floor((steps.length - 1) / 2)] ?? 0;
  const most = Math.max(usual, columnWidth) * GAP;
  return new Set(steps.flatMap((step, i) => (step > most ? [i] : [])));
}
