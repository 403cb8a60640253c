/** Alert events as the scorers make them, written by hand: for what is derived from them. */
import { create, toBinary } from "@bufbuild/protobuf";
import type { Sql } from "postgres";
import { AlertState } from "../gen/es/telltale/v1/alert_pb.ts";
import { Severity } from "../gen/es/telltale/v1/reading_pb.ts";
import { type AlertEvent, AlertEventSchema, AlertEventType } from "../gen/es/telltale/v1/watch_pb.ts";
import { MINUTE_US, toTimestamp } from "../server/lib/time.ts";

/** 2026-11-01T00:00:00Z; times are minutes after it. */
const BEGIN_US: number = Date.UTC(2026, 10, 1) * 1000;

interface Opened {
  readonly sensorId: string;
  readonly openedUs: number;
  readonly partition: number;
  severity: Severity;
  closedUs?: number;
  acknowledged?: true;
}

export class AlertHistory {
  readonly events: AlertEvent[] = [];
  readonly #alerts: Opened[] = [];
  readonly #numbers = new Map<number, number>();
  readonly #partitionOf: (sensorId: string) => number;

  constructor(partitionOf: (sensorId: string) => number = () => 0) {
    this.#partitionOf = partitionOf;
  }

  /** Answers with the alert's id; they are 1, 2, 3 … */
  open(sensorId: string, minute: number, severity: Severity = Severity.HIGH): number {
    const openedUs = BEGIN_US + Math.round(minute * MINUTE_US);
    this.#alerts.push({ sensorId, openedUs, severity, partition: this.#partitionOf(sensorId) });
    return this.#event(this.#alerts.length, AlertEventType.OPENED);
  }

  raise(alertId: number, severity: Severity): number {
    this.#alerts[alertId - 1]!.severity = severity;
    return this.#event(alertId, AlertEventType.RAISED);
  }

  acknowledge(alertId: number): number {
    this.#alerts[alertId - 1]!.acknowledged = true;
    return this.#event(alertId, AlertEventType.ACKNOWLEDGED);
  }

  close(alertId: number, minute: number): number {
    this.#alerts[alertId - 1]!.closedUs = BEGIN_US + Math.round(minute * MINUTE_US);
    return this.#event(alertId, AlertEventType.RECOVERED);
  }

  #event(alertId: number, type: AlertEventType): number {
    const { sensorId, openedUs, partition, severity, closedUs, acknowledged } = this.#alerts[alertId - 1]!;
    const number = (this.#numbers.get(partition) ?? 0) + 1;
    this.#numbers.set(partition, number);
    const alert = {
      ...{ id: BigInt(alertId), sensorId, sensorType: "temperature", alertType: "anomaly_detection", severity },
      ...{ openedAt: toTimestamp(openedUs), lastSeenAt: toTimestamp(openedUs) },
      state: closedUs === undefined ? AlertState.OPEN : AlertState.RECOVERED,
      ...(closedUs === undefined ? {} : { closedAt: toTimestamp(closedUs) }),
      ...(acknowledged === undefined ? {} : { acknowledgedAt: toTimestamp(openedUs) }),
    };
    const id = `${partition}-${number}`;
    this.events.push(create(AlertEventSchema, { id, type, partition, number: BigInt(number), alert }));
    return alertId;
  }
}

/** Stores events as commits do, of which each partition's are in their order. */
export async function storeEvents(sql: Sql, events: readonly AlertEvent[]): Promise<void> {
  const rows = events.map((event) => ({
    ...{ partition: event.partition, number: Number(event.number), alert_id: Number(event.alert!.id) },
    event: Buffer.from(toBinary(AlertEventSchema, event)),
  }));
  await sql.begin(async (tx) => {
    for (let i = 0; i < rows.length; i += 5_000) await tx`insert into alert_event ${tx(rows.slice(i, i + 5_000))}`;
    await tx`insert into log_partition (partition, next_event)
      select partition, max(number) + 1 from alert_event group by partition
      on conflict (partition) do update set next_event = excluded.next_event`;
  });
}

/** Rows of the alerts of events, as far as notifications look at them. */
export async function storeAlerts(sql: Sql, events: readonly AlertEvent[]): Promise<void> {
  for (const { alert, partition } of events) {
    await sql`insert into alert (id, partition, sensor_id, sensor_type, alert_type, severity, message, score, value,
        opened_us, last_seen_us, state, readings, detector, confidence, model_version)
      values (${Number(alert!.id)}, ${partition}, ${alert!.sensorId}, '', '', 1, '', 0, 0, 0, 0, 1, 0, '', 0, '')
      on conflict do nothing`;
  }
}
