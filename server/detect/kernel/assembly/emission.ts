/** The signal that is ranked where no threshold is set, and the damping by the sensor's own recent alarms. */
import { Sensor } from "./layout";
import { ln } from "./numbers";

/** No further emission for this many readings, unless it is higher by this factor. */
export const QUIET_READINGS: f64 = 100;
const QUIET_FACTOR: f64 = 1.5;
/** Own alarms fade over this many readings. */
const ALARM_MEMORY: f64 = 2000;
/** What an alarm adds to the sum of own alarms: its raw score by this, at most one. */
const FULL_ALARM: f64 = 10;
const DAMPING: f64 = 0.5;
/** From here on the signal grows with the logarithm of the raw score: what is certain needs no further alarms on its way up. */
const CERTAIN: f64 = 4;

/** Alarm-fatigue damping: own recent alarms make the next one dearer; raw scores are divided by this. */
export function dampingOf(s: Sensor): f64 {
  return 1 + DAMPING * s.alarms;
}

/** A raw score as the signal tells it. */
export function compress(rawScore: f64): f64 {
  return rawScore > CERTAIN ? CERTAIN * (1 + ln(rawScore / CERTAIN)) : rawScore;
}

/** The signal: the first of an excursion, then only what is clearly higher. A state that `lasts` is one excursion for as long. */
export function emit(s: Sensor, signal: f64, lasts: bool): f64 {
  s.alarms = s.alarms * (1 - 1 / ALARM_MEMORY);
  if (!lasts || s.sinceEmission > QUIET_READINGS) s.sinceEmission = s.sinceEmission + 1;
  if (signal <= 0) return 0;
  if (s.sinceEmission <= QUIET_READINGS && signal <= QUIET_FACTOR * s.peak) return 0;
  s.sinceEmission = 0;
  s.peak = signal;
  s.alarms = s.alarms + min<f64>(1, signal / FULL_ALARM);
  return signal;
}
