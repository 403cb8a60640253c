import { create } from "@bufbuild/protobuf";
import { SpanStatusCode, trace } from "@opentelemetry/api";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { systemClock } from "../clock.ts";
import { createMetrics } from "../observe/metrics.ts";
import { anonymous } from "../security/principal.ts";
import { Ingestor } from "./ingestor.ts";
import { SeriesTable } from "./series.ts";

const span = { spanContext: () => ({ traceId: "", spanId: "", traceFlags: 0 }), setStatus: vi.fn(), end: vi.fn() };
beforeAll(() => void trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan: () => span }) } as never));
afterAll(() => trace.disable());
beforeEach(() => vi.clearAllMocks());

test.each([
  ["is timed and its span ends well where some of it is logged", [1, Number.NaN], ["durable", "settled"], []],
  ["is not timed and its span fails where all of it is refused", [Number.NaN], [], [[{ code: SpanStatusCode.ERROR }]]],
  ["is not timed and its span ends well where it is empty", [], [], []],
])("a batch %s", async (_, values, timed, statuses) => {
  const metrics = createMetrics({ processMetrics: false });
  const observe = vi.spyOn(metrics.ackSeconds, "observe");
  const ingestor = new Ingestor({
    submitter: {
      room: async () => {},
      checkRoom: () => {},
      submit: () => ({ durable: Promise.resolve(), settled: Promise.resolve([]) }),
    },
    ...{ table: new SeriesTable(1), clock: systemClock, metrics, refused: { say: () => {} } },
    ...{ maxAheadUs: 1_000_000, retentionUs: 0 },
  });
  const readings = values.map((value) => create(ReadingSchema, { sensorId: "a", sensorType: "t", unit: "u", value }));
  const batch = { producer: "p", epoch: 0n, sequence: 1n, traceparent: "", readings, blocks: [], echo: false };
  const { durable, settled } = ingestor.submit(batch, anonymous);
  await Promise.all([durable, settled]);
  expect(observe.mock.calls.map(([labels]) => (labels as unknown as { kind: string }).kind)).toEqual(timed);
  expect(span.setStatus.mock.calls).toEqual(statuses);
  expect(span.end).toHaveBeenCalledOnce();
});
