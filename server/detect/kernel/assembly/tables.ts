// Generated from ../features.ts and ../fields.ts by `node server/detect/kernel/generate.ts`. Do not edit.

/** Features by number; each but the pattern has extremes of the same number. */
export const VALUE: i32 = 0;
export const MEAN24: i32 = 1;
export const MEAN96: i32 = 2;
export const SEASON: i32 = 3;
export const RARITY: i32 = 4;
export const RESIDUAL: i32 = 5;
export const SCATTER: i32 = 6;
export const STUCK: i32 = 7;
export const PATTERN: i32 = 8;
export const FEATURES: i32 = 9;

/** Room for pairs of doubles for all features. */
export const FEATURES_BYTES: i32 = 80;

/** Features below this number may be abnormal on both sides. */
export const BOTH_SIDES: i32 = 4;

/** Features that have extremes. */
export const EXTREMES_SCORED: i32 = 8;

/** The residual's second extremes, of readings outside incidents alone. */
export const BASELINE: i32 = 8;
export const EXTREMES: i32 = 9;

export const REASON_COLD_START: u32 = 11;
export const REASON_COUNTER: u32 = 16;
export const REASON_DROPOUT: u32 = 14;
export const REASON_FORECASTER: u32 = 10;
export const REASON_HELD: u32 = 23;
export const REASON_LIMIT_AHEAD: u32 = 22;
export const REASON_MEAN24: u32 = 2;
export const REASON_MEAN96: u32 = 4;
export const REASON_PATTERN: u32 = 18;
export const REASON_RANGE: u32 = 12;
export const REASON_RARE: u32 = 21;
export const REASON_RATE: u32 = 13;
export const REASON_SCATTER: u32 = 20;
export const REASON_SEASON: u32 = 7;
export const REASON_SILENCE: u32 = 17;
export const REASON_STUCK: u32 = 9;
export const REASON_UNIT: u32 = 15;
export const REASON_VALUE: u32 = 1;

const REASON_OF: usize = memory.data<u8>([1, 2, 4, 7, 21, 10, 20, 9, 18]);
/** Reason of a feature. */
export function reasonOf(k: i32): u32 {
  return load<u8>(REASON_OF + k);
}

/** Readings before a sensor is judged: its 24th is the first. */
export const WARM_READINGS: f64 = 23;

/** Until then the cold start's judge speaks. */
export const COLD_START_READINGS: f64 = 123;
