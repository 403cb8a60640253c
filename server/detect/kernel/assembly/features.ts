/** What of a reading may be strange: fills the features in, in the order of their table (tables.ts). */
import { extremeOf, rangeTop } from "./extremes";
import { Reading, Sensor } from "./layout";
import { meanOfLast } from "./normalise";
import { deviation, ln } from "./numbers";
import { patternDistance, point } from "./patterns";
import { rarityOf } from "./rarity";
import { profileAt } from "./season";
import { features } from "./state";
import { followState, hasStates } from "./states";
import { MEAN24, MEAN96, PATTERN, RARITY, RESIDUAL, SCATTER, SEASON, STUCK, VALUE } from "./tables";

/** Smoothing of the distance from the season, over about 12 readings, and of how rare values are, over about 30. */
const SEASON_RATE: f64 = 2.0 / 13.0;
const RARITY_RATE: f64 = 2.0 / 31.0;
/** Smoothing of the forecast's errors: over about 24. No error counts as more than this share of the largest that is normal. */
const SCATTER_RATE: f64 = 2.0 / 25.0;
const SCATTER_SHARE: f64 = 0.7;
/** Until this reading the scatter is a plain mean. */
const SCATTER_EARLY: f64 = 50;
/** Readings before patterns speak. */
const PATTERN_READINGS: f64 = 100;

export function feature(k: i32): f64 {
  return load<f64>(features + ((<usize>k) << 3));
}

function setFeature(k: i32, x: f64): void {
  store<f64>(features + ((<usize>k) << 3), x);
}

/** Fills in the features of the newest reading, but for the pattern. `seen` counts it, `first` is the sensor's first judged one. */
export function senseFeatures(s: Sensor, r: Reading, seen: f64, first: f64): void {
  setFeature(VALUE, r.scaled);
  setFeature(MEAN24, s.sum24 / min<f64>(seen, 24));
  setFeature(MEAN96, s.sum96 / min<f64>(seen, 96));
  const residual = seen > first ? r.scaled - profileAt(s, r.halfHour, r.weekday) : 0;
  s.seasonResidual = s.seasonResidual + (residual - s.seasonResidual) * SEASON_RATE;
  s.rarity = s.rarity + (rarityOf(s, r.scaled) - s.rarity) * RARITY_RATE;
  setFeature(SEASON, s.seasonResidual);
  setFeature(RARITY, s.rarity);
  const error = r.forecastError / r.errorScale;
  setFeature(RESIDUAL, error);
  updateScatter(s, seen, first, error);
  setFeature(SCATTER, s.scatterMean);
  s.run = r.value === s.lastValue ? s.run + 1 : 0;
  setFeature(STUCK, hasStates(s) ? followState(s, r) : s.run === 0 ? 0 : ln(1 + s.run));
  setFeature(PATTERN, 0);
}

/** Mean size of the forecast's recent errors: one large error raises it no further than a normal one, many do. */
function updateScatter(s: Sensor, seen: f64, first: f64, error: f64): void {
  const before = s.scatterMean;
  const early = seen < SCATTER_EARLY;
  const bounded = early ? error : min<f64>(error, SCATTER_SHARE * rangeTop(extremeOf(s, RESIDUAL)));
  const rate = early ? 1 / (seen - first + 2) : SCATTER_RATE;
  s.scatterMean = before + (bounded - before) * rate;
}

/** Fills in how far the course is from all patterns seen, and learns it unless `frozen`. */
export function sensePattern(s: Sensor, r: Reading, frozen: bool): void {
  const seen = r.before + 1;
  const spread = deviation(s.sum24, s.square24, min<f64>(seen, 24));
  store<f32>(point, <f32>feature(VALUE));
  store<f32>(point + 4, <f32>(meanOfLast(s, seen, 6) - s.sum48 / min<f64>(seen, 48)));
  store<f32>(point + 8, <f32>ln(spread + 1e-4));
  const distance = patternDistance(s, r.before, frozen);
  setFeature(PATTERN, r.before < PATTERN_READINGS ? 0 : distance);
}
