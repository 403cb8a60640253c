/** What expressions come to, at all steps of a query at once. Times are milliseconds since 1970. */

import { failed } from "./errors.ts";
import type { Labels } from "./labels.ts";
import { MAX_QUERY_VALUES } from "./limits.ts";

/** Moments at which a query is evaluated, of equal distance. */
export interface Grid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
}

/** A series as it is stored: samples in rising order of time. */
export interface Samples {
  readonly labels: Labels;
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
}

/** A series of a vector: by step its value, and whether it has one. */
export interface Row {
  readonly labels: Labels;
  readonly values: Float64Array;
  readonly has: Uint8Array;
}

export interface Scalar {
  readonly type: "scalar";
  readonly values: Float64Array;
}

export interface Vector {
  readonly type: "vector";
  readonly rows: readonly Row[];
}

/** What it takes to find a series by new labels, in values that are looked at. */
export const NEW_LABELS = 100;

/**
 * Work that others have their turn in between: yields how many values it has looked at since, some thousands at the most where it can.
 */
export type Steps<T> = Generator<number, T, undefined>;

/** @throws QueryProblem "execution" for more values than fit into memory */
export function checkCells(rows: number, count: number, held = 0): void {
  if (rows * count + held > MAX_QUERY_VALUES)
    throw failed(
      `${rows} series at ${count} steps${held > 0 ? `, with ${held} values besides,` : ""} are more than ${MAX_QUERY_VALUES} values: choose fewer series, a shorter range or a wider step`,
    );
}

export function timeAt({ startMs, stepMs }: Grid, step: number): number {
  return startMs + step * stepMs;
}

export function emptyRow(labels: Labels, { count }: Pick<Grid, "count">): Row {
  return { labels, values: new Float64Array(count), has: new Uint8Array(count) };
}

/** Replaces values of a row, which keeps its labels and steps. */
export function mapRow(row: Row, labels: Labels, value: (value: number, step: number) => number): Row {
  const { values, has } = row;
  const mapped = { labels, values: new Float64Array(values.length), has };
  for (let step = 0; step < values.length; step++) {
    if (has[step] === 1) mapped.values[step] = value(values[step]!, step);
  }
  return mapped;
}

/**
 * Rows of equal labels as one, where they have no step in common.
 *
 * @throws QueryProblem "execution" where they have
 */
export function* merged(rows: readonly Row[]): Steps<Row[]> {
  const byKey = new Map<string, Row>();
  const own = new Set<Row>();
  for (const row of rows) {
    const { key } = row.labels;
    const known = byKey.get(key);
    if (known === undefined) {
      byKey.set(key, row);
      yield NEW_LABELS;
      continue;
    }
    // Rows may share their values with others: those of one that is added to are its own.
    const into = own.has(known) ? known : { ...known, values: known.values.slice(), has: known.has.slice() };
    own.add(into);
    byKey.set(key, into);
    add(into, row);
    yield row.has.length;
  }
  return [...byKey.values()];
}

/** The same for each row, and put together. */
export function* mapped(rows: readonly Row[], change: (row: Row) => Row): Steps<Row[]> {
  const changed: Row[] = [];
  for (const row of rows) {
    changed.push(change(row));
    yield row.has.length;
  }
  return yield* merged(changed);
}

function add(row: Row, b: Row): void {
  for (let step = 0; step < b.has.length; step++) {
    if (b.has[step] === 0) continue;
    if (row.has[step] === 1)
      throw failed(`two series have the labels ${row.labels}: keep a label that tells them apart`);
    row.has[step] = 1;
    row.values[step] = b.values[step]!;
  }
}
