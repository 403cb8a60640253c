/** From a reading to the message that a webhook receives, and how many messages a storm of alerts makes. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IngestService } from "../gen/es/telltale/v1/ingest_pb.ts";
import { NotificationService } from "../gen/es/telltale/v1/notification_pb.ts";
import { startPlatform } from "../testing/platform.ts";
import { startWebhookSink } from "../testing/webhook-sink.ts";
import { quantile } from "./load.ts";
import type { StorageRow } from "./storage-queries.ts";

/** Steady readings before the jump: twice what a sensor needs to be judged. */
const STEADY = 60;
const SENSORS_A_CALL = 500;
/** Alerts one by one, this far apart. */
const PAUSE_MS = 50;

interface Alert {
  readonly status: string;
  readonly labels: { readonly sensor_id: string };
}

/** @param single alerts whose delay is measured one by one; @param storm alerts that open as fast as they can */
export async function notifyRows(single: number, storm: number): Promise<StorageRow[]> {
  const arrivedMs = new Map<string, number>();
  const messages = { count: 0, alerts: 0 };
  let arrived = Promise.withResolvers<void>();
  const sink = await startWebhookSink();
  sink.answer((response, posted) => {
    const body = JSON.parse(String(posted.body)) as { alerts: Alert[]; truncatedAlerts: number };
    messages.count++;
    messages.alerts = Math.max(messages.alerts, body.alerts.length + body.truncatedAlerts);
    for (const { labels, status } of body.alerts) {
      if (status === "firing" && !arrivedMs.has(labels.sensor_id)) arrivedMs.set(labels.sensor_id, performance.now());
    }
    response.end();
    arrived.resolve();
    arrived = Promise.withResolvers();
  });
  const platform = await startPlatform({ NOTIFY_ALLOWED_HOSTS: "127.0.0.1" });
  const transport = createGrpcTransport({ baseUrl: platform.grpc });
  const ingest = createClient(IngestService, transport);
  const configure = async (groupBy: string, interval: string) => {
    const route = `{ receiver: sink, group_by: [${groupBy}], group_wait: 0s, group_interval: ${interval} }`;
    const receivers = `[{ name: sink, webhook_configs: [{ url: "${sink.url}/", send_resolved: false }] }]`;
    await applyText(platform.grpc, `route: ${route}\nreceivers: ${receivers}\n`);
  };
  const submit = async (ids: readonly string[], values: readonly number[], firstUs: number) => {
    for (let i = 0; i < ids.length; i += SENSORS_A_CALL) {
      const blocks = ids.slice(i, i + SENSORS_A_CALL).map((sensorId) => ({
        ...{ sensorId, sensorType: "pressure", unit: "bar", values: [...values] },
        ...{ baseTimeUs: BigInt(firstUs), timeDeltasUs: values.map(() => 1_000_000) },
      }));
      await ingest.submitReadings({ blocks });
    }
  };
  const steady = Array.from({ length: STEADY }, (_, i) => 20 + Math.sin(i) / 10);
  const beginUs = Date.now() * 1_000 - (STEADY + 10) * 1e6;
  try {
    const singles = ids("single", single);
    const storms = ids("storm", storm);
    await submit([...singles, ...storms], steady, beginUs);
    await configure("sensor_id", "1s");
    const sentMs = new Map<string, number>();
    for (const id of singles) {
      sentMs.set(id, performance.now());
      await submit([id], [500], beginUs + STEADY * 1e6);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    while (!singles.every((id) => arrivedMs.has(id))) await arrived.promise;
    const delays = singles.map((id) => arrivedMs.get(id)! - sentMs.get(id)!).sort((a, b) => a - b);
    await configure("", "5s");
    const before = messages.count;
    const startedMs = performance.now();
    await submit(storms, [500], beginUs + STEADY * 1e6);
    const openedMs = performance.now() - startedMs;
    // The last message of the storm counts all of it.
    while (messages.alerts < storm) await arrived.promise;
    const toldMs = performance.now() - startedMs;
    return [
      {
        name: "reading_to_message_p99_ms",
        value: quantile(delays, 0.99),
        unit: "ms",
        beside: { messages: single, p50_ms: Math.round(quantile(delays, 0.5)), max_ms: Math.round(delays.at(-1)!) },
      },
      {
        name: "storm_messages",
        value: messages.count - before,
        unit: "messages",
        beside: {
          alerts: storm,
          sent_in_ms: Math.round(openedMs),
          told_after_ms: Math.round(toldMs),
          group_interval_ms: 5_000,
        },
      },
    ];
  } finally {
    await platform.stop();
    await sink.close();
  }
}

/** Puts a configuration in force. */
export async function applyText(grpcUrl: string, text: string): Promise<void> {
  const notifications = createClient(NotificationService, createGrpcTransport({ baseUrl: grpcUrl }));
  const { problems } = await notifications.setNotificationConfig({ text });
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join("\n"));
}

function ids(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${kind}-${i}`);
}
