/** Queries as trees, checked: what is in one can be evaluated. Times and durations are milliseconds. */
import type { Matcher } from "../../formats/matchers.ts";

export type ValueType = "scalar" | "string" | "vector" | "matrix";

/** When a selector is evaluated: at the step, a moment given, or an end of the range. */
export type At = number | "start" | "end" | undefined;

export interface Selector {
  readonly kind: "selector";
  readonly matchers: readonly Matcher[];
  /** 0: the newest sample; else a range of samples. */
  readonly rangeMs: number;
  readonly offsetMs: number;
  readonly at: At;
}

export interface Subquery {
  readonly kind: "subquery";
  readonly of: Expression;
  readonly rangeMs: number;
  /** 0: the default. */
  readonly stepMs: number;
  readonly offsetMs: number;
  readonly at: At;
}

export interface NumberLiteral {
  readonly kind: "number";
  readonly value: number;
}

export interface StringLiteral {
  readonly kind: "string";
  readonly value: string;
}

export interface Negation {
  readonly kind: "negation";
  readonly of: Expression;
}

export interface Call {
  readonly kind: "call";
  readonly name: string;
  readonly args: readonly Expression[];
}

export interface Aggregation {
  readonly kind: "aggregation";
  readonly name: AggregateName;
  readonly parameter: Expression | undefined;
  readonly of: Expression;
  /** Labels that groups are made by, or without. */
  readonly by: boolean;
  readonly labels: readonly string[];
}

export type AggregateName =
  | "sum"
  | "avg"
  | "min"
  | "max"
  | "count"
  | "group"
  | "stddev"
  | "stdvar"
  | "topk"
  | "bottomk"
  | "quantile"
  | "count_values";

export type Operator = Arithmetic | Comparison | SetOperator;
export type Arithmetic = "+" | "-" | "*" | "/" | "%" | "^" | "atan2";
export type Comparison = "==" | "!=" | "<" | ">" | "<=" | ">=";
export type SetOperator = "and" | "or" | "unless";

export interface Binary {
  readonly kind: "binary";
  readonly operator: Operator;
  readonly left: Expression;
  readonly right: Expression;
  /** Comparisons answer 0 and 1 instead of leaving out. */
  readonly bool: boolean;
  readonly matching: Matching;
}

export interface Matching {
  readonly on: boolean;
  readonly labels: readonly string[];
  /** The side of which several series may match one of the other; undefined: neither. */
  readonly many: "left" | "right" | undefined;
  /** Labels that come from the side of the one. */
  readonly include: readonly string[];
}

export type Expression = Selector | Subquery | NumberLiteral | StringLiteral | Negation | Call | Aggregation | Binary;

export function isComparison(operator: Operator): operator is Comparison {
  return ["==", "!=", "<", ">", "<=", ">="].includes(operator);
}

export function isSetOperator(operator: Operator): operator is SetOperator {
  return operator === "and" || operator === "or" || operator === "unless";
}
