/** Queries against a real Prometheus that has the same samples: whatever is answered, is answered as it does. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { type Prometheus, startStore } from "../../testing/prometheus.ts";
import { type Answer, comparable, END_MS, nearly, promqlSamples, START_MS } from "../../testing/promql.ts";

const INSTANT = [
  ...[
    "temp_celsius",
    'temp_celsius{job="node"}',
    'temp_celsius{instance=~"a|b",job!="db"}',
    'temp_celsius{instance!~"a.*"}',
  ],
  ...['{__name__="constant"}', '{__name__=~"temp.*|constant"}', 'up{nothing=""}', "gaps", "small", "large"],
  ...[
    "1",
    "-1^2",
    "2^3^2",
    "1 - -1",
    "1 / 0",
    "-1 / 0",
    "0 / 0",
    "5 % 3",
    "-5 % 3",
    "1e3 + 0x1F",
    '"text"',
    "time() - time()",
  ],
  ...[
    "-temp_celsius",
    "+up",
    "temp_celsius + 1",
    "2 * temp_celsius",
    "temp_celsius > 21",
    "21 < temp_celsius",
    "temp_celsius > bool 21",
  ],
  ...[
    "temp_celsius == temp_celsius",
    "temp_celsius != temp_celsius",
    "up == 1",
    "up == bool 0",
    "1 == bool 1",
    "2 > bool 3",
  ],
  ...["temp_celsius - limit_celsius", "temp_celsius > limit_celsius", "temp_celsius >= bool limit_celsius"],
  ...["temp_celsius % limit_celsius", "up ^ temp_celsius"],
  ...['temp_celsius{job="node"} - on(instance) limit_celsius{job="db"}'],
  "temp_celsius * on(job) group_left(version) build_info",
  "build_info * on(job) group_right(version) temp_celsius",
  "temp_celsius * on(job) group_left() build_info",
  ...[
    "up and temp_celsius > 20",
    "up or gaps",
    "temp_celsius unless up == 0",
    "up and on(job) build_info",
    'up unless ignoring(instance) up{instance="a"}',
  ],
  ...[
    "sum(temp_celsius)",
    "sum by (job) (temp_celsius)",
    "avg(temp_celsius) by (instance)",
    "min without (job) (temp_celsius)",
  ],
  ...[
    "max(temp_celsius)",
    "count(up)",
    "count by (job) (up == 1)",
    "group by (instance) (up)",
    "stddev(temp_celsius)",
    "stdvar by (job) (temp_celsius)",
  ],
  ...[
    "quantile(0.9, temp_celsius)",
    "quantile by (job) (0.25, temp_celsius)",
    "quantile(2, up)",
    'count_values("v", up)',
    'count_values by (job) ("v", up)',
  ],
  ...[
    "topk(2, temp_celsius)",
    "bottomk(1, temp_celsius) by (job)",
    "topk by (instance) (1, temp_celsius)",
    "topk(0, up)",
    "topk(100, up)",
  ],
  ...["sum(small)", "sum(large) / 2", "avg(large)", "sum without () (up)"],
  ...[
    "rate(requests_total[5m])",
    "increase(requests_total[5m])",
    "irate(requests_total[5m])",
    "delta(temp_celsius[5m])",
    "idelta(temp_celsius[5m])",
  ],
  ...[
    "deriv(temp_celsius[5m])",
    "deriv(constant[5m])",
    "predict_linear(temp_celsius[10m], 600)",
    "predict_linear(constant[10m], 600)",
  ],
  ...["changes(up[10m])", "resets(requests_total[20m])", "sum(rate(requests_total[1m])) by (code)"],
  ...["avg", "min", "max", "sum", "count", "stddev", "stdvar", "last", "present"].map(
    (name) => `${name}_over_time(temp_celsius[3m])`,
  ),
  ...[
    "quantile_over_time(0.5, temp_celsius[3m])",
    "max_over_time(gaps[1h])",
    "last_over_time(gaps[30m])",
    'absent_over_time(nothing{a="b"}[5m])',
  ],
  ...[
    "absent(nothing)",
    'absent(nothing{job="x",instance=~"y"})',
    "absent(up)",
    "absent(sum(nothing))",
    "scalar(constant)",
    "scalar(up)",
  ],
  ...[
    "vector(3)",
    "vector(time())",
    "timestamp(temp_celsius)",
    "timestamp(up + 0)",
    "sort(temp_celsius)",
    "sort_desc(temp_celsius)",
  ],
  ...[
    "abs(gaps)",
    "ceil(temp_celsius)",
    "floor(gaps)",
    "exp(gaps)",
    "ln(temp_celsius)",
    "log2(temp_celsius)",
    "log10(temp_celsius)",
    "sqrt(temp_celsius)",
  ],
  ...[
    "sgn(gaps)",
    "round(temp_celsius)",
    "round(temp_celsius, 0.5)",
    "clamp(temp_celsius, 19, 21)",
    "clamp_min(temp_celsius, 20)",
    "clamp_max(temp_celsius, 20)",
  ],
  ...["clamp(temp_celsius, 5, 1)", "sin(gaps)", "acosh(temp_celsius)", "deg(gaps)", "rad(gaps)", "pi()"],
  ...[
    "minute()",
    "hour(vector(1700000000))",
    "day_of_week(vector(1700000000))",
    "day_of_month(vector(1700000000))",
    "day_of_year(vector(1700000000))",
  ],
  ...[
    "days_in_month(vector(1700000000))",
    "month(vector(1700000000))",
    "year(vector(1700000000))",
    "year(timestamp(up))",
  ],
  ...[
    "histogram_quantile(0.9, latency_bucket)",
    "histogram_quantile(0.5, rate(latency_bucket[5m]))",
    "histogram_quantile(0.99, sum by (le) (rate(latency_bucket[5m])))",
  ],
  ...["histogram_quantile(-1, latency_bucket)", "histogram_quantile(0.1, latency_bucket)"],
  'label_replace(up, "host", "$1-x", "instance", "(.*)")',
  `label_replace(up, "host", "\${1}x", "instance", "(a|b)")`,
  'label_replace(up, "job", "", "job", "db")',
  'label_join(up, "both", "-", "job", "instance")',
  ...[
    "temp_celsius offset 5m",
    "temp_celsius offset -1m",
    `temp_celsius @ ${START_MS / 1_000 + 600}`,
    "rate(requests_total[5m] offset 2m)",
    "temp_celsius @ start()",
  ],
  ...[
    "max_over_time(rate(requests_total[1m])[5m:37s])",
    "avg_over_time((temp_celsius > 20)[10m:])",
    "sum_over_time(up[5m:41s] offset 1m)",
    "rate(requests_total[5m] @ end())",
  ],
  ...["temp_celsius[1m]", "requests_total[2m] offset 1m", "up[2m:30s]"],
  ...[
    "sum(up) > 3 or vector(0)",
    "(temp_celsius - limit_celsius) / limit_celsius * 100",
    "1 - avg by (job) (up)",
    '100 * sum(rate(requests_total{code="500"}[5m])) / sum(rate(requests_total[5m]))',
  ],
  ...[
    "temp_celsius # a comment",
    "sum by (job,) (up)",
    "up\n+\n1",
    "temp_celsius > 20 < 22",
    "up == 1 and on(instance) temp_celsius",
    "2 ^ up",
  ],
];

/** Refused by both. */
const REFUSED = [
  ...[
    "",
    "sum(",
    "up{",
    "up[5m",
    "rate(up)",
    "up[5m] + 1",
    "1 == 1",
    "up and 1",
    "{}",
    '{job=~".*"}',
    "foo(up)",
    "sum(up) by",
    "up{job=}",
  ],
  ...[
    'label_replace(up, "a")',
    "topk(up)",
    "count_values(1, up)",
    "up offset",
    "up + on(a) group_left(a) up",
    "1 + bool 2",
    'up{a=~"("}',
    "up up",
  ],
  ...[
    "rate(up[5m])[5m]",
    "sum(up)[5m]",
    "(up)[5m]",
    "up @ x",
    '-"a"',
    "time(1)",
    "up[0s]",
    "sum(up[5m])",
    '"a" + 1',
    "up[5m:0s]",
  ],
];

/** As above, once there are samples. */
const FAILED = [
  ...[
    "temp_celsius + on(job) limit_celsius",
    "temp_celsius * on(job) build_info",
    'temp_celsius - ignoring(job) limit_celsius{job="db"}',
    "build_info * on() group_left() up",
    'label_replace(up, "0x", "", "job", ".*")',
  ],
  ...[
    'label_replace(up, "instance", "", "job", ".*")',
    'sum({__name__=~"up|constant"} + on() group_right() up)',
    'abs({__name__=~"temp_celsius|limit_celsius"})',
  ],
];

describeWith(["prometheus"], "PromQL", () => {
  let platform: Platform;
  let prometheus: Pick<Prometheus, "url" | "stop">;
  beforeAll(async () => {
    [platform, prometheus] = await Promise.all([startPlatform(), startStore()]);
    const sent = promqlSamples();
    for (const base of [platform.http, prometheus.url]) {
      const response = await fetch(`${base}/api/v1/write`, { method: "POST", ...sent });
      expect([response.status, await response.text()]).toEqual([204, ""]);
    }
  }, 180_000);
  afterAll(async () => {
    await Promise.all([platform?.stop(), prometheus?.stop()]);
  });

  const ask = async (base: string, path: string, parameters: Record<string, string>) => {
    const response = await fetch(`${base}${path}?${new URLSearchParams(parameters)}`);
    return { status: response.status, body: (await response.json()) as Answer };
  };
  const both = (path: string, parameters: Record<string, string>) =>
    Promise.all([platform.http, prometheus.url].map((base) => ask(base, path, parameters)));

  test.each(INSTANT)("instant: %s", async (query) => {
    for (const timeMs of [START_MS + 31_500, START_MS + 24 * 60_000 + 13_500, END_MS - 60_500, END_MS + 200_500]) {
      const [ours, theirs] = await both("/api/v1/query", { query, time: String(timeMs / 1_000) });
      expect(ours!.body, `${query} at ${timeMs}`).toMatchObject({ status: "success" });
      expect(comparable(ours!.body, query), `${query} at ${timeMs}`).toEqual(nearly(comparable(theirs!.body, query)));
    }
  });

  const RANGES = INSTANT.filter(
    (query) => !/^(?:"|temp_celsius\[|requests_total\[|up\[)/.test(query) && !query.startsWith("sort"),
  );
  test.each(RANGES)("range: %s", async (query) => {
    for (const step of ["17", "61s", "5m"]) {
      const parameters = { query, step, start: String(START_MS / 1_000 - 29.5), end: String(END_MS / 1_000 + 400) };
      const [ours, theirs] = await both("/api/v1/query_range", parameters);
      expect(ours!.body, `${query} by ${step}`).toMatchObject({ status: "success" });
      expect(comparable(ours!.body, query), `${query} by ${step}`).toEqual(nearly(comparable(theirs!.body, query)));
    }
  });

  test.each(REFUSED)("refused: %s", async (query) => {
    const [ours, theirs] = await both("/api/v1/query", { query });
    expect([theirs!.status, theirs!.body.errorType]).toEqual([400, "bad_data"]);
    expect([ours!.status, ours!.body.errorType]).toEqual([400, "bad_data"]);
    expect(ours!.body.error).toMatch(/\S/);
  });

  test.each(FAILED)("failed: %s", async (query) => {
    const [ours, theirs] = await both("/api/v1/query", { query, time: String(START_MS / 1_000 + 1_200) });
    expect([theirs!.status, theirs!.body.errorType]).toEqual([422, "execution"]);
    expect([ours!.status, ours!.body.errorType]).toEqual([422, "execution"]);
  });
});
