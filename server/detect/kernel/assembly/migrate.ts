/** State of former versions. */
import { extremeOf, rangeTop } from "./extremes";
import { Sensor } from "./layout";
import { calibrateAll } from "./learn";
import { exp } from "./numbers";
import { STUCK } from "./tables";

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

/** The nearest whole number, the higher one of two. */
function nearest(x: f64): f64 {
  const above = ceil(x);
  return above - 0.5 > x ? above - 1 : above;
}
