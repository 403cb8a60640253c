/** Reads the limits of a field off the contract's protovalidate rules, so that no second list of limits exists. */
import { type DescField, getOption, hasOption } from "@bufbuild/protobuf";
import { field as fieldRulesOption } from "../../gen/es/buf/validate/validate_pb.ts";
import { ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";

export interface Limits {
  /** Must be there. Strings that need a character must be, too: proto3 cannot tell an absent one from an empty one. */
  readonly required: boolean;
  /** In Unicode code points. */
  readonly minLength?: number;
  /** In Unicode code points. */
  readonly maxLength?: number;
  /** Text that must not occur. */
  readonly notContains?: string;
  /** What the whole text has to match. */
  readonly pattern?: RegExp;
  readonly finite?: boolean;
  /** Inclusive. Times: in seconds since 1970. */
  readonly atLeast?: number;
  /** Inclusive. */
  readonly atMost?: number;
}

const known = new WeakMap<DescField, Limits>();

export function fieldRules(desc: DescField): Limits {
  let limits = known.get(desc);
  if (limits === undefined) {
    limits = read(desc);
    known.set(desc, limits);
  }
  return limits;
}

/** Characters of a sensor's id in a POST: what the clients of the former platform rely on is narrower than the contract. */
const MAX_POSTED_SENSOR_ID = 50;

/** The limits of a field of a REST request. */
export function restRules(desc: DescField): Limits {
  const limits = fieldRules(desc);
  return desc === ReadingSchema.field.sensorId ? { ...limits, maxLength: MAX_POSTED_SENSOR_ID } : limits;
}

function read(desc: DescField): Limits {
  if (!hasOption(desc, fieldRulesOption)) return { required: false };
  const rules = getOption(desc, fieldRulesOption);
  const required = rules.required === true;
  switch (rules.type.case) {
    case "string": {
      const { minLen, maxLen, notContains, pattern } = rules.type.value;
      return {
        required: required || minLen > 0n,
        ...(minLen > 0n ? { minLength: Number(minLen) } : {}),
        ...(maxLen > 0n ? { maxLength: Number(maxLen) } : {}),
        ...(notContains !== "" ? { notContains } : {}),
        ...(pattern !== "" ? { pattern: new RegExp(pattern, "u") } : {}),
      };
    }
    case "double":
      return { required, finite: rules.type.value.finite, ...range(rules.type.value) };
    case "int32":
    case "uint32":
    case "int64":
    case "uint64":
    case "timestamp":
      return { required, ...range(rules.type.value) };
    default:
      return { required };
  }
}

interface Range {
  greaterThan: { case?: string | undefined; value?: unknown };
  lessThan: { case?: string | undefined; value?: unknown };
}

/** Only the inclusive ends: no contract that outsiders reach uses the exclusive ones. */
function range({ greaterThan, lessThan }: Range): { atLeast?: number; atMost?: number } {
  return {
    ...(greaterThan.case === "gte" ? { atLeast: asNumber(greaterThan.value) } : {}),
    ...(lessThan.case === "lte" ? { atMost: asNumber(lessThan.value) } : {}),
  };
}

function asNumber(value: unknown): number {
  return typeof value === "object" ? Number((value as { seconds: bigint }).seconds) : Number(value);
}
