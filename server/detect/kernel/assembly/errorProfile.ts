/**
 * The time-of-day error profile: how large the forecast's errors become at each half hour of the day. Where shifts begin, or the sun
 * comes out, every day brings an error that is normal at that time and would be strange at another. Per half hour a running maximum
 * that fades slowly, and their mean. Errors are scaled by what is usual at their time. All in the sensor's own scale.
 */
import { SENSOR_ERROR_PROFILE, Sensor } from "./layout";
import { get, set } from "./numbers";

const HALF_HOUR_US: f64 = 1800e6;
/** A half hour's maximum fades by this share with each day that visits it. */
const FADE: f64 = 0.1;
/** A half hour counts as no calmer than this multiple of the mean: a quiet one amplifies nothing. One error counts at most as much as so many maxima. */
const CALMEST: f64 = 1.25;
const UPDATE_LIMIT: f64 = 4;
const MEAN_RATE: f64 = 0.002;

/** Scale of errors in a half hour, by the mean: CALMEST and more; 1 before anything is known. */
export function errorScaleAt(s: Sensor, halfHour: u32): f64 {
  const mean = <f64>s.errorMean;
  return mean === 0 ? 1 : max<f64>(get(changetype<usize>(s) + SENSOR_ERROR_PROFILE + (halfHour << 2)) / mean, CALMEST);
}

/** Takes the size of an error in. */
export function updateErrorProfile(s: Sensor, halfHour: u32, error: f64): void {
  const at = changetype<usize>(s) + SENSOR_ERROR_PROFILE + (halfHour << 2);
  const mean = <f64>s.errorMean;
  const highest = get(at);
  const bounded = mean > 0 ? min<f64>(error, UPDATE_LIMIT * max<f64>(mean, highest)) : error;
  const faded = highest * (1 - min<f64>(0.5, (FADE * s.interval) / HALF_HOUR_US));
  set(at, max<f64>(bounded, faded));
  s.errorMean = <f32>(mean === 0 ? get(at) : mean + (get(at) - mean) * MEAN_RATE);
}
