/** State of former versions. */
import { extremeOf, rangeTop, startExtremeHigh } from "./extremes";
import { SENSOR_BIN, SENSOR_BIN_COUNT, SENSOR_NET_LABELS, Sensor } from "./layout";
import { calibrateAll, calibrateExtreme } from "./learn";
import { exp } from "./numbers";
import { highestRarity } from "./rarity";
import { RARITY, STUCK } from "./tables";

/**
 * A sensor of version 6, whose cells are in place: what was learnt of the values goes on; the rhythm of arrivals is learnt again (version
 * 6 knew observation times alone), and a deadline that was set stays.
 */
export function migrateFrom6(s: Sensor): void {
  s.arrivedAt = 0;
  // The extremes of runs are of their logarithm.
  s.longestRun = nearest(exp(rangeTop(extremeOf(s, STUCK))) - 1);
}

/** A sensor of version 7: the same cells, without a count of incidents. */
export function migrateFrom7(s: Sensor): void {
  s.incidents = 0;
}

/** A sensor of version 8: its season is by UTC, its blocks are the shortest, and ranges were calibrated otherwise. */
export function migrateFrom8(s: Sensor): void {
  s.zone = 0;
  s.localOffset = 0;
  s.blockDoublings = 0;
  calibrateAll(s);
}

/**
 * A sensor of version 9: of its values how rare they are is not known, in place of which there was a slow distance from the season. Its
 * extremes are as high as they can be, and come down with what is seen.
 */
export function migrateFrom9(s: Sensor): void {
  s.compared = 0;
  s.byRate = -1;
  s.rises = 0;
  s.falls = 0;
  s.resets = 0;
  s.repeats = 0;
  s.rarity = 0;
  s.binTotal = 0;
  memory.fill(changetype<usize>(s) + SENSOR_BIN, 0, 4 * SENSOR_BIN_COUNT);
  store<f64>(changetype<usize>(s) + SENSOR_NET_LABELS + ((<usize>RARITY) << 3), 0);
  startExtremeHigh(extremeOf(s, RARITY), highestRarity());
  calibrateExtreme(s, RARITY);
}

/** A sensor of version 10: whether it has two states is found out with its next block. */
export function migrateFrom10(s: Sensor): void {
  s.statesSince = 0;
  s.dwell = 0;
  s.stateFrom = 0;
  s.lowState = 0;
  s.highState = 0;
}

/**
 * A sensor of version 11: of values other than zero it is not known how long they stay; it may be as long as any. Nor are the moves of an
 * incident that is under way: one of them may have been all of it.
 */
export function migrateFrom11(s: Sensor): void {
  s.longestRunAloft = <f32>s.longestRun;
  if (s.sticky >= 1) s.sticky = Infinity;
}

/** The nearest whole number, the higher one of two. */
function nearest(x: f64): f64 {
  const above = ceil(x);
  return above - 0.5 > x ? above - 1 : above;
}
