import { GAIN, ORIGIN, RING, RING_LENGTH, SQUARE24, SQUARE96, SUM24, SUM48, SUM96 } from "./cells.ts";

/**
 * Rolling sums over the last 24, 48 and 96 values, kept by adding the newest and taking off the oldest. They are summed afresh
 * each time the ring starts over, so that rounding never gathers and one huge value leaves nothing behind.
 */
export function pushWindow(d: Float64Array, o: number, n: number, value: number): void {
  const origin = d[o + ORIGIN]!;
  const at = n % RING_LENGTH;
  const x = value - origin;
  if (at === 0 && n > 0) {
    d[o + RING] = value;
    sumAfresh(d, o, n + 1);
    return;
  }
  const old24 = n >= 24 ? ringAt(d, o, n - 24) - origin : 0;
  const old48 = n >= 48 ? ringAt(d, o, n - 48) - origin : 0;
  const old96 = n >= 96 ? d[o + RING + at]! - origin : 0;
  d[o + RING + at] = value;
  d[o + SUM24] = d[o + SUM24]! + x - old24;
  d[o + SUM48] = d[o + SUM48]! + x - old48;
  d[o + SUM96] = d[o + SUM96]! + x - old96;
  d[o + SQUARE24] = d[o + SQUARE24]! + x * x - old24 * old24;
  d[o + SQUARE96] = d[o + SQUARE96]! + x * x - old96 * old96;
}

/** Value of reading number `i` (from 0), one of the last 96. */
export function ringAt(d: Float64Array, o: number, i: number): number {
  return d[o + RING + (i % RING_LENGTH)]!;
}

/** Sums over the newest readings of `seen`, from the ring. */
export function sumAfresh(d: Float64Array, o: number, seen: number): void {
  const origin = d[o + ORIGIN]!;
  let sum = 0;
  let square = 0;
  const kept = Math.min(seen, RING_LENGTH);
  for (let back = 1; back <= kept; back++) {
    const x = ringAt(d, o, seen - back) - origin;
    sum += x;
    square += x * x;
    if (back <= 24) {
      d[o + SUM24] = sum;
      d[o + SQUARE24] = square;
    }
    if (back <= 48) d[o + SUM48] = sum;
  }
  d[o + SUM96] = sum;
  d[o + SQUARE96] = square;
}

/** Fixes the gauge from the readings so far: the middle of their range, and a power of two near its size. */
export function setGauge(d: Float64Array, o: number, seen: number): void {
  let low = ringAt(d, o, 0);
  let high = low;
  for (let i = 1; i < seen; i++) {
    const v = ringAt(d, o, i);
    if (v < low) low = v;
    if (v > high) high = v;
  }
  const middle = low / 2 + high / 2;
  const size = Math.max(high / 2 - low / 2, Math.abs(middle) * 1e-3);
  d[o + ORIGIN] = middle;
  d[o + GAIN] = size > 1e-290 ? Math.min(1 / size, 1e290) : 1;
}

/** Mean of the newest `count` of `seen` readings. */
export function meanOfLast(d: Float64Array, o: number, seen: number, count: number): number {
  const kept = Math.min(seen, count);
  const origin = d[o + ORIGIN]!;
  let sum = 0;
  for (let back = 1; back <= kept; back++) sum += ringAt(d, o, seen - back) - origin;
  return origin + sum / kept;
}
