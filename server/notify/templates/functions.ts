/** What templates call: Go's own functions, and Alertmanager's. `and` and `or` are the evaluator's: they leave out what is not needed. */
import { RE2JS, RE2JSException } from "re2js";
import { expressionBound } from "../../../formats/matchers.ts";
import { escapeHtml } from "../../lib/html.ts";
import { isTimeZone } from "../../lib/time-zone.ts";
import { formatTime } from "./go-time.ts";
import { MATCHING_PER_STEP, MAX_PROGRAM } from "./limits.ts";
import { Float } from "./nodes.ts";
import { generalText, printf } from "./printf.ts";
import {
  Duration,
  Failure,
  isTrue,
  jsonOf,
  Labels,
  List,
  type Method,
  printed,
  Safe,
  Struct,
  sortedEntries,
  Time,
  typeName,
  type Value,
} from "./values.ts";

/** What functions need beside their arguments. */
export interface Surroundings {
  readonly nowUs: number;
  /** Counts work; throws where there is too much. */
  readonly spend: (steps: number) => void;
}

/** By name; `and` and `or` are not among them. */
export function functions({ nowUs, spend }: Surroundings): ReadonlyMap<string, Method> {
  const all: Record<string, Method> = {
    ...{ not: ([value]) => !isTrue(value), eq, ne: (args) => !eq(args) },
    ...{ lt: ([a, b]) => compare(a, b) < 0, le: ([a, b]) => compare(a, b) <= 0 },
    ...{ gt: ([a, b]) => compare(a, b) > 0, ge: ([a, b]) => compare(a, b) >= 0 },
    ...{ len: ([value]) => lengthOf(value), index, slice },
    ...{ print: sprint, println: (args) => `${args.map(shown).join(" ")}\n` },
    printf: ([format, ...args]) => printf(text(format), args),
    html: (args) => goEscaped(joined(args)),
    urlquery: (args) => queryEscaped(joined(args)),
    toUpper: ([value]) => text(value).toUpperCase(),
    toLower: ([value]) => text(value).toLowerCase(),
    title: ([value]) => titled(text(value)),
    trimSpace: ([value]) => text(value).trim(),
    join: ([separator, list]) => items(list).map(printed).join(text(separator)),
    match: ([pattern, value]) => compiled(text(pattern), text(value), spend).matcher(text(value)).find(),
    reReplaceAll: ([pattern, by, value]) =>
      replaced(compiled(text(pattern), text(value), spend), text(by), text(value)),
    stringSlice: (args) => new List("texts", args.map(text)),
    safeHtml: ([value]) => new Safe(text(value), "html"),
    safeUrl: ([value]) => new Safe(text(value), "url"),
    urlUnescape: ([value]) => unescapedQuery(text(value)),
    toJson: ([value]) => jsonOf(value),
    date: ([layout, time]) => formatTime(timeOf(time), text(layout)),
    tz: ([zone, time]) => timeOf(time).in(zoneOf(text(zone))),
    now: () => Time.ofUs(nowUs),
    since: ([time]) => new Duration((nowUs - timeOf(time).ms * 1_000 - timeOf(time).micros) / 1e6),
    humanizeDuration: ([value]) => humanized(seconds(value)),
  };
  return new Map(Object.entries(all).map(([name, call]) => [name, counted(name, call)]));
}

/** The fewest and the most arguments. */
const ARGUMENTS: Readonly<Record<string, readonly [number, number]>> = {
  ...{ not: [1, 1], eq: [2, 100], ne: [2, 2], lt: [2, 2], le: [2, 2], gt: [2, 2], ge: [2, 2] },
  ...{ len: [1, 1], index: [1, 10], slice: [1, 3], printf: [1, 100], now: [0, 0] },
  ...{ join: [2, 2], match: [2, 2], reReplaceAll: [3, 3], date: [2, 2], tz: [2, 2], stringSlice: [0, 100] },
  ...{ print: [0, 100], println: [0, 100], html: [0, 100], urlquery: [0, 100] },
};

function counted(name: string, call: Method): Method {
  const [least, most] = ARGUMENTS[name] ?? [1, 1];
  return (args) => {
    checkCount(name, args.length, least, most);
    return call(args);
  };
}

export function checkCount(name: string, count: number, least: number, most: number): void {
  if (count >= least && count <= most) return;
  const wanted = least === most ? `${least}` : `${least} to ${most}`;
  throw new Failure(`${name} has ${count} arguments: it takes ${wanted}.`);
}

function text(value: Value): string {
  if (typeof value === "string") return value;
  if (value instanceof Safe) return value.text;
  throw new Failure(`wants a text, and gets ${typeName(value)}.`);
}

function items(value: Value): readonly Value[] {
  if (value instanceof List) return value.items;
  if (value === undefined) return [];
  throw new Failure(`wants a list, and gets ${typeName(value)}.`);
}

function timeOf(value: Value): Time {
  if (value instanceof Time) return value;
  throw new Failure(`wants a time, and gets ${typeName(value)}.`);
}

function zoneOf(name: string): string {
  if (name === "" || name === "UTC" || name === "Local") return "UTC";
  if (!isTimeZone(name)) throw new Failure(`there is no time zone ${JSON.stringify(name.slice(0, 60))}.`);
  return name;
}

type Basic = string | number | boolean | undefined;

/** What is compared, and its kind. */
function basic(value: Value): readonly [kind: string, value: Basic] {
  if (value instanceof Float) return ["float", value.value];
  if (value instanceof Duration) return ["number", Math.round(value.seconds * 1e9)];
  if (value instanceof Safe) return ["string", value.text];
  if (value === undefined || typeof value !== "object") return [typeof value, value];
  throw new Failure(`compares ${typeName(value)}, which has no order: compare a field of it.`);
}

function eq([first, ...others]: readonly Value[]): boolean {
  const [kind, value] = basic(first);
  return others.some((other) => {
    const [otherKind, otherValue] = basic(other);
    if (kind !== otherKind && kind !== "undefined" && otherKind !== "undefined")
      throw new Failure(`compares ${typeName(first)} with ${typeName(other)}, which are of different types.`);
    return value === otherValue;
  });
}

function compare(a: Value, b: Value): number {
  const [[kind, left], [otherKind, right]] = [basic(a), basic(b)];
  if (kind !== otherKind)
    throw new Failure(`compares ${typeName(a)} with ${typeName(b)}, which are of different types.`);
  if (left === undefined || right === undefined || typeof left === "boolean")
    throw new Failure(`compares ${typeName(a)}, which has no order.`);
  return left < right ? -1 : left === right ? 0 : 1;
}

function lengthOf(value: Value): number {
  // Go counts bytes.
  if (typeof value === "string" || value instanceof Safe) return Buffer.byteLength(text(value));
  if (value instanceof Labels) return value.entries.size;
  if (value instanceof List) return value.items.length;
  throw new Failure(`len wants a text, a list or labels, and gets ${typeName(value)}.`);
}

function index([value, ...keys]: readonly Value[]): Value {
  return keys.reduce((from: Value, key) => {
    if (from instanceof Labels) return from.entries.get(text(key)) ?? "";
    if (typeof from === "string") return Buffer.from(from)[placeOf(key, Buffer.byteLength(from))];
    if (!(from instanceof List)) throw new Failure(`index wants a list or labels, and gets ${typeName(from)}.`);
    return from.items[placeOf(key, from.items.length)];
  }, value);
}

function placeOf(key: Value, length: number): number {
  if (typeof key !== "number") throw new Failure(`index wants a whole number, and gets ${typeName(key)}.`);
  if (key < 0 || key >= length) throw new Failure(`asks for entry ${key} of ${length}: the first is 0.`);
  return key;
}

function slice([value, ...bounds]: readonly Value[]): Value {
  if (typeof value !== "string" && !(value instanceof List))
    throw new Failure(`slice wants a text or a list, and gets ${typeName(value)}.`);
  const length = lengthOf(value);
  const [from = 0, to = length] = bounds;
  if (typeof from !== "number" || typeof to !== "number" || from < 0 || to > length || from > to)
    throw new Failure(`slice is out of bounds: there are ${length}.`);
  if (value instanceof List) return new List(value.type, value.items.slice(from, to), value.methods);
  return Buffer.from(value).subarray(from, to).toString();
}

function shown(value: Value): string {
  return value === undefined ? "<nil>" : printed(value);
}

/** Blanks between two of which neither is a text. */
function sprint(args: readonly Value[]): string {
  const isText = (value: Value) => typeof value === "string" || value instanceof Safe;
  return args
    .map((arg, at) => (at > 0 && !isText(arg) && !isText(args[at - 1]) ? ` ${shown(arg)}` : shown(arg)))
    .join("");
}

function joined(args: readonly Value[]): string {
  return args.length === 1 && typeof args[0] === "string" ? args[0] : sprint(args);
}

/** Quotes as Go writes them. */
export function goEscaped(value: string): string {
  return escapeHtml(value).replaceAll("&quot;", "&#34;");
}

export function queryEscaped(value: string): string {
  return encodeURIComponent(value.toWellFormed())
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}

function unescapedQuery(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    throw new Failure("urlUnescape gets a text that is not escaped as in a URL.");
  }
}

/** The first letter of each word large, the others small. */
function titled(value: string): string {
  return value.replace(/[\p{L}\p{M}\p{N}_]+(?:['’.:·][\p{L}\p{M}_]+)*/gu, (word) =>
    word.toLowerCase().replace(/\p{L}/u, (letter) => letter.toUpperCase()),
  );
}

function compiled(pattern: string, value: string, spend: Surroundings["spend"]): RE2JS {
  if (expressionBound(pattern) > MAX_PROGRAM) throw new Failure("has a regular expression that is too large.");
  try {
    const expression = RE2JS.compile(pattern);
    const size = expression.programSize();
    spend(Math.ceil((size * (value.length + 1)) / MATCHING_PER_STEP));
    return expression;
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new Failure(`${JSON.stringify(pattern.slice(0, 60))} is no regular expression of RE2: ${error.message}`);
  }
}

/** As in Go: `$name` takes all letters, digits and underscores. */
const REFERENCE = /\$(?:\$|(\w+)|\{(\w+)\})/g;

function replaced(expression: RE2JS, by: string, value: string): string {
  const matcher = expression.matcher(value);
  const names = expression.namedGroups();
  const pieces: string[] = [];
  let end = 0;
  const group = (name: string) => {
    const number = /^\d+$/.test(name) ? Number(name) : undefined;
    if (number !== undefined) return number <= matcher.groupCount() ? (matcher.group(number) ?? "") : "";
    return Object.hasOwn(names, name) ? (matcher.group(name) ?? "") : "";
  };
  while (matcher.find()) {
    const expanded = by.replace(REFERENCE, (whole, name?: string, braced?: string) => {
      const wanted = name ?? braced;
      return wanted === undefined ? (whole === "$$" ? "$" : whole) : group(wanted);
    });
    pieces.push(value.slice(end, matcher.start()), expanded);
    end = matcher.end();
  }
  return pieces.join("") + value.slice(end);
}

function seconds(value: Value): number {
  if (value instanceof Duration) return value.seconds;
  if (value instanceof Float) return value.value;
  if (typeof value === "number") return value;
  const number = Number(text(value).trim() || "x");
  if (Number.isNaN(number)) throw new Failure("humanizeDuration wants a number of seconds, and gets another text.");
  return number;
}

const SMALL_UNITS = ["m", "u", "n", "p", "f", "a", "z", "y"];

/** As Prometheus writes it. */
function humanized(value: number): string {
  if (!Number.isFinite(value)) return generalText(value, 4);
  if (value === 0) return "0s";
  const sign = value < 0 ? "-" : "";
  let rest = Math.abs(value);
  if (rest >= 1) {
    const all = Math.floor(rest);
    const [s, m, h, d] = [all % 60, Math.floor(all / 60) % 60, Math.floor(all / 3_600) % 24, Math.floor(all / 86_400)];
    if (d > 0) return `${sign}${d}d ${h}h ${m}m ${s}s`;
    if (h > 0) return `${sign}${h}h ${m}m ${s}s`;
    return m > 0 ? `${sign}${m}m ${s}s` : `${sign}${generalText(rest, 4)}s`;
  }
  let unit = "";
  for (const each of SMALL_UNITS) {
    if (rest >= 1) break;
    unit = each;
    rest *= 1_000;
  }
  return `${sign}${generalText(rest, 4)}${unit}s`;
}

/** Methods of values that are not the data's own. */
export function methodOf(value: Value, name: string): Method | undefined {
  const own =
    value instanceof Labels
      ? labelsMethods(value)
      : value instanceof Time
        ? timeMethods(value)
        : durationMethods(value);
  if (own !== undefined) return Object.hasOwn(own, name) ? own[name] : undefined;
  if (!(value instanceof Struct || value instanceof List)) return undefined;
  return Object.hasOwn(value.methods, name) ? value.methods[name] : undefined;
}

function labelsMethods(labels: Labels): Record<string, Method> {
  return {
    SortedPairs: () => sortedPairs(labels),
    Names: () => sortedPairs(labels).methods.Names!([]),
    Values: () => sortedPairs(labels).methods.Values!([]),
    Remove: ([names]) => {
      const gone = new Set(items(names).map(text));
      return new Labels(Object.fromEntries([...labels.entries].filter(([name]) => !gone.has(name))));
    },
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
    },
  );
}

function textList(texts: readonly string[]): List {
  return new List("texts", texts, { Join: ([separator]) => texts.join(text(separator)) });
}

function timeMethods(time: Time): Record<string, Method> {
  return {
    Format: ([layout]) => formatTime(time, text(layout)),
    UTC: () => time.in("UTC"),
    // The platform's clocks show UTC.
    Local: () => time.in("UTC"),
    Unix: () => Math.floor(time.ms / 1_000),
    UnixMilli: () => time.ms,
    IsZero: () => time.ms === Time.zero.ms,
    Sub: ([other]) => new Duration((time.ms - timeOf(other).ms) / 1_000 + (time.micros - timeOf(other).micros) / 1e6),
    Before: ([other]) => before(time, timeOf(other)),
    After: ([other]) => before(timeOf(other), time),
    String: () => printed(time),
  };
}

function before(a: Time, b: Time): boolean {
  return a.ms < b.ms || (a.ms === b.ms && a.micros < b.micros);
}

function durationMethods(value: Value): Record<string, Method> | undefined {
  if (!(value instanceof Duration)) return undefined;
  return {
    Seconds: () => new Float(value.seconds),
    Minutes: () => new Float(value.seconds / 60),
    Hours: () => new Float(value.seconds / 3_600),
    String: () => printed(value),
  };
}
