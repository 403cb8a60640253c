/** The detectors' votes on a grown sensor's reading. */
import { allWithin, extremeOf, scoreAbove, scoreBothSides, scoreLarge } from "./extremes";
import { feature } from "./features";
import { MODEL_VOICE, Reading, Sensor, VOTES_SCORE, VOTES_WEIGHT } from "./layout";
import { model, votes } from "./state";
import { hasStates, judgesStates } from "./states";
import {
  BOTH_SIDES,
  EXTREMES_SCORED,
  FEATURES,
  PATTERN,
  RARITY,
  REASON_HELD,
  REASON_STUCK,
  RESIDUAL,
  reasonOf,
  SEASON,
  STUCK,
} from "./tables";
import { weightOf } from "./threshold";

/** Raw score of a pattern one range away from all known ones. */
const PATTERN_GAIN: f64 = 1.8;
/** A stuck value alone is common; it adds this share of its raw score to that of the others. */
const STUCK_GAIN: f64 = 0.5;
/** What the raw score of the forecast's error counts, and the same by the baseline. */
const RESIDUAL_GAIN: f64 = 0.75;
export const BASELINE_GAIN: f64 = 0.85;
/** What the raw score of the distance from the season counts. */
const SEASON_GAIN: f64 = 0.95;
/** What the raw score of a rare level counts. */
const RARITY_GAIN: f64 = 0.8;
/** What the raw score of a time in a state counts. */
const HELD_GAIN: f64 = 1.6;
/** Distances from the season count less where no season was found. */
const NO_SEASON_GAIN: f64 = 0.72;

export function voiceOf(k: i32): f64 {
  return load<f64>(changetype<usize>(model) + MODEL_VOICE + ((<usize>k) << 3));
}

/** The loudest detector speaks for all, and a little more where the value has stuck. Fills in raw score and reason. */
export function vote(s: Sensor, r: Reading): void {
  let loudest: f64 = 0;
  let reason: u32 = 0;
  const calm = allWithin(s, EXTREMES_SCORED) && scoreOf(s, RESIDUAL) === 0;
  for (let k = calm ? PATTERN : 0; k < FEATURES; k++) {
    if (k === STUCK && !hasStates(s)) continue;
    const score = scoreOf(s, k);
    if (score > loudest) {
      loudest = score;
      reason = reasonOfVote(k);
    }
  }
  r.rawScore = loudest + (calm ? 0 : scoreOfRun(s));
  r.reason = reason === 0 ? REASON_STUCK : reason;
}

/** What a run of equal values adds. Of a sensor of two states it is the time in a state that is judged, which votes like any other. */
export function scoreOfRun(s: Sensor): f64 {
  return hasStates(s) ? 0 : STUCK_GAIN * scoreOf(s, STUCK);
}

/** Reason of a feature that votes for itself. */
export function reasonOfVote(k: i32): u32 {
  return k === STUCK ? REASON_HELD : reasonOf(k);
}

/** A detector's vote: its raw score, by what people's labels made of its weight. */
export function scoreOf(s: Sensor, k: i32): f64 {
  const raw = rawScoreOf(s, k);
  return raw === 0 ? 0 : raw * voiceOf(k) * weightOf(s, k);
}

function rawScoreOf(s: Sensor, k: i32): f64 {
  const x = feature(k);
  if (k === PATTERN) return PATTERN_GAIN * x;
  const extreme = extremeOf(s, k);
  if (k === RARITY) return RARITY_GAIN * scoreAbove(extreme, x);
  if (k === RESIDUAL) return RESIDUAL_GAIN * scoreLarge(extreme, x);
  if (k === STUCK && hasStates(s)) return judgesStates(s) ? HELD_GAIN * scoreAbove(extreme, x) : 0;
  if (k >= BOTH_SIDES) return scoreAbove(extreme, x);
  const score = scoreBothSides(extreme, x);
  if (k !== SEASON || score === 0) return score;
  return SEASON_GAIN * (s.season > 0 ? score : NO_SEASON_GAIN * score);
}

/** Writes what each detector has to say, for an explanation, and that it was asked no more. */
export function writeVotes(s: Sensor, r: Reading): void {
  votes.asked = 0;
  votes.muted = 0;
  votes.wakes = 0;
  votes.threshold = r.threshold * r.damping;
  votes.coldStart = r.coldStart;
  votes.states = hasStates(s) ? 1 : 0;
  votes.coldStartScore = r.coldStart ? r.rawScore : 0;
  const at = changetype<usize>(votes);
  for (let k = 0; k < FEATURES; k++) {
    store<f64>(at + VOTES_WEIGHT + ((<usize>k) << 3), voiceOf(k) * weightOf(s, k));
    store<f64>(at + VOTES_SCORE + ((<usize>k) << 3), r.coldStart ? 0 : scoreOf(s, k));
  }
}
