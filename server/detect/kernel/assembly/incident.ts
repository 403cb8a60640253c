/** Incidents: from an abnormal reading until the sensor is calm, or until its new level is accepted. */
import { acceptLevel, LEVEL_RATE } from "./coldStart";
import { Reading, Sensor } from "./layout";
import { meanOfLast } from "./normalise";
import { profileAt } from "./season";
import { RESIDUAL } from "./tables";
import { weightOf } from "./threshold";
import { voiceOf } from "./vote";

/** Normal readings in a row after which learning goes on (the alert closes later, episode.ts). */
const CALM_READINGS: i32 = 5;
/** The level is accepted as the new normal after so many readings, or earlier: once they span so much time and are so many. */
export const ACCEPT_READINGS: f64 = 240;
const ACCEPT_US: f64 = 4 * 3600e6;
const LEAST_ACCEPT_READINGS: f64 = 40;
/** In the cold start, when a new regime is as likely as a fault. */
const COLD_ACCEPT_READINGS: f64 = 24;
/** An incident that began within its band has settled after so long and so many readings; the thresholds grow with each further hour. */
const SETTLED_US: f64 = 3600e6;
const SETTLED_READINGS: f64 = 4;
const SETTLED_THRESHOLDS: f64 = 1.7;
/**
 * An excursion that comes back is reported again where it goes this many times beyond the threshold. Each return counts as so many
 * readings outside; with ACCEPT_READINGS of them, which fade over OUTSIDE_MEMORY, the baseline takes them in: it is what this sensor
 * does.
 */
const RETURN_THRESHOLDS: f64 = 2;
const RETURN_COUNTS: f64 = 200;
const RETURN_CALM: f64 = 10;
const OUTSIDE_MEMORY: f64 = 2000;

/**
 * A value within this share of the band around what was expected before an incident is back where it was, and what still speaks
 * then is the incident's echo. That counts within the incident, for ECHO_READINGS after it (until the longest window has let go of
 * it), and where a new level was accepted for FORMER_READINGS: the way back is no fault.
 */
const BACK_BANDS: f64 = 0.75;
const ECHO_READINGS: f64 = 30;
const FORMER_READINGS: f64 = 5000;

/** A single move that is this share of the way is no running down; nor is what keeps more than this share of what was expected. */
const JUMP_SHARE: f64 = 0.25;
const DOWN_SHARE: f64 = 0.8;

/**
 * From how many thresholds on an incident that began within its band is told: the longer it has lasted, the worse it must be. What means,
 * season or scatter say then for hours, while the value is where it may be, has been told; at first what is of low severity is left out.
 */
export function settledFrom(s: Sensor): f64 {
  const lasted = s.incident * s.interval;
  if (s.sticky >= 1 || s.incident < SETTLED_READINGS || lasted < SETTLED_US) return 1;
  return (SETTLED_THRESHOLDS * lasted) / SETTLED_US;
}

/** Whether the sensor is in an incident that began outside the band: what was expected stays, and so does the band. */
export function isSticky(s: Sensor): bool {
  return s.incident > 0 && s.sticky >= 1;
}

/** What was expected at the incident's start, moved by the season. */
export function frozenExpectation(s: Sensor, r: Reading): f64 {
  return s.level + profileAt(s, r.halfHour, r.weekday) / s.gain;
}

/** Readings of an incident after which its level is accepted. */
function acceptedAfter(s: Sensor, r: Reading): f64 {
  if (r.coldStart) return COLD_ACCEPT_READINGS;
  return max<f64>(LEAST_ACCEPT_READINGS, min<f64>(ACCEPT_READINGS, ACCEPT_US / s.interval));
}

/** The move from the reading before, in bands. */
function moveOf(s: Sensor, r: Reading): f64 {
  return s.band > 0 ? abs(r.value - s.lastValue) / s.band : 0;
}

/** Whether the value has gone well down toward zero in the incident, and not at once: as things do that are switched off. */
export function hasRunDown(s: Sensor, r: Reading): bool {
  // It is 1 where the value has not moved, and what was expected has.
  if (s.sticky <= 1 || r.value < 0 || r.value > DOWN_SHARE * r.expected) return false;
  return (s.sticky - 1) * s.band < JUMP_SHARE * abs(r.value - r.expected);
}

/** Begins, continues or ends the incident. A value that is `stuck` is not accepted as a new level. */
export function follow(s: Sensor, r: Reading, abnormal: bool, stuck: bool): void {
  const incident = s.incident;
  if (abnormal && incident === 0) {
    s.incident = 1;
    s.calm = 0;
    s.sticky = abs(r.value - r.expected) > s.band ? 1 + moveOf(s, r) : 0;
    s.level = r.expected - profileAt(s, r.halfHour, r.weekday) / s.gain;
    return;
  }
  if (incident === 0) {
    s.level = s.level + LEVEL_RATE * (r.value - s.level);
    s.sticky = 0;
    return;
  }
  s.incident = incident + 1;
  if (s.sticky >= 1) s.sticky = max<f64>(s.sticky, 1 + moveOf(s, r));
  s.calm = abnormal ? 0 : s.calm + 1;
  const accepted = incident >= acceptedAfter(s, r);
  if (s.calm < <f64>CALM_READINGS && (!accepted || stuck)) return;
  s.incident = 0;
  remember(s, r, accepted ? FORMER_READINGS : ECHO_READINGS);
  s.level = s.origin + meanOfLast(s, r.before + 1, CALM_READINGS) / s.gain;
  if (r.coldStart && accepted) acceptLevel(s, r.before + 1);
}

/** Keeps what was expected before the incident that ends for so many readings, unless an earlier one is remembered for longer. */
function remember(s: Sensor, r: Reading, readings: f64): void {
  if (s.formerLeft > readings) return;
  // Without a season its slow mean is left out: it will follow the new level, which the former one does not.
  const seasonal = s.season > 0;
  s.formerSeasonal = seasonal ? 1 : 0;
  s.formerLevel = seasonal ? s.level : frozenExpectation(s, r);
  s.formerBand = s.band;
  s.formerLeft = readings;
}

/** Whether an incident has ended so recently that the windows still hold it, and what was learnt of its end is no guide. */
export function isEcho(s: Sensor): bool {
  return s.incident === 0 && s.formerLeft > 0 && s.formerLeft <= ECHO_READINGS;
}

/** Whether the value is back where it was expected before the incident that is under way or has ended recently. */
export function isBack(s: Sensor, r: Reading): bool {
  if (s.incident > 0) {
    const distance = abs(r.value - frozenExpectation(s, r));
    return s.sticky >= 1 && (distance <= BACK_BANDS * s.band || isFormer(s, r));
  }
  const left = s.formerLeft;
  if (left === 0) return false;
  const back = isFormer(s, r);
  s.formerLeft = back ? min<f64>(left, ECHO_READINGS) - 1 : left - 1;
  return back;
}

/** Whether the value is what was expected before the newest incident that is remembered: the way back to it may have begun another one. */
function isFormer(s: Sensor, r: Reading): bool {
  if (s.formerLeft === 0) return false;
  const season = s.formerSeasonal === 1 ? profileAt(s, r.halfHour, r.weekday) / s.gain : 0;
  return abs(r.value - (s.formerLevel + season)) <= BACK_BANDS * s.formerBand;
}

/**
 * The baseline knows readings outside incidents alone: to it, an excursion that comes back is one again. Returns the raw score
 * where it is to be reported, else 0. `decided`: the reading is anomalous in any case, or back where it was.
 */
export function scoreReturn(s: Sensor, r: Reading, decided: bool): f64 {
  const raw = r.coldStart ? 0 : r.baselineScore;
  const outside = s.outside * (1 - 1 / OUTSIDE_MEMORY) + (raw >= r.threshold ? 1 : 0);
  s.outside = outside;
  const score = raw * voiceOf(RESIDUAL) * weightOf(s, RESIDUAL);
  const returned = !decided && score >= RETURN_THRESHOLDS * r.threshold * r.damping;
  if (!returned) {
    s.returning = max<f64>(0, s.returning - 1);
    return 0;
  }
  if (s.returning === 0) s.outside = outside + RETURN_COUNTS;
  s.returning = RETURN_CALM;
  return score / r.damping;
}
