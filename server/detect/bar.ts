import * as cell from "./cells.ts";
import { exp, ln } from "./math.ts";
import type { Settings } from "./settings.ts";

/**
 * The bar: the surprise that normal readings reach as often as the alarm budget allows. Signals of BAR_AT_TEN_THOUSAND come about
 * once in 10,000 normal readings, and each e-fold of rarity adds PER_EFOLD (fitted to clean simulated sensors of other seeds than the
 * catalogue's, and to spacecraft telemetry; docs/evaluation.md).
 */
const BAR_AT_TEN_THOUSAND = 2.3;
const PER_EFOLD = 0.35;
/** A sensor that reads once an hour or less often would be allowed an alarm every few readings: it does not use its budget up. */
const LOWEST_BAR = 1.8;
/** Natural logarithm of 1e-4. */
const TEN_THOUSANDTH = -9.210340371976182;
/** Confidence grows with readings: the bar of a sensor's reading n is higher by COLD / (n + COLD_OFFSET). */
const COLD = 400;
const COLD_OFFSET = 76;
/** Each label moves the bar and the weight of the detector that spoke by this share, between these bounds. */
const LABEL_SHARE = 0.15;
const LOWEST_BAR_SHIFT = -0.3;
const HIGHEST_BAR_SHIFT = 0.6;
const LOWEST_WEIGHT = 0.4;
const HIGHEST_WEIGHT = 1.3;
/** The confidence is the chance that a normal sensor stays below the surprise for as long as 0.05 budgeted alarms take. */
const BUDGET_SHARE = 0.05129329438755058;
const DAY_US = 86_400e6;

/** Surprise that a threshold of the confidence asks for beyond the one at 0.95. */
export function strictnessOf(threshold: number): number {
  return PER_EFOLD * ln(BUDGET_SHARE / -ln(threshold));
}

/** How much dearer an alarm of a sensor of `n` readings is than a grown sensor's: 1 and more. */
export function coldness(n: number): number {
  return 1 + COLD / (n + COLD_OFFSET);
}

/** Surprise from which a reading is anomalous, with people's labels, before the sensor's own recent alarms. */
export function barOf(d: Float64Array, o: number, settings: Settings, strictness: number): number {
  const perDay = DAY_US / d[o + cell.INTERVAL]!;
  const budgeted = BAR_AT_TEN_THOUSAND + PER_EFOLD * (ln(perDay / settings.alarmsPerSensorDay) + TEN_THOUSANDTH);
  const bar = (Math.max(LOWEST_BAR, budgeted) + strictness) * coldness(d[o + cell.N]!);
  const labels = LABEL_SHARE * (d[o + cell.LABELLED_FALSE]! - d[o + cell.LABELLED_TRUE]!);
  return bar * (1 + Math.max(LOWEST_BAR_SHIFT, Math.min(HIGHEST_BAR_SHIFT, labels)));
}

/** What a feature's surprise counts, from the labels of the alerts that it raised: `net` is the false ones less the right ones. */
export function weightOf(net: number): number {
  return net === 0 ? 1 : Math.max(LOWEST_WEIGHT, Math.min(HIGHEST_WEIGHT, 1 - LABEL_SHARE * net));
}

/** Confidence of a surprise, in steps of 1e-4 (0..10000): 9500 at the bar of the default threshold. */
export function confidenceOf(surprise: number, bar: number, strictness: number): number {
  const tail = BUDGET_SHARE * exp((bar - surprise - strictness) / PER_EFOLD);
  return Math.floor(10000 * exp(-tail) + 0.5);
}
