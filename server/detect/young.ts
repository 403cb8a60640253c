import * as cell from "./cells.ts";
import { exceedance } from "./records.ts";
import { deviation, gauge } from "./windows.ts";

/**
 * A young sensor: from its 24th reading until two blocks of records are full it is judged by the few readings seen so far, and by
 * the prior of its type: how far normal sensors of the type go beyond what their first readings showed.
 */

/** Share of the way that a young sensor's level goes toward each reading. */
export const LEVEL_RATE = 0.3;
/** Surprise per multiple of its largest residual and per range beyond its range, of a type with a reach of 1. */
const BY_RESIDUAL = 2;
const BY_RANGE = 4;
/** Two values closer than this share of the level are one value, until noise has been seen. */
const FLOOR = 0.002;
/** After a new level was accepted: its spread in deviations. */
const SPREADS = 3;

/** What is known of a type before a sensor of it has spoken. */
export interface TypePrior {
  /** How far normal sensors of the type go beyond their first readings, 1 = as far as the sensors that the young judge was made for. */
  readonly reach: number;
}

/** Distance of a value from the few so far, in units of their largest residual and of their range, by what the type's reach allows. */
export function youngSurprise(
  d: Float64Array,
  o: number,
  f: Float32Array,
  p: number,
  value: number,
  prior: TypePrior,
): number {
  const floor = FLOOR * Math.abs(d[o + cell.LEVEL]!);
  const residual = Math.abs(value - d[o + cell.LEVEL]!);
  const seen = d[o + cell.YOUNG_SPREAD]!;
  const spread = Math.max(seen > 0 ? seen : floor, 1e-6 / d[o + cell.GAIN]!);
  if (residual > seen && d[o + cell.INCIDENT] === 0) d[o + cell.YOUNG_SPREAD] = residual;
  const byResidual = BY_RESIDUAL * (residual / spread - 1);
  const byRange = BY_RANGE * exceedance(f, p, gauge(d, o, value), spread * d[o + cell.GAIN]!);
  return Math.max(0, Math.min(byResidual, byRange)) / prior.reach;
}

/** Half width of a young sensor's band. */
export function youngBand(d: Float64Array, o: number, bar: number, prior: TypePrior): number {
  const floor = Math.max(FLOOR * Math.abs(d[o + cell.LEVEL]!), 1e-6);
  const spread = d[o + cell.YOUNG_SPREAD]!;
  return (spread > 0 ? spread : floor) * (1 + (bar * prior.reach) / BY_RESIDUAL);
}

/** A new level of a young sensor was accepted: its spread is that of the newest readings. */
export function acceptYoung(d: Float64Array, o: number, seen: number): void {
  const spread = deviation(d[o + cell.SUM24]!, d[o + cell.SQUARE24]!, Math.min(seen, 24));
  d[o + cell.YOUNG_SPREAD] = (SPREADS * spread) / d[o + cell.GAIN]!;
}
