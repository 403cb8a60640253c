/**
 * Silent sensors, by the log's time records: one deadline per slot in one array, scanned once a second. A reading disarms its
 * sensor; the first time record after it says when it arrived and sets the deadline, both in the log's own time, so that readings
 * with old times are not taken for silence.
 */
const DISARMED = -1;
/** Nothing is expected of the slot before it is heard again: it was told, or stands for nobody. */
const NEVER = Number.POSITIVE_INFINITY;
/** Heard, and it may be silent for ever: its rhythm is not known yet, or it is off. */
const UNLIMITED = Number.MAX_VALUE;
/** Between two time records of a log that runs lies a second. Where it is more than this the platform stood still, and no sensor was silent. */
const STANDSTILL_US = 3e6;
/** Senders that failed come back late: as a rule they wait the longer the longer they have failed. This is the longest that is waited for them. */
const LONGEST_RETURN_US = 30e6;

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
  /** The newest time record; 0: none yet. */
  #newestUs = 0;

  constructor(rhythms: Rhythms) {
    this.#rhythms = rhythms;
  }

  /** What comes next follows a time record of `tickedUs`, microseconds; 0: none. */
  resume(tickedUs: number): void {
    this.#newestUs = tickedUs;
  }

  /** A reading of the slot came. */
  heard(slot: number): void {
    if (slot >= this.#deadlines.length) this.#grow(slot);
    this.#deadlines[slot] = DISARMED;
  }

  /** The slot stands for nobody: it is never silent. */
  forget(slot: number): void {
    if (slot < this.#deadlines.length) this.#deadlines[slot] = NEVER;
  }

  /** Time is `nowUs`. Returns the slots that have been silent for longer than they may, each once, in rising order. */
  tick(nowUs: number, sensors: number, observer?: TickObserver): number[] {
    const silent: number[] = [];
    const deadlines = this.#deadlines;
    const end = Math.min(sensors, deadlines.length);
    const gapUs = this.#newestUs > 0 ? nowUs - this.#newestUs : 0;
    this.#newestUs = nowUs;
    // Of short ones next to nothing: a log that stands still again and again must tell of silence as well.
    const returnUs = Math.min(Math.max(0, gapUs - STANDSTILL_US), LONGEST_RETURN_US);
    if (gapUs > STANDSTILL_US) this.#standStill(gapUs + returnUs, end, observer);
    for (let slot = 0; slot < end; slot++) {
      const deadline = deadlines[slot]!;
      if (deadline > nowUs || observer?.skip(slot)) continue;
      observer?.changes(slot);
      if (deadline === DISARMED) {
        const allowedUs = this.#rhythms.arrived(slot, nowUs);
        deadlines[slot] = Math.min(nowUs + allowedUs + returnUs, UNLIMITED);
      } else {
        deadlines[slot] = NEVER;
        silent.push(slot);
      }
    }
    return silent;
  }

  /** Moves deadlines by `byUs`, also those still ahead: nobody could send in a standstill, so a sensor has had less time than it seems. */
  #standStill(byUs: number, end: number, observer: TickObserver | undefined): void {
    const deadlines = this.#deadlines;
    for (let slot = 0; slot < end; slot++) {
      const deadline = deadlines[slot]!;
      // One that was told has been silent for its whole gap, which is to be learnt.
      if (deadline === NEVER || observer?.skip(slot)) continue;
      observer?.changes(slot);
      this.#rhythms.interrupted(slot);
      if (deadline === DISARMED || deadline === UNLIMITED) continue;
      deadlines[slot] = deadline + byUs;
    }
  }

  /** The newest time record, and the deadlines of slots [from, from + count), to be saved beside a chunk of state. */
  save(from: number, count: number, put: (slot: number, deadlineUs: number, tickedUs: number) => void): void {
    for (let slot = from; slot < from + count; slot++) put(slot, this.#deadlines[slot] ?? NEVER, this.#newestUs);
  }

  /** Whoever knows of a log calls `resume` after this: chunks that were saved at several places of it are not of one time. */
  restore(slot: number, deadlineUs: number, tickedUs: number): void {
    if (slot >= this.#deadlines.length) this.#grow(slot);
    this.#deadlines[slot] = deadlineUs;
    this.#newestUs = Math.max(this.#newestUs, tickedUs);
  }

  #grow(slot: number): void {
    const deadlines = new Float64Array(Math.max(2 * this.#deadlines.length, slot + 1)).fill(NEVER);
    deadlines.set(this.#deadlines);
    this.#deadlines = deadlines;
  }
}
