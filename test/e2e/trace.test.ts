/** One trace from the device to the watcher, as a receiver of OTLP sees it. */
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IngestService, StreamReadingsRequestSchema } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { AlertEventType, WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { type Span, type SpanReceiver, startSpanReceiver } from "../../testing/otlp.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";

const device = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const traceparent = `00-${device.traceId}-${device.spanId}-01`;
const CALM = 60;
let receiver: SpanReceiver;
let platform: Platform;

beforeAll(async () => {
  receiver = await startSpanReceiver();
  platform = await startPlatform({ ...receiver.environment });
});
afterAll(async () => {
  await platform?.stop();
  receiver?.close();
});

test("a device's trace goes on through the log, the commit and the alert to the watcher", async () => {
  const transport = createGrpcTransport({ baseUrl: platform.grpc });
  const over = new AbortController();
  const watch = createClient(WatchService, transport).watchAlerts({ sensorId: "traced" }, { signal: over.signal });
  const events = watch[Symbol.asyncIterator]();
  await events.next(); // the watch is in place
  const startUs = Date.now() * 1000 - (CALM + 2) * 60e6;
  const reading = (n: number, value: number) => ({
    sensorId: "traced",
    sensorType: "temperature",
    unit: "C",
    value,
    observedAt: { seconds: BigInt(Math.floor((startUs + n * 60e6) / 1e6)), nanos: 0 },
  });
  const calm = Array.from({ length: CALM }, (_, n) => reading(n, 20 + (n % 7) / 100));
  const batch = (sequence: bigint, readings: ReturnType<typeof reading>[], more = {}) =>
    create(StreamReadingsRequestSchema, { producer: "device", epoch: 1n, sequence, readings, ...more });
  const answers = createClient(IngestService, transport).streamReadings(
    (async function* () {
      yield batch(1n, calm);
      yield batch(2n, [reading(CALM, 500)], { traceparent });
    })(),
  );
  for await (const _ of answers); // until all is settled
  const { event } = (await events.next()).value;
  expect(event).toMatchObject({ type: AlertEventType.OPENED });
  expect(event.traceparent).toMatch(new RegExp(`^00-${device.traceId}-[0-9a-f]{16}-01$`));
  over.abort();
  await end(platform.process); // what is not exported yet goes out

  const ours = receiver.spans().filter(({ traceId }) => traceId === device.traceId);
  const one = (name: string) => {
    const found = ours.filter((span) => span.name === name);
    expect(found, name).toHaveLength(1);
    return found[0] as Span & { spanId: string };
  };
  const send = one("send sensor-data");
  expect(send).toMatchObject({ kind: 4, parentSpanId: device.spanId });
  expect(one("process sensor-data")).toMatchObject({ kind: 5, parentSpanId: send.spanId });
  expect(one("send alert-events")).toMatchObject({ kind: 4, parentSpanId: send.spanId });
  expect(one("deliver alert-events")).toMatchObject({ kind: 4, parentSpanId: send.spanId });
  expect(attributes(one("process sensor-data"))).toMatchObject({
    "messaging.system": "telltale",
    "messaging.destination.name": "sensor-data",
    "messaging.operation.type": "process",
  });
  // The calm batch had no context of its own: it is of the trace of its stream's call.
  const calmSends = receiver
    .spans()
    .filter(({ name, traceId }) => name === "send sensor-data" && traceId !== device.traceId);
  expect(calmSends).toHaveLength(1);
});

function attributes(span: Span): Record<string, string> {
  return Object.fromEntries(span.attributes.map(({ key, value }) => [key, value.stringValue]));
}
