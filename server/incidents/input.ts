/** What the fold takes: an alert event, its place in the one order of all events, and what the registry said when the alert opened. */
import type { Attributes } from "../../formats/attributes.ts";
import { AlertState } from "../../gen/es/telltale/v1/alert_pb.ts";
import { type AlertEvent, AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import { toMicros } from "../lib/time.ts";

/** Of a sensor, when an alert of it opened. */
export interface Facts {
  readonly owner: string;
  readonly asset: string;
  readonly attributes: Attributes;
}

export const NO_FACTS: Facts = { owner: "", asset: "", attributes: {} };

export interface Input {
  /** Place in the order; rises by one. */
  readonly seq: number;
  readonly type: AlertEventType;
  readonly alertId: number;
  readonly sensorId: string;
  readonly alertType: string;
  readonly severity: number;
  readonly openedUs: number;
  /** Undefined while it is open. */
  readonly closedUs: number | undefined;
  readonly acknowledged: boolean;
  readonly facts: Facts;
}

export function inputOf(seq: number, event: AlertEvent, facts: Facts): Input {
  const alert = event.alert!;
  const { openedAt, closedAt, acknowledgedAt, state } = alert;
  const openedUs = toMicros(openedAt!);
  const closedUs = closedAt === undefined ? openedUs : toMicros(closedAt);
  return {
    ...{ seq, facts },
    type: event.type,
    alertId: Number(alert.id),
    sensorId: alert.sensorId,
    alertType: alert.alertType,
    severity: alert.severity,
    openedUs,
    closedUs: state === AlertState.OPEN ? undefined : closedUs,
    acknowledged: acknowledgedAt !== undefined,
  };
}

/** By which the events of several partitions are merged where they are met together. */
export function eventTimeUs({ alert, type }: AlertEvent): number {
  const { openedAt, lastSeenAt, closedAt } = alert!;
  return toMicros((type === AlertEventType.OPENED ? openedAt : (closedAt ?? lastSeenAt)) ?? openedAt!);
}
