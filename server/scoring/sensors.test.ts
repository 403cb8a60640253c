import { expect, test } from "vitest";
import { createDetector, createScoreBatch } from "../detect/index.ts";
import { CHUNK_LAYOUT, Sensors } from "./sensors.ts";

const add = (sensors: Sensors, ...ids: string[]) => ids.map((id) => sensors.add(id, "t", "C"));
const remove = (sensors: Sensors, id: string, offset: number) => sensors.remove(id, { offset, tick: offset });

/** Other sensors with the saved chunks, in their order. */
function loaded(chunks: readonly { asOf: number; bytes: Uint8Array }[]): Sensors {
  const sensors = new Sensors(createDetector());
  const { stateVersion } = sensors.detector;
  for (const [chunk, { asOf, bytes }] of chunks.entries())
    sensors.load(chunk, asOf, bytes, { layout: CHUNK_LAYOUT, stateVersion });
  return sensors;
}
const saved = (sensors: Sensors, chunk: number, asOf: number) => ({
  asOf,
  bytes: sensors.save(chunk, asOf, undefined),
});

test("the lowest free slot is given out first, with nothing in it of who was there before", () => {
  const sensors = new Sensors(createDetector());
  const untouched = new Sensors(createDetector());
  add(sensors, "a", "b", "c", "d");
  add(untouched, "a", "x", "y", "d", "z");
  const batch = createScoreBatch(60);
  for (let i = 0; i < 60; i++) [batch.slot[i], batch.timeUs[i], batch.value[i]] = [1 + (i % 2), 1e15 + i * 1e6, i];
  batch.length = 60;
  sensors.detector.score(batch);
  sensors.detector.configureSensor(1, { off: true });
  sensors.detector.maintain(2, 1, 1e16);
  sensors.episodes.silent(1, 1e15, { id: 7, timeUs: 1e15, value: 1 }, 7000, 1);
  sensors.lastUs[1] = 1e15;

  expect(remove(sensors, "c", 5)).toBe(2);
  expect(remove(sensors, "b", 6)).toBe(1);
  expect(remove(sensors, "nobody", 7)).toBeUndefined();
  expect(sensors.find("b")).toBeUndefined();
  expect(add(sensors, "x", "y", "z")).toEqual([1, 2, 4]);
  for (const of of ["detector", "episodes"] as const)
    expect(sensors[of].saveChunk(0)).toEqual(untouched[of].saveChunk(0));
  expect([...sensors.lastUs.subarray(0, 5)]).toEqual([-1, -1, -1, -1, -1]);
  expect(sensors.detector.tick(2e15)).toEqual([]);
});

test("a chunk tells a sensor that was begun anew from the one before, whichever the log says was there", () => {
  const sensors = new Sensors(createDetector());
  add(sensors, "a", "b");
  remove(sensors, "a", 500);
  // Another one takes the slot, so that it is begun anew in a new one.
  add(sensors, "c");
  expect(add(sensors, "a")).toEqual([2]);
  const again = loaded([saved(sensors, 0, 1000)]);
  // Read again from before the deletion: what is in the chunk is of after it.
  again.at = 400;
  expect(again.find("a")).toBeUndefined();
  const [temporary] = add(again, "a");
  expect(temporary).toBe(3);
  remove(again, "a", 500);
  expect(again.find("a")).toBe(2);
});

test("while the log is read again, free slots of a chunk that is of later are not given out", () => {
  const sensors = new Sensors(createDetector());
  add(sensors, "a", "b");
  remove(sensors, "a", 700);
  const again = loaded([saved(sensors, 0, 1000)]);
  again.at = 600;
  expect(add(again, "y")).toEqual([2]);
  again.at = 1000;
  expect(add(again, "z")).toEqual([0]);
});
