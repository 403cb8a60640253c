/** Operators between scalars and vectors. */
import { type Arithmetic, type Binary, type Comparison, isComparison, isSetOperator, type Matching } from "./ast.ts";
import { failed } from "./errors.ts";
import { type Labels, METRIC_NAME } from "./labels.ts";
import {
  checkCells,
  emptyRow,
  type Grid,
  mapped,
  mapRow,
  merged,
  type Row,
  type Scalar,
  type Steps,
  type Vector,
} from "./values.ts";

const ARITHMETIC: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "^": power,
  atan2: Math.atan2,
};

/** As IEEE 754 has it, and not JavaScript: of 1 all powers are 1, and of −1 those of infinities. */
function power(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b;
}

const COMPARE: Readonly<Record<Comparison, (a: number, b: number) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
};

export function* binary(e: Binary, left: Scalar | Vector, right: Scalar | Vector, grid: Grid): Steps<Scalar | Vector> {
  if (left.type === "scalar" && right.type === "scalar") return { type: "scalar", values: ofScalars(e, left, right) };
  if (left.type === "scalar") return vector(yield* mapped((right as Vector).rows, withScalar(e, left.values, true)));
  if (right.type === "scalar") return vector(yield* mapped(left.rows, withScalar(e, right.values, false)));
  if (isSetOperator(e.operator)) return vector(yield* merged(yield* ofSets(e, left.rows, right.rows)));
  return vector(yield* matched(e, left.rows, right.rows, grid));
}

function vector(rows: readonly Row[]): Vector {
  return { type: "vector", rows };
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
function withScalar({ operator, bool }: Binary, scalar: Float64Array, isLeft: boolean): (row: Row) => Row {
  const ordered = (value: number, step: number): [number, number] =>
    isLeft ? [scalar[step]!, value] : [value, scalar[step]!];
  if (isComparison(operator) && !bool) {
    const compare = COMPARE[operator];
    return (row) => ({
      ...row,
      has: row.has.map((has, step) => (has === 1 && compare(...ordered(row.values[step]!, step)) ? 1 : 0)),
    });
  }
  const compute = numeric(operator as Arithmetic | Comparison);
  return (row) => mapRow(row, row.labels.withoutName, (value, step) => compute(...ordered(value, step)));
}

/** The labels by which series of both sides match, as a key. */
function matchKey({ on, labels }: Matching): (row: Row) => string {
  const names = new Set(on ? labels : [...labels, METRIC_NAME]);
  return ({ labels: own }) => (on ? own.only(names) : own.without(names)).key;
}

function* ofSets({ operator, matching }: Binary, left: readonly Row[], right: readonly Row[]): Steps<Row[]> {
  const key = matchKey(matching);
  const isOr = operator === "or";
  const there = yield* presence(isOr ? left : right, key);
  const rows: Row[] = isOr ? [...left] : [];
  for (const row of isOr ? right : left) {
    rows.push(restricted(row, there.get(key(row)), operator === "and"));
    yield row.has.length;
  }
  return rows;
}

/** By key, the steps at which any of the rows has a value. */
function* presence(rows: readonly Row[], key: (row: Row) => string): Steps<Map<string, Uint8Array>> {
  const byKey = new Map<string, Uint8Array>();
  for (const row of rows) {
    const own = key(row);
    const known = byKey.get(own);
    if (known === undefined) byKey.set(own, row.has.slice());
    else for (let step = 0; step < known.length; step++) known[step]! |= row.has[step]!;
    yield row.has.length;
  }
  return byKey;
}

function restricted(row: Row, there: Uint8Array | undefined, wanted: boolean): Row {
  return { ...row, has: row.has.map((has, step) => (has === 1 && ((there?.[step] ?? 0) === 1) === wanted ? 1 : 0)) };
}

function* matched(e: Binary, left: readonly Row[], right: readonly Row[], grid: Grid): Steps<Row[]> {
  const { matching, operator, bool } = e;
  const key = matchKey(matching);
  const isManyRight = matching.many === "right";
  const [many, one] = isManyRight ? [right, left] : [left, right];
  // Where there is nothing to match with, nothing matches twice.
  const there = (yield* presence(many, () => "")).get("");
  if (there === undefined) return [];
  const ones = yield* onesByKey(one, key, { there, side: isManyRight ? "left" : "right" });
  const keeps = isComparison(operator) && !bool ? COMPARE[operator] : undefined;
  const compute = keeps === undefined ? numeric(operator as Arithmetic | Comparison) : undefined;
  const taken = new Map<string, Uint8Array>();
  const results = new Results(grid);
  for (const row of many) {
    const own = key(row);
    const others = ones.get(own);
    yield grid.count;
    if (others === undefined) continue;
    const claimed = matching.many === undefined ? (taken.get(own) ?? new Uint8Array(grid.count)) : undefined;
    if (claimed !== undefined) taken.set(own, claimed);
    let last = -1;
    let into: Row | undefined;
    for (let step = 0; step < grid.count; step++) {
      const which = others.at[step]!;
      if (row.has[step] === 0 || which < 0) continue;
      const other = others.rows[which]!;
      const [a, b] = isManyRight ? [other.values[step]!, row.values[step]!] : [row.values[step]!, other.values[step]!];
      if (keeps?.(a, b) === false) continue;
      if (claimed?.[step] === 1)
        throw failed(
          `several series match one, ${row.labels} among them: many-to-one matching has to be said by group_left or group_right`,
        );
      if (claimed !== undefined) claimed[step] = 1;
      if (which !== last || into === undefined) {
        into = results.of(resultLabels(e, row.labels, other.labels));
        last = which;
        yield grid.count;
      }
      results.set(into, step, compute === undefined ? a : compute(a, b));
    }
  }
  return results.rows;
}

/** Series of one key: they have no step in common. */
interface Ones {
  readonly rows: Row[];
  /** By step, which has a value there; −1: none. */
  readonly at: Int32Array;
}

/**
 * By key the series of the side of the one.
 *
 * @throws QueryProblem "execution" where two of one key have values at one step, and there is something to match them with
 */
function* onesByKey(
  rows: readonly Row[],
  key: (row: Row) => string,
  { there, side }: { readonly there: Uint8Array; readonly side: string },
): Steps<Map<string, Ones>> {
  const byKey = new Map<string, Ones>();
  for (const row of rows) {
    const own = key(row);
    const ones = byKey.get(own) ?? { rows: [], at: new Int32Array(row.has.length).fill(-1) };
    byKey.set(own, ones);
    const number = ones.rows.push(row) - 1;
    for (let step = 0; step < row.has.length; step++) {
      if (row.has[step] === 0 || there[step] === 0) continue;
      if (ones.at[step]! >= 0)
        throw failed(
          `${ones.rows[ones.at[step]!]!.labels} and ${row.labels} on the ${side} side match the same series: many-to-many matching is not allowed, match by labels that are unique on one side`,
        );
      ones.at[step] = number;
    }
    yield row.has.length;
  }
  return byKey;
}

function resultLabels({ operator, bool, matching }: Binary, many: Labels, one: Labels): Labels {
  let labels = isComparison(operator) && !bool ? many : many.withoutName;
  const names = new Set(matching.labels);
  if (matching.many === undefined) labels = matching.on ? labels.only(names) : labels.without(names);
  for (const name of matching.include) labels = labels.with(name, one.get(name));
  return labels;
}

/** Rows by their labels, put together step by step. */
class Results {
  readonly #grid: Grid;
  readonly #byKey = new Map<string, Row>();

  constructor(grid: Grid) {
    this.#grid = grid;
  }

  of(labels: Labels): Row {
    let row = this.#byKey.get(labels.key);
    if (row === undefined) {
      checkCells(this.#byKey.size + 1, this.#grid.count);
      row = emptyRow(labels, this.#grid);
      this.#byKey.set(labels.key, row);
    }
    return row;
  }

  set(row: Row, step: number, value: number): void {
    if (row.has[step] === 1)
      throw failed(`several series come to the labels ${row.labels}: match by labels that keep them apart`);
    row.has[step] = 1;
    row.values[step] = value;
  }

  get rows(): Row[] {
    return [...this.#byKey.values()];
  }
}
