/**
 * The subset of Home Assistant's value templates that is known here: one expression of `value` or `value_json` with filters, which may
 * depend on whether a value is there. Pure: a template of the broker is never run, only these forms of it.
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
/** What stands in a template as Jinja has it: of a payload a value, which is undefined where there is none. */
type Expression = (payload: StatePayload) => unknown;
type Test = (payload: StatePayload) => boolean;

const EXPRESSION = /^\{\{-?([^{}]*)\}\}$/;
/** `A if B else C`: programs guard a part of the payload with it that is not always there. */
const CONDITIONAL = /^(.+?)\s+if\s+(.+?)\s+else\s+(.+)$/s;
const TEST = /^(\S+)\s+is\s+(not\s+)?(defined|undefined|none)$/;
const NONE = /^none$/i;
const CALL = /^([a-z_]+)(?:\(\s*([^()]*?)\s*\))?$/;
const NUMBER = /^[+-]?\d+(?:\.\d+)?$/;
const NOT_FINITE = /^[+-]?(nan|inf|infinity)$/i;
const MAX_TEMPLATE = 500;

/** @returns the template, or what is not known of it, as the end of a sentence */
export function valueTemplate(text: string): ValueTemplate | string {
  if (text.length > MAX_TEMPLATE) return "is longer than 500 characters";
  const inner = EXPRESSION.exec(text.trim())?.[1]?.replace(/-$/, "");
  if (inner === undefined) return "is no single {{ … }}";
  const expression = expressionOf(inner.trim());
  if (typeof expression === "string") return expression;
  return (payload) => {
    const value = expression(payload);
    if (typeof value === "number") return Number.isFinite(value) ? String(value) : undefined;
    // As Python writes them.
    if (typeof value === "boolean") return value ? "True" : "False";
    return typeof value === "string" ? value : undefined;
  };
}

/** @returns what `valueTemplate` does */
function expressionOf(text: string): Expression | string {
  const [, then, condition, otherwise] = CONDITIONAL.exec(text) ?? [];
  if (then === undefined || condition === undefined || otherwise === undefined) return piped(text);
  const test = testOf(condition);
  if (typeof test === "string") return test;
  const yes = piped(then);
  if (typeof yes === "string") return yes;
  const no = alternative(otherwise);
  if (typeof no === "string") return no;
  return (payload) => (test(payload) ? yes(payload) : no(payload));
}

/** A value with filters. */
function piped(text: string): Expression | string {
  const [source = "", ...calls] = text.split("|").map((part) => part.trim());
  const from = sourceOf(source);
  if (from === undefined)
    return `has "${source}": known are value, value_json.name, value_json['name'] and value_json[0]`;
  const filters: Filter[] = [];
  for (const call of calls) {
    const filter = filterOf(call);
    if (filter === undefined)
      return `has the filter "${call}": known are float, int, round, abs, multiply, is_defined and default`;
    filters.push(filter);
  }
  return (payload) => filters.reduce((at, filter) => filter(at), from(payload));
}

function testOf(condition: string): Test | string {
  const tests: Test[] = [];
  for (const part of condition.split(/\s+and\s+/)) {
    const [, source = "", not, state] = TEST.exec(part.trim()) ?? [];
    const from = sourceOf(source);
    if (from === undefined)
      return `has the condition "${part}": known are "is defined", "is undefined" and "is none" of such values, also with not`;
    const isSo = (value: unknown) =>
      state === "none" ? value === null : (value === undefined) === (state === "undefined");
    tests.push((payload) => isSo(from(payload)) === (not === undefined));
  }
  return (payload) => tests.every((test) => test(payload));
}

function alternative(text: string): Expression | string {
  if (NONE.test(text)) return () => undefined;
  return NUMBER.test(text) ? () => Number(text) : piped(text);
}

function sourceOf(source: string): Expression | undefined {
  const path = sourcePath(source);
  if (path === undefined) return undefined;
  return path === "value" ? ({ text }) => text : ({ json }) => valueAt(json, path);
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
