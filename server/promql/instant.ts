/** Functions of single values. */
import { DATE_PARTS } from "./signatures.ts";

const DEGREES = 180 / Math.PI;

const DATES: Readonly<Record<string, (date: Date) => number>> = {
  minute: (date) => date.getUTCMinutes(),
  hour: (date) => date.getUTCHours(),
  day_of_week: (date) => date.getUTCDay(),
  day_of_month: (date) => date.getUTCDate(),
  day_of_year: (date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1,
  days_in_month: (date) => new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate(),
  month: (date) => date.getUTCMonth() + 1,
  year: (date) => date.getUTCFullYear(),
};

export const OF_VALUE: ReadonlyMap<string, (value: number) => number> = new Map<string, (value: number) => number>([
  ...(["abs", "ceil", "floor", "exp", "log2", "log10", "sqrt"] as const).map((name) => [name, Math[name]] as const),
  ...(["sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"] as const).map(
    (name) => [name, Math[name]] as const,
  ),
  ["ln", Math.log],
  ["sgn", Math.sign],
  ["deg", (value) => value * DEGREES],
  ["rad", (value) => value / DEGREES],
  ...DATE_PARTS.map(
    (name) => [name, (seconds: number) => DATES[name]!(new Date(Math.trunc(seconds) * 1_000))] as const,
  ),
]);

/** To a multiple of `to`, halves upwards. */
export function round(value: number, to: number): number {
  // Of the inverse, so that multiples of 0.1 are as exact as they can be.
  const inverse = 1 / to;
  return Math.floor(value * inverse + 0.5) / inverse;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}
