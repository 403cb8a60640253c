import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultModel, KernelTrunk, type TrunkRuntime } from "../server/detect/index.ts";
import { Random } from "./random.ts";

/** Golden inputs and outputs of the trunk: every runtime reproduces the outputs within GOLDEN_TOLERANCE. */
const GOLDEN_SENSORS = 16;
const GOLDEN_STEPS = 64;
/**
 * Largest difference of a forecast move, in usual moves, after up to 64 steps: single precision and the rational tanh each
 * contribute some 1e-6.
 */
export const GOLDEN_TOLERANCE = 2e-5;
const GOLDEN_FILE: string = join(dirname(fileURLToPath(import.meta.url)), "golden/trunk.json");
const SEED = 11;

export interface Golden {
  readonly model: string;
  /** The inputs of all sensors at each step. */
  readonly inputs: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
}

export function readGolden(): Golden {
  return JSON.parse(readFileSync(GOLDEN_FILE, "utf8"));
}

export function goldenInputs(): number[][] {
  const random = new Random(SEED);
  const numbers = () => Array.from({ length: GOLDEN_SENSORS * 2 }, () => Number((2 * random.normal()).toFixed(3)));
  return Array.from({ length: GOLDEN_STEPS }, numbers);
}

/** Outputs of a runtime, with each step's sensors cut into the given batches (the rest in one). */
export function runTrunk(
  trunk: TrunkRuntime,
  inputs: readonly (readonly number[])[],
  cuts: readonly number[],
): number[][] {
  const width = 2 * trunk.model.units;
  const state = new Float32Array(GOLDEN_SENSORS * width);
  return inputs.map((row) => {
    const out: number[] = [];
    for (let at = 0, k = 0; at < GOLDEN_SENSORS; k++) {
      const rows = Math.min(cuts[k] ?? GOLDEN_SENSORS, GOLDEN_SENSORS - at);
      const part = state.slice(at * width, (at + rows) * width);
      const output = new Float32Array(rows);
      trunk.step(rows, Float32Array.from(row.slice(2 * at, 2 * (at + rows))), part, output);
      state.set(part, at * width);
      out.push(...output);
      at += rows;
    }
    return out;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const inputs = goldenInputs();
  const golden: Golden = {
    model: defaultModel.name,
    inputs,
    outputs: runTrunk(new KernelTrunk(defaultModel), inputs, []),
  };
  writeFileSync(GOLDEN_FILE, `${JSON.stringify(golden)}\n`);
  console.log(`${GOLDEN_STEPS} steps of ${GOLDEN_SENSORS} sensors → ${GOLDEN_FILE}`);
}
