/** Payloads as devices publish them: a number, or a JSON object. Pure. */
import { readTime } from "../../../../formats/time.ts";
import { quoted, quotedValue } from "../../../lib/quoted.ts";
import { finiteNumber } from "../number.ts";
import { MAX_READINGS_OF_A_MESSAGE } from "./limits.ts";
import {
  DEFAULT_TYPE,
  DEFAULT_UNIT,
  type Mapped,
  type MappedReading,
  type Message,
  type Skipped,
  skipped,
} from "./message.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** What is known of a message's sensor beside its payload, which overrides it. */
export interface Base {
  readonly sensorId: string;
  readonly sensorType?: string | undefined;
  readonly unit?: string | undefined;
  readonly location?: string | undefined;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /** Where another place than the field `timestamp` holds the time. */
  readonly observedUs?: number | undefined;
}

/** Fields of an object that say something about its values and are none themselves. */
const ABOUT = new Set(["value", "unit", "type", "timestamp", "location", "attributes"]);
/** Neither a list of JSON nor anything else. */
const COMMA = /^\s*[+-]?\d+,\d+\s*$/;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A number as devices write it, or JSON's true and false as 1 and 0. Undefined for all else, such as "on". */
export function numberOf(value: unknown): number | undefined {
  return typeof value === "boolean" ? Number(value) : finiteNumber(value);
}

/** The payload as JSON or as a number, or why it is neither. */
export function parsePayload(payload: Uint8Array): { readonly value: unknown } | Skipped {
  if (payload.length === 0) return skipped("empty", "the payload is empty");
  let text: string;
  try {
    text = utf8.decode(payload);
  } catch {
    return skipped("not_a_number", "the payload is no UTF-8 text"); // the decoder says no more than that
  }
  const number = numberOf(text);
  if (number !== undefined) return { value: number };
  if (COMMA.test(text)) return skipped("not_a_number", `${quoted(text)} has a comma: write a decimal point`);
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return skipped("not_a_number", `${quoted(text)} is neither a number nor JSON`); // the text says more than the parser
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Microseconds since 1970 of a time as ISO 8601 text or as a count since 1970; or why it is none. */
export function timeOf(value: unknown): number | Skipped {
  try {
    if (typeof value === "string" || typeof value === "number") return readTime(String(value));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return skipped("bad_time", error.message);
  }
  return skipped("bad_time", `timestamp ${quotedValue(value)} is no time: give ISO 8601 or a count since 1970`);
}

/**
 * The readings of a payload: a number; an object with `value`; or an object of which each number or truth value is a reading of its own,
 * whose sensor id has the field's name appended.
 */
export function readPayload(message: Message, base: Base): Mapped {
  const parsed = parsePayload(message.payload);
  if ("skipped" in parsed) return parsed;
  return readValue(message, parsed.value, base);
}

/** The same of a payload that is parsed already. */
export function readValue(message: Message, value: unknown, base: Base): Mapped {
  if (!isObject(value)) {
    const number = numberOf(value);
    if (number === undefined) return skipped("not_a_number", `the payload is ${quotedValue(value)}, not a number`);
    return oneReading(message, base, number);
  }
  const about = aboutOf(value, base);
  if ("skipped" in about) return about;
  if (!("value" in value)) return fieldReadings(message, value, about);
  const number = numberOf(value.value);
  if (number === undefined) return skipped("no_value", `value ${quotedValue(value.value)} is no number`);
  return oneReading(message, about, number);
}

/** With what the object says about its values. */
function aboutOf(object: JsonObject, base: Base): Base | Skipped {
  const observedUs = base.observedUs ?? (object.timestamp === undefined ? undefined : timeOf(object.timestamp));
  if (typeof observedUs === "object") return observedUs;
  const { unit } = object;
  // Without one it would be stored with the unit 1, and judged with what is of another. Where the unit is known it may be anything, as
  // Modbus calls its devices units and gives them numbers.
  if (base.unit === undefined && unit !== undefined && unit !== null && typeof unit !== "string")
    return skipped("bad_unit", `unit ${quotedValue(unit)} is no text: give a text such as "bar", or none`);
  return {
    sensorId: base.sensorId,
    sensorType: textOf(object.type) ?? base.sensorType,
    unit: textOf(unit) ?? base.unit,
    location: textOf(object.location) ?? base.location,
    attributes: attributesOf(object.attributes) ?? base.attributes,
    observedUs,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Texts, and numbers and truth values as text; what is nested is left out. */
export function attributesOf(value: unknown): Record<string, string> | undefined {
  if (!isObject(value)) return undefined;
  const entries = Object.entries(value).filter(([, each]) => ["string", "number", "boolean"].includes(typeof each));
  return entries.length === 0 ? undefined : Object.fromEntries(entries.map(([key, each]) => [key, String(each)]));
}

function fieldReadings(message: Message, object: JsonObject, about: Base): Mapped {
  const readings: MappedReading[] = [];
  let leftOut: Skipped | undefined;
  const observed = timeFor(message, about.observedUs);
  if (typeof observed !== "number") return observed;
  for (const [name, field] of Object.entries(object)) {
    if (ABOUT.has(name) || (typeof field !== "number" && typeof field !== "boolean")) continue;
    if (readings.length === MAX_READINGS_OF_A_MESSAGE) {
      return skipped("too_large", `the object has more than ${MAX_READINGS_OF_A_MESSAGE} numbers`);
    }
    const value = numberOf(field);
    if (value === undefined) {
      leftOut ??= skipped("not_a_number", `${quoted(name)} is a number that is too large`);
      continue;
    }
    const sensorId = `${about.sensorId}/${name}`;
    readings.push(readingOf({ ...about, sensorId, sensorType: about.sensorType ?? name }, value, observed));
  }
  if (readings.length > 0) return { readings, leftOut };
  return leftOut ?? skipped("no_value", 'the object has no number: give "value", or fields with numbers');
}

function oneReading(message: Message, base: Base, value: number): Mapped {
  const observed = timeFor(message, base.observedUs);
  return typeof observed === "number" ? { readings: [readingOf(base, value, observed)] } : observed;
}

export function readingOf(base: Base, value: number, observedUs: number): MappedReading {
  const { sensorId, sensorType = DEFAULT_TYPE, unit = DEFAULT_UNIT, location, attributes } = base;
  return { sensorId, sensorType, unit, location, attributes, value, observedUs };
}

/** A value of before, published whenever, must not pass for one of now. */
export function timeFor(message: Message, observedUs: number | undefined): number | Skipped {
  if (observedUs !== undefined) return observedUs;
  if (!message.retained) return message.arrivedUs;
  return skipped("retained", "the message is a retained one without a timestamp: when it was measured is not known");
}
