/** Values that protobuf and JSON write differently: times and free-form objects. */
import { parseIso } from "../../formats/time.ts";
import type { Raw, Shaped } from "./tables.ts";

/** ISO 8601 in UTC with six decimals, whatever the time, so that texts sort as times do. */
export function fromTimestamp(timestamp: Raw): string {
  const seconds = Number(timestamp.seconds ?? 0);
  const micros = Math.floor(Number(timestamp.nanos ?? 0) / 1000);
  const whole = new Date(seconds * 1000).toISOString();
  return `${whole.slice(0, -5)}.${String(micros).padStart(6, "0")}Z`;
}

/**
 * A Timestamp out of a text, a Date or a number of milliseconds.
 *
 * @throws RangeError where it names no time
 */
export function timestampFrom(value: unknown, decoder: "proto" | "es"): Raw {
  const text = value instanceof Date ? value.toISOString() : String(value);
  const instant = parseIso(text);
  if (instant === undefined) throw new RangeError(`${JSON.stringify(text)} is not an ISO 8601 time.`);
  // Whole microseconds count, as in the contracts.
  const nanos = instant.nanos - (instant.nanos % 1000);
  return { seconds: decoder === "es" ? BigInt(instant.seconds) : instant.seconds, nanos };
}

/** google.protobuf.Struct as grpc-js takes it. */
export function toStruct(object: Shaped): Raw {
  return { fields: Object.fromEntries(Object.entries(object).map(([key, value]) => [key, toValue(value)])) };
}

function toValue(value: unknown): Raw {
  if (value === null || value === undefined) return { nullValue: 0 };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
  return { structValue: toStruct(value as Shaped) };
}

/** Plain JSON out of a google.protobuf.Struct as grpc-js decodes it. */
export function fromStruct(struct: Raw): Shaped {
  const fields = (struct.fields ?? {}) as Record<string, Raw>;
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, fromValue(value)]));
}

function fromValue(value: Raw): unknown {
  if (value.structValue != null) return fromStruct(value.structValue as Raw);
  if (value.listValue != null) return ((value.listValue as Raw).values as Raw[]).map(fromValue);
  return value.stringValue ?? value.numberValue ?? value.boolValue ?? null;
}
