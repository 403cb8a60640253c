// Makes calls to a listener that exports its spans, each with the traceparent given as the argument. Run by tracing.test.ts.
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IngestService } from "../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../gen/es/telltale/v1/query_pb.ts";
import { startTracing } from "../server/observe/tracing.ts";
import { openListener } from "./rpc.ts";

const headers = { traceparent: process.argv[2] ?? "" };
const tracing = await startTracing(process.env, "0.0.0-test");
const listener = await openListener({ tracing: tracing.on });
const transport = createGrpcTransport({ baseUrl: listener.url });
const query = createClient(QueryService, transport);

await query.listReadings({}, { headers });
const failing = [
  () => query.getLatestReading({ sensorId: "a" }, { headers }),
  () => query.getPlatformStats({}, { headers }),
];
for (const call of failing) {
  const [{ status }] = await Promise.allSettled([call()]);
  if (status === "fulfilled") throw new Error("a call that must fail succeeded");
}
async function* batches() {
  yield { producer: "p", sequence: 1n };
}
for await (const { durableSequence } of createClient(IngestService, transport).streamReadings(batches(), { headers })) {
  if (durableSequence !== 1n) throw new Error(`acknowledged ${durableSequence}`);
}
await listener.close(1_000);
await tracing.close();
