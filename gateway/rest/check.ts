/** Checks one value of a request against its field in the contract. Texts of numbers are numbers; numbers for texts are not. */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { parseIso, timeHint } from "../../formats/time.ts";
import { enumNames, isLong, isUnsigned } from "../mesh/map.ts";
import { fromTimestamp } from "../mesh/values.ts";
import { MAX_METADATA_DEPTH, MAX_METADATA_VALUES } from "../nesting.ts";
import { bad, type Checked } from "./problem.ts";
import { type Limits, restRules } from "./rules.ts";

export function checkField(field: DescField, value: unknown): Checked {
  if (field.fieldKind === "list")
    return field.message === undefined ? checkTexts(value) : checkObjects(field.message, value);
  if (field.fieldKind === "map") return checkTextMap(value);
  const limits = restRules(field);
  if (field.message?.typeName === "google.protobuf.Timestamp") return checkTime(value, limits);
  if (field.message?.typeName === "google.protobuf.Struct") return checkObject(value);
  if (field.message !== undefined) return checkMessage(field.message, value);
  if (field.enum !== undefined) return checkText(value, { required: false });
  if (field.scalar === ScalarType.STRING) return checkText(value, limits);
  if (field.scalar === ScalarType.BOOL) return checkBoolean(value);
  if (field.scalar === ScalarType.DOUBLE) return checkNumber(value, limits);
  if (field.scalar === ScalarType.INT32 || field.scalar === ScalarType.UINT32 || isLong(field))
    return checkInteger(value, isUnsigned(field) ? { atLeast: 0, ...limits } : limits);
  throw new Error(`REST has no check for ${field.name} of the contract.`);
}

function checkText(value: unknown, { minLength = 0, maxLength, notContains, pattern }: Limits): Checked {
  if (typeof value !== "string") return bad("string_type", "Input should be a valid string");
  if (!value.isWellFormed())
    return bad("string_type", "Input should be a valid string: half a surrogate pair stands alone");
  if (value.includes(notContains ?? "\0")) return bad("string_type", "Input should be a valid string without NUL");
  if (pattern?.test(value) === false)
    return bad("string_type", "Input should be a valid string without control characters");
  const length =
    value.length <= minLength || (maxLength !== undefined && value.length > maxLength) ? [...value].length : undefined;
  if (length !== undefined && length < minLength)
    return bad("string_too_short", `String should have at least ${characters(minLength)}`, { min_length: minLength });
  if (length !== undefined && maxLength !== undefined && length > maxLength)
    return bad("string_too_long", `String should have at most ${characters(maxLength)}`, { max_length: maxLength });
  return { value };
}

/** Of a list of objects with names of their own, each field as in a body. */
function checkObjects({ fields }: DescMessage, list: unknown): Checked {
  if (!Array.isArray(list)) return bad("list_type", "Input should be a valid list");
  const value: object[] = [];
  for (const [index, item] of list.entries()) {
    if (typeof item !== "object" || item === null || Array.isArray(item))
      return bad("dict_type", `Input should be a valid dictionary (at index ${index})`);
    const known: Record<string, unknown> = {};
    for (const [name, given] of Object.entries(item)) {
      const field = fields.find((each) => each.name === name);
      if (field === undefined) {
        const names = fields.map((each) => each.name).join(", ");
        return bad("extra_forbidden", `Input should have no other names than ${names} (at index ${index})`);
      }
      const checked = checkBodyField(field, given);
      if ("problem" in checked) return bad(checked.problem.type, `${checked.problem.msg} (${name} at index ${index})`);
      known[name] = checked.value;
    }
    const missing = fields.find((each) => restRules(each).required && !(each.name in known));
    if (missing !== undefined) return bad("missing", `Field required (${missing.name} at index ${index})`);
    value.push(known);
  }
  return { value };
}

/** A list of texts; how long it and they may be the service says. */
function checkTexts(value: unknown): Checked {
  if (!Array.isArray(value)) return bad("list_type", "Input should be a valid list");
  for (const [index, text] of value.entries()) {
    const checked = checkText(text, { required: false });
    if ("problem" in checked) return bad(checked.problem.type, `${checked.problem.msg} (at index ${index})`);
  }
  return { value };
}

/** An object of texts. */
function checkTextMap(value: unknown): Checked {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return bad("dict_type", "Input should be a valid dictionary");
  for (const [key, text] of Object.entries(value)) {
    const checked = [key, text].map((each) => checkText(each, { required: false })).find((each) => "problem" in each);
    if (checked !== undefined && "problem" in checked)
      return bad(checked.problem.type, `${checked.problem.msg} (at ${JSON.stringify(key.toWellFormed())})`);
  }
  return { value };
}

/** An object with fields of its own; names that it does not have are ignored, as in a body. */
function checkMessage({ fields }: DescMessage, value: unknown): Checked {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return bad("dict_type", "Input should be a valid dictionary");
  const given = value as Readonly<Record<string, unknown>>;
  const taken: Record<string, unknown> = {};
  for (const field of fields) {
    const inner = Object.hasOwn(given, field.name) ? (given[field.name] ?? undefined) : undefined;
    if (inner === undefined) continue;
    const checked = checkBodyField(field, inner);
    if ("problem" in checked) return bad(checked.problem.type, `${checked.problem.msg} (at "${field.name}")`);
    taken[field.name] = checked.value;
  }
  return { value: taken };
}

/** A field of a body: JSON has booleans of its own, and a name that an enum does not have is no filter that matches nothing. */
export function checkBodyField(field: DescField, value: unknown): Checked {
  if (field.enum !== undefined) return checkEnumName(field, value);
  if (field.scalar === ScalarType.BOOL && typeof value !== "boolean")
    return bad("bool_type", "Input should be a valid boolean");
  return checkField(field, value);
}

/** One of the names of an enum, or the empty text for none. */
function checkEnumName(field: DescField, value: unknown): Checked {
  const names = ["", ...[...enumNames(field.enum!)].filter(([number]) => number !== 0).map(([, name]) => name)];
  if (names.includes(value as string)) return { value };
  const wanted = names.slice(1).map((name) => `'${name}'`);
  const expected = `${wanted.slice(0, -1).join(", ")} or ${wanted.at(-1)}`;
  return bad("enum", `Input should be ${expected}`, { expected });
}

function characters(count: number): string {
  return `${count} character${count === 1 ? "" : "s"}`;
}

// No two of its parts may take the same digits: a long text that is no number would be tried in every division.
const NUMBER = /^[+-]?(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
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
  const instant = parseIso(text);
  if (instant === undefined || instant.seconds < EARLIEST_SECONDS)
    return bad("datetime_parsing", `Input should be a valid datetime in ISO 8601, ${wantedTime(text)}`);
  if (atLeast !== undefined && instant.seconds < atLeast) {
    const limit = fromTimestamp({ seconds: atLeast });
    return bad("greater_than_equal", `Input should be at or after ${limit}`, { ge: limit });
  }
  return { value: text };
}

/** A bare number may be meant as a year or a day: what to write for it. */
function wantedTime(text: string): string {
  return /^\s*(?:\d{4}|\d{8})\s*$/.test(text) ? timeHint(text) : "such as 2026-01-31T12:00:00Z";
}

function checkObject(value: unknown): Checked {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return bad("dict_type", "Input should be a valid dictionary");
  const wrong = wrongInside(value, 1, { values: 0 });
  return wrong === undefined ? { value } : wrong;
}

/** What protobuf or the database could not take, anywhere inside. */
function wrongInside(value: unknown, depth: number, seen: { values: number }): Checked | undefined {
  if (++seen.values > MAX_METADATA_VALUES)
    return bad("dict_type", `Input should hold at most ${MAX_METADATA_VALUES} names and values`);
  if (depth > MAX_METADATA_DEPTH) return bad("dict_type", `Input should be nested at most ${MAX_METADATA_DEPTH} deep`);
  if (typeof value === "number" && !Number.isFinite(value))
    return bad("finite_number", "Input should be a finite number");
  if (typeof value === "string") {
    const checked = checkText(value, { required: false });
    return "problem" in checked ? checked : undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  // Lists without their indices: there may be a million.
  const entries = Array.isArray(value)
    ? value.slice(0, MAX_METADATA_VALUES).map((inner) => ["", inner])
    : Object.entries(value);
  for (const [key, inner] of entries) {
    const wrong = wrongInside(key, depth, seen) ?? wrongInside(inner, depth + 1, seen);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
