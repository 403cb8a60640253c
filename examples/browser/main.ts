/** A browser page with Connect-Web: sends readings, and shows a sensor's readings and alerts as they come. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { AlertEventType, WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";

const parameters = new URLSearchParams(location.search);
const sensorId = parameters.get("sensor") ?? "example-browser";
// Browsers cannot stream requests: one call a reading; answers do stream.
const transport = createConnectTransport({ baseUrl: parameters.get("server") ?? "http://127.0.0.1:50051" });
const ingest = createClient(IngestService, transport);
const watch = createClient(WatchService, transport);

const show = (list: string, text: string) => {
  const item = document.createElement("li");
  item.textContent = text;
  document.getElementById(list)!.prepend(item);
};

async function showReadings(inPlace: () => void): Promise<void> {
  for await (const { readings, missed } of watch.watchReadings({ sensorId })) {
    inPlace();
    if (missed) show("readings", "(some were missed)");
    for (const { value, unit, isAnomaly } of readings)
      show("readings", `${value?.toFixed(2)} ${unit}${isAnomaly ? " !" : ""}`);
  }
}

async function showAlerts(inPlace: () => void): Promise<void> {
  for await (const { event } of watch.watchAlerts({ sensorId })) {
    inPlace();
    if (event?.type === AlertEventType.OPENED) show("alerts", event.alert!.message);
  }
}

async function send(): Promise<void> {
  for (let i = 0; i < 49; i++) {
    const value = i < 48 ? 20 + 0.1 * Math.sin(i * 2.4) : 30;
    await ingest.submitReadings({ readings: [{ sensorId, sensorType: "temperature", value, unit: "C" }] });
  }
}

const failed = (error: unknown) => show("alerts", `failed: ${error}`);
const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
showReadings(both[0].resolve).catch(failed);
showAlerts(both[1].resolve).catch(failed);
// The first response of a watch says that nothing is missed from now on.
Promise.all(both.map(({ promise }) => promise)).then(() => document.body.classList.add("watching"));
document.getElementById("send")!.addEventListener("click", () => send().catch(failed));
