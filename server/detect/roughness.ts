/**
 * How large the forecaster's errors become at each half hour of the day: where shifts begin, or the sun comes out, every day brings
 * an error that is normal at that time and would be strange at another. Per half hour a running maximum that fades slowly, and
 * their mean. Errors are told in units of what is usual at their time. All in gauge units.
 */
const DAY_US = 86_400e6;
const BINS = 48;
const BIN_US = DAY_US / BINS;
/** A half hour's maximum fades by this share with each day that visits it. */
const FADE = 0.1;
/** A half hour counts as no calmer than this share of the mean, and one error teaches at most as much as this many maxima. */
const CALMEST = 0.5;
const TEACH_LIMIT = 4;
const MEAN_RATE = 0.002;

/** Single-precision cells: maximum of each half hour, then their mean. */
const MEAN = BINS;
export const ROUGHNESS_FLOATS = BINS + 1;

/** How rough a time is: 1 where errors are as large as on the mean. */
export function roughnessAt(f: Float32Array, o: number, timeUs: number): number {
  const mean = f[o + MEAN]!;
  return mean === 0 ? 1 : Math.max(f[o + binOf(timeUs)]! / mean, CALMEST);
}

/** The size of an error at a time, in units of how rough that time is. */
export function roughened(f: Float32Array, o: number, timeUs: number, error: number): number {
  return error / roughnessAt(f, o, timeUs);
}

/** Learns the size of an error. `intervalUs` is the sensor's usual interval. */
export function learnRoughness(f: Float32Array, o: number, timeUs: number, error: number, intervalUs: number): void {
  const at = o + binOf(timeUs);
  const mean = f[o + MEAN]!;
  const highest = f[at]!;
  const bounded = mean > 0 ? Math.min(error, TEACH_LIMIT * Math.max(mean, highest)) : error;
  const faded = highest * (1 - Math.min(0.5, (FADE * intervalUs) / BIN_US));
  f[at] = Math.max(bounded, faded);
  f[o + MEAN] = mean === 0 ? f[at]! : mean + (f[at]! - mean) * MEAN_RATE;
}

function binOf(timeUs: number): number {
  const t = timeUs % DAY_US;
  return Math.floor((t < 0 ? t + DAY_US : t) / BIN_US);
}
