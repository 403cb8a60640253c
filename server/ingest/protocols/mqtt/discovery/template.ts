/**
 * The subset of Home Assistant's value templates that is known here: one expression of `value` or `value_json` with filters, and text around
 * it. Pure: a template of the broker is never run, only these forms of it.
 */
import { type JsonPath, parsePath, valueAt } from "../json-path.ts";
import { numberOf } from "../payload.ts";

/** A message's payload, parsed once for all the entities that read it. */
export class StatePayload {
  readonly text: string;
  #json: { readonly value: unknown } | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** Undefined where it is no JSON. */
  get json(): unknown {
    this.#json ??= { value: parsed(this.text) };
    return this.#json.value;
  }
}

/** The state as text; undefined where the payload has nothing in that place. */
export type ValueTemplate = (payload: StatePayload) => string | undefined;

type Filter = (value: unknown) => unknown;

const EXPRESSION = /^\{\{-?([^{}]*)\}\}$/;
const CALL = /^([a-z_]+)(?:\(\s*([^()]*?)\s*\))?$/;
const NUMBER = /^[+-]?\d+(?:\.\d+)?$/;
const NOT_FINITE = /^[+-]?(nan|inf|infinity)$/i;
const MAX_TEMPLATE = 500;

/** @returns the template, or what is not known of it, as the end of a sentence */
export function valueTemplate(text: string): ValueTemplate | string {
  if (text.length > MAX_TEMPLATE) return "is longer than 500 characters";
  const inner = EXPRESSION.exec(text.trim())?.[1]?.replace(/-$/, "");
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
    const value = filters.reduce(
      (at, filter) => filter(at),
      path === "value" ? payload.text : valueAt(payload.json, path),
    );
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
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
        return found === undefined || !Number.isFinite(found) ? number : Math.trunc(found);
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
      return number === undefined ? undefined : (value) => (value === undefined ? number : value);
    case "is_defined":
      return argument === "" ? (value) => value : undefined;
    default:
      return undefined;
  }
}

/** What Python takes for a float, without its underscores. Those that are not finite are numbers too: no default stands in for them. */
function toNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "string") return undefined;
  if (NOT_FINITE.test(value.trim())) return Number.NaN;
  return numberOf(value);
}

/** Halves to the even digit, as Python has it. */
function rounded(value: number, digits: number): number {
  const shift = 10 ** Math.min(15, Math.max(-15, Math.trunc(digits)));
  const shifted = value * shift;
  // As large as that it has no digits to round.
  if (!Number.isFinite(shifted) || Math.abs(shifted) >= Number.MAX_SAFE_INTEGER) return value;
  const below = Math.floor(shifted);
  if (shifted - below !== 0.5) return Math.round(shifted) / shift;
  return (below % 2 === 0 ? below : below + 1) / shift;
}
