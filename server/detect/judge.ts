import { barOf, confidenceOf, strictnessOf, weightOf } from "./bar.ts";
import * as cell from "./cells.ts";
import type { ScoreBatch } from "./detector.ts";
import { emit, notJudged, QUIET_READINGS, squeeze, wearinessOf } from "./emission.ts";
import { senseFeatures, sensePattern } from "./features.ts";
import { CENTRE, MOVE, squash } from "./normaliser.ts";
import { EXPECTED, foretell, READOUT_INPUTS, SCALE, startReadout, takeInputs, teach } from "./readout.ts";
import { FEATURE_REASONS, REASON_FORECASTER, REASON_STUCK, REASON_YOUNG } from "./reasons.ts";
import {
  BLOCK,
  closeBlocks,
  learnRecord,
  RECORD_FLOATS,
  recordAt,
  recordSurprise,
  recordSurpriseAbove,
  startRecord,
} from "./records.ts";
import { learnRoughness, roughnessAt } from "./roughness.ts";
import { applyRules, renameReason, ruling } from "./rules.ts";
import { FOUND, learnSeason, seasonAt } from "./season.ts";
import type { Settings } from "./settings.ts";
import { clamp, firstGauge, gauge, meanOfLast, pushWindow, ringAt, setGauge } from "./windows.ts";
import { acceptYoung, LEVEL_RATE, type TypePrior, youngBand, youngSurprise } from "./young.ts";

/** Readings before a sensor is judged: its 24th is the first. */
export const WARM_READINGS = 23;
/** Until then (two blocks of the shortest length) the young sensor's judge speaks. */
const YOUNG_UNTIL = WARM_READINGS + 2 * BLOCK;
/** Normal readings in a row after which learning goes on (the alert closes later, episode.ts); readings after which its level is accepted as the new normal. */
const CALM_READINGS = 5;
const ACCEPT_READINGS = 240;
/**
 * An excursion that comes back is told again where it goes this many times beyond the bar. Each return counts as so many readings
 * outside; with ACCEPT_READINGS of them, which fade over OUTSIDE_MEMORY, the baseline takes them in: it is what this sensor does.
 */
const RETURN_BARS = 2;
const RETURN_COUNTS = 200;
const RETURN_CALM = 10;
const OUTSIDE_MEMORY = 2000;
/** Least deviation of block extremes: of runs of equal values (logarithms), and of all else (gauge units). */
const STUCK_FLOOR = 0.3;
const FLOOR = 1e-3;
/** Surprise of a pattern one range away from all known ones. */
const PATTERN_GAIN = 3;
/** A stuck value alone is common; it adds this share of its surprise to that of the others. */
const STUCK_GAIN = 0.25;
/** Seasonal residuals count less where no season was found. */
const NO_SEASON_GAIN = 0.72;
/** Share of the way to the typical interval that the longest gap fades by with each reading. */
const GAP_FADES = 0.005;

/** Groups of detectors, to judge each alone. */
export type Part = "records" | "season" | "forecaster" | "patterns" | "stuck";
export const PARTS: readonly Part[] = ["records", "season", "forecaster", "patterns", "stuck"];
const PART_OF: readonly Part[] = [
  "records",
  "records",
  "records",
  "season",
  "season",
  "forecaster",
  "forecaster",
  "stuck",
  "patterns",
];

/** What each detector had to say of one reading; kept only while somebody asks for an explanation. All as `Explanation`. */
export interface Votes {
  readonly surprise: Float64Array;
  readonly weight: Float64Array;
  bar: number;
  total: number;
  young: boolean;
}

/** Judges one reading of one sensor: state and reading in; state, score and explanation out. */
export class Judge {
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
    this.#strictness = strictnessOf(threshold);
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
    prior: TypePrior,
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
      if (n + 1 === WARM_READINGS) this.#start(d, o, f, p, n + 1, time, value);
      notJudged(batch, i);
    } else {
      this.#mature(d, o, f, p, n, time, value, settings, prior, batch, i);
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
  #start(d: Float64Array, o: number, f: Float32Array, p: number, seen: number, time: number, value: number): void {
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
    const x = this.#x;
    senseFeatures(x, d, o, f, p, seen, WARM_READINGS + 1, time, value, value);
    for (let k = 0; k < cell.PATTERN; k++) startRecord(f, p + k * RECORD_FLOATS, x[k]!);
    startRecord(f, p + cell.BASELINE * RECORD_FLOATS, x[cell.RESIDUAL]!);
    for (let j = 0; j < seen; j++) learnRecord(f, p, ringAt(f, w, j), 1 / (j + 1));
  }

  /** A reading from the 24th on, in the order of the judgement: features, surprise, bar, verdict, learning. */
  #mature(
    d: Float64Array,
    o: number,
    f: Float32Array,
    p: number,
    n: number,
    time: number,
    value: number,
    settings: Settings,
    prior: TypePrior,
    batch: ScoreBatch,
    i: number,
  ): void {
    const s = p + cell.SEASONS;
    const frozen = d[o + cell.INCIDENT]! > 0;
    const young = n < YOUNG_UNTIL;
    const forecast = d[o + cell.READOUT + EXPECTED]!;
    senseFeatures(this.#x, d, o, f, p, n + 1, WARM_READINGS + 1, time, value, forecast);
    if (!frozen) learnSeason(f, s, time, gauge(d, o, value), n - WARM_READINGS, d[o + cell.INTERVAL]!);
    sensePattern(this.#x, d, o, f, p, n, frozen);
    const bar = barOf(d, o, settings, this.#strictness);
    const sticky = frozen && d[o + cell.STICKY] === 1;
    const expected = sticky ? this.#frozenExpectation(d, o, f, s, time) : young ? d[o + cell.LEVEL]! : forecast;
    const band = this.#band(d, o, f, p, time, young, bar, prior);
    let surprise = 0;
    let reason = REASON_YOUNG;
    if (young) surprise = youngSurprise(d, o, f, p, value, prior);
    else {
      surprise = this.#ensemble(d, o, f, p);
      reason = this.#loudest;
    }
    const weariness = wearinessOf(d, o);
    if (this.votes !== undefined) this.#vote(this.votes, d, o, f, p, bar * weariness, young, surprise);
    surprise /= weariness;
    applyRules(settings, d, o, value, time, bar);
    if (ruling.surprise > surprise) {
      surprise = ruling.surprise;
      reason = ruling.reason;
    }
    batch.signal[i] = emit(d, o, squeeze(surprise * weariness) / weariness);
    let away = sticky ? (bar * Math.abs(value - expected)) / band : 0;
    this.#follow(d, o, f, s, n, time, value, expected, Math.max(surprise, away) >= bar, young);
    const habit = this.#return(d, o, f, p, bar, weariness, young, surprise >= bar);
    if (habit > away) away = habit;
    if (away > surprise) {
      surprise = away;
      if (away >= bar) reason = REASON_FORECASTER;
    }
    if (surprise >= bar) reason = renameReason(reason, value, expected, band);
    this.#learn(d, o, f, p, n, time, Math.abs(value - forecast), bar);
    if (this.votes !== undefined) this.#away(this.votes, surprise * weariness, away * weariness);
    this.#report(batch, i, surprise, bar, reason, expected, band);
  }

  /** Surprise of a grown sensor's reading: the loudest detector's, and a little more where the value has stuck. */
  #ensemble(d: Float64Array, o: number, f: Float32Array, p: number): number {
    let surprise = 0;
    this.#loudest = 0;
    for (let k = 0; k < cell.FEATURES; k++) {
      if (k === cell.STUCK) continue;
      const y = this.#surprise(d, o, f, p, k);
      if (y > surprise) {
        surprise = y;
        this.#loudest = FEATURE_REASONS[k]!;
      }
    }
    if (this.#loudest === 0) this.#loudest = REASON_STUCK;
    return surprise + STUCK_GAIN * this.#surprise(d, o, f, p, cell.STUCK);
  }

  /** A detector's vote: its surprise, by what people's labels made of its weight. */
  #surprise(d: Float64Array, o: number, f: Float32Array, p: number, k: number): number {
    const raw = this.#rawSurprise(f, p, k);
    return raw === 0 ? 0 : raw * this.#voice[k]! * weightOf(d[o + cell.NET_LABELS + k]!);
  }

  #rawSurprise(f: Float32Array, p: number, k: number): number {
    const x = this.#x[k]!;
    if (k === cell.PATTERN) return PATTERN_GAIN * x;
    const at = p + k * RECORD_FLOATS;
    if (k >= cell.RESIDUAL) return recordSurpriseAbove(f, at, x);
    const surprise = recordSurprise(f, at, x);
    if (k < cell.SEASON || surprise === 0) return surprise;
    return f[p + cell.SEASONS + FOUND]! > 0 ? surprise : NO_SEASON_GAIN * surprise;
  }

  /**
   * The baseline knows readings outside incidents alone: to it, an excursion that comes back is one again. Returns the surprise
   * where it is to be told, else 0.
   */
  #return(
    d: Float64Array,
    o: number,
    f: Float32Array,
    p: number,
    bar: number,
    weariness: number,
    young: boolean,
    told: boolean,
  ): number {
    const k = cell.RESIDUAL;
    const raw = young ? 0 : recordSurpriseAbove(f, p + cell.BASELINE * RECORD_FLOATS, this.#x[k]!);
    const outside = d[o + cell.OUTSIDE]! * (1 - 1 / OUTSIDE_MEMORY) + (raw >= bar ? 1 : 0);
    d[o + cell.OUTSIDE] = outside;
    const surprise = raw * this.#voice[k]! * weightOf(d[o + cell.NET_LABELS + k]!);
    const returned = !told && surprise >= RETURN_BARS * bar * weariness;
    if (!returned) {
      d[o + cell.RETURNING] = Math.max(0, d[o + cell.RETURNING]! - 1);
      return 0;
    }
    if (d[o + cell.RETURNING] === 0) d[o + cell.OUTSIDE] = outside + RETURN_COUNTS;
    d[o + cell.RETURNING] = RETURN_CALM;
    return surprise / weariness;
  }

  /** Takes the reading into records and roughness. The baseline and the roughness learn nothing in an incident, and of what is outside only what lasts or keeps returning. */
  #learn(
    d: Float64Array,
    o: number,
    f: Float32Array,
    p: number,
    n: number,
    time: number,
    error: number,
    bar: number,
  ): void {
    const x = this.#x;
    const rate = 1 / Math.min(n, 1000);
    const baseline = p + cell.BASELINE * RECORD_FLOATS;
    for (let k = 0; k < cell.PATTERN; k++) learnRecord(f, p + k * RECORD_FLOATS, x[k]!, rate);
    if (d[o + cell.INCIDENT] === 0) {
      learnRoughness(f, p + cell.ROUGHNESS, time, clamp(error * d[o + cell.GAIN]!), d[o + cell.INTERVAL]!);
      const outside = recordSurpriseAbove(f, baseline, x[cell.RESIDUAL]!) >= bar;
      if (!outside || d[o + cell.OUTSIDE]! >= ACCEPT_READINGS) learnRecord(f, baseline, x[cell.RESIDUAL]!, rate);
    }
    const sinceWarm = n + 1 - WARM_READINGS;
    if (sinceWarm % BLOCK !== 0) return;
    for (let k = 0; k < cell.RECORDS_KEPT; k++) {
      closeBlocks(f, p + k * RECORD_FLOATS, sinceWarm, k === cell.STUCK ? STUCK_FLOOR : FLOOR);
    }
  }

  #band(
    d: Float64Array,
    o: number,
    f: Float32Array,
    p: number,
    time: number,
    young: boolean,
    bar: number,
    prior: TypePrior,
  ): number {
    if (d[o + cell.INCIDENT]! > 0 && d[o + cell.STICKY] === 1) return d[o + cell.BAND]!;
    const error = recordAt(f, p + cell.BASELINE * RECORD_FLOATS, bar) * roughnessAt(f, p + cell.ROUGHNESS, time);
    d[o + cell.BAND] = young
      ? youngBand(d, o, bar, prior)
      : Math.max(error / d[o + cell.GAIN]!, 1e-9 * Math.abs(d[o + cell.LEVEL]!));
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
    if (young && incident >= ACCEPT_READINGS) acceptYoung(d, o, n + 1);
  }

  #vote(
    votes: Votes,
    d: Float64Array,
    o: number,
    f: Float32Array,
    p: number,
    bar: number,
    young: boolean,
    surprise: number,
  ): void {
    votes.bar = bar;
    votes.young = young;
    votes.surprise.fill(0);
    for (let k = 0; k < cell.FEATURES; k++) {
      votes.weight[FEATURE_REASONS[k]!] = this.#voice[k]! * weightOf(d[o + cell.NET_LABELS + k]!);
      if (!young) votes.surprise[FEATURE_REASONS[k]!] = this.#surprise(d, o, f, p, k);
    }
    if (young) votes.surprise[REASON_YOUNG] = surprise;
  }

  /** What came of the votes, with what the forecaster says of readings that stay or come back outside its band. */
  #away(votes: Votes, total: number, away: number): void {
    votes.total = total;
    if (away > votes.surprise[REASON_FORECASTER]!) votes.surprise[REASON_FORECASTER] = away;
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
    const abnormal = surprise >= bar;
    batch.expected[i] = expected;
    batch.band[i] = band;
    batch.anomaly[i] = abnormal ? 1 : 0;
    batch.confidence[i] = surprise > 0 ? confidenceOf(surprise, bar, this.#strictness) : 0;
    batch.score[i] = abnormal ? Math.floor(10000 * (1 - (0.5 * bar) / surprise) + 0.5) : 0;
    batch.reason[i] = surprise > 0 ? reason : 0;
  }
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
