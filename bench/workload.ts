/** What the simulated devices send: the same numbers in every run. */
import type { Request } from "./load.ts";

/** Senders at the same time. */
export const STREAMS = 4;
const BLOCK = 100;
const BLOCKS_PER_BATCH = 25;
/** Readings in one message of blocks. */
export const BLOCK_BATCH_READINGS = BLOCK * BLOCKS_PER_BATCH;
const SINGLES_PER_BATCH = 100;
/** Series begin so long ago: none of a night's readings lies in the future. */
const HISTORY_US = 30 * 86_400_000_000;

/** A small fixed generator (Numerical Recipes' LCG): the same noise everywhere. */
function noise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296 - 0.5;
  };
}

/** A value with two decimals, as sensors report it: a slow wave and noise. */
function reading(step: number, random: () => number): number {
  return Math.round(2150 + 300 * Math.sin(step / 500) + 40 * random()) / 100;
}

/**
 * Readings at 1 Hz. The series go on from one call to the next: a second run that began anew would be a jump of every sensor at once, and
 * measure ten thousand alerts.
 */
abstract class Load {
  readonly sensors: number;
  readonly #startUs = nowUs() - HISTORY_US;
  #step = 0;

  constructor(sensors: number) {
    this.sensors = sensors;
  }

  /** The next `steps` readings of each sensor, as streams of batches. */
  protected streams(
    steps: number,
    batches: (stream: number, at: (step: number) => number, from: number) => Generator<Request>,
  ): (() => Generator<Request>)[] {
    const from = this.#step;
    this.#step += steps;
    const timeUs = (step: number) => this.#startUs + step * 1_000_000;
    return Array.from({ length: STREAMS }, (_, s) => () => batches(s, timeUs, from));
  }
}

/** Blocks of 100 points, 25 of them in a batch. */
export class BlockLoad extends Load {
  /** Readings of a round. */
  get roundReadings(): number {
    return this.sensors * BLOCK;
  }

  /** The next `rounds` blocks of each sensor. */
  next(rounds: number): (() => Generator<Request>)[] {
    const deltas = new Array<number>(BLOCK).fill(1_000_000);
    const each = Math.floor(this.sensors / STREAMS);
    return this.streams(rounds * BLOCK, function* (s, timeUs, from) {
      const random = noise(s + 1 + from);
      for (let step = from; step < from + rounds * BLOCK; step += BLOCK) {
        const baseTimeUs = BigInt(timeUs(step));
        for (let k = 0; k < each; k += BLOCKS_PER_BATCH) {
          const count = Math.min(BLOCKS_PER_BATCH, each - k);
          const blocks = Array.from({ length: count }, (_, j) => ({
            sensorId: `block-${s}-${k + j}`,
            sensorType: "temperature",
            unit: "C",
            baseTimeUs,
            timeDeltasUs: deltas,
            values: Array.from({ length: BLOCK }, (_, i) => reading(step + i, random)),
          }));
          yield { blocks };
        }
      }
    });
  }
}

/** Single readings in batches of 100. */
export class SingleLoad extends Load {
  /** The next `rounds` readings of each sensor. */
  next(rounds: number): (() => Generator<Request>)[] {
    const each = Math.floor(this.sensors / STREAMS);
    return this.streams(rounds, function* (s, timeUs, from) {
      const random = noise(s + 101 + from);
      for (let step = from; step < from + rounds; step++) {
        const us = timeUs(step);
        const observedAt = { seconds: BigInt(Math.floor(us / 1e6)), nanos: Math.round(us % 1e6) * 1000 };
        for (let k = 0; k < each; k += SINGLES_PER_BATCH) {
          const count = Math.min(SINGLES_PER_BATCH, each - k);
          const readings = Array.from({ length: count }, (_, j) => ({
            sensorId: `single-${s}-${k + j}`,
            sensorType: "temperature",
            unit: "C",
            value: reading(step, random),
            observedAt,
          }));
          yield { readings };
        }
      }
    });
  }
}

export function nowUs(): number {
  return Date.now() * 1000;
}
