/** A rule of the mapping file at work: from a topic and a payload to readings. Pure. */

import { quoted, quotedValue } from "../../../lib/quoted.ts";
import type { JsonPath } from "./json-path.ts";
import { valueAt } from "./json-path.ts";
import { type Mapped, type MappedReading, type Mapper, type Message, type Skipped, skipped } from "./message.ts";
import { type Base, numberOf, parsePayload, readingOf, readValue, timeFor, timeOf } from "./payload.ts";
import type { TextTemplate } from "./text-template.ts";
import { type Captures, FilterTable, type TopicFilter } from "./topics.ts";

/** What a rule says of one reading. */
export interface RuleReading {
  readonly sensorId: TextTemplate;
  readonly sensorType: TextTemplate | undefined;
  readonly unit: TextTemplate | undefined;
  readonly location: TextTemplate | undefined;
  readonly attributes: readonly (readonly [name: string, value: TextTemplate])[];
  /** Undefined: the payload is read as that of any device, a number or an object. */
  readonly value: JsonPath | undefined;
}

export interface Rule {
  readonly topic: TopicFilter;
  readonly timestamp: JsonPath | undefined;
  readonly readings: readonly RuleReading[];
}

export class RuleMapper implements Mapper {
  readonly #rules: FilterTable<Rule>;

  /** @param rules the first whose topic matches counts */
  constructor(rules: readonly Rule[]) {
    this.#rules = new FilterTable(rules, ({ topic }) => topic.filter);
  }

  map(message: Message): Mapped | undefined {
    for (const rule of this.#rules.matching(message.topic)) {
      const captures = rule.topic.capture(message.topic);
      if (captures !== undefined) return apply(rule, captures, message);
    }
    return undefined;
  }
}

function apply({ timestamp, readings }: Rule, captures: Captures, message: Message): Mapped {
  const parsed = parsePayload(message.payload);
  if ("skipped" in parsed) return parsed;
  const payload = parsed.value;
  const time = timestamp === undefined ? undefined : valueAt(payload, timestamp);
  const observedUs = time === undefined || time === null ? undefined : timeOf(time);
  if (typeof observedUs === "object") return observedUs;
  const all: MappedReading[] = [];
  let leftOut: Skipped | undefined;
  for (const reading of readings) {
    const base = baseOf(reading, captures, payload, observedUs);
    if (base === undefined) continue;
    if (reading.value === undefined) {
      const mapped = readValue(message, payload, base);
      if ("skipped" in mapped) return mapped;
      all.push(...mapped.readings);
      leftOut ??= mapped.leftOut;
      continue;
    }
    const found = valueAt(payload, reading.value);
    if (found === undefined || found === null) continue;
    const value = numberOf(found);
    if (value === undefined) {
      leftOut ??= skipped(
        "not_a_number",
        `the value of ${quoted(base.sensorId)} is ${quotedValue(found)}, not a number`,
      );
      continue;
    }
    const observed = timeFor(message, observedUs);
    if (typeof observed !== "number") return observed;
    all.push(readingOf(base, value, observed));
  }
  if (all.length > 0) return { readings: all, leftOut };
  return (
    leftOut ??
    skipped("no_value", "the payload has no number where the rule's paths lead, or no text for the sensor id")
  );
}

/** Undefined where the payload lacks what the sensor id is made of. */
function baseOf(
  reading: RuleReading,
  captures: Captures,
  payload: unknown,
  observedUs: number | undefined,
): Base | undefined {
  const sensorId = reading.sensorId(captures, payload);
  if (sensorId === undefined) return undefined;
  const given = reading.attributes.flatMap(([name, value]) => {
    const text = value(captures, payload);
    return text === undefined ? [] : [[name, text] as const];
  });
  return {
    sensorId,
    sensorType: reading.sensorType?.(captures, payload),
    unit: reading.unit?.(captures, payload),
    location: reading.location?.(captures, payload),
    attributes: given.length === 0 ? undefined : Object.fromEntries(given),
    observedUs,
  };
}
