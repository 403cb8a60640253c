/** The anomaly score of an abnormal reading, which decides the severity: how far it is beyond the threshold. 0.5 at the threshold. */
import { Reading, Sensor } from "./layout";
import { exp, ln } from "./numbers";

/** The score is 1 - 0.5 / (raw score / threshold)^EXPONENT: critical from 46 thresholds on. */
const EXPONENT: f64 = 0.42;
/** Share of the exponent of a sensor that was never seen before; all of it once it has been seen for a day. */
const YOUNG: f64 = 0.75;
const DAY_US: f64 = 86_400e6;

/** In steps of 1e-4. */
export function anomalyScoreOf(s: Sensor, r: Reading): u32 {
  const ratio = r.threshold / r.rawScore;
  const known = min<f64>(1, (s.readings * s.interval) / DAY_US);
  const exponent = EXPONENT * (YOUNG + (1 - YOUNG) * known);
  // A broken rule is certain: its raw score says how bad it is.
  const share = r.rawScore === r.ruleScore ? ratio : exp(exponent * ln(ratio));
  return <u32>floor(10000 * (1 - 0.5 * share) + 0.5);
}
