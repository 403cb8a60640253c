import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  DetectorConfigSchema,
  DetectorConfigSource,
  Direction,
  GetDetectorConfigResponseSchema,
} from "../../gen/web/telltale/v1/detector_pb.ts";
import { configOf, editedSettings, formOf, settingRows, wrongFields } from "./detector-settings.ts";

const response = create(GetDetectorConfigResponseSchema, {
  config: { alarmsPerSensorDay: 0.1, rangeMin: 0, direction: Direction.HIGH, off: false },
  origins: [
    { field: "alarms_per_sensor_day", source: DetectorConfigSource.PLATFORM },
    { field: "range_min", source: DetectorConfigSource.SENSOR },
    { field: "range_max", source: DetectorConfigSource.PLATFORM },
    { field: "stuck_seconds", source: DetectorConfigSource.LEARNT },
    { field: "direction", source: DetectorConfigSource.SENSOR_TYPE },
    { field: "off", source: DetectorConfigSource.SENSOR },
  ],
});

test("each setting says its value and where it comes from, also one that is not there", () => {
  expect(settingRows(response, "C").map(({ name, value, origin }) => `${name}: ${value}, ${origin}`)).toEqual([
    "Alarm budget: 0.1 a day, platform default",
    "Impossible below: 0\u202fC, this sensor",
    "Impossible above: no limit, platform default",
    "Stuck after: from its readings, learnt",
    "Abnormal: above, its type",
    "Judged: yes, this sensor",
  ]);
});

test("a form has what the sensor itself sets, and gives nothing else back", () => {
  const form = formOf(response);
  expect(form).toMatchObject({ range_min: "0", off: "yes", alarms_per_sensor_day: "", direction: "" });
  expect(configOf("a", form)).toEqual({ sensorId: "a", rangeMin: 0, off: false });
  const all = {
    ...{ alarms_per_sensor_day: "0.5", range_min: "-1e3", range_max: " 7 ", max_rate_per_second: "2" },
    ...{ stuck_seconds: "60", silence_seconds: "5.5", reorder_hold_ms: "100" },
    ...{ counter: "no", direction: String(Direction.LOW), off: "no" },
    ...{
      signal_kind: "4",
      early_alert_hours: "6",
      time_zone: "Europe/Berlin",
      holidays: "2026-12-25 2027-01-01 like friday",
    },
  };
  const config = create(DetectorConfigSchema, configOf("a", all));
  const origins = Object.keys(all).map((field) => ({ field, source: DetectorConfigSource.SENSOR }));
  const back = formOf(create(GetDetectorConfigResponseSchema, { config, origins }));
  expect(back).toEqual({ ...all, range_min: "-1000", range_max: "7", holidays: "2026-12-25, 2027-01-01 like Friday" });
});

test("what is no number is named, and what holds without a value is said", () => {
  const form = { range_min: "hot", range_max: "1e400", stuck_seconds: "", counter: "yes", time_zone: "Mars/Olympus" };
  const wrong = wrongFields({ ...form, holidays: "2026-02-30x" });
  expect([...wrong.keys()]).toEqual(["range_min", "range_max", "time_zone", "holidays"]);
  expect(wrong.get("time_zone")).toMatch(/Europe\/Berlin/);
  expect(wrongFields({ time_zone: "UTC", holidays: "none" }).size).toBe(0);
  const otherwise = Object.fromEntries(editedSettings(response, "C").map((each) => [each.field, each.otherwise]));
  expect(otherwise).toMatchObject({
    alarms_per_sensor_day: "0.1 a day, platform default",
    range_min: "as for its asset and its type",
  });
});
