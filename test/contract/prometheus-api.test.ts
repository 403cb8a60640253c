/** Prometheus' HTTP API as its clients use it: promtool, vmalert, and a Prometheus that reads from here. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { SENSOR_METRICS } from "../../server/api/prometheus/metrics.ts";
import { describeWith, program } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startStore } from "../../testing/prometheus.ts";
import { labels1, snappyCompress, writeRequest1 } from "../../testing/remote-write.ts";
import { startSecured } from "../../testing/secured.ts";
import { startVmalert } from "../../testing/vmalert.ts";

const NOW_S = Math.floor(Date.now() / 1_000);
const COUNT = 120;
const DASHBOARD = fileURLToPath(new URL("../../deploy/dashboards/sensors.json", import.meta.url));

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
  await send(platform.grpc, "press-1", { line: "3", "site.name": "north" });
  await send(platform.grpc, "press-2", { line: "4", sensor: "inner" });
  await write(platform.http, "boiler_temperature", { boiler: "7", job: "plant" }, () => 91);
});
afterAll(() => platform?.stop());

const value = (i: number) => 20 + Math.round(100 * Math.sin(i / 5)) / 100 + (i === COUNT - 2 ? 50 : 0);
const secondsOf = (i: number) => NOW_S - 10 * (COUNT - i);

async function send(grpc: string, id: string, attributes: Record<string, string>, headers = {}): Promise<void> {
  const readings = Array.from({ length: COUNT }, (_, i) => ({
    ...{ sensorId: id, sensorType: "temperature", unit: "C", location: "hall", value: value(i), attributes },
    observedAt: new Date(secondsOf(i) * 1_000).toISOString(),
  }));
  const response = await fetch(`${grpc}/telltale.v1.IngestService/SubmitReadings`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ readings }),
  });
  expect([response.status, await response.json()]).toMatchObject([200, { counts: { accepted: String(COUNT) } }]);
}

async function write(http: string, name: string, labels: Record<string, string>, of: (i: number) => number) {
  const samples = Array.from({ length: COUNT }, (_, i) => ({ timestamp: BigInt(secondsOf(i) * 1_000), value: of(i) }));
  const sorted = Object.fromEntries(Object.entries({ __name__: name, ...labels }).sort());
  const sent = writeRequest1({ timeseries: [{ labels: labels1(sorted), samples }] });
  expect((await fetch(`${http}/api/v1/write`, { method: "POST", ...sent })).status).toBe(204);
}

async function get(path: string, parameters: Record<string, string> | [string, string][] = {}, base = platform.http) {
  const response = await fetch(`${base}${path}?${new URLSearchParams(parameters)}`);
  return { status: response.status, body: await response.json() };
}

const instant = async (query: string, more: Record<string, string> = {}) =>
  (await get("/api/v1/query", { query, time: String(NOW_S), ...more })).body.data.result as {
    metric: Record<string, string>;
    value: [number, string];
  }[];

describe("metrics of sensors", () => {
  const labels = { type: "temperature", unit: "C", location: "hall" };

  test("have what the registry knows as labels", async () => {
    const found = await instant("telltale_value");
    expect(found.map(({ metric }) => metric)).toEqual([
      {
        __name__: "telltale_value",
        sensor: 'boiler_temperature{boiler="7",job="plant"}',
        type: "boiler_temperature",
        unit: "1",
        boiler: "7",
        job: "plant",
      },
      { __name__: "telltale_value", sensor: "press-1", line: "3", site_name: "north", ...labels },
      // A label of the sensor itself goes before an attribute of that name.
      { __name__: "telltale_value", sensor: "press-2", line: "4", attribute_sensor: "inner", ...labels },
    ]);
    expect(found[1]!.value).toEqual([NOW_S, String(value(COUNT - 1))]);
  });

  test("are chosen by any of them", async () => {
    const sensors = async (query: string) => (await instant(query)).map(({ metric }) => metric.sensor);
    for (const matcher of [
      'sensor="press-1"',
      'site_name="north"',
      'line=~"3|5"',
      'line="3",unit="C"',
      'sensor=~"press.*",line!="4"',
    ])
      expect([matcher, await sensors(`telltale_value{${matcher}}`)]).toEqual([matcher, ["press-1"]]);
    expect(await sensors('telltale_value{attribute_sensor="inner"}')).toEqual(["press-2"]);
    expect(await sensors('telltale_value{type!="boiler_temperature"}')).toEqual(["press-1", "press-2"]);
    expect(await sensors('telltale_value{line=""}')).toHaveLength(1);
    expect(await sensors('telltale_value{sensor="nobody"}')).toEqual([]);
    expect(await sensors('telltale_value{sensor="inner"}')).toEqual([]);
  });

  test("are the verdicts that are stored", async () => {
    const { body } = await get("/api/v1/sensors/data", { sensor_id: "press-1", limit: "1000" });
    const stored = body as {
      timestamp: string;
      value: number;
      is_anomaly: boolean;
      anomaly_score: number;
    }[];
    expect(stored).toHaveLength(COUNT);
    const of = async (metric: string) => {
      const [series] = (await instant(`${metric}{sensor="press-1"}[1h]`)) as unknown as {
        values: [number, string][];
      }[];
      return new Map(series!.values.map(([seconds, text]) => [seconds, Number(text)]));
    };
    const values = await of("telltale_value");
    const scores = await of("telltale_score");
    const anomalies = await of("telltale_anomaly");
    for (const reading of stored) {
      const seconds = Date.parse(reading.timestamp) / 1_000;
      expect([values.get(seconds), scores.get(seconds), anomalies.get(seconds)]).toEqual([
        reading.value,
        reading.anomaly_score,
        Number(reading.is_anomaly),
      ]);
    }
    expect([...anomalies.values()]).toContain(1);
    // Bounds lie around what was expected.
    const [within] = await instant(
      'count(telltale_lower{sensor="press-1"} < on(sensor) telltale_expected < on(sensor) telltale_upper)',
    );
    expect(within!.value[1]).toBe("1");
  });
});

test("what was sent by a protocol has its own name and labels", async () => {
  const [found] = await instant("boiler_temperature");
  expect(found!.metric).toEqual({ __name__: "boiler_temperature", boiler: "7", job: "plant" });
  expect(await instant('{job="plant",__name__!~"telltale_.*"}')).toHaveLength(1);
});

test("there is a catalogue of what can be asked for", async () => {
  const data = async (path: string, parameters: Record<string, string> | [string, string][] = {}) =>
    (await get(path, parameters)).body.data;
  const names = [
    "__name__",
    "attribute_sensor",
    "boiler",
    "job",
    "line",
    "location",
    "sensor",
    "site_name",
    "type",
    "unit",
  ];
  expect(await data("/api/v1/labels")).toEqual(expect.arrayContaining(names));
  expect(await data("/api/v1/labels", { "match[]": "boiler_temperature" })).toEqual(["__name__", "boiler", "job"]);
  expect(await data("/api/v1/label/__name__/values")).toEqual(["boiler_temperature", ...SENSOR_METRICS.keys()].sort());
  expect(await data("/api/v1/label/line/values")).toEqual(["3", "4"]);
  expect(await data("/api/v1/label/sensor/values", { "match[]": 'telltale_value{type="temperature"}' })).toEqual([
    "press-1",
    "press-2",
  ]);
  expect(await data("/api/v1/label/nothing/values")).toEqual([]);
  expect(await data("/api/v1/label/U__site_2e_name/values")).toEqual([]);
  const matched: [string, string][] = [
    ["match[]", "boiler_temperature"],
    ["match[]", 'telltale_score{sensor="press-1"}'],
  ];
  expect(await data("/api/v1/series", matched)).toHaveLength(2);
  expect(await data("/api/v1/series", { "match[]": "boiler_temperature", end: "1000" })).toEqual([]);
  expect((await data("/api/v1/metadata")).telltale_value).toEqual([expect.objectContaining({ type: "gauge" })]);
  expect(Object.keys(await data("/api/v1/metadata", { metric: "boiler_temperature" }))).toEqual(["boiler_temperature"]);
  expect((await data("/api/v1/status/buildinfo")).version).toMatch(/^\d+\.\d+\.\d+$/);
  const limited = await get("/api/v1/label/__name__/values", { limit: "2" });
  expect(limited.body).toMatchObject({ data: { length: 2 }, warnings: ["results truncated due to limit"] });
});

test("both listeners answer, and forms are taken", async () => {
  for (const base of [platform.http, platform.grpc]) {
    const form = await fetch(`${base}/api/v1/query`, { method: "POST", body: new URLSearchParams({ query: "1 + 1" }) });
    expect(await form.json()).toMatchObject({
      status: "success",
      data: { resultType: "scalar", result: [expect.any(Number), "2"] },
    });
    expect((await get("/api/v1/label/line/values", {}, base)).body.data).toEqual(["3", "4"]);
  }
});

describe("wrong input is refused in words", () => {
  const range = { query: "up", start: "0", end: "60", step: "15" };
  test.each<[string, string, Record<string, string>, RegExp]>([
    ["no query", "/api/v1/query", {}, /the parameter query is missing/],
    ["a time in words", "/api/v1/query", { query: "up", time: "now" }, /time is "now": give seconds since 1970/],
    ["a time beyond all dates", "/api/v1/query", { query: "up", time: "1e300" }, /time is "1e300"/],
    ["a query of another language", "/api/v1/query", { query: "SELECT 1" }, /not understood at character 8/],
    ["no end", "/api/v1/query_range", { query: "up", start: "0", step: "1" }, /the parameter end is missing/],
    ["an end before the start", "/api/v1/query_range", { ...range, end: "-1" }, /end is before start/],
    ["a step of nothing", "/api/v1/query_range", { ...range, step: "0" }, /step is "0"/],
    [
      "too many steps",
      "/api/v1/query_range",
      { ...range, end: "86400", step: "1" },
      /86401 steps of 1 s: choose a wider step/,
    ],
    [
      "a range vector over a range",
      "/api/v1/query_range",
      { ...range, query: "up[5m]" },
      /put a function such as rate/,
    ],
    ["no selector", "/api/v1/series", {}, /match\[\] is missing/],
    ["a selector that is none", "/api/v1/series", { "match[]": "sum(up)" }, /is no selector/],
    ["a limit in words", "/api/v1/labels", { limit: "few" }, /limit is "few"/],
    ["a lookback in words", "/api/v1/query", { query: "up", lookback_delta: "long" }, /lookback_delta is "long"/],
  ])("%s", async (_, path, parameters, why) => {
    const { status, body } = await get(path, parameters);
    expect([status, body]).toEqual([
      400,
      { status: "error", errorType: "bad_data", error: expect.stringMatching(why) },
    ]);
  });

  test("methods and bodies that are not taken", async () => {
    const removed = await fetch(`${platform.grpc}/api/v1/query`, { method: "DELETE" });
    expect([removed.status, removed.headers.get("allow")]).toEqual([405, "GET, POST"]);
    const json = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    const refused = await fetch(`${platform.grpc}/api/v1/query`, json);
    expect([refused.status, await refused.json()]).toMatchObject([
      415,
      { error: expect.stringContaining("x-www-form-urlencoded") },
    ]);
    const read = (body: Uint8Array<ArrayBuffer>, headers = {}) =>
      fetch(`${platform.http}/api/v1/read`, { method: "POST", headers, body });
    expect((await read(new Uint8Array([1]))).status).toBe(415);
    const snappy = { "content-encoding": "snappy" };
    expect((await read(new Uint8Array([1, 2, 3]), snappy)).status).toBe(400);
    expect((await read(snappyCompress(new Uint8Array([255, 255])), snappy)).status).toBe(400);
  });
});

test("a caller sees the sensors that are its own, and nothing of the others", async () => {
  const secured = await startSecured();
  try {
    const admin = { authorization: `Bearer ${secured.adminToken}` };
    await send(secured.grpc, "mine/1", { line: "3" }, admin);
    await send(secured.grpc, "other/1", { secret: "word" }, admin);
    const mine = (await secured.mint([Scope.READ], "mine/")).secret;
    const ingest = (await secured.mint([Scope.INGEST])).secret;
    const ask = async (path: string, token?: string) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const response = await fetch(secured.http + path, { headers });
      return { status: response.status, body: await response.json() };
    };
    expect((await ask("/api/v1/query?query=telltale_value")).status).toBe(401);
    expect(await ask("/api/v1/query?query=telltale_value", ingest)).toMatchObject({
      status: 403,
      body: { errorType: "forbidden" },
    });
    const seen = async (path: string) => JSON.stringify((await ask(path, mine)).body.data);
    const paths = [
      "query?query=telltale_value",
      "labels",
      "label/sensor/values",
      "label/secret/values",
      "metadata",
      "series?match[]=telltale_value",
    ];
    for (const path of paths) {
      expect([path, await seen(`/api/v1/${path}`)]).not.toEqual([path, expect.stringMatching(/other|secret|word/)]);
    }
    expect(await seen("/api/v1/label/sensor/values")).toBe('["mine/1"]');
    expect(await seen("/api/v1/query?query=count(telltale_value)")).toContain('"1"');
    // By name, value, place and expression.
    for (const query of ['telltale_value{secret="word"}', 'telltale_value{sensor="other/1"}', '{secret=~"w.*"}']) {
      expect(await seen(`/api/v1/query?query=${encodeURIComponent(query)}`)).toContain('"result":[]');
      expect(await seen(`/api/v1/label/secret/values?match[]=${encodeURIComponent(query)}`)).toBe("[]");
    }
    // A renamed sensor has the name that is shown, and its former readings.
    const rename = await fetch(`${secured.grpc}/telltale.v1.RegistryService/RenameSensor`, {
      method: "POST",
      headers: { ...admin, "content-type": "application/json" },
      body: JSON.stringify({ sensorId: "other/1", newSensorId: "mine/2" }),
    });
    expect([rename.status, await rename.text()]).toEqual([200, expect.any(String)]);
    await vi.waitFor(async () => expect(await seen("/api/v1/label/sensor/values")).toBe('["mine/1","mine/2"]'), 30_000);
    const all = await seen('/api/v1/query?query=count_over_time(telltale_value{sensor="mine/2"}[1h])');
    expect(all).toContain(`"${COUNT}"`);
    for (const matcher of ['sensor="other/1"', 'sensor=~"other.*"'])
      expect(await seen(`/api/v1/query?query=telltale_value{${matcher}}`)).toContain('"result":[]');
  } finally {
    await secured.stop();
  }
}, 120_000);

/** The requests of Grafana's data source for Prometheus, in the forms and with the fallbacks of its backend. */
describe.each(["http", "grpc"] as const)("Grafana, by the %s listener,", (listener) => {
  const times = { start: `${NOW_S - 600}.125`, end: `${NOW_S}.875` };
  type Parameters = Record<string, string>;
  const ask = async (path: string, init?: RequestInit) => {
    const response = await fetch(`${platform[listener]}${path}`, init);
    return { status: response.status, body: await response.json() };
  };
  const post = (path: string, form: Parameters) => ask(path, { method: "POST", body: new URLSearchParams(form) });
  /** What its editors and variables ask for. Its backend posts also what it has no parameters for, but what it knows to be for GET alone. */
  async function resource(path: string, { query = {}, form = {} }: { query?: Parameters; form?: Parameters }) {
    const withQuery = Object.keys(query).length === 0 ? path : `${path}?${new URLSearchParams(query)}`;
    if (!/^\/api\/v1\/(label\/|metadata)/.test(path)) {
      const posted = await post(withQuery, form);
      if (posted.status !== 400 && posted.status !== 405) return posted;
    }
    return await ask(`${path}?${new URLSearchParams({ ...query, ...form })}`);
  }

  test("finds a Prometheus when it tests the data source", async () => {
    const health = await post("/api/v1/query", { query: "1+1", time: "4" });
    expect(health).toEqual({
      status: 200,
      body: { status: "success", data: { resultType: "scalar", result: [4, "2"] } },
    });
    const { status, body } = await resource("/api/v1/status/buildinfo", {});
    expect([status, body.status, body.data.features]).toEqual([200, "success", undefined]);
  });

  test.each(["GET", "POST"])("draws panels, by %s", async (method) => {
    const range = { query: 'telltale_value{sensor="press-1"}', ...times, step: "15", timeout: "60s" };
    const sent = (path: string, parameters: Parameters) =>
      method === "POST" ? post(path, parameters) : ask(`${path}?${new URLSearchParams(parameters)}`);
    const { body } = await sent("/api/v1/query_range", range);
    expect(body).toMatchObject({
      status: "success",
      data: { resultType: "matrix", result: [{ metric: { line: "3" } }] },
    });
    expect(body.data.result[0].values[0][0] % 1).toBe(0.125);
    const instant = await sent("/api/v1/query", { query: range.query, time: times.end, timeout: "60s" });
    expect(instant.body).toMatchObject({
      data: { resultType: "vector", result: [{ value: [NOW_S + 0.875, String(value(COUNT - 1))] }] },
    });
    // Of other statuses than these its backend shows no message.
    expect([400, 422, 503]).toContain((await sent("/api/v1/query_range", { ...range, query: "nothing(" })).status);
  });

  test("fills its editors and variables", async () => {
    const data = async (path: string, parameters: { query?: Parameters; form?: Parameters }) => {
      const { status, body } = await resource(path, parameters);
      expect([path, status, body.status]).toEqual([path, 200, "success"]);
      return body.data;
    };
    const limited = { limit: "40000", ...times };
    expect(await data("/api/v1/label/__name__/values", { query: limited })).toContain("telltale_score");
    expect(await data("/api/v1/labels", { form: limited })).toContain("boiler");
    const boiler = { "match[]": "boiler_temperature" };
    expect(await data("/api/v1/labels", { form: { ...limited, ...boiler } })).toEqual(["__name__", "boiler", "job"]);
    // Its suggestions have parameters in the address and an empty form.
    expect(await data("/api/v1/labels", { query: { ...limited, ...boiler } })).toEqual(["__name__", "boiler", "job"]);
    const job = { "match[]": '{__name__="boiler_temperature",job="plant"}' };
    expect(await data("/api/v1/label/boiler/values", { query: { ...times, ...job } })).toContain("7");
    const everything = { "match[]": '{__name__!=""}', ...limited };
    expect((await data("/api/v1/series", { form: everything })).length).toBeGreaterThan(2);
    const metadata = await data("/api/v1/metadata", { query: { limit: "40000" } });
    expect(metadata.telltale_value).toEqual([{ type: "gauge", help: expect.any(String), unit: expect.any(String) }]);
    expect(Object.keys(await data("/api/v1/metadata", { query: { metric: "telltale_score" } }))).toEqual([
      "telltale_score",
    ]);
    const result = await data("/api/v1/query", { form: { query: "count(telltale_value)", time: times.end } });
    expect(result.resultType).toBe("vector");
  });

  test("offers no exemplars, and finds no rules of its own kind", async () => {
    const milliseconds = { query: "test", start: `${NOW_S - 1_800}000`, end: `${NOW_S}000` };
    const told = {
      status: "error",
      errorType: "not_found",
      error: expect.stringContaining("exemplars are not stored"),
    };
    expect(await resource("/api/v1/query_exemplars", { query: milliseconds })).toEqual({ status: 404, body: told });
    const form = { query: "telltale_value", ...times };
    expect(await post("/api/v1/query_exemplars", form)).toEqual({ status: 404, body: told });
    expect(await resource("/api/v1/rules", {})).toEqual({
      status: 200,
      body: { status: "success", data: { groups: [] } },
    });
  });
});

describeWith(["promtool"], "promtool", () => {
  const promtool = (...args: string[]) => execFileSync(program("promtool")!, ["query", ...args], { encoding: "utf8" });

  test("asks", () => {
    expect(promtool("instant", platform.http, 'telltale_value{sensor="press-1"}')).toContain('sensor="press-1"');
    const range = ["--start", String(NOW_S - 600), "--end", String(NOW_S), "--step", "60s"];
    expect(promtool("range", platform.http, "boiler_temperature", ...range)).toContain("91 @");
    expect(promtool("series", "--match", "boiler_temperature", platform.http)).toContain('boiler="7"');
    expect(promtool("labels", platform.http, "line")).toBe("3\n4\n");
  });
});

describeWith(["prometheus"], "a Prometheus that reads from here", () => {
  test("answers what only it can from what is stored", async () => {
    const prometheus = await startStore(`${platform.http}/api/v1/read`);
    try {
      const parameters = { query: 'holt_winters(boiler_temperature{job=~"pl.*"}[10m], 0.5, 0.5)', time: String(NOW_S) };
      const { body } = await get("/api/v1/query", parameters, prometheus.url);
      expect(body).toMatchObject({
        status: "success",
        data: { result: [{ metric: { boiler: "7" }, value: [NOW_S, "91"] }] },
      });
      const theirs = await get("/api/v1/query", { query: "telltale_value[1h]", time: String(NOW_S) }, prometheus.url);
      expect(theirs.body.data.result).toHaveLength(3);
      expect(theirs.body.data.result[1].values).toHaveLength(COUNT);
    } finally {
      await prometheus.stop();
    }
  }, 120_000);
});

describeWith(["vmalert"], "vmalert", () => {
  test("judges by rules over readings, and tells this platform", async () => {
    await write(platform.http, "boiler_temperature", { boiler: "8", job: "plant" }, () => 95);
    const vmalert = await startVmalert(platform.http, platform.http);
    try {
      await vi.waitFor(
        async () => {
          const { body } = await get("/api/v2/alerts");
          expect(body).toContainEqual(
            expect.objectContaining({
              labels: expect.objectContaining({ alertname: "VmHighTemp", boiler: "8" }),
              annotations: expect.objectContaining({ summary: "boiler 8 is at 95" }),
            }),
          );
        },
        { timeout: 90_000, interval: 200 },
      );
    } finally {
      await vmalert.stop();
    }
  }, 120_000);
});

test("the dashboard of sensors asks for nothing that is not answered", async () => {
  const dashboard = JSON.parse(readFileSync(DASHBOARD, "utf8"));
  const filled = (text: string) =>
    text
      .replaceAll("$__rate_interval", "1m")
      .replaceAll("$__range", "1h")
      .replaceAll("$sensor", "press-1")
      .replaceAll("$type", "temperature");
  const queries = dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
    targets.map(({ expr }) => expr),
  );
  expect(queries.length).toBeGreaterThan(5);
  for (const query of queries) {
    const { body } = await get("/api/v1/query_range", {
      query: filled(query),
      start: String(NOW_S - 600),
      end: String(NOW_S),
      step: "60",
    });
    expect([query, body.status, body.data.result.length]).toEqual([
      query,
      "success",
      expect.toSatisfy((n: number) => n > 0),
    ]);
  }
  const lists = dashboard.templating.list.filter(({ type }: { type: string }) => type === "query");
  for (const { query } of lists) {
    const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec(filled(query))!;
    expect((await get(`/api/v1/label/${label}/values`, { "match[]": selector! })).body.data.length).toBeGreaterThan(0);
  }
});
