import { expect, test } from "vitest";
import { DAY_US, HOUR_US, MINUTE_US } from "../lib/time.ts";
import { calibrationOf } from "./calibration.ts";

const known = (readings: number, intervalUs: number, whole = true) => ({
  ...{ readings, spanUs: readings * intervalUs, whole, steadyReadings: 4000 },
});

test("a sensor needs the time of its budget, readings for its threshold, and two weeks: the longest counts", () => {
  const young = calibrationOf(known(1440, MINUTE_US), 0.1);
  expect(young.calibrationDays).toBeCloseTo(13, 6);
  expect(young.calibration).toBe(
    "It needs 13 more days of readings to keep its alarm budget: one false alarm is budgeted in a longer time than it has " +
      "been seen, and its alarm threshold is raised for lack of readings, and it has not been seen for two weeks.",
  );
  const hourly = calibrationOf(known(1000, HOUR_US), 0.1);
  expect(hourly.calibrationDays).toBeCloseTo(3000 / 24, 6);
  expect(hourly.calibration).toMatch(/needs 125 more days .*: its alarm threshold is raised/);
  const strict = calibrationOf(known(30 * 1440, MINUTE_US), 0.02);
  expect(strict.calibration).toMatch(/needs 20 more days .*: one false alarm is budgeted/);
});

test("a grown sensor needs nothing, nor one of which only the newest readings were replayed", () => {
  const nothing = { calibrationDays: 0, calibration: "" };
  expect(calibrationOf(known(20 * 1440, MINUTE_US), 0.1)).toEqual(nothing);
  expect(calibrationOf(known(1000, MINUTE_US, false), 0.1)).toEqual(nothing);
  expect(calibrationOf({ ...known(0, MINUTE_US), spanUs: 15 * DAY_US }, 0.1)).toEqual(nothing);
});
