/**
 * Node with Connect: streams readings of one sensor, sees them acknowledged, and gets the alert that the last one raises.
 *
 * TELLTALE_GRPC=http://127.0.0.1:50051 node examples/node/connect.ts [sensor-id]
 */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { AlertEventType, WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";

const sensorId = process.argv[2] ?? "example-connect";
const transport = createGrpcTransport({ baseUrl: process.env.TELLTALE_GRPC ?? "http://127.0.0.1:50051" });

/** 48 steady readings, then a jump. Without a time of their own, the server's counts. */
function* batches() {
  for (let i = 0; i < 49; i++) {
    const value = i < 48 ? 20 + 0.1 * Math.sin(i * 2.4) : 30;
    yield {
      producer: sensorId,
      epoch: BigInt(Date.now()),
      sequence: BigInt(i + 1),
      readings: [{ sensorId, sensorType: "temperature", value, unit: "C" }],
    };
  }
}

const [first] = batches();
const epoch = first!.epoch;
const done = Promise.withResolvers<void>();

async function* requests() {
  for (const batch of batches()) yield { ...batch, epoch };
  await done.promise; // the stream stays open until everything is settled
}

async function send(): Promise<void> {
  let accepted = 0n;
  for await (const response of createClient(IngestService, transport).streamReadings(requests())) {
    accepted += response.counts?.accepted ?? 0n;
    if (response.settledSequence < 49n) continue;
    console.log(`49 readings settled, ${accepted} accepted`);
    done.resolve();
  }
}

const watching = new AbortController();
const events = createClient(WatchService, transport).watchAlerts({ sensorId }, { signal: watching.signal });
let sending: Promise<void> | undefined;
for await (const { event } of events) {
  sending ??= send(); // the first response says that the watch is in place
  if (event?.type !== AlertEventType.OPENED) continue;
  console.log(`alert: ${event.alert?.message}`);
  break;
}
watching.abort();
await sending;
