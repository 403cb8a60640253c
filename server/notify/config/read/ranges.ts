/** Ranges of an interval's fields, such as `monday:friday`, `1:15` and `-3:-1`. */
import { quoted } from "../../../lib/quoted.ts";
import { didYouMean } from "../../../lib/suggest.ts";
import type { Range } from "../config.ts";
import type { Known, Value } from "./value.ts";

type Field = "weekday" | "day" | "month" | "year";

const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS = [
  ...["january", "february", "march", "april", "may", "june"],
  ...["july", "august", "september", "october", "november", "december"],
];
const TIMES: Known = { of: "a time of day", names: ["start_time", "end_time"] };
const TIME = /^(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))$/;
/** The days that every month has. */
const SHORTEST_MONTH = 28;

/** One member, or two with a colon between. */
export function readRange(value: Value, field: Field): Range | undefined {
  const text = value.line();
  if (text === undefined) return undefined;
  const parts = text.toLowerCase().split(":");
  if (parts.length > 2) return value.problem(`${quoted(text)} has two colons: write one ${field}, or FROM:TO.`);
  const members = parts.map((part) => memberOf(part, field));
  const wrong = members.indexOf(undefined);
  if (wrong >= 0) return value.problem(`${quoted(parts[wrong]!)} is no ${field}${hintFor(parts[wrong]!, field)}`);
  const from = members[0]!;
  const to = members.at(-1)!;
  return isBackwards({ from, to }, field) ? value.problem(`${quoted(text)} ends before it begins.`) : { from, to };
}

function memberOf(text: string, field: Field): number | undefined {
  const named = field === "weekday" ? WEEKDAYS.indexOf(text) : field === "month" ? MONTHS.indexOf(text) + 1 : 0;
  if (field === "weekday") return named < 0 ? undefined : named;
  if (named > 0) return named;
  const number = /^-?\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  switch (field) {
    case "day":
      return Math.abs(number) >= 1 && Math.abs(number) <= 31 ? number : undefined;
    case "month":
      return number >= 1 && number <= 12 ? number : undefined;
    case "year":
      return number >= 1 ? number : undefined;
  }
}

function hintFor(text: string, field: Field): string {
  switch (field) {
    case "weekday":
      return didYouMean(text, WEEKDAYS) || ": write for example monday or monday:friday.";
    case "month":
      return didYouMean(text, MONTHS) || ": write january to december, or 1 to 12.";
    case "day":
      return ": write 1 to 31, or -1 to -31 from the month's end.";
    case "year":
      return ": write for example 2030.";
  }
}

/** For days of the month: whether it ends before it begins in every month. */
function isBackwards({ from, to }: Range, field: Field): boolean {
  if (field !== "day") return from > to;
  if (from < 0 && to > 0) return true;
  const counted = (day: number) => (day < 0 ? SHORTEST_MONTH + day : day);
  return counted(from) > counted(to);
}

/** Minutes of the day from `start_time` to `end_time`. */
export function readTimes(value: Value): Range | undefined {
  const fields = value.fields(TIMES);
  if (fields === undefined) return undefined;
  const from = minuteOf(fields.required("start_time"));
  const to = minuteOf(fields.required("end_time"));
  if (from === undefined || to === undefined) return undefined;
  if (from < to) return { from, to };
  return value.problem("ends before it begins: of a range past midnight write two, one to 24:00 and one from 00:00.");
}

function minuteOf(value: Value | undefined): number | undefined {
  const text = value?.line();
  if (value === undefined || text === undefined) return undefined;
  const [, hour, minute, lastHour, lastMinute] = TIME.exec(text) ?? [];
  if (hour === undefined && lastHour === undefined)
    return value.problem(`${quoted(text)} is no time of day: write 00:00 to 24:00, with two digits each.`);
  return Number(hour ?? lastHour) * 60 + Number(minute ?? lastMinute);
}
