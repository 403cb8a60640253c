/**
 * Extremes: is a feature outside the range that it has kept so far, and how rare is that? Per feature a running range that shrinks
 * slowly toward a slow mean, and for blocks of 50, 100, 200 and 400 readings the mean and variance of the blocks' extremes. The
 * excess is measured by the scatter of the block extremes (a Gumbel tail), to which the range is a prior. The raw score is linear in
 * the feature between two block ends, so a reading costs a few comparisons.
 *
 * The extremes of all features lie side by side, field by field: `at` is the address of the first field of one of them.
 */
import {
  SENSOR_EXTREME_CENTRE_DOWN,
  SENSOR_EXTREME_CENTRE_UP,
  SENSOR_EXTREME_HIGH,
  SENSOR_EXTREME_HIGHEST50,
  SENSOR_EXTREME_LOW,
  SENSOR_EXTREME_LOWEST50,
  SENSOR_EXTREME_SLOPE_DOWN,
  SENSOR_EXTREME_SLOPE_UP,
  SENSOR_EXTREME_SLOW,
  Sensor,
} from "./layout";
import { get, getPair, set, setPair } from "./numbers";
import { features } from "./state";

/** The shortest block. */
export const BLOCK: i32 = 50;
const BLOCKS: i32 = 4;
/** Expected value and deviation of a standard Gumbel variable relate to mean and deviation of its extremes by these. */
const EULER: f64 = 0.5772;
const GUMBEL: f64 = 0.7797;
const LN2: f64 = 0.6931471805599453;
/** The range shrinks by this share toward the slow mean with each reading. */
const SHRINK: f64 = 1e-4;
/** Weight (in blocks) and size (in ranges) of the prior for the deviation of block extremes. */
const PRIOR_WEIGHT: f64 = 3;
const PRIOR_SIZE: f64 = 0.3;
/** A range is a prior as far as so many times what a long block spans. */
const MOST_RANGES: f64 = 2.5;
/** A feature is outside from this share of the range beyond it. */
const MARGIN: f64 = 0.005;
/** From this raw score on a value is rare even within the range: one excursion long ago made it so wide. */
const RARE_WITHIN: f64 = 1.5;

/** Bytes from one field to the next, and from a block length's first field to that of the next. */
const FIELD: usize = SENSOR_EXTREME_HIGH - SENSOR_EXTREME_LOW;
const PER_BLOCK: usize = 6 * FIELD;
/** Fields, counted from the extreme's first one. */
const LOW: usize = 0;
const HIGH: usize = SENSOR_EXTREME_HIGH - SENSOR_EXTREME_LOW;
const SLOW: usize = SENSOR_EXTREME_SLOW - SENSOR_EXTREME_LOW;
const SLOPE_UP: usize = SENSOR_EXTREME_SLOPE_UP - SENSOR_EXTREME_LOW;
const CENTRE_UP: usize = SENSOR_EXTREME_CENTRE_UP - SENSOR_EXTREME_LOW;
const SLOPE_DOWN: usize = SENSOR_EXTREME_SLOPE_DOWN - SENSOR_EXTREME_LOW;
const CENTRE_DOWN: usize = SENSOR_EXTREME_CENTRE_DOWN - SENSOR_EXTREME_LOW;
const FIRST_BLOCK: usize = SENSOR_EXTREME_HIGHEST50 - SENSOR_EXTREME_LOW;
const LOWEST: usize = SENSOR_EXTREME_LOWEST50 - SENSOR_EXTREME_HIGHEST50;
/** Of a block length: mean and variance of the highest and of the lowest values. */
const HIGH_MEAN: usize = 2 * FIELD;
const HIGH_VARIANCE: usize = 3 * FIELD;
const LOW_MEAN: usize = 4 * FIELD;
const LOW_VARIANCE: usize = 5 * FIELD;

/** Address of the extremes number `k` of a sensor. */
export function extremeOf(s: Sensor, k: i32): usize {
  return changetype<usize>(s) + SENSOR_EXTREME_LOW + ((<usize>k) << 2);
}

/** Starts the extremes at the feature's first value. */
export function startExtreme(at: usize, x: f64): void {
  for (let field = SLOW + FIELD; field < FIRST_BLOCK + <usize>BLOCKS * PER_BLOCK; field += FIELD) set(at + field, 0);
  set(at + LOW, x);
  set(at + HIGH, x);
  set(at + SLOW, x);
  for (let b = 0; b < BLOCKS; b++) {
    const block = at + FIRST_BLOCK + <usize>b * PER_BLOCK;
    set(block, x);
    set(block + LOWEST, x);
  }
}

/** Starts the extremes as if all blocks had been as high as x. */
export function startExtremeHigh(at: usize, x: f64): void {
  startExtreme(at, x);
  set(at + LOW, 0);
  for (let b = 0; b < BLOCKS; b++) {
    const block = at + FIRST_BLOCK + <usize>b * PER_BLOCK;
    set(block + HIGH_MEAN, x);
  }
}

/** Raw score of x before it is learnt: 0 inside the range, else its height in Gumbel units. */
export function scoreBothSides(at: usize, x: f64): f64 {
  const low = get(at + LOW);
  const high = get(at + HIGH);
  if (x >= low && x <= high) return 0;
  const margin = MARGIN * (high - low);
  if (x > high + margin) return max<f64>(get(at + SLOPE_UP) * (x - get(at + CENTRE_UP)), 0);
  if (x < low - margin) return max<f64>(get(at + SLOPE_DOWN) * (get(at + CENTRE_DOWN) - x), 0);
  return 0;
}

/** Whether x is within the range. */
export function holds(at: usize, x: f64): bool {
  return x >= get(at + LOW) && x <= get(at + HIGH);
}

/** Whether x is above the range. */
export function isAbove(at: usize, x: f64): bool {
  return x > get(at + HIGH);
}

/** Raw score of a feature of which only large values are strange. */
export function scoreAbove(at: usize, x: f64): f64 {
  const high = get(at + HIGH);
  if (x <= high + MARGIN * (high - get(at + LOW))) return 0;
  return max<f64>(get(at + SLOPE_UP) * (x - get(at + CENTRE_UP)), 0);
}

/** The same of a feature that is judged by its blocks alone where few of them hold a value as large, be it within the range or not. */
export function scoreLarge(at: usize, x: f64): f64 {
  const score = get(at + SLOPE_UP) * (x - get(at + CENTRE_UP));
  return score >= RARE_WITHIN ? score : scoreAbove(at, x);
}

/** x, or the value of that raw score (and no less than the slow mean) where x is higher. */
export function withinScore(at: usize, x: f64, score: f64): f64 {
  return min<f64>(x, max<f64>(get(at + CENTRE_UP) + score / get(at + SLOPE_UP), get(at + SLOW)));
}

/** Whether the first `count` features (an even number) are all within their ranges. */
export function allWithin(s: Sensor, count: i32): bool {
  const low = extremeOf(s, 0) + LOW;
  const high = extremeOf(s, 0) + HIGH;
  let within = i64x2.splat(-1);
  for (let k = 0; k < count; k += 2) {
    const x = v128.load(features + ((<usize>k) << 3));
    within = v128.and(within, f64x2.ge(x, getPair(low + ((<usize>k) << 2))));
    within = v128.and(within, f64x2.le(x, getPair(high + ((<usize>k) << 2))));
  }
  return i64x2.all_true(within);
}

/** How far beyond the range x lies, in ranges of at least `least`. */
export function exceedance(at: usize, x: f64, least: f64): f64 {
  const low = get(at + LOW);
  const high = get(at + HIGH);
  const range = max<f64>(high - low, least);
  return x > high ? (x - high) / range : x < low ? (low - x) / range : 0;
}

/** The x at which the raw score reaches `threshold`; Infinity before the first two blocks. */
export function valueAtThreshold(at: usize, threshold: f64): f64 {
  const slope = get(at + SLOPE_UP);
  if (slope === 0) return Infinity;
  const x = get(at + CENTRE_UP) + threshold / slope;
  return max<f64>(x, get(at + HIGH));
}

/** The least and the largest value within the range. */
export function rangeBottom(at: usize): f64 {
  return get(at + LOW);
}
export function rangeTop(at: usize): f64 {
  return get(at + HIGH);
}

/** x, or the end of the range that it is beyond. */
export function withinRange(at: usize, x: f64): f64 {
  return max<f64>(get(at + LOW), min<f64>(get(at + HIGH), x));
}

/** Takes x into range, slow mean and current block. `rate` is the slow mean's. */
export function updateExtreme(at: usize, x: f64, rate: f64): void {
  const before = get(at + SLOW);
  const slow = before + rate * (x - before);
  set(at + SLOW, slow);
  const low = get(at + LOW);
  const high = get(at + HIGH);
  set(at + LOW, min<f64>(x, low + SHRINK * (slow - low)));
  set(at + HIGH, max<f64>(x, high + SHRINK * (slow - high)));
  const block = at + FIRST_BLOCK;
  if (x > get(block)) set(block, x);
  if (x < get(block + LOWEST)) set(block + LOWEST, x);
}

/** The same for the first `count` features (an even number), two at a time, with the values at `from`. */
export function updateExtremes(s: Sensor, count: i32, from: usize, rate: f64): void {
  const rates = f64x2.splat(rate);
  const shrink = f64x2.splat(SHRINK);
  for (let k = 0; k < count; k += 2) {
    const at = extremeOf(s, k);
    const x = v128.load(from + ((<usize>k) << 3));
    const before = getPair(at + SLOW);
    const slow = f64x2.add(before, f64x2.mul(rates, f64x2.sub(x, before)));
    setPair(at + SLOW, slow);
    const low = getPair(at + LOW);
    const high = getPair(at + HIGH);
    setPair(at + LOW, f64x2.min(x, f64x2.add(low, f64x2.mul(shrink, f64x2.sub(slow, low)))));
    setPair(at + HIGH, f64x2.max(x, f64x2.add(high, f64x2.mul(shrink, f64x2.sub(slow, high)))));
    const block = at + FIRST_BLOCK;
    const highest = getPair(block);
    const lowest = getPair(block + LOWEST);
    setPair(block, v128.bitselect(x, highest, f64x2.gt(x, highest)));
    setPair(block + LOWEST, v128.bitselect(x, lowest, f64x2.lt(x, lowest)));
  }
}

/**
 * Closes the blocks that end with reading number `seen` (a multiple of BLOCK) and renews the calibration. `least` is the least
 * deviation that block extremes are taken to have.
 */
export function closeBlocks(at: usize, seen: f64, least: f64, shortest: f64): void {
  let length = shortest;
  for (let b = 0; b < BLOCKS; b++, length *= 2) {
    const block = at + FIRST_BLOCK + <usize>b * PER_BLOCK;
    const blocks = seen / length;
    if (blocks !== floor(blocks)) break;
    if (b + 1 < BLOCKS) raise(block, block + PER_BLOCK);
    const rate = blocks > 100 ? 0.01 : 1 / blocks;
    // A block that was all incident has not been learnt from.
    if (get(block) >= get(block + LOWEST)) {
      updateMoments(block + HIGH_MEAN, get(block), rate);
      updateMoments(block + LOW_MEAN, get(block + LOWEST), rate);
    }
    set(block, -3e38);
    set(block + LOWEST, 3e38);
  }
  calibrate(at, seen, least, shortest);
}

/**
 * Doubles the lengths of the blocks: each takes the moments of the one twice as long, and the longest those that a Gumbel distribution
 * gives it. To be called where the longest block has just closed.
 */
export function lengthenBlocks(at: usize): void {
  for (let b = 0; b + 1 < BLOCKS; b++) {
    const block = at + FIRST_BLOCK + <usize>b * PER_BLOCK;
    for (let field = HIGH_MEAN; field < PER_BLOCK; field += FIELD) set(block + field, get(block + PER_BLOCK + field));
  }
  const longest = at + FIRST_BLOCK + <usize>(BLOCKS - 1) * PER_BLOCK;
  set(longest + HIGH_MEAN, get(longest + HIGH_MEAN) + LN2 * GUMBEL * sqrt(get(longest + HIGH_VARIANCE)));
  set(longest + LOW_MEAN, get(longest + LOW_MEAN) - LN2 * GUMBEL * sqrt(get(longest + LOW_VARIANCE)));
}

/** Renews the calibration from the blocks that ended with reading number `seen` or before. */
export function calibrate(at: usize, seen: f64, least: f64, shortest: f64): void {
  const range = typicalRange(at, seen, shortest);
  const prior = PRIOR_WEIGHT * PRIOR_SIZE * PRIOR_SIZE * range * range;
  let slopeUp: f64 = 0;
  let offsetUp: f64 = 0;
  let slopeDown: f64 = 0;
  let offsetDown: f64 = 0;
  let used: f64 = 0;
  let length = shortest;
  for (let b = 0; b < BLOCKS; b++, length *= 2) {
    const blocks = floor(seen / length);
    if (blocks < 2) break;
    const block = at + FIRST_BLOCK + <usize>b * PER_BLOCK;
    const weight = min<f64>(blocks, 100);
    const up = byScatter(get(block + HIGH_VARIANCE), weight, prior, least);
    const down = byScatter(get(block + LOW_VARIANCE), weight, prior, least);
    slopeUp += up;
    offsetUp += EULER - get(block + HIGH_MEAN) * up;
    slopeDown += down;
    offsetDown += EULER + get(block + LOW_MEAN) * down;
    used++;
  }
  if (used === 0) return;
  set(at + SLOPE_UP, slopeUp / used);
  set(at + CENTRE_UP, -offsetUp / slopeUp);
  set(at + SLOPE_DOWN, slopeDown / used);
  set(at + CENTRE_DOWN, offsetDown / slopeDown);
}

/**
 * The range that is a prior to the scatter: what was kept so far, but at most so many times what a long block holds, so that one large
 * excursion long ago does not hide smaller ones for good.
 */
function typicalRange(at: usize, seen: f64, shortest: f64): f64 {
  const range = get(at + HIGH) - get(at + LOW);
  let typical = range;
  let length = shortest;
  for (let b = 0; b < BLOCKS && floor(seen / length) >= 2; b++, length *= 2) {
    const block = at + FIRST_BLOCK + <usize>b * PER_BLOCK;
    typical = MOST_RANGES * (get(block + HIGH_MEAN) - get(block + LOW_MEAN));
  }
  return min<f64>(range, typical);
}

/** Raw score per unit of the feature by the scatter of the block extremes. */
function byScatter(variance: f64, weight: f64, prior: f64, least: f64): f64 {
  return 1 / (GUMBEL * sqrt((weight * variance + prior) / (weight + PRIOR_WEIGHT)) + least);
}

/** Extremes of a block flow into the longer block around it. */
function raise(from: usize, to: usize): void {
  if (get(from) > get(to)) set(to, get(from));
  if (get(from + LOWEST) < get(to + LOWEST)) set(to + LOWEST, get(from + LOWEST));
}

/** Takes the extreme of a block into the mean at `at` and the variance behind it. */
function updateMoments(at: usize, x: f64, rate: f64): void {
  const delta = x - get(at);
  set(at, get(at) + rate * delta);
  set(at + FIELD, (1 - rate) * (get(at + FIELD) + rate * delta * delta));
}
