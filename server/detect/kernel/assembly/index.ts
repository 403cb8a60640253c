/**
 * The scoring kernel: what runs for each reading. TypeScript around it (../kernel.ts) owns the memory: it places sensors and profiles,
 * fills the columns of a batch and reads them. A reading passes the stages in the order below; `score` runs all of them, `observe` and
 * `judge` those before and after the trunk where another runtime runs it.
 */
import { followZone, offsetAt, weekdayIn } from "./calendar";
import { decide } from "./decide";
import { expectNext, prepareNext } from "./forecast";
import {
  COLUMNS_ANOMALY,
  COLUMNS_BAND,
  COLUMNS_CONFIDENCE,
  COLUMNS_EXPECTED,
  COLUMNS_FORECAST_MOVE,
  COLUMNS_JUDGED,
  COLUMNS_PLACE,
  COLUMNS_REASON,
  COLUMNS_SCORE,
  COLUMNS_SENSOR,
  COLUMNS_SIGNAL,
  COLUMNS_STEP,
  COLUMNS_TAKEN,
  COLUMNS_TIME,
  COLUMNS_VALUE,
  forgetValues,
  Profile,
  Reading,
  SENSOR_TRUNK,
  Sensor,
} from "./layout";
import { startJudging, updateInterval } from "./learn";
import { firstScale, isLost, normalise, pushWindow, updateLocation } from "./normalise";
import { squash } from "./numbers";
import { chooseQuantity, rateOf } from "./quantity";
import { startReadout } from "./readout";
import { halfHourOf, profileAt } from "./season";
import { columns, model, reading, votes } from "./state";
import { REASON_COUNTER, WARM_READINGS } from "./tables";
import { strictnessOf } from "./threshold";
import { stepTrunk } from "./trunk";

export { errorScaleAt as roughnessAt, updateErrorProfile } from "./errorProfile";
export { migrateFrom6, migrateFrom7, migrateFrom8, migrateFrom9, migrateFrom10, migrateFrom11 } from "./migrate";
export { arrived, forgetArrival } from "./rhythm";
export { halfHourOf, seasonAt, updateSeason, weekdayOf } from "./season";
export { coldStartFactor } from "./threshold";

/** Addresses of what lies at fixed places, and of the first byte that is free. */
export function columnsAt(): usize {
  return columns;
}
export function modelAt(): usize {
  return changetype<usize>(model);
}
export function votesAt(): usize {
  return changetype<usize>(votes);
}
export function freeAt(): usize {
  return __heap_base;
}

/** Sets the confidence from which a reading is anomalous. */
export function setConfidence(confidence: f64): void {
  model.strictness = strictnessOf(confidence);
}

/** Scores rows [0, count). */
export function score(count: i32): void {
  for (let i = 0; i < count; i++) {
    const s = sensorOf(i);
    if (i + 1 < count) touchAhead(s, sensorOf(i + 1));
    if (!observeRow(s, i)) continue;
    const forecastMove = stepTrunk(
      placeOf(s, judgedOf(i)),
      stepOf(s, judgedOf(i)),
      changetype<usize>(s) + SENSOR_TRUNK,
    );
    judgeRow(s, i, forecastMove);
  }
}

/**
 * Reads the next sensor's state where it is another one: its lines come from memory all at once, and not one after the other as each is
 * needed.
 */
function touchAhead(s: Sensor, next: Sensor): void {
  if (next === s) return;
  let sum: u32 = 0;
  for (let at: usize = 0; at < SENSOR_TRUNK; at += 64) sum += load<u32>(changetype<usize>(next) + at);
  touched = sum;
}
/** What was read ahead, so that the reading of it is not left out. */
export let touched: u32 = 0;

/** Takes rows [0, count), none two of one sensor, up to the inputs of the trunk. */
export function observe(count: i32): void {
  for (let i = 0; i < count; i++) {
    const s = sensorOf(i);
    const taken = observeRow(s, i);
    store<u8>(columns + COLUMNS_TAKEN + i, taken ? 1 : 0);
    if (!taken) continue;
    store<f64>(columns + COLUMNS_PLACE + ((<usize>i) << 3), placeOf(s, judgedOf(i)));
    store<f64>(columns + COLUMNS_STEP + ((<usize>i) << 3), stepOf(s, judgedOf(i)));
  }
}

/** Runs the trunk alone on rows [0, count). */
export function forecast(count: i32): void {
  for (let i = 0; i < count; i++) {
    const at = columns + ((<usize>i) << 3);
    const state = changetype<usize>(sensorOf(i)) + SENSOR_TRUNK;
    store<f64>(
      at + COLUMNS_FORECAST_MOVE,
      stepTrunk(load<f64>(at + COLUMNS_PLACE), load<f64>(at + COLUMNS_STEP), state),
    );
  }
}

/** Judges rows [0, count) after `observe`, with the trunk's forecasts. */
export function judge(count: i32): void {
  for (let i = 0; i < count; i++) {
    if (load<u8>(columns + COLUMNS_TAKEN + i) === 0) continue;
    judgeRow(sensorOf(i), i, load<f64>(columns + COLUMNS_FORECAST_MOVE + ((<usize>i) << 3)));
  }
}

/** Gathers words of a sensor's state in the order in which they are saved: `offsets` holds where each is. */
export function pack(sensor: usize, offsets: usize, words: i32, to: usize): void {
  for (let i: usize = 0; i < (<usize>words) << 2; i += 4)
    store<u32>(to + i, load<u32>(sensor + load<u32>(offsets + i)));
}

/** Puts saved words in their places. */
export function unpack(sensor: usize, offsets: usize, words: i32, from: usize): void {
  for (let i: usize = 0; i < (<usize>words) << 2; i += 4)
    store<u32>(sensor + load<u32>(offsets + i), load<u32>(from + i));
}

/** Takes a value of a series into a sensor's location and spread alone, for training. */
export function followSeries(s: Sensor, value: f64): void {
  updateLocation(s, value);
  store<f64>(columns + COLUMNS_PLACE, placeOf(s, value));
  store<f64>(columns + COLUMNS_STEP, stepOf(s, value));
  s.readings = s.readings + 1;
  s.lastValue = value;
}

/** The move from a sensor's last value to this one, as the trunk is to forecast it. */
export function moveTo(s: Sensor, value: f64): f64 {
  return stepOf(s, value);
}

/** What the season alone expects at a time, in the sensor's unit; NaN before it is judged. */
export function seasonalAt(s: Sensor, time: f64): f64 {
  if (s.readings <= WARM_READINGS) return NaN;
  const profile = changetype<Profile>(<usize>s.profile);
  const local = time + offsetAt(profile, time);
  return s.origin + profileAt(s, halfHourOf(local), weekdayIn(profile, local)) / s.gain;
}

function sensorOf(i: i32): Sensor {
  return changetype<Sensor>(<usize>load<u32>(columns + COLUMNS_SENSOR + ((<usize>i) << 2)));
}

/** What is judged of row `i`. */
function judgedOf(i: i32): f64 {
  return load<f64>(columns + COLUMNS_JUDGED + ((<usize>i) << 3));
}

/** Takes row `i` into location and spread. False in a maintenance window, where readings leave no trace but their time. */
function observeRow(s: Sensor, i: i32): bool {
  const time = load<f64>(columns + COLUMNS_TIME + ((<usize>i) << 3));
  const raw = load<f64>(columns + COLUMNS_VALUE + ((<usize>i) << 3));
  if (time < s.maintenanceUntil && time >= s.maintenanceFrom) {
    notJudged(i);
    if (s.readings > 0) passTime(s, time);
    s.rawValue = raw;
    return false;
  }
  chooseQuantity(s, raw);
  if (isLost(s)) forgetValues(s, <i32>model.units);
  const value = s.byRate !== 0 ? rateOf(s, time, raw) : raw;
  store<f64>(columns + COLUMNS_JUDGED + ((<usize>i) << 3), value);
  updateLocation(s, value);
  return true;
}

/** Time passes without a reading that is judged. */
function passTime(s: Sensor, time: f64): void {
  const profile = changetype<Profile>(<usize>s.profile);
  followZone(s, profile);
  s.localOffset = offsetAt(profile, time);
  s.lastTime = time;
}

/** The trunk's inputs: where the value lies, and how it moved. */
function placeOf(s: Sensor, value: f64): f64 {
  return s.spread > 0 ? squash((value - s.location) / s.spread) : 0;
}
function stepOf(s: Sensor, value: f64): f64 {
  return s.readings > 0 ? squash((value - s.lastValue) / s.move) : 0;
}

function judgeRow(s: Sensor, i: i32, forecastMove: f64): void {
  const r = reading;
  const profile = changetype<Profile>(<usize>s.profile);
  r.row = i;
  r.time = load<f64>(columns + COLUMNS_TIME + ((<usize>i) << 3));
  r.value = judgedOf(i);
  r.forecastMove = forecastMove;
  r.before = s.readings;
  r.lastTime = s.lastTime;
  followZone(s, profile);
  r.localOffset = offsetAt(profile, r.time);
  r.halfHour = halfHourOf(r.time + r.localOffset);
  r.weekday = weekdayIn(profile, r.time + r.localOffset);
  judgeReading(s, profile, r);
  s.localOffset = r.localOffset;
  s.lastTime = r.time;
  s.lastValue = r.value;
  if (s.byRate !== 0) reportCounter(s, r);
}

function judgeReading(s: Sensor, profile: Profile, r: Reading): void {
  const n = r.before;
  updateInterval(s, r);
  if (n === 0) {
    firstScale(s, r.value);
    startReadout(s);
  } else expectNext(s, profile, r);
  if (n === 0 || r.value !== s.lastValue) s.changedAt = r.time;
  r.scaled = normalise(s, r.value);
  pushWindow(s, n, r.scaled);
  s.readings = n + 1;
  if (n < WARM_READINGS) {
    if (n + 1 === WARM_READINGS) startJudging(s, r);
    notJudged(r.row);
  } else decide(s, profile, r);
  prepareNext(s, r);
}

/** A counter's bounds in its own unit; a fall of it is reported as a reset. */
function reportCounter(s: Sensor, r: Reading): void {
  const i = r.row;
  const raw = load<f64>(columns + COLUMNS_VALUE + ((<usize>i) << 3));
  const seconds = (r.time - r.lastTime) / 1e6;
  const last = s.rawValue;
  if (load<u8>(columns + COLUMNS_ANOMALY + i) === 1 && raw < last)
    store<u8>(columns + COLUMNS_REASON + i, REASON_COUNTER);
  const expected = columns + COLUMNS_EXPECTED + ((<usize>i) << 2);
  const band = columns + COLUMNS_BAND + ((<usize>i) << 2);
  store<f32>(expected, <f32>(last + <f64>load<f32>(expected) * seconds));
  store<f32>(band, <f32>(<f64>load<f32>(band) * seconds));
  s.rawValue = raw;
}

/** Fills the row of a reading that is not judged. */
function notJudged(i: i32): void {
  store<u16>(columns + COLUMNS_CONFIDENCE + ((<usize>i) << 1), 0);
  store<u16>(columns + COLUMNS_SCORE + ((<usize>i) << 1), 0);
  store<u8>(columns + COLUMNS_ANOMALY + i, 0);
  store<u8>(columns + COLUMNS_REASON + i, 0);
  store<f32>(columns + COLUMNS_SIGNAL + ((<usize>i) << 2), 0);
  store<f32>(columns + COLUMNS_EXPECTED + ((<usize>i) << 2), NaN);
  store<f32>(columns + COLUMNS_BAND + ((<usize>i) << 2), NaN);
}
