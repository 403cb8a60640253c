import * as cell from "./cells.ts";
import type { ScoreBatch } from "./detector.ts";
import { ln } from "./math.ts";

/** No further emission for this many readings, unless it is higher by this factor. */
export const QUIET_READINGS = 100;
const QUIET_FACTOR = 1.5;
/** Own alarms fade over this many readings. */
const ALARM_MEMORY = 2000;
/** What an alarm adds to the sum of own alarms: its surprise by this, at most one. */
const FULL_ALARM = 10;
const WEARINESS = 0.5;
/** From here on the signal grows with the logarithm of the surprise: what is certain needs no further alarms on its way up. */
const CERTAIN = 4;

/** Own recent alarms make the next one dearer: what surprise is divided by. */
export function wearinessOf(d: Float64Array, o: number): number {
  return 1 + WEARINESS * d[o + cell.ALARMS]!;
}

/** A surprise as the signal tells it. */
export function squeeze(surprise: number): number {
  return surprise > CERTAIN ? CERTAIN * (1 + ln(surprise / CERTAIN)) : surprise;
}

/** The signal: the first of an excursion, then only what is clearly higher. */
export function emit(d: Float64Array, o: number, surprise: number): number {
  d[o + cell.ALARMS] = d[o + cell.ALARMS]! * (1 - 1 / ALARM_MEMORY);
  d[o + cell.SINCE] = d[o + cell.SINCE]! + 1;
  if (surprise <= 0) return 0;
  if (d[o + cell.SINCE]! <= QUIET_READINGS && surprise <= QUIET_FACTOR * d[o + cell.PEAK]!) return 0;
  d[o + cell.SINCE] = 0;
  d[o + cell.PEAK] = surprise;
  d[o + cell.ALARMS] = d[o + cell.ALARMS]! + Math.min(1, surprise / FULL_ALARM);
  return surprise;
}

/** Fills row `i` of a reading that is not judged. */
export function notJudged(batch: ScoreBatch, i: number): void {
  batch.confidence[i] = 0;
  batch.score[i] = 0;
  batch.anomaly[i] = 0;
  batch.reason[i] = 0;
  batch.signal[i] = 0;
  batch.expected[i] = Number.NaN;
  batch.band[i] = Number.NaN;
}
