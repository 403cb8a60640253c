import { expect, test } from "vitest";
import { nearest } from "./suggest.ts";

const FIELDS = ["sensor_id", "sensor_type", "value", "unit", "location", "metadata", "observed_at"];

test.each([
  ["sensorid", "sensor_id"],
  ["SensorId", "sensor_id"],
  ["sensor-id", "sensor_id"],
  ["sesnor_id", "sensor_id"],
  ["timestamp", "observed_at"],
  ["type", "sensor_type"],
  ["valeu", "value"],
  ["observedAt", "observed_at"],
])("%s means %s", (name, meant) => expect(nearest(name, FIELDS)).toBe(meant));

test.each(["color", "x", "", "_", "é", "sensor_id".repeat(100)])("%j means nothing that is known", (name) =>
  expect(nearest(name, FIELDS)).toBeUndefined(),
);
