import { toJson } from "@bufbuild/protobuf";
import kafkajs from "kafkajs";
import { AlertSchema } from "../../gen/es/telltale/v1/alert_pb.ts";
import { type AlertEvent, AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import { SEVERITY_NAMES } from "../detect/index.ts";
import { isoTime } from "../live/iso.ts";
import { type KafkaAddress, openKafka } from "../log/kafka-client.ts";
import type { Logger } from "../observe/logger.ts";
import type { Sink } from "./outbox.ts";

const { CompressionTypes, Partitioners } = kafkajs;

export interface KafkaSinkOptions extends KafkaAddress {
  /** Alerts as they open, in the predecessor's form. */
  readonly anomalyTopic: string;
  /** Every transition, as CloudEvents. */
  readonly eventsTopic: string;
  readonly replication: number;
  readonly logger: Logger;
}

/** Partitions of the two topics where they are created: they carry little. */
const TOPIC_PARTITIONS = 4;

export async function createKafkaSink(o: KafkaSinkOptions): Promise<Sink> {
  const kafka = openKafka(o, o.logger);
  const admin = kafka.admin();
  await admin.connect();
  const there = new Set(await admin.listTopics());
  const missing = [o.anomalyTopic, o.eventsTopic].filter((t) => !there.has(t));
  if (missing.length > 0) {
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map((topic) => ({ topic, numPartitions: TOPIC_PARTITIONS, replicationFactor: o.replication })),
    });
  }
  await admin.disconnect();
  // Repetitions are recognised by the events' ids: the broker's own idempotence is not needed.
  const producer = kafka.producer({
    idempotent: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  return {
    name: "kafka",
    async send(events) {
      const opened = events.filter((e) => e.type === AlertEventType.OPENED);
      await producer.sendBatch({
        acks: -1,
        compression: CompressionTypes.None,
        topicMessages: [
          { topic: o.eventsTopic, messages: events.map(cloudEvent) },
          ...(opened.length === 0 ? [] : [{ topic: o.anomalyTopic, messages: opened.map(anomaly) }]),
        ],
      });
    },
    close: () => producer.disconnect(),
  };
}

function eventName(type: AlertEventType): string {
  return (Object.entries(AlertEventType).find(([, n]) => n === type)?.[0] ?? "").toLowerCase();
}

/** A transition as a CloudEvent in structured JSON mode. */
function cloudEvent(e: AlertEvent) {
  const alert = e.alert!;
  const time = alert.closedAt ?? alert.lastSeenAt ?? alert.openedAt!;
  const value = {
    specversion: "1.0",
    id: e.id,
    source: `/telltale/partitions/${e.partition}`,
    type: `telltale.alert.${eventName(e.type)}`,
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

/** An opened alert in the predecessor's form. */
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
