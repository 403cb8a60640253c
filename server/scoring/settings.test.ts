import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { MaintenanceWindowSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { LabelControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { createDetector, createScoreBatch, REASONS } from "../detect/index.ts";
import { Sensors } from "./sensors.ts";
import { PartitionSettings } from "./settings.ts";

const TIME = 1.7e15;

test("a label in the log moves the weight of the detector that it names; a second one of the alert takes its place; withdrawn, nothing is left of it", () => {
  const sensors = new Sensors(createDetector());
  sensors.add("s", "t", "C");
  const batch = createScoreBatch(400);
  batch.length = 400;
  for (let i = 0; i < 400; i++) {
    batch.timeUs[i] = TIME + i * 60e6;
    batch.value[i] = 20 + ((i * 7919) % 101) / 100;
  }
  sensors.detector.score(batch);
  const before = sensors.detector.saveChunk(0);
  const settings = new PartitionSettings();
  const say = (what: MessageInitShape<typeof LabelControlSchema>) => {
    const value = { alertId: 7n, sensorId: "s", detector: "value record", ...what };
    settings.label(create(LabelControlSchema, value), sensors, () => true);
    return sensors.detector.explain(0, TIME + 400 * 60e6, 30).weight[REASONS.indexOf("value record")];
  };
  expect(say({ correct: false })).toBeCloseTo(0.85, 12);
  expect(say({ correct: false })).toBeCloseTo(0.85, 12);
  expect(say({ correct: true })).toBeCloseTo(1.15, 12);
  expect(say({ withdrawn: true })).toBe(1);
  expect(sensors.detector.saveChunk(0)).toEqual(before);
});

test("a maintenance window that is ended leaves the newest of those that are left to the sensor, and takes none from it", () => {
  const sensors = new Sensors(createDetector());
  const slot = sensors.add("s", "t", "C");
  const settings = new PartitionSettings();
  const hour = 3600n;
  const open = (id: string, fromHour: bigint, sensorId = "s") => {
    const [startTime, endTime] = [fromHour, fromHour + 1n].map((at) => ({ seconds: at * hour, nanos: 0 }));
    const window = create(MaintenanceWindowSchema, { id, sensorId, startTime: startTime!, endTime: endTime! });
    settings.maintain(window, sensors, () => true);
  };
  const end = (id: string) => settings.endMaintenance(id, sensors, () => true);
  const maintained = () => [1, 2, 3, 4].filter((at) => sensors.detector.isMaintained(slot, at * 3600e6));
  open("other", 4n, "other");
  open("w1", 1n);
  open("w2", 2n);
  open("w3", 3n);
  expect(maintained()).toEqual([3]);
  end("w1");
  expect(maintained()).toEqual([3]);
  end("w3");
  expect(maintained()).toEqual([2]);
  end("w2");
  expect(maintained()).toEqual([]);
});
