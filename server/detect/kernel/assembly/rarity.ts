/**
 * How rare a value is: the sensor's histogram of values, from which the negative logarithm of their share follows. A level between two
 * that the sensor is used to is within its range, and rare. The cells cover what the values have needed so far: where one lies outside,
 * two cells each become one until it fits. In the sensor's own scale.
 */
import { SENSOR_BIN, SENSOR_BIN_COUNT, Sensor } from "./layout";
import { get, ln, set } from "./numbers";

export const BINS: i32 = SENSOR_BIN_COUNT;
const HALF: i32 = BINS / 2;
/** All counts are halved when there are so many. */
const MEMORY: f64 = 20_000;
/** What each cell counts before it has a value. */
const PRIOR: f64 = 0.5;
/** Width of all cells to begin with: the range of a sensor's first readings. */
const FIRST_WIDTH: f64 = 2;

function cell(s: Sensor, bin: i32): usize {
  return changetype<usize>(s) + SENSOR_BIN + ((<usize>bin) << 2);
}

/** How many values are in a cell. */
export function cellOf(s: Sensor, bin: i32): f64 {
  return get(cell(s, bin));
}

/** Rarity of a value before it is learnt; 0 while none is known. */
export function rarityOf(s: Sensor, x: f64): f64 {
  if (s.binTotal === 0) return 0;
  const place = (x - s.binFrom) / s.binWidth;
  const count = place >= 0 && place < <f64>BINS ? get(cell(s, <i32>place)) : 0;
  return -ln((count + PRIOR) / (s.binTotal + PRIOR * <f64>BINS));
}

/** Rarity of a value that has never been seen, where the histogram is full: none is higher. */
export function highestRarity(): f64 {
  return ln((MEMORY + PRIOR * <f64>BINS) / PRIOR);
}

/** Takes a value in. */
export function learnValue(s: Sensor, x: f64): void {
  if (isNaN(x)) return;
  if (s.binTotal === 0) {
    s.binWidth = FIRST_WIDTH / <f64>BINS;
    s.binFrom = x - FIRST_WIDTH / 2;
  }
  while (x < s.binFrom) widen(s, true);
  while (x >= s.binFrom + s.binWidth * <f64>BINS) widen(s, false);
  const at = cell(s, min<i32>(<i32>((x - s.binFrom) / s.binWidth), BINS - 1));
  set(at, get(at) + 1);
  s.binTotal = s.binTotal + 1;
  if (s.binTotal < MEMORY) return;
  for (let bin = 0; bin < BINS; bin++) set(cell(s, bin), get(cell(s, bin)) / 2);
  s.binTotal = s.binTotal / 2;
}

/** Makes two cells each into one, which leaves half of them free: those below the others, or those above. */
function widen(s: Sensor, below: bool): void {
  const to = below ? HALF : 0;
  for (let k = 0; k < HALF; k++) {
    // From the end where nothing is overwritten before it is read.
    const pair = below ? HALF - 1 - k : k;
    set(cell(s, to + pair), get(cell(s, 2 * pair)) + get(cell(s, 2 * pair + 1)));
  }
  for (let k = 0; k < HALF; k++) set(cell(s, HALF - to + k), 0);
  if (below) s.binFrom = s.binFrom - s.binWidth * <f64>BINS;
  s.binWidth = 2 * s.binWidth;
}
