/** What templates call: Go's own functions, and Alertmanager's. `and` and `or` are the evaluator's: they leave out what is not needed. */
import { escapeHtml } from "../../lib/html.ts";
import { isTimeZone } from "../../lib/time-zone.ts";
import { Expressions } from "./expressions.ts";
import { Failure } from "./failure.ts";
import { formatTime } from "./go-time.ts";
import { parseDuration, parseTime } from "./go-time-parse.ts";
import { MAX_OUTPUT_CHARACTERS } from "./limits.ts";
import { Float } from "./nodes.ts";
import { generalText, printf, shown } from "./printf.ts";
import {
  Dict,
  Duration,
  isTrue,
  items,
  jsonOf,
  Labels,
  List,
  type Method,
  printed,
  Safe,
  Time,
  text,
  timeOf,
  typeName,
  type Value,
} from "./values.ts";

/** What functions need beside their arguments. */
export interface Surroundings {
  readonly nowUs: number;
  /** Counts work; throws where there is too much. */
  readonly spend: (steps: number) => void;
  /** The label of the route by which the message is sent; "" where it has none of this name. */
  readonly routeLabel: (name: string) => string;
}

/** By name; `and` and `or` are not among them. */
export function functions({ nowUs, spend, routeLabel }: Surroundings): ReadonlyMap<string, Method> {
  const expressions = new Expressions(spend);
  const all: Record<string, Method> = {
    ...{ not: ([value]) => !isTrue(value), eq, ne: (args) => !eq(args) },
    ...{ lt: ([a, b]) => compare(a, b) < 0, le: ([a, b]) => compare(a, b) <= 0 },
    ...{ gt: ([a, b]) => compare(a, b) > 0, ge: ([a, b]) => compare(a, b) >= 0 },
    ...{ len: ([value]) => lengthOf(value), index, slice },
    ...{ print: sprint, println: (args) => `${args.map(shown).join(" ")}\n` },
    printf: ([format, ...args]) => printf(text(format), args),
    html: (args) => goEscaped(joined(args)),
    urlquery: (args) => queryEscaped(joined(args)),
    toUpper: ([value]) => mapped(text(value), (character) => character.toUpperCase()),
    toLower: ([value]) => mapped(text(value), (character) => character.toLowerCase()),
    title: ([value]) => titled(text(value)),
    trimSpace: ([value]) => text(value).trim(),
    join: ([separator, list]) => joinedBy(text(separator), items(list)),
    match: ([pattern, value]) => expressions.match(text(pattern), text(value)),
    reReplaceAll: ([pattern, by, value]) => expressions.replaceAll(text(pattern), text(by), text(value)),
    stringSlice: (args) => new List("texts", args.map(text)),
    safeHtml: ([value]) => new Safe(text(value), "html"),
    safeUrl: ([value]) => new Safe(text(value), "url"),
    urlUnescape: ([value]) => unescapedQuery(text(value)),
    toJson: ([value]) => jsonOf(value),
    date: ([layout, time]) => formatTime(timeOf(time), text(layout)),
    tz: ([zone, time]) => timeOf(time).in(zoneOf(text(zone))),
    now: () => Time.ofUs(nowUs),
    since: ([time]) => Time.ofUs(nowUs).since(timeOf(time)),
    humanizeDuration: ([value]) => humanized(seconds(value)),
    toDate: ([layout, value]) => parseTime(text(layout), text(value)) ?? Time.zero,
    mustToDate: ([layout, value]) => parseTime(text(layout), text(value)) ?? notOfLayout(text(layout), text(value)),
    addDuration: ([by, time]) => timeOf(time).plus(parseDuration(text(by))).ms,
    base64encode: ([value]) => toBase64(text(value)),
    base64decode: ([value]) => fromBase64(text(value)),
    list: (args) => new List("any", args),
    append: ([list, ...more]) => new List("any", [...items(list), ...more]),
    dict,
    routeLabels: ([name]) => routeLabel(text(name)),
  };
  return new Map(Object.entries(all).map(([name, call]) => [name, counted(name, call)]));
}

/** The fewest and the most arguments. */
const ARGUMENTS: Readonly<Record<string, readonly [number, number]>> = {
  ...{ not: [1, 1], eq: [2, 100], ne: [2, 2], lt: [2, 2], le: [2, 2], gt: [2, 2], ge: [2, 2] },
  ...{ len: [1, 1], index: [1, 10], slice: [1, 3], printf: [1, 100], now: [0, 0] },
  ...{ join: [2, 2], match: [2, 2], reReplaceAll: [3, 3], date: [2, 2], tz: [2, 2], stringSlice: [0, 100] },
  ...{ toDate: [2, 2], mustToDate: [2, 2], addDuration: [2, 2], list: [0, 100], append: [1, 100], dict: [0, 100] },
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
  if (value instanceof Labels || value instanceof Dict) return value.entries.size;
  if (value instanceof List) return value.items.length;
  throw new Failure(`len wants a text, a list or labels, and gets ${typeName(value)}.`);
}

function index([value, ...keys]: readonly Value[]): Value {
  return keys.reduce((from: Value, key) => {
    if (from instanceof Labels) return from.entries.get(text(key)) ?? "";
    if (from instanceof Dict) return from.entries.get(text(key));
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

/** Blanks between two of which neither is a text. */
function sprint(args: readonly Value[]): string {
  const isText = (value: Value) => typeof value === "string" || value instanceof Safe;
  return args
    .map((arg, at) => (at > 0 && !isText(arg) && !isText(args[at - 1]) ? ` ${shown(arg)}` : shown(arg)))
    .join("");
}

/** A list that `append` has made is long, and a separator may be. */
function joinedBy(separator: string, list: readonly Value[]): string {
  if (separator.length * (list.length - 1) > MAX_OUTPUT_CHARACTERS)
    throw new Failure(`makes more than ${MAX_OUTPUT_CHARACTERS} characters.`);
  return list.map(printed).join(separator);
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
  if (/%(?![\da-f]{2})/i.test(value)) throw new Failure("urlUnescape gets a text that is not escaped as in a URL.");
  return value
    .replaceAll("+", " ")
    .replace(/(?:%[\da-f]{2})+/gi, (escaped) => Buffer.from(escaped.replaceAll("%", ""), "hex").toString());
}

/** With the alphabet of URLs, and padded. */
function toBase64(value: string): string {
  const bare = Buffer.from(value).toString("base64url");
  return bare.padEnd(Math.ceil(bare.length / 4) * 4, "=");
}

function fromBase64(value: string): string {
  const isWhole = value.length % 4 === 0 && /^[\w-]*={0,2}$/.test(value);
  if (isWhole) return Buffer.from(value, "base64url").toString();
  throw new Failure("base64decode gets a text that is not of URL-safe base64, padded with =.");
}

function notOfLayout(layout: string, value: string): never {
  throw new Failure(`${JSON.stringify(value.slice(0, 60))} is no time of the layout ${JSON.stringify(layout)}.`);
}

function dict(args: readonly Value[]): Dict {
  if (args.length % 2 === 1) throw new Failure("dict has a name without a value.");
  const all = new Map<string, Value>();
  for (let i = 0; i < args.length; i += 2) all.set(text(args[i]), args[i + 1]);
  return new Dict(all);
}

/** Letter by letter: what would become several letters stays as it is. */
function mapped(value: string, map: (character: string) => string): string {
  return value.replace(/\P{ASCII}|[a-zA-Z]+/gu, (part) => {
    const made = map(part);
    return [...made].length === [...part].length ? made : part;
  });
}

/** The first letter of each word large, the others small. */
function titled(value: string): string {
  return value.replace(/[\p{L}\p{M}\p{N}_]+(?:['’.:·][\p{L}\p{M}_]+)*/gu, (word) =>
    word.toLowerCase().replace(/\p{L}/u, (letter) => letter.toUpperCase()),
  );
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
