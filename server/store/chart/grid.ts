/** Columns of a chart: how wide they are, and where they begin. */
import { DAY_US, HOUR_US, MINUTE_US } from "../../lib/time.ts";

const MILLISECOND_US = 1_000;
const SECOND_US = 1_000_000;
/** Of what is wider than half a day, in days: enough for every range of times that there are. */
const DECADES_OF_DAYS = 7;

/**
 * Widths of columns in microseconds, rising. Those up to a day divide it, so that columns can be put together of stored aggregates; each is at most
 * two and a half times the one before, so that a chart has at least two fifths of the columns that it has room for.
 */
export const LADDER_US: readonly number[] = Object.freeze([
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((n) => n * MILLISECOND_US),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND_US),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE_US),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR_US),
  ...Array.from({ length: DECADES_OF_DAYS }, (_, k) => [1, 2, 5].map((n) => n * 10 ** k * DAY_US)).flat(),
]);

/** Columns of one width from a multiple of it since 1970 on, in microseconds. */
export interface Grid {
  readonly widthUs: number;
  readonly startUs: number;
  /** Columns. */
  readonly count: number;
}

/**
 * The narrowest columns of which at most `columns` fit into [fromUs, toUs), and at least `leastUs` wide: those that the range touches, at most one more
 * than `columns`. The width depends on the length of the range alone, and not on where it lies.
 */
export function gridOf(range: { fromUs: number; toUs: number; columns: number }, leastUs = 0): Grid {
  const { fromUs, toUs, columns } = range;
  const widthUs =
    LADDER_US.find((width) => width >= leastUs && (toUs - fromUs) / width <= columns) ?? LADDER_US.at(-1)!;
  const first = Math.floor(fromUs / widthUs);
  return { widthUs, startUs: first * widthUs, count: Math.ceil(toUs / widthUs) - first };
}

/** The end of the last column. */
export function endOf({ startUs, widthUs, count }: Grid): number {
  return startUs + count * widthUs;
}
