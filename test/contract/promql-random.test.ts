/** Random queries against a real Prometheus that has the same samples. `PROMQL_RUNS=20000` asks more of them, by other seeds each time. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { matcherTest } from "../../formats/matchers.ts";
import { instantQuery, rangeQuery } from "../../server/api/prometheus/queries.ts";
import { QueryProblem } from "../../server/promql/errors.ts";
import type { SampleSource } from "../../server/promql/evaluate.ts";
import { Labels } from "../../server/promql/labels.ts";
import type { Samples } from "../../server/promql/values.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Prometheus, startStore } from "../../testing/prometheus.ts";
import { type Answer, comparable, nearly, promqlSamples, SERIES, START_MS, samplesOf } from "../../testing/promql.ts";
import { anyQuery } from "../../testing/promql-queries.ts";

const GIVEN = process.env.PROMQL_RUNS;
const RUNS = GIVEN === undefined ? { numRuns: 200, seed: 20_261_130 } : { numRuns: Number(GIVEN) };
/** So that a rate's range has samples in all of it. */
const FROM_S = START_MS / 1_000 + 1_200.5;

const series: readonly Samples[] = SERIES.map(([name, labels, value]) => ({
  labels: Labels.of(Object.entries({ __name__: name, ...labels })),
  timesMs: Float64Array.from(samplesOf(value), ([timeMs]) => timeMs),
  values: Float64Array.from(samplesOf(value), ([, number]) => number),
}));

const source: SampleSource = {
  async select(matchers, { fromMs, toMs }) {
    const tests = matchers.map((matcher) => ({ name: matcher.name, test: matcherTest(matcher) }));
    return series.flatMap(({ labels, timesMs, values }) => {
      if (!tests.every(({ name, test }) => test(labels.get(name) === "" ? [] : [labels.get(name)]))) return [];
      const within = timesMs.map((timeMs) => Number(timeMs > fromMs && timeMs <= toMs));
      if (!within.includes(1)) return [];
      return [{ labels, timesMs: timesMs.filter((_, i) => within[i]), values: values.filter((_, i) => within[i]) }];
    });
  },
};

describeWith(["prometheus"], "random PromQL", () => {
  let prometheus: Pick<Prometheus, "url" | "stop">;
  beforeAll(async () => {
    prometheus = await startStore();
    const written = await fetch(`${prometheus.url}/api/v1/write`, { method: "POST", ...promqlSamples() });
    expect([written.status, await written.text()]).toEqual([204, ""]);
  });
  afterAll(() => prometheus?.stop());

  const theirs = async (path: string, parameters: Record<string, string>): Promise<Answer> =>
    (await fetch(`${prometheus.url}/api/v1/${path}`, { method: "POST", body: new URLSearchParams(parameters) })).json();

  async function ours(path: string, parameters: Record<string, string>): Promise<Answer> {
    const { signal } = new AbortController();
    const query = { parameters: new URLSearchParams(parameters), nowMs: 0, source, signal };
    try {
      const data = await (path === "query" ? instantQuery(query) : rangeQuery(query));
      const isList = data.resultType === "vector" || data.resultType === "matrix";
      const result = isList ? [...(data.result as Iterable<unknown>)] : data.result;
      return { status: "success", data: JSON.parse(JSON.stringify({ ...data, result })) };
    } catch (error) {
      if (!(error instanceof QueryProblem)) throw error;
      return { status: "error", errorType: error.kind, error: error.message, data: { resultType: "", result: [] } };
    }
  }

  test(
    "is answered as there",
    async () => {
      const check = async (path: string, parameters: { query: string; [name: string]: string }) => {
        const [here, there] = [await ours(path, parameters), await theirs(path, parameters)];
        const told = `${path} ${parameters.query}: ${here.error} / ${there.error}`;
        expect([here.status, here.errorType], told).toEqual([there.status, there.errorType]);
        if (there.status !== "success") return;
        expect(comparable(here, parameters.query), told).toEqual(nearly(comparable(there, parameters.query)));
      };
      await fc.assert(
        fc.asyncProperty(anyQuery(2), fc.integer({ min: 0, max: 1_500 }), async (query, s) => {
          const start = String(FROM_S + s);
          await check("query", { query, time: start });
          await check("query_range", { query, start, end: String(FROM_S + s + 400), step: "41" });
        }),
        RUNS,
      );
    },
    Math.max(60_000, 1_000 * RUNS.numRuns),
  );
});
