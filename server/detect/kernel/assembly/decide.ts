/** From features to a verdict, for a reading from the 24th on. */
import { anomalyScoreOf } from "./anomalyScore";
import { coldStartBand, scoreColdStart } from "./coldStart";
import { compress, dampingOf, emit } from "./emission";
import { errorScaleAt } from "./errorProfile";
import { extremeOf, scoreAbove, valueAtThreshold } from "./extremes";
import { feature, senseFeatures, sensePattern } from "./features";
import { follow, frozenExpectation, isBack, isEcho, isSticky, scoreReturn, settledFrom } from "./incident";
import {
  COLUMNS_ANOMALY,
  COLUMNS_BAND,
  COLUMNS_CONFIDENCE,
  COLUMNS_EXPECTED,
  COLUMNS_REASON,
  COLUMNS_SCORE,
  COLUMNS_SIGNAL,
  COLUMNS_VALUE,
  Profile,
  Reading,
  Sensor,
} from "./layout";
import { learn, updateLongestRun } from "./learn";
import { clamp } from "./numbers";
import { applyRules, ECHO_SHARE, nameReason } from "./rules";
import { updateSeason } from "./season";
import { alarmScore, BOTH, keepSide, voteOnSide } from "./sides";
import { columns, votes } from "./state";
import {
  BASELINE,
  COLD_START_READINGS,
  REASON_COLD_START,
  REASON_FORECASTER,
  REASON_HELD,
  REASON_STUCK,
  REASON_VALUE,
  RESIDUAL,
  WARM_READINGS,
} from "./tables";
import { coldStartFactor, confidenceOf, hasJustWoken, newFrom, thresholdOf, wakes } from "./threshold";
import { BASELINE_GAIN, vote, writeVotes } from "./vote";

/** Features, votes, threshold, verdict, learning. */
export function decide(s: Sensor, profile: Profile, r: Reading): void {
  const frozen = s.incident > 0;
  r.coldStart = r.before < COLD_START_READINGS ? 1 : 0;
  r.forecastError = clamp(abs(r.value - s.forecast) * s.gain);
  r.errorScale = errorScaleAt(s, r.halfHour);
  updateLongestRun(s, r);
  senseFeatures(s, r, r.before + 1, WARM_READINGS + 1);
  sensePattern(s, r, frozen);
  r.threshold = thresholdOf(s, profile);
  r.damping = dampingOf(s);
  const sticky = isSticky(s);
  r.expected = sticky ? frozenExpectation(s, r) : r.coldStart ? s.level : s.forecast;
  if (!sticky) s.band = bandOf(s, profile, r);
  r.band = s.band;
  r.reason = REASON_COLD_START;
  if (r.coldStart) r.rawScore = scoreColdStart(s, profile, r);
  else vote(s, r);
  const sided = profile.sides !== BOTH;
  if (sided) voteOnSide(s, profile, r);
  if (votes.asked) writeVotes(s, r);
  r.rawScore = r.rawScore / r.damping;
  applyRules(s, profile, r);
  const height = (alarmScore(profile, r) * r.damping) / coldStartFactor(s.readings);
  const signal = emit(s, compress(height) / r.damping, r.reason === REASON_HELD);
  store<f32>(columns + COLUMNS_SIGNAL + (r.row << 2), <f32>signal);
  judgeIncident(s, r, sticky);
  learn(s, r);
  if (sided) keepSide(s, profile, r, s.byRate !== 0 && rawOf(r) < s.rawValue);
  withhold(s, r);
  report(s, r);
}

/** The measured value: of a counter its count. */
function rawOf(r: Reading): f64 {
  return load<f64>(columns + COLUMNS_VALUE + ((<usize>r.row) << 3));
}

/** Where the forecast's error alone would reach the threshold. */
function bandOf(s: Sensor, profile: Profile, r: Reading): f64 {
  if (r.coldStart) return coldStartBand(s, profile, r.threshold);
  const error = valueAtThreshold(extremeOf(s, BASELINE), r.threshold / BASELINE_GAIN) * r.errorScale;
  return max<f64>(error / s.gain, 1e-9 * abs(s.level));
}

/**
 * Follows the incident. A value that stays or returns outside the band is anomalous, a stuck one until it moves; and a value that is
 * back where it was expected before is normal, whatever other detectors vote.
 */
function judgeIncident(s: Sensor, r: Reading, sticky: bool): void {
  const threshold = r.threshold;
  const stuck = s.called === <f64>REASON_STUCK && r.value === s.lastValue;
  const echo = isEcho(s) && isOfWindow(r.reason) && abs(r.value - r.expected) <= r.band;
  const held = r.reason === REASON_HELD;
  const sticks = stuck || ((held || r.reason === REASON_STUCK) && r.rawScore > 0);
  const back = !r.coldStart && !sticks && (isBack(s, r) || echo);
  if (back) r.rawScore = min<f64>(r.rawScore, ECHO_SHARE * threshold);
  if (r.ruleScore > r.rawScore) {
    r.rawScore = r.ruleScore;
    r.reason = r.ruleReason;
  }
  let outside = max<f64>(sticky && !back ? (threshold * abs(r.value - r.expected)) / r.band : 0, stuck ? threshold : 0);
  // A value that sticks is told until it moves.
  r.toldFrom = sticks ? 1 : settledFrom(s);
  r.baselineScore = BASELINE_GAIN * scoreAbove(extremeOf(s, BASELINE), feature(RESIDUAL));
  follow(s, r, max<f64>(r.rawScore, outside) >= threshold, stuck || held || hasJustWoken(s, r));
  if (s.incident === 0) updateSeason(s, r.halfHour, r.weekday, r.scaled, r.before - WARM_READINGS);
  const returned = scoreReturn(s, r, back || max<f64>(r.rawScore, outside) >= threshold);
  if (returned > outside) outside = returned;
  if (outside > r.rawScore) {
    r.rawScore = outside;
    if (outside >= threshold) r.reason = REASON_FORECASTER;
  }
  r.back = back ? 1 : 0;
  r.outside = outside;
  if (r.rawScore >= threshold) r.reason = nameReason(s, r);
  s.called = r.rawScore >= threshold ? <f64>r.reason : 0;
  votes.total = r.rawScore * r.damping;
  votes.outside = outside * r.damping;
}

/**
 * Takes from a verdict what is abnormal, and not told: of a new sensor, and of an incident that has settled, as far as the value is within its
 * band; and that a new sensor that has rested begins to move. A broken rule is certain. To the incident the reading is abnormal all the same.
 */
function withhold(s: Sensor, r: Reading): void {
  if (r.ruleScore > 0 && r.ruleScore >= r.rawScore) return;
  if (abs(r.value - r.expected) > r.band) {
    if (r.rawScore < r.threshold || !wakes(s, r)) return;
    votes.wakes = 1;
    r.rawScore = ECHO_SHARE * r.threshold;
    s.called = 0;
    return;
  }
  const thresholds = max<f64>(r.toldFrom, newFrom(s, r.reason));
  if (thresholds === 1) return;
  votes.threshold = thresholds * r.threshold * r.damping;
  if (r.rawScore < r.threshold || r.rawScore >= thresholds * r.threshold) return;
  r.rawScore = ECHO_SHARE * r.threshold;
  s.called = 0;
}

/** Reasons of detectors that look at many readings: an incident is in their windows for a while after its end. */
function isOfWindow(reason: u32): bool {
  return reason !== REASON_VALUE && reason !== REASON_FORECASTER;
}

function report(s: Sensor, r: Reading): void {
  const i = r.row;
  const rawScore = r.rawScore;
  const abnormal = rawScore >= r.threshold;
  store<f32>(columns + COLUMNS_EXPECTED + (i << 2), <f32>r.expected);
  store<f32>(columns + COLUMNS_BAND + (i << 2), <f32>r.band);
  store<u8>(columns + COLUMNS_ANOMALY + i, abnormal ? 1 : 0);
  store<u8>(columns + COLUMNS_REASON + i, rawScore > 0 ? r.reason : 0);
  store<u16>(columns + COLUMNS_CONFIDENCE + (i << 1), rawScore > 0 ? confidenceOf(rawScore, r.threshold) : 0);
  store<u16>(columns + COLUMNS_SCORE + (i << 1), abnormal ? anomalyScoreOf(s, r) : 0);
}
