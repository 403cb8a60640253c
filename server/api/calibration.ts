/** Whether a sensor's readings support its alarm budget, and for how much longer they do not. */
import { counted } from "../../formats/counted.ts";
import type { Explained } from "../backtest/jobs.ts";
import { DAY_US } from "../lib/time.ts";

/** The course of a week has been seen once, and once again. */
const WEEKS_US = 14 * DAY_US;

export interface Calibration {
  /** Days of readings that are missing. */
  readonly calibrationDays: number;
  /** Why, a sentence; empty where none is missing. */
  readonly calibration: string;
}

type Known = Pick<Explained, "readings" | "spanUs" | "whole" | "steadyReadings">;

/**
 * Three things are needed: the time in which one false alarm is budgeted, for a rarer value than any that was seen is extrapolated; so
 * many readings that the alarm threshold is no longer raised for lack of them; and two weeks, for the course of a week.
 */
export function calibrationOf({ readings, spanUs, whole, steadyReadings }: Known, alarmsPerDay: number): Calibration {
  const intervalUs = spanUs / Math.max(1, readings);
  // Of a history that was cut there is more than was replayed.
  if (!whole || readings === 0) return { calibrationDays: 0, calibration: "" };
  const needs = [
    { us: DAY_US / alarmsPerDay - spanUs, why: "one false alarm is budgeted in a longer time than it has been seen" },
    { us: (steadyReadings - readings) * intervalUs, why: "its alarm threshold is raised for lack of readings" },
    { us: WEEKS_US - spanUs, why: "it has not been seen for two weeks" },
  ].filter(({ us }) => us > 0);
  if (needs.length === 0) return { calibrationDays: 0, calibration: "" };
  const calibrationDays = Math.max(...needs.map(({ us }) => us)) / DAY_US;
  const days = counted(Math.ceil(calibrationDays), "more day");
  const reasons = needs.map(({ why }) => why).join(", and ");
  return { calibrationDays, calibration: `It needs ${days} of readings to keep its alarm budget: ${reasons}.` };
}
