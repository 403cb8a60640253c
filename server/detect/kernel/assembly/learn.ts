/** What is learnt of a reading, and what not: incidents do not update the baseline, the error profile and the season. */

import { LEVEL_RATE } from "./coldStart";
import { QUIET_READINGS } from "./emission";
import { updateErrorProfile } from "./errorProfile";
import {
  BLOCK,
  calibrate,
  closeBlocks,
  extremeOf,
  lengthenBlocks,
  rangeTop,
  scoreLarge,
  startExtreme,
  startExtremeHigh,
  updateExtreme,
  updateExtremes,
  withinRange,
  withinScore,
} from "./extremes";
import { feature, senseFeatures } from "./features";
import { ACCEPT_READINGS, isEcho, isSticky } from "./incident";
import { Reading, Sensor } from "./layout";
import { fixScale, normalise, ringAt } from "./normalise";
import { clamp, ln } from "./numbers";
import { learnValue } from "./rarity";
import { features, learnt } from "./state";
import { findStates, hasStates, learntLength } from "./states";
import {
  BASELINE,
  BOTH_SIDES,
  EXTREMES,
  EXTREMES_SCORED,
  RESIDUAL,
  SCATTER,
  STUCK,
  VALUE,
  WARM_READINGS,
} from "./tables";

/** Least deviation of block extremes: of runs of equal values (logarithms), and of all else (scaled). */
const STUCK_LEAST: f64 = 0.3;
const LEAST: f64 = 1e-3;

/**
 * The first readings of an incident that began outside the band do not widen ranges, so that the next incident of its kind is told as
 * well; longer ones, and those of a sensor that has had more than so many of late (they fade over 2,000 readings), are what it does. Where
 * only means or courses went beyond what they were, that is at once what they are: alerts of them would last.
 */
const BOUNDED_READINGS: f64 = 20;
const LEAST_BOUNDED_READINGS: f64 = 8;
const BOUNDED_US: f64 = 4 * 3600e6;
const MOST_INCIDENTS: f64 = 5;
const INCIDENT_MEMORY: f64 = 2000;
/**
 * Of the forecast's error these readings count as no more than this raw score, once the sensor has been seen for so long: before, what
 * looks like an incident is often its day.
 */
const LEARNT_SCORE: f64 = 2;
const KNOWN_US: f64 = 3 * 86_400e6;
/** A run that ends in an incident counts as no more than so many times the longest one, and so many readings; or as this share of itself. */
const RUN_GROWTH: f64 = 2;
const LEAST_RUN: f64 = 4;
const RUN_SHARE: f64 = 0.25;

/**
 * What a sensor that reads often does in an hour says little of what it does in a day. Once its longest block (so many of its shortest)
 * has been seen so often, blocks become twice as long, until the longest one spans six hours.
 */
const LENGTHS: f64 = 8;
const LONG_BLOCKS: f64 = 20;
const LONGEST_US: f64 = 6 * 3600e6;

/** Typical interval: a mean that one long gap moves little. */
export function updateInterval(s: Sensor, r: Reading): void {
  const n = r.before;
  if (n === 0) return;
  const gap = r.time - s.lastTime;
  const mean = s.interval;
  const bounded = n > 4 && gap > 4 * mean ? 4 * mean : gap;
  s.interval = n === 1 ? gap : mean + (bounded - mean) / min<f64>(n, 100);
}

/**
 * Keeps the longest run of equal values; called before the run that the reading goes on with or ends is counted. One that ends in an
 * incident counts in part: a value that sticks is told again the next time, and one that does so time after time is what the sensor does.
 */
export function updateLongestRun(s: Sensor, r: Reading): void {
  if (r.value === s.lastValue) return;
  const longest = s.longestRun;
  const most = max<f64>(RUN_GROWTH * longest + LEAST_RUN, RUN_SHARE * s.run);
  const counted = s.incident === 0 ? s.run : min<f64>(s.run, most);
  s.longestRun = max<f64>(longest, counted);
  if (s.lastValue !== 0) s.longestRunAloft = max<f32>(s.longestRunAloft, <f32>counted);
}

/** With the last of the first readings: fixes the scale and starts the extremes. */
export function startJudging(s: Sensor, r: Reading): void {
  const seen = <i32>WARM_READINGS;
  fixScale(s, seen);
  s.sinceEmission = QUIET_READINGS;
  let level = ringAt(s, 0);
  let spread: f64 = 0;
  for (let j = 0; j < seen; j++) {
    const residual = abs(ringAt(s, j) - level);
    if (j > 3 && residual > spread) spread = residual;
    level += LEVEL_RATE * (ringAt(s, j) - level);
  }
  s.level = s.origin + level / s.gain;
  s.coldSpread = spread / s.gain;
  r.scaled = normalise(s, r.value);
  // Nothing was expected of it yet; what is no number stays none.
  r.forecastError = clamp(abs(r.value - r.value) * s.gain);
  r.errorScale = 1;
  senseFeatures(s, r, WARM_READINGS, WARM_READINGS + 1);
  for (let k = 0; k < EXTREMES_SCORED; k++) startExtreme(extremeOf(s, k), feature(k));
  startExtreme(extremeOf(s, BASELINE), feature(RESIDUAL));
  for (let j = 0; j < seen; j++) updateExtreme(extremeOf(s, VALUE), ringAt(s, j), 1 / <f64>(j + 1));
}

/**
 * Takes the reading into extremes and error profile. The baseline and the error profile learn nothing in an incident, and of what is
 * outside only what lasts or keeps returning.
 */
export function learn(s: Sensor, r: Reading): void {
  const rate = 1 / min<f64>(r.before, 1000);
  s.incidents = s.incidents * (1 - 1 / INCIDENT_MEMORY) + (s.incident === 1 ? 1 : 0);
  if (s.incident === 0 || s.incidents > MOST_INCIDENTS) learnValue(s, r.scaled);
  const from = learntFeatures(s, r);
  if (hasStates(s)) {
    // Time in a state is learnt of states that have ended: readings in between say nothing of it.
    updateExtremes(s, SCATTER, from, rate);
    updateExtreme(extremeOf(s, SCATTER), load<f64>(from + ((<usize>SCATTER) << 3)), rate);
    if (r.ended > 0) learnLength(s, r, rate);
  } else updateExtremes(s, EXTREMES_SCORED, from, rate);
  if (s.incident === 0) {
    if (!isEcho(s)) updateErrorProfile(s, r.halfHour, r.forecastError);
    const outside = r.baselineScore >= r.threshold;
    const settled = !outside && !isEcho(s);
    if (settled || s.outside >= ACCEPT_READINGS) updateExtreme(extremeOf(s, BASELINE), feature(RESIDUAL), rate);
  }
  const judged = r.before + 1 - WARM_READINGS;
  const shortest = shortestBlock(s);
  const blocks = judged / shortest;
  if (blocks !== floor(blocks)) return;
  for (let k = 0; k < EXTREMES; k++) closeBlocks(extremeOf(s, k), judged, leastOf(k), shortest);
  if (findStates(s, r)) {
    // From now on it is runs of equal values again.
    startExtremeHigh(extremeOf(s, STUCK), ln(1 + s.longestRun));
    calibrateExtreme(s, STUCK);
  }
  const longest = LENGTHS * shortest;
  const closed = judged / longest;
  if (closed < LONG_BLOCKS || closed !== floor(closed) || longest * s.interval >= LONGEST_US) return;
  s.blockDoublings = s.blockDoublings + 1;
  for (let k = 0; k < EXTREMES; k++) lengthenBlocks(extremeOf(s, k));
}

/** Takes the length of a state that has ended in. */
function learnLength(s: Sensor, r: Reading, rate: f64): void {
  const at = extremeOf(s, STUCK);
  updateExtreme(at, learntLength(s, r, rangeTop(at)), rate);
}

/** Readings of the sensor's shortest block. */
function shortestBlock(s: Sensor): f64 {
  return <f64>(BLOCK << (<i32>s.blockDoublings));
}

/** Readings of an incident that do not widen the ranges. */
function boundedFor(s: Sensor): f64 {
  return max<f64>(LEAST_BOUNDED_READINGS, min<f64>(BOUNDED_READINGS, BOUNDED_US / s.interval));
}

/**
 * Address of what is learnt of the features. Of an incident's first readings it is what may be strange on both sides, and scatter, as far
 * as the ranges go, and the forecast's error as far as it is nearly normal.
 */
function learntFeatures(s: Sensor, r: Reading): usize {
  if (s.incident === 0 || s.incident > BOUNDED_READINGS || s.incidents > MOST_INCIDENTS) return features;
  const ranges = isSticky(s) && s.incident <= boundedFor(s);
  for (let k = 0; k < EXTREMES_SCORED; k++) {
    const within = ranges && (k < BOTH_SIDES || k === SCATTER);
    store<f64>(learnt + ((<usize>k) << 3), within ? withinRange(extremeOf(s, k), feature(k)) : feature(k));
  }
  const error = extremeOf(s, RESIDUAL);
  const isKnown = !r.coldStart && s.readings * s.interval >= KNOWN_US;
  if (isKnown && scoreLarge(error, feature(RESIDUAL)) > LEARNT_SCORE)
    store<f64>(learnt + ((<usize>RESIDUAL) << 3), withinScore(error, feature(RESIDUAL), LEARNT_SCORE));
  return learnt;
}

/** Renews the calibration of all extremes. */
export function calibrateAll(s: Sensor): void {
  for (let k = 0; k < EXTREMES; k++) calibrateExtreme(s, k);
}

/** Renews the calibration of one. */
export function calibrateExtreme(s: Sensor, k: i32): void {
  calibrate(extremeOf(s, k), s.readings - WARM_READINGS, leastOf(k), shortestBlock(s));
}

function leastOf(k: i32): f64 {
  return k === STUCK ? STUCK_LEAST : LEAST;
}
