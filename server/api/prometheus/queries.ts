/** `query` and `query_range` of Prometheus' HTTP API. */

import type { Expression, Selector, Subquery } from "../../promql/ast.ts";
import { badQuery, failed } from "../../promql/errors.ts";
import { type EvaluationOptions, evaluate, evaluateRange } from "../../promql/evaluate.ts";
import type { Labels } from "../../promql/labels.ts";
import { MAX_QUERY_SERIES, MAX_QUERY_STEPS } from "../../promql/limits.ts";
import { apiNumber } from "../../promql/numbers.ts";
import { parseQuery } from "../../promql/parse.ts";
import { typeOf } from "../../promql/signatures.ts";
import { type Grid, type Row, timeAt } from "../../promql/values.ts";
import { durationOf, limitOf, required, timeOf } from "./parameters.ts";

const LOOKBACK_MS = 300_000;
/** Of subqueries without a step: Prometheus' default interval of rules. */
const SUBQUERY_STEP_MS = 60_000;

export interface QueryContext {
  readonly parameters: URLSearchParams;
  readonly nowMs: number;
  readonly source: EvaluationOptions["source"];
  readonly signal: AbortSignal;
}

type Sample = readonly [seconds: number, value: string];

export interface SeriesAnswer {
  readonly metric: Record<string, string>;
  readonly value?: Sample;
  readonly values?: readonly Sample[];
}

export interface QueryAnswer {
  readonly resultType: "scalar" | "string" | "vector" | "matrix";
  /** Series are made as they are taken: all at once would take several times the memory. */
  readonly result: Sample | Iterable<SeriesAnswer>;
}

export async function instantQuery(context: QueryContext): Promise<QueryAnswer> {
  const { parameters, nowMs } = context;
  const e = parseQuery(required(parameters, "query"));
  const at = parameters.get("time") ?? "";
  const grid: Grid = { startMs: at === "" ? nowMs : timeOf("time", at), stepMs: 1, count: 1 };
  const options = optionsOf(context, grid.startMs);
  const limit = limitOf(parameters, MAX_QUERY_SERIES);
  if (typeOf(e) === "matrix") return { resultType: "matrix", result: await samplesAt(e, grid, options, limit) };
  const value = await evaluate(e, grid, options);
  const seconds = grid.startMs / 1_000;
  if (value.type === "string") return { resultType: "string", result: [seconds, value.value] };
  if (value.type === "scalar") return { resultType: "scalar", result: [seconds, apiNumber(value.values[0]!)] };
  const rows = bounded(
    value.rows.filter(({ has }) => has[0] === 1),
    limit,
  );
  const result = lazily(rows, ({ labels, values }) => ({
    metric: metricOf(labels),
    value: [seconds, apiNumber(values[0]!)] as const,
  }));
  return { resultType: "vector", result };
}

async function samplesAt(
  e: Expression,
  grid: Grid,
  options: EvaluationOptions,
  limit: number,
): Promise<Iterable<SeriesAnswer>> {
  const series = bounded(await evaluateRange(e as Selector | Subquery, grid, options), limit);
  return lazily(series, ({ labels, timesMs, values }) => ({
    metric: metricOf(labels),
    values: Array.from(timesMs, (timeMs, i) => [timeMs / 1_000, apiNumber(values[i]!)] as const),
  }));
}

export async function rangeQuery(context: QueryContext): Promise<QueryAnswer> {
  const { parameters } = context;
  const [startMs, endMs] = [timeOf("start", required(parameters, "start")), timeOf("end", required(parameters, "end"))];
  if (endMs < startMs) throw badQuery("end is before start");
  const stepMs = durationOf("step", required(parameters, "step"));
  const count = Math.floor((endMs - startMs) / stepMs) + 1;
  if (count > MAX_QUERY_STEPS)
    throw badQuery(
      `the range has ${count} steps of ${stepMs / 1_000} s: choose a wider step, at most ${MAX_QUERY_STEPS} fit`,
    );
  const e = parseQuery(required(parameters, "query"));
  if (typeOf(e) !== "scalar" && typeOf(e) !== "vector")
    throw badQuery("a range query takes an instant vector or a scalar: put a function such as rate(…) around a range");
  const grid: Grid = { startMs, stepMs, count };
  const value = await evaluate(e, grid, optionsOf(context, endMs));
  if (value.type === "string") throw new Error("a text has no values at steps");
  if (value.type === "scalar") {
    const values = Array.from(value.values, (each, step) => sample(grid, step, each));
    return { resultType: "matrix", result: [{ metric: {}, values }] };
  }
  const rows = bounded(value.rows.filter(hasAny), limitOf(parameters, MAX_QUERY_SERIES));
  return { resultType: "matrix", result: lazily(rows, (row) => rangeSeries(row, grid)) };
}

function* lazily<T, U>(items: readonly T[], make: (item: T) => U): Iterable<U> {
  for (const item of items) yield make(item);
}

function hasAny({ has }: Row): boolean {
  return has.includes(1);
}

function rangeSeries({ labels, values, has }: Row, grid: Grid): SeriesAnswer {
  const samples: Sample[] = [];
  for (let step = 0; step < grid.count; step++) if (has[step] === 1) samples.push(sample(grid, step, values[step]!));
  return { metric: metricOf(labels), values: samples };
}

function sample(grid: Grid, step: number, value: number): Sample {
  return [timeAt(grid, step) / 1_000, apiNumber(value)];
}

export function metricOf(labels: Labels): Record<string, string> {
  return Object.fromEntries(labels.entries);
}

function bounded<T>(series: readonly T[], limit: number): readonly T[] {
  if (series.length > MAX_QUERY_SERIES)
    throw failed(`the answer has ${series.length} series: put them together, at most ${MAX_QUERY_SERIES} are answered`);
  return series.slice(0, limit);
}

function optionsOf({ parameters, source, signal }: QueryContext, endMs: number): EvaluationOptions {
  const lookback = parameters.get("lookback_delta") ?? "";
  return {
    ...{ source, signal, endMs, defaultStepMs: SUBQUERY_STEP_MS },
    lookbackMs: lookback === "" ? LOOKBACK_MS : durationOf("lookback_delta", lookback),
  };
}
