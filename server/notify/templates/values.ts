/** Values of templates, as Go has them, and how they are printed. */
import { localMs } from "../wall-time.ts";
import { Failure } from "./failure.ts";
import { formatTime, RFC3339, STRING_LAYOUT } from "./go-time.ts";
import { Float } from "./nodes.ts";

export type Value =
  | string
  | number
  | boolean
  | undefined
  | Float
  | Time
  | Duration
  | Safe
  | Struct
  | List
  | Labels
  | Dict;

/** What a value can be asked for beside its fields. */
export type Method = (args: readonly Value[]) => Value;
export type Methods = Readonly<Record<string, Method>>;

/**
 * Text that is marked as harmless where it stands: as HTML, or as a URL, by the template, or because its last function has escaped it already
 * (`escaped`: as html does, `query`: as urlquery does).
 */
export class Safe {
  readonly text: string;
  readonly what: "html" | "url" | "escaped" | "query";

  constructor(text: string, what: Safe["what"]) {
    this.text = text;
    this.what = what;
  }
}

export class Duration {
  readonly seconds: number;

  constructor(seconds: number) {
    this.seconds = seconds;
  }
}

/** A moment and the time zone in which it is shown. */
export class Time {
  readonly ms: number;
  /** Of the millisecond. */
  readonly micros: number;
  readonly zone: string;

  constructor(ms: number, micros = 0, zone = "UTC") {
    this.ms = ms;
    this.micros = micros;
    this.zone = zone;
  }

  static ofUs(us: number): Time {
    const ms = Math.floor(us / 1_000);
    return new Time(ms, us - ms * 1_000);
  }

  /** Of what has not ended. */
  static readonly zero = new Time(-62_135_596_800_000);

  in(zone: string): Time {
    return new Time(this.ms, this.micros, zone);
  }

  /** What the zone's clocks show, as milliseconds since 1970-01-01T00:00 on them. */
  get localMs(): number {
    return this.zone === "UTC" ? this.ms : localMs(this.ms * 1_000, this.zone);
  }

  since(other: Time): Duration {
    return new Duration((this.ms - other.ms) / 1_000 + (this.micros - other.micros) / 1e6);
  }

  plus({ seconds }: Duration): Time {
    const micros = this.micros + Math.round(seconds * 1e6);
    const ms = this.ms + Math.floor(micros / 1_000);
    if (!(Math.abs(ms) <= MAX_TIME_MS)) throw new Failure("makes a time that no calendar has.");
    return new Time(ms, micros - Math.floor(micros / 1_000) * 1_000, this.zone);
  }

  /** Below zero: before the other. */
  compare(other: Time): number {
    return this.ms - other.ms || this.micros - other.micros;
  }
}

/** Of JavaScript's calendar. */
const MAX_TIME_MS = 8.64e15;

/** A record with known fields. */
export class Struct {
  readonly type: string;
  readonly fields: Readonly<Record<string, Value>>;
  readonly methods: Methods;

  constructor(type: string, fields: Readonly<Record<string, Value>>, methods: Methods = {}) {
    this.type = type;
    this.fields = fields;
    this.methods = methods;
  }
}

export class List {
  readonly type: string;
  readonly items: readonly Value[];
  readonly methods: Methods;
  /** With what is in it: lists of one list twice, of which there are two again, look small from outside. */
  readonly weight: number;

  constructor(type: string, items: readonly Value[], methods: Methods = {}) {
    this.type = type;
    this.items = items;
    this.methods = methods;
    this.weight = items.reduce((sum: number, item) => sum + CHARACTERS_PER_ITEM + weightOf(item), 0);
  }
}

/** Labels or annotations; one that is not there is the empty text. */
export class Labels {
  /** By name, in the order of names. */
  readonly entries: ReadonlyMap<string, string>;

  constructor(all: Readonly<Record<string, string>>) {
    this.entries = new Map(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** What `dict` makes: values of any kind by name. */
export class Dict {
  /** By name, in the order of names. */
  readonly entries: ReadonlyMap<string, Value>;
  /** With what is in it. */
  readonly weight: number;

  constructor(all: ReadonlyMap<string, Value>) {
    this.entries = new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
    this.weight = [...all].reduce((sum, [name, each]) => sum + CHARACTERS_PER_ITEM + name.length + weightOf(each), 0);
  }
}

/** How much work there is in looking at a value, as characters. */
export function weightOf(value: Value): number {
  if (typeof value === "string") return value.length;
  if (value instanceof Safe) return value.text.length;
  if (value instanceof List || value instanceof Dict) return value.weight;
  return value instanceof Labels ? value.entries.size * CHARACTERS_PER_ITEM : 0;
}

const CHARACTERS_PER_ITEM = 32;

export function text(value: Value): string {
  if (typeof value === "string") return value;
  if (value instanceof Safe) return value.text;
  throw new Failure(`wants a text, and gets ${typeName(value)}.`);
}

export function items(value: Value): readonly Value[] {
  if (value instanceof List) return value.items;
  if (value === undefined) return [];
  throw new Failure(`wants a list, and gets ${typeName(value)}.`);
}

export function timeOf(value: Value): Time {
  if (value instanceof Time) return value;
  throw new Failure(`wants a time, and gets ${typeName(value)}.`);
}

/** `alertname` first, then by name. */
export function sortedEntries({ entries }: Labels): (readonly [name: string, value: string])[] {
  return [...entries].sort(([a], [b]) => Number(b === "alertname") - Number(a === "alertname"));
}

function pairOf(pair: Value): readonly [string, string] {
  const { Name, Value } = (pair as Struct).fields;
  return [String(Name), String(Value)];
}

function pairText([name, value]: readonly [string, string]): string {
  return `${name}=${value}`;
}

export function isTrue(value: Value): boolean {
  if (value instanceof Float) return value.value !== 0;
  if (value instanceof Duration) return value.seconds !== 0;
  if (value instanceof Safe) return value.text !== "";
  if (value instanceof List) return value.items.length > 0;
  if (value instanceof Labels || value instanceof Dict) return value.entries.size > 0;
  return value instanceof Struct || value instanceof Time || Boolean(value);
}

/** As in "a list of alerts". */
export function typeName(value: Value): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string" || value instanceof Safe) return "a text";
  if (typeof value === "boolean") return "true or false";
  if (typeof value === "number" || value instanceof Float) return "a number";
  if (value instanceof Time) return "a time";
  if (value instanceof Duration) return "a duration";
  if (value instanceof Labels) return "labels";
  if (value instanceof Dict) return "a dict";
  return value instanceof Struct
    ? `${/^[aeiou]/i.test(value.type) ? "an" : "a"} ${value.type}`
    : `a list of ${value.type}`;
}

/** As Go's `%v` prints it. @throws Failure where it prints the insides of a record */
export function printed(value: Value): string {
  if (value === undefined) return "<no value>";
  if (value instanceof Float) return floatText(value.value);
  if (value instanceof Safe) return value.text;
  if (value instanceof Duration) return durationText(value.seconds);
  if (value instanceof Time) return formatTime(value, STRING_LAYOUT);
  if (value instanceof List && value.type === "pairs") return value.items.map(pairOf).map(pairText).join(", ");
  if (value instanceof List) return `[${value.items.map(printed).join(" ")}]`;
  if (value instanceof Labels) return sortedEntries(value).map(pairText).join(", ");
  if (value instanceof Dict)
    return `map[${[...value.entries].map(([name, each]) => `${name}:${printed(each)}`).join(" ")}]`;
  if (value instanceof Struct) {
    if (value.type !== "Pair") throw new Failure(`prints ${typeName(value)}: name a field of it.`);
    return `{${Object.values(value.fields).map(printed).join(" ")}}`;
  }
  return String(value);
}

/** Of ten: from it on Go writes the exponent. */
const EXPONENT_SHOWN_FROM = 6;

/** As Go's `%v`: the shortest text that reads as the number. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  const shortest = value.toExponential();
  const exponent = Number(shortest.slice(shortest.indexOf("e") + 1));
  if (exponent < -4 || exponent >= EXPONENT_SHOWN_FROM) return exponential(shortest);
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Go's exponents have two digits. */
export function exponential(text: string): string {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

/** As Go prints a duration. */
export function durationText(seconds: number): string {
  const ns = Math.round(Math.abs(seconds) * 1e9);
  const sign = seconds < 0 ? "-" : "";
  if (ns === 0) return "0s";
  if (ns < 1e3) return `${sign}${ns}ns`;
  if (ns < 1e6) return `${sign}${ns / 1e3}µs`;
  if (ns < 1e9) return `${sign}${ns / 1e6}ms`;
  const whole = Math.floor(ns / 1e9);
  const rest = Number(((whole % 60) + (ns % 1e9) / 1e9).toFixed(9));
  const hours = Math.floor(whole / 3_600);
  const minutes = Math.floor(whole / 60) % 60;
  return `${sign}${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${rest}s`;
}

/** As Go's JSON, which stands in HTML without harm. */
export function jsonOf(value: Value): string {
  return JSON.stringify(plain(value)).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function plain(value: Value): unknown {
  if (value === undefined) return null;
  if (value instanceof Float) return value.value;
  if (value instanceof Safe) return value.text;
  if (value instanceof Duration) return Math.round(value.seconds * 1e9);
  if (value instanceof Time) return formatTime(value, RFC3339);
  if (value instanceof List) return value.items.map(plain);
  if (value instanceof Labels) return Object.fromEntries(value.entries);
  if (value instanceof Dict) return Object.fromEntries([...value.entries].map(([name, each]) => [name, plain(each)]));
  if (!(value instanceof Struct)) return value;
  const names = JSON_NAMES[value.type] ?? {};
  return Object.fromEntries(Object.entries(value.fields).map(([name, each]) => [names[name] ?? name, plain(each)]));
}

const JSON_NAMES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  message: {
    ...{ Receiver: "receiver", Status: "status", Alerts: "alerts", GroupLabels: "groupLabels" },
    ...{ CommonLabels: "commonLabels", CommonAnnotations: "commonAnnotations", ExternalURL: "externalURL" },
    ...{ RouteLabels: "routeLabels", NotificationReason: "notification_reason" },
  },
  alert: {
    ...{ Status: "status", Labels: "labels", Annotations: "annotations", StartsAt: "startsAt", EndsAt: "endsAt" },
    ...{ GeneratorURL: "generatorURL", Fingerprint: "fingerprint", ActURL: "actURL" },
  },
};
