/**
 * What a partition's log holds beside readings: what people did, and that time has passed. Each has a place among the readings by
 * the id clock (`pipeline/ids.ts`): a reading whose tick is at or past the happening's came after it.
 */
import type { Control } from "../../gen/es/telltale/v1/log_pb.ts";
import { firstTick } from "../pipeline/ids.ts";

/** Something a person did. */
export interface Act {
  /** The id clock after its record. */
  readonly tick: number;
  /** The log's time at its record, microseconds. */
  readonly receivedUs: number;
  readonly control: Control;
}

/** The times at which the log said that time had passed, in its order. */
export interface TickTimes {
  readonly length: number;
  /** The log's time at the i-th, microseconds. */
  receivedUs(i: number): number;
  /** The id clock after its record. */
  tick(i: number): number;
}

/** In 8 bytes each, since there is one a second. */
export class Ticks implements TickTimes {
  #receivedUs = new Float64Array(1024);
  /** The id clock after a tick's record, where it runs ahead of the time. */
  readonly #ahead = new Map<number, number>();
  length = 0;

  add(receivedUs: number, tick: number): void {
    if (this.length === this.#receivedUs.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.#receivedUs);
      this.#receivedUs = larger;
    }
    if (tick !== firstTick(0, receivedUs)) this.#ahead.set(this.length, tick);
    this.#receivedUs[this.length++] = receivedUs;
  }

  receivedUs(i: number): number {
    return this.#receivedUs[i]!;
  }

  tick(i: number): number {
    return this.#ahead.get(i) ?? firstTick(0, this.#receivedUs[i]!);
  }
}

/** The happenings of a partition, each kind in the order of the log. */
export interface Happenings {
  readonly acts: readonly Act[];
  readonly ticks: TickTimes;
}

export type Happening = { readonly kind: "act"; readonly act: Act } | { readonly kind: "tick"; readonly at: number };

/** Walks both kinds in one order. Where the clocks of both are equal, which no reading can tell apart, people come first. */
export class HappeningCursor {
  readonly #h: Happenings;
  #act = 0;
  #tick = 0;

  constructor(happenings: Happenings) {
    this.#h = happenings;
  }

  /** The id clock at the next one; Infinity where there is none. */
  nextTick(): number {
    const { acts, ticks } = this.#h;
    const act = acts[this.#act]?.tick ?? Number.POSITIVE_INFINITY;
    return this.#tick < ticks.length ? Math.min(act, ticks.tick(this.#tick)) : act;
  }

  /** The next one for which `due` holds, and past it; undefined where it does not hold or there is none. */
  next(due: (tick: number, receivedUs: number) => boolean): Happening | undefined {
    const { acts, ticks } = this.#h;
    const act = acts[this.#act];
    const more = this.#tick < ticks.length;
    if (act !== undefined && !(more && before(ticks, this.#tick, act))) {
      if (!due(act.tick, act.receivedUs)) return undefined;
      this.#act++;
      return { kind: "act", act };
    }
    if (!more || !due(ticks.tick(this.#tick), ticks.receivedUs(this.#tick))) return undefined;
    return { kind: "tick", at: ticks.receivedUs(this.#tick++) };
  }
}

function before(ticks: TickTimes, i: number, act: Act): boolean {
  const tick = ticks.tick(i);
  return tick < act.tick || (tick === act.tick && ticks.receivedUs(i) < act.receivedUs);
}
