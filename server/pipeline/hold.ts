import type { OpenOutcome } from "./open-outcome.ts";
import type { ReplayPoint, Series, Waiting } from "./sensors.ts";

/** Longest hold: what is held is in memory, and a rebuilding begins before it. */
export const MAX_HOLD_MS = 60_000;
/** Readings held in one partition; past it the oldest go on early, so that memory stays bounded. */
const MAX_HELD = 500_000;

/** A reading that waits for its neighbours in time. */
export interface Held {
  readonly series: Series;
  /** NaN: the time is the server's. */
  readonly timeUs: number;
  readonly value: number;
  readonly id: number;
  readonly index: number;
  readonly outcome: OpenOutcome;
  readonly struct: Uint8Array | undefined;
  /** When it came, by the log's time. */
  readonly receivedUs: number;
  readonly dueUs: number;
  /** Before the record that it came with: a rebuilding finds it there. */
  readonly at: ReplayPoint;
}

/** Absorbs small disorder: readings wait for a while of the log's own time and go on in the order of theirs. */
export class ReorderHold {
  #held: Held[] = [];

  get size(): number {
    return this.#held.length;
  }

  add(reading: Held): void {
    this.#held.push(reading);
  }

  /**
   * Readings whose time has come, and of the same sensors all that lie before one of them: each sensor's in rising order of time,
   * equal times in the order of the log.
   */
  release(nowUs: number): Held[] {
    if (this.#held.length === 0) return [];
    const excess = this.#held.length - MAX_HELD;
    const upTo = new Map<number, number>();
    this.#held.forEach((h, i) => {
      if (h.dueUs > nowUs && i >= excess) return;
      upTo.set(h.series.slot, Math.max(upTo.get(h.series.slot) ?? 0, timeOf(h)));
    });
    if (upTo.size === 0) return [];
    const goes = (h: Held) => timeOf(h) <= (upTo.get(h.series.slot) ?? -1);
    const due = this.#held.filter(goes);
    this.#held = this.#held.filter((h) => !goes(h));
    // The sort is stable: equal ones stay in the order of the log.
    return due.sort((a, b) => a.series.slot - b.series.slot || timeOf(a) - timeOf(b));
  }

  /** Before the record of the reading that has waited longest. */
  get oldest(): ReplayPoint | undefined {
    return this.#held[0]?.at;
  }

  /** What waits of each chunk of slots. */
  byChunk(chunkSensors: number): Map<number, Waiting> {
    const chunks = new Map<number, Waiting & { ids: number[] }>();
    for (const { series, id, at } of this.#held) {
      const chunk = Math.floor(series.slot / chunkSensors);
      const waiting = chunks.get(chunk);
      // What is held stands in the order of the log: the first is the oldest.
      if (waiting === undefined) chunks.set(chunk, { ids: [id], oldest: at });
      else waiting.ids.push(id);
    }
    return chunks;
  }
}

function timeOf(h: Held): number {
  return Number.isNaN(h.timeUs) ? h.receivedUs : h.timeUs;
}
