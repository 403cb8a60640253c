/**
 * The cold start: from its 24th reading until two blocks of extremes are full a sensor is judged by the few readings seen so far, and
 * by the prior of its type: how far normal sensors of the type go beyond what their first readings showed.
 */
import { exceedance, extremeOf } from "./extremes";
import { Profile, Reading, Sensor } from "./layout";
import { deviation } from "./numbers";
import { VALUE } from "./tables";

/** Share of the way that the level goes toward each reading. */
export const LEVEL_RATE: f64 = 0.3;
/** Raw score per multiple of the largest residual and per range beyond the range, of a type with a reach of 1. */
const BY_RESIDUAL: f64 = 2;
const BY_RANGE: f64 = 4;
/** Two values closer than this share of the level are one value, until noise has been seen. */
const LEAST_SHARE: f64 = 0.002;
/** After a new level was accepted: its spread in deviations. */
const SPREADS: f64 = 3;

/** Distance of a value from the few so far, in units of their largest residual and of their range, by what the type's reach allows. */
export function scoreColdStart(s: Sensor, profile: Profile, r: Reading): f64 {
  const least = LEAST_SHARE * abs(s.level);
  const residual = abs(r.value - s.level);
  const seen = s.coldSpread;
  const spread = max<f64>(seen > 0 ? seen : least, 1e-6 / s.gain);
  if (residual > seen && s.incident === 0) s.coldSpread = residual;
  const byResidual = BY_RESIDUAL * (residual / spread - 1);
  const byRange = BY_RANGE * exceedance(extremeOf(s, VALUE), r.scaled, spread * s.gain);
  return max<f64>(0, min<f64>(byResidual, byRange)) / profile.reach;
}

/** Half width of the band during the cold start. */
export function coldStartBand(s: Sensor, profile: Profile, threshold: f64): f64 {
  const least = max<f64>(LEAST_SHARE * abs(s.level), 1e-6);
  const spread = s.coldSpread;
  return (spread > 0 ? spread : least) * (1 + (threshold * profile.reach) / BY_RESIDUAL);
}

/** A new level was accepted during the cold start: its spread is that of the newest readings. */
export function acceptLevel(s: Sensor, seen: f64): void {
  const spread = deviation(s.sum24, s.square24, min<f64>(seen, 24));
  s.coldSpread = (SPREADS * spread) / s.gain;
}
