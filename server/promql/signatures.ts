/** Functions that are supported, with the types of their arguments and values. */
import type { Expression, ValueType } from "./ast.ts";

export interface Signature {
  readonly args: readonly ValueType[];
  /** How many of the last arguments may be left out; −1: the last may be given any number of times, or not at all. */
  readonly optional: number;
  readonly value: ValueType;
}

const of = (args: readonly ValueType[], optional = 0, value: ValueType = "vector"): Signature => ({
  ...{ args, optional, value },
});
const all = (names: readonly string[], signature: Signature) => names.map((name) => [name, signature] as const);

const OVER_TIME = ["avg", "min", "max", "sum", "count", "stddev", "stdvar", "last", "first", "present", "absent"];
const OF_NUMBERS = [
  ...["abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "deg", "rad", "sin", "cos", "tan", "asin"],
  ...["acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"],
];
export const DATE_PARTS: readonly string[] = [
  ...["minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"],
];

export const SIGNATURES: ReadonlyMap<string, Signature> = new Map([
  ...all(
    OVER_TIME.map((name) => `${name}_over_time`),
    of(["matrix"]),
  ),
  ...all(["rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets"], of(["matrix"])),
  ["quantile_over_time", of(["scalar", "matrix"])],
  ["predict_linear", of(["matrix", "scalar"])],
  ...all(OF_NUMBERS, of(["vector"])),
  ...all([...DATE_PARTS], of(["vector"], 1)),
  ...all(["absent", "sort", "sort_desc", "timestamp"], of(["vector"])),
  ["clamp", of(["vector", "scalar", "scalar"])],
  ...all(["clamp_min", "clamp_max"], of(["vector", "scalar"])),
  ["round", of(["vector", "scalar"], 1)],
  ["histogram_quantile", of(["scalar", "vector"])],
  ["label_replace", of(["vector", "string", "string", "string", "string"])],
  ["label_join", of(["vector", "string", "string", "string"], -1)],
  ["scalar", of(["vector"], 0, "scalar")],
  ["vector", of(["scalar"])],
  ["time", of([], 0, "scalar")],
  ["pi", of([], 0, "scalar")],
]);

export function typeOf(e: Expression): ValueType {
  switch (e.kind) {
    case "selector":
      return e.rangeMs === 0 ? "vector" : "matrix";
    case "subquery":
      return "matrix";
    case "number":
      return "scalar";
    case "string":
      return "string";
    case "negation":
      return typeOf(e.of);
    case "call":
      return SIGNATURES.get(e.name)!.value;
    case "aggregation":
      return "vector";
    case "binary":
      return typeOf(e.left) === "scalar" && typeOf(e.right) === "scalar" ? "scalar" : "vector";
  }
}

/** As Prometheus calls them. */
export const TYPE_NAMES: Readonly<Record<ValueType, string>> = {
  scalar: "scalar",
  string: "string",
  vector: "instant vector",
  matrix: "range vector",
};
