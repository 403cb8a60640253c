import {
  ALARMS,
  BAND,
  CALM,
  DOUBLES,
  FEATURES,
  GAIN,
  INCIDENT,
  INTERVAL,
  LAST_TIME,
  LAST_VALUE,
  LEVEL,
  N,
  ORIGIN,
  PEAK,
  RUN,
  SEASON_BINS,
  SEASON_MEAN,
  SINCE,
  SQUARE24,
  SQUARE96,
  STATE_VERSION,
  SUM24,
  SUM48,
  SUM96,
  TYPE,
  YOUNG_SPREAD,
} from "./cells.ts";
import type { Detector, ScoreBatch } from "./detector.ts";
import { exp, ln } from "./math.ts";
import { CHUNK_MASK, CHUNK_SENSORS, CHUNK_SHIFT, Memory } from "./memory.ts";
import { REASON_FORECASTER, REASON_YOUNG } from "./reasons.ts";
import {
  BLOCK,
  closeBlocks,
  exceedance,
  learnRecord,
  RECORD_FLOATS,
  recordAt,
  recordSurprise,
  recordSurpriseAbove,
  startRecord,
} from "./records.ts";
import { pushWindow, ringAt, setGauge, sumAfresh } from "./windows.ts";

/** Readings before a sensor is judged: its 24th is the first. */
export const WARM_READINGS = 23;
/** Until then (two blocks of the shortest length) the young sensor's judge speaks. */
const YOUNG_UNTIL = WARM_READINGS + 2 * BLOCK;
/** No further emission for this many readings, unless it is higher by this factor. */
const QUIET_READINGS = 100;
const QUIET_FACTOR = 1.5;
/** Own alarms fade over this many readings. */
const ALARM_MEMORY = 2000;
/** Normal readings in a row that end an incident; readings after which its level is accepted as the new normal. */
const CALM_READINGS = 5;
const ACCEPT_READINGS = 100;
/** Share of the way that the level goes toward each reading. */
const LEVEL_RATE = 0.3;
const SEASON_RATE = 0.1;
const DAY_US = 86_400e6;
const BIN_US = DAY_US / SEASON_BINS;
/** The confidence is the chance that a normal sensor stays below the surprise for as long as 0.05 budgeted alarms take. */
const BUDGET_SHARE = 0.05129329438755058;
/** The gauge holds values up to this many of its units, so that squares stay within single precision. */
const GAUGE_LIMIT = 1e15;
/** Two values closer than this share of the level are one value, until noise has been seen. */
const YOUNG_FLOOR = 0.002;

const SEASONS = FEATURES * RECORD_FLOATS;
const FLOATS = SEASONS + 2 * SEASON_BINS;
const VALUE = 0;
const SEASON = 6;
const JUMP = 7;
const STUCK = 8;
const RESIDUAL = 9;

export interface DetectorOptions {
  /** Confidence from which a reading is anomalous, 0.5 to 0.9999 (MODEL_ACCURACY_THRESHOLD). Default 0.95. */
  readonly threshold?: number;
  /** Alarm budget on normal data. Default 0.1. */
  readonly alarmsPerSensorDay?: number;
}

export class EnsembleDetector implements Detector {
  readonly modelVersion: string = "telltale-1+js";
  readonly stateVersion: number = STATE_VERSION;
  readonly chunkSensors: number = CHUNK_SENSORS;
  readonly #memory = new Memory(DOUBLES, FLOATS);
  readonly #types: string[] = [];
  readonly #budget: number;
  /** Surprise that the threshold asks for beyond the one at 0.95. */
  readonly #strictness: number;
  readonly #x = new Float64Array(FEATURES);

  constructor(options: DetectorOptions = {}) {
    const threshold = options.threshold ?? 0.95;
    this.#budget = options.alarmsPerSensorDay ?? 0.1;
    this.#strictness = ln(BUDGET_SHARE / -ln(threshold));
  }

  get bytesPerSensor(): number {
    return this.#memory.bytesPerSensor;
  }

  get sensors(): number {
    return this.#memory.sensors;
  }

  addSensor(sensorType: string, _unit: string): number {
    const slot = this.#memory.add();
    const d = this.#memory.chunks[slot >> CHUNK_SHIFT]!.f64;
    d[(slot & CHUNK_MASK) * DOUBLES + TYPE] = this.#typeIndex(sensorType);
    return slot;
  }

  score(batch: ScoreBatch): void {
    const chunks = this.#memory.chunks;
    const floats = this.#memory.floats;
    for (let i = 0; i < batch.length; i++) {
      const slot = batch.slot[i]!;
      const chunk = chunks[slot >> CHUNK_SHIFT]!;
      const at = slot & CHUNK_MASK;
      this.#judge(chunk.f64, at * DOUBLES, chunk.f32, at * floats, batch, i);
    }
  }

  saveChunk(chunk: number): Uint8Array {
    return this.#memory.save(chunk);
  }

  loadChunk(chunk: number, bytes: Uint8Array, sensors: number): void {
    this.#memory.load(chunk, bytes, sensors);
  }

  #typeIndex(sensorType: string): number {
    const known = this.#types.indexOf(sensorType);
    return known >= 0 ? known : this.#types.push(sensorType) - 1;
  }

  #judge(d: Float64Array, o: number, f: Float32Array, p: number, batch: ScoreBatch, i: number): void {
    const n = d[o + N]!;
    const time = batch.timeUs[i]!;
    const value = batch.value[i]!;
    learnInterval(d, o, n, time);
    if (n < WARM_READINGS) {
      this.#warm(d, o, f, p, n, time, value);
      silent(batch, i);
    } else {
      pushWindow(d, o, n, value);
      d[o + N] = n + 1;
      this.#mature(d, o, f, p, n, time, value, batch, i);
    }
    d[o + LAST_TIME] = time;
    d[o + LAST_VALUE] = value;
  }

  /** Gathers the first readings; with the last of them fixes the gauge and starts the records. */
  #warm(d: Float64Array, o: number, f: Float32Array, p: number, n: number, time: number, value: number): void {
    if (n === 0) d[o + ORIGIN] = value;
    pushWindow(d, o, n, value);
    d[o + N] = n + 1;
    if (n + 1 < WARM_READINGS) return;
    setGauge(d, o, n + 1);
    sumAfresh(d, o, n + 1);
    d[o + SINCE] = QUIET_READINGS;
    d[o + LEVEL] = ringAt(d, o, 0);
    let spread = 0;
    const x = this.#x;
    for (let j = 0; j <= n; j++) {
      const v = ringAt(d, o, j);
      const residual = Math.abs(v - d[o + LEVEL]!);
      if (j > 3 && residual > spread) spread = residual;
      d[o + LEVEL] = d[o + LEVEL]! + LEVEL_RATE * (v - d[o + LEVEL]!);
    }
    d[o + YOUNG_SPREAD] = Math.max(spread, 0);
    this.#features(d, o, f, p, n + 1, time, value);
    for (let k = 0; k < FEATURES; k++) startRecord(f, p + k * RECORD_FLOATS, x[k]!);
    for (let j = 0; j <= n; j++) learnRecord(f, p, gauge(d, o, ringAt(d, o, j)), 1 / (j + 1));
  }

  /** Fills #x with the features of the newest reading; `seen` counts it. */
  #features(d: Float64Array, o: number, f: Float32Array, p: number, seen: number, time: number, value: number): void {
    const x = this.#x;
    const gain = d[o + GAIN]!;
    x[VALUE] = gauge(d, o, value);
    x[1] = clamp((d[o + SUM24]! / Math.min(seen, 24)) * gain);
    x[2] = clamp((d[o + SUM48]! / Math.min(seen, 48)) * gain);
    x[3] = clamp((d[o + SUM96]! / Math.min(seen, 96)) * gain);
    x[4] = clamp(deviation(d[o + SUM24]!, d[o + SQUARE24]!, Math.min(seen, 24)) * gain);
    x[5] = clamp(deviation(d[o + SUM96]!, d[o + SQUARE96]!, Math.min(seen, 96)) * gain);
    x[SEASON] = this.#season(d, o, f, p, time, x[VALUE]!);
    const last = d[o + LAST_VALUE]!;
    x[JUMP] = clamp(Math.abs(value - last) * gain);
    d[o + RUN] = value === last ? d[o + RUN]! + 1 : 0;
    x[STUCK] = ln(1 + d[o + RUN]!);
    x[RESIDUAL] = clamp(Math.abs(value - d[o + LEVEL]!) * gain);
  }

  /** Smoothed difference from the mean of this time of day, which then learns. */
  #season(d: Float64Array, o: number, f: Float32Array, p: number, time: number, x: number): number {
    const bin = Math.floor((((time % DAY_US) + DAY_US) % DAY_US) / BIN_US);
    const mean = p + SEASONS + bin;
    const weight = mean + SEASON_BINS;
    const residual = f[weight]! > 0 ? x - f[mean]! : 0;
    f[weight] = Math.min(f[weight]! + 1, 1 / SEASON_RATE);
    f[mean] = f[mean]! + (x - f[mean]!) / f[weight]!;
    d[o + SEASON_MEAN] = d[o + SEASON_MEAN]! + (residual - d[o + SEASON_MEAN]!) * (2 / 13);
    return d[o + SEASON_MEAN]!;
  }

  #mature(
    d: Float64Array,
    o: number,
    f: Float32Array,
    p: number,
    n: number,
    time: number,
    value: number,
    batch: ScoreBatch,
    i: number,
  ): void {
    this.#features(d, o, f, p, n + 1, time, value);
    const x = this.#x;
    const bar = this.#bar(d, o);
    const young = n < YOUNG_UNTIL;
    const expected = d[o + LEVEL]!;
    const band = this.#band(d, o, f, p, young, bar);
    let surprise = 0;
    let reason = 0;
    if (young) {
      surprise = this.#young(d, o, f, p, value);
      reason = REASON_YOUNG;
    } else {
      for (let k = 0; k < JUMP; k++) {
        const y = recordSurprise(f, p + k * RECORD_FLOATS, x[k]!);
        if (y > surprise) {
          surprise = y;
          reason = k + 1;
        }
      }
      const jump = recordSurpriseAbove(f, p + JUMP * RECORD_FLOATS, x[JUMP]!);
      if (jump > surprise) {
        surprise = jump;
        reason = JUMP + 1;
      }
      surprise += 0.25 * recordSurpriseAbove(f, p + STUCK * RECORD_FLOATS, x[STUCK]!);
      if (reason === 0) reason = STUCK + 1;
    }
    const rate = 1 / Math.min(n, 1000);
    for (let k = 0; k < FEATURES; k++) learnRecord(f, p + k * RECORD_FLOATS, x[k]!, rate);
    const sinceWarm = n + 1 - WARM_READINGS;
    if (sinceWarm % BLOCK === 0) {
      for (let k = 0; k < FEATURES; k++) closeBlocks(f, p + k * RECORD_FLOATS, sinceWarm);
    }
    surprise /= 1 + 0.5 * d[o + ALARMS]!;
    batch.signal[i] = this.#emit(d, o, surprise);
    if (d[o + INCIDENT]! > 0) {
      const outside = (bar * Math.abs(value - expected)) / band;
      if (outside > surprise) {
        surprise = outside;
        if (outside >= bar) reason = REASON_FORECASTER;
      }
    }
    this.#follow(d, o, n, value, surprise >= bar, young);
    this.#report(batch, i, surprise, bar, reason, expected, band);
  }

  /** Distance from the few values so far, in units of their largest residual and of their range. */
  #young(d: Float64Array, o: number, f: Float32Array, p: number, value: number): number {
    const floor = YOUNG_FLOOR * Math.abs(d[o + LEVEL]!);
    const residual = Math.abs(value - d[o + LEVEL]!);
    const seen = d[o + YOUNG_SPREAD]!;
    const spread = seen > 0 ? seen : floor > 0 ? floor : 1e-6;
    if (residual > seen && d[o + INCIDENT] === 0) d[o + YOUNG_SPREAD] = residual;
    const byResidual = 2 * (residual / spread - 1);
    const byRange = 4 * exceedance(f, p, gauge(d, o, value), spread * d[o + GAIN]!);
    return Math.max(0, Math.min(byResidual, byRange));
  }

  /** The signal: the first of an excursion, then only what is clearly higher; own alarms make the next one dearer. */
  #emit(d: Float64Array, o: number, surprise: number): number {
    d[o + ALARMS] = d[o + ALARMS]! * (1 - 1 / ALARM_MEMORY);
    d[o + SINCE] = d[o + SINCE]! + 1;
    if (surprise <= 0) return 0;
    if (d[o + SINCE]! <= QUIET_READINGS && surprise <= QUIET_FACTOR * d[o + PEAK]!) return 0;
    d[o + SINCE] = 0;
    d[o + PEAK] = surprise;
    d[o + ALARMS] = d[o + ALARMS]! + Math.min(1, surprise / 10);
    return surprise;
  }

  /** Surprise from which a reading is anomalous: what normal readings reach once per budgeted alarm. */
  #bar(d: Float64Array, o: number): number {
    const perDay = DAY_US / d[o + INTERVAL]!;
    return 2 + ln(1 + perDay / (100 * this.#budget)) + this.#strictness;
  }

  #band(d: Float64Array, o: number, f: Float32Array, p: number, young: boolean, bar: number): number {
    if (d[o + INCIDENT]! > 0) return d[o + BAND]!;
    const floor = Math.max(YOUNG_FLOOR * Math.abs(d[o + LEVEL]!), 1e-6);
    const spread = d[o + YOUNG_SPREAD]!;
    d[o + BAND] = young
      ? (spread > 0 ? spread : floor) * (1 + bar / 2)
      : Math.max(recordAt(f, p + RESIDUAL * RECORD_FLOATS, bar) / d[o + GAIN]!, 1e-9 * Math.abs(d[o + LEVEL]!));
    return d[o + BAND]!;
  }

  /** The level follows normal readings; an incident freezes it until calm or until the new level is accepted. */
  #follow(d: Float64Array, o: number, n: number, value: number, abnormal: boolean, young: boolean): void {
    if (abnormal) {
      d[o + INCIDENT] = d[o + INCIDENT]! + 1;
      d[o + CALM] = 0;
    } else if (d[o + INCIDENT]! > 0) {
      d[o + INCIDENT] = d[o + INCIDENT]! + 1;
      d[o + CALM] = d[o + CALM]! + 1;
      if (d[o + CALM]! >= CALM_READINGS) d[o + INCIDENT] = 0;
    }
    if (d[o + INCIDENT]! > ACCEPT_READINGS) {
      d[o + INCIDENT] = 0;
      d[o + LEVEL] = d[o + ORIGIN]! + d[o + SUM24]! / 24;
      if (young) d[o + YOUNG_SPREAD] = deviation(d[o + SUM24]!, d[o + SQUARE24]!, Math.min(n + 1, 24)) * 3;
    }
    if (d[o + INCIDENT] === 0) d[o + LEVEL] = d[o + LEVEL]! + LEVEL_RATE * (value - d[o + LEVEL]!);
  }

  #report(
    batch: ScoreBatch,
    i: number,
    surprise: number,
    bar: number,
    reason: number,
    expected: number,
    band: number,
  ): void {
    batch.expected[i] = expected;
    batch.band[i] = band;
    if (surprise <= 0) {
      batch.confidence[i] = 0;
      batch.score[i] = 0;
      batch.anomaly[i] = 0;
      batch.reason[i] = 0;
      return;
    }
    const abnormal = surprise >= bar;
    const tail = BUDGET_SHARE * exp(bar - surprise - this.#strictness);
    batch.confidence[i] = Math.floor(10000 * exp(-tail) + 0.5);
    batch.score[i] = abnormal ? Math.floor(10000 * (1 - (0.5 * bar) / surprise) + 0.5) : 0;
    batch.anomaly[i] = abnormal ? 1 : 0;
    batch.reason[i] = reason;
  }
}

function silent(batch: ScoreBatch, i: number): void {
  batch.confidence[i] = 0;
  batch.score[i] = 0;
  batch.anomaly[i] = 0;
  batch.reason[i] = 0;
  batch.signal[i] = 0;
  batch.expected[i] = Number.NaN;
  batch.band[i] = Number.NaN;
}

/** Typical interval: a mean that one long gap moves little. */
function learnInterval(d: Float64Array, o: number, n: number, time: number): void {
  if (n === 0) return;
  const gap = time - d[o + LAST_TIME]!;
  const mean = d[o + INTERVAL]!;
  const bounded = n > 4 && gap > 4 * mean ? 4 * mean : gap;
  d[o + INTERVAL] = n === 1 ? gap : mean + (bounded - mean) / Math.min(n, 100);
}

function gauge(d: Float64Array, o: number, value: number): number {
  return clamp((value - d[o + ORIGIN]!) * d[o + GAIN]!);
}

function clamp(x: number): number {
  return x > GAUGE_LIMIT ? GAUGE_LIMIT : Math.max(x, -GAUGE_LIMIT);
}

function deviation(sum: number, square: number, count: number): number {
  const variance = (square - (sum * sum) / count) / count;
  return variance > 0 ? Math.sqrt(variance) : 0;
}
