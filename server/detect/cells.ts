import { BOX_FLOATS } from "./boxes.ts";
import { NORMALISER_DOUBLES } from "./normaliser.ts";
import { READOUT_DOUBLES, READOUT_FLOATS } from "./readout.ts";
import { RECORD_FLOATS } from "./records.ts";
import { ROUGHNESS_FLOATS } from "./roughness.ts";
import { SEASON_FLOATS } from "./season.ts";
import { RING_LENGTH } from "./windows.ts";

/** Where each quantity of a sensor stands in its Float64 cells. Changing this file changes STATE_VERSION. */
export const STATE_VERSION = 6;

/** Readings seen. */
export const N = 0;
/** Time of the last reading, microseconds. */
export const LAST_TIME = 1;
export const LAST_VALUE = 2;
/** Sensor's own gauge: everything kept in single precision is (x - ORIGIN) * GAIN. */
export const ORIGIN = 3;
export const GAIN = 4;
/** Rolling sums of the readings in gauge units, and of the squares of the last 24. */
export const SUM24 = 5;
export const SUM48 = 6;
export const SUM96 = 7;
export const SQUARE24 = 8;
/** Mean size of the forecaster's errors of late, in units of how rough their time of day is. */
export const SCATTER_MEAN = 9;
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
/** Level of a young sensor; in an incident, what was expected at its start, with the season of that time taken off. */
export const LEVEL = 16;
/** Readings in the incident so far (0 = none), and normal ones in a row within it. */
export const INCIDENT = 17;
export const CALM = 18;
/** Half width of the band at the bar, in the sensor's unit. */
export const BAND = 19;
/** Number of the sensor's type (settings.ts). */
export const TYPE = 20;
/** Largest residual of a young sensor. */
export const YOUNG_SPREAD = 21;
/** Seasonal residual, smoothed over about 120 readings. */
export const SEASON_SLOW = 22;
/** Value before the last one. */
export const OLDER_VALUE = 23;
/** Since when the value has not moved, microseconds. */
export const CHANGED_AT = 24;
/** Longest recent gap between readings, microseconds, fading toward the typical interval. */
export const LONGEST_GAP = 25;
/** When the sensor counts as silent (silence.ts). */
export const DEADLINE = 26;
/** Alerts of it labelled false and true by people. */
export const LABELLED_FALSE = 27;
export const LABELLED_TRUE = 28;
/** Maintenance window, microseconds: readings in [from, until) are neither judged nor learnt. */
export const MAINTENANCE_FROM = 29;
export const MAINTENANCE_UNTIL = 30;
/** Of a counter: the last raw value (the values judged are its rates). */
export const RAW_VALUE = 31;
/** 1 in an incident that began outside the forecaster's band: while the value stays away, it goes on. */
export const STICKY = 32;
/** Readings outside the baseline's band of late (decayed), and readings until the next of them is an excursion of its own. */
export const OUTSIDE = 33;
export const RETURNING = 34;
/** For each feature, the alerts of it labelled false less those labelled right. */
export const NET_LABELS = 35;

/** Features that may speak, each with a record of its own. */
export const VALUE = 0;
export const MEAN24 = 1;
export const MEAN96 = 2;
export const SEASON = 3;
export const SEASON_LONG = 4;
/** From here on only large values are strange. */
export const RESIDUAL = 5;
export const SCATTER = 6;
export const STUCK = 7;
/** Has no record: it is a distance already. */
export const PATTERN = 8;
export const FEATURES = 9;
/** The residual's second record, of readings outside incidents alone. */
export const BASELINE = 8;
export const RECORDS_KEPT = 9;

/** Habits of the sensor (normaliser.ts) and its readout (readout.ts). */
export const HABITS = NET_LABELS + FEATURES;
export const READOUT = HABITS + NORMALISER_DOUBLES;
export const DOUBLES = READOUT + READOUT_DOUBLES;

/** Single-precision cells: records, season, patterns, roughness, the last readings, the readout's matrix, state of the trunk (h, then c). */
export const RECORDS = 0;
export const SEASONS = RECORDS + RECORDS_KEPT * RECORD_FLOATS;
export const PATTERNS = SEASONS + SEASON_FLOATS;
export const ROUGHNESS = PATTERNS + BOX_FLOATS;
export const RING = ROUGHNESS + ROUGHNESS_FLOATS;
export const MATRIX = RING + RING_LENGTH;
export const TRUNK = MATRIX + READOUT_FLOATS;
