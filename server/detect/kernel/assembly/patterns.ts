/**
 * Patterns seen so far, as boxes in the space of (value, short mean less long mean, log of the spread). A point inside a box is
 * known; else its distance to the nearest box, in ranges of each coordinate, says how new it is. The nearest box grows to take
 * the point in while it stays small; otherwise a new box replaces the one unused for longest.
 *
 * The boxes lie side by side, field by field: two of them, or four, are one vector.
 */
import {
  SENSOR_BOX_HIGH0,
  SENSOR_BOX_LOW0,
  SENSOR_BOX_LOW0_COUNT,
  SENSOR_BOX_LOW1,
  SENSOR_BOX_USED,
  SENSOR_COORDINATE_HIGH,
  SENSOR_COORDINATE_LOW,
  SENSOR_COORDINATE_LOW_COUNT,
  Sensor,
} from "./layout";
import { get, getPair, set } from "./numbers";

const DIMENSIONS: i32 = SENSOR_COORDINATE_LOW_COUNT;
const BOXES: i32 = SENSOR_BOX_LOW0_COUNT;
/** A box may span this share of a coordinate's range. */
const LARGEST: f64 = 0.4;
const SHRINK: f64 = 1e-4;
/** Coordinates of a sensor that hardly moved are measured by this, in scaled units. */
const SMALLEST_RANGE: f64 = 0.3;
/** Distances beyond this many ranges count as this many. */
const FARTHEST: f64 = 3;

/** Bytes from a coordinate's lows to the next one's, and from lows to highs. */
const COORDINATE: usize = SENSOR_BOX_LOW1 - SENSOR_BOX_LOW0;
const HIGH: usize = SENSOR_BOX_HIGH0 - SENSOR_BOX_LOW0;

/** The point asked for, in single precision, and what distances in its coordinates are multiplied by. */
export const point: usize = memory.data(16, 16);
const scale: usize = memory.data(32, 16);
/** What `findNearest` found. */
let nearest: i32 = 0;

/** Distance of `point` to the patterns so far, which then learn it (unless `frozen`). `n` counts the sensor's readings. */
export function patternDistance(s: Sensor, n: f64, frozen: bool): f64 {
  const count = <i32>s.boxes;
  if (count === 0) {
    startRanges(s);
    putBox(s, 0, n);
    s.boxes = 1;
    return 0;
  }
  const latest = <i32>s.latestBox;
  if (isInside(boxOf(s, latest))) {
    set(usedBy(s, latest), n);
    if (!frozen) updateRanges(s);
    return 0;
  }
  measureRanges(s);
  const best = findNearest(s, count);
  const distance = min<f64>(FARTHEST, sqrt(best));
  if (frozen) return distance;
  updateRanges(s);
  if (best === 0 || grow(boxOf(s, nearest))) {
    set(usedBy(s, nearest), n);
    s.latestBox = <f32>nearest;
  } else if (count < BOXES) {
    putBox(s, count, n);
    s.boxes = <f32>(count + 1);
  } else {
    putBox(s, oldest(s), n);
  }
  return distance;
}

/** Address of a box's first low. */
function boxOf(s: Sensor, box: i32): usize {
  return changetype<usize>(s) + SENSOR_BOX_LOW0 + ((<usize>box) << 2);
}

/** Address of the number of the reading that used a box last. */
function usedBy(s: Sensor, box: i32): usize {
  return changetype<usize>(s) + SENSOR_BOX_USED + ((<usize>box) << 2);
}

function coordinate(k: i32): f32 {
  return load<f32>(point + ((<usize>k) << 2));
}

function isInside(box: usize): bool {
  for (let k = 0; k < DIMENSIONS; k++, box += COORDINATE) {
    if (coordinate(k) < load<f32>(box) || coordinate(k) > load<f32>(box + HIGH)) return false;
  }
  return true;
}

function startRanges(s: Sensor): void {
  const at = changetype<usize>(s);
  for (let k = 0; k < DIMENSIONS; k++) {
    store<f32>(at + SENSOR_COORDINATE_LOW + ((<usize>k) << 2), coordinate(k));
    store<f32>(at + SENSOR_COORDINATE_HIGH + ((<usize>k) << 2), coordinate(k));
  }
}

function measureRanges(s: Sensor): void {
  const at = changetype<usize>(s);
  for (let k = 0; k < DIMENSIONS; k++) {
    const low = get(at + SENSOR_COORDINATE_LOW + ((<usize>k) << 2));
    const high = get(at + SENSOR_COORDINATE_HIGH + ((<usize>k) << 2));
    store<f64>(scale + ((<usize>k) << 3), 1 / max<f64>(high - low, SMALLEST_RANGE));
  }
}

function updateRanges(s: Sensor): void {
  const at = changetype<usize>(s);
  for (let k = 0; k < DIMENSIONS; k++) {
    const lowAt = at + SENSOR_COORDINATE_LOW + ((<usize>k) << 2);
    const highAt = at + SENSOR_COORDINATE_HIGH + ((<usize>k) << 2);
    const low = get(lowAt);
    const high = get(highAt);
    const shrink = SHRINK * (high - low) * 0.5;
    set(lowAt, min<f64>(<f64>coordinate(k), low + shrink));
    set(highAt, max<f64>(<f64>coordinate(k), high - shrink));
  }
}

/** Squared distance to the nearest of the first `count` boxes, which is left in `nearest`: the first of those equally near. */
function findNearest(s: Sensor, count: i32): f64 {
  let best = f64x2.splat(Infinity);
  let winners = f64x2.splat(0);
  let numbers = f64x2(0, 1);
  const first = boxOf(s, 0);
  for (let b = 0; b < count; b += 2) {
    let squares = squaredDistances(first + ((<usize>b) << 2));
    if (b + 1 === count) squares = f64x2.replace_lane(squares, 1, Infinity);
    const closer = f64x2.lt(squares, best);
    best = v128.bitselect(squares, best, closer);
    winners = v128.bitselect(numbers, winners, closer);
    numbers = f64x2.add(numbers, f64x2.splat(2));
  }
  const even = f64x2.extract_lane(best, 0);
  const odd = f64x2.extract_lane(best, 1);
  const evenBox = f64x2.extract_lane(winners, 0);
  const oddBox = f64x2.extract_lane(winners, 1);
  const second = odd < even || (odd === even && oddBox < evenBox);
  nearest = <i32>(second ? oddBox : evenBox);
  return second ? odd : even;
}

/** Squared distances of the point to two boxes. `pmax` in this order keeps what is no number. */
function squaredDistances(boxes: usize): v128 {
  const zero = f64x2.splat(0);
  let sum = f64x2.splat(0);
  for (let k = 0; k < DIMENSIONS; k++, boxes += COORDINATE) {
    const x = f64x2.splat(<f64>coordinate(k));
    const below = f64x2.sub(getPair(boxes), x);
    const above = f64x2.sub(x, getPair(boxes + HIGH));
    const outside = f64x2.pmax(f64x2.pmax(above, zero), below);
    const gap = f64x2.mul(outside, v128.load64_splat(scale + ((<usize>k) << 3)));
    sum = f64x2.add(sum, f64x2.mul(gap, gap));
  }
  return sum;
}

/** Widens the box to hold the point if it stays small enough. */
function grow(box: usize): bool {
  let at = box;
  for (let k = 0; k < DIMENSIONS; k++, at += COORDINATE) {
    const low = min<f64>(get(at), <f64>coordinate(k));
    const high = max<f64>(get(at + HIGH), <f64>coordinate(k));
    if ((high - low) * load<f64>(scale + ((<usize>k) << 3)) > LARGEST) return false;
  }
  at = box;
  for (let k = 0; k < DIMENSIONS; k++, at += COORDINATE) {
    const x = coordinate(k);
    if (x < load<f32>(at)) store<f32>(at, x);
    if (x > load<f32>(at + HIGH)) store<f32>(at + HIGH, x);
  }
  return true;
}

function putBox(s: Sensor, box: i32, n: f64): void {
  let at = boxOf(s, box);
  for (let k = 0; k < DIMENSIONS; k++, at += COORDINATE) {
    store<f32>(at, coordinate(k));
    store<f32>(at + HIGH, coordinate(k));
  }
  set(usedBy(s, box), n);
  s.latestBox = <f32>box;
}

function oldest(s: Sensor): i32 {
  let box = 0;
  for (let b = 1; b < BOXES; b++) if (get(usedBy(s, b)) < get(usedBy(s, box))) box = b;
  return box;
}
