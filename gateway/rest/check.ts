/** Checks one value of a request against its field in the contract. Texts of numbers are numbers; numbers for texts are not. */
import type { DescField } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { isLong, isUnsigned } from "../mesh/map.ts";
import { fromTimestamp, parseTime } from "../mesh/values.ts";
import { bad, type Checked } from "./problem.ts";
import { fieldRules, type Limits } from "./rules.ts";

/** protobuf's own parsers stop at 100; nothing that a person writes comes near. */
const MAX_METADATA_DEPTH = 32;

export function checkField(field: DescField, value: unknown): Checked {
  const limits = fieldRules(field);
  if (field.message?.typeName === "google.protobuf.Timestamp") return checkTime(value, limits);
  if (field.message?.typeName === "google.protobuf.Struct") return checkObject(value);
  if (field.enum !== undefined) return checkText(value, { required: false });
  if (field.scalar === ScalarType.STRING) return checkText(value, limits);
  if (field.scalar === ScalarType.BOOL) return checkBoolean(value);
  if (field.scalar === ScalarType.DOUBLE) return checkNumber(value, limits);
  if (field.scalar === ScalarType.INT32 || field.scalar === ScalarType.UINT32 || isLong(field))
    return checkInteger(value, isUnsigned(field) ? { atLeast: 0, ...limits } : limits);
  throw new Error(`REST has no check for ${field.name} of the contract.`);
}

function checkText(value: unknown, { minLength = 0, maxLength, notContains }: Limits): Checked {
  if (typeof value !== "string") return bad("string_type", "Input should be a valid string");
  if (!value.isWellFormed())
    return bad("string_type", "Input should be a valid string: half a surrogate pair stands alone");
  if (value.includes(notContains ?? "\0")) return bad("string_type", "Input should be a valid string without NUL");
  const length =
    value.length <= minLength || (maxLength !== undefined && value.length > maxLength) ? [...value].length : undefined;
  if (length !== undefined && length < minLength)
    return bad("string_too_short", `String should have at least ${characters(minLength)}`, { min_length: minLength });
  if (length !== undefined && maxLength !== undefined && length > maxLength)
    return bad("string_too_long", `String should have at most ${characters(maxLength)}`, { max_length: maxLength });
  return { value };
}

function characters(count: number): string {
  return `${count} character${count === 1 ? "" : "s"}`;
}

const NUMBER = /^[+-]?(\d+(_\d+)*\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const NOT_FINITE = /^[+-]?(nan|inf|infinity)$/i;

function checkNumber(value: unknown, { finite = false, atLeast, atMost }: Limits): Checked {
  let number = value;
  if (typeof value === "string") {
    const text = value.trim();
    if (NOT_FINITE.test(text)) number = Number.NaN;
    else if (NUMBER.test(text)) number = Number(text.replaceAll("_", ""));
    else return bad("float_parsing", "Input should be a valid number, unable to parse string as a number");
  }
  if (typeof number !== "number") return bad("float_type", "Input should be a valid number");
  if (finite && !Number.isFinite(number)) return bad("finite_number", "Input should be a finite number");
  return inRange(number, atLeast, atMost);
}

const INTEGER = /^\s*([+-]?\d+)(?:\.0+)?\s*$/;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

function checkInteger(value: unknown, { atLeast, atMost }: Limits): Checked {
  const match = INTEGER.exec(String(value));
  if (match === null)
    return bad("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
  const integer = BigInt(match[1]!.replace("+", ""));
  if (integer > INT64_MAX || integer < INT64_MIN)
    return bad("int_parsing", "Input should be a valid integer of at most 64 bits");
  const checked = inRange(Number(integer), atLeast, atMost);
  if ("problem" in checked) return checked;
  // No id has more than 53 bits: the largest that a number holds exactly stands for all beyond it, and finds nothing either.
  const { MAX_SAFE_INTEGER: most } = Number;
  return { value: Math.max(-most, Math.min(most, Number(integer))) };
}

function inRange(number: number, atLeast: number | undefined, atMost: number | undefined): Checked {
  if (atLeast !== undefined && number < atLeast)
    return bad("greater_than_equal", `Input should be greater than or equal to ${atLeast}`, { ge: atLeast });
  if (atMost !== undefined && number > atMost)
    return bad("less_than_equal", `Input should be less than or equal to ${atMost}`, { le: atMost });
  return { value: number };
}

const TRUE = new Set(["true", "1", "yes", "on", "t", "y"]);
const FALSE = new Set(["false", "0", "no", "off", "f", "n"]);

function checkBoolean(value: unknown): Checked {
  const text = String(value).toLowerCase();
  if (TRUE.has(text)) return { value: true };
  if (FALSE.has(text)) return { value: false };
  return bad("bool_parsing", "Input should be a valid boolean, unable to interpret input");
}

/** The years that a protobuf Timestamp holds. */
const EARLIEST_SECONDS = -62_135_596_800;

function checkTime(value: unknown, { atLeast }: Limits): Checked {
  // A "+" that was not encoded reaches us as a blank.
  const text =
    typeof value === "string"
      ? value.replace(/ (\d{2}:?\d{2})$/, (all, offset, at) => (at > 10 ? `+${offset}` : all))
      : "";
  const instant = parseTime(text);
  if (instant === undefined || instant.seconds < EARLIEST_SECONDS)
    return bad("datetime_parsing", "Input should be a valid datetime in ISO 8601, such as 2026-01-31T12:00:00Z");
  if (atLeast !== undefined && instant.seconds < atLeast) {
    const limit = fromTimestamp({ seconds: atLeast });
    return bad("greater_than_equal", `Input should be at or after ${limit}`, { ge: limit });
  }
  return { value: text };
}

function checkObject(value: unknown): Checked {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return bad("dict_type", "Input should be a valid dictionary");
  const wrong = wrongInside(value, 1);
  return wrong === undefined ? { value } : wrong;
}

/** What protobuf or the database could not take, anywhere inside. */
function wrongInside(value: unknown, depth: number): Checked | undefined {
  if (depth > MAX_METADATA_DEPTH) return bad("dict_type", `Input should be nested at most ${MAX_METADATA_DEPTH} deep`);
  if (typeof value === "number" && !Number.isFinite(value))
    return bad("finite_number", "Input should be a finite number");
  if (typeof value === "string") {
    const checked = checkText(value, { required: false });
    return "problem" in checked ? checked : undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const wrong = wrongInside(key, depth) ?? wrongInside(inner, depth + 1);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
