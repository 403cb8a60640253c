/**
 * Which quantity of a sensor is judged: its value, or of a counter its growth per second. Where no setting says so, a counter is
 * recognised: for a day and 200 readings its value has grown and hardly ever fallen. Whatever was learnt of the other quantity is
 * forgotten then.
 */
import { forgetValues, Profile, Sensor } from "./layout";
import { model } from "./state";

/** Shares fade over so many readings. */
export const SHARE_READINGS: f64 = 1000;
const LEAST_READINGS: f64 = 200;
const LEAST_US: f64 = 86_400e6;
/** A fall to this share of the value before is a reset. */
const NEAR_ZERO: f64 = 0.2;
/** Of a counter at least this share of the readings rises; falls and resets are at most so many of the rises. */
const LEAST_RISES: f64 = 0.05;
const MOST_FALLS: f64 = 0.005;
const MOST_RESETS: f64 = 0.01;
/** What was recognised as a counter is none any more when it falls so many times more often. */
const DOUBT: f64 = 4;
const HELD: f64 = 0.5;
/** Of the setting. */
const RECOGNISED: u32 = 2;

/** Whether a sensor holds its values: half of its readings repeat the one before. */
export function holdsValues(s: Sensor): bool {
  return <f64>s.repeats >= HELD;
}

/** Compares a measured value with the one before, and decides what is judged of it. */
export function chooseQuantity(s: Sensor, raw: f64): void {
  const setting = changetype<Profile>(<usize>s.profile).counter;
  if (s.byRate < 0) s.byRate = setting === 1 ? 1 : 0;
  const last = s.byRate !== 0 ? s.rawValue : s.lastValue;
  if (s.readings > 0 || s.compared > 0) compare(s, raw, last);
  const byRate: f64 = setting === RECOGNISED ? (isCounter(s) ? 1 : 0) : <f64>setting;
  if (byRate === s.byRate) return;
  forgetValues(s, <i32>model.units);
  s.rawValue = last;
  s.byRate = byRate;
}

/**
 * A counter's growth per second since its last reading; after a reset it counts from zero. What was recognised as a counter may be none: a
 * fall that does not end near zero is one, and no reset.
 */
export function rateOf(s: Sensor, time: f64, raw: f64): f64 {
  if (s.compared === 0) {
    s.rawValue = raw;
    return 0;
  }
  const last = s.rawValue;
  const fell = raw < last && (changetype<Profile>(<usize>s.profile).counter !== RECOGNISED || isReset(raw, last));
  return ((fell ? raw : raw - last) * 1e6) / (time - s.lastTime);
}

function isReset(raw: f64, last: f64): bool {
  return raw < last && abs(raw) <= NEAR_ZERO * abs(last);
}

function compare(s: Sensor, raw: f64, last: f64): void {
  s.compared = s.compared + 1;
  const rate = 1 / min<f64>(s.compared, SHARE_READINGS);
  const reset = isReset(raw, last);
  s.rises = toward(s.rises, raw > last, rate);
  s.falls = toward(s.falls, raw < last && !reset, rate);
  s.resets = toward(s.resets, reset, rate);
  s.repeats = toward(s.repeats, raw === last, rate);
}

function toward(share: f32, is: bool, rate: f64): f32 {
  return <f32>(<f64>share + rate * ((is ? 1 : 0) - <f64>share));
}

function isCounter(s: Sensor): bool {
  const rises = <f64>s.rises;
  const doubt: f64 = s.byRate !== 0 ? DOUBT : 1;
  if (<f64>s.falls > doubt * MOST_FALLS * rises || <f64>s.resets > doubt * MOST_RESETS * rises) return false;
  if (s.byRate !== 0) return true;
  return rises >= LEAST_RISES && s.compared >= LEAST_READINGS && s.compared * s.interval >= LEAST_US;
}
