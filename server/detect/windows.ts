import { GAIN, ORIGIN, SQUARE24, SUM24, SUM48, SUM96 } from "./cells.ts";

/**
 * The last 96 readings in gauge units (single precision), and rolling sums over the last 24, 48 and 96 of them, kept by adding the
 * newest and taking off the oldest. They are summed afresh each time the ring starts over, so that rounding never gathers and
 * one huge value leaves nothing behind. `w` is where the ring begins in the single-precision cells.
 */
export const RING_LENGTH = 96;

/** The gauge holds values up to this many of its units, so that squares stay within single precision. */
const GAUGE_LIMIT = 1e15;

/** A value in gauge units. */
export function gauge(d: Float64Array, o: number, value: number): number {
  return clamp((value - d[o + ORIGIN]!) * d[o + GAIN]!);
}

export function clamp(x: number): number {
  return Math.max(-GAUGE_LIMIT, Math.min(GAUGE_LIMIT, x));
}

/** Takes reading number `n` (from 0) in, `x` in gauge units. */
export function pushWindow(d: Float64Array, o: number, f: Float32Array, w: number, n: number, x: number): void {
  const at = n % RING_LENGTH;
  const old24 = n >= 24 ? ringAt(f, w, n - 24) : 0;
  const old48 = n >= 48 ? ringAt(f, w, n - 48) : 0;
  const old96 = n >= 96 ? f[w + at]! : 0;
  f[w + at] = x;
  if (at === 0 && n > 0) {
    sumAfresh(d, o, f, w, n + 1);
    return;
  }
  const kept = f[w + at]!;
  d[o + SUM24] = d[o + SUM24]! + kept - old24;
  d[o + SUM48] = d[o + SUM48]! + kept - old48;
  d[o + SUM96] = d[o + SUM96]! + kept - old96;
  d[o + SQUARE24] = d[o + SQUARE24]! + kept * kept - old24 * old24;
}

/** Reading number `i` (from 0), one of the last 96, in gauge units. */
export function ringAt(f: Float32Array, w: number, i: number): number {
  return f[w + (i % RING_LENGTH)]!;
}

/** Mean of the newest `count` of `seen` readings, in gauge units. */
export function meanOfLast(f: Float32Array, w: number, seen: number, count: number): number {
  const kept = Math.min(seen, count);
  let sum = 0;
  for (let back = 1; back <= kept; back++) sum += ringAt(f, w, seen - back);
  return sum / kept;
}

/** Sums over the newest readings of `seen`, from the ring. */
function sumAfresh(d: Float64Array, o: number, f: Float32Array, w: number, seen: number): void {
  let sum = 0;
  let square = 0;
  const kept = Math.min(seen, RING_LENGTH);
  for (let back = 1; back <= kept; back++) {
    const x = ringAt(f, w, seen - back);
    sum += x;
    square += x * x;
    if (back <= 24) {
      d[o + SUM24] = sum;
      d[o + SQUARE24] = square;
    }
    if (back <= 48) d[o + SUM48] = sum;
  }
  d[o + SUM96] = sum;
}

/** A gauge to begin with: the first value, and a thousandth of its size. */
export function firstGauge(d: Float64Array, o: number, value: number): void {
  d[o + ORIGIN] = value;
  d[o + GAIN] = gainOf(Math.abs(value) * 1e-3);
}

/** Fixes the gauge from the readings so far (the middle of their range, and its half), and turns the ring into it. */
export function setGauge(d: Float64Array, o: number, f: Float32Array, w: number, seen: number): void {
  const origin = d[o + ORIGIN]!;
  const unit = 1 / d[o + GAIN]!;
  let low = ringAt(f, w, 0);
  let high = low;
  for (let i = 1; i < seen; i++) {
    const x = ringAt(f, w, i);
    if (x < low) low = x;
    if (x > high) high = x;
  }
  const middle = origin + (low / 2 + high / 2) * unit;
  d[o + ORIGIN] = middle;
  d[o + GAIN] = gainOf(Math.max((high / 2 - low / 2) * unit, Math.abs(middle) * 1e-3));
  for (let i = 0; i < seen; i++) f[w + i] = gauge(d, o, origin + f[w + i]! * unit);
  sumAfresh(d, o, f, w, seen);
}

/** Units of nothing (a sensor that only ever said 0) are units of one. */
function gainOf(size: number): number {
  return size > 1e-290 ? Math.min(1 / size, 1e290) : 1;
}

/** Standard deviation from a sum, a sum of squares and a count. */
export function deviation(sum: number, square: number, count: number): number {
  const variance = (square - (sum * sum) / count) / count;
  return variance > 0 ? Math.sqrt(variance) : 0;
}
