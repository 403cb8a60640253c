/** Prometheus' remote_write, as its specifications say: on both listeners, with what a sender makes of each answer. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { passOn } from "../../gateway/ingest.ts";
import { type ProtocolApp, startProtocolApp } from "../../testing/protocol-app.ts";
import { labels1, snappyCompress, type WriteBody, writeRequest1, writeRequest2 } from "../../testing/remote-write.ts";

const PATH = "/api/v1/write";
const READINGS_A_SECOND = 5_000;

let app: ProtocolApp;
beforeAll(async () => {
  app = await startProtocolApp({ LIMIT_READINGS_PER_SECOND: String(READINGS_A_SECOND) });
});
afterAll(() => app?.stop());

const post = ({ body, headers }: WriteBody, more: Record<string, string> = {}, base = app.http) =>
  fetch(base + PATH, { method: "POST", body, headers: { ...app.bearer, ...headers, ...more } });

let nowMs = Date.now() - 600_000;
const next = () => BigInt(++nowMs);

const series1 = (labels: Record<string, string>, samples: readonly (readonly [bigint, number])[]) => ({
  labels: labels1(labels),
  samples: samples.map(([timestamp, value]) => ({ timestamp, value })),
});

describe("remote_write 1.0", () => {
  it.each(["http", "grpc"] as const)("stores samples before it answers, on the %s listener", async (listener) => {
    const labels = { __name__: "room_celsius", room: listener };
    const at = next();
    const answer = await post(writeRequest1({ timeseries: [series1(labels, [[at, 21.5]])] }), {}, app[listener]);
    expect([answer.status, await answer.text()]).toEqual([204, ""]);
    const id = `room_celsius{room="${listener}"}`;
    const [reading] = await app.readings(id);
    expect(reading).toMatchObject({ value: 21.5, unit: "Cel", sensorType: "room_celsius" });
    expect(reading!.observedAt).toMatchObject({ seconds: at / 1000n, nanos: Number(at % 1000n) * 1_000_000 });
    expect(await app.attributes(id)).toEqual({ __name__: "room_celsius", room: listener });
  });

  it("sent again changes nothing and is a success; another value for the time is named, and its neighbours are stored", async () => {
    const at = next();
    const labels = { __name__: "again" };
    const request = (value: number) =>
      writeRequest1({
        timeseries: [series1(labels, [[at, value]]), series1({ __name__: `beside_${value}` }, [[at, value]])],
      });
    expect((await post(request(1))).status).toBe(204);
    expect((await post(request(1))).status).toBe(204);
    const conflicting = await post(request(2));
    expect(conflicting.status).toBe(400);
    expect(await conflicting.text()).toMatch(/^1 refused, the others are stored\. "again": /);
    expect((await app.readings("again")).map(({ value }) => value)).toEqual([1]);
    expect((await app.readings("beside_2")).map(({ value }) => value)).toEqual([2]);
  });

  it("counts what is no reading: values that are none, exemplars, metadata", async () => {
    const count = (reason: string) =>
      app.metric("telltale_protocol_skipped_total", `protocol="remote_write",reason="${reason}"`);
    const before = await Promise.all(["nan", "exemplar", "metadata"].map(count));
    const labels = labels1({ __name__: "sparse" });
    const request = {
      timeseries: [{ labels, samples: [{ value: Number.NaN, timestamp: next() }], exemplars: [{ value: 1 }, {}] }],
      metadata: [{ metricFamilyName: "sparse", help: "h" }],
    };
    expect((await post(writeRequest1(request))).status).toBe(204);
    const after = await Promise.all(["nan", "exemplar", "metadata"].map(count));
    expect(after.map((n, i) => n - before[i]!)).toEqual([1, 2, 1]);
  });

  it.each([
    ["seconds", (at: bigint) => at / 1_000n],
    ["microseconds", (at: bigint) => at * 1_000n],
  ])("refuses times in %s by name, stores the rest, and counts them", async (unit, wrong) => {
    const count = () => app.metric("telltale_protocol_skipped_total", 'protocol="remote_write",reason="other_unit"');
    const before = await count();
    const [at, name] = [next(), `in_${unit}`];
    const answer = await post(
      writeRequest1({
        timeseries: [
          series1({ __name__: name }, [
            [wrong(at), 1],
            [at, 2],
          ]),
        ],
      }),
    );
    expect([answer.status, await answer.text()]).toEqual([
      400,
      `1 refused, the others are stored. "${name}": ${wrong(at)} looks like ${unit} since 1970: give milliseconds\n`,
    ]);
    expect((await app.readings(name)).map(({ value }) => value)).toEqual([2]);
    expect((await count()) - before).toBe(1);
  });

  it("refuses an infinite value by name", async () => {
    const answer = await post(writeRequest1({ timeseries: [series1({ __name__: "inf" }, [[next(), Infinity]])] }));
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('"inf": value is Infinity');
  });
});

describe("remote_write 2.0", () => {
  const request = (at: bigint, values: readonly number[]) =>
    writeRequest2({
      symbols: ["", "__name__", "two"],
      timeseries: [
        {
          labelsRefs: [1, 2],
          samples: values.map((value, i) => ({ value, timestamp: at + BigInt(i) })),
          exemplars: [{}],
        },
      ],
    });
  const counts = ({ headers }: Response) =>
    ["samples", "histograms", "exemplars"].map((what) => headers.get(`x-prometheus-remote-write-${what}-written`));

  it("says how much of it was written, duplicates included, also where something was not", async () => {
    const at = next();
    nowMs += 10;
    const first = await post(request(at, [1, 2]));
    expect([first.status, counts(first)]).toEqual([204, ["2", "0", "0"]]);
    const again = await post(request(at, [1, 2]));
    expect([again.status, counts(again)]).toEqual([204, ["2", "0", "0"]]);
    const partly = await post(request(at, [1, 3, 5]));
    expect([partly.status, counts(partly)]).toEqual([400, ["2", "0", "0"]]);
    // Of two samples a millisecond apart, in seconds.
    const seconds = await post(request(at / 1_000n, [1, 2]));
    expect([seconds.status, counts(seconds)]).toEqual([400, ["0", "0", "0"]]);
  });

  it("counts histograms by themselves", async () => {
    const histogram = (value: bigint) => ({
      ...{ count: { case: "countInt" as const, value }, zeroCount: { case: "zeroCountInt" as const, value: 1n } },
      ...{ sum: 1, timestamp: next() },
    });
    const send = (...histograms: ReturnType<typeof histogram>[]) =>
      post(writeRequest2({ symbols: ["", "__name__", "native"], timeseries: [{ labelsRefs: [1, 2], histograms }] }));
    const answer = await send(histogram(1n));
    expect([answer.status, counts(answer)]).toEqual([204, ["0", "1", "0"]]);
    expect((await app.readings("native_count")).map(({ value }) => value)).toEqual([1]);
    // One that contradicts itself is none, and costs its neighbours nothing.
    const partly = await send(histogram(2n), histogram(1n));
    expect([partly.status, counts(partly)]).toEqual([400, ["0", "1", "0"]]);
    expect(await partly.text()).toMatch(
      /^1 refused, .*"native": the histogram has a count of 2, and its buckets have 1/,
    );
  });
});

/** As in a process that is only a gateway. */
describe("a gateway whose services are another process", () => {
  let gateway: Server;
  let base: string;
  beforeAll(async () => {
    gateway = createServer(passOn(app.grpc)).listen(0, "127.0.0.1");
    await once(gateway, "listening");
    base = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  });
  afterAll(() => gateway.close());

  it("passes requests and answers on as they are", async () => {
    const request = writeRequest2({
      symbols: ["", "__name__", "passed"],
      timeseries: [{ labelsRefs: [1, 2], samples: [{ value: 7, timestamp: next() }] }],
    });
    const stored = await post(request, {}, base);
    expect([stored.status, stored.headers.get("x-prometheus-remote-write-samples-written")]).toEqual([204, "1"]);
    expect((await app.readings("passed")).map(({ value }) => value)).toEqual([7]);
    expect((await post(request, { authorization: "" }, base)).status).toBe(401);
    expect((await post({ ...request, body: new Uint8Array(21 * 1024 * 1024) }, {}, base)).status).toBe(413);
  });

  it("answers that they are away with a status after which senders come again", async () => {
    const away = createServer(passOn("http://127.0.0.1:1")).listen(0, "127.0.0.1");
    await once(away, "listening");
    const to = `http://127.0.0.1:${(away.address() as AddressInfo).port}`;
    const answer = await post({ body: new Uint8Array(10), headers: {} }, {}, to);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    away.close();
  });
});

describe("what cannot be taken", () => {
  const one = () => writeRequest1({ timeseries: [series1({ __name__: "one" }, [[next(), 1]])] });

  it.each([
    ["another encoding", { "content-encoding": "zstd" }, 415],
    // Whatever the body is: here it is none.
    ["an encoding of other protocols", { "content-encoding": "gzip" }, 415],
    ["no encoding", { "content-encoding": "identity" }, 415],
    ["another type", { "content-type": "application/json" }, 415],
    ["another message", { "content-type": "application/x-protobuf;proto=io.prometheus.write.v3.Request" }, 415],
    ["no credential", { authorization: "" }, 401],
    ["a wrong credential", { authorization: "Bearer nobody" }, 401],
  ])("is %s", async (_, headers, status) => {
    const answer = await post(one(), headers);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(await answer.text()).toMatch(/^[^{].+\n$/);
  });

  it("is a body that is no snappy or no message, too large packed or unpacked, or of another method", async () => {
    const { headers } = one();
    expect((await post({ body: Buffer.from("snappy"), headers })).status).toBe(400);
    expect((await post({ body: snappyCompress(Buffer.from([0x0a, 5, 1])), headers })).status).toBe(400);
    expect((await post({ body: snappyCompress(new Uint8Array(21 * 1024 * 1024)), headers })).status).toBe(413);
    expect((await post({ body: new Uint8Array(21 * 1024 * 1024), headers })).status).toBe(413);
    for (const base of [app.http, app.grpc]) {
      const get = await fetch(base + PATH, { headers: app.bearer });
      expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
    }
  });

  it("is what goes over the quota: senders retry 503 and take 429 for lost", async () => {
    const at = next();
    const samples = Array.from({ length: READINGS_A_SECOND + 1 }, (_, i): [bigint, number] => [at - BigInt(i), i]);
    const answer = await post(writeRequest1({ timeseries: [series1({ __name__: "many" }, samples)] }));
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  });
});
