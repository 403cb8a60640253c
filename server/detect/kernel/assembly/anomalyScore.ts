/**
 * The anomaly score of an abnormal reading, which decides the severity: how far it is beyond the threshold. 0.5 at the threshold. Of a
 * sensor that holds its values the threshold says little, since any other value is far beyond it: there it is the change that counts.
 */
import { Reading, Sensor } from "./layout";
import { exp, ln } from "./numbers";

/** The score is 1 - 0.5 / (raw score / threshold)^EXPONENT: critical from 46 thresholds on. */
const EXPONENT: f64 = 0.42;
/** Share of the exponent of a sensor that was never seen before; all of it once it has been seen for a day. */
const YOUNG: f64 = 0.75;
const DAY_US: f64 = 86_400e6;
/** A sensor holds its values where this share of its readings repeats the one before. */
const HELD: f64 = 0.5;
/** A change by all of what was expected, once the sensor has been seen for a day, counts as so many thresholds. */
const WHOLE_CHANGE: f64 = 60;

/** In steps of 1e-4. */
export function anomalyScoreOf(s: Sensor, r: Reading): u32 {
  const known = min<f64>(1, (s.readings * s.interval) / DAY_US);
  let ratio = r.threshold / r.rawScore;
  if (<f64>s.repeats >= HELD && s.byRate === 0)
    ratio = max<f64>(ratio, 1 / max<f64>(1, WHOLE_CHANGE * known * changeOf(r)));
  const exponent = EXPONENT * (YOUNG + (1 - YOUNG) * known);
  // A broken rule is certain: its raw score says how bad it is.
  const share = r.rawScore === r.ruleScore ? ratio : exp(exponent * ln(ratio));
  return <u32>floor(10000 * (1 - 0.5 * share) + 0.5);
}

/** How far the value is from what was expected, as a share of that; at most 1. */
function changeOf(r: Reading): f64 {
  const distance = abs(r.value - r.expected);
  const size = abs(r.expected);
  return distance >= size ? 1 : distance / size;
}
