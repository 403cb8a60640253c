/** Where each quantity of a sensor stands in its Float64 cells. Changing this file changes STATE_VERSION. */
export const STATE_VERSION = 1;

/** Readings seen. */
export const N = 0;
/** Time of the last reading, microseconds. */
export const LAST_TIME = 1;
export const LAST_VALUE = 2;
/** Sensor's own gauge: everything kept in single precision is (x - ORIGIN) * GAIN. */
export const ORIGIN = 3;
export const GAIN = 4;
/** Rolling sums of value - ORIGIN and of its square. */
export const SUM24 = 5;
export const SUM48 = 6;
export const SUM96 = 7;
export const SQUARE24 = 8;
export const SQUARE96 = 9;
/** Typical interval between readings, microseconds. */
export const INTERVAL = 10;
/** Decayed sum of the sensor's own recent alarms. */
export const ALARMS = 11;
/** Readings since the last emission, and its height. */
export const SINCE = 12;
export const PEAK = 13;
/** Readings without a change of value, and smoothed seasonal residual. */
export const RUN = 14;
export const SEASON_MEAN = 15;
/** Expected value (level), frozen in an incident. */
export const LEVEL = 16;
/** Readings in the incident so far (0 = none), and normal ones in a row within it. */
export const INCIDENT = 17;
export const CALM = 18;
/** Half width of the band at the bar, in the sensor's unit. */
export const BAND = 19;
/** Index of the sensor's type among the types seen. */
export const TYPE = 20;
/** Largest residual of a young sensor. */
export const YOUNG_SPREAD = 21;
/** The last 96 values. */
export const RING = 24;
export const RING_LENGTH = 96;
export const DOUBLES = RING + RING_LENGTH;

/** Single-precision cells: the records of each feature, then the time-of-day means and their weights. */
export const FEATURES = 10;
export const SEASON_BINS = 48;
