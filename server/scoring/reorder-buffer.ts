import type { OpenOutcome } from "./open-outcome.ts";
import type { ReplayPoint, Series, Waiting } from "./sensors.ts";

/** Longest time in the buffer: its readings are in memory, and a rebuild begins before them. */
export const MAX_REORDER_MS = 60_000;
/** Due later than this from now: stamped by a clock that was far ahead. */
const LONGEST_US = MAX_REORDER_MS * 1000;
/** Readings buffered in one partition; beyond it the oldest leave early, so that memory stays bounded. */
const MAX_BUFFERED = 500_000;

/** A reading that waits for its neighbours in time. */
export interface BufferedReading {
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
export class ReorderBuffer {
  #readings: BufferedReading[] = [];

  get size(): number {
    return this.#readings.length;
  }

  add(reading: BufferedReading): void {
    this.#readings.push(reading);
  }

  /**
   * Readings whose time has come, or that a clock far ahead stamped, and of the same sensors all that lie before one of them: each sensor's in rising order of time,
   * equal times in the order of the log.
   */
  release(nowUs: number): BufferedReading[] {
    if (this.#readings.length === 0) return [];
    const excess = this.#readings.length - MAX_BUFFERED;
    const upTo = new Map<number, number>();
    this.#readings.forEach((r, i) => {
      if (r.dueUs > nowUs && r.dueUs - nowUs <= LONGEST_US && i >= excess) return;
      upTo.set(r.series.slot, Math.max(upTo.get(r.series.slot) ?? 0, timeOf(r)));
    });
    if (upTo.size === 0) return [];
    const goes = (r: BufferedReading) => timeOf(r) <= (upTo.get(r.series.slot) ?? -1);
    const due = this.#readings.filter(goes);
    this.#readings = this.#readings.filter((r) => !goes(r));
    // The sort is stable: equal ones stay in the order of the log.
    return due.sort((a, b) => a.series.slot - b.series.slot || timeOf(a) - timeOf(b));
  }

  /** Takes out what waits of the sensors in these slots. */
  drop(slots: ReadonlySet<number>): BufferedReading[] {
    const dropped = this.#readings.filter((r) => slots.has(r.series.slot));
    if (dropped.length > 0) this.#readings = this.#readings.filter((r) => !slots.has(r.series.slot));
    return dropped;
  }

  /** Before the record of the reading that has waited longest. */
  get oldest(): ReplayPoint | undefined {
    return this.#readings[0]?.at;
  }

  /** What waits of each chunk of slots. */
  byChunk(chunkSensors: number): Map<number, Waiting> {
    const chunks = new Map<number, Waiting & { ids: number[] }>();
    for (const { series, id, at } of this.#readings) {
      const chunk = Math.floor(series.slot / chunkSensors);
      const waiting = chunks.get(chunk);
      // The readings are in the order of the log: the first is the oldest.
      if (waiting === undefined) chunks.set(chunk, { ids: [id], oldest: at });
      else waiting.ids.push(id);
    }
    return chunks;
  }
}

function timeOf(r: BufferedReading): number {
  return Number.isNaN(r.timeUs) ? r.receivedUs : r.timeUs;
}
