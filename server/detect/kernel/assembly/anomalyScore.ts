/**
 * The anomaly score of an abnormal reading, which decides the severity: how far it is beyond the threshold. 0.5 at the threshold. Of a
 * sensor that holds its values the threshold says little, since any other value is far beyond it: there it is the change that counts.
 */
import { hasRunDown } from "./incident";
import { Reading, Sensor } from "./layout";
import { exp, ln } from "./numbers";
import { holdsValues } from "./quantity";

/** The score is 1 - 0.5 / (raw score / threshold)^EXPONENT: critical from 51 thresholds on. */
const EXPONENT: f64 = 0.41;
/** Share of the exponent of a sensor that was never seen before; all of it once it has been seen for a day. */
const YOUNG: f64 = 0.72;
const DAY_US: f64 = 86_400e6;
/** A change by nearly all of what was expected counts as so many thresholds at most; and so does any value where nothing was expected. */
const WHOLE_CHANGE: f64 = 60;
/** What has run down toward zero, an oven that cools or a fan that comes to rest, was mostly switched off: so many thresholds at most, high. */
const MOST_RUN_DOWN: f64 = 50;
/** What was expected is nothing where it is this small beside the value. */
const NOTHING: f64 = 1e-6;

/** In steps of 1e-4. */
export function anomalyScoreOf(s: Sensor, r: Reading): u32 {
  const ratio = r.rawScore / r.threshold;
  const known = min<f64>(1, (s.readings * s.interval) / DAY_US);
  const exponent = EXPONENT * (YOUNG + (1 - YOUNG) * known * known);
  const score = inSteps(exp(-exponent * ln(max<f64>(1, min<f64>(ratio, largestRatio(s, r, known))))));
  // A broken rule is certain: it is at least as bad as its raw score says, whatever others vote.
  return r.ruleScore > 0 ? max<u32>(score, inSteps(r.threshold / r.ruleScore)) : score;
}

function inSteps(share: f64): u32 {
  return <u32>floor(10000 * (1 - 0.5 * share) + 0.5);
}

/** How many thresholds the reading can count as, by the change that it is. */
function largestRatio(s: Sensor, r: Reading, known: f64): f64 {
  const byChange = changeRatio(s, r, known);
  return hasRunDown(s, r) ? min<f64>(MOST_RUN_DOWN, byChange) : byChange;
}

function changeRatio(s: Sensor, r: Reading, known: f64): f64 {
  if (!holdsValues(s) || s.byRate !== 0) return Infinity;
  const change = abs(r.value - r.expected);
  const expected = abs(r.expected);
  if (expected <= NOTHING * change) return WHOLE_CHANGE * known;
  return change >= expected ? Infinity : (WHOLE_CHANGE * change) / expected;
}
