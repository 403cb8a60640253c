/** Whether the partitions that this process owns go on. */
import { counted } from "../../formats/counted.ts";

/** A partition with work waiting that has not advanced for so long stands still. */
export const STALLED_AFTER_MS = 30_000;

interface State {
  /** When it advanced, or had nothing to do, the last time. */
  sinceMs: number;
  waiting: number;
  /** Why it failed since then. */
  failure: string | undefined;
}

export interface Stall {
  readonly partition: number;
  readonly forMs: number;
  readonly waiting: number;
  readonly failure: string | undefined;
}

export class Progress {
  readonly #nowMs: () => number;
  readonly #partitions = new Map<number, State>();

  /** @param nowMs a monotonic clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Records were committed, or a partition was opened. */
  advanced(partition: number): void {
    this.#partitions.set(partition, { sinceMs: this.#nowMs(), waiting: 0, failure: undefined });
  }

  failed(partition: number, why: string): void {
    this.#of(partition).failure = why;
  }

  released(partition: number): void {
    this.#partitions.delete(partition);
  }

  /** How many records of each partition that is owned wait. */
  look(waiting: ReadonlyMap<number, number>): void {
    for (const [partition, records] of waiting) {
      if (records === 0) this.advanced(partition);
      else this.#of(partition).waiting = records;
    }
  }

  /** For how long each partition has stood still with work waiting, milliseconds; 0 where it has not. */
  *standing(): Generator<[partition: number, forMs: number]> {
    for (const [partition, { sinceMs, waiting }] of this.#partitions) {
      yield [partition, waiting === 0 ? 0 : this.#nowMs() - sinceMs];
    }
  }

  get stalled(): Stall[] {
    return [...this.standing()].flatMap(([partition, forMs]) => {
      if (forMs < STALLED_AFTER_MS) return [];
      const { waiting, failure } = this.#of(partition);
      return [{ partition, forMs, waiting, failure }];
    });
  }

  #of(partition: number): State {
    let state = this.#partitions.get(partition);
    if (state === undefined) {
      state = { sinceMs: this.#nowMs(), waiting: 0, failure: undefined };
      this.#partitions.set(partition, state);
    }
    return state;
  }
}

/** One sentence for people. */
export function stallText(stalled: readonly Stall[]): string {
  const [first, ...more] = [...stalled].sort((a, b) => b.forMs - a.forMs);
  if (first === undefined) return "";
  const { partition, forMs, waiting, failure } = first;
  const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
  const why = failure === undefined ? "" : `: ${failure}`;
  return `partition ${partition}${others} has not advanced for ${Math.round(forMs / 1000)} s with ${counted(waiting, "record")} waiting${why}`;
}
