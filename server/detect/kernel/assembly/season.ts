/**
 * The course of day and week, found rather than assumed. A day's profile of half hours; and a second one that each day of the week
 * follows more or less strongly, and higher or lower (a gain and an offset for each day: weekends are mostly weekdays in small, and
 * seven days of which each learns two numbers know their week after two of it). Each forecasts every reading before it learns it;
 * whichever has erred least recently (or neither: the slow mean) gives the seasonal expectation. By time of day, not by count, so
 * irregular intervals survive. All in the sensor's own scale.
 */
import {
  SENSOR_COURSE,
  SENSOR_DAY_COUNT,
  SENSOR_DAY_MEAN,
  SENSOR_WEEKDAY_GAIN,
  SENSOR_WEEKDAY_GAIN_COUNT,
  SENSOR_WEEKDAY_OFFSET,
  Sensor,
} from "./layout";
import { get, set } from "./numbers";

const DAY_US: f64 = 86_400e6;
const WEEKDAYS: i32 = SENSOR_WEEKDAY_GAIN_COUNT;
const HALF_HOUR_US: f64 = 1800e6;
/** Share that a half hour's mean moves on each day that visits it. */
const DAY_RATE: f64 = 0.3;
/** A weekday's gain and offset go the way toward what is seen this many times over on each day that is theirs. */
const WEEKDAY_RATE: f64 = 1;
const MOST_WEEKDAY_RATE: f64 = 0.1;
/** Gains stay within these bounds: 0 is a day without a course. */
const HIGHEST_GAIN: f64 = 3;
/** How fast the mean errors forget, and by how much a profile must beat what is simpler. */
const ERROR_RATE: f64 = 1e-3;
const BETTER: f64 = 0.95;
const WEEK_BETTER: f64 = 0.9;

/** Half hour of the day, 0 to 47. */
export function halfHourOf(time: f64): u32 {
  // Whole microseconds: the product is exact, and the quotient off by one at the most.
  const rest = time - floor(time / DAY_US) * DAY_US;
  return <u32>((rest < 0 ? rest + DAY_US : rest >= DAY_US ? rest - DAY_US : rest) / HALF_HOUR_US);
}

/** Day of the week, 0 = Thursday (1970-01-01 was one). */
export function weekdayOf(time: f64): u32 {
  const day = <i32>floor(time / DAY_US) % WEEKDAYS;
  return day < 0 ? day + WEEKDAYS : day;
}

/** Expected value at a time by the profile found. */
export function seasonAt(s: Sensor, time: f64): f64 {
  return s.season === 0 ? <f64>s.flatMean : profileAt(s, halfHourOf(time), weekdayOf(time));
}

/** The same at a half hour of a weekday. */
export function profileAt(s: Sensor, halfHour: u32, weekday: u32): f64 {
  if (s.season === 0) return s.flatMean;
  return s.season === 1 ? get(changetype<usize>(s) + SENSOR_DAY_MEAN + (halfHour << 2)) : weekly(s, halfHour, weekday);
}

/** The same by the better one of the two profiles, even where neither beats the slow mean. */
export function courseAt(s: Sensor, halfHour: u32, weekday: u32): f64 {
  if (<f64>s.weekError < <f64>s.dayError) return weekly(s, halfHour, weekday);
  return get(changetype<usize>(s) + SENSOR_DAY_MEAN + (halfHour << 2));
}

/** Takes a reading at a half hour of a weekday in: `x` its value, `n` the sensor's readings judged before it. */
export function updateSeason(s: Sensor, halfHour: u32, weekday: u32, x: f64, n: f64): void {
  const day = changetype<usize>(s) + SENSOR_DAY_MEAN + (halfHour << 2);
  const countAt = changetype<usize>(s) + SENSOR_DAY_COUNT + (halfHour << 2);
  const flatError = x - <f64>s.flatMean;
  s.flatMean = <f32>(<f64>s.flatMean + flatError / min<f64>(n + 1, 1000));
  const count = get(countAt);
  const dayError = count > 0 ? x - get(day) : flatError;
  const weekError = count > 0 ? x - weekly(s, halfHour, weekday) : flatError;
  const rate = n < 1000 ? 1 / (n + 1) : ERROR_RATE;
  s.flatError = track(s.flatError, flatError, rate);
  s.dayError = track(s.dayError, dayError, rate);
  s.weekError = track(s.weekError, weekError, rate);
  const moved = max<f64>(1 / (count + 1), min<f64>((DAY_RATE * s.interval) / HALF_HOUR_US, DAY_RATE));
  set(day, count === 0 ? x : get(day) + dayError * moved);
  set(countAt, min<f64>(count + 1, 1e6));
  if (count === 0) set(changetype<usize>(s) + SENSOR_COURSE + (halfHour << 2), x);
  else updateWeek(s, halfHour, weekday, weekError, moved);
  s.season = found(s);
}

/** The simplest profile that errs clearly less than what is simpler. */
function found(s: Sensor): f32 {
  const daily = <f64>s.dayError < BETTER * <f64>s.flatError;
  const simplest = daily ? <f64>s.dayError : <f64>s.flatError;
  return <f64>s.weekError < WEEK_BETTER * simplest ? 2 : daily ? 1 : 0;
}

/** What the second profile expects of a half hour on a day of the week. */
function weekly(s: Sensor, halfHour: u32, weekday: u32): f64 {
  const mean = <f64>s.courseMean;
  const gain = 1 + get(changetype<usize>(s) + SENSOR_WEEKDAY_GAIN + (weekday << 2));
  const offset = get(changetype<usize>(s) + SENSOR_WEEKDAY_OFFSET + (weekday << 2));
  return mean + offset + gain * (get(changetype<usize>(s) + SENSOR_COURSE + (halfHour << 2)) - mean);
}

/** Shares an error out among the profile and the weekday's gain and offset, each by its part in the expectation. */
function updateWeek(s: Sensor, halfHour: u32, weekday: u32, error: f64, moved: f64): void {
  const courseAt = changetype<usize>(s) + SENSOR_COURSE + (halfHour << 2);
  const gainAt = changetype<usize>(s) + SENSOR_WEEKDAY_GAIN + (weekday << 2);
  const offsetAt = changetype<usize>(s) + SENSOR_WEEKDAY_OFFSET + (weekday << 2);
  const rate = min<f64>((WEEKDAY_RATE * s.interval) / DAY_US, MOST_WEEKDAY_RATE);
  const gain = 1 + get(gainAt);
  const apart = get(courseAt) - <f64>s.courseMean;
  const variance = <f64>s.courseVariance;
  set(courseAt, get(courseAt) + moved * min<f64>(gain, 1) * error);
  s.courseMean = <f32>(<f64>s.courseMean + rate * apart);
  s.courseVariance = <f32>(variance + rate * (apart * apart - variance));
  set(offsetAt, get(offsetAt) + rate * error);
  // No step is larger than the error itself asks for, however far the half hour lies from the mean.
  const next = gain + (rate * error * apart) / max<f64>(max<f64>(variance, apart * apart), 1e-12);
  set(gainAt, max<f64>(0, min<f64>(HIGHEST_GAIN, next)) - 1);
}

function track(mean: f32, error: f64, rate: f64): f32 {
  return <f32>(<f64>mean + rate * (abs(error) - <f64>mean));
}
