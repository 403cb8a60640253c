/** InfluxDB's line protocol: a real client, and each answer as Telegraf takes it. */
import { gzipSync } from "node:zlib";
import { HttpError, InfluxDB, Point, setLogger } from "@influxdata/influxdb-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ProtocolApp, startProtocolApp } from "../../testing/protocol-app.ts";

const READINGS_A_SECOND = 5_000;

let app: ProtocolApp;
beforeAll(async () => {
  // What it fails at is asked for here.
  setLogger({ error: () => {}, warn: () => {} });
  app = await startProtocolApp({ LIMIT_READINGS_PER_SECOND: String(READINGS_A_SECOND) });
});
afterAll(() => app?.stop());

const V2 = "/api/v2/write";
const V1 = "/write";
const nowMs = Date.now() - 600_000;

const post = (body: string | Uint8Array<ArrayBuffer>, to = V2, headers: Record<string, string> = {}, base = app.http) =>
  fetch(base + to, { method: "POST", body, headers: { authorization: `Token ${app.token}`, ...headers } });

const values = async (sensorId: string) => (await app.readings(sensorId)).map(({ value }) => value);

describe("a client of InfluxDB", () => {
  const api = (token = app.token) =>
    new InfluxDB({ url: app.http, token }).getWriteApi("org", "bucket", "ms", { maxRetries: 0, gzipThreshold: 10 });

  it("writes points, which are stored before it is answered", async () => {
    const write = api();
    write.writePoint(
      new Point("press")
        .tag("line", "3")
        .floatField("oil", 61.5)
        .intField("parts", 7)
        .booleanField("on", true)
        .stringField("note", "a, b")
        .timestamp(nowMs),
    );
    await write.close();
    const id = (field: string) => `press.${field}{line="3"}`;
    expect([await values(id("oil")), await values(id("parts")), await values(id("on"))]).toEqual([[61.5], [7], [1]]);
    const [reading] = await app.readings(id("oil"));
    expect(reading).toMatchObject({ sensorType: "press.oil", unit: "1" });
    expect(Number(reading!.observedAt!.seconds) * 1000 + reading!.observedAt!.nanos / 1e6).toBe(nowMs);
    expect(await app.attributes(id("oil"))).toEqual({ __name__: "press.oil", line: "3" });
  });

  it("hears of a wrong token", async () => {
    const write = api("nobody");
    write.writeRecord(`m v=1 ${nowMs}`);
    const error = await write.flush(true).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect((error as HttpError).statusCode).toBe(401);
    await write.close().catch((reason: unknown) => expect(reason).toBeInstanceOf(HttpError));
  });
});

describe.each([
  ["2", V2, (message: unknown) => ({ code: "invalid", message })],
  ["1", V1, (error: unknown) => ({ error })],
])("version %s", (version, path, body) => {
  it("takes lines on both listeners, plain and by gzip, in each precision", async () => {
    const name = `both${version}`;
    for (const [i, base] of [app.http, app.grpc].entries()) {
      const answer = await post(`${name} v=${i} ${nowMs + i}`, `${path}?precision=ms&db=plant`, {}, base);
      expect([answer.status, await answer.text()]).toEqual([204, ""]);
    }
    const zipped = gzipSync(`${name} v=2 ${BigInt(nowMs + 2) * 1_000_000n}`);
    expect((await post(zipped, path, { "content-encoding": "gzip" })).status).toBe(204);
    expect(await values(`${name}.v`)).toEqual([0, 1, 2]);
  });

  it("names lines that were refused, and stores the others", async () => {
    const answer = await post(`part${version} v=1 ${nowMs}\npart${version} v=x\n`, `${path}?precision=ms`);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual(
      body(expect.stringMatching(/^partial write: 1 line refused, .*line 2: field "v"/)),
    );
    expect(await values(`part${version}.v`)).toEqual([1]);
  });

  it("names readings that were refused: sent again changes nothing, another value for the time does not either", async () => {
    const line = (value: number) => `conf${version} v=${value} ${nowMs}`;
    expect((await post(line(1), `${path}?precision=ms`)).status).toBe(204);
    expect((await post(line(1), `${path}?precision=ms`)).status).toBe(204);
    const answer = await post(line(2), `${path}?precision=ms`);
    expect([answer.status, await answer.json()]).toEqual([400, body(expect.stringContaining(`"conf${version}.v": `))]);
  });

  it("refuses what it cannot read by a status after which Telegraf does the right thing", async () => {
    expect((await post("m v=1", `${path}?precision=days`)).status).toBe(400);
    expect((await post("m v=1", path, { "content-encoding": "zstd" })).status).toBe(415);
    expect((await post("m v=1", path, { authorization: "Token nobody" })).status).toBe(401);
    // Telegraf sends it in two halves then.
    expect((await post("x".repeat(21 * 1024 * 1024), path)).status).toBe(413);
    expect((await post(gzipSync("x".repeat(21 * 1024 * 1024)), path, { "content-encoding": "gzip" })).status).toBe(413);
  });

  it("takes bearer tokens and passwords too", async () => {
    const basic = `Basic ${Buffer.from(`telegraf:${app.token}`).toString("base64")}`;
    for (const authorization of [app.bearer.authorization, basic]) {
      expect((await post("auth v=1", path, { authorization })).status).toBe(204);
    }
  });
});

describe("/ping of version 1", () => {
  it.each(["GET", "HEAD"])(
    "is answered by %s on both listeners without a credential, and says no more",
    async (method) => {
      for (const base of [app.http, app.grpc]) {
        const answer = await fetch(`${base}/ping?verbose=true`, { method });
        expect([answer.status, await answer.text()]).toEqual([204, ""]);
        expect(answer.headers.get("x-influxdb-version")).toBe("1.8.10");
      }
    },
  );

  it("takes no other method, and is the only path of that name", async () => {
    for (const base of [app.http, app.grpc]) {
      const answer = await fetch(`${base}/ping`, { method: "POST", body: "m v=1" });
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
      expect((await fetch(`${base}/pings`)).status).toBe(404);
    }
  });
});

describe("lines without a time", () => {
  it("get the server's, and each is a reading of its own", async () => {
    expect((await post("untimed v=1\nuntimed v=2\n")).status).toBe(204);
    expect(await values("untimed.v")).toEqual([1, 2]);
  });
});

it("counts texts", async () => {
  const count = () => app.metric("telltale_protocol_skipped_total", 'protocol="influx",reason="string_field"');
  const before = await count();
  expect((await post('texts a="x",b="y",v=1\ntexts a="z"\n')).status).toBe(204);
  expect((await count()) - before).toBe(3);
});

/** The last: what it uses up is missed by others. */
it("over the quota says when to come again", async () => {
  const lines = Array.from({ length: READINGS_A_SECOND + 1 }, (_, i) => `many v=${i} ${nowMs + i}`).join("\n");
  const answer = await post(lines, `${V2}?precision=ms`);
  expect(answer.status).toBe(429);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
});
