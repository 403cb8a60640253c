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
];

export const REASON_STUCK = 9;
export const REASON_FORECASTER = 10;
export const REASON_YOUNG = 11;
export const REASON_RANGE = 12;
export const REASON_RATE = 13;
export const REASON_DROPOUT = 14;
export const REASON_UNIT = 15;
export const REASON_COUNTER = 16;
export const REASON_SILENCE = 17;

/** Reason of each feature whose records are kept (cells.ts). */
export const FEATURE_REASONS: readonly number[] = [1, 2, 4, 7, 19, REASON_FORECASTER, 20, REASON_STUCK, 18];
