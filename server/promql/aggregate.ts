/** Series put together by some of their labels. */
import type { Aggregation } from "./ast.ts";
import { failed } from "./errors.ts";
import { checkLabelName, type Labels, METRIC_NAME } from "./labels.ts";
import { goNumber } from "./numbers.ts";
import { largestOf, meanOf, quantileOf, smallestOf, sumOf, varianceOf } from "./statistics.ts";
import { checkCells, emptyRow, type Grid, NEW_LABELS, type Row, type Steps } from "./values.ts";

interface Group {
  readonly labels: Labels;
  readonly rows: Row[];
}

/** What a group comes to at a step, from its values there, of which there is at least one. May change them. */
type Reduce = (values: Float64Array, parameter: number) => number;

/** @param parameter by step; of count_values the label */
export function* aggregate(
  e: Pick<Aggregation, "name" | "by" | "labels">,
  rows: readonly Row[],
  parameter: Float64Array | string | undefined,
  grid: Grid,
): Steps<Row[]> {
  if (e.name === "topk" || e.name === "bottomk") checkRanks(e.name, parameter as Float64Array);
  if (e.name === "count_values") return yield* countValues(e, rows, parameter as string, grid);
  const groups = yield* groupsOf(e, rows);
  checkCells(groups.length, grid.count);
  const found: Row[] = [];
  for (const group of groups) {
    if (e.name === "topk" || e.name === "bottomk")
      found.push(...(yield* ranked(group.rows, parameter as Float64Array, e.name === "topk", grid)));
    else found.push(yield* reduced(group, REDUCE[e.name], parameter as Float64Array | undefined, grid));
    checkCells(found.length, grid.count);
  }
  return found;
}

function* groupsOf({ by, labels }: Pick<Aggregation, "by" | "labels">, rows: readonly Row[]): Steps<Group[]> {
  const names = new Set(by ? labels : [...labels, METRIC_NAME]);
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const own = by ? row.labels.only(names) : row.labels.without(names);
    const group = groups.get(own.key) ?? { labels: own, rows: [] };
    group.rows.push(row);
    groups.set(own.key, group);
    yield NEW_LABELS;
  }
  return [...groups.values()];
}

function* reduced(
  { labels, rows }: Group,
  reduce: Reduce,
  parameter: Float64Array | undefined,
  grid: Grid,
): Steps<Row> {
  const row = emptyRow(labels, grid);
  const room = new Float64Array(rows.length);
  for (let step = 0; step < grid.count; step++) {
    let n = 0;
    yield rows.length;
    for (const { has, values } of rows) if (has[step] === 1) room[n++] = values[step]!;
    if (n === 0) continue;
    row.has[step] = 1;
    row.values[step] = reduce(room.subarray(0, n), parameter?.[step] ?? 0);
  }
  return row;
}

const REDUCE: Readonly<Record<Exclude<Aggregation["name"], "topk" | "bottomk" | "count_values">, Reduce>> = {
  sum: (values) => sumOf(values),
  avg: (values) => meanOf(values),
  min: (values) => smallestOf(values),
  max: (values) => largestOf(values),
  count: (values) => values.length,
  group: () => 1,
  stdvar: (values) => varianceOf(values),
  stddev: (values) => Math.sqrt(varianceOf(values)),
  quantile: (values, q) => quantileOf(q, values),
};

function checkRanks(name: string, k: Float64Array): void {
  const wrong = k.find((each) => !(Math.abs(each) < 2 ** 63));
  if (wrong !== undefined) throw failed(`${name} takes the first ${wrong} series: give it a number`);
}

/** At each step the k series with the largest values, or the smallest; NaN comes last. Those of the first step stand in their order. */
function* ranked(rows: readonly Row[], k: Float64Array, isTop: boolean, grid: Grid): Steps<Row[]> {
  const kept = new Map<Row, Row>();
  const before = (a: number, b: number) =>
    Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : isTop ? b - a : a - b;
  for (let step = 0; step < grid.count; step++) {
    const most = Math.min(Math.trunc(k[step]!), rows.length);
    yield rows.length;
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

/** Series have the value as a label before they are put together: it may take the place of one that told them apart. */
function* countValues(
  { by, labels }: Pick<Aggregation, "by" | "labels">,
  rows: readonly Row[],
  label: string,
  grid: Grid,
): Steps<Row[]> {
  checkLabelName("count_values", label);
  const names = new Set(by ? [...labels, label] : [...labels, METRIC_NAME]);
  const found = new Map<string, Row>();
  const rowOf = (given: Labels, text: string): Row => {
    const all = given.with(label, text);
    const own = by ? all.only(names) : all.without(names);
    let row = found.get(own.key);
    if (row === undefined) {
      checkCells(found.size + 1, grid.count);
      row = emptyRow(own, grid);
      found.set(own.key, row);
    }
    return row;
  };
  for (const { labels: given, has, values } of rows) {
    const byText = new Map<string, Row>();
    for (let step = 0; step < grid.count; step++) {
      if (has[step] === 0) continue;
      const text = goNumber(values[step]!);
      let row = byText.get(text);
      if (row === undefined) {
        row = rowOf(given, text);
        byText.set(text, row);
        yield NEW_LABELS;
      }
      row.has[step] = 1;
      row.values[step]! += 1;
    }
    yield grid.count;
  }
  return [...found.values()];
}
