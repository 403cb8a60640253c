/** Values that protobuf and JSON write differently: times and free-form objects. */
import type { Raw, Shaped } from "./tables.ts";

/** ISO 8601 in UTC with six decimals, whatever the time, so that texts sort as times do. */
export function fromTimestamp(timestamp: Raw): string {
  const seconds = Number(timestamp.seconds ?? 0);
  const micros = Math.floor(Number(timestamp.nanos ?? 0) / 1000);
  const whole = new Date(seconds * 1000).toISOString();
  return `${whole.slice(0, -5)}.${String(micros).padStart(6, "0")}Z`;
}

// RFC 3339, and what ISO 8601 allows beside it: no seconds, a blank for the T, no offset (taken as UTC), a date alone.
const ISO_TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9})\d*)?)?(?:([Zz])|([+-])(\d{2}):?(\d{2})?)?)?$/;

export interface Instant {
  /** Whole seconds since 1970-01-01T00:00:00Z. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanos: number;
}

/** The instant that a text names, or undefined where it names none. */
export function parseTime(text: string): Instant | undefined {
  const match = ISO_TIME.exec(text.trim());
  if (match === null) return undefined;
  const [
    ,
    year,
    month,
    day,
    hour = "0",
    minute = "0",
    second = "0",
    fraction = "",
    ,
    sign,
    offsetHour = "0",
    offsetMinute = "0",
  ] = match;
  const parts = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [, monthNumber, dayNumber, hours, minutes, seconds] = parts;
  if (hours > 23 || minutes > 59 || seconds > 59 || Number(offsetHour) > 23 || Number(offsetMinute) > 59)
    return undefined;
  const date = new Date(0);
  date.setUTCFullYear(parts[0], monthNumber - 1, dayNumber);
  if (date.getUTCMonth() !== monthNumber - 1 || date.getUTCDate() !== dayNumber) return undefined;
  date.setUTCHours(hours, minutes, seconds);
  const offsetSeconds = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60 * (sign === "-" ? -1 : 1);
  return { seconds: date.getTime() / 1000 - offsetSeconds, nanos: Number(fraction.padEnd(9, "0")) };
}

/**
 * A Timestamp out of a text, a Date or a number of milliseconds.
 *
 * @throws RangeError where it names no time
 */
export function timestampFrom(value: unknown, decoder: "proto" | "es"): Raw {
  const text = value instanceof Date ? value.toISOString() : String(value);
  const instant = parseTime(text);
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
