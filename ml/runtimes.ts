import { createDetector, createScoreBatch, type TrunkRuntime } from "../server/detect/index.ts";
import { loadForecaster } from "../server/detect/model/forecaster.ts";
import { Random } from "./random.ts";

/**
 * CPU per reading of the trunk alone and of the whole ensemble in each runtime that loads here, with 10,000 sensors, for the
 * batches that the pipeline makes. `node ml/runtimes.ts`; the figures are in docs/decisions/detector-runtime.md.
 */
const SENSORS = 10_000;
const WARM_ROUNDS = 160;
const ROUNDS = 20;

function cpuUs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const spent = process.cpuUsage(before);
  return spent.user + spent.system;
}

function trunkAlone(trunk: TrunkRuntime, rows: number): number {
  const random = new Random(1);
  const input = Float32Array.from({ length: rows * 2 }, () => random.normal());
  const state = new Float32Array(rows * 2 * trunk.model.units);
  const output = new Float32Array(rows);
  const calls = Math.max(20, Math.ceil(100_000 / rows));
  for (let i = 0; i < 10; i++) trunk.step(rows, input, state, output);
  return (
    cpuUs(() => {
      for (let i = 0; i < calls; i++) trunk.step(rows, input, state, output);
    }) /
    (calls * rows)
  );
}

/** Whole ensemble: `run` readings of a sensor one after another, in batches of `rows`. */
export function ensemble(trunk: TrunkRuntime, rows: number, run: number, sensors: number = SENSORS): number {
  const detector = createDetector({}, trunk);
  for (let s = 0; s < sensors; s++) detector.addSensor("", "");
  const random = new Random(2);
  const batch = createScoreBatch(rows);
  const play = (first: number, rounds: number, length: number) => {
    let spent = 0;
    for (let round = 0; round < rounds; round += length) {
      for (let at = 0; at < sensors * length; at += rows) {
        batch.length = Math.min(rows, sensors * length - at);
        for (let k = 0; k < batch.length; k++) {
          const slot = Math.floor((at + k) / length);
          const n = first + round + ((at + k) % length);
          batch.slot[k] = slot;
          batch.timeUs[k] = 1.7e15 + n * 60e6 + slot;
          batch.value[k] = 20 + 3 * Math.sin(n / 50 + slot) + random.next() + random.next();
        }
        spent += cpuUs(() => detector.score(batch));
      }
    }
    return spent;
  };
  play(0, WARM_ROUNDS, 1);
  const rounds = Math.max(run, ROUNDS);
  return play(WARM_ROUNDS, rounds, run) / (Math.ceil(rounds / run) * run * sensors);
}

if (import.meta.main) {
  const table: Record<string, Record<string, number>> = {};
  for (const runtime of ["js", "tfjs-wasm", "tfjs-node"]) {
    const trunk = await loadForecaster(runtime, undefined).catch((error: Error) => {
      console.error(error.message);
      return undefined;
    });
    if (trunk === undefined) continue;
    table[runtime] = {
      "trunk, 64 rows": round(trunkAlone(trunk, 64)),
      "trunk, 256 rows": round(trunkAlone(trunk, 256)),
      "trunk, 1,024 rows": round(trunkAlone(trunk, 1024)),
      "ensemble, 1,000 sensors a batch": round(ensemble(trunk, 1000, 1)),
      "ensemble, 10,000 sensors a batch": round(ensemble(trunk, 10_000, 1)),
      "ensemble, blocks of 100": round(ensemble(trunk, 1000, 100)),
    };
  }
  console.log(`CPU µs a reading, ${SENSORS} sensors, Node ${process.version}`);
  console.table(table);
}

function round(x: number): number {
  return Math.round(x * 100) / 100;
}
