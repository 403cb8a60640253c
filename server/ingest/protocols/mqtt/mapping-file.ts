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

/** @throws RangeError with a sentence that says where and what is wrong, and what is wanted */
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
  const other = Object.keys(root).find((name) => name !== "rules");
  if (other !== undefined) throw new RangeError(`"${other}" is no setting of the file: it has "rules" alone`);
  if (root.rules.length > MAX_RULES)
    throw new RangeError(`rules has ${root.rules.length} entries: at most ${MAX_RULES} are taken`);
  return root.rules.map((rule: unknown, i) => new RuleReader(["rules", i], lineOf).rule(rule));
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

/** Reads one rule, and knows where in the file it stands. */
class RuleReader {
  readonly #place: Place;
  readonly #lineOf: (path: Place) => number | undefined;

  constructor(place: Place, lineOf: (path: Place) => number | undefined) {
    this.#place = place;
    this.#lineOf = lineOf;
  }

  rule(value: unknown): Rule {
    const rule = this.#object(value, RULE_NAMES, this.#place);
    const topic = this.#topic(rule);
    const timestamp = this.#path(rule, "timestamp", this.#place);
    const list = rule.readings;
    if (list === undefined) return { topic, timestamp, readings: [this.#reading(rule, topic, this.#place)] };
    if (!Array.isArray(list) || list.length === 0 || list.length > MAX_RULE_READINGS)
      this.#fail("readings", `is no list of 1 to ${MAX_RULE_READINGS} readings`);
    const readings = list.map((each: unknown, i) => {
      const place = [...this.#place, "readings", i];
      // What stands beside the list holds for each of its readings that does not say otherwise.
      return this.#reading({ ...rule, ...this.#object(each, READING_NAMES, place) }, topic, place);
    });
    return { topic, timestamp, readings };
  }

  #topic(rule: JsonObject): TopicFilter {
    const text = rule.topic;
    if (typeof text !== "string") this.#fail("topic", "is missing: write for example plant/{line}/temperature");
    const filter = namedFilter(text);
    return typeof filter === "string" ? this.#fail("topic", filter) : filter;
  }

  #reading(reading: JsonObject, { names }: TopicFilter, place: Place): RuleReading {
    const template = (name: string) => this.#template(reading[name], names, [...place, name]);
    const sensorId = template("sensor_id");
    if (sensorId === undefined) this.#fail("sensor_id", 'is missing: write for example "{line}/{machine}"', place);
    return {
      sensorId,
      sensorType: template("sensor_type"),
      unit: template("unit"),
      location: template("location"),
      attributes: this.#attributes(reading.attributes, names, [...place, "attributes"]),
      value: this.#path(reading, "value", place),
    };
  }

  #attributes(value: unknown, names: readonly string[], place: Place): RuleReading["attributes"] {
    if (value === undefined) return [];
    if (!isObject(value)) this.#fail("", "are no names with texts", place);
    return Object.entries(value).map(([name, text]) => [name, this.#template(text, names, [...place, name])!] as const);
  }

  #template(value: unknown, names: readonly string[], place: Place): TextTemplate | undefined {
    if (value === undefined) return undefined;
    if (typeof value !== "string" && typeof value !== "number") this.#fail("", "is no text", place);
    const text = String(value);
    if (text === "") this.#fail("", "is empty: leave it out, or write a text", place);
    const template = textTemplate(text, names);
    return typeof template === "string" ? this.#fail("", template, place) : template;
  }

  #path(from: JsonObject, name: string, place: Place): JsonPath | undefined {
    const value = from[name];
    if (value === undefined) return undefined;
    const path = typeof value === "string" ? parsePath(value) : undefined;
    return path ?? this.#fail(name, "is no path into the payload: write for example $.data.value or $.items[0]", place);
  }

  #object(value: unknown, known: readonly string[], place: Place): JsonObject {
    if (!isObject(value)) this.#fail("", "is no object with names", place);
    const other = Object.keys(value).find((name) => !known.includes(name));
    if (other === undefined) return value;
    const meant = nearest(other, known);
    const hint = meant === undefined ? `there are ${known.join(", ")}` : `did you mean ${meant}?`;
    return this.#fail(other, `is no setting here: ${hint}`, place);
  }

  #fail(name: string, what: string, place: Place = this.#place): never {
    const path = name === "" ? place : [...place, name];
    const line = this.#lineOf(path) ?? this.#lineOf(place) ?? this.#lineOf(this.#place);
    const where = path.reduce<string>(
      (text, step) => (typeof step === "number" ? `${text}[${step}]` : text === "" ? step : `${text}.${step}`),
      "",
    );
    throw new RangeError(`line ${line ?? 1}: ${where} ${what}`);
  }
}
