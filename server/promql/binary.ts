/** Operators between scalars and vectors. */
import { type Arithmetic, type Binary, type Comparison, isComparison, isSetOperator, type Matching } from "./ast.ts";
import { failed } from "./errors.ts";
import { type Labels, METRIC_NAME } from "./labels.ts";
import { emptyRow, type Grid, mapRow, merged, type Row, type Scalar, type Vector } from "./values.ts";

const ARITHMETIC: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "^": (a, b) => a ** b,
  atan2: Math.atan2,
};

const COMPARE: Readonly<Record<Comparison, (a: number, b: number) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
};

export function binary(e: Binary, left: Scalar | Vector, right: Scalar | Vector, grid: Grid): Scalar | Vector {
  if (left.type === "scalar" && right.type === "scalar") return { type: "scalar", values: ofScalars(e, left, right) };
  if (left.type === "scalar") return vector(withScalar(e, (right as Vector).rows, left.values, true));
  if (right.type === "scalar") return vector(withScalar(e, left.rows, right.values, false));
  if (isSetOperator(e.operator)) return vector(ofSets(e, left.rows, right.rows));
  return vector(matched(e, left.rows, right.rows, grid));
}

function vector(rows: readonly Row[]): Vector {
  return { type: "vector", rows: merged(rows) };
}

function ofScalars({ operator }: Binary, left: Scalar, right: Scalar): Float64Array {
  const compute = numeric(operator as Arithmetic | Comparison);
  return left.values.map((value, step) => compute(value, right.values[step]!));
}

function numeric(operator: Arithmetic | Comparison): (a: number, b: number) => number {
  if (!isComparison(operator)) return ARITHMETIC[operator];
  const compare = COMPARE[operator];
  return (a, b) => (compare(a, b) ? 1 : 0);
}

/** A comparison without bool keeps what fulfils it, as it is. */
function withScalar({ operator, bool }: Binary, rows: readonly Row[], scalar: Float64Array, isLeft: boolean): Row[] {
  const ordered = (value: number, step: number): [number, number] =>
    isLeft ? [scalar[step]!, value] : [value, scalar[step]!];
  if (isComparison(operator) && !bool) {
    const compare = COMPARE[operator];
    return rows.map((row) => ({
      ...row,
      has: row.has.map((has, step) => (has === 1 && compare(...ordered(row.values[step]!, step)) ? 1 : 0)),
    }));
  }
  const compute = numeric(operator as Arithmetic | Comparison);
  return rows.map((row) => mapRow(row, row.labels.withoutName, (value, step) => compute(...ordered(value, step))));
}

/** The labels by which series of both sides match, as a key. */
function matchKey({ on, labels }: Matching): (row: Row) => string {
  const names = new Set(on ? labels : [...labels, METRIC_NAME]);
  return ({ labels: own }) => (on ? own.only(names) : own.without(names)).key;
}

function ofSets({ operator, matching }: Binary, left: readonly Row[], right: readonly Row[]): Row[] {
  const key = matchKey(matching);
  if (operator === "or") {
    const there = presence(left, key);
    return [...left, ...right.map((row) => restricted(row, there.get(key(row)), false))];
  }
  const there = presence(right, key);
  return left.map((row) => restricted(row, there.get(key(row)), operator === "and"));
}

/** By key, the steps at which any of the rows has a value. */
function presence(rows: readonly Row[], key: (row: Row) => string): Map<string, Uint8Array> {
  const byKey = new Map<string, Uint8Array>();
  for (const row of rows) {
    const own = key(row);
    const known = byKey.get(own);
    if (known === undefined) byKey.set(own, row.has.slice());
    else for (let step = 0; step < known.length; step++) known[step]! |= row.has[step]!;
  }
  return byKey;
}

function restricted(row: Row, there: Uint8Array | undefined, wanted: boolean): Row {
  return { ...row, has: row.has.map((has, step) => (has === 1 && ((there?.[step] ?? 0) === 1) === wanted ? 1 : 0)) };
}

function matched(e: Binary, left: readonly Row[], right: readonly Row[], grid: Grid): Row[] {
  const { matching } = e;
  const key = matchKey(matching);
  const isManyRight = matching.many === "right";
  const [many, one] = isManyRight ? [right, left] : [left, right];
  const ones = onesByKey(one, key, isManyRight ? "left" : "right");
  const taken = new Map<string, Uint8Array>();
  const results = new Results(grid);
  for (const row of many) {
    const own = key(row);
    for (const other of ones.get(own) ?? []) {
      const pair = isManyRight ? ([other, row] as const) : ([row, other] as const);
      const result = combined(e, pair, resultLabels(e, row.labels, other.labels));
      if (matching.many === undefined) claim(taken, own, result, grid);
      results.add(result);
    }
  }
  return results.rows;
}

/**
 * By key the series of the side of the one.
 *
 * @throws QueryProblem "execution" where two of one key have values at one step
 */
function onesByKey(rows: readonly Row[], key: (row: Row) => string, side: string): Map<string, Row[]> {
  const byKey = new Map<string, Row[]>();
  for (const row of rows) {
    const own = key(row);
    const others = byKey.get(own) ?? [];
    for (const other of others) {
      if (!row.has.some((has, step) => has === 1 && other.has[step] === 1)) continue;
      throw failed(
        `${other.labels} and ${row.labels} on the ${side} side match the same series: many-to-many matching is not allowed, match by labels that are unique on one side`,
      );
    }
    others.push(row);
    byKey.set(own, others);
  }
  return byKey;
}

function combined({ operator, bool }: Binary, [left, right]: readonly [Row, Row], labels: Labels): Row {
  const has = left.has.map((is, step) => is & right.has[step]!);
  if (isComparison(operator) && !bool) {
    const compare = COMPARE[operator];
    return {
      labels,
      values: left.values,
      has: has.map((is, step) => (is === 1 && compare(left.values[step]!, right.values[step]!) ? 1 : 0)),
    };
  }
  const compute = numeric(operator as Arithmetic | Comparison);
  return {
    labels,
    has,
    values: left.values.map((value, step) => (has[step] === 1 ? compute(value, right.values[step]!) : 0)),
  };
}

function resultLabels({ operator, bool, matching }: Binary, many: Labels, one: Labels): Labels {
  let labels = isComparison(operator) && !bool ? many : many.withoutName;
  const names = new Set(matching.labels);
  if (matching.many === undefined) labels = matching.on ? labels.only(names) : labels.without(names);
  for (const name of matching.include) labels = labels.with(name, one.get(name));
  return labels;
}

/** @throws QueryProblem "execution" where another series has matched the same one at a step */
function claim(taken: Map<string, Uint8Array>, key: string, { has, labels }: Row, { count }: Grid): void {
  const known = taken.get(key) ?? new Uint8Array(count);
  taken.set(key, known);
  for (let step = 0; step < count; step++) {
    if (has[step] === 0) continue;
    if (known[step] === 1)
      throw failed(
        `several series match one, ${labels} among them: many-to-one matching has to be said by group_left or group_right`,
      );
    known[step] = 1;
  }
}

/** Rows by their labels, put together step by step. */
class Results {
  readonly #grid: Grid;
  readonly #byKey = new Map<string, Row>();

  constructor(grid: Grid) {
    this.#grid = grid;
  }

  add({ labels, values, has }: Row): void {
    const row = this.#byKey.get(labels.key) ?? emptyRow(labels, this.#grid);
    this.#byKey.set(labels.key, row);
    for (let step = 0; step < has.length; step++) {
      if (has[step] === 0) continue;
      if (row.has[step] === 1)
        throw failed(`several series come to the labels ${labels}: match by labels that keep them apart`);
      row.has[step] = 1;
      row.values[step] = values[step]!;
    }
  }

  get rows(): Row[] {
    return [...this.#byKey.values()];
  }
}
