/** OpenTelemetry's metrics: real exporters over protobuf, JSON and gRPC, and each answer that the specification names. */
import { gzipSync } from "node:zlib";
import { create, fromBinary, fromJson, toBinary, toJsonString } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Metadata } from "@grpc/grpc-js";
import { OTLPMetricExporter as GrpcExporter } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPMetricExporter as JsonExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as ProtobufExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { CompressionAlgorithm } from "@opentelemetry/otlp-exporter-base";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader, type PushMetricExporter } from "@opentelemetry/sdk-metrics";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RetryInfoSchema } from "../../gen/es/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/es/google/rpc/status_pb.ts";
import {
  MetricsService,
  ExportMetricsServiceRequestSchema as RequestSchema,
  ExportMetricsServiceResponseSchema as ResponseSchema,
} from "../../gen/es/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { type ProtocolApp, startProtocolApp } from "../../testing/protocol-app.ts";

const READINGS_A_SECOND = 5_000;

let app: ProtocolApp;
beforeAll(async () => {
  app = await startProtocolApp({ LIMIT_READINGS_PER_SECOND: String(READINGS_A_SECOND) });
});
afterAll(() => app?.stop());

describe("an exporter of OpenTelemetry", () => {
  const url = () => `${app.http}/v1/metrics`;
  const exporters: [string, () => PushMetricExporter][] = [
    ["protobuf", () => new ProtobufExporter({ url: url(), headers: app.bearer })],
    ["gzip", () => new ProtobufExporter({ url: url(), headers: app.bearer, compression: CompressionAlgorithm.GZIP })],
    ["json", () => new JsonExporter({ url: url(), headers: app.bearer })],
    [
      "grpc",
      () => {
        const metadata = new Metadata();
        metadata.set("authorization", app.bearer.authorization);
        return new GrpcExporter({ url: app.grpc, metadata });
      },
    ],
  ];

  it.each(exporters)("by %s: gauges, counters and histograms are stored before it is answered", async (form, open) => {
    const resource = resourceFromAttributes({ "service.name": `press-${form}`, "process.pid": 7 });
    const reader = new PeriodicExportingMetricReader({ exporter: open(), exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ resource, readers: [reader] });
    const meter = provider.getMeter("plant");
    meter.createGauge("oil.temperature", { unit: "Cel" }).record(61.5, { press: 7 });
    meter.createCounter("parts").add(3);
    meter.createHistogram("cycle", { unit: "s" }).record(2.5);
    await provider.forceFlush();
    await provider.shutdown();
    const service = `service.name="press-${form}"`;
    const newest = async (id: string) => {
      const [reading] = await app.readings(id);
      return [reading?.value, reading?.unit];
    };
    expect(await newest(`oil.temperature{press="7",${service}}`)).toEqual([61.5, "Cel"]);
    expect(await newest(`parts{${service}}`)).toEqual([3, "1"]);
    expect(await newest(`cycle_count{${service}}`)).toEqual([1, "1"]);
    expect(await newest(`cycle{quantile="0.5",${service}}`)).toEqual([2.5, "s"]);
    expect(await app.attributes(`parts{${service}}`)).toMatchObject({ __kind__: "counter", "process.pid": "7" });
  });
});

let nowMs = Date.now() - 600_000;

/** A gauge for each value, at a time of its own. */
function request(name: string, values: readonly number[], at = ++nowMs) {
  const dataPoints = values.map((value, i) => ({
    attributes: [{ key: "i", value: { value: { case: "intValue" as const, value: BigInt(i) } } }],
    timeUnixNano: BigInt(at) * 1_000_000n,
    value: { case: "asDouble" as const, value },
    exemplars: [{}],
  }));
  const metrics = [{ name, data: { case: "gauge" as const, value: { dataPoints } } }];
  return create(RequestSchema, { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
}

const PROTOBUF = { "content-type": "application/x-protobuf" };
const JSON_TYPE = { "content-type": "application/json" };

const post = (body: Uint8Array<ArrayBuffer> | string, headers: Record<string, string>, base = app.http) =>
  fetch(`${base}/v1/metrics`, { method: "POST", body, headers: { ...app.bearer, ...headers } });
const binary = (...given: Parameters<typeof request>) => toBinary(RequestSchema, request(...given));
const bytesOf = async (answer: Response) => new Uint8Array(await answer.arrayBuffer());

describe("OTLP over HTTP", () => {
  it("answers success with an empty message, on both listeners, and in JSON", async () => {
    for (const base of [app.http, app.grpc]) {
      const answer = await post(binary("whole", [1]), PROTOBUF, base);
      expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/x-protobuf"]);
      expect((await bytesOf(answer)).length).toBe(0);
    }
    const answer = await post(toJsonString(RequestSchema, request("json", [1])), JSON_TYPE);
    expect([answer.status, await answer.json()]).toEqual([200, {}]);
  });

  it("takes names and numbers of JSON as the specification writes them, and what it does not know", async () => {
    const point = { timeUnixNano: `${++nowMs}000000`, asInt: "42", startTimeUnixNano: "0", unknown: { a: 1 } };
    const exemplar = { traceId: "5b8efff798038103d269b633813fc60c", spanId: "eee19b7ec3c1b174", asDouble: 1 };
    const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints: [{ ...point, exemplars: [exemplar] }] };
    const body = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "from.json", sum }], schemaUrl: "x" }] }] };
    expect((await post(JSON.stringify(body), JSON_TYPE)).status).toBe(200);
    expect((await app.readings("from.json")).map(({ value }) => value)).toEqual([42]);
  });

  it("takes attributes that are nested deeper than any sensor needs, and all beside them", async () => {
    const nested = (levels: number): object =>
      levels === 0 ? { stringValue: "a" } : { kvlistValue: { values: [{ key: "k", value: nested(levels - 1) }] } };
    const at = `${++nowMs}000000`;
    const point = (levels: number) => ({
      timeUnixNano: at,
      asDouble: levels,
      attributes: [{ key: "deep", value: nested(levels) }],
    });
    const metrics = [{ name: "deep", gauge: { dataPoints: [point(200), { timeUnixNano: at, asDouble: 7 }] } }];
    const answer = await post(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }), JSON_TYPE);
    expect([answer.status, await answer.json()]).toEqual([200, {}]);
    expect((await app.readings("deep")).map(({ value }) => value)).toEqual([7]);
  });

  it("names what was refused in a partial success, and stores the rest; sent again it is the same", async () => {
    const at = ++nowMs;
    for (let round = 0; round < 2; round++) {
      const answer = await post(binary("partly", [1, Infinity, 3], at), PROTOBUF);
      expect(answer.status).toBe(200);
      const { partialSuccess } = fromBinary(ResponseSchema, await bytesOf(answer));
      expect(partialSuccess?.rejectedDataPoints).toBe(1n);
      expect(partialSuccess?.errorMessage).toContain("value is Infinity");
    }
    expect((await app.readings('partly{i="2"}')).map(({ value }) => value)).toEqual([3]);
    const json = await post(toJsonString(RequestSchema, request("partly", [1, 2, 4], at)), JSON_TYPE);
    expect(await json.json()).toMatchObject({ partialSuccess: { rejectedDataPoints: "1" } });
  });

  it("refuses times in another unit by their value, stores the rest, and counts them", async () => {
    const count = () => app.metric("telltale_protocol_skipped_total", 'protocol="otlp",reason="other_unit"');
    const before = await count();
    const seconds = Math.trunc(++nowMs / 1000);
    const point = (timeUnixNano: string, asDouble: number) => ({ timeUnixNano, asDouble });
    const dataPoints = [point(`${seconds}`, 1), point(`${nowMs}`, 2), point(`${nowMs}000000`, 3)];
    const metrics = [{ name: "units", gauge: { dataPoints } }];
    const answer = await post(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }), JSON_TYPE);
    expect([answer.status, await answer.json()]).toEqual([
      200,
      {
        partialSuccess: {
          rejectedDataPoints: "2",
          errorMessage: `2 refused for their time_unix_nano: ${seconds} looks like seconds since 1970: give nanoseconds.`,
        },
      },
    ]);
    expect((await app.readings("units")).map(({ value }) => value)).toEqual([3]);
    expect((await count()) - before).toBe(2);
  });

  it("counts exemplars", async () => {
    const count = () => app.metric("telltale_protocol_skipped_total", 'protocol="otlp",reason="exemplar"');
    const before = await count();
    await post(binary("exemplars", [1, 2]), PROTOBUF);
    expect((await count()) - before).toBe(2);
  });

  it.each([
    ["an unknown type", { "content-type": "text/plain" }, 415, Code.InvalidArgument],
    ["an unknown encoding", { ...PROTOBUF, "content-encoding": "zstd" }, 415, Code.InvalidArgument],
    ["no credential", { ...PROTOBUF, authorization: "" }, 401, Code.Unauthenticated],
    ["no message", PROTOBUF, 400, Code.InvalidArgument],
    ["no JSON", JSON_TYPE, 400, Code.InvalidArgument],
  ])("refuses %s with a google.rpc.Status in the form of the request", async (_, headers, status, code) => {
    const answer = await post(Uint8Array.of(0x0a, 5, 1), headers);
    expect(answer.status).toBe(status);
    const told =
      answer.headers.get("content-type") === "application/x-protobuf"
        ? fromBinary(StatusSchema, await bytesOf(answer))
        : fromJson(StatusSchema, (await answer.json()) as never);
    expect(told.code).toBe(code);
    expect(told.message).not.toBe("");
  });

  it("refuses what is too large, packed or not", async () => {
    const large = new Uint8Array(21 * 1024 * 1024);
    expect((await post(large, PROTOBUF)).status).toBe(413);
    expect((await post(" ".repeat(5 * 1024 * 1024), JSON_TYPE)).status).toBe(413);
    expect((await post(gzipSync(large), { ...PROTOBUF, "content-encoding": "gzip" })).status).toBe(413);
  });
});

describe("OTLP over gRPC", () => {
  const client = () => createClient(MetricsService, createGrpcTransport({ baseUrl: app.grpc }));

  it("answers with a partial success too", async () => {
    const answer = await client().export(request("grpc", [1, Infinity]), { headers: app.bearer });
    expect(answer.partialSuccess?.rejectedDataPoints).toBe(1n);
    expect((await app.readings('grpc{i="0"}')).map(({ value }) => value)).toEqual([1]);
  });

  it("asks for a credential", async () => {
    await expect(client().export(request("nobody", [1]))).rejects.toMatchObject({ code: Code.Unauthenticated });
  });
});

/** The last: what it uses up is missed by others. */
describe("over the quota", () => {
  it("HTTP says when to come again", async () => {
    const over = await post(binary("many", Array(READINGS_A_SECOND + 1).fill(1)), PROTOBUF);
    expect(over.status).toBe(429);
    expect(Number(over.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  });

  it("gRPC does", async () => {
    const transport = createGrpcTransport({ baseUrl: app.grpc });
    const much = request("many", Array(READINGS_A_SECOND + 1).fill(1));
    const over = createClient(MetricsService, transport).export(much, { headers: app.bearer });
    const refused = await over.then(() => undefined, ConnectError.from);
    expect(refused?.code).toBe(Code.ResourceExhausted);
    expect(refused?.findDetails(RetryInfoSchema)).toHaveLength(1);
  });
});
