/**
 * The threshold: the raw score that normal readings reach as often as the alarm budget allows. Signals of AT_TEN_THOUSAND come about
 * once in 10,000 normal readings, and each e-fold of rarity adds PER_EFOLD (fitted to clean simulated sensors of other seeds than the
 * catalogue's, and to spacecraft telemetry; docs/internals/evaluation.md).
 */
import { Profile, Reading, SENSOR_NET_LABELS, Sensor } from "./layout";
import { exp, ln } from "./numbers";
import { holdsValues } from "./quantity";
import { model } from "./state";
import { REASON_MEAN24, REASON_MEAN96, REASON_PATTERN, REASON_RARE, REASON_SCATTER, REASON_SEASON } from "./tables";

const AT_TEN_THOUSAND: f64 = 2.4;
const PER_EFOLD: f64 = 0.35;
/** A sensor that reads once an hour or less often would be allowed an alarm every few readings: it does not use its budget up. */
const LOWEST: f64 = 1.8;
/** Natural logarithm of 1e-4. */
const TEN_THOUSANDTH: f64 = -9.210340371976182;
/** Confidence grows with readings: the threshold of a sensor's reading n is higher by COLD / (n + COLD_OFFSET). */
const COLD: f64 = 400;
const COLD_OFFSET: f64 = 76;
/**
 * Until a sensor has been seen for a week, much of what is new to it is its week: its threshold is higher by up to this share. The first
 * hours are the cold start's.
 */
const YOUNG_SHARE: f64 = 0.2;
const YOUNG_FROM_DAYS: f64 = 0.25;
const YOUNG_DAYS: f64 = 7;
/**
 * Once a sensor has been seen for two hours, what means, courses and scatter say on its first day is mostly its day, which they do not know:
 * until the next morning they are told from so many thresholds on, fading in over two hours and out over six. And until it has been seen for
 * a week a distance from its season is told from so many: mostly it is the first weekend. What is learnt, and the signal, stay as they are.
 */
const FIRST_DAY_THRESHOLDS: f64 = 10;
const FIRST_DAY_FROM_US: f64 = 2 * 3600e6;
const FIRST_DAY_IN_US: f64 = 2 * 3600e6;
const FIRST_DAY_UNTIL_US: f64 = 30 * 3600e6;
const FIRST_DAY_OUT_US: f64 = 6 * 3600e6;
const FIRST_WEEK_THRESHOLDS: f64 = 1.6;
/**
 * A sensor was at rest where no more than this share of its value was expected, and nothing but what it varies by. It wakes for so long after
 * its last move; a value that stands is no new level before twice of that, so that it is told in between.
 */
const AT_REST: f64 = 0.05;
const WAKING_US: f64 = 3600e6;
/** Each label moves the threshold and the weight of the detector that spoke by this share, between these bounds. */
const LABEL_SHARE: f64 = 0.15;
const LOWEST_SHIFT: f64 = -0.3;
const HIGHEST_SHIFT: f64 = 0.6;
const LOWEST_WEIGHT: f64 = 0.4;
const HIGHEST_WEIGHT: f64 = 1.3;
/** The confidence is the chance that a normal sensor stays below the raw score for as long as 0.05 budgeted alarms take. */
const BUDGET_SHARE: f64 = 0.05129329438755058;
const DAY_US: f64 = 86_400e6;
/**
 * Blocks twice as long make a raw score rarer by as much as its logarithm doubled would, if all readings were independent: half of that
 * counts.
 */
const PER_DOUBLING: f64 = 0.5 * 0.6931471805599453;

/** The rarity asked for last and its logarithm: most sensors read at the same few intervals. */
let lastRarity: f64 = 1;
let lastLogarithm: f64 = 0;

/** Raw score that a threshold of the confidence asks for beyond the one at 0.95. */
export function strictnessOf(confidence: f64): f64 {
  return PER_EFOLD * ln(BUDGET_SHARE / -ln(confidence));
}

/** The cold-start factor: how much dearer an alarm of a sensor of `n` readings is than a grown sensor's, 1 and more. */
export function coldStartFactor(n: f64): f64 {
  return 1 + COLD / (n + COLD_OFFSET);
}

/** How much dearer a verdict on a sensor is that has been seen for less than a week, 1 and more. */
function youthFactor(s: Sensor): f64 {
  const days = (s.readings * s.interval) / DAY_US;
  return days >= YOUNG_DAYS ? 1 : 1 + YOUNG_SHARE * min<f64>(1, days / YOUNG_FROM_DAYS) * (1 - days / YOUNG_DAYS);
}

/** From how many thresholds on a verdict for that reason is told of a sensor that is new, 1 and more. */
export function newFrom(s: Sensor, reason: u32): f64 {
  const seen = s.readings * s.interval;
  if (seen <= FIRST_DAY_FROM_US || seen >= YOUNG_DAYS * DAY_US || !looksBack(reason)) return 1;
  const within = min<f64>((seen - FIRST_DAY_FROM_US) / FIRST_DAY_IN_US, (FIRST_DAY_UNTIL_US - seen) / FIRST_DAY_OUT_US);
  const day = 1 + (FIRST_DAY_THRESHOLDS - 1) * max<f64>(0, min<f64>(1, within));
  return reason === REASON_SEASON ? max<f64>(day, FIRST_WEEK_THRESHOLDS) : day;
}

/**
 * Whether a sensor of which little more was seen than that it rests at zero begins to move on its first day: a door that is opened, a pump that
 * starts, the sun that rises. What then stays at one value for long is told.
 */
export function wakes(s: Sensor, r: Reading): bool {
  return isAwake(s, r) && r.time - s.changedAt < WAKING_US;
}

/** Whether a value that stands after its sensor woke is too recent to be its new level. */
export function hasJustWoken(s: Sensor, r: Reading): bool {
  return r.value === s.lastValue && isAwake(s, r) && r.time - s.changedAt < 2 * WAKING_US;
}

function isAwake(s: Sensor, r: Reading): bool {
  const seen = s.readings * s.interval;
  if (seen <= FIRST_DAY_FROM_US || seen >= FIRST_DAY_UNTIL_US || !holdsValues(s)) return false;
  return abs(r.expected) <= min<f64>(AT_REST * abs(r.value), r.band);
}

/** Whether a reason is of a detector that looks at the course of many readings, and not at where or for how long the value is. */
function looksBack(reason: u32): bool {
  return (
    reason === REASON_MEAN24 ||
    reason === REASON_MEAN96 ||
    reason === REASON_SEASON ||
    reason === REASON_PATTERN ||
    reason === REASON_SCATTER ||
    reason === REASON_RARE
  );
}

/** Raw score from which a reading is anomalous, with people's labels, before alarm-fatigue damping. */
export function thresholdOf(s: Sensor, profile: Profile): f64 {
  const rarity = DAY_US / s.interval / profile.alarmsPerSensorDay;
  if (rarity !== lastRarity) {
    lastLogarithm = ln(rarity);
    lastRarity = rarity;
  }
  const budgeted = AT_TEN_THOUSAND + PER_EFOLD * (lastLogarithm - PER_DOUBLING * s.blockDoublings + TEN_THOUSANDTH);
  const threshold = (max<f64>(LOWEST, budgeted) + model.strictness) * coldStartFactor(s.readings) * youthFactor(s);
  const labels = LABEL_SHARE * (s.labelledFalse - s.labelledTrue);
  return threshold * (1 + max<f64>(LOWEST_SHIFT, min<f64>(HIGHEST_SHIFT, labels)));
}

/** What a feature's raw score counts, from the labels of the alerts that it raised. */
export function weightOf(s: Sensor, feature: i32): f64 {
  const net = load<f64>(changetype<usize>(s) + SENSOR_NET_LABELS + ((<usize>feature) << 3));
  return net === 0 ? 1 : max<f64>(LOWEST_WEIGHT, min<f64>(HIGHEST_WEIGHT, 1 - LABEL_SHARE * net));
}

/** Confidence of a raw score, in steps of 1e-4 (0..10000): 9500 at the threshold of the default confidence. */
export function confidenceOf(rawScore: f64, threshold: f64): u32 {
  const tail = BUDGET_SHARE * exp((threshold - rawScore - model.strictness) / PER_EFOLD);
  return <u32>floor(10000 * exp(-tail) + 0.5);
}
