import { quoted } from "../../../lib/quoted.ts";
import { didYouMean } from "../../../lib/suggest.ts";
import type { NamedIntervals, Range, TimeInterval } from "../config.ts";
import { MAX_TIME_INTERVALS } from "../limits.ts";
import { readRange, readTimes } from "./ranges.ts";
import { readDefinition } from "./reference.ts";
import type { Fields, Known, Value } from "./value.ts";

const NAMED: Known = { of: "a time interval", names: ["name", "time_intervals"] };
const INTERVAL: Known = {
  of: "a time interval",
  names: ["times", "weekdays", "days_of_month", "months", "years", "location"],
};
const ZONE = /^[A-Za-z][\w+/-]*$/;

/** Those of `time_intervals` and, as they were called before, `mute_time_intervals`: their names are of one kind. */
export function readTimeIntervals(lists: readonly (Value | undefined)[]): NamedIntervals[] {
  const names = new Set<string>();
  return lists.flatMap((list) =>
    (list?.items(MAX_TIME_INTERVALS) ?? []).flatMap((item) => {
      const fields = item.fields(NAMED);
      if (fields === undefined) return [];
      const name = readDefinition(fields.required("name"), "an interval", names);
      return [{ name, intervals: filled(fields.required("time_intervals")).flatMap(readInterval) }];
    }),
  );
}

function readInterval(value: Value): TimeInterval[] {
  const fields = value.fields(INTERVAL);
  if (fields === undefined) return [];
  return [
    {
      ...ranges(fields, "times", "times", readTimes),
      ...ranges(fields, "weekdays", "weekdays", (each) => readRange(each, "weekday")),
      ...ranges(fields, "days_of_month", "daysOfMonth", (each) => readRange(each, "day")),
      ...ranges(fields, "months", "months", (each) => readRange(each, "month")),
      ...ranges(fields, "years", "years", (each) => readRange(each, "year")),
      location: readLocation(fields.get("location")),
    },
  ];
}

function ranges(fields: Fields, name: string, key: keyof TimeInterval, read: (value: Value) => Range | undefined) {
  const value = fields.get(name);
  return value === undefined ? {} : { [key]: filled(value).flatMap((each) => read(each) ?? []) };
}

/** Within an empty list there is no time at all: an interval that is never active, which nobody means. */
function filled(value: Value | undefined): Value[] {
  if (value === undefined) return [];
  if (value.isEmpty) value.problem("is an empty list: write at least one entry, or remove it.");
  return value.items();
}

/** The name of a time zone; UTC where there is none. */
export function readLocation(value: Value | undefined): string {
  const name = value?.line();
  if (value === undefined || name === undefined) return "UTC";
  if (name === "Local") value.problem("is Local, the zone of whatever machine reads it: write the zone's name.");
  else if (!isZone(name)) value.problem(noZone(name));
  return name;
}

/** What is wrong with a time zone that is none. */
export function noZone(name: string): string {
  const hint = didYouMean(name, Intl.supportedValuesOf("timeZone")) || ": write one such as Europe/Berlin or UTC.";
  return `${quoted(name)} is no time zone${hint}`;
}

/** Whether it is an IANA name of a time zone. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return ZONE.test(name);
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
