import { patternDistance, point } from "./boxes.ts";
import * as cell from "./cells.ts";
import type { ScoreBatch } from "./detector.ts";
import { exp, ln } from "./math.ts";
import { CENTRE, MOVE, squash } from "./normaliser.ts";
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
import { applyRules, renameReason, ruling } from "./rules.ts";
import { FOUND, learnSeason, seasonAt } from "./season.ts";
import type { Settings } from "./settings.ts";
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
/** Normal readings in a row after which learning goes on (the alert closes later, episode.ts); readings after which its level is accepted as the new normal. */
const CALM_READINGS = 5;
const ACCEPT_READINGS = 240;
/** Share of the way that a young sensor's level goes toward each reading. */
const LEVEL_RATE = 0.3;
/** Smoothing of the seasonal residual: over about 12 and about 120 readings. */
const SEASON_RATE = 2 / 13;
const SEASON_LONG_RATE = 2 / 121;
/** Share of the way to the typical interval that the longest gap fades by with each reading. */
const GAP_FADES = 0.005;
const DAY_US = 86_400e6;
/**
 * The bar: signals of 2.9 come less than once in 10,000 normal readings, and each e-fold of rarity adds 0.6 (fitted to the clean sensors
 * of the simulated catalogue and to spacecraft telemetry, which agree; docs/detector.md).
 */
const BAR_AT_TEN_THOUSAND = 2.9;
const PER_EFOLD = 0.6;
const LOWEST_BAR = 1;
/** Confidence grows with readings: the bar of a sensor's reading n is higher by COLD / (n + COLD_OFFSET). */
const COLD = 200;
const COLD_OFFSET = 76;
/** Natural logarithm of 1e-4. */
const TEN_THOUSANDTH = -9.210340371976182;
/** Labels move the bar by this share each, between these bounds. */
const LABEL_SHARE = 0.15;
const LOWEST_SHIFT = -0.3;
const HIGHEST_SHIFT = 0.6;
/** Least deviation of block extremes: of runs of equal values (logarithms), and of all else (gauge units). */
const STUCK_FLOOR = 0.3;
const FLOOR = 1e-3;
/** Surprise of a pattern one range away from all known ones. */
const PATTERN_GAIN = 3;
/** Seasonal residuals are rarer than other records of the same height where a season was found, commoner where none was. */
const SEASON_GAIN = 1.25;
const NO_SEASON_GAIN = 0.9;
/** Readings before patterns speak. */
const PATTERN_READINGS = 100;
/** Surprise of a young sensor's reading, per multiple of its largest residual and per range beyond its range. */
const YOUNG_BY_RESIDUAL = 2;
const YOUNG_BY_RANGE = 4;
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

/** Surprise of each detector at one reading, and the bar with the sensor's own recent alarms in it; kept only while somebody asks for an explanation. */
export interface Votes {
  readonly surprise: Float64Array;
  bar: number;
}

/** Judges one reading of one sensor: state and reading in; state, score and explanation out. */
export class Judge {
  /** Surprise that the threshold asks for beyond the one at 0.95. */
  readonly #strictness: number;
  /** 1 for features that may speak, else 0. */
  readonly #voice: Float64Array;
  readonly #x = new Float64Array(cell.FEATURES);
  readonly #inputs = new Float64Array(READOUT_INPUTS);
  /** Reason of the detector that spoke loudest in the last #ensemble. */
  #loudest = 0;
  /** Where to write the votes of the next reading, if anywhere. */
  votes: Votes | undefined;

  constructor(threshold: number, parts: readonly Part[]) {
    this.#strictness = PER_EFOLD * ln(BUDGET_SHARE / -ln(threshold));
    this.#voice = Float64Array.from(PART_OF, (part) => (parts.includes(part) ? 1 : 0));
  }

  /** `value` is what is judged (a counter's rate); `foretold` the trunk's output after taking it. Fills row `i`. */
  judge(
    d: Float64Array,
    o: number,
    f: Float32Array,
    p: number,
    value: number,
    foretold: number,
    settings: Settings,
    batch: ScoreBatch,
    i: number,
  ): void {
    const n = d[o + cell.N]!;
    const time = batch.timeUs[i]!;
    learnInterval(d, o, n, time);
    if (n === 0) {
      firstGauge(d, o, value);
      startReadout(d, o + cell.READOUT, f, p + cell.MATRIX);
    } else this.#expect(d, o, f, p, n, time);
    if (n === 0 || value !== d[o + cell.LAST_VALUE]!) d[o + cell.CHANGED_AT] = time;
    pushWindow(d, o, f, p + cell.RING, n, gauge(d, o, value));
    d[o + cell.N] = n + 1;
    if (n < WARM_READINGS) {
      if (n + 1 === WARM_READINGS) this.#start(d, o, f, p, n + 1, value);
      notJudged(batch, i);
    } else {
      this.#mature(d, o, f, p, n, time, value, settings, batch, i);
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
    settings: Settings,
    batch: ScoreBatch,
    i: number,
  ): void {
    const s = p + cell.SEASONS;
    const frozen = d[o + cell.INCIDENT]! > 0;
    const young = n < YOUNG_UNTIL;
    const forecast = d[o + cell.READOUT + EXPECTED]!;
    const scaled = gauge(d, o, value);
    this.#features(d, o, n + 1, value, n > WARM_READINGS ? seasonAt(f, s, time) : scaled, forecast);
    if (!frozen) learnSeason(f, s, time, scaled, n - WARM_READINGS, d[o + cell.INTERVAL]!);
    this.#pattern(f, p, n, frozen);
    const bar = this.#bar(d, o, settings);
    const sticky = frozen && d[o + cell.STICKY] === 1;
    const expected = sticky ? this.#frozenExpectation(d, o, f, s, time) : young ? d[o + cell.LEVEL]! : forecast;
    const band = this.#band(d, o, f, p, young, bar);
    let surprise = 0;
    let reason = REASON_YOUNG;
    if (young) surprise = this.#young(d, o, f, p, value);
    else {
      surprise = this.#ensemble(f, p);
      reason = this.#loudest;
    }
    const weariness = 1 + 0.5 * d[o + cell.ALARMS]!;
    if (this.votes !== undefined) this.#vote(this.votes, f, p, bar * weariness, young, surprise);
    this.#learnRecords(f, p, n);
    surprise /= weariness;
    applyRules(settings, d, o, value, time, bar);
    if (ruling.surprise > surprise) {
      surprise = ruling.surprise;
      reason = ruling.reason;
    }
    batch.signal[i] = emit(d, o, surprise);
    if (sticky) {
      const outside = (bar * Math.abs(value - expected)) / band;
      if (outside > surprise) {
        surprise = outside;
        if (outside >= bar) reason = REASON_FORECASTER;
      }
    }
    if (surprise >= bar) reason = renameReason(reason, value, expected, band);
    this.#follow(d, o, f, s, n, time, value, expected, surprise >= bar, young);
    this.#report(batch, i, surprise, bar, reason, expected, band);
  }

  /** Surprise of a grown sensor's reading: the loudest detector's, and a little more where the value has stuck. */
  #ensemble(f: Float32Array, p: number): number {
    let surprise = 0;
    this.#loudest = 0;
    for (let k = 0; k < cell.STUCK; k++) {
      const y = this.#voice[k]! * this.#surprise(f, p, k);
      if (y > surprise) {
        surprise = y;
        this.#loudest = FEATURE_REASONS[k]!;
      }
    }
    if (this.#loudest === 0) this.#loudest = REASON_STUCK;
    return surprise + 0.25 * this.#voice[cell.STUCK]! * this.#surprise(f, p, cell.STUCK);
  }

  #surprise(f: Float32Array, p: number, k: number): number {
    const x = this.#x[k]!;
    if (k === cell.PATTERN) return PATTERN_GAIN * x;
    const at = p + k * RECORD_FLOATS;
    if (k >= cell.JUMP) return recordSurpriseAbove(f, at, x);
    const surprise = recordSurprise(f, at, x);
    if (k < cell.SEASON || surprise === 0) return surprise;
    return surprise * (f[p + cell.SEASONS + FOUND]! > 0 ? SEASON_GAIN : NO_SEASON_GAIN);
  }

  #learnRecords(f: Float32Array, p: number, n: number): void {
    const rate = 1 / Math.min(n, 1000);
    for (let k = 0; k < cell.FEATURES; k++) learnRecord(f, p + k * RECORD_FLOATS, this.#x[k]!, rate);
    const sinceWarm = n + 1 - WARM_READINGS;
    if (sinceWarm % BLOCK !== 0) return;
    for (let k = 0; k < cell.FEATURES; k++) {
      closeBlocks(f, p + k * RECORD_FLOATS, sinceWarm, k === cell.STUCK ? STUCK_FLOOR : FLOOR);
    }
  }

  #pattern(f: Float32Array, p: number, n: number, frozen: boolean): void {
    const x = this.#x;
    point[0] = Math.fround(x[cell.VALUE]!);
    point[1] = Math.fround(meanOfLast(f, p + cell.RING, n + 1, 6) - x[cell.MEAN48]!);
    point[2] = Math.fround(ln(x[cell.SPREAD24]! + 1e-4));
    const apart = patternDistance(f, p + cell.PATTERNS, n, frozen);
    x[cell.PATTERN] = n < PATTERN_READINGS ? 0 : apart;
  }

  /** Distance from the few values so far, in units of their largest residual and of their range. */
  #young(d: Float64Array, o: number, f: Float32Array, p: number, value: number): number {
    const floor = YOUNG_FLOOR * Math.abs(d[o + cell.LEVEL]!);
    const residual = Math.abs(value - d[o + cell.LEVEL]!);
    const seen = d[o + cell.YOUNG_SPREAD]!;
    const spread = Math.max(seen > 0 ? seen : floor, 1e-6 / d[o + cell.GAIN]!);
    if (residual > seen && d[o + cell.INCIDENT] === 0) d[o + cell.YOUNG_SPREAD] = residual;
    const byResidual = YOUNG_BY_RESIDUAL * (residual / spread - 1);
    const byRange = YOUNG_BY_RANGE * exceedance(f, p, gauge(d, o, value), spread * d[o + cell.GAIN]!);
    return Math.max(0, Math.min(byResidual, byRange));
  }

  /**
   * Surprise from which a reading is anomalous: what normal readings reach once per budgeted alarm, asked for more where the
   * threshold is above 0.95, and moved by people's labels.
   */
  #bar(d: Float64Array, o: number, settings: Settings): number {
    const perDay = DAY_US / d[o + cell.INTERVAL]!;
    const budgeted = BAR_AT_TEN_THOUSAND + PER_EFOLD * (ln(perDay / settings.alarmsPerSensorDay) + TEN_THOUSANDTH);
    const cold = 1 + COLD / (d[o + cell.N]! + COLD_OFFSET);
    const bar = (Math.max(LOWEST_BAR, budgeted) + this.#strictness) * cold;
    const labels = LABEL_SHARE * (d[o + cell.LABELLED_FALSE]! - d[o + cell.LABELLED_TRUE]!);
    return bar * (1 + Math.max(LOWEST_SHIFT, Math.min(HIGHEST_SHIFT, labels)));
  }

  #band(d: Float64Array, o: number, f: Float32Array, p: number, young: boolean, bar: number): number {
    if (d[o + cell.INCIDENT]! > 0 && d[o + cell.STICKY] === 1) return d[o + cell.BAND]!;
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
      d[o + cell.STICKY] = Math.abs(value - expected) > d[o + cell.BAND]! ? 1 : 0;
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

  #vote(votes: Votes, f: Float32Array, p: number, bar: number, young: boolean, surprise: number): void {
    votes.bar = bar;
    votes.surprise.fill(0);
    if (young) {
      votes.surprise[REASON_YOUNG] = surprise;
      return;
    }
    for (let k = 0; k < cell.FEATURES; k++) {
      votes.surprise[FEATURE_REASONS[k]!] = this.#voice[k]! * this.#surprise(f, p, k);
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
    const tail = BUDGET_SHARE * exp((bar - surprise - this.#strictness) / PER_EFOLD);
    batch.confidence[i] = Math.floor(10000 * exp(-tail) + 0.5);
    batch.score[i] = abnormal ? Math.floor(10000 * (1 - (0.5 * bar) / surprise) + 0.5) : 0;
    batch.anomaly[i] = abnormal ? 1 : 0;
    batch.reason[i] = reason;
  }
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

export function notJudged(batch: ScoreBatch, i: number): void {
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
  const gap = time - d[o + cell.LAST_TIME]!;
  const mean = d[o + cell.INTERVAL]!;
  const bounded = n > 4 && gap > 4 * mean ? 4 * mean : gap;
  d[o + cell.INTERVAL] = n === 1 ? gap : mean + (bounded - mean) / Math.min(n, 100);
  const longest = d[o + cell.LONGEST_GAP]!;
  d[o + cell.LONGEST_GAP] = gap > longest ? gap : longest + (mean - longest) * GAP_FADES;
}

function deviation(sum: number, square: number, count: number): number {
  const variance = (square - (sum * sum) / count) / count;
  return variance > 0 ? Math.sqrt(variance) : 0;
}
