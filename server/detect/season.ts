/**
 * The course of day and week, found rather than assumed: a profile of half hours of the day and one of what each three hours of
 * the week add to it. Each foretells every reading before it learns it; whichever has erred least of late (or neither: the slow
 * mean) gives the seasonal expectation. By time of day, not by count, so irregular intervals survive. All in gauge units.
 */
const DAY_US = 86_400e6;
const DAY_BINS = 48;
const WEEK_BINS = 56;
const BIN_US = DAY_US / DAY_BINS;
const WEEK_BIN_US = (7 * DAY_US) / WEEK_BINS;
/** Share that a bin's mean moves on each day (each week) that visits it. */
const DAY_RATE = 0.3;
const WEEK_RATE = 0.3;
/** How fast the record of errors forgets, and by how much a profile must beat what is simpler. */
const ERROR_RATE = 1e-3;
const BETTER = 0.95;

/** Single-precision cells: mean and number of readings of each bin. */
const DAY_MEAN = 0;
const DAY_COUNT = DAY_MEAN + DAY_BINS;
const WEEK_MEAN = DAY_COUNT + DAY_BINS;
const WEEK_COUNT = WEEK_MEAN + WEEK_BINS;
const FLAT_MEAN = WEEK_COUNT + WEEK_BINS;
const FLAT_ERROR = FLAT_MEAN + 1;
const DAY_ERROR = FLAT_MEAN + 2;
const WEEK_ERROR = FLAT_MEAN + 3;
/** 0 none, 1 day, 2 day and week. */
export const FOUND = FLAT_MEAN + 4;
export const SEASON_FLOATS = FLAT_MEAN + 5;

/** Expected value at a time by the profile found. */
export function seasonAt(f: Float32Array, o: number, timeUs: number): number {
  const found = f[o + FOUND]!;
  if (found === 0) return f[o + FLAT_MEAN]!;
  const day = f[o + DAY_MEAN + dayBin(timeUs)]!;
  return found === 1 ? day : day + f[o + WEEK_MEAN + weekBin(timeUs)]!;
}

/** Takes a reading in. `intervalUs` is the sensor's usual interval, `n` counts its readings. */
export function learnSeason(
  f: Float32Array,
  o: number,
  timeUs: number,
  x: number,
  n: number,
  intervalUs: number,
): void {
  const day = o + DAY_MEAN + dayBin(timeUs);
  const week = o + WEEK_MEAN + weekBin(timeUs);
  const flatError = x - f[o + FLAT_MEAN]!;
  f[o + FLAT_MEAN] = f[o + FLAT_MEAN]! + flatError / Math.min(n + 1, 1000);
  const dayCount = f[day + DAY_BINS]!;
  const dayError = dayCount > 0 ? x - f[day]! : flatError;
  const weekError = dayCount > 0 ? dayError - f[week]! : flatError;
  const rate = n < 1000 ? 1 / (n + 1) : ERROR_RATE;
  track(f, o + FLAT_ERROR, flatError, rate);
  track(f, o + DAY_ERROR, dayError, rate);
  track(f, o + WEEK_ERROR, weekError, rate);
  f[day] = f[day]! + dayError * binRate(dayCount, (DAY_RATE * intervalUs) / BIN_US, DAY_RATE);
  if (dayCount === 0) f[day] = x;
  f[day + DAY_BINS] = Math.min(dayCount + 1, 1e6);
  const weekCount = f[week + WEEK_BINS]!;
  f[week] = f[week]! + weekError * binRate(weekCount, (WEEK_RATE * intervalUs) / WEEK_BIN_US, WEEK_RATE);
  f[week + WEEK_BINS] = Math.min(weekCount + 1, 1e6);
  const simplest = f[o + DAY_ERROR]! < BETTER * f[o + FLAT_ERROR]! ? f[o + DAY_ERROR]! : f[o + FLAT_ERROR]!;
  f[o + FOUND] = f[o + WEEK_ERROR]! < BETTER * simplest ? 2 : f[o + DAY_ERROR]! < BETTER * f[o + FLAT_ERROR]! ? 1 : 0;
}

function binRate(count: number, steady: number, most: number): number {
  const bounded = Math.min(steady, most);
  const early = 1 / (count + 1);
  return Math.max(early, bounded);
}

function track(f: Float32Array, at: number, error: number, rate: number): void {
  f[at] = f[at]! + rate * (Math.abs(error) - f[at]!);
}

function dayBin(timeUs: number): number {
  const t = timeUs % DAY_US;
  return Math.floor((t < 0 ? t + DAY_US : t) / BIN_US);
}

function weekBin(timeUs: number): number {
  const t = timeUs % (7 * DAY_US);
  return Math.floor((t < 0 ? t + 7 * DAY_US : t) / WEEK_BIN_US);
}
