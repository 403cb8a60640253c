import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GOLDEN_TOLERANCE, goldenInputs, readGolden, runTrunk } from "../../../ml/golden.ts";
import { createDetector, createScoreBatch, type TrunkRuntime } from "../index.ts";
import { loadForecaster } from "./forecaster.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-model-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** tfjs-node is no dependency: its native library comes from a host that is no package registry, without a hash. */
async function available(runtime: string): Promise<TrunkRuntime | undefined> {
  try {
    return await loadForecaster(runtime, undefined);
  } catch (error) {
    if (runtime !== "tfjs-node") throw error;
    console.error(`skipped: ${(error as Error).message}`);
    return undefined;
  }
}

const runtimes = (await Promise.all(["js", "tfjs-wasm", "tfjs-node"].map(available))).filter((r) => r !== undefined);

describe.each(runtimes.map((trunk) => [trunk.runtime, trunk] as const))("the runtime %s", (_name, trunk) => {
  test("reproduces the golden outputs within the stated tolerance", () => {
    const golden = readGolden();
    expect(golden.inputs).toEqual(goldenInputs());
    const outputs = runTrunk(trunk, golden.inputs, []);
    const apart = outputs.flatMap((row, t) => row.map((x, i) => Math.abs(x - golden.outputs[t]![i]!)));
    expect(Math.max(...apart)).toBeLessThan(trunk.runtime === "js" ? Number.MIN_VALUE : GOLDEN_TOLERANCE);
  });

  test("gives the same bits for any cut of the batches", () => {
    const inputs = goldenInputs().slice(0, 12);
    const whole = runTrunk(trunk, inputs, []);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 16 }), { maxLength: 8 }), (cuts) => {
        expect(runTrunk(trunk, inputs, cuts)).toEqual(whole);
      }),
      { numRuns: 15 },
    );
  });

  test("scores the same to the bit for any cut of the readings into batches", () => {
    const rows = Array.from({ length: 7 * 160 }, (_, k) => ({
      slot: k % 7,
      time: 1.7e15 + k * 1e6,
      value: ((k * k) % 97) / 9,
    }));
    const whole = signals(trunk, rows, rows.length);
    for (const size of [1, 5, 64, 333]) expect(signals(trunk, rows, size)).toEqual(whole);
  });

  test("a sensor's direction leaves out the other side, and what is learnt stays the same", () => {
    const detector = createDetector({}, trunk);
    for (let s = 0; s < 2; s++) detector.addSensor("", "");
    detector.configureSensor(1, { direction: "high" });
    const anomalies = [0, 0];
    const batch = createScoreBatch(2);
    batch.length = 2;
    batch.slot[1] = 1;
    for (let n = 0; n < 600; n++) {
      batch.timeUs.fill(1.7e15 + n * 60e6);
      batch.value.fill(n === 500 ? -40 : ((n * n) % 97) / 9);
      detector.score(batch);
      for (const slot of [0, 1]) anomalies[slot]! += batch.anomaly[slot]!;
      expect(batch.expected[1]).toBe(batch.expected[0]);
    }
    expect(anomalies[0]).toBeGreaterThan(0);
    expect(anomalies[1]).toBe(0);
  });

  test("is named in the model version", () => {
    expect(createDetector({}, trunk).modelVersion).toBe(`${trunk.model.name}+${trunk.runtime}`);
  });
});

function signals(trunk: TrunkRuntime, rows: { slot: number; time: number; value: number }[], size: number): number[] {
  const detector = createDetector({}, trunk);
  for (let s = 0; s < 7; s++) detector.addSensor("", "");
  const batch = createScoreBatch(size);
  const out: number[] = [];
  for (let at = 0; at < rows.length; at += size) {
    const part = rows.slice(at, at + size);
    batch.length = part.length;
    part.forEach((row, i) => {
      batch.slot[i] = row.slot;
      batch.timeUs[i] = row.time;
      batch.value[i] = row.value;
    });
    detector.score(batch);
    for (let i = 0; i < part.length; i++) out.push(batch.signal[i]!, batch.expected[i]!, batch.band[i]!);
  }
  return out;
}

describe("MODEL_PATH", () => {
  test.each([
    ["{", /MODEL_PATH is .* which is no model of this version: .*JSON/],
    ['{"format":9}', /its format is 9, wanted 1/],
    ['{"format":1,"name":"x","units":99}', /it has 99 units, wanted 1 to 16/],
    ['{"format":1,"name":"x","units":2,"kernel":[1]}', /its kernel has 1 weights, wanted 32/],
  ])("with the content %s stops the start with a sentence", async (content, sentence) => {
    const path = join(folder, "model.json");
    await writeFile(path, content);
    await expect(loadForecaster("js", path)).rejects.toThrow(sentence);
  });

  test("of a missing file stops the start with a sentence", async () => {
    await expect(loadForecaster("js", join(folder, "none.json"))).rejects.toThrow(/cannot be read/);
  });

  test("takes a model of another size", async () => {
    const path = join(folder, "tiny.json");
    const numbers = (count: number) => new Array<number>(count).fill(0.1);
    await writeFile(
      path,
      JSON.stringify({ format: 1, name: "tiny", units: 1, kernel: numbers(12), bias: numbers(4), head: numbers(2) }),
    );
    expect(createDetector({}, await loadForecaster("auto", path)).modelVersion).toBe("tiny+js");
  });
});

test("an unknown runtime stops the start with a sentence", async () => {
  await expect(loadForecaster("cuda", undefined)).rejects.toThrow(/SCORER_RUNTIME is "cuda"; wanted one of auto, js/);
});
