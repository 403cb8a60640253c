/**
 * What kind of signal a sensor sends, by what is counted of its readings: how often the value stays, which way it moves, how many
 * values it has, how fine its steps are, and whether it has two states. A fixed number of cells, a few operations a reading; what is
 * older than some thousand readings fades. Nothing is decided by it: people see it, and it says which settings would fit.
 */

export const SIGNAL_KINDS = ["continuous", "quantised", "steps", "on_off", "event", "counter", "intermittent"] as const;
export type SignalKind = (typeof SIGNAL_KINDS)[number];

export interface Recognised {
  /** Undefined while too little is known. */
  readonly kind: SignalKind | undefined;
  /** By what it is recognised, a sentence without a full stop. */
  readonly detail: string;
}

/** Readings that are needed, and over which shares fade. */
const LEAST_READINGS = 200;
const MEMORY = 5000;
/** Values that are counted one by one. */
const VALUES = 16;
/** Of the changes of a counter so many rise; a fall that ends below this share of the value before is a reset. */
const COUNTER_RISES = 0.99;
const RESET_SHARE = 0.2;
/** Two states, or a few levels, have so large a share of all readings. */
const TWO_STATES = 0.99;
const FEW_LEVELS = 0.97;
const MOST_LEVELS = 12;
/** Levels are held: so large a share of readings repeats the one before. */
const HELD = 0.8;
/** A value at rest has at least this share. */
const AT_REST = 0.3;
/** Two levels with noise: so many deviations apart, with so few readings between them. */
const APART = 5;
const BETWEEN = 0.03;
/** Onsets whose distances vary by less than this share of their mean are cycles. */
const REGULAR = 0.35;
const LEAST_ONSETS = 3;
/** A state with less than this share is what happens, and the other one rest. */
const RARE = 0.3;
/** Less often visited than this, a level with noise is no state but a fault. */
const RAREST = 0.005;
/** The resolution shows where the usual change is fewer steps than this. */
const COARSE_STEPS = 4;
/** So large a share of the changes are multiples of the finest one. */
const FITTING = 0.99;
/** So many values that follow each other are a scale, not levels. */
const LEAST_CLIMBED = 5;
const CLIMBED_STEPS = 1.5;

export class SignalStatistics {
  #count = 0;
  #last = Number.NaN;
  /** Changes, and of these those that rise and those that are resets; the mean size of a change. */
  #changes = 0;
  #rises = 0;
  #resets = 0;
  #move = 0;
  readonly #values = new ValueCounts();
  readonly #grid = new Grid();
  readonly #states = new TwoStates();

  get readings(): number {
    return this.#count;
  }

  add(timeUs: number, value: number): void {
    const rate = 1 / Math.min(++this.#count, MEMORY);
    const change = this.#count === 1 ? 0 : value - this.#last;
    const toward = (share: number, is: boolean) => share + (Number(is) - share) * rate;
    this.#changes = toward(this.#changes, change !== 0);
    this.#rises = toward(this.#rises, change > 0);
    this.#resets = toward(this.#resets, change < 0 && Math.abs(value) <= RESET_SHARE * Math.abs(this.#last));
    if (change !== 0) {
      this.#move += (Math.abs(change) - this.#move) / Math.min(this.#grid.changes + 1, 500);
      this.#grid.add(change);
    }
    this.#values.add(value);
    this.#states.add(timeUs, value);
    this.#last = value;
  }

  recognise(): Recognised {
    if (this.#count < LEAST_READINGS) {
      return { kind: undefined, detail: `${LEAST_READINGS - this.#count} more readings are needed` };
    }
    return (
      this.#counter() ??
      this.#twoValues() ??
      this.#levels() ??
      this.#twoLevels() ??
      this.#resting() ??
      this.#quantised() ?? { kind: "continuous", detail: "it takes any value, and moves at most readings" }
    );
  }

  #counter(): Recognised | undefined {
    const forward = this.#rises + this.#resets;
    if (this.#changes < 0.02 || forward < COUNTER_RISES * this.#changes || this.#values.levels(FEW_LEVELS) <= VALUES)
      return undefined;
    return { kind: "counter", detail: `${percent(this.#rises / this.#changes)} of its changes are upward` };
  }

  #twoValues(): Recognised | undefined {
    if (this.#values.levels(TWO_STATES) !== 2) return undefined;
    return this.#cycles("it has two values");
  }

  #levels(): Recognised | undefined {
    const levels = this.#values.levels(FEW_LEVELS);
    if (levels > MOST_LEVELS || 1 - this.#changes < HELD || this.#climbs(levels)) return undefined;
    const values = levels === 1 ? "one value" : `${levels} values`;
    return { kind: "steps", detail: `it has ${values}, and holds each for a while` };
  }

  /** Whether it goes from one of its values to the next, as what is measured coarsely does, and not from any to any. */
  #climbs(levels: number): boolean {
    return levels >= LEAST_CLIMBED && this.#grid.fitting >= FITTING && this.#move < CLIMBED_STEPS * this.#grid.step;
  }

  #twoLevels(): Recognised | undefined {
    const { apart, between, onsets, rare } = this.#states;
    if (apart < APART || between > BETWEEN || onsets < LEAST_ONSETS || rare < RAREST) return undefined;
    return this.#cycles("it has two levels with nothing between them");
  }

  /** Of a signal with two states: cycles, or events in a state of rest. */
  #cycles(why: string): Recognised {
    const { rare, irregularity, onsets, period } = this.#states;
    const isRegular = onsets >= LEAST_ONSETS && irregularity < REGULAR;
    const often = onsets < LEAST_ONSETS ? "" : `, and changes about every ${hours(period)}`;
    if (rare < RARE && !isRegular)
      return { kind: "event", detail: `${why}, one of them ${percent(1 - rare)} of the time` };
    return { kind: "on_off", detail: why + often };
  }

  #resting(): Recognised | undefined {
    const share = this.#values.largest;
    if (share < AT_REST || this.#values.levels(FEW_LEVELS) <= MOST_LEVELS) return undefined;
    return {
      kind: "intermittent",
      detail: `it rests at one value ${percent(share)} of the time, and varies in between`,
    };
  }

  #quantised(): Recognised | undefined {
    const { step, fitting } = this.#grid;
    if (fitting < FITTING || this.#move > COARSE_STEPS * step) return undefined;
    return { kind: "quantised", detail: `it moves in steps of ${Number(step.toPrecision(3))}` };
  }
}

/** The most frequent values with their shares: one that is not among them takes the place of the rarest. */
class ValueCounts {
  readonly #value = new Float64Array(VALUES).fill(Number.NaN);
  readonly #weight = new Float64Array(VALUES);
  #total = 0;

  add(value: number): void {
    // Weights grow instead of fading, and all are divided when they are large.
    this.#total += 1 - this.#total / MEMORY;
    for (let k = 0; k < VALUES; k++) this.#weight[k]! -= this.#weight[k]! / MEMORY;
    let at = this.#value.indexOf(value);
    if (at < 0) {
      at = this.#weight.indexOf(Math.min(...this.#weight));
      this.#value[at] = value;
      this.#weight[at] = 0;
    }
    this.#weight[at]! += 1;
  }

  /** Share of the most frequent one. */
  get largest(): number {
    return Math.max(...this.#weight) / this.#total;
  }

  /** How many values have this share together; more than VALUES where the known ones do not. */
  levels(share: number): number {
    const weights = [...this.#weight].sort((a, b) => b - a);
    let sum = 0;
    for (const [k, weight] of weights.entries()) {
      sum += weight;
      if (sum >= share * this.#total) return k + 1;
    }
    return VALUES + 1;
  }
}

/** The finest step, and how many changes are multiples of it. */
class Grid {
  step = Number.POSITIVE_INFINITY;
  fitting = 0;
  changes = 0;
  #seen = 0;

  add(change: number): void {
    this.changes++;
    const size = Math.abs(change);
    if (size < 0.5 * this.step) {
      this.step = size;
      this.#seen = 0;
    }
    const steps = size / this.step;
    const fits = Math.abs(steps - Math.round(steps)) < 0.02 * Math.max(1, steps / 50);
    this.fitting += (Number(fits) - this.fitting) / Math.min(++this.#seen, 1000);
  }
}

/** Two states on either side of the middle of a fading range: how far apart, how much is between them, how regular. */
class TwoStates {
  #low = Number.POSITIVE_INFINITY;
  #high = Number.NEGATIVE_INFINITY;
  readonly #mean = [0, 0];
  readonly #variance = [0, 0];
  readonly #count = [0, 0];
  #isHigh = false;
  #highShare = 0;
  #middle = 0;
  #readings = 0;
  #onsetUs = Number.NaN;
  /** Onsets of the high state; mean of the times between them and of their squares, microseconds. */
  onsets = 0;
  #gap = 0;
  #gapSquare = 0;

  add(timeUs: number, value: number): void {
    const rate = 1 / Math.min(++this.#readings, MEMORY);
    const shrink = (this.#high - this.#low) / (2 * MEMORY);
    this.#low = Math.min(value, Number.isFinite(shrink) ? this.#low + shrink : value);
    this.#high = Math.max(value, Number.isFinite(shrink) ? this.#high - shrink : value);
    const side = value > (this.#low + this.#high) / 2 ? 1 : 0;
    const known = this.#count[side]!++;
    const distance = value - this.#mean[side]!;
    const own = 1 / Math.min(known + 1, MEMORY);
    this.#mean[side]! += own * distance;
    this.#variance[side]! += own * (distance * distance - this.#variance[side]!);
    const [low, high] = this.#mean as [number, number];
    const place = (value - low) / (high - low);
    this.#middle += (Number(place > 0.25 && place < 0.75) - this.#middle) * rate;
    this.#highShare += (side - this.#highShare) * rate;
    if (place > 0.75 && !this.#isHigh) this.#begin(timeUs);
    this.#isHigh = place > 0.75 || (this.#isHigh && place > 0.25);
  }

  #begin(timeUs: number): void {
    const gap = timeUs - this.#onsetUs;
    this.#onsetUs = timeUs;
    this.onsets++;
    if (Number.isNaN(gap)) return;
    const rate = 1 / Math.min(this.onsets - 1, 50);
    this.#gap += rate * (gap - this.#gap);
    this.#gapSquare += rate * (gap * gap - this.#gapSquare);
  }

  /** Distance of the two means in deviations. */
  get apart(): number {
    const spread = Math.sqrt(this.#variance[0]!) + Math.sqrt(this.#variance[1]!);
    return (this.#mean[1]! - this.#mean[0]!) / spread;
  }

  get between(): number {
    return this.#middle;
  }

  /** Share of the rarer state. */
  get rare(): number {
    return Math.min(this.#highShare, 1 - this.#highShare);
  }

  /** Mean time between onsets, microseconds. */
  get period(): number {
    return this.#gap;
  }

  /** Deviation of the times between onsets, as a share of their mean. */
  get irregularity(): number {
    return Math.sqrt(Math.max(0, this.#gapSquare - this.#gap * this.#gap)) / this.#gap;
  }
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}

function hours(us: number): string {
  const minutes = us / 60e6;
  return minutes < 120 ? `${Number(minutes.toPrecision(2))} min` : `${Number((minutes / 60).toPrecision(2))} h`;
}
