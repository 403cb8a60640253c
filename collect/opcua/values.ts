/** What a server says of a value, and what a reading becomes of it. Pure. */
import type { DataValue, Variant } from "node-opcua-client";
import type { DeviceReading } from "../../client/index.ts";
import { quotedValue } from "../../server/lib/quoted.ts";
import type { LossReason } from "../counters.ts";
import type { NodeSettings } from "./config.ts";

/** In the bits of a status code (OPC 10000-4, 7.39): severity, and that the server's queue has overflowed. */
const SEVERITY_SHIFT = 30;
const UNCERTAIN = 1;
const DATA_VALUE_OVERFLOW = 0x0480;

export type FoundReading = DeviceReading & { readonly observedAtUs: number };
export type Found = FoundReading | { readonly reason: LossReason; readonly why: string; readonly observedAtUs: number };

/**
 * @param nowUs where the server gives no time
 * @returns a reading with the source's own time; an uncertain value says so in its metadata
 */
export function readingOf(node: NodeSettings, data: DataValue, nowUs: number): Found {
  const { sensorId, sensorType, unit, location, attributes } = node;
  const { statusCode } = data;
  const observedAtUs = timeOf(data) ?? nowUs;
  const severity = statusCode.value >>> SEVERITY_SHIFT;
  if (severity > UNCERTAIN)
    return { reason: "bad_status", why: `the server calls it ${statusCode.name}`, observedAtUs };
  const value = numberOf(data.value);
  if (value === undefined || !Number.isFinite(value)) {
    return { reason: "not_a_number", why: `the value is ${textOf(data.value)}`, observedAtUs };
  }
  return {
    ...{ sensorId, sensorType, unit, value, observedAtUs },
    ...(location !== undefined && { location }),
    ...(attributes !== undefined && { attributes }),
    ...(severity === UNCERTAIN && { metadata: { opcua_status: statusCode.name } }),
  };
}

export function isReading(found: Found): found is FoundReading {
  return !("reason" in found);
}

/** Whether values before this one were lost in the server. */
export function hasOverflowed({ statusCode }: DataValue): boolean {
  return (statusCode.value & DATA_VALUE_OVERFLOW) === DATA_VALUE_OVERFLOW;
}

/** In a Variant (OPC 10000-6, 5.1.2); and that it is no array. */
const INT64 = 8;
const UINT64 = 9;
const SCALAR = 0;

/** A scalar number or truth value; undefined for anything else. */
export function numberOf({ value, dataType, arrayType }: Pick<Variant, "value" | "dataType" | "arrayType">) {
  if (arrayType !== SCALAR) return undefined;
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (dataType !== INT64 && dataType !== UINT64) return undefined;
  // The upper and the lower half, both without a sign.
  const [upper, lower] = value as [number, number];
  return (dataType === INT64 ? upper | 0 : upper) * 2 ** 32 + lower;
}

function textOf({ value, arrayType }: Pick<Variant, "value" | "arrayType">): string {
  if (arrayType !== SCALAR) return "a list";
  return typeof value === "object" && value !== null ? "no number" : quotedValue(value ?? undefined);
}

/** Whole microseconds; the library keeps what is below a millisecond apart. */
function timeOf({ sourceTimestamp, sourcePicoseconds, serverTimestamp, serverPicoseconds }: DataValue) {
  if (sourceTimestamp) return toUs(sourceTimestamp, sourcePicoseconds);
  return serverTimestamp ? toUs(serverTimestamp, serverPicoseconds) : undefined;
}

function toUs(at: Date, picoseconds: number): number {
  return at.getTime() * 1_000 + Math.floor(picoseconds / 1e6);
}
