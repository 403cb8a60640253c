/**
 * Node with grpc-js and nothing generated: the contracts are read from `proto/` at run time.
 *
 * TELLTALE_GRPC=http://127.0.0.1:50051 node examples/node/grpc-js.js [sensor-id]
 */
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const sensorId = process.argv[2] ?? "example-grpc-js";
const address = (process.env.TELLTALE_GRPC ?? "http://127.0.0.1:50051").replace(/^https?:\/\//, "");
const root = new URL("../../", import.meta.url).pathname;
const definition = loadSync(["telltale/v1/ingest.proto", "telltale/v1/watch.proto"], {
  includeDirs: [`${root}proto`, `${root}third_party/protovalidate`],
  longs: Number,
  enums: String,
  defaults: true,
});
const { IngestService, WatchService } = loadPackageDefinition(definition).telltale.v1;

function send() {
  const ingest = new IngestService(address, credentials.createInsecure());
  const stream = ingest.streamReadings();
  const epoch = Date.now();
  stream.on("data", ({ settledSequence }) => {
    if (settledSequence < 49) return;
    console.log("49 readings settled");
    stream.end();
  });
  stream.on("error", (error) => console.error(`the stream ended: ${error.message}`));
  for (let i = 0; i < 49; i++) {
    const value = i < 48 ? 20 + 0.1 * Math.sin(i * 2.4) : 30;
    const readings = [{ sensorId, sensorType: "temperature", value, unit: "C" }];
    stream.write({ producer: sensorId, epoch, sequence: i + 1, readings });
  }
}

const watch = new WatchService(address, credentials.createInsecure()).watchAlerts({ sensorId });
watch.once("data", send); // the first response says that the watch is in place
watch.on("data", ({ event }) => {
  if (event?.type !== "ALERT_EVENT_TYPE_OPENED") return;
  console.log(`alert: ${event.alert.message}`);
  watch.cancel();
});
watch.on("error", (error) => {
  if (error.code !== 1) throw error; // 1: cancelled, by us
});
