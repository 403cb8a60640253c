/** A rule of the mapping file at work: from a topic and a payload to readings. Pure. */
import type { JsonPath } from "./json-path.ts";
import { valueAt } from "./json-path.ts";
import { type Mapped, type MappedReading, type Mapper, type Message, skipped } from "./message.ts";
import { type Base, numberOf, parsePayload, readingOf, readValue, timeFor, timeOf } from "./payload.ts";
import type { TextTemplate } from "./text-template.ts";
import type { Captures, TopicFilter } from "./topics.ts";

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
  readonly #rules: readonly Rule[];

  /** @param rules the first whose topic matches counts */
  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  map(message: Message): Mapped | undefined {
    for (const rule of this.#rules) {
      const captures = rule.topic.match(message.topic);
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
  for (const reading of readings) {
    const base = baseOf(reading, captures, payload, observedUs);
    if (base === undefined) continue;
    if (reading.value === undefined) {
      const mapped = readValue(message, payload, base);
      if ("skipped" in mapped) return mapped;
      all.push(...mapped.readings);
      continue;
    }
    const value = numberOf(valueAt(payload, reading.value));
    if (value === undefined) continue;
    const observed = timeFor(message, observedUs);
    if (typeof observed !== "number") return observed;
    all.push(readingOf(base, value, observed));
  }
  if (all.length > 0) return { readings: all };
  return skipped("no_value", "the payload has no number where the rule's paths lead, or no text for the sensor id");
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
