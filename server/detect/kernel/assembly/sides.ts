/**
 * Which abnormal readings are reported, where a sensor's settings leave a side out or turn it off. Everything else goes on as without
 * these settings: an excursion to the other side is an incident, of which season, error profile and band learn nothing. Only
 * alarm-fatigue damping counts what is reported alone.
 */

import { extremeOf, isAbove } from "./extremes";
import { feature } from "./features";
import { Profile, Reading, Sensor } from "./layout";
import { ECHO_SHARE, nameReason } from "./rules";
import { votes } from "./state";
import { hasStates, isHighState } from "./states";
import { BOTH_SIDES, FEATURES, REASON_FORECASTER, REASON_STUCK, RESIDUAL, STUCK } from "./tables";
import { reasonOfVote, scoreOf, scoreOfRun } from "./vote";

const NOTHING: u32 = 0;
const ABOVE: u32 = 1;
const BELOW: u32 = 2;
export const BOTH: u32 = 3;

/** The side of what is expected on which a value lies. */
function sideOf(value: f64, expected: f64): u32 {
  return value > expected ? ABOVE : BELOW;
}

/** The side on which a feature votes; NOTHING of scatter and pattern, which have none. */
function sideOfVote(s: Sensor, r: Reading, k: i32): u32 {
  if (k < BOTH_SIDES) return isAbove(extremeOf(s, k), feature(k)) ? ABOVE : BELOW;
  if (k === STUCK) return isHighState(s, r.scaled) ? ABOVE : BELOW;
  return k === RESIDUAL ? sideOf(r.value, r.expected) : NOTHING;
}

/**
 * The total of the votes on the reported side, once all have voted. A vote without a side goes with the value where that is outside the
 * band, else with the stronger side; a stuck value has none and adds to either.
 */
export function voteOnSide(s: Sensor, profile: Profile, r: Reading): void {
  r.sidedScore = 0;
  r.sidedReason = r.reason;
  if (profile.sides === NOTHING) return;
  const lies = (sideOf(r.value, r.expected) & profile.sides) !== 0;
  if (r.coldStart) {
    if (lies) r.sidedScore = r.rawScore;
    return;
  }
  let own: f64 = 0;
  let other: f64 = 0;
  let neither: f64 = 0;
  let reason: u32 = 0;
  let neitherReason: u32 = 0;
  for (let k = 0; k < FEATURES; k++) {
    if (k === STUCK && !hasStates(s)) continue;
    const score = scoreOf(s, k);
    if (score === 0) continue;
    const side = sideOfVote(s, r, k);
    if (side === NOTHING && score > neither) {
      neither = score;
      neitherReason = reasonOfVote(k);
    } else if ((side & profile.sides) !== 0 && score > own) {
      own = score;
      reason = reasonOfVote(k);
    } else if (side !== NOTHING && score > other) other = score;
  }
  const outside = abs(r.value - r.expected) > r.band;
  const leans = outside || own === other ? lies : own > other;
  if (leans && neither > own) {
    own = neither;
    reason = neitherReason;
  }
  r.sidedScore = own + scoreOfRun(s);
  r.sidedReason = reason === 0 ? REASON_STUCK : reason;
}

/** Raw score that counts as an alarm of the sensor, if it is one. */
export function alarmScore(profile: Profile, r: Reading): f64 {
  if (profile.sides === BOTH) return max<f64>(r.rawScore, r.ruleScore);
  return profile.sides === NOTHING ? 0 : max<f64>(r.sidedScore / r.damping, r.ruleScore);
}

/**
 * Takes from a verdict what is not reported. What has no side counts on either: a broken rule, a stuck value, a counter's reset
 * (`reset`).
 */
export function keepSide(s: Sensor, profile: Profile, r: Reading, reset: bool): void {
  const abnormal = r.rawScore >= r.threshold;
  if (profile.sides !== NOTHING) {
    if (!abnormal || reset || r.reason === REASON_STUCK) return;
    judgeSide(s, profile, r);
  } else r.rawScore = 0;
  votes.muted = abnormal && r.rawScore < r.threshold ? 1 : 0;
  votes.total = r.rawScore * r.damping;
}

/** Raw score and reason by the reported side alone. */
function judgeSide(s: Sensor, profile: Profile, r: Reading): void {
  let score = r.sidedScore / r.damping;
  r.reason = r.sidedReason;
  if (r.back) score = min<f64>(score, ECHO_SHARE * r.threshold);
  if (r.outside > score && (sideOf(r.value, r.expected) & profile.sides) !== 0) {
    score = r.outside;
    r.reason = REASON_FORECASTER;
  }
  if (r.ruleScore > score) {
    score = r.ruleScore;
    r.reason = r.ruleReason;
  }
  r.rawScore = score;
  if (score >= r.threshold) r.reason = nameReason(s, r);
}
