/** Series put together by some of their labels. */
import type { Aggregation } from "./ast.ts";
import { type LabelEntry, type Labels, METRIC_NAME } from "./labels.ts";
import { goNumber } from "./numbers.ts";
import { emptyRow, type Grid, quantileOf, type Row, Sum } from "./values.ts";

interface Group {
  readonly labels: Labels;
  readonly rows: Row[];
}

/** What a group comes to at a step, from its values there, of which there is at least one. May change them. */
type Reduce = (values: Float64Array, parameter: number) => number;

/** @param parameter by step; of count_values the label */
export function aggregate(
  e: Pick<Aggregation, "name" | "by" | "labels">,
  rows: readonly Row[],
  parameter: Float64Array | string | undefined,
  grid: Grid,
): Row[] {
  const groups = groupsOf(e, rows);
  if (e.name === "count_values") return groups.flatMap((group) => countValues(group, parameter as string, grid));
  const numbers = parameter as Float64Array | undefined;
  if (e.name === "topk" || e.name === "bottomk")
    return groups.flatMap(({ rows: own }) => ranked(own, numbers!, e.name === "topk", grid));
  const reduce = REDUCE[e.name];
  return groups.map((group) => reduced(group, reduce, numbers, grid));
}

function groupsOf({ by, labels }: Pick<Aggregation, "by" | "labels">, rows: readonly Row[]): Group[] {
  const names = new Set(by ? labels : [...labels, METRIC_NAME]);
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const own = by ? row.labels.only(names) : row.labels.without(names);
    const group = groups.get(own.key) ?? { labels: own, rows: [] };
    group.rows.push(row);
    groups.set(own.key, group);
  }
  return [...groups.values()];
}

function reduced({ labels, rows }: Group, reduce: Reduce, parameter: Float64Array | undefined, grid: Grid): Row {
  const row = emptyRow(labels, grid);
  const room = new Float64Array(rows.length);
  for (let step = 0; step < grid.count; step++) {
    let n = 0;
    for (const { has, values } of rows) if (has[step] === 1) room[n++] = values[step]!;
    if (n === 0) continue;
    row.has[step] = 1;
    row.values[step] = reduce(room.subarray(0, n), parameter?.[step] ?? 0);
  }
  return row;
}

function sum(values: Float64Array): number {
  const total = new Sum();
  for (const value of values) total.add(value);
  return total.value;
}

function mean(values: Float64Array): number {
  const total = sum(values);
  if (Number.isFinite(total)) return total / values.length;
  return values.reduce((sofar, value, i) => (sofar === value ? sofar : sofar + value / (i + 1) - sofar / (i + 1)), 0);
}

function variance(values: Float64Array): number {
  const center = mean(values);
  return sum(values.map((value) => (value - center) ** 2)) / values.length;
}

function first(values: Float64Array, isBefore: (a: number, b: number) => boolean): number {
  return values.reduce((found, value) => (isBefore(value, found) || Number.isNaN(found) ? value : found));
}

const REDUCE: Readonly<Record<Exclude<Aggregation["name"], "topk" | "bottomk" | "count_values">, Reduce>> = {
  sum,
  avg: mean,
  min: (values) => first(values, (a, b) => a < b),
  max: (values) => first(values, (a, b) => a > b),
  count: (values) => values.length,
  group: () => 1,
  stdvar: variance,
  stddev: (values) => Math.sqrt(variance(values)),
  quantile: (values, q) => quantileOf(q, values),
};

/** At each step the k series with the largest values, or the smallest; NaN comes last. Those of the first step stand in their order. */
function ranked(rows: readonly Row[], k: Float64Array, isTop: boolean, grid: Grid): Row[] {
  const kept = new Map<Row, Row>();
  const before = (a: number, b: number) =>
    Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : isTop ? b - a : a - b;
  for (let step = 0; step < grid.count; step++) {
    const most = Math.min(Math.trunc(k[step]!), rows.length);
    if (!(most >= 1)) continue;
    const here = rows.filter(({ has }) => has[step] === 1);
    for (const row of here.sort((a, b) => before(a.values[step]!, b.values[step]!)).slice(0, most)) {
      const to = kept.get(row) ?? emptyRow(row.labels, grid);
      kept.set(row, to);
      to.has[step] = 1;
      to.values[step] = row.values[step]!;
    }
  }
  return [...kept.values()];
}

function countValues({ labels, rows }: Group, label: string, grid: Grid): Row[] {
  const byValue = new Map<string, Row>();
  for (let step = 0; step < grid.count; step++) {
    for (const { has, values } of rows) {
      if (has[step] === 0) continue;
      const text = goNumber(values[step]!);
      const row = byValue.get(text) ?? emptyRow(withLabel(labels, [label, text]), grid);
      byValue.set(text, row);
      row.has[step] = 1;
      row.values[step]! += 1;
    }
  }
  return [...byValue.values()];
}

function withLabel(labels: Labels, [name, value]: LabelEntry): Labels {
  return labels.with(name, value);
}
