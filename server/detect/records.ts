/**
 * Records: is a feature outside the range that it has kept so far, and how rare is that? Per feature a running range that shrinks
 * slowly toward a slow mean, and for blocks of 50, 100, 200 and 400 readings the mean and variance of the block extremes. Two
 * rulers measure the excess, and their mean counts: the scatter of the block extremes (a Gumbel tail), and the range itself. The
 * first is exact where a sensor goes on as it began, the second holds where it does not. The surprise is linear in the feature
 * between two block ends, so a reading costs a few comparisons.
 */
export const BLOCK = 50;
const BLOCKS = 4;
/** Expected value and deviation of a standard Gumbel variable relate to mean and deviation of its extremes by these. */
const EULER = 0.5772;
const GUMBEL = 0.7797;
/** The range shrinks by this share toward the slow mean with each reading. */
const SHRINK = 1e-4;
/** Weight (in blocks) and size (in ranges) of the prior for the deviation of block extremes. */
const PRIOR_WEIGHT = 3;
const PRIOR_SIZE = 0.3;
/** A record counts from this share of the range beyond it. */
const MARGIN = 0.005;

const LOW = 0;
const HIGH = 1;
const SLOW = 2;
const SLOPE_UP = 3;
const CENTRE_UP = 4;
const SLOPE_DOWN = 5;
const CENTRE_DOWN = 6;
/** For each block length: extreme so far (max, min), mean and variance of the maxima, of the minima. */
const FIRST_BLOCK = 7;
const PER_BLOCK = 6;
export const RECORD_FLOATS = FIRST_BLOCK + BLOCKS * PER_BLOCK;

/** Starts a feature's record at its first value. */
export function startRecord(f: Float32Array, o: number, x: number): void {
  f[o + LOW] = x;
  f[o + HIGH] = x;
  f[o + SLOW] = x;
  f[o + SLOPE_UP] = 0;
  f[o + SLOPE_DOWN] = 0;
  f[o + CENTRE_UP] = 0;
  f[o + CENTRE_DOWN] = 0;
  for (let b = 0; b < BLOCKS; b++) resetExtremes(f, o + FIRST_BLOCK + b * PER_BLOCK, x);
}

/** Surprise of x before it is learnt: 0 inside the range, else its height in Gumbel units. */
export function recordSurprise(f: Float32Array, o: number, x: number): number {
  const low = f[o + LOW]!;
  const high = f[o + HIGH]!;
  if (x >= low && x <= high) return 0;
  const margin = MARGIN * (high - low);
  if (x > high + margin) return positive(f[o + SLOPE_UP]! * (x - f[o + CENTRE_UP]!));
  if (x < low - margin) return positive(f[o + SLOPE_DOWN]! * (f[o + CENTRE_DOWN]! - x));
  return 0;
}

/** As recordSurprise for a feature of which only large values are strange. */
export function recordSurpriseAbove(f: Float32Array, o: number, x: number): number {
  const high = f[o + HIGH]!;
  if (x <= high + MARGIN * (high - f[o + LOW]!)) return 0;
  return positive(f[o + SLOPE_UP]! * (x - f[o + CENTRE_UP]!));
}

/** How far beyond the range x lies, in ranges. */
export function exceedance(f: Float32Array, o: number, x: number, floor: number): number {
  const low = f[o + LOW]!;
  const high = f[o + HIGH]!;
  const range = Math.max(high - low, floor);
  return x > high ? (x - high) / range : x < low ? (low - x) / range : 0;
}

/** The x at which surprise reaches `bar`; Infinity before the first two blocks. */
export function recordAt(f: Float32Array, o: number, bar: number): number {
  const slope = f[o + SLOPE_UP]!;
  if (slope === 0) return Number.POSITIVE_INFINITY;
  const x = f[o + CENTRE_UP]! + bar / slope;
  return Math.max(x, f[o + HIGH]!);
}

/** The largest value within the range. */
export function rangeTop(f: Float32Array, o: number): number {
  return f[o + HIGH]!;
}

/** Takes x into range, slow mean and current block. `rate` is the slow mean's. */
export function learnRecord(f: Float32Array, o: number, x: number, rate: number): void {
  const slow = f[o + SLOW]! + rate * (x - f[o + SLOW]!);
  f[o + SLOW] = slow;
  const low = f[o + LOW]! + SHRINK * (slow - f[o + LOW]!);
  const high = f[o + HIGH]! + SHRINK * (slow - f[o + HIGH]!);
  f[o + LOW] = Math.min(x, low);
  f[o + HIGH] = Math.max(x, high);
  const b = o + FIRST_BLOCK;
  if (x > f[b]!) f[b] = x;
  if (x < f[b + 1]!) f[b + 1] = x;
}

/**
 * Closes the blocks that end with reading number `seen` (a multiple of BLOCK) and renews the calibration. `floor` is the least
 * deviation that block extremes are taken to have.
 */
export function closeBlocks(f: Float32Array, o: number, seen: number, floor: number): void {
  let length = BLOCK;
  for (let b = 0; b < BLOCKS; b++, length *= 2) {
    const at = o + FIRST_BLOCK + b * PER_BLOCK;
    const blocks = seen / length;
    if (blocks !== Math.floor(blocks)) break;
    if (b + 1 < BLOCKS) raise(f, at, at + PER_BLOCK);
    const rate = blocks > 100 ? 0.01 : 1 / blocks;
    // A block that was all incident has taught nothing.
    if (f[at]! >= f[at + 1]!) {
      moments(f, at + 2, f[at]!, rate);
      moments(f, at + 4, f[at + 1]!, rate);
    }
    f[at] = -3e38;
    f[at + 1] = 3e38;
  }
  calibrate(f, o, seen, floor);
}

function calibrate(f: Float32Array, o: number, seen: number, floor: number): void {
  const range = f[o + HIGH]! - f[o + LOW]!;
  const prior = PRIOR_WEIGHT * PRIOR_SIZE * PRIOR_SIZE * range * range;
  const byRange = 1 / (GUMBEL * PRIOR_SIZE * range + floor);
  let slopeUp = 0;
  let offsetUp = 0;
  let slopeDown = 0;
  let offsetDown = 0;
  let used = 0;
  let length = BLOCK;
  for (let b = 0; b < BLOCKS; b++, length *= 2) {
    const blocks = Math.floor(seen / length);
    if (blocks < 2) break;
    const at = o + FIRST_BLOCK + b * PER_BLOCK;
    const weight = Math.min(blocks, 100);
    const up = slope(f[at + 3]!, weight, prior, floor, byRange);
    const down = slope(f[at + 5]!, weight, prior, floor, byRange);
    slopeUp += up;
    offsetUp += EULER - f[at + 2]! * up;
    slopeDown += down;
    offsetDown += EULER + f[at + 4]! * down;
    used++;
  }
  if (used === 0) return;
  f[o + SLOPE_UP] = slopeUp / used;
  f[o + CENTRE_UP] = -offsetUp / slopeUp;
  f[o + SLOPE_DOWN] = slopeDown / used;
  f[o + CENTRE_DOWN] = offsetDown / slopeDown;
}

/** Surprise per unit of the feature: the mean of what the scatter of extremes and what the range would give. */
function slope(variance: number, weight: number, prior: number, floor: number, byRange: number): number {
  const byScatter = 1 / (GUMBEL * Math.sqrt((weight * variance + prior) / (weight + PRIOR_WEIGHT)) + floor);
  return 0.5 * (byScatter + byRange);
}

function resetExtremes(f: Float32Array, at: number, x: number): void {
  f[at] = x;
  f[at + 1] = x;
  f.fill(0, at + 2, at + PER_BLOCK);
}

/** Extremes of a block flow into the longer block around it. */
function raise(f: Float32Array, from: number, to: number): void {
  if (f[from]! > f[to]!) f[to] = f[from]!;
  if (f[from + 1]! < f[to + 1]!) f[to + 1] = f[from + 1]!;
}

function moments(f: Float32Array, at: number, x: number, rate: number): void {
  const delta = x - f[at]!;
  f[at] = f[at]! + rate * delta;
  f[at + 1] = (1 - rate) * (f[at + 1]! + rate * delta * delta);
}

function positive(x: number): number {
  return Math.max(x, 0);
}
