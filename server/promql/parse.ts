/** Queries to trees. The grammar is Prometheus' own; what of it is not supported is refused by name. */

import type { SyntaxNode, Tree } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";
import {
  expressionBound,
  isExpression,
  type Matcher,
  type MatcherOperator,
  MatcherProblem,
  matcherTest,
} from "../../formats/matchers.ts";
import { didYouMean } from "../lib/suggest.ts";
import {
  type AggregateName,
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
import { METRIC_NAME } from "./labels.ts";
import { MAX_QUERY_CHARACTERS, MAX_QUERY_DEPTH } from "./limits.ts";
import { SIGNATURES, TYPE_NAMES, typeOf } from "./signatures.ts";
import { textOf } from "./strings.ts";

const MAX_SELECTORS = 100;
/** Instructions of all regular expressions together: to compile so many takes some milliseconds. */
const MAX_EXPRESSIONS = 20_000;
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
  return parsed(query, new ExpressionBudget());
}

function parsed(query: string, expressions: ExpressionBudget): Expression {
  if (query.trim() === "") throw badQuery("the query is empty: give an expression, such as telltale_value");
  if (query.length > MAX_QUERY_CHARACTERS)
    throw badQuery(`the query has ${query.length} characters: give at most ${MAX_QUERY_CHARACTERS}`);
  return new Converter(query, expressions).top();
}

/** Selectors alone, such as of `match[]`. */
export function parseSelectors(queries: readonly string[]): (readonly Matcher[])[] {
  if (queries.length > MAX_SELECTORS)
    throw badQuery(`there are ${queries.length} selectors: give at most ${MAX_SELECTORS}`);
  const expressions = new ExpressionBudget();
  return queries.map((query) => selectorOf(query, expressions));
}

function selectorOf(query: string, expressions: ExpressionBudget): readonly Matcher[] {
  const e = parsed(query, expressions);
  if (e.kind === "selector" && e.rangeMs === 0 && e.offsetMs === 0 && e.at === undefined) return e.matchers;
  throw badQuery(`${JSON.stringify(query)} is no selector, such as up{job="node"}`);
}

/** The name that a call ends with, before its parenthesis; longer ones have no function near them. */
const CALLED = /([a-zA-Z_]\w*)\s*$/;
/** A matcher up to its value. */
const MATCHED = /[{,]\s*[\w.:]+\s*(=~?|!=|!~)\s*$/;
const MAX_NAME = 100;

const STRICT = parser.configure({ strict: true });

/** A piece of an operation as it was written. */
type Item =
  | { readonly is: "sign"; readonly node: SyntaxNode; readonly isNegative: boolean }
  | { readonly is: "operand"; readonly e: Expression }
  /** What stands behind an operand. */
  | { readonly is: "suffix"; readonly node: SyntaxNode }
  | { readonly is: "operator"; readonly node: SyntaxNode; readonly operator: Operator; readonly of: SyntaxNode };

/** What binds closer has the higher number. A sign binds as a product does. */
const STRENGTHS: Readonly<Record<Operator, number>> = {
  ...{ or: 1, and: 2, unless: 2, "==": 3, "!=": 3, "<": 3, ">": 3, "<=": 3, ">=": 3 },
  ...{ "+": 4, "-": 4, "*": 5, "/": 5, "%": 5, atan2: 5, "^": 6 },
};
const SIGN_STRENGTH = 5;
const SUFFIXES: ReadonlySet<string> = new Set(["MatrixSelector", "SubqueryExpr", "OffsetExpr", "StepInvariantExpr"]);

/** What the regular expressions of one request may come to. */
export class ExpressionBudget {
  #left = MAX_EXPRESSIONS;

  /** @throws QueryProblem "bad_data" where they are too large together */
  spend(matcher: Matcher): void {
    if (isExpression(matcher)) this.#left -= expressionBound(matcher.value);
    if (this.#left < 0) throw badQuery("the regular expressions are too large together: write shorter ones");
  }
}

class Converter {
  readonly #query: string;
  readonly #expressions: ExpressionBudget;
  /** Of expressions, how deep they are nested; and of the one that is being read. */
  readonly #depths = new WeakMap<Expression, number>();
  #depth = 0;
  /** In parentheses. */
  readonly #closed = new WeakSet<Expression>();

  constructor(query: string, expressions: ExpressionBudget) {
    this.#query = query;
    this.#expressions = expressions;
  }

  top(): Expression {
    const tree = this.#tree();
    return this.#expression(onlyChild(tree.topNode));
  }

  /** Ends at the first place that does not fit: to go on from there would take long in hostile texts. */
  #tree(): Tree {
    try {
      return STRICT.parse(this.#query);
    } catch (error) {
      const [, at] = (error instanceof SyntaxError && /^No parse at (\d+)$/.exec(error.message)) || [];
      if (at === undefined) throw error;
      throw this.#unexpected(Number(at));
    }
  }

  #unexpected(at: number): Error {
    const [found] = /^\s*(\w+|\S)?/.exec(this.#query.slice(at)) ?? [""];
    // To the grammar a function that it does not know is a metric.
    const [, name] = (found.trim() === "(" && CALLED.exec(this.#query.slice(Math.max(0, at - MAX_NAME), at))) || [];
    if (name !== undefined) {
      const hint = didYouMean(name, [...SIGNATURES.keys(), ...AGGREGATES]);
      return badQuery(`the function ${name} before character ${at + 1} is not supported${hint}`);
    }
    const word = JSON.stringify(found.trim());
    const unquoted = /\w/.test(word) && MATCHED.test(this.#query.slice(Math.max(0, at - MAX_NAME), at));
    const hint = unquoted ? `; a label's value is in quotes: ${word}` : "";
    const what = found.trim() === "" ? "it ends there" : `unexpected ${word}${hint}`;
    return badQuery(`the query is not understood at character ${at + 1}: ${what}`);
  }

  #text(node: SyntaxNode): string {
    return this.#query.slice(node.from, node.to);
  }

  #unsupported(node: SyntaxNode, what = this.#text(node)): Error {
    return badQuery(`${what} at character ${node.from + 1} is not supported`);
  }

  #expression(node: SyntaxNode): Expression {
    if (++this.#depth > MAX_QUERY_DEPTH) throw tooDeep();
    const items = this.#items(node).reverse();
    this.#depth--;
    return this.#operation(items, 0);
  }

  /**
   * The pieces of an operation in their order. The grammar knows which piece is what, and not always what belongs together: what stands
   * behind a selector is to it the suffix of all that was before.
   */
  #items(top: SyntaxNode): Item[] {
    const items: Item[] = [];
    const open: (SyntaxNode | Item)[] = [top];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if ("is" in next) items.push(next);
      else if (next.name === "BinaryExpr") {
        const [left, right] = next.getChildren("Expr") as [SyntaxNode, SyntaxNode];
        open.push(right, this.#operator(next, left), left);
      } else if (next.name === "UnaryExpr") {
        const sign = next.getChild("UnaryOp")!;
        open.push(onlyExpression(next));
        items.push({ is: "sign", node: next, isNegative: this.#text(sign) === "-" });
      } else if (SUFFIXES.has(next.name)) open.push({ is: "suffix", node: next }, onlyExpression(next));
      else if (next.name === "NumberDurationLiteral") items.push(...this.#number(next));
      else items.push({ is: "operand", e: this.#plain(next) });
    }
    return items;
  }

  #operator(of: SyntaxNode, left: SyntaxNode): Item {
    const node = nextOf(left)!;
    const operator = this.#text(node).toLowerCase() as Operator;
    if (!OPERATORS.has(operator)) throw this.#unsupported(node, `the operator ${operator}`);
    const fill = of.getChild("FillModifier");
    if (fill !== null) throw this.#unsupported(fill);
    return { is: "operator", node, operator, of };
  }

  /** Its sign is one like any other: of a power it is that of the power. */
  #number(node: SyntaxNode): Item[] {
    const text = this.#text(node);
    const plain: Item = { is: "operand", e: { kind: "number", value: numberOf(text.replace(/^[+-]\s*/, "")) } };
    return /^[+-]/.test(text) ? [{ is: "sign", node, isNegative: text.startsWith("-") }, plain] : [plain];
  }

  /** Takes from the end of the items what binds closer than given. */
  #operation(items: Item[], strength: number): Expression {
    if (++this.#depth > MAX_QUERY_DEPTH) throw tooDeep();
    let left = this.#operand(items);
    for (;;) {
      const next = items.at(-1);
      if (next?.is !== "operator" || STRENGTHS[next.operator] <= strength) {
        this.#depth--;
        return left;
      }
      items.pop();
      const own = STRENGTHS[next.operator];
      // Of powers the last is the first.
      const right = this.#operation(items, next.operator === "^" ? own - 1 : own);
      left = this.#nested(this.#binary(next, left, right), left, right);
    }
  }

  /** With the signs before it, and what stands behind it. */
  #operand(items: Item[]): Expression {
    const item = items.pop()!;
    if (item.is === "sign") {
      return this.#signed(item, this.#operation(items, SIGN_STRENGTH));
    }
    if (item.is !== "operand") throw new Error(`an operation begins with ${item.is}`);
    let { e } = item;
    for (let next = items.at(-1); next?.is === "suffix"; next = items.at(-1)) {
      items.pop();
      e = this.#nested(this.#suffixed(e, next.node), e);
    }
    return e;
  }

  #nested(e: Expression, ...parts: readonly Expression[]): Expression {
    const depth = 1 + Math.max(0, ...parts.map((part) => this.#depths.get(part) ?? 0));
    if (depth > MAX_QUERY_DEPTH) throw tooDeep();
    this.#depths.set(e, depth);
    return e;
  }

  #suffixed(e: Expression, node: SyntaxNode): Expression {
    switch (node.name) {
      case "MatrixSelector":
        return this.#ranged(e, node, this.#range(node.getChild("DurationExpr")!));
      case "SubqueryExpr":
        return this.#subquery(e, node);
      case "OffsetExpr":
        return this.#moved(e, node, { offsetMs: this.#offset(node.getChild("OffsetDurationExpr")!) });
      default:
        return this.#moved(e, node, { at: this.#at(node) });
    }
  }

  #plain(node: SyntaxNode): Expression {
    switch (node.name) {
      case "ParenExpr":
        return this.#parenthesized(node);
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
    let isNamed = false;
    const name = (value: string) => {
      if (isNamed)
        throw badQuery(`the metric's name is given twice at character ${node.from + 1}: ${JSON.stringify(value)}`);
      isNamed = true;
      matchers.push({ name: METRIC_NAME, operator: "=", value });
    };
    if (identifier !== null) name(this.#text(identifier));
    for (const child of children(node.getChild("LabelMatchers"))) {
      if (child.name === "QuotedLabelName") name(textOf(this.#text(child)));
      else matchers.push(this.#matcher(child));
    }
    if (isNamed && matchers.filter((matcher) => matcher.name === METRIC_NAME).length > 1)
      throw badQuery(`the metric's name is given twice at character ${node.from + 1}`);
    const tests = matchers.map((matcher) => this.#test(matcher, node.from));
    if (tests.every((matches) => matches([])))
      throw badQuery(
        `the selector ${this.#text(node)} would match everything: give a name, or a label with a value, such as up{job="node"}`,
      );
    return { kind: "selector", matchers, rangeMs: 0, offsetMs: 0, at: undefined };
  }

  #matcher(node: SyntaxNode): Matcher {
    const label = onlyChild(node);
    const text = this.#text(label);
    return {
      name: label.name === "QuotedLabelName" ? textOf(text) : text,
      operator: this.#text(node.getChild("MatchOp")!) as MatcherOperator,
      value: textOf(this.#text(node.getChildren("StringLiteral").at(-1)!)),
    };
  }

  #test(matcher: Matcher, at: number) {
    this.#expressions.spend(matcher);
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

  #subquery(of: Expression, node: SyntaxNode): Expression {
    const [range, step] = node.getChildren("DurationExpr");
    const rangeMs = this.#range(range!);
    const stepMs = step === undefined ? 0 : this.#range(step);
    if (typeOf(of) !== "vector")
      throw badQuery(`a subquery at character ${node.from + 1} is made of an instant vector, not of ${typeName(of)}`);
    return { kind: "subquery", of, rangeMs, stepMs, offsetMs: 0, at: undefined };
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
    if (only.name !== "NumberDurationLiteralInDurationContext" || nextOf(only) !== null)
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
    return this.#nested({ kind: "call", name, args }, ...args);
  }

  #aggregation(node: SyntaxNode): Expression {
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
    const labels = this.#labels(modifier?.getChild("GroupingLabels"));
    return this.#nested({ kind: "aggregation", name, parameter, of, by, labels }, ...args);
  }

  #labels(node: SyntaxNode | null | undefined): string[] {
    return children(node).map((label) => {
      const text = this.#text(label);
      return label.name === "QuotedLabelName" ? textOf(text) : text;
    });
  }

  #signed({ node, isNegative }: Item & { is: "sign" }, of: Expression): Expression {
    if (!["scalar", "vector"].includes(typeOf(of)))
      throw badQuery(`a sign at character ${node.from + 1} stands before ${typeName(of)}`);
    if (!isNegative) return of;
    return this.#nested(of.kind === "number" ? { ...of, value: -of.value } : { kind: "negation", of }, of);
  }

  #binary({ node, operator, of }: Item & { is: "operator" }, left: Expression, right: Expression): Binary {
    const clause = of.getChild("MatchingModifierClause");
    const bool = of.getChild("BoolModifier") !== null;
    const e: Binary = { kind: "binary", operator, left, right, bool, matching: this.#matching(clause) };
    this.#checkBinary(e, node, clause !== null);
    return e;
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

/** Comments may stand anywhere. */
const COMMENT = "LineComment";

function children(node: SyntaxNode | null | undefined): SyntaxNode[] {
  const all: SyntaxNode[] = [];
  let child = node?.firstChild ?? null;
  while (child !== null) {
    if (child.name !== COMMENT) all.push(child);
    child = child.nextSibling;
  }
  return all;
}

function nextOf(node: SyntaxNode): SyntaxNode | null {
  let next = node.nextSibling;
  while (next?.name === COMMENT) next = next.nextSibling;
  return next;
}

function onlyChild(node: SyntaxNode): SyntaxNode {
  return children(node)[0]!;
}

function onlyExpression(node: SyntaxNode): SyntaxNode {
  return node.getChild("Expr")!;
}

function tooDeep(): Error {
  return badQuery(`the query is nested more than ${MAX_QUERY_DEPTH} deep: simplify it`);
}
