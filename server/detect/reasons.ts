/** Detectors that can speak, by the index stored with each score. Only ever appended to: stored readings refer to it. */
export const REASONS: readonly string[] = [
  "",
  "value record",
  "mean of 24 record",
  "mean of 48 record",
  "mean of 96 record",
  "deviation of 24 record",
  "deviation of 96 record",
  "season",
  "jump",
  "stuck value",
  "forecaster",
  "young sensor",
  "impossible range",
  "impossible rate",
  "dropout",
  "unit change",
  "counter reset",
  "silence",
  "pattern",
  "season, long",
  "scatter",
  "rare level",
  "limit ahead",
  "time in state",
];

/** What each detector saw, as the second half of an alert's sentence. */
export const REASON_DETAILS: readonly string[] = [
  "",
  "the value is outside everything seen so far",
  "the mean of 24 readings is outside everything seen so far",
  "the mean of 48 readings is outside everything seen so far",
  "the mean of 96 readings is outside everything seen so far",
  "the spread of 24 readings is outside everything seen so far",
  "the spread of 96 readings is outside everything seen so far",
  "the readings left their usual course for this time of day",
  "the step from the reading before is larger than any seen so far",
  "the value has not moved for longer than ever before",
  "the value is far from what the readings before it lead to",
  "the value is far from the few readings seen so far",
  "the value is outside the configured range",
  "the value changed faster than configured as possible",
  "the value fell to where a lost signal falls",
  "the values look like the same quantity in another unit",
  "the counter started again",
  "no reading came for longer than the sensor's own intervals allow",
  "the course of the value, its mean and its spread was never seen together",
  "the readings have kept away from their usual course for long",
  "the readings scatter more than they ever did",
  "the value stays where it has rarely been",
  "the readings have taken a course toward the limit that is steeper than any of the days before, and leads where they never were",
  "it has stayed in one state, such as on or off, for longer than it ever did at such times",
];

/** A reason by its name. */
const named = (name: string): number => REASONS.indexOf(name);
export const REASON_VALUE: number = named("value record");
export const REASON_MEAN24: number = named("mean of 24 record");
export const REASON_MEAN96: number = named("mean of 96 record");
export const REASON_SEASON: number = named("season");
export const REASON_STUCK: number = named("stuck value");
export const REASON_FORECASTER: number = named("forecaster");
export const REASON_COLD_START: number = named("young sensor");
export const REASON_RANGE: number = named("impossible range");
export const REASON_RATE: number = named("impossible rate");
export const REASON_DROPOUT: number = named("dropout");
export const REASON_UNIT: number = named("unit change");
export const REASON_COUNTER: number = named("counter reset");
export const REASON_SILENCE: number = named("silence");
export const REASON_PATTERN: number = named("pattern");
export const REASON_SCATTER: number = named("scatter");
export const REASON_RARE: number = named("rare level");
export const REASON_LIMIT_AHEAD: number = named("limit ahead");
export const REASON_HELD: number = named("time in state");

/** Reasons that speak of where a single value lies: it may be called high or low. */
export const LEVEL_REASONS: ReadonlySet<number> = new Set([
  1,
  2,
  3,
  4,
  7,
  8,
  REASON_FORECASTER,
  REASON_COLD_START,
  18,
  19,
  REASON_RARE,
]);

/** What is wrong, in a few words, where the value by itself is neither high nor low. */
export const FAULT_HEADLINES: readonly string[] = [
  "abnormal",
  "at a level never seen before",
  "with an average over 24 readings never seen before",
  "with an average over 48 readings never seen before",
  "with an average over 96 readings never seen before",
  "with a spread never seen before",
  "with a spread never seen before",
  "off its usual course for the time of day",
  "moving in a step never seen before",
  "stuck",
  "moving as the readings before did not lead to",
  "unlike its first readings",
  "outside its configured range",
  "changing faster than configured as possible",
  "dropped",
  "as if in another unit",
  "counting from the start again",
  "silent",
  "in a course never seen before",
  "away from its usual course for long",
  "more restless than ever",
  "at a level that it rarely has",
  "heading for its limit",
  "in one state for too long",
];

const SPREAD_KIND = "noise: vibration, a loose contact or interference";

/** The kind of fault that a reason mostly means; where there is none, how long it lasts tells a spike from a level shift. */
export const FAULT_KINDS: readonly (string | undefined)[] = [
  undefined,
  undefined,
  "a drift or a level shift",
  "a drift or a level shift",
  "a drift or a level shift",
  SPREAD_KIND,
  SPREAD_KIND,
  "a schedule or a load unlike other days",
  "a spike or a level shift",
  "a frozen sensor or gateway",
  undefined,
  undefined,
  "a fault of the sensor or its wiring",
  "a fault of the sensor or its wiring",
  "a lost signal: cable, supply or device",
  "another unit or scale",
  "a restart or a replacement of the meter",
  "a failed device, supply or network",
  "a process that runs unlike before",
  "a slow drift or a schedule unlike other days",
  SPREAD_KIND,
  "a level shift or a process that runs unlike before",
  "a drift, wear or a process that runs away",
  "a cycle that did not come, or something left open or running",
];
