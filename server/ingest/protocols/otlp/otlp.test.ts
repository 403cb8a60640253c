import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AggregationTemporality,
  ExportMetricsServiceRequestSchema as RequestSchema,
  type ResourceMetricsSchema,
} from "../../../../gen/es/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { TelltaleError } from "../../../errors.ts";
import { HttpRefusal } from "../../protocol.ts";
import { Points } from "../points.ts";
import { labelsOf } from "./attributes.ts";
import { OtlpMapper } from "./map.ts";
import { parseExport } from "./parse.ts";

type Metric = NonNullable<
  NonNullable<MessageInitShape<typeof ResourceMetricsSchema>["scopeMetrics"]>[number]["metrics"]
>[number];

const text = (key: string, value: string) => ({ key, value: { value: { case: "stringValue" as const, value } } });
const { DELTA } = AggregationTemporality;
const TIME = 1_790_000_000_123_456_789n;
const AT_US = 1_790_000_000_123_456n;

function request(metrics: Metric[], resource: Record<string, string> = {}): Uint8Array {
  const attributes = Object.entries(resource).map(([key, value]) => text(key, value));
  const resourceMetrics = [{ resource: { attributes }, scopeMetrics: [{ scope: { name: "lib" }, metrics }] }];
  return toBinary(RequestSchema, create(RequestSchema, { resourceMetrics }));
}

function mapped(body: Uint8Array) {
  const points = new Points();
  const not = new OtlpMapper().map(parseExport(body).metrics, points);
  return { not, blocks: points.batches().flatMap((batch) => batch.blocks) };
}

const gauge = (name: string, value: number, more: object = {}): Metric => ({
  name,
  data: {
    case: "gauge",
    value: { dataPoints: [{ timeUnixNano: TIME, value: { case: "asDouble", value }, ...more }] },
  },
});

describe("OTLP's metrics", () => {
  it("are read as a serialiser of another project wrote them, whatever they hold", () => {
    const key = fc.string({ unit: "grapheme", maxLength: 12 });
    const point = fc.record({
      attributes: fc.array(fc.record({ key, value: key }), { maxLength: 4 }),
      time: fc.bigInt({ min: 1_000n, max: 2n ** 53n * 1_000n - 1n }),
      value: fc.oneof(
        fc.double({ noNaN: true }).map((value) => ({ case: "asDouble" as const, value })),
        fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n }).map((value) => ({ case: "asInt" as const, value })),
      ),
      exemplars: fc.nat(2),
    });
    const sum = fc.record({
      name: key,
      unit: key,
      isMonotonic: fc.boolean(),
      points: fc.array(point, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(sum, { maxLength: 4 }), key, (sums, service) => {
        const metrics = sums.map(({ name, unit, isMonotonic, points }): Metric => {
          const dataPoints = points.map(({ attributes, time: timeUnixNano, value, exemplars }) => ({
            ...{ attributes: attributes.map((a) => text(a.key, a.value)), timeUnixNano, value },
            exemplars: Array.from({ length: exemplars }, () => ({})),
          }));
          return { name, unit, data: { case: "sum", value: { isMonotonic, aggregationTemporality: 2, dataPoints } } };
        });
        const parsed = parseExport(request(metrics, { service }));
        expect(parsed.exemplars).toBe(sums.flatMap((s) => s.points).reduce((all, p) => all + p.exemplars, 0));
        expect(parsed.metrics.map((m) => [m.name, m.unit, m.monotonic, m.temporality, m.scope])).toEqual(
          sums.map(({ name, unit, isMonotonic }) => [name, unit, isMonotonic, 2, "lib"]),
        );
        for (const [i, metric] of parsed.metrics.entries()) {
          expect(labelsOf(metric.resource)).toEqual([["service", service]]);
          expect(metric.numbers.map((p) => [labelsOf(p.attributes), BigInt(p.timeUs), p.value])).toEqual(
            sums[i]!.points.map(({ attributes, time, value: { value } }) => [
              attributes.map((a) => [a.key, a.value]),
              time / 1_000n,
              Number(value),
            ]),
          );
        }
      }),
    );
  });

  it("end with a result or a refusal, whatever bytes come", () => {
    const whole = request([gauge("g", 1, { attributes: [text("a", "b")] })], { host: "h" });
    const flips = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), flips), (given) => {
        const bytes = given instanceof Uint8Array ? given : Uint8Array.from(whole);
        if (!(given instanceof Uint8Array)) for (const [at, byte] of given) bytes[at] = byte;
        try {
          mapped(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(TelltaleError);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it("are named by the metric, the point's attributes and those of the resource that last", () => {
    const resource = {
      "service.name": "press",
      "host.name": "h1",
      "process.pid": "17",
      "service.version": "2",
      zone: "",
    };
    const point = { attributes: [text("room", "1"), text("host.name", "inner")] };
    const [block] = mapped(request([{ ...gauge("temp", 20, point), unit: "Cel" }], resource)).blocks;
    expect(block).toMatchObject({
      sensorId: 'temp{host.name="inner",resource.host.name="h1",room="1",service.name="press"}',
      ...{ sensorType: "temp", unit: "Cel", baseTimeUs: AT_US, values: [20] },
    });
    expect(block!.attributes).toEqual({
      ...{ __name__: "temp", __kind__: "gauge", "host.name": "inner", room: "1", "service.name": "press" },
      ...{ "resource.host.name": "h1", "process.pid": "17", "service.version": "2", "otel.scope.name": "lib" },
    });
  });

  it("have attributes of every type", () => {
    const value = (value: object) => ({ key: "k", value: { value } });
    const of = (v: object) => {
      const [block] = mapped(request([gauge("g", 1, { attributes: [value(v)] })])).blocks;
      return block!.attributes.k;
    };
    const item = { value: { case: "intValue", value: 2n } };
    expect(of({ case: "boolValue", value: true })).toBe("true");
    expect(of({ case: "intValue", value: -9_223_372_036_854_775_807n })).toBe("-9223372036854775807");
    expect(of({ case: "doubleValue", value: 0.5 })).toBe("0.5");
    expect(of({ case: "bytesValue", value: Uint8Array.of(1, 2) })).toBe("AQI=");
    expect(of({ case: "arrayValue", value: { values: [item, item] } })).toBe('["2","2"]');
    expect(of({ case: "kvlistValue", value: { values: [{ key: "a", value: item }] } })).toBe('{"a":"2"}');
  });

  it.each([
    [true, 2, "counter"],
    [true, 1, "delta"],
    [false, 2, "gauge"],
    [false, 1, "delta"],
  ] as const)("know what a sum is: monotonic %s, temporality %s: %s", (isMonotonic, aggregationTemporality, kind) => {
    const dataPoints = [{ timeUnixNano: TIME, value: { case: "asInt" as const, value: -3n } }];
    const metric: Metric = {
      name: "s",
      data: { case: "sum", value: { isMonotonic, aggregationTemporality, dataPoints } },
    };
    const [block] = mapped(request([metric])).blocks;
    expect([block!.attributes.__kind__, block!.values]).toEqual([kind, [-3]]);
  });

  it("may be nested as deep as they like: what lies below 16 levels is bytes, and other bytes are another sensor", () => {
    const nested = (levels: number, value: string): ReturnType<typeof text>["value"] | object =>
      levels === 0
        ? { value: { case: "stringValue", value } }
        : {
            value: {
              case: "kvlistValue",
              value: { values: [{ key: "k", value: nested(levels - 1, value) }] },
            },
          };
    const of = (levels: number, value: string) =>
      gauge("m", 1, { attributes: [{ key: "deep", value: nested(levels, value) }] });
    const { blocks } = mapped(request([of(2, "a"), of(20, "a"), of(20, "b"), of(200, "a"), gauge("plain", 1)]));
    expect(new Set(blocks.map(({ sensorId }) => sensorId)).size).toBe(5);
    expect(blocks[0]!.attributes.deep).toBe('{"k":{"k":"a"}}');
    expect(blocks[1]!.attributes.deep).toMatch(/^(\{"k":){17}"[\w+/=]+"\}{17}$/);
  });

  it("make no reading of points without a value or a time", () => {
    const { not, blocks } = mapped(
      request([
        gauge("a", 1, { flags: 1 }),
        gauge("b", Number.NaN),
        gauge("c", 1, { timeUnixNano: 0n }),
        gauge("d", 1),
      ]),
    );
    expect(not).toEqual({ noRecordedValue: 1, nan: 1, timeless: 1, otherUnit: 0, example: "" });
    expect(blocks.map(({ sensorId }) => sensorId)).toEqual(["d"]);
  });

  it.each([
    ["seconds", 1_790_000_001n],
    ["milliseconds", 1_790_000_000_123n],
    ["microseconds", 1_790_000_000_123_456n],
  ])("make no reading of a time in %s, of which they name the value", (unit, timeUnixNano) => {
    const count = { timeUnixNano, count: 1n, sum: 1 };
    const distributions = (["summary", "histogram", "exponentialHistogram"] as const).map((kind) => ({
      ...{ name: kind, data: { case: kind, value: { dataPoints: [count] } } },
    })) as Metric[];
    const { not, blocks } = mapped(request([gauge("a", 1, { timeUnixNano }), gauge("b", 1), ...distributions]));
    const example = `${timeUnixNano} looks like ${unit} since 1970: give nanoseconds`;
    expect(not).toEqual({ noRecordedValue: 0, nan: 0, timeless: 0, otherUnit: 4, example });
    expect(blocks.map(({ sensorId }) => sensorId)).toEqual(["b"]);
  });

  it("keep times of long ago that are in no other unit", () => {
    const times = [1_000n, 5_000_000_000n, 100_000_000_000_000n, 8_000_000_000_000_000n];
    const { not } = mapped(request(times.map((timeUnixNano, i) => gauge(`g${i}`, 1, { timeUnixNano }))));
    expect(not.otherUnit).toBe(0);
  });
});

it("metrics of the smallest messages are refused before they take the memory", () => {
  const resources = Buffer.alloc(2_000_000).fill(Uint8Array.of(0x0a, 0));
  expect(() => parseExport(resources)).toThrow(HttpRefusal);
});

describe("distributions", () => {
  const points = (metric: Metric) =>
    mapped(request([metric])).blocks.map(({ sensorId, unit, values }) => [sensorId, unit, values[0]]);

  it("are count, sum, extremes and quantiles of a histogram", () => {
    const point = {
      ...{ timeUnixNano: TIME, count: 100n, sum: 150, min: 0.5, max: 3 },
      ...{ explicitBounds: [1, 2], bucketCounts: [50n, 0n, 50n] },
    };
    const data = { case: "histogram" as const, value: { dataPoints: [point], aggregationTemporality: DELTA } };
    expect(points({ name: "t", unit: "s", data })).toEqual([
      ["t_count", "1", 100],
      ["t_sum", "s", 150],
      ["t_min", "s", 0.5],
      ["t_max", "s", 3],
      ['t{quantile="0.5"}', "s", 1],
      ['t{quantile="0.9"}', "s", expect.closeTo(2.8)],
      ['t{quantile="0.99"}', "s", expect.closeTo(2.98)],
    ]);
  });

  it("are the same of an exponential histogram, with both signs", () => {
    const point = {
      ...{ timeUnixNano: TIME, count: 4n, scale: 0, zeroCount: 1n },
      ...{ negative: { offset: 0, bucketCounts: [1n] }, positive: { offset: 1, bucketCounts: [2n] } },
    };
    const data = {
      case: "exponentialHistogram" as const,
      value: { dataPoints: [point], aggregationTemporality: DELTA },
    };
    expect(points({ name: "t", data })).toEqual([
      ["t_count", "1", 4],
      ['t{quantile="0.5"}', "1", 0],
      ['t{quantile="0.9"}', "1", expect.closeTo(3.6)],
      ['t{quantile="0.99"}', "1", expect.closeTo(3.96)],
    ]);
  });

  it("are those of a summary as it has them", () => {
    const point = {
      timeUnixNano: TIME,
      count: 2n,
      sum: 5,
      quantileValues: [
        { quantile: 0.75, value: 3 },
        { quantile: 1, value: Number.NaN },
      ],
    };
    expect(points({ name: "t", data: { case: "summary", value: { dataPoints: [point] } } })).toEqual([
      ["t_count", "1", 2],
      ["t_sum", "1", 5],
      ['t{quantile="0.75"}', "1", 3],
    ]);
  });

  it("without any value have no quantile", () => {
    const point = { timeUnixNano: TIME, explicitBounds: [1], bucketCounts: [0n, 0n] };
    const data = { case: "histogram" as const, value: { dataPoints: [point] } };
    expect(points({ name: "t", data })).toEqual([["t_count", "1", 0]]);
  });
});

describe("a resource with large attributes", () => {
  const large = { "host.name": "a".repeat(1024 * 1024) };
  const point = (attributes: object[]) => ({ attributes, timeUnixNano: TIME, value: { case: "asDouble", value: 1 } });
  const metric = (points: number, attributesOf: (i: number) => object[]): Metric => ({
    ...{ name: "m", unit: "s" },
    data: {
      case: "gauge",
      value: { dataPoints: Array.from({ length: points }, (_, i) => point(attributesOf(i)) as never) },
    },
  });

  // A megabyte for each of them is more than a test has time for.
  it("is read once for many points, and put together for none of many metrics", () => {
    const metrics = Array.from({ length: 30 }, () => metric(3_000, () => []));
    expect(mapped(request(metrics, large)).blocks.flatMap(({ values }) => values)).toHaveLength(90_000);
    const quantileValues = Array.from({ length: 100_000 }, () => ({ quantile: 0.5, value: 1 }));
    const summary: Metric = {
      name: "s",
      data: { case: "summary", value: { dataPoints: [{ timeUnixNano: TIME, quantileValues } as never] } },
    };
    expect(mapped(request([summary], large)).blocks.length).toBeGreaterThan(2);
  });

  it("makes no more sensors than a request has time for", () => {
    const some = (count: number) => request([metric(count, (i) => [text("i", String(i))])], large);
    expect(mapped(some(50)).blocks).toHaveLength(50);
    expect(() => mapped(some(100))).toThrow(HttpRefusal);
  });
});
