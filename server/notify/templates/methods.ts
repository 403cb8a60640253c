/** Methods of values, as templates call them: those of Alertmanager's and Go's own types. */
import { Failure } from "./failure.ts";
import { formatTime, MONTHS, WEEKDAYS, yearDayOf } from "./go-time.ts";
import { Float } from "./nodes.ts";
import {
  Duration,
  items,
  Labels,
  List,
  type Method,
  type Methods,
  printed,
  Struct,
  sortedEntries,
  Time,
  text,
  timeOf,
  typeName,
  type Value,
} from "./values.ts";

export function methodOf(value: Value, name: string): Method | undefined {
  const methods = methodsOf(value);
  return Object.hasOwn(methods, name) ? methods[name] : undefined;
}

function methodsOf(value: Value): Methods {
  if (value instanceof Labels) return labelsMethods(value);
  if (value instanceof Time) return timeMethods(value);
  if (value instanceof Duration) return durationMethods(value);
  return value instanceof Struct || value instanceof List ? value.methods : {};
}

function labelsMethods(labels: Labels): Methods {
  return {
    SortedPairs: () => sortedPairs(labels),
    Names: () => sortedPairs(labels).methods.Names!([]),
    Values: () => sortedPairs(labels).methods.Values!([]),
    Remove: ([names]) => {
      const gone = new Set(items(names).map(text));
      return new Labels(Object.fromEntries([...labels.entries].filter(([name]) => !gone.has(name))));
    },
    String: () => printed(labels),
  };
}

function sortedPairs(labels: Labels): List {
  const all = sortedEntries(labels);
  return new List(
    "pairs",
    all.map(([Name, Value]) => new Struct("Pair", { Name, Value })),
    {
      Names: () => textList(all.map(([name]) => name)),
      Values: () => textList(all.map(([, value]) => value)),
      String: () => printed(labels),
    },
  );
}

function textList(texts: readonly string[]): List {
  return new List("texts", texts, { Join: ([separator]) => texts.join(text(separator)) });
}

function timeMethods(time: Time): Methods {
  return {
    Format: ([layout]) => formatTime(time, text(layout)),
    UTC: () => time.in("UTC"),
    // The platform's clocks show UTC.
    Local: () => time.in("UTC"),
    Unix: () => Math.floor(time.ms / 1_000),
    UnixMilli: () => time.ms,
    UnixMicro: () => time.ms * 1_000 + time.micros,
    IsZero: () => time.ms === Time.zero.ms,
    Sub: ([other]) => time.since(timeOf(other)),
    Add: ([by]) => time.plus(duration(by)),
    AddDate: (args) => addDate(time, args),
    Before: ([other]) => time.compare(timeOf(other)) < 0,
    After: ([other]) => time.compare(timeOf(other)) > 0,
    Equal: ([other]) => time.compare(timeOf(other)) === 0,
    String: () => printed(time),
    ...calendarMethods(time),
  };
}

/** What its zone's calendar and clocks show. */
function calendarMethods(time: Time): Methods {
  const local = () => new Date(time.localMs);
  return {
    Year: () => local().getUTCFullYear(),
    Month: () => MONTHS[local().getUTCMonth()]!,
    Day: () => local().getUTCDate(),
    Weekday: () => WEEKDAYS[local().getUTCDay()]!,
    YearDay: () => yearDayOf(local()),
    Hour: () => local().getUTCHours(),
    Minute: () => local().getUTCMinutes(),
    Second: () => local().getUTCSeconds(),
    Nanosecond: () => local().getUTCMilliseconds() * 1_000_000 + time.micros * 1_000,
  };
}

/** Go's durations are nanoseconds, also where they are written as numbers such as 28800e9. */
function duration(value: Value): Duration {
  if (value instanceof Duration) return value;
  const ns = value instanceof Float ? value.value : value;
  if (typeof ns === "number" && Number.isInteger(ns)) return new Duration(ns / 1e9);
  throw new Failure(`Add wants a duration, and gets ${typeName(value)}.`);
}

function addDate(time: Time, args: readonly Value[]): Time {
  const [years, months, days] = args.map((each) => {
    if (typeof each === "number") return each;
    throw new Failure(`AddDate wants whole numbers, and gets ${typeName(each)}.`);
  });
  if (years === undefined || months === undefined || days === undefined)
    throw new Failure(`AddDate has ${args.length} arguments: it takes 3.`);
  const local = new Date(time.localMs);
  local.setUTCFullYear(local.getUTCFullYear() + years, local.getUTCMonth() + months, local.getUTCDate() + days);
  return time.plus(new Duration((local.getTime() - time.localMs) / 1_000));
}

function durationMethods(value: Duration): Methods {
  return {
    Seconds: () => new Float(value.seconds),
    Minutes: () => new Float(value.seconds / 60),
    Hours: () => new Float(value.seconds / 3_600),
    Milliseconds: () => Math.trunc(value.seconds * 1e3),
    String: () => printed(value),
  };
}
