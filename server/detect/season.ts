/**
 * The course of day and week, found rather than assumed. A day's profile of half hours; and a second one that each day of the week
 * follows more or less strongly, and higher or lower (a gain and an offset for each day: weekends are mostly weekdays in small, and
 * seven days of which each learns two numbers know their week after two of it). Each foretells every reading before it learns it;
 * whichever has erred least of late (or neither: the slow mean) gives the seasonal expectation. By time of day, not by count, so
 * irregular intervals survive. All in gauge units.
 */
const DAY_US = 86_400e6;
const DAY_BINS = 48;
const WEEKDAYS = 7;
const BIN_US = DAY_US / DAY_BINS;
/** Share that a bin's mean moves on each day that visits it. */
const DAY_RATE = 0.3;
/** A weekday's gain and offset go the way toward what is seen this many times over on each day that is theirs. */
const WEEKDAY_RATE = 1;
const MOST_WEEKDAY_RATE = 0.1;
/** Gains stay within these bounds: 0 is a day without a course. */
const HIGHEST_GAIN = 3;
/** How fast the record of errors forgets, and by how much a profile must beat what is simpler. */
const ERROR_RATE = 1e-3;
const BETTER = 0.95;
const WEEK_BETTER = 0.9;

/** Single-precision cells: mean and number of readings of each half hour; the second profile, its mean and variance; gains (less one) and offsets of the weekdays. */
const DAY_MEAN = 0;
const DAY_COUNT = DAY_MEAN + DAY_BINS;
const COURSE = DAY_COUNT + DAY_BINS;
const COURSE_MEAN = COURSE + DAY_BINS;
const COURSE_VARIANCE = COURSE_MEAN + 1;
const GAIN_LESS_ONE = COURSE_MEAN + 2;
const OFFSET = GAIN_LESS_ONE + WEEKDAYS;
const FLAT_MEAN = OFFSET + WEEKDAYS;
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
  const bin = dayBin(timeUs);
  return found === 1 ? f[o + DAY_MEAN + bin]! : weekly(f, o, bin, weekday(timeUs));
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
  const bin = dayBin(timeUs);
  const day = o + DAY_MEAN + bin;
  const flatError = x - f[o + FLAT_MEAN]!;
  f[o + FLAT_MEAN] = f[o + FLAT_MEAN]! + flatError / Math.min(n + 1, 1000);
  const dayCount = f[day + DAY_BINS]!;
  const dayError = dayCount > 0 ? x - f[day]! : flatError;
  const weekError = dayCount > 0 ? x - weekly(f, o, bin, weekday(timeUs)) : flatError;
  const rate = n < 1000 ? 1 / (n + 1) : ERROR_RATE;
  track(f, o + FLAT_ERROR, flatError, rate);
  track(f, o + DAY_ERROR, dayError, rate);
  track(f, o + WEEK_ERROR, weekError, rate);
  const moved = binRate(dayCount, (DAY_RATE * intervalUs) / BIN_US, DAY_RATE);
  f[day] = dayCount === 0 ? x : f[day]! + dayError * moved;
  f[day + DAY_BINS] = Math.min(dayCount + 1, 1e6);
  if (dayCount === 0) f[o + COURSE + bin] = x;
  else learnWeek(f, o, bin, weekday(timeUs), weekError, moved, (WEEKDAY_RATE * intervalUs) / DAY_US);
  const simplest = f[o + DAY_ERROR]! < BETTER * f[o + FLAT_ERROR]! ? f[o + DAY_ERROR]! : f[o + FLAT_ERROR]!;
  f[o + FOUND] =
    f[o + WEEK_ERROR]! < WEEK_BETTER * simplest ? 2 : f[o + DAY_ERROR]! < BETTER * f[o + FLAT_ERROR]! ? 1 : 0;
}

/** What the second profile expects of a half hour on a day of the week. */
function weekly(f: Float32Array, o: number, bin: number, day: number): number {
  const mean = f[o + COURSE_MEAN]!;
  return mean + f[o + OFFSET + day]! + (1 + f[o + GAIN_LESS_ONE + day]!) * (f[o + COURSE + bin]! - mean);
}

/** Shares an error out among the profile and the weekday's gain and offset, each by its part in the expectation. */
function learnWeek(
  f: Float32Array,
  o: number,
  bin: number,
  day: number,
  error: number,
  moved: number,
  weekdayRate: number,
): void {
  const rate = Math.min(weekdayRate, MOST_WEEKDAY_RATE);
  const gain = 1 + f[o + GAIN_LESS_ONE + day]!;
  const apart = f[o + COURSE + bin]! - f[o + COURSE_MEAN]!;
  const variance = f[o + COURSE_VARIANCE]!;
  f[o + COURSE + bin] = f[o + COURSE + bin]! + moved * Math.min(gain, 1) * error;
  f[o + COURSE_MEAN] = f[o + COURSE_MEAN]! + rate * apart;
  f[o + COURSE_VARIANCE] = variance + rate * (apart * apart - variance);
  f[o + OFFSET + day] = f[o + OFFSET + day]! + rate * error;
  // No step is larger than the error itself asks for, however far the half hour lies from the mean.
  const next = gain + (rate * error * apart) / Math.max(variance, apart * apart, 1e-12);
  f[o + GAIN_LESS_ONE + day] = Math.max(0, Math.min(HIGHEST_GAIN, next)) - 1;
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

/** Day of the week, 0 = Thursday (1970-01-01 was one). */
function weekday(timeUs: number): number {
  const day = Math.floor(timeUs / DAY_US) % WEEKDAYS;
  return day < 0 ? day + WEEKDAYS : day;
}
