import { toJson } from "@bufbuild/protobuf";
import kafkajs, { type Kafka } from "kafkajs";
import { AlertSchema } from "../../gen/es/telltale/v1/alert_pb.ts";
import { type AlertEvent, AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import { SEVERITY_NAMES } from "../detect/index.ts";
import { enumName } from "../lib/enum-name.ts";
import { isoTime } from "../lib/time.ts";
import { type KafkaAddress, openKafka } from "../log/kafka-client.ts";
import type { Logger } from "../observe/logger.ts";
import type { Delivery, Receiver } from "./receiver.ts";

const { CompressionTypes, Partitioners } = kafkajs;

export interface KafkaReceiverOptions extends KafkaAddress {
  /** Alerts as they open, in the form of the topic `anomaly-alerts`. */
  readonly anomalyTopic: string;
  /** Every transition, as CloudEvents. */
  readonly eventsTopic: string;
  readonly replication: number;
  readonly logger: Logger;
}

/** Partitions of the two topics where they are created: they carry little. */
const TOPIC_PARTITIONS = 4;

/** Alert events to Kafka's two topics. A broker that is unavailable delays neither the start nor any other receiver. */
export function createKafkaReceiver(o: KafkaReceiverOptions): Receiver {
  const kafka = openKafka(o, o.logger);
  // Repetitions are recognised by the events' ids: the broker's own idempotence is not needed.
  const producer = kafka.producer({
    idempotent: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    maxInFlightRequests: 1,
  });
  const connect = async () => {
    await ensureTopics(kafka, o);
    await producer.connect();
  };
  // At once, so that consumers find the topics before the first alert; a failure is met again by the first delivery.
  let connected: Promise<void> | undefined = connect();
  connected.catch((error: unknown) => o.logger.warn({ err: error }, "alert events wait: Kafka is unavailable"));
  const ready = async () => {
    connected ??= connect();
    await connected.catch((error: unknown) => {
      connected = undefined;
      throw error;
    });
  };
  const send = async (events: readonly AlertEvent[]) => {
    const opened = events.filter((e) => e.type === AlertEventType.OPENED);
    await producer.sendBatch({
      acks: -1,
      compression: CompressionTypes.None,
      topicMessages: [
        { topic: o.eventsTopic, messages: events.map(cloudEvent) },
        ...(opened.length === 0 ? [] : [{ topic: o.anomalyTopic, messages: opened.map(anomaly) }]),
      ],
    });
  };
  return {
    name: "kafka",
    startsAt: "oldest",
    async deliver(events) {
      await ready();
      try {
        await send(events);
        return { kind: "ok" };
      } catch (error) {
        if (!isTooLarge(error)) throw error;
        return oneByOne(events, send);
      }
    },
    close: () => producer.disconnect(),
  };
}

async function ensureTopics(kafka: Kafka, o: KafkaReceiverOptions): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const there = new Set(await admin.listTopics());
    const missing = [o.anomalyTopic, o.eventsTopic].filter((t) => !there.has(t));
    if (missing.length === 0) return;
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map((topic) => ({ topic, numPartitions: TOPIC_PARTITIONS, replicationFactor: o.replication })),
    });
  } finally {
    await admin.disconnect();
  }
}

/** The broker refuses a batch for its size: each event goes alone, and the first that is too large by itself is dropped. */
async function oneByOne(
  events: readonly AlertEvent[],
  send: (events: readonly AlertEvent[]) => Promise<void>,
): Promise<Delivery> {
  for (const [delivered, event] of events.entries()) {
    try {
      await send([event]);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      return { kind: "drop", delivered, reason: `Kafka refuses it for its size: ${(error as Error).message}` };
    }
  }
  return { kind: "ok" };
}

/** Whether the broker will never take it: larger than the topic's max.message.bytes. */
function isTooLarge(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) {
    const { type } = e as { type?: string };
    if (type === "MESSAGE_TOO_LARGE" || type === "RECORD_LIST_TOO_LARGE") return true;
  }
  return false;
}

/** A transition as a CloudEvent in structured JSON mode. */
function cloudEvent(e: AlertEvent) {
  const alert = e.alert!;
  const time = alert.closedAt ?? alert.lastSeenAt ?? alert.openedAt!;
  const value = {
    specversion: "1.0",
    id: e.id,
    source: `/telltale/partitions/${e.partition}`,
    type: `telltale.alert.${enumName(AlertEventType, e.type)}`,
    subject: alert.sensorId,
    time: isoTime(time),
    datacontenttype: "application/json",
    // Rises within the source: a gap would be a loss.
    sequence: String(e.number),
    // CloudEvents' extension for distributed tracing.
    ...(e.traceparent === "" ? {} : { traceparent: e.traceparent }),
    data: { ...(toJson(AlertSchema, alert) as object), severity: SEVERITY_NAMES[alert.severity] ?? "" },
  };
  return {
    key: alert.sensorId,
    value: JSON.stringify(value),
    headers: { "content-type": "application/cloudevents+json" },
  };
}

/** An opened alert in the form of the topic `anomaly-alerts`. */
function anomaly(e: AlertEvent) {
  const a = e.alert!;
  const value = {
    alert_id: Number(a.id),
    sensor_id: a.sensorId,
    severity: SEVERITY_NAMES[a.severity] ?? "",
    message: a.message,
    anomaly_score: a.anomalyScore,
    sensor_value: a.sensorValue,
    timestamp: isoTime(a.openedAt!),
    alert_type: a.alertType,
    threshold: a.threshold ?? null,
    event_id: e.id,
  };
  return { key: a.sensorId, value: JSON.stringify(value) };
}
