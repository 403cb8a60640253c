/** What the simulated devices send: the same numbers in every run. */
import type { Request } from "./load.ts";

/** Senders at the same time. */
export const STREAMS = 4;
const BLOCK = 100;
const BLOCKS_PER_BATCH = 25;
const SINGLES_PER_BATCH = 100;
/** History of this length ends now: no reading lies in the future. */
const HISTORY_US = 3 * 86_400_000_000;

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

/** Streams of blocks of 100 points at 1 Hz over `sensors` sensors, `rounds` blocks each. */
export function blockStreams(
  sensors: number,
  rounds: number,
  startUs = nowUs() - HISTORY_US,
): (() => Generator<Request>)[] {
  const deltas = new Array<number>(BLOCK).fill(1_000_000);
  const each = Math.floor(sensors / STREAMS);
  return Array.from(
    { length: STREAMS },
    (_, s) =>
      function* () {
        const random = noise(s + 1);
        for (let round = 0; round < rounds; round++) {
          const baseTimeUs = BigInt(startUs + round * BLOCK * 1_000_000);
          for (let k = 0; k < each; k += BLOCKS_PER_BATCH) {
            const count = Math.min(BLOCKS_PER_BATCH, each - k);
            const blocks = Array.from({ length: count }, (_, j) => ({
              sensorId: `block-${s}-${k + j}`,
              sensorType: "temperature",
              unit: "C",
              baseTimeUs,
              timeDeltasUs: deltas,
              values: Array.from({ length: BLOCK }, (_, i) => reading(round * BLOCK + i, random)),
            }));
            yield { blocks };
          }
        }
      },
  );
}

/** Streams of single readings in batches of 100 over `sensors` sensors, `rounds` readings each. */
export function singleStreams(sensors: number, rounds: number): (() => Generator<Request>)[] {
  const startUs = nowUs() - HISTORY_US;
  const each = Math.floor(sensors / STREAMS);
  return Array.from(
    { length: STREAMS },
    (_, s) =>
      function* () {
        const random = noise(s + 101);
        for (let round = 0; round < rounds; round++) {
          const us = startUs + round * 1_000_000;
          const observedAt = { seconds: BigInt(Math.floor(us / 1e6)), nanos: Math.round(us % 1e6) * 1000 };
          for (let k = 0; k < each; k += SINGLES_PER_BATCH) {
            const count = Math.min(SINGLES_PER_BATCH, each - k);
            const readings = Array.from({ length: count }, (_, j) => ({
              sensorId: `single-${s}-${k + j}`,
              sensorType: "temperature",
              unit: "C",
              value: reading(round, random),
              observedAt,
            }));
            yield { readings };
          }
        }
      },
  );
}

export function nowUs(): number {
  return Date.now() * 1000;
}
