/** The outside contract, from outside: the real platform on an empty database. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Platform, startPlatform } from "../../testing/platform.ts";

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform?.stop());

interface Answered {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

async function call(
  method: string,
  path: string,
  init: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answered> {
  const body =
    init.body === undefined || typeof init.body === "string" ? (init.body as string) : JSON.stringify(init.body);
  const response = await fetch(platform.http + path, {
    method,
    redirect: "manual",
    headers: { ...(init.body === undefined ? {} : { "content-type": "application/json" }), ...init.headers },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") && text !== "";
  return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
}

const get = (path: string) => call("GET", path);
const DATA = "/api/v1/sensors/data";
const ALERTS = "/api/v1/sensors/alerts";

const reading = (over: Record<string, unknown> = {}) => ({
  sensor_id: "s",
  sensor_type: "temperature",
  value: 20.5,
  unit: "C",
  ...over,
});
const post = (over: Record<string, unknown> = {}) => call("POST", DATA, { body: reading(over) });

interface Problem {
  type: string;
  loc: (string | number)[];
  ctx?: unknown;
}
const problems = ({ body }: Answered) =>
  (body as { detail: Problem[] }).detail.map(({ type, loc, ctx }) => ({ type, loc, ctx }));

interface StoredReading {
  id: number;
  value: number;
  timestamp: string;
}

describe("an empty platform", () => {
  test("is healthy and says its name", async () => {
    expect(await get("/health")).toMatchObject({
      status: 200,
      body: { status: "healthy", platform: "intelligent-detection-monitoring" },
    });
  });

  test("has empty lists and zero counts", async () => {
    expect((await get(DATA)).body).toEqual([]);
    expect((await get(ALERTS)).body).toEqual([]);
    expect((await get("/api/v1/monitoring/sensors/status")).body).toEqual({
      sensors: [],
      total_count: 0,
      healthy_count: 0,
      stale_count: 0,
    });
    const stats = (await get("/api/v1/monitoring/stats")).body as Record<string, unknown>;
    expect(stats).toMatchObject({
      total_data_points: 0,
      total_anomalies: 0,
      active_sensors: 0,
      recent_anomalies_24h: 0,
      anomaly_rate_percent: 0,
    });
    expect(stats.platform_uptime_percent).toBeGreaterThan(0);
    expect(stats.platform_uptime_percent).toBeLessThanOrEqual(100);
    expect(Object.keys(stats)).toHaveLength(7);
  });

  test("reports each part's health", async () => {
    const { body } = await get("/api/v1/monitoring/health");
    expect(body).toEqual({
      status: "healthy",
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      services: { redis: "healthy", database: "healthy", kafka: "healthy", model: "healthy" },
    });
  });

  test("knows no sensor and no alert", async () => {
    expect(await get(`${DATA}/none/latest`)).toMatchObject({ status: 404, body: { detail: "Sensor data not found" } });
    expect(await call("POST", `${ALERTS}/1/resolve`)).toMatchObject({
      status: 404,
      body: { detail: "Alert not found" },
    });
    expect(await call("POST", `${ALERTS}/9223372036854775807/resolve`)).toMatchObject({ status: 404 });
  });
});

describe("a reading", () => {
  test("is answered with exactly the nine fields, and the next calls see it", async () => {
    const { status, body, headers } = await post({
      location: "hall",
      metadata: { line: 3 },
      timestamp: "1999-01-01",
      other: true,
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: expect.any(Number),
      sensor_id: "s",
      sensor_type: "temperature",
      timestamp: expect.any(String),
      value: 20.5,
      unit: "C",
      location: "hall",
      is_anomaly: false,
      anomaly_score: 0,
    });
    expect(Math.abs(Date.parse((body as StoredReading).timestamp) - Date.now())).toBeLessThan(60_000);
    // Ignored, and said to be: the time that the sender meant is not the reading's.
    expect(headers.get("warning")).toContain("body field timestamp is not known and was ignored");
    expect((await get(`${DATA}/s/latest`)).body).toEqual(body);
    expect((await get(`${DATA}?sensor_id=s`)).body).toEqual([body]);
    expect((await get("/api/v1/monitoring/stats")).body).toMatchObject({ total_data_points: 1, active_sensors: 1 });
    expect((await get("/api/v1/monitoring/sensors/status")).body).toMatchObject({
      sensors: [
        {
          sensor_id: "s",
          status: "healthy",
          latest_value: 20.5,
          location: "hall",
          is_anomaly: false,
          anomaly_score: 0,
        },
      ],
      total_count: 1,
      healthy_count: 1,
    });
  });

  test("may bring its own time, with an offset or taken as UTC", async () => {
    const sent = await post({ sensor_id: "times", observed_at: "2026-11-01T12:00:00.250+02:00" });
    expect(sent.body).toMatchObject({ timestamp: "2026-11-01T10:00:00.250000Z" });
    const naive = await post({ sensor_id: "times", observed_at: "2026-11-01T10:00:01" });
    expect(naive.body).toMatchObject({ timestamp: "2026-11-01T10:00:01.000000Z" });
  });

  test("sent again is answered alike; another value at the same time is a conflict", async () => {
    const first = await post({ sensor_id: "again", observed_at: "2026-11-02T00:00:00Z" });
    expect(await post({ sensor_id: "again", observed_at: "2026-11-02T00:00:00Z" })).toMatchObject({
      status: 200,
      body: first.body,
    });
    const other = await post({ sensor_id: "again", observed_at: "2026-11-02T00:00:00Z", value: 21 });
    expect(other).toMatchObject({ status: 409, body: { detail: expect.stringContaining("20.5") } });
    expect((await get(`${DATA}?sensor_id=again`)).body).toHaveLength(1);
  });

  test("takes a number in a text and an id in any script", async () => {
    expect((await post({ sensor_id: "温度/計 1", value: " 23.5 " })).body).toMatchObject({ value: 23.5 });
    expect(await get(`${DATA}/${encodeURIComponent("温度/計 1")}/latest`)).toMatchObject({ status: 200 });
  });
});

describe("a bad reading is refused with every bad field named, and nothing is stored", () => {
  const cases: [name: string, over: Record<string, unknown>, field: string, type: string, ctx?: unknown][] = [
    ["an empty id", { sensor_id: "" }, "sensor_id", "string_too_short", { min_length: 1 }],
    ["51 characters", { sensor_id: "x".repeat(51) }, "sensor_id", "string_too_long", { max_length: 50 }],
    ["a type of 51 characters", { sensor_type: "x".repeat(51) }, "sensor_type", "string_too_long", { max_length: 50 }],
    ["a unit of 21", { unit: "x".repeat(21) }, "unit", "string_too_long", { max_length: 20 }],
    ["a location of 101", { location: "x".repeat(101) }, "location", "string_too_long", { max_length: 100 }],
    ["a number for a text", { sensor_id: 7 }, "sensor_id", "string_type"],
    ["null for a text", { unit: null }, "unit", "string_type"],
    ["NUL in a text", { unit: "a\0b" }, "unit", "string_type"],
    ["NUL in an id", { sensor_id: "a\0b" }, "sensor_id", "string_type"],
    ["a control character in an id", { sensor_id: "a\nb" }, "sensor_id", "string_type"],
    ["a word for a number", { value: "warm" }, "value", "float_parsing"],
    ["null for a number", { value: null }, "value", "float_type"],
    ["a list for a number", { value: [1] }, "value", "float_type"],
    ["NaN in a text", { value: "NaN" }, "value", "finite_number"],
    ["infinity in a text", { value: "-Infinity" }, "value", "finite_number"],
    ["a list for metadata", { metadata: [] }, "metadata", "dict_type"],
    ["NUL inside metadata", { metadata: { a: ["\0"] } }, "metadata", "string_type"],
    ["a time that is none", { observed_at: "yesterday" }, "observed_at", "datetime_parsing"],
    ["a time before 1970", { observed_at: "1969-12-31T23:59:59Z" }, "observed_at", "greater_than_equal"],
    ["a time far ahead", { observed_at: "2126-01-01T00:00:00Z" }, "observed_at", "less_than_equal"],
  ];
  test.each(cases)("%s", async (_name, over, field, type, ctx) => {
    const answer = await post({ ...over, sensor_type: over.sensor_type ?? "refused" });
    expect(answer.status).toBe(422);
    expect(problems(answer)).toEqual([
      ctx === undefined ? expect.objectContaining({ type, loc: ["body", field] }) : { type, loc: ["body", field], ctx },
    ]);
    expect((await get(`${DATA}?sensor_type=refused`)).body).toEqual([]);
  });

  test.each([
    ["NaN", '{"sensor_id":"s","sensor_type":"refused","value":NaN,"unit":"C"}', "finite_number", ["body", "value"]],
    [
      "-Infinity",
      '{"sensor_id":"s","sensor_type":"refused","value":-Infinity,"unit":"C"}',
      "finite_number",
      ["body", "value"],
    ],
    ["1e999", '{"sensor_id":"s","sensor_type":"refused","value":1e999,"unit":"C"}', "finite_number", ["body", "value"]],
    [
      "an integer past 64 bits",
      '{"sensor_id":"s","sensor_type":"refused","value":1,"unit":"C","metadata":{"n":99999999999999999999}}',
      "int_parsing",
      ["body", "metadata"],
    ],
    ["broken JSON", '{"sensor_id":', "json_invalid", ["body", 13]],
    ["a list", "[1]", "model_attributes_type", ["body"]],
    ["null", "null", "missing", ["body"]],
    ["nothing", "", "missing", ["body"]],
  ])("%s as a body", async (_name, body, type, loc) => {
    const answer = await call("POST", DATA, { body });
    expect(answer.status).toBe(422);
    expect(problems(answer)).toEqual([expect.objectContaining({ type, loc })]);
    expect((await get(`${DATA}?sensor_type=refused`)).body).toEqual([]);
  });

  test("all bad fields at once", async () => {
    const answer = await call("POST", DATA, { body: { sensor_id: "", value: "x", metadata: 1 } });
    expect(problems(answer).map(({ type, loc }) => [type, loc[1]])).toEqual([
      ["string_too_short", "sensor_id"],
      ["missing", "sensor_type"],
      ["float_parsing", "value"],
      ["missing", "unit"],
      ["dict_type", "metadata"],
    ]);
  });
});

describe("a list", () => {
  beforeAll(async () => {
    for (const minute of [1, 2, 3, 4, 5])
      await post({
        sensor_id: `list-${minute % 2}`,
        sensor_type: "listed",
        location: minute < 4 ? "here" : "there",
        value: minute,
        observed_at: `2026-11-03T00:0${minute}:00Z`,
      });
  });
  const values = async (query: string) =>
    ((await get(`${DATA}?sensor_type=listed&${query}`)).body as StoredReading[]).map(({ value }) => value);

  test("is newest first", async () => expect(await values("")).toEqual([5, 4, 3, 2, 1]));
  test("is filtered by all that is given", async () => {
    expect(await values("sensor_id=list-1")).toEqual([5, 3, 1]);
    expect(await values("sensor_id=list-1&location=here")).toEqual([3, 1]);
    expect(await values("start_time=2026-11-03T00:02:00Z&end_time=2026-11-03T00:04:00Z")).toEqual([4, 3, 2]);
    expect(await values("start_time=2026-11-03T02:04:00%2B02:00")).toEqual([5, 4]);
    expect(await values("sensor_id=&location=&start_time=&unknown=1")).toEqual([5, 4, 3, 2, 1]);
  });
  test("is paged", async () => {
    expect(await values("limit=2")).toEqual([5, 4]);
    expect(await values("limit=2&offset=3")).toEqual([2, 1]);
    expect(await values("limit=0")).toEqual([]);
  });
  test.each([
    ["limit=1001", "less_than_equal", "limit", { le: 1000 }],
    ["limit=-1", "greater_than_equal", "limit", { ge: 0 }],
    ["offset=-1", "greater_than_equal", "offset", { ge: 0 }],
    ["limit=ten", "int_parsing", "limit", undefined],
    ["offset=99999999999999999999", "int_parsing", "offset", undefined],
    ["start_time=soon", "datetime_parsing", "start_time", undefined],
    ["sensor_id=%00", "string_type", "sensor_id", undefined],
  ])("refuses %s", async (query, type, field, ctx) => {
    const answer = await get(`${DATA}?${query}`);
    expect(answer.status).toBe(422);
    expect(problems(answer)).toEqual([{ type, loc: ["query", field], ctx }]);
  });
});

describe("an alert", () => {
  let alert: { id: number; severity: string; anomaly_score: number; resolved: boolean };

  test("opens on a jump of a hundred deviations after 48 steady readings, and not before", async () => {
    for (let i = 0; i < 48; i++) {
      const { body } = await post({ sensor_id: "jumps", value: 20 + 0.1 * Math.sin(i * 2.4) });
      expect(body).toMatchObject({ is_anomaly: false });
    }
    expect((await get(`${ALERTS}?sensor_id=jumps`)).body).toEqual([]);
    expect((await post({ sensor_id: "jumps", value: 30 })).body).toMatchObject({ is_anomaly: true });
    const alerts = (await get(`${ALERTS}?sensor_id=jumps`)).body as (typeof alert)[];
    expect(alerts).toHaveLength(1);
    [alert] = alerts as [typeof alert];
    expect(alert).toEqual({
      id: expect.any(Number),
      sensor_id: "jumps",
      alert_type: "anomaly_detection",
      severity: expect.stringMatching(/^(low|medium|high|critical)$/),
      message: expect.stringMatching(/^Anomaly detected with score \d\.\d{4}./),
      anomaly_score: expect.any(Number),
      sensor_value: 30,
      threshold: expect.toSatisfy((threshold) => threshold === null || typeof threshold === "number"),
      timestamp: expect.any(String),
      resolved: false,
      resolved_at: null,
    });
    const bar =
      alert.anomaly_score >= 0.9
        ? "critical"
        : alert.anomaly_score >= 0.8
          ? "high"
          : alert.anomaly_score >= 0.6
            ? "medium"
            : "low";
    expect(alert.severity).toBe(bar);
  });

  test("is found by severity and state", async () => {
    expect((await get(`${ALERTS}?severity=${alert.severity}&resolved=false&sensor_id=jumps`)).body).toHaveLength(1);
    expect((await get(`${ALERTS}?resolved=YES&sensor_id=jumps`)).body).toEqual([]);
    expect((await get(`${ALERTS}?severity=enormous`)).body).toEqual([]);
    expect(problems(await get(`${ALERTS}?resolved=maybe`))).toEqual([
      { type: "bool_parsing", loc: ["query", "resolved"], ctx: undefined },
    ]);
  });

  test("is resolved once and for all", async () => {
    const done = { status: 200, body: { message: "Alert resolved successfully" } };
    expect(await call("POST", `${ALERTS}/${alert.id}/resolve`)).toMatchObject(done);
    expect(await call("POST", `${ALERTS}/${alert.id}/resolve`)).toMatchObject(done);
    expect((await get(`${ALERTS}?sensor_id=jumps&resolved=true`)).body).toMatchObject([
      { id: alert.id, resolved: true, resolved_at: expect.any(String) },
    ]);
    const wrong = await call("POST", `${ALERTS}/first/resolve`);
    expect(problems(wrong)).toEqual([{ type: "int_parsing", loc: ["path", "alert_id"], ctx: undefined }]);
  });

  test("and its reading are counted", async () => {
    const stats = (await get("/api/v1/monitoring/stats")).body as Record<string, number>;
    expect(stats.total_anomalies).toBeGreaterThanOrEqual(1);
    expect(stats.anomaly_rate_percent).toBeCloseTo((100 * stats.total_anomalies!) / stats.total_data_points!, 4);
    const metrics = (await get("/api/v1/monitoring/metrics")).body as string;
    expect(metrics).toMatch(/^sensor_data_total\{.*sensor_type="listed".*\} 5$/m);
    expect(metrics).toMatch(/^anomalies_detected_total\{.*severity="\w+".*\} [1-9]/m);
    expect(metrics).toMatch(/^data_processing_seconds_count\S* [1-9]/m);
    expect(metrics).toMatch(/^active_sensors_count\S* [1-9]/m);
    expect(metrics).toMatch(/^process_cpu_seconds_total /m);
    expect(metrics).toMatch(
      /^gateway_requests_total\{route="\/api\/v1\/sensors\/data",method="POST",status="200"\} \d+$/m,
    );
  });
});

describe("HTTP", () => {
  test("unknown paths, wrong methods and slashes too many", async () => {
    expect(await get("/nothing")).toMatchObject({ status: 404, body: { detail: "Not Found" } });
    const wrong = await call("DELETE", DATA);
    expect(wrong).toMatchObject({ status: 405, body: { detail: "Method Not Allowed" } });
    expect(wrong.headers.get("allow")).toBe("POST, GET");
    const slash = await get(`${DATA}/?limit=1`);
    expect(slash.status).toBe(307);
    expect(slash.headers.get("location")).toBe(`${DATA}?limit=1`);
  });

  test("a page of another origin may call, also with credentials", async () => {
    const origin = "https://dashboard.example";
    const preflight = await call("OPTIONS", DATA, {
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type, x-mine",
      },
    });
    expect(preflight.status).toBe(200);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      "access-control-allow-origin": origin,
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
      "access-control-max-age": "600",
      "access-control-allow-headers": "content-type, x-mine",
    });
    const answer = await call("GET", DATA, { headers: { origin } });
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    // What says how to name a call and when to come again is for pages too, on both listeners.
    const services = await fetch(`${platform.grpc}/health`, { headers: { origin: "http://localhost:5173" } });
    for (const { headers } of [answer, services]) {
      expect(headers.get("access-control-expose-headers")).toMatch(/x-request-id.*retry-after/);
      expect(headers.get("access-control-allow-credentials")).toBe("true");
    }
  });

  test("a large answer is compressed for who accepts it, by REST and by GraphQL, and is the same", async () => {
    for (const path of [
      "/openapi.json",
      `/api/v1/graphql?query=${encodeURIComponent("{ __schema { types { name } } }")}`,
    ]) {
      const answerTo = (accepted: string) =>
        fetch(platform.http + path, { headers: { "accept-encoding": accepted, accept: "application/json" } });
      const plain = await answerTo("identity");
      expect(plain.headers.get("content-encoding")).toBeNull();
      expect(plain.headers.get("vary")).toContain("Accept-Encoding");
      const wanted = await plain.json();
      for (const coding of ["br", "gzip"]) {
        const answer = await answerTo(coding);
        expect(answer.headers.get("content-encoding")).toBe(coding);
        expect(Number(answer.headers.get("content-length"))).toBeLessThan(Number(plain.headers.get("content-length")));
        expect(await answer.json()).toEqual(wanted);
      }
    }
    expect((await fetch(`${platform.http}/health`)).headers.get("content-encoding")).toBeNull();
  });

  test("a person who opens the address finds where things are; a program finds nothing", async () => {
    const page = await fetch(`${platform.http}/`, { headers: { accept: "text/html,*/*;q=0.8" } });
    expect(page.status).toBe(200);
    const text = await page.text();
    expect(text).not.toMatch(/(?:src|href)="https?:/);
    for (const [, path] of text.matchAll(/href="(\/[^"]*)"/g)) {
      expect((await fetch(platform.http + path, { headers: { accept: "text/html" } })).status).toBe(200);
    }
    for (const accept of ["application/json", "*/*"]) {
      const answer = await call("GET", "/", { headers: { accept } });
      expect([answer.status, answer.body]).toEqual([404, { detail: "Not Found" }]);
    }
  });

  test("a body past the bound is refused, and the platform goes on", async () => {
    const answer = await post({ metadata: { big: "x".repeat(2 * 1024 * 1024) } });
    expect(answer.status).toBe(413);
    expect((await get("/health")).status).toBe(200);
  });

  test("the document names every path, limit and error", async () => {
    const { body } = await get("/openapi.json");
    const document = body as {
      info: { title: string };
      paths: Record<
        string,
        Record<
          string,
          { tags: string[]; responses: Record<string, unknown>; parameters?: { name: string; schema: unknown }[] }
        >
      >;
      components: { schemas: Record<string, { required: string[]; properties: Record<string, unknown> }> };
    };
    expect(document.info.title).toBe("Intelligent Detection and Monitoring Platform");
    expect(Object.keys(document.paths).sort()).toEqual([
      "/api/v1/charts/heatmap",
      "/api/v1/charts/series",
      "/api/v1/detector/forecast",
      "/api/v1/detector/settings",
      "/api/v1/detector/settings/dry-run",
      "/api/v1/incidents",
      "/api/v1/incidents/{incident_id}",
      "/api/v1/monitoring/health",
      "/api/v1/monitoring/metrics",
      "/api/v1/monitoring/sensors/status",
      "/api/v1/monitoring/stats",
      "/api/v1/sensor-deletions",
      "/api/v1/sensors",
      "/api/v1/sensors/alerts",
      "/api/v1/sensors/alerts/{alert_id}/resolve",
      "/api/v1/sensors/data",
      "/api/v1/sensors/data/{sensor_id}/latest",
      "/api/v1/sensors/{sensor_id}",
      "/api/v1/sensors/{sensor_id}/rename",
      "/api/v1/sensors/{sensor_id}/restore",
      "/api/v1/sensors/{sensor_id}/retire",
      "/api/v1/silences",
      "/api/v1/silences/{id}",
      "/health",
    ]);
    expect(document.components.schemas.ReadingInput).toMatchObject({
      required: ["sensor_id", "sensor_type", "value", "unit"],
      properties: { sensor_id: { minLength: 1, maxLength: 50 }, unit: { maxLength: 20 } },
    });
    expect(document.paths[DATA]!.post!.responses).toHaveProperty("422");
    expect(document.paths[DATA]!.get!.parameters?.find(({ name }) => name === "limit")?.schema).toMatchObject({
      minimum: 0,
      maximum: 1000,
      default: 100,
    });
    expect(document.paths[`${DATA}/{sensor_id}/latest`]!.get!.responses).toHaveProperty("404");
  });

  test("the pages load nothing from elsewhere", async () => {
    for (const path of ["/docs", "/redoc"]) {
      const { status, body } = await get(path);
      expect(status).toBe(200);
      const loaded = [...(body as string).matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
      expect(loaded.length).toBeGreaterThan(0);
      for (const asset of loaded) expect((await get(asset)).status).toBe(200);
      expect(loaded.every((asset) => asset.startsWith("/"))).toBe(true);
    }
  });
});
