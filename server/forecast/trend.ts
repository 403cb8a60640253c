/**
 * A course unlike all before: a line through the newest values that leads out of all earlier ones, more steeply than any line through as
 * many of them. What a sensor has done before, such as a tank that is filled and emptied, is none.
 */

export interface Trend {
  /** At the newest value, and by how much it changes to the next. */
  readonly level: number;
  readonly slope: number;
  /** Deviation of what comes so many values later from the line. */
  readonly deviation: (later: number) => number;
}

/** Values that a line is drawn through. */
const WINDOWS = [5, 8, 12, 18, 26];
/** Share of them that must be there. */
const PRESENT = 0.75;
/** A slope is so many times its standard error, and so many times the steepest one before, where it is a trend's. */
const LEAST_SIGNIFICANCE = 5;
const STEEPER = 1.1;
/** Lines before it that it is compared with, at least. */
const LEAST_LINES = 24;
/** How far off the slope of a course that goes on may be, as a share of it. */
const SLOPE_DOUBT = 0.25;

interface Line {
  readonly level: number;
  readonly slope: number;
  readonly residual: number;
  readonly slopeError: number;
}

/** Rising where `sign` is 1, falling where it is -1. Values at equal distances, NaN where there is none, the newest last. */
export function trendOf(values: ArrayLike<number>, sign: number): Trend | undefined {
  let found: { line: Line; window: number; significance: number } | undefined;
  for (const window of WINDOWS) {
    const line = lineThrough(values, values.length, window);
    if (line === undefined) continue;
    const significance = (sign * line.slope) / line.slopeError;
    if (!(significance >= LEAST_SIGNIFICANCE)) continue;
    if (found !== undefined && significance < found.significance) continue;
    if (!isNew(values, window, sign, line.level)) continue;
    if (isSteepest(values, window, sign, line.slope)) found = { line, window, significance };
  }
  if (found === undefined) return undefined;
  const { line, window } = found;
  const usual = scatterOf(values, values.length - window);
  return {
    level: line.level,
    slope: line.slope,
    deviation: (later) =>
      Math.hypot(
        Math.max(line.residual, usual),
        (later + window / 2) * line.slopeError,
        SLOPE_DOUBT * line.slope * later,
      ),
  };
}

function isSteepest(values: ArrayLike<number>, window: number, sign: number, slope: number): boolean {
  let lines = 0;
  for (let end = window; end <= values.length - window; end++) {
    const before = lineThrough(values, end, window);
    if (before === undefined) continue;
    if (STEEPER * sign * before.slope > sign * slope) return false;
    lines++;
  }
  return lines >= LEAST_LINES;
}

/** By least squares through the `window` values before `end`. */
function lineThrough(values: ArrayLike<number>, end: number, window: number): Line | undefined {
  if (end < window) return undefined;
  let n = 0;
  let sumX = 0;
  let sumY = 0;
  let sumXX = 0;
  let sumXY = 0;
  let sumYY = 0;
  const origin = values[end - 1]!;
  if (Number.isNaN(origin)) return undefined;
  for (let k = 1 - window; k <= 0; k++) {
    const y = values[end - 1 + k]! - origin;
    if (Number.isNaN(y)) continue;
    n++;
    sumX += k;
    sumY += y;
    sumXX += k * k;
    sumXY += k * y;
    sumYY += y * y;
  }
  if (n < Math.max(4, PRESENT * window)) return undefined;
  const xx = sumXX - (sumX * sumX) / n;
  const xy = sumXY - (sumX * sumY) / n;
  const yy = sumYY - (sumY * sumY) / n;
  const slope = xy / xx;
  const residual = Math.sqrt(Math.max(0, yy - slope * xy) / (n - 2));
  return { level: origin + (sumY - slope * sumX) / n, slope, residual, slopeError: residual / Math.sqrt(xx) };
}

/** Standard deviation of the values before `end`. */
function scatterOf(values: ArrayLike<number>, end: number): number {
  let n = 0;
  let mean = 0;
  let squares = 0;
  for (let k = 0; k < end; k++) {
    const value = values[k]!;
    if (Number.isNaN(value)) continue;
    n++;
    const off = value - mean;
    mean += off / n;
    squares += off * (value - mean);
  }
  return n < 2 ? 0 : Math.sqrt(squares / (n - 1));
}

/** Whether the level is beyond all values before the window. */
function isNew(values: ArrayLike<number>, window: number, sign: number, level: number): boolean {
  for (let k = 0; k < values.length - window; k++) if (sign * values[k]! > sign * level) return false;
  return true;
}
