/** The file that MQTT_MAPPING_FILE names: rules as data, read whole and refused whole. Pure. */
import { type Document, isMap, isNode, LineCounter, parseDocument } from "yaml";
import { nearest } from "../../../lib/suggest.ts";
import { type JsonPath, parsePath } from "./json-path.ts";
import { MAX_RULE_READINGS, MAX_RULES } from "./limits.ts";
import type { JsonObject } from "./payload.ts";
import { isObject } from "./payload.ts";
import type { Rule, RuleReading } from "./rule.ts";
import { type TextTemplate, textTemplate } from "./text-template.ts";
import { namedFilter, type TopicFilter } from "./topics.ts";

const READING_NAMES = ["sensor_id", "sensor_type", "unit", "location", "attributes", "value"];
const RULE_NAMES = ["topic", "timestamp", "readings", ...READING_NAMES];

/** More than these help nobody: the rest is counted. */
const MAX_FAULTS = 20;

/** @throws RangeError with a line for each fault that says where and what is wrong, and what is wanted */
export function readMapping(text: string): readonly Rule[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  const [fault] = document.errors;
  if (fault !== undefined) throw new RangeError(fault.message.split("\n")[0]);
  const root = plain(document);
  const lineOf = (path: readonly (string | number)[]) => {
    const node = document.getIn(path, true);
    const offset = isNode(node) ? node.range?.[0] : undefined;
    return offset === undefined ? undefined : lines.linePos(offset).line;
  };
  if (!isMap(document.contents) || !isObject(root) || !Array.isArray(root.rules)) {
    throw new RangeError('the file has no list "rules": begin it with "rules:"');
  }
  if (root.rules.length > MAX_RULES)
    throw new RangeError(`rules has ${root.rules.length} entries: at most ${MAX_RULES} are taken`);
  const faults: RuleFault[] = Object.keys(root)
    .filter((name) => name !== "rules")
    .map((name) => new RuleFault(lineOf([name]), `"${name}" is no setting of the file: it has "rules" alone`));
  const rules = root.rules.map((rule: unknown, i) => new RuleReader(["rules", i], lineOf, faults).rule(rule));
  if (faults.length > 0) throw new RangeError(textOf(faults));
  // One that is missing has a fault.
  return rules as readonly Rule[];
}

/** What is wrong with one setting. */
class RuleFault extends RangeError {
  readonly line: number;

  constructor(line: number | undefined, what: string) {
    super(what);
    this.line = line ?? 1;
  }
}

function textOf(faults: readonly RuleFault[]): string {
  const sorted = faults.toSorted((a, b) => a.line - b.line);
  const shown = sorted.slice(0, MAX_FAULTS).map(({ line, message }) => `line ${line}: ${message}`);
  if (faults.length > MAX_FAULTS) shown.push(`${faults.length - MAX_FAULTS} more`);
  return shown.join("\n");
}

/** An alias of nothing, or of too much, shows here only. */
function plain(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new RangeError(error.message, { cause: error });
  }
}

type Place = readonly (string | number)[];

/** Reads one rule, and knows where in the file it stands. What is bad is noted. */
class RuleReader {
  readonly #place: Place;
  readonly #lineOf: (path: Place) => number | undefined;
  readonly #faults: RuleFault[];

  constructor(place: Place, lineOf: (path: Place) => number | undefined, faults: RuleFault[]) {
    this.#place = place;
    this.#lineOf = lineOf;
    this.#faults = faults;
  }

  /** Undefined where there are faults. */
  rule(value: unknown): Rule | undefined {
    const rule = this.#noted(() => this.#object(value, RULE_NAMES, this.#place));
    if (rule === undefined) return undefined;
    const topic = this.#noted(() => this.#topic(rule));
    const timestamp = this.#noted(() => this.#path(rule, "timestamp", this.#place));
    const readings = this.#noted(() => this.#readings(rule, topic?.names));
    return topic && readings && { topic, timestamp, readings };
  }

  /** What it reads; undefined where that is a fault. */
  #noted<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof RuleFault)) throw error;
      // What stands beside a list is read for each of its readings.
      const isNoted = this.#faults.some(({ line, message }) => line === error.line && message === error.message);
      if (!isNoted) this.#faults.push(error);
      return undefined;
    }
  }

  #topic(rule: JsonObject): TopicFilter {
    const text = rule.topic;
    if (typeof text !== "string") this.#fail("topic", "is missing: write for example plant/{line}/temperature");
    const filter = namedFilter(text);
    return typeof filter === "string" ? this.#fail("topic", filter) : filter;
  }

  /** @param names of the topic's levels; undefined: the topic is bad, and which names there are is not known */
  #readings(rule: JsonObject, names: readonly string[] | undefined): RuleReading[] {
    const list = rule.readings;
    if (list === undefined) return [this.#reading(rule, rule, names, this.#place)];
    if (!Array.isArray(list) || list.length === 0 || list.length > MAX_RULE_READINGS)
      this.#fail("readings", `is no list of 1 to ${MAX_RULE_READINGS} readings`);
    const readings = list.map((each: unknown, i) => {
      const place = [...this.#place, "readings", i];
      const own = this.#noted(() => this.#object(each, READING_NAMES, place));
      // What stands beside the list holds for each of its readings that does not say otherwise.
      return own && this.#reading(rule, own, names, place);
    });
    return readings as RuleReading[];
  }

  /** Of no use where a fault was noted. @param own what stands at the place, and not beside the list of readings */
  #reading(rule: JsonObject, own: JsonObject, names: readonly string[] | undefined, place: Place): RuleReading {
    const reading: JsonObject = { ...rule, ...own };
    const placeOf = (name: string) => (name in own ? place : this.#place);
    const template = (name: string) =>
      this.#noted(() => this.#template(reading[name], names, [...placeOf(name), name]));
    const sensorId = template("sensor_id");
    if (reading.sensor_id === undefined)
      this.#noted(() => this.#fail("sensor_id", 'is missing: write for example "{line}/{machine}"', place));
    const attributesPlace = [...placeOf("attributes"), "attributes"];
    return {
      sensorId: sensorId!,
      sensorType: template("sensor_type"),
      unit: template("unit"),
      location: template("location"),
      attributes: this.#noted(() => this.#attributes(reading.attributes, names, attributesPlace)) ?? [],
      value: this.#noted(() => this.#path(reading, "value", placeOf("value"))),
    };
  }

  #attributes(value: unknown, names: readonly string[] | undefined, place: Place): RuleReading["attributes"] {
    if (value === undefined) return [];
    if (!isObject(value)) this.#fail("", "are no names with texts", place);
    return Object.entries(value).map(([name, text]) => {
      const template = this.#noted(() => this.#template(text, names, [...place, name]));
      return [name, template!] as const;
    });
  }

  #template(value: unknown, names: readonly string[] | undefined, place: Place): TextTemplate | undefined {
    if (value === undefined) return undefined;
    if (typeof value !== "string" && typeof value !== "number") this.#fail("", "is no text", place);
    const text = String(value);
    if (text === "") this.#fail("", "is empty: leave it out, or write a text", place);
    if (names === undefined) return undefined;
    const template = textTemplate(text, names);
    return typeof template === "string" ? this.#fail("", template, place) : template;
  }

  #path(from: JsonObject, name: string, place: Place): JsonPath | undefined {
    const value = from[name];
    if (value === undefined) return undefined;
    const path = typeof value === "string" ? parsePath(value) : undefined;
    return path ?? this.#fail(name, "is no path into the payload: write for example $.data.value or $.items[0]", place);
  }

  /** Names that are none are noted, and the others are read. */
  #object(value: unknown, known: readonly string[], place: Place): JsonObject {
    if (!isObject(value)) this.#fail("", "is no object with names", place);
    for (const other of Object.keys(value).filter((name) => !known.includes(name))) {
      const meant = nearest(other, known);
      const hint = meant === undefined ? `there are ${known.join(", ")}` : `did you mean ${meant}?`;
      this.#noted(() => this.#fail(other, `is no setting here: ${hint}`, place));
    }
    return value;
  }

  #fail(name: string, what: string, place: Place = this.#place): never {
    const path = name === "" ? place : [...place, name];
    const line = this.#lineOf(path) ?? this.#lineOf(place) ?? this.#lineOf(this.#place);
    const where = path.reduce<string>(
      (text, step) => (typeof step === "number" ? `${text}[${step}]` : text === "" ? step : `${text}.${step}`),
      "",
    );
    throw new RuleFault(line, `${where} ${what}`);
  }
}
