import { FEATURES } from "./features.ts";

/**
 * What the kernel keeps in its memory, field by field: the one place from which the offsets of both sides follow (layout.ts for
 * TypeScript, assembly/layout.ts, generated, for the kernel). Changing what is saved changes STATE_VERSION.
 */
export const STATE_VERSION = 12;
/** Former versions that can be read: each has the cells of the one before, and after them those that it added. */
export const FORMER_STATES: readonly number[] = [6, 7, 8, 9, 10, 11];

/** Readings before a sensor is judged: its 24th is the first. */
export const WARM_READINGS = 23;
/** Until then, two blocks of the shortest length later, the cold start's judge speaks. */
export const COLD_START_READINGS: number = WARM_READINGS + 100;

/** Extremes kept: of every feature but the pattern (a distance already), and the residual's second ones, of readings outside incidents. */
export const EXTREMES: number = FEATURES.length;
/** Lengths of blocks whose extremes are kept. */
const BLOCK_LENGTHS = [50, 100, 200, 400];
const BOXES = 28;
const HALF_HOURS = 48;
/** Cells of the histogram of values; even. */
const BINS = 32;
const WEEKDAYS = 7;
/** Readings in the ring, the longest window. */
const RING_LENGTH = 96;
const READOUT_INPUTS = 6;
/** Lengths of gaps between arrivals that are counted. */
const GAP_HEIGHTS = 10;
/** Changes of a time zone's offset, and holidays, that a calendar has room for. */
export const MAX_TRANSITIONS = 400;
export const MAX_HOLIDAYS = 1000;
/** The largest number of units a model may have. */
export const MAX_UNITS = 16;

export interface Field {
  readonly name: string;
  readonly type: "f64" | "f32" | "u32" | "u16" | "u8";
  /** Cells; 1 where absent. */
  readonly count?: number;
  /** The version of the state that added it; absent: the first that can be read. */
  readonly since?: number;
  /** True where it is not learnt of the values: it stays where another quantity of the sensor is judged from now on. */
  readonly kept?: boolean;
  /** The cells are of items of several fields each: saved item by item, kept in memory field by field, so that two items are one vector. */
  readonly of?: readonly string[];
  /** Unit and meaning. */
  readonly meaning: string;
}

const f64 = (name: string, meaning: string, count = 1): Field => ({ name, type: "f64", count, meaning });
const f32 = (name: string, meaning: string, count = 1): Field => ({ name, type: "f32", count, meaning });
const kept = (field: Field): Field => ({ ...field, kept: true });
const since = (version: number, fields: readonly Field[]) => fields.map((field) => ({ ...field, since: version }));

/**
 * A sensor's state in the order in which it is saved: first all in double precision, then all in single precision with the trunk's state
 * (`units` hidden values and as many cell values) after those of the first versions.
 */
export const SENSOR: readonly Field[] = [
  f64("readings", "readings seen"),
  kept(f64("lastTime", "time of the last reading, µs")),
  f64("lastValue", "value of the last reading"),
  f64("origin", "single-precision fields store (value - origin) * gain: the sensor's own scale"),
  f64("gain", "scaled units per unit of the value"),
  f64("sum24", "sum of the last 24 readings, scaled"),
  f64("sum48", "sum of the last 48 readings, scaled"),
  f64("sum96", "sum of the last 96 readings, scaled"),
  f64("square24", "sum of the squares of the last 24 readings, scaled"),
  f64("scatterMean", "mean size of the forecast's recent errors, in units of what is usual at their time of day"),
  kept(f64("interval", "typical interval between readings, µs")),
  f64("alarms", "decayed sum of the sensor's own recent alarms"),
  f64("sinceEmission", "readings since the last emission of the signal"),
  f64("peak", "height of that emission"),
  f64("run", "readings without a change of value"),
  f64("seasonResidual", "distance from the season, smoothed over about 12 readings, scaled"),
  f64("level", "cold start: the level; in an incident: what was expected at its start, less the season of that time"),
  f64("incident", "readings in the incident so far, 0 = none"),
  f64("calm", "normal readings in a row within the incident"),
  f64("band", "half width of the band at the threshold"),
  kept(f64("type", "number of the sensor's type")),
  f64("coldSpread", "largest residual during the cold start"),
  f64("rarity", "how rare values like those of about the last 30 readings are"),
  f64("olderValue", "value before the last one"),
  f64("changedAt", "since when the value has not moved, µs"),
  kept(
    f64("arrivedAt", "when readings last arrived, by the log's time, µs; 0 where the next gap is not to be measured"),
  ),
  kept(f64("deadline", "when the sensor counts as silent, µs; only in the saved form")),
  kept(f64("labelledFalse", "alerts of it that people called wrong")),
  kept(f64("labelledTrue", "alerts of it that people called right")),
  kept(f64("maintenanceFrom", "maintenance window: begin, µs")),
  kept(f64("maintenanceUntil", "maintenance window: end, µs")),
  kept(f64("rawValue", "of a counter: the last raw value")),
  f64(
    "sticky",
    "1 and more in an incident that began outside the forecast's band: it continues while the value stays outside; less one, the largest move from reading to reading in it, bands",
  ),
  f64("outside", "decayed count of readings outside the baseline's band"),
  f64("returning", "readings until the next of them is an excursion of its own"),
  kept(f64("netLabels", "of each feature, alerts labelled false less those labelled right", FEATURES.length)),
  f64("location", "running location of the value"),
  f64("spread", "mean distance from the location"),
  f64("move", "mean size of a move from reading to reading"),
  f64("weights", "readout: weight of each input", READOUT_INPUTS),
  f64("inputs", "readout: the inputs known at the last reading, in usual moves", READOUT_INPUTS),
  f64("forecastScale", "usual move when the inputs were taken"),
  f64("forecast", "value that the inputs lead to"),
  ...since(7, [
    f64("formerLevel", "what was expected before the newest incident"),
    f64("formerSeasonal", "1 where that is without the season's course"),
    f64("formerBand", "half width of the band then"),
    f64("formerLeft", "for how many more readings that counts"),
    f64("longestRun", "longest run of equal values; of those that ended in an incident a part"),
    f64("called", "reason of the last reading, an index into REASONS; 0 where it was normal"),
    kept(f64("arrivals", "rhythm of arrivals: how many")),
    kept(f64("usualGap", "the usual gap between them, µs")),
    kept(f64("daysHeard", "days heard of, fading")),
    kept(f64("tickedAt", "the newest time record when the state was saved, µs; only in the saved form")),
    kept(f64("gaps", "gaps that reached each height, fading", GAP_HEIGHTS)),
  ]),
  ...since(8, [f64("incidents", "decayed count of incidents")]),
  ...since(9, [
    kept(f64("zone", "number of the time zone that the season is by; 0: UTC")),
    kept(f64("localOffset", "local time at the last reading less UTC, µs")),
    f64("blockDoublings", "how often the lengths of the blocks of extremes have doubled"),
  ]),
  ...since(10, [
    kept(f64("compared", "measured values that were compared with the one before")),
    kept(f64("byRate", "what is judged: 0 the value, 1 its growth per second, -1 what the settings say")),
    f64("binFrom", "histogram of values: where its first cell begins, scaled"),
    f64("binWidth", "width of a cell, scaled"),
    f64("binTotal", "values in it, fading"),
  ]),
  ...since(11, [
    f64("statesSince", "since when the sensor is known to have two states, µs; 0: it has none"),
    f64(
      "dwell",
      "time in the present state, each reading by how much of such time is spent in the other one, usual intervals",
    ),
    f64("stateFrom", "when the present state began, µs"),
  ]),
  {
    name: "extreme",
    type: "f32",
    count: EXTREMES,
    of: [
      ...["low", "high", "slow", "slopeUp", "centreUp", "slopeDown", "centreDown"],
      ...BLOCK_LENGTHS.flatMap((length) =>
        ["highest", "lowest", "highMean", "highVariance", "lowMean", "lowVariance"].map((name) => name + length),
      ),
    ],
    meaning:
      "range so far and its slow mean, calibration, and of each block length the block's extremes and their moments",
  },
  f32("dayMean", "mean of each half hour of the day, scaled", HALF_HOURS),
  f32("dayCount", "readings of each half hour of the day", HALF_HOURS),
  f32("course", "the week's course: each half hour of the day, scaled", HALF_HOURS),
  f32("courseMean", "its mean, scaled"),
  f32("courseVariance", "its variance"),
  f32("weekdayGain", "how strongly each weekday follows the course, less one", WEEKDAYS),
  f32("weekdayOffset", "how much higher it is, scaled", WEEKDAYS),
  f32("flatMean", "slow mean: the season where none is found, scaled"),
  f32("flatError", "mean error of the slow mean as a forecast, scaled"),
  f32("dayError", "of the day's profile"),
  f32("weekError", "of the week's course"),
  f32("season", "season found: 0 none, 1 day, 2 day and week"),
  {
    name: "box",
    type: "f32",
    count: BOXES,
    of: ["low0", "low1", "low2", "high0", "high1", "high2", "used"],
    meaning: "pattern boxes: lows and highs of the three coordinates, and the reading that used the box last",
  },
  { name: "coordinate", type: "f32", count: 3, of: ["low", "high"], meaning: "running range of each coordinate" },
  f32("boxes", "boxes in use"),
  f32("latestBox", "the box that was used last"),
  f32(
    "errorProfile",
    "time-of-day error profile: fading maximum of the forecast's errors in each half hour, scaled",
    HALF_HOURS,
  ),
  f32("errorMean", "their mean, scaled"),
  f32("ring", "the last readings, scaled", RING_LENGTH),
  f32(
    "matrix",
    "readout: upper triangle of the inverse correlation matrix, row by row",
    (READOUT_INPUTS * (READOUT_INPUTS + 1)) / 2,
  ),
  ...since(10, [
    kept(f32("rises", "share of the compared values that were higher, fading")),
    kept(f32("falls", "share that were lower, but for resets, fading")),
    kept(f32("resets", "share that fell to near zero, fading")),
    kept(f32("repeats", "share that were the same, fading")),
    f32("bin", "histogram of values: how many in each cell, fading", BINS),
  ]),
  ...since(11, [
    f32("lowState", "where the values of the lower state end, scaled"),
    f32("highState", "where those of the higher one begin, scaled"),
  ]),
  ...since(12, [f32("longestRunAloft", "longest run of equal values other than zero, counted as longestRun")]),
];

/** Settings of a sensor's type or of one sensor, and the type's prior. */
export const PROFILE: readonly Field[] = [
  f64("alarmsPerSensorDay", "alarms per sensor and day that are acceptable on normal data"),
  f64("rangeMin", "values below are impossible"),
  f64("rangeMax", "values above are impossible"),
  f64("maxRatePerUs", "faster changes are impossible, units per µs"),
  f64("stuckUs", "a value unchanged for this long is stuck, µs"),
  f64("silenceUs", "no reading for this long is silence, µs; NaN: learnt"),
  f64("reach", "how far normal sensors of the type go beyond their first readings"),
  {
    name: "counter",
    type: "u32",
    meaning: "judged by its growth per second: 0 no, 1 yes, 2 where it is recognised as a counter",
  },
  { name: "sides", type: "u32", meaning: "what is reported: 1 above what is expected, 2 below it, 3 both, 0 nothing" },
  { name: "calendar", type: "u32", meaning: "address of the calendar; 0: UTC without holidays" },
];

/** The time zone and the holidays of some profiles. What is known of the last time that was asked for saves looking for it again. */
export const CALENDAR: readonly Field[] = [
  kept(f64("zone", "number of the time zone, 0: UTC")),
  f64("from", "the offset that was found last counts from this time on, µs"),
  f64("until", "up to this time, µs"),
  f64("offset", "that offset, µs"),
  f64("firstOffset", "the offset before the first change, µs"),
  { name: "changes", type: "u32", meaning: "how often the offset changes" },
  { name: "holidays", type: "u32", meaning: "how many holidays there are" },
  { name: "restDay", type: "u32", meaning: "the weekday that holidays are like, 0 = Thursday" },
  f64("changeAt", "when the offset changes, in order of time, µs", MAX_TRANSITIONS),
  f64("changeTo", "the offset from then on, µs", MAX_TRANSITIONS),
  f64("holiday", "the holidays, in order of time, days since 1970", MAX_HOLIDAYS),
];

/** A reading on its way through the stages. */
export const READING: readonly Field[] = [
  f64("time", "observed at, µs"),
  f64("raw", "measured value"),
  f64("value", "what is judged: the measured value, or a counter's rate per second"),
  f64("scaled", "the value in the sensor's own scale"),
  f64("before", "readings of the sensor before this one"),
  kept(f64("lastTime", "time of the reading before, µs")),
  f64("forecastMove", "the trunk's forecast of the next move, in usual moves"),
  f64("errorScale", "how large errors are at this time of day, 1 = as on average"),
  f64("forecastError", "distance from the forecast"),
  f64("threshold", "raw score from which the reading is anomalous, before alarm fatigue"),
  f64("damping", "alarm-fatigue damping: raw scores are divided by it"),
  f64("toldFrom", "thresholds from which an incident that has settled is told, 1 where it has not"),
  f64("rawScore", "total of the votes, damped"),
  f64("sidedScore", "total of the votes on the side that is reported, before damping; only where one side is"),
  f64("outside", "raw score of staying or coming back outside the band, 0 = none"),
  f64("ruleScore", "raw score of a broken rule, 0 = none"),
  f64("ended", "time in the state that ended with this reading, as the sensor's dwell; 0 while one lasts"),
  f64("baselineScore", "raw score of the residual's second extremes"),
  f64("expected", "expected value"),
  f64("band", "half width of the band of normal around it"),
  kept(f64("localOffset", "local time less UTC, µs")),
  { name: "row", type: "u32", meaning: "row of the batch" },
  { name: "reason", type: "u32", meaning: "reason of the detector with the strongest vote" },
  { name: "ruleReason", type: "u32", meaning: "reason of the broken rule" },
  { name: "sidedReason", type: "u32", meaning: "reason of the strongest vote on the side that is reported" },
  { name: "back", type: "u32", meaning: "1: back where it was expected before an incident" },
  { name: "halfHour", type: "u32", meaning: "half hour of the local day, 0 to 47" },
  { name: "weekday", type: "u32", meaning: "day of the week, 0 = Thursday; of a holiday that of its rest day" },
  { name: "coldStart", type: "u32", meaning: "1 until the extremes of two blocks are known" },
];

/** What each detector had to say of the last reading; written only when `asked` is 1. */
export const VOTES: readonly Field[] = [
  { name: "asked", type: "u32", meaning: "1: an explanation is wanted; 0 again once it is here" },
  { name: "coldStart", type: "u32", meaning: "1: the cold start's score decided" },
  { name: "states", type: "u32", meaning: "1: the sensor has two states" },
  { name: "muted", type: "u32", meaning: "1: abnormal, and not reported: on the other side, or the sensor is off" },
  {
    name: "wakes",
    type: "u32",
    meaning: "1: abnormal, and not reported: a new sensor that has rested at zero begins to move",
  },
  f64("threshold", "raw score from which the reading is anomalous, times the damping, as all here"),
  f64("total", "total of the votes and the rules"),
  f64("coldStartScore", "raw score of the cold start's judge"),
  f64("outside", "raw score of the forecaster for a reading that stays or comes back outside its band"),
  f64("score", "raw score of each feature, by its weight", FEATURES.length),
  f64("weight", "weight of each feature", FEATURES.length),
];

/** Rows that a call takes at most. */
export const ROWS = 1024;

const column = (name: string, type: Field["type"], meaning: string): Field => ({ name, type, count: ROWS, meaning });

/** Columns of a batch: readings in, and what was found out. */
export const COLUMNS: readonly Field[] = [
  column("time", "f64", "in: observed at, µs"),
  column("value", "f64", "in: measured value"),
  column("judged", "f64", "between: what is judged"),
  column("place", "f64", "between: first input of the trunk"),
  column("step", "f64", "between: second input of the trunk"),
  column("forecastMove", "f64", "between: the trunk's forecast"),
  column("sensor", "u32", "in: address of the sensor's state"),
  column("expected", "f32", "out: expected value"),
  column("band", "f32", "out: half width of the band"),
  column("signal", "f32", "out: emission before the threshold"),
  column("confidence", "u16", "out: steps of 1e-4"),
  column("score", "u16", "out: steps of 1e-4"),
  column("anomaly", "u8", "out: 1 where anomalous"),
  column("reason", "u8", "out: index into REASONS"),
  column("taken", "u8", "between: 0 in a maintenance window"),
];

/** Weights of the trunk and settings of all sensors. */
const TRUNK_ROWS = 3 + MAX_UNITS;
export const MODEL: readonly Field[] = [
  f64("strictness", "raw score that the confidence asked for adds to that of 0.95"),
  f64("constant", "head: constant"),
  { name: "units", type: "u32", meaning: "units of the trunk" },
  f64("voice", "of each feature: 1 where it may speak, else 0", FEATURES.length),
  f64("head", "head: weight of each unit", MAX_UNITS),
  f64(
    "trunk",
    "for each two units: bias, inputs and recurrent weights, each of four gates, each of both units",
    (MAX_UNITS / 2) * TRUNK_ROWS * 8,
  ),
];
