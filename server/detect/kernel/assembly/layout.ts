// Generated from ../fields.ts by `node server/detect/kernel/generate.ts`. Do not edit.

@unmanaged
export class Sensor {
  /** Readings seen. */
  readings: f64;
  /** Time of the last reading, µs. */
  lastTime: f64;
  /** Value of the last reading. */
  lastValue: f64;
  /** Single-precision fields store (value - origin) * gain: the sensor's own scale. */
  origin: f64;
  /** Scaled units per unit of the value. */
  gain: f64;
  /** Sum of the last 24 readings, scaled. */
  sum24: f64;
  /** Sum of the last 48 readings, scaled. */
  sum48: f64;
  /** Sum of the last 96 readings, scaled. */
  sum96: f64;
  /** Sum of the squares of the last 24 readings, scaled. */
  square24: f64;
  /** Mean size of the forecast's recent errors, in units of what is usual at their time of day. */
  scatterMean: f64;
  /** Typical interval between readings, µs. */
  interval: f64;
  /** Decayed sum of the sensor's own recent alarms. */
  alarms: f64;
  /** Readings since the last emission of the signal. */
  sinceEmission: f64;
  /** Height of that emission. */
  peak: f64;
  /** Readings without a change of value. */
  run: f64;
  /** Distance from the season, smoothed over about 12 readings, scaled. */
  seasonResidual: f64;
  /** Cold start: the level; in an incident: what was expected at its start, less the season of that time. */
  level: f64;
  /** Readings in the incident so far, 0 = none. */
  incident: f64;
  /** Normal readings in a row within the incident. */
  calm: f64;
  /** Half width of the band at the threshold. */
  band: f64;
  /** Number of the sensor's type. */
  type: f64;
  /** Largest residual during the cold start. */
  coldSpread: f64;
  /** How rare values like those of about the last 30 readings are. */
  rarity: f64;
  /** Value before the last one. */
  olderValue: f64;
  /** Since when the value has not moved, µs. */
  changedAt: f64;
  /** When readings last arrived, by the log's time, µs; 0 where the next gap is not to be measured. */
  arrivedAt: f64;
  /** When the sensor counts as silent, µs; only in the saved form. */
  deadline: f64;
  /** Alerts of it that people called wrong. */
  labelledFalse: f64;
  /** Alerts of it that people called right. */
  labelledTrue: f64;
  /** Maintenance window: begin, µs. */
  maintenanceFrom: f64;
  /** Maintenance window: end, µs. */
  maintenanceUntil: f64;
  /** Of a counter: the last raw value. */
  rawValue: f64;
  /** 1 and more in an incident that began outside the forecast's band: it continues while the value stays outside; less one, the largest move from reading to reading in it, bands. */
  sticky: f64;
  /** Decayed count of readings outside the baseline's band. */
  outside: f64;
  /** Readings until the next of them is an excursion of its own. */
  returning: f64;
  /** Running location of the value. */
  location: f64;
  /** Mean distance from the location. */
  spread: f64;
  /** Mean size of a move from reading to reading. */
  move: f64;
  /** Usual move when the inputs were taken. */
  forecastScale: f64;
  /** Value that the inputs lead to. */
  forecast: f64;
  /** What was expected before the newest incident. */
  formerLevel: f64;
  /** 1 where that is without the season's course. */
  formerSeasonal: f64;
  /** Half width of the band then. */
  formerBand: f64;
  /** For how many more readings that counts. */
  formerLeft: f64;
  /** Longest run of equal values; of those that ended in an incident a part. */
  longestRun: f64;
  /** Reason of the last reading, an index into REASONS; 0 where it was normal. */
  called: f64;
  /** Rhythm of arrivals: how many. */
  arrivals: f64;
  /** The usual gap between them, µs. */
  usualGap: f64;
  /** Days heard of, fading. */
  daysHeard: f64;
  /** The newest time record when the state was saved, µs; only in the saved form. */
  tickedAt: f64;
  /** Decayed count of incidents. */
  incidents: f64;
  /** Number of the time zone that the season is by; 0: UTC. */
  zone: f64;
  /** Local time at the last reading less UTC, µs. */
  localOffset: f64;
  /** How often the lengths of the blocks of extremes have doubled. */
  blockDoublings: f64;
  /** Measured values that were compared with the one before. */
  compared: f64;
  /** What is judged: 0 the value, 1 its growth per second, -1 what the settings say. */
  byRate: f64;
  /** Histogram of values: where its first cell begins, scaled. */
  binFrom: f64;
  /** Width of a cell, scaled. */
  binWidth: f64;
  /** Values in it, fading. */
  binTotal: f64;
  /** Since when the sensor is known to have two states, µs; 0: it has none. */
  statesSince: f64;
  /** Time in the present state, each reading by how much of such time is spent in the other one, usual intervals. */
  dwell: f64;
  /** When the present state began, µs. */
  stateFrom: f64;
  /** Its mean, scaled. */
  courseMean: f32;
  /** Its variance. */
  courseVariance: f32;
  /** Slow mean: the season where none is found, scaled. */
  flatMean: f32;
  /** Mean error of the slow mean as a forecast, scaled. */
  flatError: f32;
  /** Of the day's profile. */
  dayError: f32;
  /** Of the week's course. */
  weekError: f32;
  /** Season found: 0 none, 1 day, 2 day and week. */
  season: f32;
  /** Boxes in use. */
  boxes: f32;
  /** The box that was used last. */
  latestBox: f32;
  /** Their mean, scaled. */
  errorMean: f32;
  /** Share of the compared values that were higher, fading. */
  rises: f32;
  /** Share that were lower, but for resets, fading. */
  falls: f32;
  /** Share that fell to near zero, fading. */
  resets: f32;
  /** Share that were the same, fading. */
  repeats: f32;
  /** Where the values of the lower state end, scaled. */
  lowState: f32;
  /** Where those of the higher one begin, scaled. */
  highState: f32;
  /** Longest run of equal values other than zero, counted as longestRun. */
  longestRunAloft: f32;
  /** Address of its own profile, or of its type's. */
  profile: u32;
}
/** 9 × f64. Of each feature, alerts labelled false less those labelled right. */
export const SENSOR_NET_LABELS: usize = 568;
export const SENSOR_NET_LABELS_COUNT: i32 = 9;
/** 6 × f64. Readout: weight of each input. */
export const SENSOR_WEIGHTS: usize = 640;
export const SENSOR_WEIGHTS_COUNT: i32 = 6;
/** 6 × f64. Readout: the inputs known at the last reading, in usual moves. */
export const SENSOR_INPUTS: usize = 688;
export const SENSOR_INPUTS_COUNT: i32 = 6;
/** 10 × f64. Gaps that reached each height, fading. */
export const SENSOR_GAPS: usize = 736;
export const SENSOR_GAPS_COUNT: i32 = 10;
/** 9 × f32. Low: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOW: usize = 816;
export const SENSOR_EXTREME_LOW_COUNT: i32 = 9;
/** 9 × f32. High: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGH: usize = 852;
export const SENSOR_EXTREME_HIGH_COUNT: i32 = 9;
/** 9 × f32. Slow: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_SLOW: usize = 888;
export const SENSOR_EXTREME_SLOW_COUNT: i32 = 9;
/** 9 × f32. SlopeUp: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_SLOPE_UP: usize = 924;
export const SENSOR_EXTREME_SLOPE_UP_COUNT: i32 = 9;
/** 9 × f32. CentreUp: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_CENTRE_UP: usize = 960;
export const SENSOR_EXTREME_CENTRE_UP_COUNT: i32 = 9;
/** 9 × f32. SlopeDown: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_SLOPE_DOWN: usize = 996;
export const SENSOR_EXTREME_SLOPE_DOWN_COUNT: i32 = 9;
/** 9 × f32. CentreDown: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_CENTRE_DOWN: usize = 1032;
export const SENSOR_EXTREME_CENTRE_DOWN_COUNT: i32 = 9;
/** 9 × f32. Highest50: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGHEST50: usize = 1068;
export const SENSOR_EXTREME_HIGHEST50_COUNT: i32 = 9;
/** 9 × f32. Lowest50: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOWEST50: usize = 1104;
export const SENSOR_EXTREME_LOWEST50_COUNT: i32 = 9;
/** 9 × f32. HighMean50: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGH_MEAN50: usize = 1140;
export const SENSOR_EXTREME_HIGH_MEAN50_COUNT: i32 = 9;
/** 9 × f32. HighVariance50: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGH_VARIANCE50: usize = 1176;
export const SENSOR_EXTREME_HIGH_VARIANCE50_COUNT: i32 = 9;
/** 9 × f32. LowMean50: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOW_MEAN50: usize = 1212;
export const SENSOR_EXTREME_LOW_MEAN50_COUNT: i32 = 9;
/** 9 × f32. LowVariance50: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOW_VARIANCE50: usize = 1248;
export const SENSOR_EXTREME_LOW_VARIANCE50_COUNT: i32 = 9;
/** 9 × f32. Highest100: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGHEST100: usize = 1284;
export const SENSOR_EXTREME_HIGHEST100_COUNT: i32 = 9;
/** 9 × f32. Lowest100: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOWEST100: usize = 1320;
export const SENSOR_EXTREME_LOWEST100_COUNT: i32 = 9;
/** 9 × f32. HighMean100: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGH_MEAN100: usize = 1356;
export const SENSOR_EXTREME_HIGH_MEAN100_COUNT: i32 = 9;
/** 9 × f32. HighVariance100: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGH_VARIANCE100: usize = 1392;
export const SENSOR_EXTREME_HIGH_VARIANCE100_COUNT: i32 = 9;
/** 9 × f32. LowMean100: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOW_MEAN100: usize = 1428;
export const SENSOR_EXTREME_LOW_MEAN100_COUNT: i32 = 9;
/** 9 × f32. LowVariance100: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOW_VARIANCE100: usize = 1464;
export const SENSOR_EXTREME_LOW_VARIANCE100_COUNT: i32 = 9;
/** 9 × f32. Highest200: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGHEST200: usize = 1500;
export const SENSOR_EXTREME_HIGHEST200_COUNT: i32 = 9;
/** 9 × f32. Lowest200: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOWEST200: usize = 1536;
export const SENSOR_EXTREME_LOWEST200_COUNT: i32 = 9;
/** 9 × f32. HighMean200: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGH_MEAN200: usize = 1572;
export const SENSOR_EXTREME_HIGH_MEAN200_COUNT: i32 = 9;
/** 9 × f32. HighVariance200: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGH_VARIANCE200: usize = 1608;
export const SENSOR_EXTREME_HIGH_VARIANCE200_COUNT: i32 = 9;
/** 9 × f32. LowMean200: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOW_MEAN200: usize = 1644;
export const SENSOR_EXTREME_LOW_MEAN200_COUNT: i32 = 9;
/** 9 × f32. LowVariance200: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOW_VARIANCE200: usize = 1680;
export const SENSOR_EXTREME_LOW_VARIANCE200_COUNT: i32 = 9;
/** 9 × f32. Highest400: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGHEST400: usize = 1716;
export const SENSOR_EXTREME_HIGHEST400_COUNT: i32 = 9;
/** 9 × f32. Lowest400: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOWEST400: usize = 1752;
export const SENSOR_EXTREME_LOWEST400_COUNT: i32 = 9;
/** 9 × f32. HighMean400: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGH_MEAN400: usize = 1788;
export const SENSOR_EXTREME_HIGH_MEAN400_COUNT: i32 = 9;
/** 9 × f32. HighVariance400: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_HIGH_VARIANCE400: usize = 1824;
export const SENSOR_EXTREME_HIGH_VARIANCE400_COUNT: i32 = 9;
/** 9 × f32. LowMean400: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOW_MEAN400: usize = 1860;
export const SENSOR_EXTREME_LOW_MEAN400_COUNT: i32 = 9;
/** 9 × f32. LowVariance400: range so far and its slow mean, calibration, and of each block length the block's extremes and their moments. */
export const SENSOR_EXTREME_LOW_VARIANCE400: usize = 1896;
export const SENSOR_EXTREME_LOW_VARIANCE400_COUNT: i32 = 9;
/** 48 × f32. Mean of each half hour of the day, scaled. */
export const SENSOR_DAY_MEAN: usize = 1932;
export const SENSOR_DAY_MEAN_COUNT: i32 = 48;
/** 48 × f32. Readings of each half hour of the day. */
export const SENSOR_DAY_COUNT: usize = 2124;
export const SENSOR_DAY_COUNT_COUNT: i32 = 48;
/** 48 × f32. The week's course: each half hour of the day, scaled. */
export const SENSOR_COURSE: usize = 2316;
export const SENSOR_COURSE_COUNT: i32 = 48;
/** 7 × f32. How strongly each weekday follows the course, less one. */
export const SENSOR_WEEKDAY_GAIN: usize = 2508;
export const SENSOR_WEEKDAY_GAIN_COUNT: i32 = 7;
/** 7 × f32. How much higher it is, scaled. */
export const SENSOR_WEEKDAY_OFFSET: usize = 2536;
export const SENSOR_WEEKDAY_OFFSET_COUNT: i32 = 7;
/** 28 × f32. Low0: pattern boxes: lows and highs of the three coordinates, and the reading that used the box last. */
export const SENSOR_BOX_LOW0: usize = 2564;
export const SENSOR_BOX_LOW0_COUNT: i32 = 28;
/** 28 × f32. Low1: pattern boxes: lows and highs of the three coordinates, and the reading that used the box last. */
export const SENSOR_BOX_LOW1: usize = 2676;
export const SENSOR_BOX_LOW1_COUNT: i32 = 28;
/** 28 × f32. Low2: pattern boxes: lows and highs of the three coordinates, and the reading that used the box last. */
export const SENSOR_BOX_LOW2: usize = 2788;
export const SENSOR_BOX_LOW2_COUNT: i32 = 28;
/** 28 × f32. High0: pattern boxes: lows and highs of the three coordinates, and the reading that used the box last. */
export const SENSOR_BOX_HIGH0: usize = 2900;
export const SENSOR_BOX_HIGH0_COUNT: i32 = 28;
/** 28 × f32. High1: pattern boxes: lows and highs of the three coordinates, and the reading that used the box last. */
export const SENSOR_BOX_HIGH1: usize = 3012;
export const SENSOR_BOX_HIGH1_COUNT: i32 = 28;
/** 28 × f32. High2: pattern boxes: lows and highs of the three coordinates, and the reading that used the box last. */
export const SENSOR_BOX_HIGH2: usize = 3124;
export const SENSOR_BOX_HIGH2_COUNT: i32 = 28;
/** 28 × f32. Used: pattern boxes: lows and highs of the three coordinates, and the reading that used the box last. */
export const SENSOR_BOX_USED: usize = 3236;
export const SENSOR_BOX_USED_COUNT: i32 = 28;
/** 3 × f32. Low: running range of each coordinate. */
export const SENSOR_COORDINATE_LOW: usize = 3348;
export const SENSOR_COORDINATE_LOW_COUNT: i32 = 3;
/** 3 × f32. High: running range of each coordinate. */
export const SENSOR_COORDINATE_HIGH: usize = 3360;
export const SENSOR_COORDINATE_HIGH_COUNT: i32 = 3;
/** 48 × f32. Time-of-day error profile: fading maximum of the forecast's errors in each half hour, scaled. */
export const SENSOR_ERROR_PROFILE: usize = 3372;
export const SENSOR_ERROR_PROFILE_COUNT: i32 = 48;
/** 96 × f32. The last readings, scaled. */
export const SENSOR_RING: usize = 3564;
export const SENSOR_RING_COUNT: i32 = 96;
/** 21 × f32. Readout: upper triangle of the inverse correlation matrix, row by row. */
export const SENSOR_MATRIX: usize = 3948;
export const SENSOR_MATRIX_COUNT: i32 = 21;
/** 32 × f32. Histogram of values: how many in each cell, fading. */
export const SENSOR_BIN: usize = 4032;
export const SENSOR_BIN_COUNT: i32 = 32;
export const SENSOR_BYTES: i32 = 4160;

@unmanaged
export class Profile {
  /** Alarms per sensor and day that are acceptable on normal data. */
  alarmsPerSensorDay: f64;
  /** Values below are impossible. */
  rangeMin: f64;
  /** Values above are impossible. */
  rangeMax: f64;
  /** Faster changes are impossible, units per µs. */
  maxRatePerUs: f64;
  /** A value unchanged for this long is stuck, µs. */
  stuckUs: f64;
  /** No reading for this long is silence, µs; NaN: learnt. */
  silenceUs: f64;
  /** How far normal sensors of the type go beyond their first readings. */
  reach: f64;
  /** Judged by its growth per second: 0 no, 1 yes, 2 where it is recognised as a counter. */
  counter: u32;
  /** What is reported: 1 above what is expected, 2 below it, 3 both, 0 nothing. */
  sides: u32;
  /** Address of the calendar; 0: UTC without holidays. */
  calendar: u32;
}
export const PROFILE_BYTES: i32 = 72;

@unmanaged
export class Calendar {
  /** Number of the time zone, 0: UTC. */
  zone: f64;
  /** The offset that was found last counts from this time on, µs. */
  from: f64;
  /** Up to this time, µs. */
  until: f64;
  /** That offset, µs. */
  offset: f64;
  /** The offset before the first change, µs. */
  firstOffset: f64;
  /** How often the offset changes. */
  changes: u32;
  /** How many holidays there are. */
  holidays: u32;
  /** The weekday that holidays are like, 0 = Thursday. */
  restDay: u32;
}
/** 400 × f64. When the offset changes, in order of time, µs. */
export const CALENDAR_CHANGE_AT: usize = 56;
export const CALENDAR_CHANGE_AT_COUNT: i32 = 400;
/** 400 × f64. The offset from then on, µs. */
export const CALENDAR_CHANGE_TO: usize = 3256;
export const CALENDAR_CHANGE_TO_COUNT: i32 = 400;
/** 1000 × f64. The holidays, in order of time, days since 1970. */
export const CALENDAR_HOLIDAY: usize = 6456;
export const CALENDAR_HOLIDAY_COUNT: i32 = 1000;
export const CALENDAR_BYTES: i32 = 14456;

@unmanaged
export class Reading {
  /** Observed at, µs. */
  time: f64;
  /** Measured value. */
  raw: f64;
  /** What is judged: the measured value, or a counter's rate per second. */
  value: f64;
  /** The value in the sensor's own scale. */
  scaled: f64;
  /** Readings of the sensor before this one. */
  before: f64;
  /** Time of the reading before, µs. */
  lastTime: f64;
  /** The trunk's forecast of the next move, in usual moves. */
  forecastMove: f64;
  /** How large errors are at this time of day, 1 = as on average. */
  errorScale: f64;
  /** Distance from the forecast. */
  forecastError: f64;
  /** Raw score from which the reading is anomalous, before alarm fatigue. */
  threshold: f64;
  /** Alarm-fatigue damping: raw scores are divided by it. */
  damping: f64;
  /** Thresholds from which an incident that has settled is told, 1 where it has not. */
  toldFrom: f64;
  /** Total of the votes, damped. */
  rawScore: f64;
  /** Total of the votes on the side that is reported, before damping; only where one side is. */
  sidedScore: f64;
  /** Raw score of staying or coming back outside the band, 0 = none. */
  outside: f64;
  /** Raw score of a broken rule, 0 = none. */
  ruleScore: f64;
  /** Time in the state that ended with this reading, as the sensor's dwell; 0 while one lasts. */
  ended: f64;
  /** Raw score of the residual's second extremes. */
  baselineScore: f64;
  /** Expected value. */
  expected: f64;
  /** Half width of the band of normal around it. */
  band: f64;
  /** Local time less UTC, µs. */
  localOffset: f64;
  /** Row of the batch. */
  row: u32;
  /** Reason of the detector with the strongest vote. */
  reason: u32;
  /** Reason of the broken rule. */
  ruleReason: u32;
  /** Reason of the strongest vote on the side that is reported. */
  sidedReason: u32;
  /** 1: back where it was expected before an incident. */
  back: u32;
  /** Half hour of the local day, 0 to 47. */
  halfHour: u32;
  /** Day of the week, 0 = Thursday; of a holiday that of its rest day. */
  weekday: u32;
  /** 1 until the extremes of two blocks are known. */
  coldStart: u32;
}
export const READING_BYTES: i32 = 200;

@unmanaged
export class Votes {
  /** Raw score from which the reading is anomalous, times the damping, as all here. */
  threshold: f64;
  /** Total of the votes and the rules. */
  total: f64;
  /** Raw score of the cold start's judge. */
  coldStartScore: f64;
  /** Raw score of the forecaster for a reading that stays or comes back outside its band. */
  outside: f64;
  /** 1: an explanation is wanted; 0 again once it is here. */
  asked: u32;
  /** 1: the cold start's score decided. */
  coldStart: u32;
  /** 1: the sensor has two states. */
  states: u32;
  /** 1: abnormal, and not reported: on the other side, or the sensor is off. */
  muted: u32;
  /** 1: abnormal, and not reported: a new sensor that has rested at zero begins to move. */
  wakes: u32;
}
/** 9 × f64. Raw score of each feature, by its weight. */
export const VOTES_SCORE: usize = 56;
export const VOTES_SCORE_COUNT: i32 = 9;
/** 9 × f64. Weight of each feature. */
export const VOTES_WEIGHT: usize = 128;
export const VOTES_WEIGHT_COUNT: i32 = 9;
export const VOTES_BYTES: i32 = 200;

/** 1024 × f64. In: observed at, µs. */
export const COLUMNS_TIME: usize = 0;
/** 1024 × f64. In: measured value. */
export const COLUMNS_VALUE: usize = 8192;
/** 1024 × f64. Between: what is judged. */
export const COLUMNS_JUDGED: usize = 16384;
/** 1024 × f64. Between: first input of the trunk. */
export const COLUMNS_PLACE: usize = 24576;
/** 1024 × f64. Between: second input of the trunk. */
export const COLUMNS_STEP: usize = 32768;
/** 1024 × f64. Between: the trunk's forecast. */
export const COLUMNS_FORECAST_MOVE: usize = 40960;
/** 1024 × u32. In: address of the sensor's state. */
export const COLUMNS_SENSOR: usize = 49152;
/** 1024 × f32. Out: expected value. */
export const COLUMNS_EXPECTED: usize = 53248;
/** 1024 × f32. Out: half width of the band. */
export const COLUMNS_BAND: usize = 57344;
/** 1024 × f32. Out: emission before the threshold. */
export const COLUMNS_SIGNAL: usize = 61440;
/** 1024 × u16. Out: steps of 1e-4. */
export const COLUMNS_CONFIDENCE: usize = 65536;
/** 1024 × u16. Out: steps of 1e-4. */
export const COLUMNS_SCORE: usize = 67584;
/** 1024 × u8. Out: 1 where anomalous. */
export const COLUMNS_ANOMALY: usize = 69632;
/** 1024 × u8. Out: index into REASONS. */
export const COLUMNS_REASON: usize = 70656;
/** 1024 × u8. Between: 0 in a maintenance window. */
export const COLUMNS_TAKEN: usize = 71680;
export const COLUMNS_BYTES: i32 = 72704;

@unmanaged
export class Model {
  /** Raw score that the confidence asked for adds to that of 0.95. */
  strictness: f64;
  /** Head: constant. */
  constant: f64;
  /** Units of the trunk. */
  units: u32;
}
/** 9 × f64. Of each feature: 1 where it may speak, else 0. */
export const MODEL_VOICE: usize = 24;
export const MODEL_VOICE_COUNT: i32 = 9;
/** 16 × f64. Head: weight of each unit. */
export const MODEL_HEAD: usize = 96;
export const MODEL_HEAD_COUNT: i32 = 16;
/** 1216 × f64. For each two units: bias, inputs and recurrent weights, each of four gates, each of both units. */
export const MODEL_TRUNK: usize = 224;
export const MODEL_TRUNK_COUNT: i32 = 1216;
export const MODEL_BYTES: i32 = 9952;

/** Rows that a call takes at most. */
export const ROWS: i32 = 1024;
/** The trunk's state: hidden values, then cell values, in single precision. */
export const SENSOR_TRUNK: usize = 4160;

/** Forgets all that was learnt of a sensor's values; the trunk has so many units. */
export function forgetValues(s: Sensor, units: i32): void {
  s.readings = 0;
  s.lastValue = 0;
  s.origin = 0;
  s.gain = 0;
  s.sum24 = 0;
  s.sum48 = 0;
  s.sum96 = 0;
  s.square24 = 0;
  s.scatterMean = 0;
  s.alarms = 0;
  s.sinceEmission = 0;
  s.peak = 0;
  s.run = 0;
  s.seasonResidual = 0;
  s.level = 0;
  s.incident = 0;
  s.calm = 0;
  s.band = 0;
  s.coldSpread = 0;
  s.rarity = 0;
  s.olderValue = 0;
  s.changedAt = 0;
  s.sticky = 0;
  s.outside = 0;
  s.returning = 0;
  s.location = 0;
  s.spread = 0;
  s.move = 0;
  s.forecastScale = 0;
  s.forecast = 0;
  s.formerLevel = 0;
  s.formerSeasonal = 0;
  s.formerBand = 0;
  s.formerLeft = 0;
  s.longestRun = 0;
  s.called = 0;
  s.incidents = 0;
  s.blockDoublings = 0;
  s.binFrom = 0;
  s.binWidth = 0;
  s.binTotal = 0;
  s.statesSince = 0;
  s.dwell = 0;
  s.stateFrom = 0;
  s.courseMean = 0;
  s.courseVariance = 0;
  s.flatMean = 0;
  s.flatError = 0;
  s.dayError = 0;
  s.weekError = 0;
  s.season = 0;
  s.boxes = 0;
  s.latestBox = 0;
  s.errorMean = 0;
  s.lowState = 0;
  s.highState = 0;
  s.longestRunAloft = 0;
  memory.fill(changetype<usize>(s) + SENSOR_WEIGHTS, 0, 48);
  memory.fill(changetype<usize>(s) + SENSOR_INPUTS, 0, 48);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOW, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGH, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_SLOW, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_SLOPE_UP, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_CENTRE_UP, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_SLOPE_DOWN, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_CENTRE_DOWN, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGHEST50, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOWEST50, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGH_MEAN50, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGH_VARIANCE50, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOW_MEAN50, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOW_VARIANCE50, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGHEST100, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOWEST100, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGH_MEAN100, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGH_VARIANCE100, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOW_MEAN100, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOW_VARIANCE100, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGHEST200, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOWEST200, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGH_MEAN200, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGH_VARIANCE200, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOW_MEAN200, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOW_VARIANCE200, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGHEST400, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOWEST400, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGH_MEAN400, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_HIGH_VARIANCE400, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOW_MEAN400, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_EXTREME_LOW_VARIANCE400, 0, 36);
  memory.fill(changetype<usize>(s) + SENSOR_DAY_MEAN, 0, 192);
  memory.fill(changetype<usize>(s) + SENSOR_DAY_COUNT, 0, 192);
  memory.fill(changetype<usize>(s) + SENSOR_COURSE, 0, 192);
  memory.fill(changetype<usize>(s) + SENSOR_WEEKDAY_GAIN, 0, 28);
  memory.fill(changetype<usize>(s) + SENSOR_WEEKDAY_OFFSET, 0, 28);
  memory.fill(changetype<usize>(s) + SENSOR_BOX_LOW0, 0, 112);
  memory.fill(changetype<usize>(s) + SENSOR_BOX_LOW1, 0, 112);
  memory.fill(changetype<usize>(s) + SENSOR_BOX_LOW2, 0, 112);
  memory.fill(changetype<usize>(s) + SENSOR_BOX_HIGH0, 0, 112);
  memory.fill(changetype<usize>(s) + SENSOR_BOX_HIGH1, 0, 112);
  memory.fill(changetype<usize>(s) + SENSOR_BOX_HIGH2, 0, 112);
  memory.fill(changetype<usize>(s) + SENSOR_BOX_USED, 0, 112);
  memory.fill(changetype<usize>(s) + SENSOR_COORDINATE_LOW, 0, 12);
  memory.fill(changetype<usize>(s) + SENSOR_COORDINATE_HIGH, 0, 12);
  memory.fill(changetype<usize>(s) + SENSOR_ERROR_PROFILE, 0, 192);
  memory.fill(changetype<usize>(s) + SENSOR_RING, 0, 384);
  memory.fill(changetype<usize>(s) + SENSOR_MATRIX, 0, 84);
  memory.fill(changetype<usize>(s) + SENSOR_BIN, 0, 128);
  memory.fill(changetype<usize>(s) + SENSOR_TRUNK, 0, (<usize>(units + (units & 1))) << 3);
}
