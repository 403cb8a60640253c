import { describe, expect, test } from "vitest";
import { type Matcher, matcherTest } from "../../formats/matchers.ts";
import { aggregate } from "./aggregate.ts";
import type { Aggregation, Binary } from "./ast.ts";
import { binary } from "./binary.ts";
import { QueryProblem } from "./errors.ts";
import { evaluate, type SampleSource } from "./evaluate.ts";
import { labelJoin } from "./label-functions.ts";
import { Labels } from "./labels.ts";
import { apiNumber, goNumber } from "./numbers.ts";
import { parseQuery, parseSelectors } from "./parse.ts";
import { SIGNATURES } from "./signatures.ts";
import type { Samples, Vector } from "./values.ts";

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
  ["up{job=node}", /not understood at character 8: unexpected "node"; a label's value is in quotes: "node"$/],
  ["up{job=~node.*}", /not understood at character 9: unexpected "node"; a label's value is in quotes/],
  ["up ? 1", /not understood at character 4: unexpected "\?"/],
  ["holt_winters(up[5m], 1, 1)", /the function holt_winters before character 13 is not supported$/],
  ["avg_overtime (up[5m])", /the function avg_overtime before .* is not supported; did you mean avg_over_time\?$/],
  ["up{a='b'}(1)", /not understood at character 10: unexpected "\("/],
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

test.each([
  ["a + b offset 1m * c", "a + ((b offset 1m) * c)"],
  ["a or b offset 1m <= bool 2", "a or ((b offset 1m) <= bool 2)"],
  ["a ^ b @ 5 ^ c", "a ^ ((b @ 5) ^ c)"],
  ["-a offset 1m ^ 2", "-((a offset 1m) ^ 2)"],
  ["-1 ^ 2", "-(1 ^ 2)"],
  ["2 ^ -a * b", "(2 ^ (-a)) * b"],
  ["-a * b", "(-a) * b"],
  ["a - b - c", "(a - b) - c"],
  ["a unless b or c and d", "(a unless b) or (c and d)"],
  ["# first\na # behind\n + # more\n sum( # within\n b, # the last\n) by ( # labels\n c)", "a + sum(b) by (c)"],
])("%s is read as %s", (query, meant) => {
  expect(parseQuery(query.replace("b, #", "b #"))).toEqual(parseQuery(meant));
});

test("hostile texts are refused in words", () => {
  const texts = [
    ...["1^".repeat(8_000), "-".repeat(16_000), "1+".repeat(8_000), "sum(".repeat(4_000), "- 1 ^".repeat(2_000)],
    ...[`x{a=~"${"(x{1000}){1}".repeat(1_300)}"}`, `x{${'a=~"(.{1,1000})",'.repeat(900)}}`],
    ...[`x{a=~"${"\\\\pL{1,9}".repeat(1_500)}"}`, `x{a=~"${"(".repeat(900)}a${")*".repeat(900)}"}`],
  ];
  for (const text of texts) expect(() => parseQuery(`${text}1`)).toThrow(QueryProblem);
  expect(() => parseSelectors(Array(101).fill("a"))).toThrow(/101 selectors: give at most 100/);
  expect(() => parseSelectors(Array(30).fill('{a=~".{1000}"}'))).toThrow(/too large together/);
  expect(() => parseQuery('up{__name__=~"u."}')).toThrow(/given twice/);
});

describe("what would take all memory is refused in words", () => {
  const grid = { startMs: 0, stepMs: 1_000, count: 11_000 };
  const source = sourceOf(
    ...Array.from({ length: 400 }, (_, i): Given => [{ __name__: "m", i: String(i), l: "long" }, [[0, i]]]),
  );
  const { signal } = new AbortController();
  const options = { source, signal, endMs: 0, lookbackMs: 1e9, defaultStepMs: 1_000 };
  const grown = (times: number) => `${"label_replace(".repeat(times)}m${', "l", "$1$1", "l", "(.*)")'.repeat(times)}`;
  test.each([
    ["m + (m + m)", /400 series at 11000 steps, with 4400000 values besides/],
    ['count_values("v", vector(time()))', /455 series at 11000 steps/],
    ["m + on() group_left() (count_values('v', vector(time())))", /455 series at 11000 steps/],
    [grown(20), /the label l becomes too long/],
    [`label_replace(m, "a", "", "l", "${"x{900}".repeat(30)}")`, /the regular expression is too large/],
    [
      `label_replace(label_replace(m, "l", "${"$1".repeat(200)}", "i", "(.*)"), "a", "", "l", "((a|b).*){900}")`,
      /too large for values of \d+ characters/,
    ],
  ])("%s", async (query, why) => {
    await expect(evaluate(parseQuery(query), grid, options)).rejects.toThrow(why);
  });

  test("others have their turn while it is worked on", () => {
    const row = (i: string) => ({
      labels: Labels.of([["i", i]]),
      values: new Float64Array(grid.count),
      has: new Uint8Array(grid.count).fill(1),
    });
    const rows = Array.from({ length: 100 }, (_, i) => row(String(i)));
    const all: Vector = { type: "vector", rows };
    const operation = (query: string) => parseQuery(query) as Binary & Aggregation;
    const works = [
      ...["a + b", "a or b", "a and b", "a > b"].map((query) => binary(operation(query), all, all, grid)),
      binary(operation("a + 1"), all, { type: "scalar", values: rows[0]!.values }, grid),
      ...["sum(a)", "topk(1, a)", 'count_values("v", a)', "max by (i) (a)"].map((query) =>
        aggregate(operation(query), rows, query.startsWith("count") ? "v" : rows[0]!.values, grid),
      ),
      labelJoin(rows, ["x", "", "i"]),
    ];
    for (const work of works) {
      const pieces = [...work];
      expect(pieces.length).toBeGreaterThanOrEqual(rows.length);
      expect(pieces.filter((values) => values > grid.count)).toEqual([]);
    }
  });
});

test("what nothing is matched with, matches nothing twice", async () => {
  const two = sourceOf([{ __name__: "m", a: "1" }, [[0, 1]]], [{ __name__: "m", a: "2" }, [[0, 1]]]);
  expect(await at("nothing + on() m", 0, two)).toEqual([]);
  await expect(at("vector(1) + on() m", 0, two)).rejects.toThrow(/many-to-many/);
});

test("powers of 1 and −1 are those of IEEE 754", async () => {
  const powers = ["vector(1) ^ NaN", "vector(1) ^ Inf", "vector(-1) ^ -Inf", "vector(2) ^ NaN"];
  expect(await Promise.all(powers.map((query) => at(query, 0, sourceOf())))).toEqual([
    ["{} 1"],
    ["{} 1"],
    ["{} 1"],
    ["{} NaN"],
  ]);
});

test("ranks and names of labels that are none fail in words", async () => {
  for (const query of ["topk(NaN, vector(1))", "bottomk(Inf, vector(1))"])
    await expect(at(query, 0, sourceOf())).rejects.toThrow(/takes the first (NaN|Infinity) series/);
  for (const query of ['count_values("0x", vector(1))', 'label_join(vector(1), "a", "", "0x")'])
    await expect(at(query, 0, sourceOf())).rejects.toThrow(/"0x" is no name of a label/);
});

test("count_values counts together what has the value for a label that told it apart", async () => {
  const two = sourceOf([{ __name__: "m", a: "1" }, [[0, 5]]], [{ __name__: "m", a: "2" }, [[0, 5]]]);
  expect(await at('count_values without () ("a", m)', 0, two)).toEqual(['{a="5"} 2']);
  expect(await at('count_values without (a) ("a", m)', 0, two)).toEqual(["{} 2"]);
});

test("a selector alone is asked for where there is to be one", () => {
  expect(parseSelectors(['up{a="b"}'])).toEqual([
    [
      { name: "__name__", operator: "=", value: "up" },
      { name: "a", operator: "=", value: "b" },
    ],
  ]);
  for (const query of ["up[5m]", "sum(up)", "1", "up offset 1m"])
    expect(() => parseSelectors([query])).toThrow(/no selector/);
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
  // What is counted is the length of the windows, which this function does not go through.
  await expect(evaluate(parseQuery("count_over_time(m[1h])"), all, { ...options, source: long })).rejects.toThrow(
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

test.each([...SIGNATURES])("%s is what its signature says, and does something", async (name, { args, optional }) => {
  const given = { scalar: "1", string: '"a"', vector: "m", matrix: "m[5m]" };
  const source = sourceOf([{ __name__: "m", a: "b" }, [[0, 1]]]);
  const options = { source, signal: new AbortController().signal, endMs: 0, lookbackMs: 300_000, defaultStepMs: 1_000 };
  const counts = [args.length, args.length - Math.abs(optional)];
  for (const count of counts) {
    const query = `${name}(${args
      .slice(0, count)
      .map((type) => given[type])
      .join(", ")})`;
    const value = await evaluate(parseQuery(query), { startMs: 0, stepMs: 1, count: 1 }, options);
    expect([query, value.type]).toEqual([query, SIGNATURES.get(name)!.value]);
  }
});
