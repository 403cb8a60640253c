import { expect, test } from "vitest";
import { playGolden } from "../../ml/goldenScores.ts";
import { createDetector, createScoreBatch, type Detector, KernelTrunk } from "./index.ts";

const START = 1_704_067_200e6;
const SENSORS = 4000;

test("sensors spread over several instances of the kernel score, explain and save as in one", () => {
  expect(playGolden(0.02, 64)).toEqual(playGolden(0.02));
});

/** Readings [from, to) of sensors [0, sensors). */
function play(detector: Detector, sensors: number, from: number, to: number): number[] {
  const batch = createScoreBatch(sensors);
  const found: number[] = [];
  for (let n = from; n < to; n++) {
    batch.length = sensors;
    for (let slot = 0; slot < sensors; slot++) {
      batch.slot[slot] = slot;
      batch.timeUs[slot] = START + n * 60e6;
      batch.value[slot] = ((slot + 1) * (n * n + 7)) % 31;
    }
    detector.score(batch);
    found.push(...batch.confidence.subarray(0, 3), ...batch.expected.subarray(0, 3), ...batch.band.subarray(0, 3));
  }
  return found;
}

test("memory that grows between readings loses nothing of the sensors that are there", () => {
  const early = createDetector();
  const late = createDetector();
  for (let slot = 0; slot < SENSORS; slot++) early.addSensor("", "");
  for (let slot = 0; slot < 3; slot++) late.addSensor("", "");
  const before = play(late, 3, 0, 60);
  for (let slot = 3; slot < SENSORS; slot++) late.addSensor("", "");
  expect([...before, ...play(late, 3, 60, 120)]).toEqual(play(early, 3, 0, 120));
  expect(late.saveChunk(0)).toEqual(early.saveChunk(0));
});

test("where the system promises no more memory than is needed, sensors are taken in all the same", () => {
  const { grow } = WebAssembly.Memory.prototype;
  let refused = 0;
  // As Linux does with vm.overcommit_memory=2: half a megabyte at once is the most here.
  WebAssembly.Memory.prototype.grow = function (pages: number) {
    if (pages <= 8) return grow.call(this, pages);
    refused++;
    throw new RangeError("WebAssembly.Memory.grow(): Unable to grow instance memory");
  };
  try {
    const detector = createDetector();
    for (let slot = 0; slot < 500; slot++) detector.addSensor("", "");
    expect(play(detector, 500, 0, 2)).toHaveLength(2 * 9);
    expect(refused).toBeGreaterThan(0);
  } finally {
    WebAssembly.Memory.prototype.grow = grow;
  }
});

test("memory for sensors that are to come is asked for once by each instance of the kernel", () => {
  const { grow } = WebAssembly.Memory.prototype;
  const detector = createDetector({ shardSensors: SENSORS / 2 });
  let grown = 0;
  WebAssembly.Memory.prototype.grow = function (pages: number) {
    grown++;
    return grow.call(this, pages);
  };
  try {
    detector.reserve(SENSORS);
    for (let slot = 0; slot < SENSORS; slot++) detector.addSensor("", "");
    detector.saveChunk(0);
    expect(grown).toBe(2);
  } finally {
    WebAssembly.Memory.prototype.grow = grow;
  }
});

test("a chunk of another layout is refused with both sizes", () => {
  expect(() => createDetector().loadChunk(0, new Uint8Array(8), 1)).toThrow(
    "chunk 0 has 8 bytes of state, wanted 270080",
  );
});

test("a slot that no sensor has is refused, and touches no other's state", () => {
  const detector = createDetector();
  detector.addSensor("", "");
  const before = detector.saveChunk(0);
  const batch = createScoreBatch(1);
  batch.length = 1;
  for (const slot of [1, 64, 262_144, -1]) {
    batch.slot[0] = slot;
    expect(() => detector.score(batch)).toThrow(RangeError);
  }
  expect(() => detector.label(262_144, true, 1)).toThrow(RangeError);
  expect(detector.saveChunk(0)).toEqual(before);
});

test("a model with an odd number of units keeps its own state, saved and loaded", () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => ((i * 7) % 11) / 20 - 0.2);
  const model = { name: "odd", units: 3, kernel: numbers(60), bias: numbers(12), head: numbers(4) };
  const one = createDetector({}, new KernelTrunk(model));
  const other = createDetector({}, new KernelTrunk(model));
  for (const detector of [one, other]) for (let slot = 0; slot < 3; slot++) detector.addSensor("", "");
  play(one, 3, 0, 200);
  other.loadChunk(0, one.saveChunk(0), 3);
  expect(other.saveChunk(0)).toEqual(one.saveChunk(0));
  expect(play(other, 3, 200, 260)).toEqual(play(one, 3, 200, 260));
});
