/**
 * The subset of Home Assistant's value templates that is known here: one expression of `value` or `value_json` with filters, and text around
 * it. Pure: a template of the broker is never run, only these forms of it.
 */
import { type JsonPath, parsePath, valueAt } from "../json-path.ts";

/** The state as text; undefined where the payload has nothing in that place. */
export type ValueTemplate = (payload: string) => string | undefined;

type Filter = (value: unknown) => unknown;

const EXPRESSION = /^\s*\{\{-?\s*([^{}]*?)\s*-?\}\}\s*$/;
const CALL = /^([a-z_]+)(?:\(\s*([^()]*?)\s*\))?$/;
const NUMBER = /^[+-]?\d+(?:\.\d+)?$/;
const MAX_TEMPLATE = 500;

/** @returns the template, or what is not known of it, as the end of a sentence */
export function valueTemplate(text: string): ValueTemplate | string {
  if (text.length > MAX_TEMPLATE) return "is longer than 500 characters";
  const inner = EXPRESSION.exec(text)?.[1];
  if (inner === undefined) return "is no single {{ … }}";
  const [source = "", ...calls] = inner.split("|").map((part) => part.trim());
  const path = sourcePath(source);
  if (path === undefined)
    return `has "${source}": known are value, value_json.name, value_json['name'] and value_json[0]`;
  const filters: Filter[] = [];
  for (const call of calls) {
    const filter = filterOf(call);
    if (filter === undefined)
      return `has the filter "${call}": known are float, int, round, abs, multiply, is_defined and default`;
    filters.push(filter);
  }
  return (payload) => {
    const value = filters.reduce((at, filter) => filter(at), path === "value" ? payload : fromJson(payload, path));
    if (typeof value === "number") return Number.isFinite(value) ? String(value) : undefined;
    // As Python writes them.
    if (typeof value === "boolean") return value ? "True" : "False";
    return typeof value === "string" ? value : undefined;
  };
}

function sourcePath(source: string): JsonPath | "value" | undefined {
  if (source === "value") return "value";
  if (!source.startsWith("value_json")) return undefined;
  return parsePath(`$${source.slice("value_json".length)}`);
}

function fromJson(payload: string, path: JsonPath): unknown {
  try {
    return valueAt(JSON.parse(payload) as unknown, path);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/** Jinja's `float`, `int` and `round`, with their defaults; the others as Home Assistant has them. */
function filterOf(call: string): Filter | undefined {
  const [, name, argument = ""] = CALL.exec(call) ?? [];
  const number = NUMBER.test(argument) ? Number(argument) : undefined;
  if (argument !== "" && number === undefined) return undefined;
  switch (name) {
    case "float":
      return (value) => toNumber(value) ?? number;
    case "int":
      return (value) => {
        const found = toNumber(value);
        return found === undefined ? number : Math.trunc(found);
      };
    case "round":
      return (value) => {
        const found = toNumber(value);
        return found === undefined ? undefined : rounded(found, number ?? 0);
      };
    case "abs":
      return (value) => {
        const found = toNumber(value);
        return found === undefined ? undefined : Math.abs(found);
      };
    case "multiply":
      return number === undefined
        ? undefined
        : (value) => {
            const found = toNumber(value);
            return found === undefined ? undefined : found * number;
          };
    case "default":
      return number === undefined ? undefined : (value) => value ?? number;
    case "is_defined":
      return argument === "" ? (value) => value : undefined;
    default:
      return undefined;
  }
}

function toNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function rounded(value: number, digits: number): number {
  const shift = 10 ** Math.min(15, Math.max(-15, Math.trunc(digits)));
  return Math.round(value * shift) / shift;
}
