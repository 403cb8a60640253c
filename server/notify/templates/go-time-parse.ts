/** Times out of texts, by Go's layouts, and Go's durations. */
import { Failure } from "./failure.ts";
import { ELEMENT, MONTHS, WEEKDAYS } from "./go-time.ts";
import { Duration, Time } from "./values.ts";

const names = (all: readonly string[], characters?: number) => all.map((name) => name.slice(0, characters)).join("|");
/** How the elements of a layout look in a text. */
const PATTERNS: Readonly<Record<string, string>> = {
  ...{ January: names(MONTHS), Jan: names(MONTHS, 3), Monday: names(WEEKDAYS), Mon: names(WEEKDAYS, 3) },
  ...{ 2006: "\\d{4}", "06": "\\d\\d", "01": "\\d\\d", 1: "\\d\\d?", "02": "\\d\\d", 2: "\\d\\d?", _2: " ?\\d\\d?" },
  ...{ 15: "\\d\\d", "03": "\\d\\d", 3: "\\d\\d?", "04": "\\d\\d", 4: "\\d\\d?", "05": "\\d\\d(?:[.,]\\d+)?" },
  ...{ 5: "\\d\\d?(?:[.,]\\d+)?", PM: "AM|PM", pm: "am|pm", MST: "UTC|GMT" },
  ...{ "Z07:00": "Z|[+-]\\d\\d:\\d\\d", Z0700: "Z|[+-]\\d{4}", "-07:00": "[+-]\\d\\d:\\d\\d", "-0700": "[+-]\\d{4}" },
};

const READERS = new Map(Object.entries(PATTERNS).map(([element, pattern]) => [element, new RegExp(pattern, "y")]));

/**
 * A time in UTC; undefined where the text does not fit. As in Go each element takes as much as it can, and what does not fit then is not
 * tried in another way: a layout of many elements would have no end of ways.
 *
 * @throws Failure where the layout has what is not taken
 */
export function parseTime(layout: string, value: string): Time | undefined {
  const parts = new Map<string, string>();
  let [end, at, fits] = [0, 0, true];
  const pass = (text: string) => {
    fits &&= value.startsWith(text, at);
    at += text.length;
  };
  for (const { 0: element, index } of layout.matchAll(ELEMENT)) {
    const reader = READERS.get(element);
    if (reader === undefined) throw new Failure(`has ${JSON.stringify(element)} in a layout, which is not read.`);
    pass(layout.slice(end, index));
    end = index + element.length;
    reader.lastIndex = at;
    const [part] = (fits && reader.exec(value)) || [];
    if (part !== undefined) parts.set(element, part);
    pass(part ?? element);
    fits &&= part !== undefined;
  }
  pass(layout.slice(end));
  return fits && at === value.length ? timeOf(parts) : undefined;
}

function timeOf(parts: ReadonlyMap<string, string>): Time | undefined {
  const number = (...elements: string[]) => {
    const written = elements.map((element) => parts.get(element)).find((part) => part !== undefined);
    return written === undefined ? undefined : Number(written.replace(",", "."));
  };
  const month = monthOf(parts) ?? number("01", "1") ?? 1;
  const short = number("06");
  const year = number("2006") ?? (short === undefined ? 0 : short + (short < 69 ? 2_000 : 1_900));
  const day = number("02", "2", "_2") ?? 1;
  const seconds = number("05", "5") ?? 0;
  const [hour, minute] = [hourOf(parts, number), number("04", "4") ?? 0];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isThere = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!isThere || hour > 23 || minute > 59 || seconds >= 60) return undefined;
  const zone = ["Z07:00", "Z0700", "-07:00", "-0700"].map((each) => parts.get(each)).find((each) => each !== undefined);
  const midnight = new Time(date.getTime());
  return midnight.plus(new Duration(hour * 3_600 + minute * 60 + seconds - aheadOf(zone)));
}

function monthOf(parts: ReadonlyMap<string, string>): number | undefined {
  const name = parts.get("January") ?? parts.get("Jan");
  return name === undefined ? undefined : MONTHS.findIndex((month) => month.startsWith(name)) + 1;
}

function hourOf(parts: ReadonlyMap<string, string>, number: (...of: string[]) => number | undefined): number {
  const twelve = number("03", "3");
  const half = (parts.get("PM") ?? parts.get("pm"))?.toUpperCase();
  if (twelve === undefined) return number("15") ?? 0;
  return (twelve % 12) + (half === "PM" || (half === undefined && twelve === 12) ? 12 : 0);
}

/** Seconds. */
function aheadOf(zone: string | undefined): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone ?? "") ?? [];
  return (sign === "-" ? -1 : 1) * (Number(hours ?? 0) * 3_600 + Number(minutes ?? 0) * 60);
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600, m: 60, s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9 };
const PART = /(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|ns)/g;

/** As "-1h30m". @throws Failure where it is none */
export function parseDuration(value: string): Duration {
  const [, sign, rest] = /^([+-]?)(.{1,100})$/.exec(value) ?? [];
  if (rest === undefined || (rest !== "0" && rest.replace(PART, "") !== ""))
    throw new Failure(`${JSON.stringify(value.slice(0, 60))} is no duration: write for example 1h30m.`);
  const seconds = [...rest.matchAll(PART)].reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0);
  return new Duration(sign === "-" ? -seconds : seconds);
}
