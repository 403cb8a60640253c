/**
 * Silent sensors, by the log's time records: one deadline per slot in one array, scanned once a second. A reading disarms its
 * sensor; the first time record after it says when it arrived and sets the deadline, both in the log's own time, so that readings
 * with old times are not taken for silence.
 */
const DISARMED = -1;
const NEVER = Number.POSITIVE_INFINITY;
/** Between two time records of a log that runs lies a second. Where it is more than this the platform stood still, and no sensor was silent. */
const STANDSTILL_US = 15e6;

/** Whoever keeps the states of slots in step with the log. */
export interface TickObserver {
  /** The slot's state is of a later place in the log: the time record is in it already. */
  skip(slot: number): boolean;
  /** The time record changes the slot's state. */
  changes(slot: number): void;
}

export interface Rhythms {
  /** Readings of the slot have arrived. Returns how long it may be silent from `nowUs` on, microseconds; Infinity: forever. */
  arrived(slot: number, nowUs: number): number;
  /** The log stood still: what is measured from the slot's last arrival is no gap of the sensor. */
  interrupted(slot: number): void;
}

export class Silence {
  readonly #rhythms: Rhythms;
  #deadlines = new Float64Array(64).fill(NEVER);
  /** The newest time record in a restored slot's state; 0 where the slot was not restored. */
  #tickedUs = new Float64Array(64);
  #newestUs = 0;

  constructor(rhythms: Rhythms) {
    this.#rhythms = rhythms;
  }

  /** A reading of the slot came. */
  heard(slot: number): void {
    if (slot >= this.#deadlines.length) this.#grow(slot);
    this.#deadlines[slot] = DISARMED;
  }

  /** The slot stands for nobody: it is never silent. */
  forget(slot: number): void {
    if (slot >= this.#deadlines.length) return;
    this.#deadlines[slot] = NEVER;
    this.#tickedUs[slot] = 0;
  }

  /** Time is `nowUs`. Returns the slots that have been silent for longer than they may, each once, in rising order. */
  tick(nowUs: number, sensors: number, observer?: TickObserver): number[] {
    const silent: number[] = [];
    const deadlines = this.#deadlines;
    const end = Math.min(sensors, deadlines.length);
    const before = this.#newestUs;
    this.#newestUs = nowUs;
    for (let slot = 0; slot < end; slot++) {
      const deadline = deadlines[slot]!;
      if (deadline > nowUs || observer?.skip(slot)) continue;
      observer?.changes(slot);
      const lastUs = Math.max(before, this.#tickedUs[slot]!);
      const standstillUs = lastUs > 0 && nowUs - lastUs > STANDSTILL_US ? nowUs - lastUs : 0;
      if (standstillUs > 0) this.#rhythms.interrupted(slot);
      if (deadline === DISARMED) deadlines[slot] = nowUs + this.#rhythms.arrived(slot, nowUs);
      else if (standstillUs > 0) deadlines[slot] = deadline + standstillUs;
      else {
        deadlines[slot] = NEVER;
        silent.push(slot);
      }
    }
    return silent;
  }

  /** Deadlines and the newest time record of slots [from, from + count), to be saved beside a chunk of state. */
  save(from: number, count: number, put: (slot: number, deadlineUs: number, tickedUs: number) => void): void {
    for (let slot = from; slot < from + count; slot++) {
      const tickedUs = Math.max(this.#newestUs, this.#tickedUs[slot] ?? 0);
      put(slot, this.#deadlines[slot] ?? NEVER, tickedUs);
    }
  }

  restore(slot: number, deadlineUs: number, tickedUs: number): void {
    if (slot >= this.#deadlines.length) this.#grow(slot);
    this.#deadlines[slot] = deadlineUs;
    this.#tickedUs[slot] = tickedUs;
  }

  #grow(slot: number): void {
    const capacity = Math.max(2 * this.#deadlines.length, slot + 1);
    const deadlines = new Float64Array(capacity).fill(NEVER);
    deadlines.set(this.#deadlines);
    this.#deadlines = deadlines;
    const tickedUs = new Float64Array(capacity);
    tickedUs.set(this.#tickedUs);
    this.#tickedUs = tickedUs;
  }
}
