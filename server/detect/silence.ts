/**
 * Silent sensors, by ticks: one number per slot in one array, scanned once a second. A reading disarms its sensor; the first tick
 * after it sets the deadline in the log's own time, so that readings with old times are not taken for silence.
 */
const DISARMED = -1;
const NEVER = Number.POSITIVE_INFINITY;
/** Silence is no reading for this many usual intervals, and for this many of the longest recent gap. */
export const SILENT_INTERVALS = 3;
export const SILENT_GAPS = 1.5;

/** Whoever keeps the states of slots in step with the log. */
export interface TickObserver {
  /** The slot's state is of a later place in the log: the tick is in it already. */
  skip(slot: number): boolean;
  /** The tick changes the slot's state. */
  changes(slot: number): void;
}

export class Silence {
  #deadlines = new Float64Array(64).fill(NEVER);

  /** A reading of the slot came. */
  heard(slot: number): void {
    if (slot >= this.#deadlines.length) this.#grow(slot);
    this.#deadlines[slot] = DISARMED;
  }

  /**
   * Time is `nowUs`. `allowance(slot)` says how long a sensor may be silent, microseconds (Infinity: for ever). Returns the
   * slots that have been silent for longer, each once, in rising order.
   */
  tick(nowUs: number, sensors: number, allowance: (slot: number) => number, observer?: TickObserver): number[] {
    const silent: number[] = [];
    const deadlines = this.#deadlines;
    const end = Math.min(sensors, deadlines.length);
    for (let slot = 0; slot < end; slot++) {
      const deadline = deadlines[slot]!;
      if (deadline > nowUs || observer?.skip(slot)) continue;
      observer?.changes(slot);
      if (deadline === DISARMED) deadlines[slot] = nowUs + allowance(slot);
      else {
        deadlines[slot] = NEVER;
        silent.push(slot);
      }
    }
    return silent;
  }

  /** Deadlines of slots [from, from + count), to be saved beside a chunk of state. */
  save(from: number, count: number, to: Float64Array, at: (slot: number) => number): void {
    for (let k = 0; k < count; k++) to[at(from + k)] = this.#deadlines[from + k] ?? NEVER;
  }

  restore(slot: number, deadline: number): void {
    if (slot >= this.#deadlines.length) this.#grow(slot);
    this.#deadlines[slot] = deadline;
  }

  #grow(slot: number): void {
    const larger = new Float64Array(Math.max(2 * this.#deadlines.length, slot + 1)).fill(NEVER);
    larger.set(this.#deadlines);
    this.#deadlines = larger;
  }
}
