/** Evaluates queries, at all steps of a range at once. What they come to is what Prometheus 3 makes of the same samples. */

import type { Matcher } from "../../formats/matchers.ts";
import { Turns } from "../lib/turns.ts";
import { aggregate } from "./aggregate.ts";
import type { Aggregation, At, Call, Expression, Selector, Subquery } from "./ast.ts";
import { binary } from "./binary.ts";
import { failed } from "./errors.ts";
import { histogramQuantile } from "./histogram.ts";
import { clamp, OF_VALUE, round } from "./instant.ts";
import { labelJoin, labelReplace } from "./label-functions.ts";
import { Labels, METRIC_NAME } from "./labels.ts";
import { MAX_QUERY_VISITS, MAX_SUBQUERY_STEPS } from "./limits.ts";
import { KEEP_NAME, RANGE_FUNCTIONS, type RangeFunction, type Window } from "./over-time.ts";
import { DATE_PARTS, typeOf } from "./signatures.ts";
import {
  checkCells,
  emptyRow,
  type Grid,
  mapped,
  mapRow,
  merged,
  type Row,
  type Samples,
  type Scalar,
  type Steps,
  timeAt,
  type Vector,
} from "./values.ts";

/** Where samples come from. */
export interface SampleSource {
  /** Series that match and have samples within (fromMs, toMs], with those. */
  select(matchers: readonly Matcher[], range: { readonly fromMs: number; readonly toMs: number }): Promise<Samples[]>;
}

export interface EvaluationOptions {
  readonly source: SampleSource;
  /** The end of the query's range, which need not be a step. */
  readonly endMs: number;
  /** A sample is the newest for so long. */
  readonly lookbackMs: number;
  /** Of subqueries that name none. */
  readonly defaultStepMs: number;
  readonly signal: AbortSignal;
}

/** The clock is looked at once in so many samples of ranges, */
const SLICE_VISITS = 100_000;
/** and in so many values of operations. */
const SLICE_VALUES = 2_000;

export type Value = Scalar | Vector | { readonly type: "string"; readonly value: string };

/** @throws QueryProblem; the signal's reason */
export function evaluate(e: Expression, grid: Grid, options: EvaluationOptions): Promise<Value> {
  return new Evaluator(grid, options).value(e, grid);
}

/** The samples of a range vector at one moment. */
export async function evaluateRange(
  e: Selector | Subquery,
  grid: Grid,
  options: EvaluationOptions,
): Promise<Samples[]> {
  const { series, startMs, endMs } = await new Evaluator(grid, options).window(e, grid);
  return series.flatMap(({ labels, timesMs, values }) => {
    let [lo, hi] = [0, timesMs.length];
    while (lo < hi && timesMs[lo]! <= startMs) lo++;
    while (lo < hi && timesMs[hi - 1]! > endMs) hi--;
    return lo === hi ? [] : [{ labels, timesMs: timesMs.subarray(lo, hi), values: values.subarray(lo, hi) }];
  });
}

class Evaluator {
  readonly #query: Grid;
  readonly #options: EvaluationOptions;
  readonly #turns = new Turns();
  /** Values that are kept for an operation while something else is evaluated. */
  #held = 0;
  #visits = 0;
  #visitsToSlice = 0;

  constructor(query: Grid, options: EvaluationOptions) {
    this.#query = query;
    this.#options = options;
  }

  async value(e: Expression, grid: Grid): Promise<Value> {
    switch (e.kind) {
      case "number":
        return scalar(new Float64Array(grid.count).fill(e.value));
      case "string":
        return { type: "string", value: e.value };
      case "selector":
        return { type: "vector", rows: await this.#newest(e, grid, (_timeMs, value) => value) };
      case "negation":
        return this.#negated(await this.#numbers(e.of, grid));
      case "call":
        return this.#call(e, grid);
      case "aggregation":
        return this.#aggregation(e, grid);
      case "binary": {
        const left = await this.#numbers(e.left, grid);
        const right = await this.#holding(cellsOf(left, grid), () => this.#numbers(e.right, grid));
        return this.#run(binary(e, left, right, grid));
      }
      case "subquery":
        throw new Error("a subquery stands in a function of ranges");
    }
  }

  /** Does something in turns with others. */
  async #run<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      const next = steps.next();
      if (next.done) return next.value;
      this.#visitsToSlice += next.value;
      if (this.#visitsToSlice > SLICE_VALUES) await this.#visit(0);
    }
  }

  /** Evaluates something while so many values are kept. */
  async #holding<T>(cells: number, work: () => Promise<T>): Promise<T> {
    this.#held += cells;
    const value = await work();
    this.#held -= cells;
    return value;
  }

  async #negated(value: Scalar | Vector): Promise<Scalar | Vector> {
    if (value.type === "scalar") return scalar(value.values.map((each) => -each));
    return this.#mapped(value.rows, (each) => -each);
  }

  async #mapped(rows: readonly Row[], value: (value: number, step: number) => number): Promise<Vector> {
    return vector(await this.#run(mapped(rows, (row) => mapRow(row, row.labels.withoutName, value))));
  }

  async #merged(rows: readonly Row[]): Promise<Row[]> {
    return this.#run(merged(rows));
  }

  /** The series of a range vector, and the window at the last step of the grid. */
  async window(e: Selector | Subquery, grid: Grid) {
    const endMs = this.#momentOf(e, grid, grid.count - 1) - e.offsetMs;
    return { series: await this.#series(e, grid, e.rangeMs), startMs: endMs - e.rangeMs, endMs };
  }

  async #numbers(e: Expression, grid: Grid): Promise<Scalar | Vector> {
    const value = await this.value(e, grid);
    if (value.type === "string") throw new Error("a text stands where numbers do");
    return value;
  }

  async #rows(e: Expression, grid: Grid): Promise<readonly Row[]> {
    const value = await this.value(e, grid);
    if (value.type !== "vector") throw new Error(`a ${value.type} stands where a vector does`);
    return value.rows;
  }

  async #scalar(e: Expression, grid: Grid): Promise<Float64Array> {
    const value = await this.value(e, grid);
    if (value.type !== "scalar") throw new Error(`a ${value.type} stands where a scalar does`);
    return value.values;
  }

  #momentOf({ at }: { readonly at: At }, grid: Grid, step: number): number {
    if (at === "start") return this.#query.startMs;
    if (at === "end") return this.#options.endMs;
    return at ?? timeAt(grid, step);
  }

  /** Series of a range vector, or of a selector with the samples of the lookback, as far as any step of the grid needs them. */
  async #series(e: Selector | Subquery, grid: Grid, rangeMs: number): Promise<Samples[]> {
    const fromMs = this.#momentOf(e, grid, 0) - e.offsetMs - rangeMs;
    const toMs = this.#momentOf(e, grid, grid.count - 1) - e.offsetMs;
    if (e.kind === "subquery") return this.#subquery(e, fromMs, toMs);
    const series = await this.#options.source.select(e.matchers, { fromMs, toMs });
    checkCells(series.length, grid.count, this.#held);
    return series;
  }

  async #subquery({ of, stepMs: given }: Subquery, fromMs: number, toMs: number): Promise<Samples[]> {
    const stepMs = given === 0 ? this.#options.defaultStepMs : given;
    // Steps are multiples of their width, whatever the range; the start of the range is not within it.
    const startMs = (Math.floor(fromMs / stepMs) + 1) * stepMs;
    const count = Math.max(0, Math.floor((toMs - startMs) / stepMs) + 1);
    if (count > MAX_SUBQUERY_STEPS)
      throw failed(`a subquery has ${count} steps: give it a wider step, at most ${MAX_SUBQUERY_STEPS} fit`);
    if (count === 0) return [];
    const inner: Grid = { startMs, stepMs, count };
    return this.#run(samplesOf(await this.#rows(of, inner), inner));
  }

  /** Of each series the newest sample at each step. */
  async #newest(e: Selector, grid: Grid, reading: (timeMs: number, value: number) => number): Promise<Row[]> {
    const { lookbackMs } = this.#options;
    const rows: Row[] = [];
    for (const { labels, timesMs, values } of await this.#series(e, grid, lookbackMs)) {
      const row = emptyRow(labels, grid);
      let next = 0;
      for (let step = 0; step < grid.count; step++) {
        const moment = this.#momentOf(e, grid, step) - e.offsetMs;
        while (next < timesMs.length && timesMs[next]! <= moment) next++;
        const last = next - 1;
        if (last < 0 || timesMs[last]! <= moment - lookbackMs) continue;
        row.has[step] = 1;
        row.values[step] = reading(timesMs[last]!, values[last]!);
      }
      rows.push(row);
      await this.#visit(timesMs.length + grid.count);
    }
    return rows;
  }

  async #call(e: Call, grid: Grid): Promise<Value> {
    const ofRange = e.args.find((arg) => typeOf(arg) === "matrix");
    if (ofRange !== undefined) return vector(await this.#ofRange(e, ofRange as Selector | Subquery, grid));
    const perValue = OF_VALUE.get(e.name);
    if (perValue !== undefined) {
      const rows =
        DATE_PARTS.includes(e.name) && e.args.length === 0 ? [nowRow(grid)] : await this.#rows(e.args[0]!, grid);
      return this.#mapped(rows, perValue);
    }
    return this.#special(e, grid);
  }

  async #special({ name, args }: Call, grid: Grid): Promise<Value> {
    const rows = () => this.#rows(args[0]!, grid);
    const number = (i: number) => this.#scalar(args[i]!, grid);
    const texts = () => args.slice(1).map((arg) => (arg as { value: string }).value);
    switch (name) {
      case "time":
        return scalar(nowRow(grid).values);
      case "pi":
        return scalar(new Float64Array(grid.count).fill(Math.PI));
      case "vector":
        return vector([{ labels: NO_LABELS, values: await number(0), has: new Uint8Array(grid.count).fill(1) }]);
      case "scalar":
        return scalar(await this.#run(only(await rows(), grid)));
      case "timestamp":
        return vector(await this.#timestamps(args[0]!, grid));
      case "absent":
        return vector([await this.#run(absent(args[0]!, await rows(), grid))]);
      case "sort":
      case "sort_desc":
        return vector(sorted(await rows(), name === "sort_desc"));
      case "round": {
        const to = args.length > 1 ? await number(1) : undefined;
        return this.#mapped(await rows(), (value, step) => round(value, to?.[step] ?? 1));
      }
      case "clamp": {
        const [low, high] = [await number(1), await number(2)];
        const within = (row: Row): Row => ({ ...row, has: row.has.map((has, s) => (low[s]! > high[s]! ? 0 : has)) });
        const clamped = (row: Row) =>
          mapRow(within(row), row.labels.withoutName, (value, step) => clamp(value, low[step]!, high[step]!));
        return vector(await this.#run(mapped(await rows(), clamped)));
      }
      case "clamp_min":
      case "clamp_max": {
        const [bound, extreme] = [await number(1), name === "clamp_min" ? Math.max : Math.min];
        return this.#mapped(await rows(), (value, step) => extreme(value, bound[step]!));
      }
      case "histogram_quantile":
        return vector(await this.#run(histogramQuantile(await number(0), await this.#rows(args[1]!, grid), grid)));
      case "label_replace":
        return vector(await this.#run(labelReplace(await rows(), texts() as [string, string, string, string])));
      case "label_join":
        return vector(await this.#run(labelJoin(await rows(), texts())));
      default:
        throw new Error(`${name} has a signature and is not implemented`);
    }
  }

  async #ofRange({ name, args }: Call, of: Selector | Subquery, grid: Grid): Promise<Row[]> {
    const parameter = args.find((arg) => arg !== of);
    const numbers = parameter === undefined ? undefined : await this.#scalar(parameter, grid);
    const series = await this.#series(of, grid, of.rangeMs);
    const apply = RANGE_FUNCTIONS.get(name === "absent_over_time" ? "present_over_time" : name);
    if (apply === undefined) throw new Error(`${name} has a signature and is not implemented`);
    checkCells(series.length, grid.count, this.#held);
    const rows: Row[] = [];
    for (const samples of series) rows.push(await this.#windows(samples, of, { name, apply, numbers, grid }));
    return name === "absent_over_time" ? [await this.#run(absent(of, rows, grid))] : this.#merged(rows);
  }

  async #windows(
    { labels, timesMs, values }: Samples,
    of: Selector | Subquery,
    f: {
      readonly name: string;
      readonly apply: RangeFunction;
      readonly numbers: Float64Array | undefined;
      readonly grid: Grid;
    },
  ): Promise<Row> {
    const { grid, apply, numbers } = f;
    const row = emptyRow(KEEP_NAME.has(f.name) ? labels : labels.withoutName, grid);
    const w: Window = { timesMs, values, lo: 0, hi: 0, startMs: 0, endMs: 0, nowMs: 0 };
    for (let step = 0; step < grid.count; step++) {
      w.nowMs = timeAt(grid, step);
      w.endMs = this.#momentOf(of, grid, step) - of.offsetMs;
      w.startMs = w.endMs - of.rangeMs;
      while (w.lo < timesMs.length && timesMs[w.lo]! <= w.startMs) w.lo++;
      while (w.hi < timesMs.length && timesMs[w.hi]! <= w.endMs) w.hi++;
      if (w.hi <= w.lo) continue;
      const value = apply(w, numbers?.[step] ?? 0);
      if (value !== undefined) {
        row.has[step] = 1;
        row.values[step] = value;
      }
      this.#visitsToSlice += w.hi - w.lo;
      if (this.#visitsToSlice > SLICE_VISITS) await this.#visit(0);
    }
    await this.#visit(grid.count);
    return row;
  }

  async #timestamps(e: Expression, grid: Grid): Promise<Row[]> {
    const rows =
      e.kind === "selector"
        ? await this.#newest(e, grid, (timeMs) => timeMs / 1_000)
        : (await this.#mapped(await this.#rows(e, grid), (_, step) => timeAt(grid, step) / 1_000)).rows;
    return this.#run(mapped(rows, (row) => ({ ...row, labels: row.labels.withoutName })));
  }

  async #aggregation(e: Aggregation, grid: Grid): Promise<Vector> {
    const parameter =
      e.parameter === undefined
        ? undefined
        : e.parameter.kind === "string"
          ? e.parameter.value
          : await this.#scalar(e.parameter, grid);
    const rows = await this.#rows(e.of, grid);
    return vector(await this.#run(aggregate(e, rows, parameter, grid)));
  }

  async #visit(samples: number): Promise<void> {
    this.#visits += samples + this.#visitsToSlice;
    this.#visitsToSlice = 0;
    if (this.#visits > MAX_QUERY_VISITS)
      throw failed(
        "the query looks at too many samples: choose fewer series, a shorter range, a wider step, or a shorter range of its functions",
      );
    await this.#pause();
  }

  async #pause(): Promise<void> {
    this.#options.signal.throwIfAborted();
    if (this.#turns.isLong()) await this.#turns.take();
  }
}

const NO_LABELS = new Labels([]);

function scalar(values: Float64Array): Scalar {
  return { type: "scalar", values };
}

function vector(rows: readonly Row[]): Vector {
  return { type: "vector", rows };
}

function cellsOf(value: Scalar | Vector, { count }: Grid): number {
  return (value.type === "scalar" ? 1 : value.rows.length) * count;
}

function* samplesOf(rows: readonly Row[], grid: Grid): Steps<Samples[]> {
  const all: Samples[] = [];
  for (const { labels, values, has } of rows) {
    const steps = has.reduce((sum, is) => sum + is, 0);
    const samples = { labels, timesMs: new Float64Array(steps), values: new Float64Array(steps) };
    let n = 0;
    for (let step = 0; step < grid.count; step++) {
      if (has[step] === 0) continue;
      samples.timesMs[n] = timeAt(grid, step);
      samples.values[n++] = values[step]!;
    }
    all.push(samples);
    yield grid.count;
  }
  return all;
}

function nowRow(grid: Grid): Row {
  const values = Float64Array.from({ length: grid.count }, (_, step) => timeAt(grid, step) / 1_000);
  return { labels: NO_LABELS, values, has: new Uint8Array(grid.count).fill(1) };
}

/** The value of the only series at each step; NaN where there are more or none. */
function* only(rows: readonly Row[], { count }: Grid): Steps<Float64Array> {
  const values = new Float64Array(count).fill(Number.NaN);
  const found = new Uint8Array(count);
  for (const row of rows) {
    for (let step = 0; step < count; step++) {
      if (row.has[step] === 0) continue;
      values[step] = found[step] === 0 ? row.values[step]! : Number.NaN;
      found[step] = 1;
    }
    yield count;
  }
  return values;
}

/** 1 where there is no series, with the labels that the selector asks to be equal. */
function* absent(e: Expression, rows: readonly Row[], grid: Grid): Steps<Row> {
  const row = emptyRow(e.kind === "selector" ? askedLabels(e.matchers) : NO_LABELS, grid);
  row.has.fill(1);
  for (const { has } of rows) {
    for (let step = 0; step < grid.count; step++) if (has[step] === 1) row.has[step] = 0;
    yield grid.count;
  }
  row.values.fill(1);
  return row;
}

/** Those that are asked for once, and to be equal. */
function askedLabels(matchers: readonly Matcher[]): Labels {
  const byName = Map.groupBy(
    matchers.filter(({ name }) => name !== METRIC_NAME),
    ({ name }) => name,
  );
  const once = [...byName.values()].filter((all) => all.length === 1 && all[0]!.operator === "=");
  return Labels.of(once.map(([matcher]) => [matcher!.name, matcher!.value]));
}

/** By the first step; NaN comes last. */
function sorted(rows: readonly Row[], isDescending: boolean): Row[] {
  const value = ({ values, has }: Row) => (has[0] === 1 ? values[0]! : Number.NaN);
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return isDescending ? y - x : x - y;
  });
}
