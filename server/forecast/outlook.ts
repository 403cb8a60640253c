/**
 * Whether a sensor is heading for a limit of its settings, from little memory: of each of the newest steps of time the lowest and the highest
 * reading, and what the season expected of it. Pure: no clock, no I/O.
 */
import { type Approach, BARRED, QUIET } from "./approach.ts";
import { type Crossing, crossingOf, type Limit } from "./crossing.ts";
import type { Seasonal } from "./forecaster.ts";
import { trendOf } from "./trend.ts";

/** Steps in the time that is looked ahead, and steps that are kept: eight times as many. */
const STEPS_AHEAD = 16;
const STEPS_KEPT = 8 * STEPS_AHEAD;
/** The season is kept from before a step begins: of those that are forecast, and one more that is under way. */
const SEASONS_AHEAD = STEPS_AHEAD + 2;
const SEASONS_KEPT = STEPS_KEPT + SEASONS_AHEAD;
/** Looks are spread over a minute, which a million sensors need, and over no more than so much of a step. */
const LOOK_SPREAD_US = 60e6;
const LOOK_SPREAD_SHARE = 0.25;
/** A limit farther away than so many times what the sensor has moved within so many steps is out of reach: nothing is computed. */
const REACH = 1.5;

const STEP_US = 0;
/** Number of the step under way: whole lengths of a step since 1970. */
const STEP = 1;
const LOW = 2;
const HIGH = 3;
/** When the next look is due, by the log's time; 0 where no step has ended since the last one. Saved by a former version it is 1: at once. */
const DUE = 4;
/** Number of the last step of which the season is kept. */
const SEASONS = 5;
/** Of the lower and the upper limit: 0 quiet, 1 barred, from 2 on open with so many calm looks. */
const APPROACH = 6;
const CELLS = 8;

/** Single-precision cells: of each kept step, by its number modulo STEPS_KEPT, the lowest readings and the highest; then the seasons. NaN: none. */
const LOWS_AT = 0;
const HIGHS_AT = STEPS_KEPT;
const SEASONS_AT = 2 * STEPS_KEPT;
const STEP_CELLS = 2 * STEPS_KEPT + SEASONS_KEPT;

export const OUTLOOK_BYTES: number = 8 * CELLS + 4 * STEP_CELLS;

/** Outlooks that share a buffer: one of its own would take as much again as it holds, with what the C library needs for it. */
const PAGE_OUTLOOKS = 16;

/** Of one outlook: its cells, and behind them the steps. */
interface Place {
  readonly cells: Float64Array;
  readonly steps: Float32Array;
}

/** What outlooks are kept in. Those that are released make room for others. */
export class OutlookMemory {
  #page = new ArrayBuffer(0);
  #used = 0;
  readonly #free: Place[] = [];

  take(): Place {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#used === this.#page.byteLength) {
      this.#page = new ArrayBuffer(PAGE_OUTLOOKS * OUTLOOK_BYTES);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += OUTLOOK_BYTES;
    return {
      cells: new Float64Array(this.#page, at, CELLS),
      steps: new Float32Array(this.#page, at + 8 * CELLS, STEP_CELLS),
    };
  }

  give(place: Place): void {
    this.#free.push(place);
  }
}

/** What is kept of one sensor. */
export class Outlook {
  readonly #cells: Float64Array;
  readonly #steps: Float32Array;

  private constructor({ cells, steps }: Place) {
    this.#cells = cells;
    this.#steps = steps;
  }

  /** One that has seen nothing yet. */
  static begun(aheadUs: number, memory: OutlookMemory): Outlook {
    const outlook = new Outlook(memory.take());
    outlook.#cells.fill(0);
    outlook.#cells[STEP_US] = aheadUs / STEPS_AHEAD;
    outlook.#cells[STEP] = -1;
    outlook.#cells[SEASONS] = -1;
    outlook.#steps.fill(Number.NaN);
    return outlook;
  }

  /** @param bytes OUTLOOK_BYTES of them, as saved */
  static saved(bytes: Uint8Array, memory: OutlookMemory): Outlook {
    const outlook = new Outlook(memory.take());
    outlook.bytes().set(bytes);
    return outlook;
  }

  /** What is to be saved: a view, for the moment. */
  bytes(): Uint8Array {
    return new Uint8Array(this.#cells.buffer, this.#cells.byteOffset, OUTLOOK_BYTES);
  }

  /** Gives its memory back; it must not be used any more. */
  release(memory: OutlookMemory): void {
    memory.give({ cells: this.#cells, steps: this.#steps });
  }

  /** How far it looks ahead, microseconds. */
  get aheadUs(): number {
    return this.#cells[STEP_US]! * STEPS_AHEAD;
  }

  /** When a look is due, by the log's time; undefined where no step has ended since the last one. */
  get dueUs(): number | undefined {
    return this.#cells[DUE] === 0 ? undefined : this.#cells[DUE]!;
  }

  /** A step has ended: looks at the sensor come up to this much later, so that those of many sensors do not come at once. */
  get spreadUs(): number {
    return Math.min(LOOK_SPREAD_US, this.#cells[STEP_US]! * LOOK_SPREAD_SHARE);
  }

  /** Two steps without a reading: it is not that one is under way. */
  get unheardUs(): number {
    return 2 * this.#cells[STEP_US]!;
  }

  /** A look is due at `dueUs` of the log's time; one that is due already stays so. */
  askForLook(dueUs: number): void {
    if (this.#cells[DUE] === 0) this.#cells[DUE] = dueUs;
  }

  /** The next reading; true where it ends a step. */
  reading(timeUs: number, value: number): boolean {
    const cells = this.#cells;
    const step = Math.floor(timeUs / cells[STEP_US]!);
    const now = cells[STEP]!;
    if (step === now) {
      if (value < cells[LOW]!) cells[LOW] = value;
      if (value > cells[HIGH]!) cells[HIGH] = value;
      return false;
    }
    const ends = now >= 0;
    if (ends) this.#end(now, step);
    cells[STEP] = step;
    cells[LOW] = value;
    cells[HIGH] = value;
    return ends;
  }

  #end(now: number, next: number): void {
    this.#steps[LOWS_AT + (now % STEPS_KEPT)] = this.#cells[LOW]!;
    this.#steps[HIGHS_AT + (now % STEPS_KEPT)] = this.#cells[HIGH]!;
    const last = Math.min(next, now + STEPS_KEPT);
    for (let skipped = now + 1; skipped < last; skipped++) {
      this.#steps[LOWS_AT + (skipped % STEPS_KEPT)] = Number.NaN;
      this.#steps[HIGHS_AT + (skipped % STEPS_KEPT)] = Number.NaN;
    }
  }

  /**
   * Somebody looks. What the season expects of a step is kept before the step begins: afterwards it has learnt of it, and a course that
   * leaves the season would look as if the season were following it.
   */
  look(seasonal: Seasonal): void {
    const cells = this.#cells;
    const now = cells[STEP]!;
    for (let step = Math.max(now - STEPS_KEPT, cells[SEASONS]! + 1); step <= now + SEASONS_AHEAD; step++) {
      const season = seasonal((step + 0.5) * cells[STEP_US]!);
      if (Number.isNaN(season)) break;
      this.#steps[SEASONS_AT + (step % SEASONS_KEPT)] = season;
      cells[SEASONS] = step;
    }
    cells[DUE] = 0;
  }

  /** What is said of the lower limit (0) or the upper one (1). */
  approach(side: number): Approach {
    const cell = this.#cells[APPROACH + side]!;
    return cell === 0 ? QUIET : cell === 1 ? BARRED : { state: "open", calm: cell - 2 };
  }

  setApproach(side: number, approach: Approach): void {
    const { state } = approach;
    this.#cells[APPROACH + side] = state === "quiet" ? 0 : state === "barred" ? 1 : 2 + approach.calm;
  }

  /** When the limit will be crossed within the time ahead; undefined where that is improbable, or no trend leads there. */
  crossing(limit: Limit): Crossing | undefined {
    const isUpper = limit.setting === "range_max";
    const steps = this.#steps;
    const ringAt = isUpper ? HIGHS_AT : LOWS_AT;
    const stepUs = this.#cells[STEP_US]!;
    const now = this.#cells[STEP]!;
    const first = Math.max(0, now - STEPS_KEPT);
    // By plain loops: a million sensors may be looked at in the same moment, and mostly this is all that is done.
    const readings = new Float64Array(Math.max(0, now - first));
    for (let k = 0; k < readings.length; k++) readings[k] = steps[ringAt + ((first + k) % STEPS_KEPT)]!;
    const sign = isUpper ? 1 : -1;
    if (!isInReach(readings, sign, limit.value)) return undefined;
    const season = (step: number) => steps[SEASONS_AT + (step % SEASONS_KEPT)]!;
    for (let k = 0; k < readings.length; k++) readings[k]! -= season(first + k);
    const trend = trendOf(readings, sign);
    if (trend === undefined) return undefined;
    // Twice a step, from the middle of the one under way; the trend is as of the middle of the one before.
    const forecasts = Array.from({ length: 2 * STEPS_AHEAD }, (_, k) => {
      const later = (k + 2) / 2;
      const expected = season(Math.ceil(now - 1 + later)) + trend.level + later * trend.slope;
      const deviation = trend.deviation(later);
      return { timeUs: (now - 0.5 + later) * stepUs, above: (value: number) => above((value - expected) / deviation) };
    });
    return crossingOf(forecasts, limit);
  }
}

/** By the largest move toward the limit within the time ahead, in blocks of that length. */
function isInReach(readings: Float64Array, sign: number, limit: number): boolean {
  let newest = Number.NaN;
  let most = 0;
  let lowest = Number.POSITIVE_INFINITY;
  for (let k = 0; k < readings.length; k++) {
    if (k % STEPS_AHEAD === 0) lowest = Number.POSITIVE_INFINITY;
    const value = readings[k]!;
    if (Number.isNaN(value)) continue;
    newest = sign * value;
    if (newest < lowest) lowest = newest;
    if (newest - lowest > most) most = newest - lowest;
  }
  return sign * limit - newest <= REACH * most;
}

/** Probability that a normal variable is above so many deviations (Abramowitz and Stegun 26.2.17, within 7.5e-8). */
function above(deviations: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(deviations));
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const outer = (Math.exp((-deviations * deviations) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return deviations > 0 ? outer : 1 - outer;
}
