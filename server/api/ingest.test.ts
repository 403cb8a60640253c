import { getEventListeners } from "node:events";
import { create } from "@bufbuild/protobuf";
import { createContextValues, type HandlerContext } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { StreamReadingsRequestSchema, SubmitReadingsRequestSchema } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { systemClock } from "../clock.ts";
import { Ingestor } from "../ingest/ingestor.ts";
import { SeriesTable } from "../ingest/series.ts";
import { createMetrics } from "../observe/metrics.ts";
import { createIngestService } from "./ingest.ts";

const STREAMS = 1_000;

test("a thousand streams, however they end, leave nothing on the signal of the server", async () => {
  const shutdown = new AbortController();
  const service = serviceOf(shutdown.signal);
  for (let i = 0; i < STREAMS; i++) {
    const call = new AbortController();
    const responses = service.streamReadings(
      requests(i % 2 === 0 ? "ends" : "waits", call.signal),
      contextOf(call.signal),
    );
    const first = await responses.next();
    expect(first.value?.settledSequence).toBe(1n);
    if (i % 2 === 0) expect((await responses.next()).done).toBe(true);
    else {
      const waiting = responses.next();
      expect(getEventListeners(shutdown.signal, "abort")).toHaveLength(1);
      call.abort(new Error("gone"));
      await expect(waiting).rejects.toThrow("gone");
    }
    expect(getEventListeners(call.signal, "abort")).toHaveLength(0);
  }
  expect(getEventListeners(shutdown.signal, "abort")).toHaveLength(0);
});

test("a stream ends with the server", async () => {
  const shutdown = new AbortController();
  const call = new AbortController();
  const responses = serviceOf(shutdown.signal).streamReadings(requests("waits", call.signal), contextOf(call.signal));
  await responses.next();
  const waiting = responses.next();
  shutdown.abort(new Error("draining"));
  await expect(waiting).rejects.toThrow("draining");
  call.abort();
});

test("a call in which all is refused names the field of each reading and of each point of its blocks", async () => {
  const service = serviceOf(new AbortController().signal);
  const series = { sensorType: "t", unit: "C" };
  const request = create(SubmitReadingsRequestSchema, {
    readings: [{ ...series, sensorId: "a", value: Number.NaN }],
    blocks: [
      { ...series, sensorId: "b", timeDeltasUs: [0, 1], values: [Number.NaN, Number.POSITIVE_INFINITY] },
      { ...series, sensorId: "c", unit: "", timeDeltasUs: [0], values: [1] },
      { ...series, sensorId: "d", baseTimeUs: 253_402_300_799_999_999n, timeDeltasUs: [9], values: [1] },
    ],
  });
  const refused = await service
    .submitReadings(request, contextOf(new AbortController().signal))
    .catch((e: unknown) => e);
  const { violations } = refused as { violations: { field: string }[] };
  expect(violations.map(({ field }) => field)).toEqual([
    "readings[0].value",
    "blocks[0].values[0]",
    "blocks[0].values[1]",
    "blocks[1].unit",
    "blocks[2].time_deltas_us[0]",
  ]);
});

function serviceOf(shutdown: AbortSignal) {
  return createIngestService({
    ingestor: new Ingestor({
      submitter: {
        room: async () => {},
        checkRoom: () => {},
        submit: () => ({ durable: Promise.resolve(), settled: Promise.resolve([]) }),
      },
      table: new SeriesTable(1),
      clock: systemClock,
      metrics: createMetrics(),
      refused: { say: () => {} },
      maxAheadUs: 1,
      retentionUs: 0,
    }),
    onStored: async () => {},
    find: async () => undefined,
    shutdown,
  });
}

/** One batch; then the sender ends, or says nothing until its call is over. */
async function* requests(then: "ends" | "waits", signal: AbortSignal) {
  yield create(StreamReadingsRequestSchema, { producer: "p", epoch: 1n, sequence: 1n });
  if (then === "waits" && !signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

function contextOf(signal: AbortSignal): HandlerContext {
  return { signal, values: createContextValues(), requestHeader: new Headers() } as HandlerContext;
}
