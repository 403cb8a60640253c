/**
 * The sensor's own scale, its running location and spread, and the window of its last 96 readings. Rolling sums over the last 24, 48
 * and 96 of them are kept by adding the newest and taking off the oldest, and summed afresh each time the ring starts over, so that
 * rounding never gathers and one huge value leaves nothing behind.
 */

import { extremeOf, rangeBottom, rangeTop } from "./extremes";
import { SENSOR_RING, SENSOR_RING_COUNT, Sensor } from "./layout";
import { clamp, get, set } from "./numbers";
import { VALUE, WARM_READINGS } from "./tables";

const RING_LENGTH: i32 = SENSOR_RING_COUNT;
/** The location moves by this share toward a reading, once 50 have been seen. */
const LOCATION_RATE: f64 = 0.02;
const EARLY_READINGS: f64 = 50;
/** Moves and distances beyond this many usual ones count as this many; so many while they are hardly known. */
const FAR: f64 = 4;
const FAR_EARLY: f64 = 1e4;
/** Before so many readings nothing is usual, and while they are all alike: deviate from their location by less than this share of it. */
const FIRST_READINGS: f64 = 3;
const LEAST_SPREAD: f64 = 1e-6;
/**
 * One of the first readings that is no measurement makes a scale of which the sensor uses next to nothing: less than one in so many units
 * over so many readings. That shows within these readings of a sensor.
 */
const MOST_UNITS: f64 = 1e5;
const SCALE_READINGS: i32 = 50;
const LAST_SCALED: f64 = 2000;

/** A value in the sensor's own scale. */
export function normalise(s: Sensor, value: f64): f64 {
  return clamp((value - s.origin) * s.gain);
}

/**
 * Running location, spread and size of moves: the trunk's inputs are in these units. Robust (one reading moves them by a bounded
 * share) and never frozen, so that they depend on the readings alone and not on what was decided.
 */
export function updateLocation(s: Sensor, value: f64): void {
  const n = s.readings;
  if (n === 0) {
    s.location = value;
    return;
  }
  const early = n < EARLY_READINGS;
  const rate = early ? 1 / (n + 1) : LOCATION_RATE;
  const spread = s.spread;
  const distance = value - s.location;
  const size = abs(distance);
  const move = abs(value - s.lastValue);
  const first = n < FIRST_READINGS || (early && spread <= LEAST_SPREAD * abs(s.location));
  const most = early ? FAR_EARLY : FAR;
  const far = most * spread;
  s.location = s.location + rate * (first || size <= far ? distance : distance > 0 ? far : -far);
  s.spread = spread + rate * ((first || size <= far ? size : far) - spread);
  const usual = s.move;
  s.move = usual + rate * ((first || move <= most * usual ? move : most * usual) - usual);
  // A spread of exactly zero could never grow again: it is kept above a billionth of the value. One value that is no measurement, such as
  // the largest number there is, must not make it larger than where the sensor is.
  const least = min<f64>(1e-9 * abs(value), max<f64>(abs(s.location), 1)) + 1e-300;
  if (s.spread < least) s.spread = least;
  if (s.move < least) s.move = least;
}

/** A scale to begin with: the first value, and a thousandth of its size. */
export function firstScale(s: Sensor, value: f64): void {
  s.origin = value;
  s.gain = gainOf(abs(value) * 1e-3);
}

/** Fixes the scale from the readings so far (the middle of their range, and its half), and turns the ring into it. */
export function fixScale(s: Sensor, seen: i32): void {
  const ring = changetype<usize>(s) + SENSOR_RING;
  const origin = s.origin;
  const unit = 1 / s.gain;
  let low = get(ring);
  let high = low;
  for (let i = 1; i < seen; i++) {
    const x = get(ring + ((<usize>i) << 2));
    if (x < low) low = x;
    if (x > high) high = x;
  }
  const middle = origin + (low / 2 + high / 2) * unit;
  s.origin = middle;
  s.gain = gainOf(max<f64>((high / 2 - low / 2) * unit, abs(middle) * 1e-3));
  for (let i = 0; i < seen; i++) {
    const at = ring + ((<usize>i) << 2);
    set(at, normalise(s, origin + get(at) * unit));
  }
  sumAfresh(s, <f64>seen);
}

/** Whether the scale is no use: the sensor moves, and that by next to nothing in it. */
export function isLost(s: Sensor): bool {
  const n = s.readings;
  if (n < WARM_READINGS + <f64>SCALE_READINGS || n > LAST_SCALED || s.run + 1 >= <f64>SCALE_READINGS) return false;
  // One by the size of equal values is no use either until they move, and then fits.
  if (rangeTop(extremeOf(s, VALUE)) - rangeBottom(extremeOf(s, VALUE)) < 1) return false;
  const most = 1 / (s.gain * MOST_UNITS);
  if (abs(s.lastValue - s.olderValue) >= most || 1e-3 * abs(s.lastValue) >= most) return false;
  const ring = changetype<usize>(s) + SENSOR_RING;
  const newest = ringIndex(n - 1);
  let low = cell(ring, newest);
  let high = low;
  for (let back = 1; back < SCALE_READINGS; back++) {
    const x = cell(ring, newest - back);
    if (x < low) low = x;
    if (x > high) high = x;
  }
  return (high - low) * MOST_UNITS < 1;
}

/** Units of nothing (a sensor that only ever sent 0) are units of one. */
function gainOf(size: f64): f64 {
  return size > 1e-290 ? min<f64>(1 / size, 1e290) : 1;
}

/** Place of reading number `n` (from 0) in the ring. */
function ringIndex(n: f64): i32 {
  return n < 4294967296 ? <i32>(<u32>n % RING_LENGTH) : <i32>(<u64>n % RING_LENGTH);
}

function cell(ring: usize, index: i32): f64 {
  return get(ring + ((<usize>(index < 0 ? index + RING_LENGTH : index)) << 2));
}

/** Takes reading number `n` (from 0) into the window, `x` scaled. */
export function pushWindow(s: Sensor, n: f64, x: f64): void {
  const ring = changetype<usize>(s) + SENSOR_RING;
  const index = ringIndex(n);
  const at = ring + ((<usize>index) << 2);
  const old24 = n >= 24 ? cell(ring, index - 24) : 0;
  const old48 = n >= 48 ? cell(ring, index - 48) : 0;
  const old96 = n >= 96 ? get(at) : 0;
  set(at, x);
  if (index === 0 && n > 0) {
    sumAfresh(s, n + 1);
    return;
  }
  const kept = get(at);
  s.sum24 = s.sum24 + kept - old24;
  s.sum48 = s.sum48 + kept - old48;
  s.sum96 = s.sum96 + kept - old96;
  s.square24 = s.square24 + kept * kept - old24 * old24;
}

/** Mean of the newest `count` of `seen` readings, scaled. */
export function meanOfLast(s: Sensor, seen: f64, count: i32): f64 {
  const ring = changetype<usize>(s) + SENSOR_RING;
  const newest = ringIndex(seen - 1);
  const kept = <i32>min<f64>(seen, <f64>count);
  let sum: f64 = 0;
  for (let back = 0; back < kept; back++) sum += cell(ring, newest - back);
  return sum / <f64>kept;
}

/** Reading number `i` (from 0) while the ring has not started over, scaled. */
export function ringAt(s: Sensor, i: i32): f64 {
  return get(changetype<usize>(s) + SENSOR_RING + ((<usize>i) << 2));
}

/** Sums over the newest readings of `seen`, from the ring. */
function sumAfresh(s: Sensor, seen: f64): void {
  const ring = changetype<usize>(s) + SENSOR_RING;
  const newest = ringIndex(seen - 1);
  const kept = <i32>min<f64>(seen, <f64>RING_LENGTH);
  let sum: f64 = 0;
  let square: f64 = 0;
  for (let back = 1; back <= kept; back++) {
    const x = cell(ring, newest - back + 1);
    sum += x;
    square += x * x;
    if (back <= 24) {
      s.sum24 = sum;
      s.square24 = square;
    }
    if (back <= 48) s.sum48 = sum;
  }
  s.sum96 = sum;
}
