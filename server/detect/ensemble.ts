import { patternDistance, point } from "./boxes.ts";
import * as cell from "./cells.ts";
import type { Detector, ScoreBatch } from "./detector.ts";
import { exp, ln } from "./math.ts";
import { CHUNK_MASK, CHUNK_SENSORS, CHUNK_SHIFT, type Chunk, Memory } from "./memory.ts";
import { CENTRE, learnHabits, MOVE, SPREAD, squash } from "./normaliser.ts";
import { EXPECTED, foretell, READOUT_INPUTS, SCALE, startReadout, takeInputs, teach } from "./readout.ts";
import { FEATURE_REASONS, REASON_FORECASTER, REASON_STUCK, REASON_YOUNG } from "./reasons.ts";
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
import { learnSeason, seasonAt } from "./season.ts";
import { JsTrunk, TRUNK_INPUTS, type TrunkRuntime } from "./trunk.ts";
import { clamp, firstGauge, gauge, meanOfLast, pushWindow, ringAt, setGauge } from "./windows.ts";

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
const ACCEPT_READINGS = 240;
/** Share of the way that a young sensor's level goes toward each reading. */
const LEVEL_RATE = 0.3;
/** Smoothing of the seasonal residual: over about 12 and about 120 readings. */
const SEASON_RATE = 2 / 13;
const SEASON_LONG_RATE = 2 / 121;
const DAY_US = 86_400e6;
/** The confidence is the chance that a normal sensor stays below the surprise for as long as 0.05 budgeted alarms take. */
const BUDGET_SHARE = 0.05129329438755058;
/** Two values closer than this share of the level are one value, until noise has been seen. */
const YOUNG_FLOOR = 0.002;

/** Groups of detectors, to judge each alone. */
export type Part = "records" | "season" | "forecaster" | "patterns" | "stuck";
export const PARTS: readonly Part[] = ["records", "season", "forecaster", "patterns", "stuck"];
const PART_OF: readonly Part[] = [
  "records",
  "records",
  "records",
  "records",
  "records",
  "records",
  "season",
  "season",
  "records",
  "forecaster",
  "patterns",
  "stuck",
];

export interface DetectorOptions {
  /** Confidence from which a reading is anomalous, 0.5 to 0.9999 (MODEL_ACCURACY_THRESHOLD). Default 0.95. */
  readonly threshold?: number;
  /** Alarm budget on normal data. Default 0.1. */
  readonly alarmsPerSensorDay?: number;
  /** Only these may speak. Default: all. */
  readonly parts?: readonly Part[];
}

export class EnsembleDetector implements Detector {
  readonly modelVersion: string;
  readonly stateVersion: number = cell.STATE_VERSION;
  readonly chunkSensors: number = CHUNK_SENSORS;
  readonly #trunk: TrunkRuntime;
  /** The trunk when it is the pinned kernel, which needs no batch. */
  readonly #kernel: JsTrunk | undefined;
  readonly #memory: Memory;
  readonly #types: string[] = [];
  readonly #budget: number;
  /** Surprise that the threshold asks for beyond the one at 0.95. */
  readonly #strictness: number;
  /** 1 for features that may speak, else 0. */
  readonly #voice: Float64Array;
  readonly #x = new Float64Array(cell.FEATURES);
  readonly #inputs = new Float64Array(READOUT_INPUTS);

  constructor(trunk: TrunkRuntime, options: DetectorOptions = {}) {
    this.#trunk = trunk;
    this.#kernel = trunk instanceof JsTrunk ? trunk : undefined;
    this.#memory = new Memory(cell.DOUBLES, cell.TRUNK + 2 * trunk.model.units);
    this.modelVersion = `${trunk.model.name}+${trunk.runtime}`;
    this.#budget = options.alarmsPerSensorDay ?? 0.1;
    this.#strictness = ln(BUDGET_SHARE / -ln(options.threshold ?? 0.95));
    const parts = options.parts ?? PARTS;
    this.#voice = Float64Array.from(PART_OF, (part) => (parts.includes(part) ? 1 : 0));
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
    d[(slot & CHUNK_MASK) * cell.DOUBLES + cell.TYPE] = this.#typeIndex(sensorType);
    return slot;
  }

  score(batch: ScoreBatch): void {
    if (this.#kernel === undefined) {
      this.#scoreInRounds(batch);
      return;
    }
    const kernel = this.#kernel;
    const floats = this.#memory.floats;
    for (let i = 0; i < batch.length; i++) {
      const slot = batch.slot[i]!;
      const chunk = this.#memory.chunks[slot >> CHUNK_SHIFT]!;
      const o = (slot & CHUNK_MASK) * cell.DOUBLES;
      const p = (slot & CHUNK_MASK) * floats;
      const d = chunk.f64;
      this.#sense(d, o, batch.value[i]!);
      const habits = o + cell.HABITS;
      const a = inputOfPlace(d, habits, batch.value[i]!);
      const b = inputOfMove(d, o, habits, batch.value[i]!);
      const foretold = kernel.stepOne(a, b, chunk.f32, p + cell.TRUNK);
      this.#judge(d, o, chunk.f32, p, foretold, batch, i);
    }
  }

  /** For runtimes that want batches: the k-th readings of all sensors together, round by round. */
  #scoreInRounds(batch: ScoreBatch): void {
    const rounds = splitRounds(batch);
    const units = this.#trunk.model.units;
    for (const rows of rounds) {
      const input = new Float32Array(rows.length * TRUNK_INPUTS);
      const state = new Float32Array(rows.length * 2 * units);
      const output = new Float32Array(rows.length);
      rows.forEach((i, k) => {
        const { chunk, o, p } = this.#place(batch.slot[i]!);
        this.#sense(chunk.f64, o, batch.value[i]!);
        const habits = o + cell.HABITS;
        input[k * TRUNK_INPUTS] = inputOfPlace(chunk.f64, habits, batch.value[i]!);
        input[k * TRUNK_INPUTS + 1] = inputOfMove(chunk.f64, o, habits, batch.value[i]!);
        const from = p + cell.TRUNK;
        for (let u = 0; u < 2 * units; u++) state[k * 2 * units + u] = chunk.f32[from + u]!;
      });
      this.#trunk.step(rows.length, input, state, output);
      rows.forEach((i, k) => {
        const { chunk, o, p } = this.#place(batch.slot[i]!);
        chunk.f32.set(state.subarray(k * 2 * units, (k + 1) * 2 * units), p + cell.TRUNK);
        this.#judge(chunk.f64, o, chunk.f32, p, output[k]!, batch, i);
      });
    }
  }

  #place(slot: number): { chunk: Chunk; o: number; p: number } {
    const at = slot & CHUNK_MASK;
    return { chunk: this.#memory.chunks[slot >> CHUNK_SHIFT]!, o: at * cell.DOUBLES, p: at * this.#memory.floats };
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

  #sense(d: Float64Array, o: number, value: number): void {
    const n = d[o + cell.N]!;
    learnHabits(d, o + cell.HABITS, n, value, n === 0 ? value : d[o + cell.LAST_VALUE]!);
  }

  #judge(d: Float64Array, o: number, f: Float32Array, p: number, foretold: number, batch: ScoreBatch, i: number): void {
    const n = d[o + cell.N]!;
    const time = batch.timeUs[i]!;
    const value = batch.value[i]!;
    learnInterval(d, o, n, time);
    if (n === 0) {
      firstGauge(d, o, value);
      startReadout(d, o + cell.READOUT, f, p + cell.MATRIX);
    } else this.#expect(d, o, f, p, n, time);
    pushWindow(d, o, f, p + cell.RING, n, gauge(d, o, value));
    d[o + cell.N] = n + 1;
    if (n < WARM_READINGS) {
      if (n + 1 === WARM_READINGS) this.#start(d, o, f, p, n + 1, value);
      silent(batch, i);
    } else {
      this.#mature(d, o, f, p, n, time, value, batch, i);
    }
    this.#prepare(d, o, f, p, n, time, value, foretold);
    d[o + cell.LAST_TIME] = time;
    d[o + cell.LAST_VALUE] = value;
  }

  /** Completes the inputs taken at the reading before with the time of this one, and foretells it. */
  #expect(d: Float64Array, o: number, f: Float32Array, p: number, n: number, time: number): void {
    const r = o + cell.READOUT;
    const scale = d[r + SCALE]!;
    let season = 0;
    if (n > WARM_READINGS) {
      const move = seasonAt(f, p + cell.SEASONS, time) - seasonAt(f, p + cell.SEASONS, d[o + cell.LAST_TIME]!);
      season = squash(move / (d[o + cell.GAIN]! * scale));
    }
    d[r + EXPECTED] = d[o + cell.LAST_VALUE]! + scale * foretell(d, r, season);
  }

  /** Learns from the error of the last foretelling and takes the inputs for the next. */
  #prepare(
    d: Float64Array,
    o: number,
    f: Float32Array,
    p: number,
    n: number,
    time: number,
    value: number,
    foretold: number,
  ): void {
    const r = o + cell.READOUT;
    const habits = o + cell.HABITS;
    if (n > 1 && d[o + cell.INCIDENT] === 0)
      teach(d, r, f, p + cell.MATRIX, (value - d[r + EXPECTED]!) / d[r + SCALE]!);
    const move = d[habits + MOVE]!;
    const last = n > 0 ? d[o + cell.LAST_VALUE]! : value;
    const older = n > 1 ? d[o + cell.OLDER_VALUE]! : last;
    d[o + cell.OLDER_VALUE] = last;
    const x = this.#inputs;
    // The trunk foretells a squashed move; its readout learns the rest.
    x[0] = foretold;
    x[1] = squash((value - last) / move);
    x[2] = squash((last - older) / move);
    x[3] = squash((value - d[habits + CENTRE]!) / move);
    x[4] =
      n > WARM_READINGS
        ? squash((gauge(d, o, value) - seasonAt(f, p + cell.SEASONS, time)) / (d[o + cell.GAIN]! * move))
        : 0;
    d[r + SCALE] = move;
    takeInputs(d, r, x);
  }

  /** With the last of the first readings: fixes the gauge and starts the records. */
  #start(d: Float64Array, o: number, f: Float32Array, p: number, seen: number, value: number): void {
    const w = p + cell.RING;
    setGauge(d, o, f, w, seen);
    d[o + cell.SINCE] = QUIET_READINGS;
    let level = ringAt(f, w, 0);
    let spread = 0;
    for (let j = 0; j < seen; j++) {
      const residual = Math.abs(ringAt(f, w, j) - level);
      if (j > 3 && residual > spread) spread = residual;
      level += LEVEL_RATE * (ringAt(f, w, j) - level);
    }
    d[o + cell.LEVEL] = d[o + cell.ORIGIN]! + level / d[o + cell.GAIN]!;
    d[o + cell.YOUNG_SPREAD] = spread / d[o + cell.GAIN]!;
    this.#features(d, o, seen, value, gauge(d, o, value), value);
    for (let k = 0; k < cell.FEATURES; k++) startRecord(f, p + k * RECORD_FLOATS, this.#x[k]!);
    for (let j = 0; j < seen; j++) learnRecord(f, p, ringAt(f, w, j), 1 / (j + 1));
  }

  /** Fills #x with the features of the newest reading but for the pattern; `seen` counts it. */
  #features(d: Float64Array, o: number, seen: number, value: number, seasonal: number, expected: number): void {
    const x = this.#x;
    const gain = d[o + cell.GAIN]!;
    const scaled = gauge(d, o, value);
    x[cell.VALUE] = scaled;
    x[cell.MEAN24] = d[o + cell.SUM24]! / Math.min(seen, 24);
    x[cell.MEAN48] = d[o + cell.SUM48]! / Math.min(seen, 48);
    x[cell.MEAN96] = d[o + cell.SUM96]! / Math.min(seen, 96);
    x[cell.SPREAD24] = deviation(d[o + cell.SUM24]!, d[o + cell.SQUARE24]!, Math.min(seen, 24));
    x[cell.SPREAD96] = deviation(d[o + cell.SUM96]!, d[o + cell.SQUARE96]!, Math.min(seen, 96));
    const residual = scaled - seasonal;
    d[o + cell.SEASON_MEAN] = d[o + cell.SEASON_MEAN]! + (residual - d[o + cell.SEASON_MEAN]!) * SEASON_RATE;
    d[o + cell.SEASON_SLOW] = d[o + cell.SEASON_SLOW]! + (residual - d[o + cell.SEASON_SLOW]!) * SEASON_LONG_RATE;
    x[cell.SEASON] = d[o + cell.SEASON_MEAN]!;
    x[cell.SEASON_LONG] = d[o + cell.SEASON_SLOW]!;
    const last = d[o + cell.LAST_VALUE]!;
    x[cell.JUMP] = clamp(Math.abs(value - last) * gain);
    x[cell.RESIDUAL] = clamp(Math.abs(value - expected) * gain);
    d[o + cell.RUN] = value === last ? d[o + cell.RUN]! + 1 : 0;
    x[cell.STUCK] = ln(1 + d[o + cell.RUN]!);
    x[cell.PATTERN] = 0;
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
    const x = this.#x;
    const s = p + cell.SEASONS;
    const frozen = d[o + cell.INCIDENT]! > 0;
    const young = n < YOUNG_UNTIL;
    const forecast = d[o + cell.READOUT + EXPECTED]!;
    const scaled = gauge(d, o, value);
    this.#features(d, o, n + 1, value, n > WARM_READINGS ? seasonAt(f, s, time) : scaled, forecast);
    if (!frozen) learnSeason(f, s, time, scaled, n - WARM_READINGS, d[o + cell.INTERVAL]!);
    this.#pattern(f, p, n, frozen);
    const bar = this.#bar(d, o);
    const expected = frozen ? this.#frozenExpectation(d, o, f, s, time) : young ? d[o + cell.LEVEL]! : forecast;
    const band = this.#band(d, o, f, p, young, bar);
    let surprise = 0;
    let reason = 0;
    if (young) {
      surprise = this.#young(d, o, f, p, value);
      reason = REASON_YOUNG;
    } else {
      for (let k = 0; k < cell.STUCK; k++) {
        const at = p + k * RECORD_FLOATS;
        const y = this.#voice[k]! * (k < cell.JUMP ? recordSurprise(f, at, x[k]!) : recordSurpriseAbove(f, at, x[k]!));
        if (y > surprise) {
          surprise = y;
          reason = FEATURE_REASONS[k]!;
        }
      }
      const stuck = this.#voice[cell.STUCK]! * recordSurpriseAbove(f, p + cell.STUCK * RECORD_FLOATS, x[cell.STUCK]!);
      surprise += 0.25 * stuck;
      if (reason === 0) reason = REASON_STUCK;
    }
    this.#learnRecords(f, p, n);
    surprise /= 1 + 0.5 * d[o + cell.ALARMS]!;
    batch.signal[i] = emit(d, o, surprise);
    if (frozen) {
      const outside = (bar * Math.abs(value - expected)) / band;
      if (outside > surprise) {
        surprise = outside;
        if (outside >= bar) reason = REASON_FORECASTER;
      }
    }
    this.#follow(d, o, f, s, n, time, value, expected, surprise >= bar, young);
    this.#report(batch, i, surprise, bar, reason, expected, band);
  }

  #learnRecords(f: Float32Array, p: number, n: number): void {
    const rate = 1 / Math.min(n, 1000);
    for (let k = 0; k < cell.FEATURES; k++) learnRecord(f, p + k * RECORD_FLOATS, this.#x[k]!, rate);
    const sinceWarm = n + 1 - WARM_READINGS;
    if (sinceWarm % BLOCK !== 0) return;
    for (let k = 0; k < cell.FEATURES; k++) closeBlocks(f, p + k * RECORD_FLOATS, sinceWarm);
  }

  #pattern(f: Float32Array, p: number, n: number, frozen: boolean): void {
    const x = this.#x;
    point[0] = Math.fround(x[cell.VALUE]!);
    point[1] = Math.fround(meanOfLast(f, p + cell.RING, n + 1, 6) - x[cell.MEAN48]!);
    point[2] = Math.fround(ln(x[cell.SPREAD24]! + 1e-4));
    x[cell.PATTERN] = patternDistance(f, p + cell.PATTERNS, n, frozen);
  }

  /** Distance from the few values so far, in units of their largest residual and of their range. */
  #young(d: Float64Array, o: number, f: Float32Array, p: number, value: number): number {
    const floor = YOUNG_FLOOR * Math.abs(d[o + cell.LEVEL]!);
    const residual = Math.abs(value - d[o + cell.LEVEL]!);
    const seen = d[o + cell.YOUNG_SPREAD]!;
    const spread = Math.max(seen > 0 ? seen : floor, 1e-6 / d[o + cell.GAIN]!);
    if (residual > seen && d[o + cell.INCIDENT] === 0) d[o + cell.YOUNG_SPREAD] = residual;
    const byResidual = 2 * (residual / spread - 1);
    const byRange = 4 * exceedance(f, p, gauge(d, o, value), spread * d[o + cell.GAIN]!);
    return Math.max(0, Math.min(byResidual, byRange));
  }

  /** Surprise from which a reading is anomalous: what normal readings reach once per budgeted alarm. */
  #bar(d: Float64Array, o: number): number {
    const perDay = DAY_US / d[o + cell.INTERVAL]!;
    return 2 + ln(1 + perDay / (100 * this.#budget)) + this.#strictness;
  }

  #band(d: Float64Array, o: number, f: Float32Array, p: number, young: boolean, bar: number): number {
    if (d[o + cell.INCIDENT]! > 0) return d[o + cell.BAND]!;
    const floor = Math.max(YOUNG_FLOOR * Math.abs(d[o + cell.LEVEL]!), 1e-6);
    const spread = d[o + cell.YOUNG_SPREAD]!;
    d[o + cell.BAND] = young
      ? (spread > 0 ? spread : floor) * (1 + bar / 2)
      : Math.max(
          recordAt(f, p + cell.RESIDUAL * RECORD_FLOATS, bar) / d[o + cell.GAIN]!,
          1e-9 * Math.abs(d[o + cell.LEVEL]!),
        );
    return d[o + cell.BAND]!;
  }

  /** In an incident: what was expected at its start, moved by the season. */
  #frozenExpectation(d: Float64Array, o: number, f: Float32Array, s: number, time: number): number {
    return d[o + cell.LEVEL]! + seasonAt(f, s, time) / d[o + cell.GAIN]!;
  }

  /** An incident begins with an abnormal reading and ends when it is calm, or when the new level is accepted. */
  #follow(
    d: Float64Array,
    o: number,
    f: Float32Array,
    s: number,
    n: number,
    time: number,
    value: number,
    expected: number,
    abnormal: boolean,
    young: boolean,
  ): void {
    const incident = d[o + cell.INCIDENT]!;
    if (abnormal && incident === 0) {
      d[o + cell.INCIDENT] = 1;
      d[o + cell.CALM] = 0;
      d[o + cell.LEVEL] = expected - seasonAt(f, s, time) / d[o + cell.GAIN]!;
      return;
    }
    if (incident === 0) {
      d[o + cell.LEVEL] = d[o + cell.LEVEL]! + LEVEL_RATE * (value - d[o + cell.LEVEL]!);
      return;
    }
    d[o + cell.INCIDENT] = incident + 1;
    d[o + cell.CALM] = abnormal ? 0 : d[o + cell.CALM]! + 1;
    if (d[o + cell.CALM]! < CALM_READINGS && incident < ACCEPT_READINGS) return;
    d[o + cell.INCIDENT] = 0;
    d[o + cell.LEVEL] =
      d[o + cell.ORIGIN]! + meanOfLast(f, s - cell.SEASONS + cell.RING, n + 1, CALM_READINGS) / d[o + cell.GAIN]!;
    if (young && incident >= ACCEPT_READINGS) {
      const spread = deviation(d[o + cell.SUM24]!, d[o + cell.SQUARE24]!, Math.min(n + 1, 24));
      d[o + cell.YOUNG_SPREAD] = (3 * spread) / d[o + cell.GAIN]!;
    }
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

/** Rows of a batch in rounds: no round holds two readings of a sensor, and each sensor's come in order. */
function splitRounds(batch: ScoreBatch): number[][] {
  const rounds: number[][] = [];
  const seen = new Map<number, number>();
  for (let i = 0; i < batch.length; i++) {
    const round = seen.get(batch.slot[i]!) ?? 0;
    seen.set(batch.slot[i]!, round + 1);
    if (round === rounds.length) rounds.push([]);
    rounds[round]!.push(i);
  }
  return rounds;
}

/** The signal: the first of an excursion, then only what is clearly higher; own alarms make the next one dearer. */
function emit(d: Float64Array, o: number, surprise: number): number {
  d[o + cell.ALARMS] = d[o + cell.ALARMS]! * (1 - 1 / ALARM_MEMORY);
  d[o + cell.SINCE] = d[o + cell.SINCE]! + 1;
  if (surprise <= 0) return 0;
  if (d[o + cell.SINCE]! <= QUIET_READINGS && surprise <= QUIET_FACTOR * d[o + cell.PEAK]!) return 0;
  d[o + cell.SINCE] = 0;
  d[o + cell.PEAK] = surprise;
  d[o + cell.ALARMS] = d[o + cell.ALARMS]! + Math.min(1, surprise / 10);
  return surprise;
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

function inputOfPlace(d: Float64Array, habits: number, value: number): number {
  const spread = d[habits + SPREAD]!;
  return spread > 0 ? squash((value - d[habits + CENTRE]!) / spread) : 0;
}

function inputOfMove(d: Float64Array, o: number, habits: number, value: number): number {
  return d[o + cell.N]! > 0 ? squash((value - d[o + cell.LAST_VALUE]!) / d[habits + MOVE]!) : 0;
}

/** Typical interval: a mean that one long gap moves little. */
function learnInterval(d: Float64Array, o: number, n: number, time: number): void {
  if (n === 0) return;
  const gap = time - d[o + cell.LAST_TIME]!;
  const mean = d[o + cell.INTERVAL]!;
  const bounded = n > 4 && gap > 4 * mean ? 4 * mean : gap;
  d[o + cell.INTERVAL] = n === 1 ? gap : mean + (bounded - mean) / Math.min(n, 100);
}

function deviation(sum: number, square: number, count: number): number {
  const variance = (square - (sum * sum) / count) / count;
  return variance > 0 ? Math.sqrt(variance) : 0;
}
