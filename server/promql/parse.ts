/** Queries to trees. The grammar is Prometheus' own; what of it is not supported is refused by name. */
import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";
import { type Matcher, type MatcherOperator, MatcherProblem, matcherTest } from "../../formats/matchers.ts";
import {
  type AggregateName,
  type Aggregation,
  type At,
  type Binary,
  type Expression,
  isComparison,
  isSetOperator,
  type Matching,
  type Operator,
  type Selector,
  type ValueType,
} from "./ast.ts";
import { durationMs, numberOf } from "./durations.ts";
import { badQuery } from "./errors.ts";
import { SIGNATURES, TYPE_NAMES, typeOf } from "./signatures.ts";
import { textOf } from "./strings.ts";

/** Of a query. Prometheus' own dashboards have a tenth. */
const MAX_CHARACTERS = 16_384;
const MAX_DEPTH = 100;
const METRIC_NAME = "__name__";
const AGGREGATES: ReadonlySet<string> = new Set<AggregateName>([
  ...(["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"] as const),
  ...(["topk", "bottomk", "quantile", "count_values"] as const),
]);
const WITH_PARAMETER: Readonly<Partial<Record<AggregateName, ValueType>>> = {
  ...{ topk: "scalar", bottomk: "scalar", quantile: "scalar", count_values: "string" },
};
const OPERATORS: ReadonlySet<string> = new Set<Operator>([
  ...(["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", ">", "<=", ">=", "and", "or", "unless"] as const),
]);

/** @throws QueryProblem "bad_data" */
export function parseQuery(query: string): Expression {
  if (query.trim() === "") throw badQuery("the query is empty: give an expression, such as telltale_value");
  if (query.length > MAX_CHARACTERS)
    throw badQuery(`the query has ${query.length} characters: give at most ${MAX_CHARACTERS}`);
  return new Converter(query).top();
}

/** A selector alone, such as of `match[]`. */
export function parseSelector(query: string): readonly Matcher[] {
  const e = parseQuery(query);
  if (e.kind === "selector" && e.rangeMs === 0 && e.offsetMs === 0 && e.at === undefined) return e.matchers;
  throw badQuery(`${JSON.stringify(query)} is no selector, such as up{job="node"}`);
}

type Wrap = (e: Expression) => Expression;

class Converter {
  readonly #query: string;
  #depth = 0;
  /** In parentheses. */
  readonly #closed = new WeakSet<Expression>();

  constructor(query: string) {
    this.#query = query;
  }

  top(): Expression {
    const tree = parser.parse(this.#query);
    tree.iterate({
      enter: (node) => {
        if (node.type.isError) throw this.#unexpected(node.from);
      },
    });
    return this.#expression(onlyChild(tree.topNode));
  }

  #unexpected(at: number): Error {
    const [found] = /^\s*(\w+|\S)?/.exec(this.#query.slice(at)) ?? [""];
    const what = found.trim() === "" ? "it ends there" : `unexpected ${JSON.stringify(found.trim())}`;
    return badQuery(`the query is not understood at character ${at + 1}: ${what}`);
  }

  #text(node: SyntaxNode): string {
    return this.#query.slice(node.from, node.to);
  }

  #unsupported(node: SyntaxNode, what = this.#text(node)): Error {
    return badQuery(`${what} at character ${node.from + 1} is not supported`);
  }

  #expression(node: SyntaxNode, wrap: Wrap = (e) => e): Expression {
    if (++this.#depth > MAX_DEPTH) throw badQuery(`the query is nested more than ${MAX_DEPTH} deep: simplify it`);
    const e = this.#wrapped(node, wrap);
    this.#depth--;
    return e;
  }

  /**
   * What stands behind a selector belongs to it alone. The grammar takes it for that of the whole operation before it, so that it is handed
   * down to the operand on the right.
   */
  #wrapped(node: SyntaxNode, wrap: Wrap): Expression {
    switch (node.name) {
      case "BinaryExpr":
        return this.#binary(node, wrap);
      case "UnaryExpr":
        return this.#unary(node, wrap);
      case "MatrixSelector": {
        const rangeMs = this.#range(node.getChild("DurationExpr")!);
        return this.#expression(onlyExpression(node), (e) => wrap(this.#ranged(e, node, rangeMs)));
      }
      case "SubqueryExpr":
        return this.#subquery(node, wrap);
      case "OffsetExpr": {
        const offsetMs = this.#offset(node.getChild("OffsetDurationExpr")!);
        return this.#expression(onlyExpression(node), (e) => wrap(this.#moved(e, node, { offsetMs })));
      }
      case "StepInvariantExpr": {
        const at = this.#at(node);
        return this.#expression(onlyExpression(node), (e) => wrap(this.#moved(e, node, { at })));
      }
      default:
        return wrap(this.#plain(node));
    }
  }

  #plain(node: SyntaxNode): Expression {
    switch (node.name) {
      case "ParenExpr":
        return this.#parenthesized(node);
      case "NumberDurationLiteral":
        return { kind: "number", value: numberOf(this.#text(node)) };
      case "StringLiteral":
        return { kind: "string", value: textOf(this.#text(node)) };
      case "VectorSelector":
        return this.#selector(node);
      case "FunctionCall":
        return this.#call(node);
      case "AggregateExpr":
        return this.#aggregation(node);
      default:
        throw this.#unsupported(node);
    }
  }

  /** An expression in parentheses takes no more modifiers. */
  #parenthesized(node: SyntaxNode): Expression {
    const e = this.#expression(onlyExpression(node));
    this.#closed.add(e);
    return e;
  }

  #selector(node: SyntaxNode): Selector {
    const matchers: Matcher[] = [];
    const identifier = node.getChild("Identifier");
    const name = (value: string) => {
      if (matchers.some((matcher) => matcher.name === METRIC_NAME && matcher.operator === "="))
        throw badQuery(`the metric's name is given twice at character ${node.from + 1}: ${JSON.stringify(value)}`);
      matchers.push({ name: METRIC_NAME, operator: "=", value });
    };
    if (identifier !== null) name(this.#text(identifier));
    for (const child of children(node.getChild("LabelMatchers"))) {
      if (child.name === "QuotedLabelName") name(textOf(this.#text(child)));
      else matchers.push(this.#matcher(child));
    }
    const tests = matchers.map((matcher) => this.#test(matcher, node.from));
    if (tests.every((matches) => matches([])))
      throw badQuery(
        `the selector ${this.#text(node)} would match everything: give a name, or a label with a value, such as up{job="node"}`,
      );
    return { kind: "selector", matchers, rangeMs: 0, offsetMs: 0, at: undefined };
  }

  #matcher(node: SyntaxNode): Matcher {
    const label = node.firstChild!;
    const text = this.#text(label);
    return {
      name: label.name === "QuotedLabelName" ? textOf(text) : text,
      operator: this.#text(node.getChild("MatchOp")!) as MatcherOperator,
      value: textOf(this.#text(node.getChildren("StringLiteral").at(-1)!)),
    };
  }

  #test(matcher: Matcher, at: number) {
    try {
      return matcherTest(matcher);
    } catch (error) {
      if (!(error instanceof MatcherProblem)) throw error;
      throw badQuery(`${error.message}, at character ${at + 1}`);
    }
  }

  #ranged(e: Expression, node: SyntaxNode, rangeMs: number): Expression {
    if (e.kind === "selector" && e.rangeMs === 0 && !this.#closed.has(e) && e.offsetMs === 0 && e.at === undefined)
      return { ...e, rangeMs };
    throw badQuery(`a range at character ${node.from + 1} stands directly behind a selector, such as up[5m]`);
  }

  #moved(e: Expression, node: SyntaxNode, by: { offsetMs: number } | { at: At }): Expression {
    const what = "offsetMs" in by ? "offset" : "@";
    if ((e.kind !== "selector" && e.kind !== "subquery") || this.#closed.has(e))
      throw badQuery(`${what} behind character ${node.from + 1} stands behind a selector or a subquery`);
    if ("offsetMs" in by ? e.offsetMs !== 0 : e.at !== undefined)
      throw badQuery(`${what} is given twice behind character ${node.from + 1}`);
    return { ...e, ...by };
  }

  #subquery(node: SyntaxNode, wrap: Wrap): Expression {
    const [range, step] = node.getChildren("DurationExpr");
    const rangeMs = this.#range(range!);
    const stepMs = step === undefined ? 0 : this.#range(step);
    return this.#expression(onlyExpression(node), (of) => {
      if (typeOf(of) !== "vector")
        throw badQuery(`a subquery at character ${node.from + 1} is made of an instant vector, not of ${typeName(of)}`);
      return wrap({ kind: "subquery", of, rangeMs, stepMs, offsetMs: 0, at: undefined });
    });
  }

  #range(node: SyntaxNode): number {
    const ms = this.#duration(node);
    if (!(ms > 0 && Number.isFinite(ms))) throw badQuery(`a range has to be longer than nothing: ${this.#text(node)}`);
    return ms;
  }

  #offset(node: SyntaxNode): number {
    const operator = node.getChild("UnaryOp");
    if (operator === null) return this.#duration(node);
    return (this.#text(operator) === "-" ? -1 : 1) * this.#duration(node.getChild("OffsetDurationExpr")!);
  }

  #duration(node: SyntaxNode): number {
    const only = onlyChild(node);
    if (only.name !== "NumberDurationLiteralInDurationContext" || only.nextSibling !== null)
      throw this.#unsupported(node, `the duration ${this.#text(node)}`);
    const text = this.#text(only);
    return durationMs(text) ?? numberOf(text) * 1_000;
  }

  #at(node: SyntaxNode): At {
    const end = node.getChild("AtModifierPreprocessors");
    if (end !== null) return this.#text(end).toLowerCase() === "start" ? "start" : "end";
    const literals = node.getChildren("NumberDurationLiteral");
    const seconds = numberOf(this.#text(literals.at(-1)!));
    if (!Number.isFinite(seconds)) throw badQuery(`@ wants a time in seconds, not ${this.#text(literals.at(-1)!)}`);
    return seconds * 1_000;
  }

  #call(node: SyntaxNode): Expression {
    const name = this.#text(node.getChild("FunctionIdentifier")!);
    const signature = SIGNATURES.get(name);
    if (signature === undefined) throw this.#unsupported(node, `the function ${name}`);
    const args = children(node.getChild("FunctionCallBody")).map((arg) => this.#expression(arg));
    const { optional, args: wanted } = signature;
    const least = wanted.length - Math.abs(optional);
    if (args.length < least || (optional >= 0 && args.length > wanted.length)) {
      const range = optional < 0 ? `at least ${least}` : optional > 0 ? `${least} or ${wanted.length}` : String(least);
      throw badQuery(`${name} at character ${node.from + 1} takes ${range} arguments, and has ${args.length}`);
    }
    for (const [i, arg] of args.entries())
      checkType(`argument ${i + 1} of ${name}`, arg, wanted[Math.min(i, wanted.length - 1)]!);
    return { kind: "call", name, args };
  }

  #aggregation(node: SyntaxNode): Aggregation {
    const text = this.#text(node.getChild("AggregateOp")!).toLowerCase();
    if (!AGGREGATES.has(text)) throw this.#unsupported(node, text);
    const name = text as AggregateName;
    const args = children(node.getChild("FunctionCallBody")).map((arg) => this.#expression(arg));
    const wanted = WITH_PARAMETER[name];
    const count = wanted === undefined ? 1 : 2;
    if (args.length !== count)
      throw badQuery(`${name} at character ${node.from + 1} takes ${count} arguments, and has ${args.length}`);
    const parameter = wanted === undefined ? undefined : args[0]!;
    if (parameter !== undefined) checkType(`argument 1 of ${name}`, parameter, wanted!);
    const of = args.at(-1)!;
    checkType(`argument ${count} of ${name}`, of, "vector");
    const modifier = node.getChild("AggregateModifier");
    const by = modifier?.getChild("Without") == null;
    return { kind: "aggregation", name, parameter, of, by, labels: this.#labels(modifier?.getChild("GroupingLabels")) };
  }

  #labels(node: SyntaxNode | null | undefined): string[] {
    return children(node).map((label) => {
      const text = this.#text(label);
      return label.name === "QuotedLabelName" ? textOf(text) : text;
    });
  }

  #unary(node: SyntaxNode, wrap: Wrap): Expression {
    const of = this.#expression(onlyExpression(node), wrap);
    if (!["scalar", "vector"].includes(typeOf(of)))
      throw badQuery(`a sign at character ${node.from + 1} stands before ${typeName(of)}`);
    return this.#text(node.getChild("UnaryOp")!) === "-" ? { kind: "negation", of } : of;
  }

  #binary(node: SyntaxNode, wrap: Wrap): Expression {
    const [leftNode, rightNode] = node.getChildren("Expr") as [SyntaxNode, SyntaxNode];
    const operatorNode = leftNode.nextSibling!;
    const operator = this.#text(operatorNode).toLowerCase() as Operator;
    if (!OPERATORS.has(operator)) throw this.#unsupported(operatorNode, `the operator ${operator}`);
    const fill = node.getChild("FillModifier");
    if (fill !== null) throw this.#unsupported(fill);
    const left = this.#expression(leftNode);
    const right = this.#expression(rightNode, wrap);
    const matching = this.#matching(node.getChild("MatchingModifierClause"));
    const e: Binary = { kind: "binary", operator, left, right, bool: node.getChild("BoolModifier") !== null, matching };
    this.#checkBinary(e, operatorNode, node.getChild("MatchingModifierClause") !== null);
    // A sign before a number that is raised to a power is that of the power.
    if (operator !== "^" || left.kind !== "number" || !/^[+-]/.test(this.#text(leftNode))) return e;
    const isNegative = this.#text(leftNode).startsWith("-");
    const power: Binary = { ...e, left: { kind: "number", value: isNegative ? -left.value : left.value } };
    return isNegative ? { kind: "negation", of: power } : power;
  }

  #checkBinary({ operator, left, right, bool, matching }: Binary, node: SyntaxNode, isMatched: boolean): void {
    const where = `${operator} at character ${node.from + 1}`;
    const types = [typeOf(left), typeOf(right)];
    for (const e of [left, right]) {
      if (!["scalar", "vector"].includes(typeOf(e))) throw badQuery(`${where} does not take ${typeName(e)}`);
    }
    const ofVectors = types.every((type) => type === "vector");
    if (bool && !isComparison(operator)) throw badQuery(`${where} takes no bool: only comparisons do`);
    if (isComparison(operator) && !bool && types.every((type) => type === "scalar"))
      throw badQuery(`${where} compares scalars: write ${operator} bool`);
    if (isSetOperator(operator) && !ofVectors) throw badQuery(`${where} takes instant vectors alone`);
    if (isSetOperator(operator) && matching.many !== undefined)
      throw badQuery(`${where} takes no group_${matching.many}`);
    if (isMatched && !ofVectors) throw badQuery(`${where} matches labels: both sides have to be instant vectors`);
    const both = matching.on ? matching.include.find((label) => matching.labels.includes(label)) : undefined;
    if (both !== undefined)
      throw badQuery(`${where} has the label ${JSON.stringify(both)} in on and in group_${matching.many}`);
  }

  #matching(node: SyntaxNode | null): Matching {
    if (node === null) return { on: false, labels: [], many: undefined, include: [] };
    const [labels, include] = node.getChildren("GroupingLabels");
    const many =
      node.getChild("GroupLeft") !== null ? "left" : node.getChild("GroupRight") !== null ? "right" : undefined;
    return { on: node.getChild("On") !== null, labels: this.#labels(labels), many, include: this.#labels(include) };
  }
}

function checkType(what: string, e: Expression, wanted: ValueType): void {
  if (typeOf(e) === wanted) return;
  throw badQuery(`${what} has to be ${withArticle(wanted)}, and is ${typeName(e)}`);
}

function typeName(e: Expression): string {
  return withArticle(typeOf(e));
}

function withArticle(type: ValueType): string {
  return `${type === "vector" ? "an" : "a"} ${TYPE_NAMES[type]}`;
}

function children(node: SyntaxNode | null | undefined): SyntaxNode[] {
  const all: SyntaxNode[] = [];
  for (let child = node?.firstChild ?? null; child !== null; child = child.nextSibling) all.push(child);
  return all;
}

function onlyChild(node: SyntaxNode): SyntaxNode {
  return node.firstChild!;
}

function onlyExpression(node: SyntaxNode): SyntaxNode {
  return node.getChild("Expr")!;
}
