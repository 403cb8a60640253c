import * as cell from "./cells.ts";
import { REASON_COUNTER, REASON_DROPOUT, REASON_RANGE, REASON_RATE, REASON_STUCK, REASON_UNIT } from "./reasons.ts";
import type { Settings } from "./settings.ts";

/**
 * What physics forbids, as far as somebody configured it. A broken rule is certain, so its surprise is a multiple of the bar
 * that gives the severity meant: the score is 1 - bar / (2·surprise).
 */
const RANGE_SURPRISE = 6; // critical
const RATE_SURPRISE = 3; // high
const STUCK_SURPRISE = 1.5; // medium

/** What applyRules found last: surprise (0 = nothing) and reason. */
export const ruling = { surprise: 0, reason: 0 };

export function applyRules(
  settings: Settings,
  d: Float64Array,
  o: number,
  value: number,
  time: number,
  bar: number,
): void {
  ruling.surprise = 0;
  const last = d[o + cell.LAST_VALUE]!;
  if (value < settings.rangeMin || value > settings.rangeMax) {
    ruling.surprise = RANGE_SURPRISE * bar;
    ruling.reason = REASON_RANGE;
  } else if (Math.abs(value - last) > settings.maxRatePerUs * (time - d[o + cell.LAST_TIME]!)) {
    ruling.surprise = RATE_SURPRISE * bar;
    ruling.reason = REASON_RATE;
  } else if (value === last && time - d[o + cell.CHANGED_AT]! >= settings.stuckUs) {
    ruling.surprise = STUCK_SURPRISE * bar;
    ruling.reason = REASON_STUCK;
  }
}

/** Conversions that devices get wrong: Celsius and Fahrenheit, and thousands. */
function looksConverted(value: number, expected: number, band: number): boolean {
  return (
    Math.abs(value - (1.8 * expected + 32)) <= 1.8 * band ||
    Math.abs(1.8 * value + 32 - expected) <= band ||
    Math.abs(value - 1000 * expected) <= 1000 * band ||
    Math.abs(1000 * value - expected) <= band
  );
}

/** A better name for why an abnormal value is abnormal, where its place gives it away. */
export function renameReason(reason: number, value: number, expected: number, band: number): number {
  const distance = Math.abs(value - expected);
  if (reason >= REASON_RANGE && reason <= REASON_COUNTER) return reason;
  if (value === 0 && distance > 3 * band) return REASON_DROPOUT;
  // A conversion that lands near the band explains nothing.
  return distance > 5 * band && looksConverted(value, expected, band) ? REASON_UNIT : reason;
}
