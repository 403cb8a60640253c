/** Metrics of Sparkplug payloads as numbers. Pure. */
import type { Metric, PropertySet } from "../../../../../gen/es/sparkplug/v1/payload_pb.ts";

/** What a birth message says of a metric, which later messages name by its alias alone. */
export interface Definition {
  readonly name: string;
  /** Undefined: the edge node's own. */
  readonly device: string | undefined;
  readonly datatype: number;
  readonly unit: string | undefined;
}

const DATATYPE = { int8: 1, int16: 2, int32: 3, int64: 4, uint64: 8, double: 10, boolean: 11 } as const;
/** OPC UA's "good", as the property Quality says it. */
const GOOD = 192;

/** The value as a number, truth values as 1 and 0; undefined for null, texts and what is no number. */
export function numberOfMetric(metric: Metric, datatype: number): number | undefined {
  if (metric.isNull === true) return undefined;
  const { value, case: kind } = metric.value;
  if (kind === "floatValue" || kind === "doubleValue") return value;
  if (kind === "booleanValue") return value ? 1 : 0;
  // Integers are sent for truth values too; times are no measurements.
  if (kind === "intValue") return datatype <= DATATYPE.boolean ? signed(value, datatype) : undefined;
  if (kind !== "longValue" || datatype > DATATYPE.boolean) return undefined;
  return Number(datatype <= DATATYPE.int64 ? BigInt.asIntN(64, value) : value);
}

function signed(value: number, datatype: number): number {
  if (datatype === DATATYPE.int8) return (value << 24) >> 24;
  if (datatype === DATATYPE.int16) return (value << 16) >> 16;
  return datatype === DATATYPE.int32 || datatype === DATATYPE.int64 ? value | 0 : value;
}

/** Whether the metric itself says that its value is not to be trusted. */
export function isBad({ properties }: Metric): boolean {
  const quality = property(properties, "Quality");
  return quality?.case === "intValue" && quality.value !== GOOD;
}

export function unitOf({ properties }: Metric): string | undefined {
  const unit = property(properties, "engUnit") ?? property(properties, "Engineering Units");
  return unit?.case === "stringValue" && unit.value !== "" ? unit.value : undefined;
}

function property(properties: PropertySet | undefined, name: string) {
  const index = properties?.keys.indexOf(name) ?? -1;
  return index < 0 ? undefined : properties?.values[index]?.value;
}
