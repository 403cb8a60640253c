/**
 * The rhythm in which a sensor's readings arrive, by the log's time, and how long a silence may last before it is reported. Learnt from
 * arrivals and not from observation times: a device that uploads ten readings every ten minutes arrives every ten minutes. The gaps
 * between arrivals are counted by their length, in units of the usual gap; the silence reported is the one that comes no more often than
 * the alarm budget allows.
 */
import { Profile, SENSOR_GAPS, SENSOR_GAPS_COUNT, Sensor } from "./layout";
import { exp, ln } from "./numbers";
import { WARM_READINGS } from "./tables";

const DAY_US: f64 = 86_400e6;
/** Sensors whose newest reading is older than this when readings arrive are being replayed, not silent. */
const HISTORY_US: f64 = 3600e6;
const HISTORY_INTERVALS: f64 = 10;
/** A gap counts at each of these heights that it reaches: 2.5, 6.25, 15.6 … 9,537 usual gaps (a minute's: a week). */
const HEIGHT_STEP: f64 = 2.5;
const LN_STEP: f64 = 0.9162907318741551;
/** Gaps fade over two weeks, or over 50 arrivals where those take longer. */
const MEMORY_US: f64 = 14 * DAY_US;
const MEMORY_ARRIVALS: f64 = 50;
/** The usual gap: a mean over 100 arrivals, which one long gap moves little. */
const USUAL_ARRIVALS: f64 = 100;
const USUAL_LIMIT: f64 = 4;
/** Arrivals after which the usual gap is known well enough to speak of silence. */
const LEAST_ARRIVALS: f64 = 5;
/** No silence is reported before this many usual gaps. */
const SILENT_GAPS: f64 = 3;
/** Share of the alarm budget that silence may use. */
const BUDGET_SHARE: f64 = 0.5;
/** Gaps of the first height that a sensor of which nothing is known is taken to have had in a day; the share of gaps that reach the next height. */
const PRIOR: f64 = 0.06;
const TAIL: f64 = 0.4;
/** Beyond the longest gap seen, so much of another one is taken to have been longer. */
const UNSEEN: f64 = 0.5;
/**
 * A silence that was reported counts as a gap one height longer, so that a new rhythm is reported once; and as no more than this many times
 * what was allowed, so that one long outage does not disable silence detection for the sensor.
 */
const REPORTED_LIMIT: f64 = 6.25;

/**
 * Learns from an arrival at the log's time `now`, and answers how long the sensor may be silent from then on, µs: forever during its
 * first readings, or when its readings are of long ago.
 */
export function arrived(s: Sensor, now: f64): f64 {
  const profile = changetype<Profile>(<usize>s.profile);
  if (now - s.lastTime > HISTORY_US + HISTORY_INTERVALS * s.interval) {
    forgetArrival(s);
    return Infinity;
  }
  updateRhythm(s, now, allowedGap(s, profile));
  if (s.readings <= WARM_READINGS) return Infinity;
  if (!isNaN(profile.silenceUs)) return profile.silenceUs;
  return max<f64>(SILENT_GAPS * s.interval, allowedGap(s, profile));
}

/** The next arrival is measured from nowhere: the log stood still, or what came was history. */
export function forgetArrival(s: Sensor): void {
  s.arrivedAt = 0;
}

/** An arrival at the log's time `now`; `allowed` is the former result of `allowedGap`. */
function updateRhythm(s: Sensor, now: f64, allowed: f64): void {
  const before = s.arrivedAt;
  s.arrivedAt = now;
  if (before === 0) return;
  const gap = now - before;
  const n = s.arrivals;
  const usual = s.usualGap;
  if (n >= LEAST_ARRIVALS)
    countGap(s, gap > allowed ? min<f64>(HEIGHT_STEP * gap, REPORTED_LIMIT * allowed) : gap, gap);
  const bounded = n > 4 ? min<f64>(gap, USUAL_LIMIT * usual) : gap;
  s.usualGap = usual + (bounded - usual) / min<f64>(n + 1, USUAL_ARRIVALS);
  s.arrivals = n + 1;
}

function countGap(s: Sensor, counted: f64, gap: f64): void {
  const usual = s.usualGap;
  const kept = 1 / (1 + gap / max<f64>(MEMORY_US, MEMORY_ARRIVALS * usual));
  s.daysHeard = s.daysHeard * kept + gap / DAY_US;
  let height = HEIGHT_STEP;
  for (let k = 0; k < SENSOR_GAPS_COUNT; k++, height *= HEIGHT_STEP) {
    const at = gapsOf(s, k);
    store<f64>(at, load<f64>(at) * kept + (counted >= height * usual ? 1 : 0));
  }
}

/** Address of the count of gaps that reached a height. */
function gapsOf(s: Sensor, height: i32): usize {
  return changetype<usize>(s) + SENSOR_GAPS + ((<usize>height) << 3);
}

/** How long the sensor may be silent, µs: Infinity until its rhythm is known. */
function allowedGap(s: Sensor, profile: Profile): f64 {
  if (s.arrivals < LEAST_ARRIVALS) return Infinity;
  const usual = s.usualGap;
  return usual * max<f64>(SILENT_GAPS, allowedHeight(s, (s.daysHeard + 1) * BUDGET_SHARE * profile.alarmsPerSensorDay));
}

/** The height, in usual gaps, that no more than `allowed` of the gaps reach; between two heights by a straight line of logarithms. */
function allowedHeight(s: Sensor, allowed: f64): f64 {
  let before: f64 = 0;
  let prior = PRIOR;
  let unseen: f64 = 0;
  let height: f64 = 1;
  for (let k = 0; k < SENSOR_GAPS_COUNT; k++) {
    const seen = load<f64>(gapsOf(s, k));
    unseen = seen >= UNSEEN ? UNSEEN : unseen * TAIL;
    const count = seen + prior + (seen >= UNSEEN ? 0 : unseen);
    if (count <= allowed) {
      return k === 0 ? 0 : height * exp((LN_STEP * ln(before / allowed)) / ln(before / count));
    }
    before = count;
    prior *= TAIL;
    height *= HEIGHT_STEP;
  }
  return height;
}
