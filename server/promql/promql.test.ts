import { describe, expect, test } from "vitest";
import { type Matcher, matcherTest } from "../../formats/matchers.ts";
import { QueryProblem } from "./errors.ts";
import { evaluate, type SampleSource } from "./evaluate.ts";
import { Labels } from "./labels.ts";
import { apiNumber, goNumber } from "./numbers.ts";
import { parseQuery, parseSelector } from "./parse.ts";
import type { Samples } from "./values.ts";

type Given = readonly [labels: Record<string, string>, samples: readonly (readonly [timeMs: number, value: number])[]];

function sourceOf(...given: Given[]): SampleSource {
  const series = given.map(
    ([labels, samples]): Samples => ({
      labels: Labels.of(Object.entries(labels)),
      timesMs: Float64Array.from(samples, ([timeMs]) => timeMs),
      values: Float64Array.from(samples, ([, value]) => value),
    }),
  );
  return {
    select: async (matchers: readonly Matcher[]) =>
      series.filter(({ labels }) =>
        matchers.every((matcher) => {
          const value = labels.get(matcher.name);
          return matcherTest(matcher)(value === "" ? [] : [value]);
        }),
      ),
  };
}

async function at(query: string, timeMs: number, source: SampleSource) {
  const grid = { startMs: timeMs, stepMs: 1, count: 1 };
  const { signal } = new AbortController();
  const options = { source, signal, endMs: timeMs, lookbackMs: 300_000, defaultStepMs: 60_000 };
  const value = await evaluate(parseQuery(query), grid, options);
  if (value.type !== "vector") throw new Error(value.type);
  return value.rows.filter(({ has }) => has[0] === 1).map(({ labels, values }) => `${labels} ${values[0]}`);
}

describe("where Prometheus 3 differs from versions before, it is followed", () => {
  const source = sourceOf([
    { __name__: "m", a: "b" },
    [
      [0, 1],
      [60_000, 2],
      [120_000, 4],
    ],
  ]);

  test("the start of a range is not within it", async () => {
    expect(await at("count_over_time(m[2m])", 120_000, source)).toEqual(['{a="b"} 2']);
    expect(await at("count_over_time(m[2m])", 119_999, source)).toEqual(['{a="b"} 2']);
    expect(await at("count_over_time(m[120001ms])", 120_000, source)).toEqual(['{a="b"} 3']);
  });

  test("a sample is the newest for less than the lookback", async () => {
    expect(await at("m", 120_000 + 299_999, source)).toEqual(['m{a="b"} 4']);
    expect(await at("m", 120_000 + 300_000, source)).toEqual([]);
  });

  test("atan2 drops the name", async () => {
    expect(await at("m atan2 m", 120_000, source)).toEqual([`{a="b"} ${Math.PI / 4}`]);
  });

  test("numbers are durations in seconds, and the other way round", async () => {
    expect(await at("count_over_time(m[120.001]) + 1m", 120_000, source)).toEqual(['{a="b"} 63']);
  });

  test("a counter is extrapolated to half a distance where its samples begin late, and to zero where that is nearer", async () => {
    const counter = sourceOf([
      { __name__: "c" },
      [
        [500_000, 10],
        [510_000, 20],
        [520_000, 40],
      ],
    ]);
    // 30 in 20 s; half a distance (5 s) before, as zero is 6.67 s away, and none behind.
    expect(await at("increase(c[5m])", 520_000, counter)).toEqual(["{} 37.5"]);
  });
});

test.each([
  ["sum(", /not understood at character 5: it ends there/],
  ["up ? 1", /not understood at character 4: unexpected "\?"/],
  ["holt_winters(up[5m], 1, 1)", /not understood|not supported/],
  ["histogram_sum(up)", /the function histogram_sum at character 1 is not supported/],
  ["limitk(1, up)", /limitk at character 1 is not supported/],
  ["up[5m + 1m]", /the duration 5m \+ 1m at character 4 is not supported/],
  ["rate(up)", /argument 1 of rate has to be a range vector, and is an instant vector/],
  ["clamp(up, 1)", /clamp at character 1 takes 3 arguments, and has 2/],
  ["round()", /round at character 1 takes 1 or 2 arguments, and has 0/],
  ["topk(up)", /topk at character 1 takes 2 arguments, and has 1/],
  ['up{a=~"("}', /no regular expression of RE2/],
  ["{}", /would match everything/],
  ["1 == 1", /write == bool/],
  ["up and 1", /takes instant vectors alone/],
  ["up + group_left(a) up", /not understood|matches labels/],
  ['"\\z"', /unknown escape \\z/],
  ["", /empty/],
])("%s is refused in words", (query, why) => {
  expect(() => parseQuery(query)).toThrow(QueryProblem);
  expect(() => parseQuery(query)).toThrow(why);
});

test("a query that is long or nested deep is refused in words", () => {
  expect(() => parseQuery(`${"(".repeat(200)}1${")".repeat(200)}`)).toThrow(/nested more than 100 deep/);
  expect(() => parseQuery(`"${"x".repeat(20_000)}"`)).toThrow(/20002 characters: give at most 16384/);
});

test("a selector alone is asked for where there is to be one", () => {
  expect(parseSelector('up{a="b"}')).toEqual([
    { name: "__name__", operator: "=", value: "up" },
    { name: "a", operator: "=", value: "b" },
  ]);
  for (const query of ["up[5m]", "sum(up)", "1", "up offset 1m"])
    expect(() => parseSelector(query)).toThrow(/no selector/);
});

test.each(["r\\u00e9\\x41\\101\\n", "\\U0001F600"])("the text %s is read as in Go", (body) => {
  const read = parseQuery(`"${body}"`);
  const wanted = body.startsWith("r") ? "réAA\n" : "😀";
  expect(read).toEqual({ kind: "string", value: wanted });
});

test("a query that would take too much says what to do", async () => {
  const many = sourceOf(...Array.from({ length: 600 }, (_, i): Given => [{ __name__: "m", i: String(i) }, [[0, 1]]]));
  const grid = { startMs: 0, stepMs: 1_000, count: 11_000 };
  const options = { source: many, signal: new AbortController().signal, endMs: 0, lookbackMs: 1, defaultStepMs: 1 };
  await expect(evaluate(parseQuery("m"), grid, options)).rejects.toThrow(/600 series at 11000 steps are more than/);
  await expect(evaluate(parseQuery("sum_over_time(vector(1)[1y:1s])"), grid, options)).rejects.toThrow(/wider step/);
  const long = sourceOf([{ __name__: "m" }, Array.from({ length: 200_000 }, (_, i) => [i, 1] as const)]);
  const all = { startMs: 200_000, stepMs: 1, count: 11_000 };
  await expect(evaluate(parseQuery("sum_over_time(m[1h])"), all, { ...options, source: long })).rejects.toThrow(
    /looks at too many samples/,
  );
});

test("a query ends when its caller has gone", async () => {
  const gone = new AbortController();
  gone.abort(new Error("gone"));
  const options = {
    source: sourceOf([{ __name__: "m" }, [[0, 1]]]),
    signal: gone.signal,
    endMs: 0,
    lookbackMs: 1,
    defaultStepMs: 1,
  };
  await expect(evaluate(parseQuery("m"), { startMs: 0, stepMs: 1, count: 1 }, options)).rejects.toThrow("gone");
});

test("numbers are written as Go writes them", () => {
  const numbers = [
    1,
    -0.5,
    1e21,
    1.5e22,
    1e-7,
    123e-9,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -0,
    0.1,
  ];
  expect(numbers.map(apiNumber)).toEqual([
    "1",
    "-0.5",
    "1e+21",
    "1.5e+22",
    "1e-07",
    "1.23e-07",
    "NaN",
    "+Inf",
    "-Inf",
    "-0",
    "0.1",
  ]);
  expect([1e21, 1.5e22, 1e-7, 1.25e-7, -2e-10].map(goNumber)).toEqual([
    "1000000000000000000000",
    "15000000000000000000000",
    "0.0000001",
    "0.000000125",
    "-0.0000000002",
  ]);
});
