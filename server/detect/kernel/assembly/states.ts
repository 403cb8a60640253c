/**
 * Signals of two states: a door, a pump, a thermostat's contact. What matters of them is how long a state lasts, and at which time of day.
 * They are recognised by the histogram of their values: next to none lies between two levels.
 *
 * Time in a state is counted by how much of such time the sensor usually spends in the other one, which its season tells: an hour in which
 * a door is hardly ever open says little of a door that is shut, and one in which it is opened all the time a lot. By that measure both
 * states last about as long, so that one range holds for both.
 */

import { Reading, Sensor } from "./layout";
import { normalise } from "./normalise";
import { ln } from "./numbers";
import { BINS, cellOf } from "./rarity";
import { courseAt } from "./season";

/** Each state has at least this share of the values; between them, in the middle half, lies at most this one, and later this one. */
const LEAST_SHARE: f64 = 0.01;
const MOST_BETWEEN: f64 = 0.01;
const MOST_BETWEEN_LATER: f64 = 0.05;
/** Cells of the histogram that the states are apart at least. */
const LEAST_APART: i32 = 4;
const DAY_US: f64 = 86_400e6;
/** A week has each of its days once: before that nothing is said of a state's length. What has been so for a week is what the sensor does. */
const WEEK_US: f64 = 7 * DAY_US;
/** No state has less than this share of a time of day. */
const LEAST_EXPECTED: f64 = 0.003;
/** A gap between readings counts for at most so many usual ones. */
const LONGEST_GAP: f64 = 4;
/**
 * Of each state the edge toward the other one is followed, beyond which about this share of its values lies, in steps of this share of what is
 * between: what the values of a state do is no part of another.
 */
const EDGE: f64 = 0.05;
const LEVEL_RATE: f64 = 0.01;
/** A state that ends in an incident counts as no longer than the longest one times e to the power of this: it is told again the next time. */
const GROWTH: f64 = 0.7;

export function hasStates(s: Sensor): bool {
  return s.statesSince !== 0;
}

/** Whether the states have been known for so long that their lengths are judged. */
export function judgesStates(s: Sensor): bool {
  return s.lastTime - s.statesSince >= WEEK_US;
}

/** Whether a value, scaled, is one of the higher state. */
export function isHighState(s: Sensor, x: f64): bool {
  return x > (<f64>s.lowState + <f64>s.highState) / 2;
}

/** Looks for two states in the histogram. True where it finds that there are none any more. */
export function findStates(s: Sensor, r: Reading): bool {
  const known = hasStates(s);
  if (!known && (s.byRate !== 0 || s.readings * s.interval < DAY_US)) return false;
  const least = LEAST_SHARE * s.binTotal;
  let low = 0;
  let high = BINS - 1;
  for (let sum = cellOf(s, low); sum < least && low < BINS - 1; sum += cellOf(s, low)) low++;
  for (let sum = cellOf(s, high); sum < least && high > 0; sum += cellOf(s, high)) high--;
  const apart = high - low;
  let between: f64 = 0;
  for (let bin = low; bin < high; bin++) {
    if (4 * (bin - low) > apart && 4 * (high - bin) > apart) between += cellOf(s, bin);
  }
  const found = apart >= LEAST_APART && between <= (known ? MOST_BETWEEN_LATER : MOST_BETWEEN) * s.binTotal;
  if (found === known) return false;
  s.statesSince = found ? r.time : 0;
  s.lowState = <f32>(s.binFrom + s.binWidth * (<f64>low + 0.5));
  s.highState = <f32>(s.binFrom + s.binWidth * (<f64>high + 0.5));
  s.dwell = 0;
  s.stateFrom = r.time;
  return known;
}

/** Counts the reading's state on. Returns the time in it as a feature. */
export function followState(s: Sensor, r: Reading): f64 {
  const low = <f64>s.lowState;
  const high = <f64>s.highState;
  const isHigh = isHighState(s, r.scaled);
  const wasHigh = isHighState(s, normalise(s, s.lastValue));
  const share = (courseAt(s, r.halfHour, r.weekday) - low) / (high - low);
  const usual = max<f64>(LEAST_EXPECTED, min<f64>(1 - LEAST_EXPECTED, share));
  const step = LEVEL_RATE * (high - low);
  if (isHigh) s.highState = <f32>(r.scaled < high ? high - step : min<f64>(r.scaled, high + EDGE * step));
  else s.lowState = <f32>(r.scaled > low ? low + step : max<f64>(r.scaled, low - EDGE * step));
  r.ended = 0;
  if (isHigh !== wasHigh || r.time - s.stateFrom >= WEEK_US) {
    r.ended = s.dwell;
    s.dwell = 0;
    s.stateFrom = r.time;
  }
  s.dwell = s.dwell + min<f64>((r.time - r.lastTime) / s.interval, LONGEST_GAP) * (isHigh ? 1 - usual : usual);
  return ln(1 + s.dwell);
}

/** What is learnt of the time in states: that of one which has ended, as far as it goes beyond the `longest` so far. */
export function learntLength(s: Sensor, r: Reading, longest: f64): f64 {
  const ended = ln(1 + r.ended);
  return s.incident === 0 || !judgesStates(s) ? ended : min<f64>(ended, longest + GROWTH);
}
