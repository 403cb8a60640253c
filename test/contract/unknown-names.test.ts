/** Names that nobody knows are refused by name, or, where old clients rely on their being ignored, told of in the answer. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { type Listener, openListener } from "../../testing/rpc.ts";

const MISSPELLED = {
  readings: [
    { sensorId: "s", sensorType: "t", value: 1, unit: "C", timestamp: "2026-01-01T00:00:00Z" },
    { sensorid: "s", sensorType: "t", value: 1, unit: "C", metadata: { anything: { goes: 1 } } },
  ],
  echo: true,
};
const TOLD = [
  ["readings[0].timestamp", "is no field of telltale.v1.Reading; did you mean observedAt?"],
  ["readings[1].sensorid", "is no field of telltale.v1.Reading; did you mean sensorId?"],
  ["echo", "is no field of telltale.v1.SubmitReadingsRequest"],
];
const MESSAGE = `${TOLD[0]!.join(": ")} (and 2 more)`;

describe("JSON on the gRPC listener", () => {
  let listener: Listener;
  beforeAll(async () => {
    listener = await openListener();
  });
  afterAll(() => listener.close(0));

  const post = (path: string, type: string, body: BodyInit) =>
    fetch(`${listener.url}${path}`, { method: "POST", headers: { "content-type": type }, body });

  it("is refused with every unknown name, where it stands and what may be meant", async () => {
    const answer = await post(
      "/telltale.v1.IngestService/SubmitReadings",
      "application/json",
      JSON.stringify(MISSPELLED),
    );
    const { code, message, details } = (await answer.json()) as {
      code: string;
      message: string;
      details: { type: string; debug: { fieldViolations: { field: string; description: string }[] } }[];
    };
    expect([answer.status, code, message]).toEqual([400, "invalid_argument", MESSAGE]);
    expect(details[0]?.debug.fieldViolations.map(({ field, description }) => [field, description])).toEqual(TOLD);
  });

  it.each([
    ["gRPC-Web", "application/grpc-web+json", "/telltale.v1.WatchService/WatchReadings"],
    ["a Connect stream", "application/connect+json", "/telltale.v1.WatchService/WatchReadings"],
  ])("is refused by name in %s", async (_, type, path) => {
    const json = Buffer.from(JSON.stringify({ sensorid: "s" }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(json.length, 1);
    const answer = await post(path, type, Buffer.concat([head, json]));
    const told = (answer.headers.get("grpc-message") ?? "") + (await answer.text());
    expect(decodeURIComponent(told)).toContain("did you mean sensorId?");
  });

  it("takes both spellings of a field, and bad values are told of as before", async () => {
    const list = (body: object) =>
      post("/telltale.v1.QueryService/ListReadings", "application/json", JSON.stringify(body));
    expect((await list({ sensor_id: "a" })).status).toBe(200);
    expect((await list({ sensorId: "a", limit: 3, startTime: "2026-01-01T00:00:00Z" })).status).toBe(200);
    expect((await list({ sensorId: 5 })).status).toBe(400);
  });

  it.each([
    ["a day that does not exist", "observedAt", "2026-02-30T00:00:00Z"],
    ["29 February of a common year", "observedAt", "2026-02-29T00:00:00Z"],
    ["24 o'clock", "observedAt", "2026-02-01T24:00:00Z"],
    ["a hexadecimal number", "value", "0x10"],
    ["a binary number", "value", "-0b11"],
  ])("%s is refused, and not taken for another value", async (_, name, value) => {
    const reading = { sensorId: "s", sensorType: "t", unit: "C", value: 1, [name]: value };
    const body = JSON.stringify({ readings: [reading] });
    const answer = await post("/telltale.v1.IngestService/SubmitReadings", "application/json", body);
    const { message } = (await answer.json()) as { message: string };
    expect([answer.status, message]).toEqual([400, expect.stringContaining(`readings[0].${name}: is "${value}"`)]);
  });

  it("a column of numbers is read in the same way", async () => {
    const block = { sensorId: "s", sensorType: "t", unit: "C", baseTimeUs: "1", timeDeltasUs: [0], values: ["0o7"] };
    const body = JSON.stringify({ blocks: [block] });
    const answer = await post("/telltale.v1.IngestService/SubmitReadings", "application/json", body);
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("blocks[0].values: is")]);
  });

  it("is refused where the method is one that nobody implemented", async () => {
    const answer = await post("/telltale.v1.QueryService/ListSensors", "application/json", "{}");
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([501, "unimplemented"]);
  });

  it("unknown fields in binary stay legal, as protobuf has it", async () => {
    const client = createClient(QueryService, createGrpcTransport({ baseUrl: listener.url }));
    const $unknown = [{ no: 900, wireType: 0, data: Uint8Array.of(1) }];
    expect((await client.listReadings({ sensorId: "a", $unknown } as never)).readings).toHaveLength(1);
  });
});

describe("the HTTP listener", () => {
  /** Of a page that may read the warnings. */
  const ORIGIN = "https://plant.example";
  let platform: Platform;
  beforeAll(async () => {
    platform = await startPlatform({
      ACCEPT_TIMESTAMP: "true",
      ALLOWED_HOSTS: JSON.stringify([ORIGIN]),
      DATABSE_URL: "postgresql://u:secret@nowhere/x",
    });
  });
  afterAll(() => platform?.stop());

  const DATA = "/api/v1/sensors/data";
  const reading = (over: object) => ({ sensor_id: "s", sensor_type: "t", value: 1, unit: "C", ...over });
  const post = async (body: object) => {
    const answer = await fetch(platform.http + DATA, {
      method: "POST",
      headers: { "content-type": "application/json", origin: ORIGIN },
      body: JSON.stringify(body),
    });
    const { headers } = answer;
    return { status: answer.status, headers, warning: headers.get("warning"), body: (await answer.json()) as never };
  };
  const get = async (path: string) => {
    const answer = await fetch(platform.http + path);
    return { status: answer.status, warning: answer.headers.get("warning") };
  };

  it("takes timestamp for observed_at where ACCEPT_TIMESTAMP says so", async () => {
    const answer = await post(reading({ timestamp: "2026-02-03T04:05:06.000007Z" }));
    expect(answer).toMatchObject({ status: 200, warning: null, body: { timestamp: "2026-02-03T04:05:06.000007Z" } });
    expect(await post(reading({ sensor_id: "n", timestamp: null }))).toMatchObject({ status: 200, warning: null });
  });

  it("names timestamp where it is wrong, and ignores it beside observed_at", async () => {
    const wrong = await post(reading({ timestamp: "yesterday" }));
    expect(wrong).toMatchObject({
      status: 422,
      body: { detail: [{ loc: ["body", "timestamp"], type: "datetime_parsing" }] },
    });
    const both = await post(
      reading({ sensor_id: "b", timestamp: "2020-01-01T00:00:00Z", observed_at: "2026-02-03T00:00:00Z" }),
    );
    expect(both).toMatchObject({ status: 200, body: { timestamp: "2026-02-03T00:00:00.000000Z" } });
    expect(both.warning).toBe(
      '299 telltale "body field timestamp is not known and was ignored; did you mean observed_at?"',
    );
  });

  it("stores a reading with unknown fields, and says which were ignored", async () => {
    const answer = await post(reading({ sensor_id: "w", sensorid: 1, colour: "red", 'a"b,\u00e9': 1 }));
    expect(answer.status).toBe(200);
    expect(answer.warning).toBe(
      '299 telltale "body field sensorid is not known and was ignored; did you mean sensor_id?", ' +
        '299 telltale "body field colour is not known and was ignored", ' +
        '299 telltale "body field a?b?? is not known and was ignored"',
    );
    expect(answer.headers.get("access-control-expose-headers")).toContain("warning");
  });

  it("bounds what it says of many", async () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`x${"y".repeat(100)}${i}`, i]));
    const { status, warning } = await post(reading({ sensor_id: "m", ...many }));
    expect([status, warning?.match(/299 telltale/g)?.length]).toEqual([200, 6]);
    expect(warning).toContain("4995 more names were ignored");
  });

  it.each([
    [`${DATA}?sensorid=s`, "sensor_id"],
    [`${DATA}?from=2026-01-01`, "start_time"],
    ["/api/v1/sensors/alerts?severty=high", "severity"],
  ])("answers %s with a warning that names %s", async (path, meant) => {
    const { status, warning } = await get(path);
    expect([status, warning]).toEqual([200, expect.stringContaining(`did you mean ${meant}?`)]);
  });

  it.each([
    ["GET", "/api/v1/sensors?matcher=owner%3Dann", undefined, ["query", "matcher"], "matchers"],
    ["GET", "/api/v1/sensors/a?verbos=1", undefined, ["query", "verbos"], undefined],
    ["PATCH", "/api/v1/sensors/a", { ownr: "ann" }, ["body", "ownr"], "owner"],
    ["PUT", "/api/v1/sensors/a", { owner: "ann", state: "ok" }, ["body", "state"], undefined],
    ["GET", "/api/v1/detector/settings?sensor=a", undefined, ["query", "sensor"], "sensor_id"],
    ["POST", "/api/v1/detector/settings", { sensor_type: "t", range_mx: 9 }, ["body", "range_mx"], "range_max"],
    ["POST", "/api/v1/detector/settings/dry-run", { dryrun: true, off: true }, ["body", "dryrun"], undefined],
  ])("%s %s with %j is refused by the name, and nothing is changed", async (method, path, body, loc, meant) => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(platform.http + path, {
      ...{ method, headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const suggestion = meant === undefined ? "" : `; did you mean ${meant}?`;
    expect([answer.status, await answer.json()]).toEqual([
      422,
      { detail: [{ type: "extra_forbidden", loc, msg: `Extra inputs are not permitted${suggestion}`, input: null }] },
    ]);
    expect((await get("/api/v1/sensors/a")).status).toBe(404);
  });

  it("warns on paths without parameters too, and not of what is known", async () => {
    expect((await get("/api/v1/monitoring/stats?verbose=1")).warning).toContain("query parameter verbose");
    expect((await get(`${DATA}?sensor_id=s&limit=3&offset=0&start_time=`)).warning).toBeNull();
  });

  it("counts them, and logs a sample without their values", async () => {
    const metrics = await (await fetch(`${platform.http}/api/v1/monitoring/metrics`)).text();
    expect(metrics).toMatch(/gateway_unknown_names_total\{route="\/api\/v1\/sensors\/data",where="query"\} 2/);
    expect(metrics).toMatch(/gateway_unknown_names_total\{route="\/api\/v1\/sensors\/data",where="body"\} 500[0-9]/);
  });

  it("refuses unknown names in GraphQL: fields, arguments, variables, parameters", async () => {
    const ask = async (body: object) => {
      const answer = await fetch(`${platform.http}/api/v1/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      return ((await answer.json()) as { errors: { message: string }[] }).errors[0]?.message;
    };
    const query = "query Q($sensorId: String) { sensorData(sensorId: $sensorId) { value } }";
    expect(await ask({ query: "{ sensorData(sensorid: 1) { value } }" })).toContain('Did you mean "sensorId"');
    expect(await ask({ query: "{ sensorData { valu } }" })).toContain('Did you mean "value"');
    expect(await ask({ query, variables: { sensorid: "s" } })).toBe(
      'The variable "sensorid" is declared by no operation; did you mean sensorId?',
    );
    expect(await ask({ query, variable: {} })).toContain('"variable"');
    const got = await fetch(
      `${platform.http}/api/v1/graphql?query=${encodeURIComponent("{ __typename }")}&variable={}`,
    );
    expect([got.status, await got.text()]).toEqual([400, expect.stringContaining("did you mean variables?")]);
  });

  it("warned of a misspelled variable of the environment at the start, without its value", () => {
    expect(platform.output()).toContain("DATABSE_URL is no variable of this platform");
    expect(platform.output()).not.toContain("secret@");
  });
});
