/**
 * What physics forbids, as far as somebody configured it, and a value that has frozen. A broken rule is certain, so its raw score is a
 * multiple of the threshold that gives the severity meant: its score is 1 - threshold / (2·raw score).
 */
import { extremeOf, holds } from "./extremes";
import { feature } from "./features";
import { Profile, Reading, Sensor } from "./layout";
import { exp, ln } from "./numbers";
import { SHARE_READINGS } from "./quantity";
import {
  REASON_COUNTER,
  REASON_DROPOUT,
  REASON_HELD,
  REASON_RANGE,
  REASON_RATE,
  REASON_STUCK,
  REASON_UNIT,
  VALUE,
} from "./tables";

const RANGE_SCORE: f64 = 6; // critical
const RATE_SCORE: f64 = 3; // high
const STUCK_SCORE: f64 = 1.5; // medium
/** An echo of an incident is scored just below the threshold. */
export const ECHO_SHARE: f64 = 0.999;
/** Bands from zero. */
const CLEAR_OF_ZERO: f64 = 5;
/** A value that is abnormal has stuck where its run of equal readings is so many times the longest one outside incidents, and at least this long. */
const STUCK_RUNS: f64 = 1.5;
const STUCK_LEAST: f64 = 5;
/**
 * A value has frozen where a sensor that is known by so many readings repeats it so often, and twice as often as ever before, that it
 * would have happened by chance once in e to the power FROZEN_NATS: told just above the threshold, where no setting says what is stuck.
 * Zero is where many sensors rest, each night or between two runs: how long that lasts says nothing of another value.
 */
const FROZEN_SCORE: f64 = 1.1; // low
const FROZEN_READINGS: f64 = 500;
const FROZEN_RUN: f64 = 8;
const FROZEN_RUNS: f64 = 2;
const FROZEN_NATS: f64 = 20;

/** Finds the rule that is broken, if any: fills in its raw score and reason. */
export function applyRules(s: Sensor, profile: Profile, r: Reading): void {
  const value = r.value;
  r.ruleScore = 0;
  if (value < profile.rangeMin || value > profile.rangeMax) {
    speak(r, RANGE_SCORE, REASON_RANGE);
  } else if (abs(value - s.lastValue) > profile.maxRatePerUs * (r.time - s.lastTime)) {
    speak(r, RATE_SCORE, REASON_RATE);
  } else if (value === s.lastValue && r.time - s.changedAt >= profile.stuckUs) {
    speak(r, STUCK_SCORE, REASON_STUCK);
  } else if (profile.stuckUs === Infinity && hasFrozen(s, r)) {
    speak(r, FROZEN_SCORE, REASON_STUCK);
  }
}

function hasFrozen(s: Sensor, r: Reading): bool {
  // A counter that grows evenly has not frozen; one that does not grow has, if it is not used to that.
  if (s.byRate !== 0 && r.value !== 0) return false;
  const longest = r.value === 0 ? s.longestRun : <f64>s.longestRunAloft;
  if (s.run < FROZEN_RUN || s.run < FROZEN_RUNS * longest || s.readings < FROZEN_READINGS) return false;
  const seen = min<f64>(s.compared + 1, SHARE_READINGS);
  // The share as it was before the run, which must not speak for itself; and one reading more than was seen: a share of zero is none.
  const repeats = 1 - min<f64>(1, (1 - <f64>s.repeats) * exp(s.run / seen)) + 1 / seen;
  return -s.run * ln(repeats) >= FROZEN_NATS;
}

function speak(r: Reading, thresholds: f64, reason: u32): void {
  r.ruleScore = thresholds * r.threshold;
  r.ruleReason = reason;
}

/** Conversions that devices get wrong: Celsius and Fahrenheit, and thousands. Next to zero all thousands are alike. */
function looksConverted(value: f64, expected: f64, band: f64): bool {
  const thousands = abs(expected) > CLEAR_OF_ZERO * band && value !== 0;
  return (
    abs(value - (1.8 * expected + 32)) <= 1.8 * band ||
    abs(1.8 * value + 32 - expected) <= band ||
    (thousands && abs(value - 1000 * expected) <= 1000 * band) ||
    (thousands && abs(1000 * value - expected) <= band)
  );
}

/** The reason of an abnormal reading: by its value where that is specific, else by the detector with the strongest vote. */
export function nameReason(s: Sensor, r: Reading): u32 {
  // A value that the sensor has had is of its own unit.
  const foreign = !holds(extremeOf(s, VALUE), feature(VALUE)) || s.called === <f64>REASON_UNIT;
  const called = renameReason(r, foreign);
  const stuck = s.run >= STUCK_LEAST && s.run >= STUCK_RUNS * s.longestRun;
  return stuck && !isCertain(called) ? REASON_STUCK : called;
}

/**
 * A better name for why an abnormal value is abnormal, where its value is specific. `foreign`: the sensor has not had the value
 * before, so that it may be of another unit.
 */
function renameReason(r: Reading, foreign: bool): u32 {
  const distance = abs(r.value - r.expected);
  if (isCertain(r.reason)) return r.reason;
  if (r.value === 0 && distance > 3 * r.band) return REASON_DROPOUT;
  // A conversion that lands near the band explains nothing.
  return foreign && distance > 5 * r.band && looksConverted(r.value, r.expected, r.band) ? REASON_UNIT : r.reason;
}

/** Reasons that say all there is to say. */
function isCertain(reason: u32): bool {
  return (reason >= REASON_RANGE && reason <= REASON_COUNTER) || reason === REASON_HELD;
}
