import { patternDistance, point } from "./boxes.ts";
import * as cell from "./cells.ts";
import { ln } from "./math.ts";
import { RECORD_FLOATS, rangeTop } from "./records.ts";
import { roughened } from "./roughness.ts";
import { seasonAt } from "./season.ts";
import { clamp, deviation, gauge, meanOfLast } from "./windows.ts";

/** Smoothing of the seasonal residual: over about 12 and about 120 readings. */
const SEASON_RATE = 2 / 13;
const SEASON_LONG_RATE = 2 / 121;
/** Smoothing of the forecaster's errors: over about 24. No error counts as more than this share of the largest that is normal. */
const SCATTER_RATE = 2 / 25;
const SCATTER_SHARE = 0.7;
/** Until this reading the scatter is a plain mean. */
const SCATTER_EARLY = 50;
/** Readings before patterns speak. */
const PATTERN_READINGS = 100;

/**
 * Fills `x` with the features of the newest reading, but for the pattern; `seen` counts it. `expected` is the forecast, `first`
 * the number of the sensor's first judged reading.
 */
export function senseFeatures(
  x: Float64Array,
  d: Float64Array,
  o: number,
  f: Float32Array,
  p: number,
  seen: number,
  first: number,
  time: number,
  value: number,
  expected: number,
): void {
  const scaled = gauge(d, o, value);
  x[cell.VALUE] = scaled;
  x[cell.MEAN24] = d[o + cell.SUM24]! / Math.min(seen, 24);
  x[cell.MEAN96] = d[o + cell.SUM96]! / Math.min(seen, 96);
  const residual = seen > first ? scaled - seasonAt(f, p + cell.SEASONS, time) : 0;
  d[o + cell.SEASON_MEAN] = d[o + cell.SEASON_MEAN]! + (residual - d[o + cell.SEASON_MEAN]!) * SEASON_RATE;
  d[o + cell.SEASON_SLOW] = d[o + cell.SEASON_SLOW]! + (residual - d[o + cell.SEASON_SLOW]!) * SEASON_LONG_RATE;
  x[cell.SEASON] = d[o + cell.SEASON_MEAN]!;
  x[cell.SEASON_LONG] = d[o + cell.SEASON_SLOW]!;
  const error = roughened(f, p + cell.ROUGHNESS, time, clamp(Math.abs(value - expected) * d[o + cell.GAIN]!));
  x[cell.RESIDUAL] = error;
  x[cell.SCATTER] = scatter(d, o, f, p, seen, first, error);
  d[o + cell.RUN] = value === d[o + cell.LAST_VALUE]! ? d[o + cell.RUN]! + 1 : 0;
  x[cell.STUCK] = ln(1 + d[o + cell.RUN]!);
  x[cell.PATTERN] = 0;
}

/** Mean size of the forecaster's errors of late: one large error raises it no further than a normal one, many do. */
function scatter(
  d: Float64Array,
  o: number,
  f: Float32Array,
  p: number,
  seen: number,
  first: number,
  error: number,
): number {
  const before = d[o + cell.SCATTER_MEAN]!;
  const early = seen < SCATTER_EARLY;
  const bounded = early ? error : Math.min(error, SCATTER_SHARE * rangeTop(f, p + cell.RESIDUAL * RECORD_FLOATS));
  const rate = early ? 1 / (seen - first + 2) : SCATTER_RATE;
  d[o + cell.SCATTER_MEAN] = before + (bounded - before) * rate;
  return d[o + cell.SCATTER_MEAN]!;
}

/** Fills in how far the course is from all patterns seen, and learns it unless `frozen`. `n` readings came before. */
export function sensePattern(
  x: Float64Array,
  d: Float64Array,
  o: number,
  f: Float32Array,
  p: number,
  n: number,
  frozen: boolean,
): void {
  const spread = deviation(d[o + cell.SUM24]!, d[o + cell.SQUARE24]!, Math.min(n + 1, 24));
  point[0] = Math.fround(x[cell.VALUE]!);
  point[1] = Math.fround(meanOfLast(f, p + cell.RING, n + 1, 6) - d[o + cell.SUM48]! / Math.min(n + 1, 48));
  point[2] = Math.fround(ln(spread + 1e-4));
  const apart = patternDistance(f, p + cell.PATTERNS, n, frozen);
  x[cell.PATTERN] = n < PATTERN_READINGS ? 0 : apart;
}
