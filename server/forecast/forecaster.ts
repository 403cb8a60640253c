/**
 * Forecasts of a sensor, with intervals. What is expected is the detector's season at that time, and on it the sensor's recent
 * deviation from the season, as far as it used to last; both follow from the readings alone. How far off such forecasts were is
 * measured on the sensor itself: at many earlier readings one is made by what was known then, for each of some horizons, and compared
 * with what came. Pure: no clock, no I/O.
 */
import { crossFit, type Deviation, type Fit, type Sample } from "./fit.ts";

/** Pairs of forecast and outcome that are kept of a horizon; where there are more, every second is given up. */
const MOST_SAMPLES = 600;
/** Fewer say nothing. */
const LEAST_SAMPLES = 24;
/** How fast the deviation is followed: over about 3 readings, and about 40. */
const FAST_RATE = 0.5;
const SLOW_RATE = 0.05;
/** A reading counts as the outcome of a forecast for up to so many usual intervals before it. */
const LATE_INTERVALS = 1.5;
/** After so many usual intervals without a reading the deviation before says nothing. */
const AFRESH_INTERVALS = 20;
/** History must span the horizon so many times. */
const SPANS = 4;

/** The season's expected value at a time, microseconds, by what the detector has learnt so far. */
export type Seasonal = (timeUs: number) => number;

interface Pending {
  readonly dueUs: number;
  readonly season: number;
  readonly deviation: Deviation;
}

/** Forecast of one time: quantiles of the value. */
export interface Forecast {
  readonly timeUs: number;
  readonly expected: number;
  /** Value below which it is with this probability, 0 to 1. */
  readonly quantile: (probability: number) => number;
  /** Probability that it is above a value. */
  readonly above: (limit: number) => number;
}

export class Forecaster {
  readonly #horizons: readonly Horizon[];
  #count = 0;
  #firstUs = 0;
  #lastUs = 0;
  #interval = 0;
  #deviation: Deviation = [0, 0, 0];

  /** @param horizonsUs rising, microseconds */
  constructor(horizonsUs: readonly number[]) {
    this.#horizons = horizonsUs.map((us) => new Horizon(us));
  }

  /** The next reading, which `seasonal` does not know yet. One before the detector has a season says nothing. */
  reading(timeUs: number, value: number, seasonal: Seasonal): void {
    const season = seasonal(timeUs);
    if (Number.isNaN(season)) return;
    if (this.#count === 0) this.#firstUs = timeUs;
    const afresh = this.#count === 0 || this.#pass(timeUs - this.#lastUs);
    const [, fast, slow] = this.#deviation;
    const now = value - season;
    this.#deviation = afresh
      ? [now, now, now]
      : [now, fast + FAST_RATE * (now - fast), slow + SLOW_RATE * (now - slow)];
    this.#count++;
    this.#lastUs = timeUs;
    for (const horizon of this.#horizons) {
      horizon.outcome(timeUs, value, LATE_INTERVALS * this.#interval);
      horizon.begin(timeUs, this.#deviation, seasonal);
    }
  }

  /** Takes the time since the reading before in; whether it is so long that this one begins afresh. */
  #pass(gap: number): boolean {
    const usual = this.#interval;
    const bounded = this.#count > 4 ? Math.min(gap, 4 * usual) : gap;
    this.#interval += (bounded - usual) / Math.min(this.#count, 200);
    return this.#count > 4 && gap > AFRESH_INTERVALS * usual;
  }

  get readings(): number {
    return this.#count;
  }

  get lastUs(): number {
    return this.#lastUs;
  }

  /** Usual time between readings, microseconds. */
  get interval(): number {
    return this.#interval;
  }

  /** The longest time ahead that the history allows, microseconds; 0 where there is too little for any. */
  get farthestUs(): number {
    return this.#known().at(-1)?.us ?? 0;
  }

  /** Earlier forecasts that the intervals follow from, of the horizon that has fewest. */
  get checked(): number {
    const counts = this.#known().map(({ samples }) => samples.length);
    return counts.length === 0 ? 0 : Math.min(...counts);
  }

  /** Horizons whose errors are known. A shorter one may be missing: of readings in bursts, what is due between two of them never comes. */
  #known(): Horizon[] {
    const far = (this.#lastUs - this.#firstUs) / SPANS;
    return this.#horizons.filter(({ us, samples }) => us <= far && samples.length >= LEAST_SAMPLES);
  }

  /** Forecasts for times after the newest reading, up to `farthestUs`, in order of time. `seasonal` knows all readings. */
  forecasts(timesUs: readonly number[], seasonal: Seasonal): Forecast[] {
    const far = this.farthestUs;
    const fitted = this.#known().map(({ us, samples }) => ({ us, fit: crossFit(samples, independent(samples, us)) }));
    return timesUs
      .filter((timeUs) => timeUs - this.#lastUs <= far)
      .map((timeUs) => this.#forecast(timeUs, seasonal(timeUs), fitted));
  }

  /** Between two horizons all is in proportion to the logarithm of the time ahead. */
  #forecast(timeUs: number, season: number, fitted: readonly { us: number; fit: Fit }[]): Forecast {
    const ahead = timeUs - this.#lastUs;
    const next = fitted.findIndex(({ us }) => us >= ahead);
    const high = fitted[next < 0 ? fitted.length - 1 : next]!;
    const low = next > 0 ? fitted[next - 1]! : high;
    const share = high === low ? 0 : Math.log(ahead / low.us) / Math.log(high.us / low.us);
    const between = (of: (fit: Fit) => number) => (1 - share) * of(low.fit) + share * of(high.fit);
    const expected = season + between((fit) => fit.expect(this.#deviation));
    return {
      timeUs,
      expected,
      quantile: (probability) => expected + between((fit) => fit.quantile(probability)),
      above: (limit) => between((fit) => fit.above(limit - expected)),
    };
  }
}

/** How many of the outcomes say something of their own: forecasts that overlap err together. */
function independent(samples: readonly Sample[], us: number): number {
  const span = samples.at(-1)!.timeUs - samples[0]!.timeUs;
  return Math.max(2, Math.min(samples.length, span / us));
}

/** Forecasts and outcomes of one time ahead. */
class Horizon {
  readonly us: number;
  samples: Sample[] = [];
  #pending: Pending[] = [];
  #stride = 0;
  #nextUs = Number.NEGATIVE_INFINITY;

  constructor(us: number) {
    this.us = us;
  }

  begin(timeUs: number, deviation: Deviation, seasonal: Seasonal): void {
    if (timeUs < this.#nextUs) return;
    this.#nextUs = timeUs + this.#stride;
    const dueUs = timeUs + this.us;
    this.#pending.push({ dueUs, season: seasonal(dueUs), deviation });
    if (this.#pending.length + this.samples.length <= MOST_SAMPLES) return;
    const all = [...this.samples.map(({ timeUs: at }) => at), ...this.#pending.map(({ dueUs: at }) => at)];
    this.#stride = Math.max(2 * this.#stride, (2 * (all.at(-1)! - all[0]!)) / all.length);
    this.samples = this.samples.filter((_, i) => i % 2 === 0);
    this.#pending = this.#pending.filter((_, i) => i % 2 === 0);
  }

  outcome(timeUs: number, value: number, lateUs: number): void {
    let due = 0;
    while (due < this.#pending.length && this.#pending[due]!.dueUs <= timeUs) {
      const { dueUs, season, deviation } = this.#pending[due++]!;
      // After a gap there is no outcome.
      if (timeUs - dueUs <= lateUs) this.samples.push({ timeUs, deviation, outcome: value - season });
    }
    if (due > 0) this.#pending = this.#pending.slice(due);
  }
}
