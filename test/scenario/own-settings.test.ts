/** Settings of single sensors hold wherever the partition is opened again: from saved state, from the log, with another model. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type DetectorConfigSchema, Direction } from "../../gen/es/telltale/v1/detector_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { encodeField, encodeRecord } from "../../server/log/record/encode.ts";
import { START, story, tick } from "../../testing/owner-bench.ts";
import { alertCounts, appendToOtherModel, appendTorn, ofSensor } from "../../testing/settings-bench.ts";
import { useBenches } from "../../testing/use-benches.ts";

const open = useBenches();

let controls = 0;
const set = (value: MessageInitShape<typeof DetectorConfigSchema>, second = 0, firstOffset?: number) => {
  const rules = firstOffset === undefined ? {} : { timeZoneRules: { firstOffset } };
  const control = create(ControlSchema, { id: `c${controls++}`, action: { case: "settings", value }, ...rules });
  return encodeRecord(START + second * 1e6, [encodeField(5, toBinary(ControlSchema, control))]);
};

/** In the story the sensors "s3" jump up, and at its end all fall silent; some sensors of p0 have settings of their own. */
const HOURS = 5;
const plant = story(11, HOURS);
const half = Math.floor(plant.length / 2);
const records = [
  set({ sensorId: "p0-s3", direction: Direction.LOW }),
  set({ sensorId: "p0-s8", off: true }),
  set({ sensorId: "p0-s4", timeZone: "Mars/Olympus", holidays: { dates: ["2026-01-05"] } }, 0, 5400),
  set({ sensorId: "p0-s5", reorderHoldMs: 4000, rangeMax: 22 }),
  ...plant.slice(0, half),
  set({ sensorType: "temperature", alarmsPerSensorDay: 4, silenceSeconds: 120 }, HOURS * 1800),
  set({ sensorId: "p0-s5" }, HOURS * 1800),
  set({ sensorId: "p0-s6", rangeMin: 22 }, HOURS * 1800),
  set({ sensorId: "p0-s4", timeZone: "Mars/Utopia" }, HOURS * 1800, -7200),
  ...plant.slice(half),
  ...Array.from({ length: 100 }, (_, i) => tick(HOURS * 3600 + 3 * i)),
];

test("wherever the partition is opened again, and where the log begins behind the settings, the results are the same", async () => {
  const whole = await open();
  await whole.append(records, 20);
  const found = await alertCounts(whole);
  expect(ofSensor(found, "p1-s3").length).toBeGreaterThan(1);
  expect(ofSensor(found, "p0-s3")).toEqual(["p0-s3 silence"]);
  expect(found.get("p1-s8 silence")).toBe(1);
  expect(ofSensor(found, "p0-s8")).toEqual([]);
  expect(found.get("p0-s5 impossible range")).toBeGreaterThan(0);
  expect(found.get("p0-s6 impossible range")).toBeGreaterThan(0);
  const wanted = await whole.everything();

  const torn = await open();
  await appendTorn(torn, records);
  expect((await torn.everything()) === wanted).toBe(true);
});

test("another model applies them too, with the whole log and where the log has lost them", async () => {
  for (const whole of [true, false]) {
    const bench = await open();
    await appendToOtherModel(bench, records, { turn: 4 + half, whole });
    const found = await alertCounts(bench);
    // Where it has only just begun to learn, the forecaster's unrest after a jump may be told, which has no side; the jumps are not.
    expect(ofSensor(found, "p0-s3").filter((alert) => alert !== "p0-s3 scatter")).toEqual(["p0-s3 silence"]);
    expect(ofSensor(found, "p0-s8")).toEqual([]);
    expect(ofSensor(found, "p1-s3").filter((alert) => alert !== "p1-s3 scatter").length).toBeGreaterThan(1);
    expect(found.get("p0-s6 impossible range")).toBeGreaterThan(0);
  }
});
