import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RequestSchema } from "../../../../gen/es/io/prometheus/write/v2/types_pb.ts";
import { WriteRequestSchema } from "../../../../gen/es/prometheus/remote_pb.ts";
import { labels1 } from "../../../../testing/remote-write.ts";
import { TelltaleError } from "../../../errors.ts";
import { HttpRefusal } from "../../protocol.ts";
import { Identities } from "../identity.ts";
import { mappedToNothing, mapSeries } from "./map.ts";
import { parseWrite, type Version } from "./parse.ts";

/** Turns the first NaN of a body into the marker, whose bits a number of JavaScript may not keep. */
function withStaleMarker(body: Uint8Array): Uint8Array {
  const marked = Buffer.from(body);
  const at = marked.indexOf(Buffer.from([0, 0, 0, 0, 0, 0, 0xf8, 0x7f]));
  expect(at).toBeGreaterThan(0);
  marked.set([2, 0, 0, 0, 0, 0, 0xf0, 0x7f], at);
  return marked;
}

const write1 = (request: Parameters<typeof create<typeof WriteRequestSchema>>[1]) =>
  toBinary(WriteRequestSchema, create(WriteRequestSchema, request));
const write2 = (request: Parameters<typeof create<typeof RequestSchema>>[1]) =>
  toBinary(RequestSchema, create(RequestSchema, request));

/** Points by sensor. */
function mapped(body: Uint8Array, version: Version) {
  const to = mappedToNothing();
  const identities = new Identities();
  let nan = 0;
  for (const series of parseWrite(body, version).series) nan += mapSeries(series, identities, to);
  const blocks = [...to.samples.batches(), ...to.histograms.batches()].flatMap((batch) => batch.blocks);
  return { nan, blocks };
}

const idsOf = (body: Uint8Array, version: Version) => mapped(body, version).blocks.map(({ sensorId }) => sensorId);

describe("remote_write 1.0", () => {
  it("reads what a serialiser of another project wrote, whatever it holds", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 20 });
    const sample = fc.record({
      value: fc.double({ noNaN: true }),
      timestamp: fc.bigInt({ min: -(2n ** 53n) + 1n, max: 2n ** 53n - 1n }),
    });
    const series = fc.record({
      labels: fc.array(fc.record({ name: text, value: text }), { maxLength: 5 }),
      samples: fc.array(sample, { maxLength: 5 }),
      exemplars: fc.array(fc.record({ value: fc.double() }), { maxLength: 2 }),
    });
    fc.assert(
      fc.property(fc.array(series, { maxLength: 5 }), (timeseries) => {
        const read = parseWrite(write1({ timeseries, metadata: [{ help: "h" }] }), 1);
        expect(read.series.map((s) => [s.labels(), s.timesMs, s.values])).toEqual(
          timeseries.map(({ labels, samples }) => [
            labels.map(({ name, value }) => [name, value]),
            samples.map(({ timestamp }) => Number(timestamp)),
            samples.map(({ value }) => value),
          ]),
        );
        expect(read.exemplars).toBe(timeseries.flatMap(({ exemplars }) => exemplars).length);
        expect(read.metadata).toBe(1);
      }),
    );
  });

  it("ends with a result or a refusal, whatever bytes come", () => {
    const versions = fc.constantFrom<Version>(1, 2);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), versions, (bytes, version) => {
        try {
          mapped(bytes, version);
        } catch (error) {
          expect(error).toBeInstanceOf(TelltaleError);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it("makes no reading of a stale marker, and of none that has no value", () => {
    const labels = labels1({ __name__: "up", job: "a" });
    const samples = [Number.NaN, Number.NaN, 1].map((value, i) => ({ value, timestamp: BigInt(1_000 * i) }));
    const body = withStaleMarker(write1({ timeseries: [{ labels, samples }] }));
    expect(parseWrite(body, 1).stale).toBe(1);
    const { nan, blocks } = mapped(body, 1);
    expect(nan).toBe(1);
    expect(blocks.map(({ baseTimeUs, values }) => [baseTimeUs, values])).toEqual([[2_000_000n, [1]]]);
  });

  it("takes labels in any order, and empty ones, for the same sensor", () => {
    const timestamp = 1n;
    const sets = [
      { __name__: "up", instance: "a", job: "b" },
      { job: "b", instance: "a", __name__: "up" },
      { __name__: "up", instance: "a", job: "b", empty: "" },
    ];
    const body = write1({
      timeseries: sets.map((set) => ({ labels: labels1(set), samples: [{ value: 1, timestamp }] })),
    });
    expect(new Set(idsOf(body, 1))).toEqual(new Set(['up{instance="a",job="b"}']));
  });

  it("reads labels that do not lie together", () => {
    const whole = write1({
      timeseries: [{ labels: labels1({ __name__: "up", job: "b" }), samples: [{ value: 1, timestamp: 5n }] }],
    });
    const series = whole.subarray(2);
    // Fields of a series: two labels and a sample. The sample goes between them.
    const first = 2 + series[1]!;
    const second = first + 2 + series[first + 1]!;
    const moved = [...series.subarray(0, first), ...series.subarray(second), ...series.subarray(first, second)];
    expect(idsOf(Uint8Array.from([...whole.subarray(0, 2), ...moved]), 1)).toEqual(['up{job="b"}']);
  });

  it.each([
    ["node_cpu_seconds_total", {}, "s", "counter"],
    ["http_request_duration_seconds_bucket", { le: "0.1" }, "1", "counter"],
    ["http_request_duration_seconds_sum", {}, "s", undefined],
    ["http_request_duration_seconds_count", {}, "1", undefined],
    ["go_gc_duration_seconds", { quantile: "0.5" }, "s", "quantile"],
    ["process_resident_memory_bytes", {}, "By", undefined],
    ["room_celsius", {}, "Cel", undefined],
    ["up", {}, "1", undefined],
  ])("knows unit and kind of %s %j", (name, labels, unit, kind) => {
    const all = labels1({ __name__: name, ...labels });
    const [block] = mapped(write1({ timeseries: [{ labels: all, samples: [{ value: 1, timestamp: 1n }] }] }), 1).blocks;
    expect([block!.unit, block!.attributes.__kind__, block!.sensorType]).toEqual([unit, kind, name]);
  });
});

describe("a body of the smallest messages", () => {
  // 20 MiB of them would be objects of gigabytes.
  const of = (message: readonly number[], count: number) => {
    const body = Buffer.alloc(message.length * count);
    return body.fill(Uint8Array.from(message));
  };
  const inSeries = (body: Uint8Array) => {
    const length: number[] = [];
    for (let rest = body.length; ; rest = Math.floor(rest / 128)) {
      length.push(rest < 128 ? rest : (rest % 128) + 128);
      if (rest < 128) break;
    }
    return Uint8Array.from([0x0a, ...length, ...body]);
  };

  it.each<[string, Version, () => Uint8Array]>([
    ["series of 1.0", 1, () => of([0x0a, 0], 1_000_000)],
    ["series of 2.0", 2, () => of([0x2a, 0], 1_000_000)],
    ["samples", 1, () => inSeries(of([0x12, 0], 1_000_000))],
    ["histograms", 1, () => inSeries(of([0x22, 0], 1_000_000))],
  ])("is refused before it takes the memory: %s", (_, version, body) => {
    expect(() => mapped(body(), version)).toThrow(HttpRefusal);
  });

  it("is refused for lists of numbers too", () => {
    const histogram = { positiveSpans: [{ length: 1 }], positiveDeltas: Array(100_000).fill(0n) };
    expect(() => mapped(write1({ timeseries: [{ histograms: [histogram] }] }), 1)).toThrow(/more than 20000 numbers/);
  });

  it("is refused past the most readings", () => {
    const samples = Array.from({ length: 200_001 }, (_, i) => ({ timestamp: BigInt(i), value: i }));
    expect(() => mapped(write1({ timeseries: [{ samples }] }), 1)).toThrow(/more than 200000 readings/);
  });
});

describe("remote_write 2.0", () => {
  it("resolves symbols, and takes type and unit from metadata", () => {
    const symbols = ["", "__name__", "power", "job", "plant", "watts"];
    const body = write2({
      symbols,
      timeseries: [
        {
          labelsRefs: [1, 2, 3, 4],
          samples: [{ value: 3, timestamp: 7n }],
          metadata: { type: 2, unitRef: 5 },
          exemplars: [{ value: 1 }],
        },
      ],
    });
    const [block] = mapped(body, 2).blocks;
    expect(block).toMatchObject({ sensorId: 'power{job="plant"}', unit: "W", baseTimeUs: 7_000n, values: [3] });
    expect(block!.attributes).toEqual({ __name__: "power", __kind__: "gauge", job: "plant" });
    expect(parseWrite(body, 2).exemplars).toBe(1);
  });

  it("refuses symbols that there are not, and half a label", () => {
    const symbols = ["", "a"];
    for (const labelsRefs of [[1, 2], [1]]) {
      expect(() => parseWrite(write2({ symbols, timeseries: [{ labelsRefs }] }), 2)).toThrow(TelltaleError);
    }
  });
});

describe("a native histogram", () => {
  const labels = labels1({ __name__: "latency_seconds", job: "a" });
  const points = (histogram: object) => {
    const body = write1({ timeseries: [{ labels, histograms: [histogram] }] });
    return mapped(body, 1).blocks.map(({ sensorId, unit, values }) => [sensorId, unit, values[0]]);
  };

  it("is its count, its sum and quantiles", () => {
    // Schema 0: buckets (1, 2] and (2, 4], 50 each.
    const histogram = {
      count: { case: "countInt" as const, value: 100n },
      sum: 220,
      schema: 0,
      positiveSpans: [{ offset: 1, length: 2 }],
      positiveDeltas: [50n, 0n],
      timestamp: 9n,
    };
    expect(points(histogram)).toEqual([
      ['latency_seconds_count{job="a"}', "1", 100],
      ['latency_seconds_sum{job="a"}', "s", 220],
      ['latency_seconds{job="a",quantile="0.5"}', "s", 2],
      ['latency_seconds{job="a",quantile="0.9"}', "s", 3.6],
      ['latency_seconds{job="a",quantile="0.99"}', "s", expect.closeTo(3.96)],
    ]);
  });

  it("has negative buckets, a bucket of zero and gaps", () => {
    const histogram = {
      count: { case: "countFloat" as const, value: 4 },
      schema: 0,
      zeroThreshold: 0.001,
      zeroCount: { case: "zeroCountFloat" as const, value: 1 },
      negativeSpans: [{ offset: 1, length: 1 }],
      negativeCounts: [2],
      positiveSpans: [
        { offset: 0, length: 0 },
        { offset: 5, length: 1 },
      ],
      positiveCounts: [1],
    };
    expect(points(histogram)[2]).toEqual(['latency_seconds{job="a",quantile="0.5"}', "s", -1]);
  });

  it("may have bounds of its own", () => {
    const histogram = {
      count: { case: "countInt" as const, value: 10n },
      schema: -53,
      customValues: [5, 10],
      positiveSpans: [{ offset: 1, length: 2 }],
      positiveDeltas: [10n, -10n],
    };
    expect(points(histogram)[2]).toEqual(['latency_seconds{job="a",quantile="0.5"}', "s", 7.5]);
  });

  it.each([
    ["too many", 99n],
    ["too few", 3n],
  ])("whose count is not that of its buckets is refused: %s", (_, value) => {
    const histogram = {
      ...{ count: { case: "countInt" as const, value }, sum: 1, schema: 0 },
      ...{ positiveSpans: [{ offset: 0, length: 2 }], positiveDeltas: [1n, 2n] },
    };
    const to = mappedToNothing();
    const { series } = parseWrite(write1({ timeseries: [{ labels, histograms: [histogram] }] }), 1);
    for (const each of series) mapSeries(each, new Identities(), to);
    expect([to.histograms.size, to.faults.told]).toEqual([
      0,
      [`"latency_seconds": the histogram has a count of ${value}, and its buckets have 4`],
    ]);
  });

  it("that is stale is no reading", () => {
    expect(points({ sum: Number.NaN })).toEqual([]);
  });
});
