/** Summary of alerts: counts, durations, and how they compare with known events. */
import type { AlertRow } from "../store/store.ts";

/** Alerts of one sensor as they would have been, beside what is stored and known of it. */
export interface SensorResult {
  readonly alerts: readonly AlertRow[];
  /** Alerts opened, and raised. */
  readonly notifications: number;
  /** The stored alerts that opened in the range. */
  readonly stored: readonly { readonly fromUs: number; readonly untilUs: number }[];
  /** Events that happened. */
  readonly events: readonly { readonly fromUs: number; readonly untilUs: number }[];
  /** Alerts that a person called wrong. */
  readonly mistakes: readonly { readonly fromUs: number; readonly untilUs: number }[];
  /** Whether every event of the sensor is known, so that an alert beside them is wrong. */
  readonly eventsComplete: boolean;
  /** Time covered, microseconds. */
  readonly spanUs: number;
  /** End of the range, for alerts that are open then. */
  readonly endUs: number;
}

export interface Totals {
  alerts: number;
  notifications: number;
  alertSeconds: number;
  longestSeconds: number;
  sensorDays: number;
  sensors: number;
  labelsMet: number;
  labelsTotal: number;
  right: number;
  wrong: number;
  stored: number;
  avoided: number;
  added: number;
}

export function noTotals(): Totals {
  return {
    ...{ alerts: 0, notifications: 0, alertSeconds: 0, longestSeconds: 0, sensorDays: 0, sensors: 0, labelsMet: 0 },
    ...{ labelsTotal: 0, right: 0, wrong: 0, stored: 0, avoided: 0, added: 0 },
  };
}

export function addSensor(t: Totals, r: SensorResult): void {
  t.sensors++;
  t.alerts += r.alerts.length;
  t.notifications += r.notifications;
  t.sensorDays += r.spanUs / 86_400e6;
  t.stored += r.stored.length;
  t.labelsTotal += r.events.length;
  t.labelsMet += r.events.filter((e) => r.alerts.some((a) => meets(a, e))).length;
  for (const a of r.alerts) {
    const seconds = Math.max(0, (a.closedUs ?? r.endUs) - a.openedUs) / 1e6;
    t.alertSeconds += seconds;
    t.longestSeconds = Math.max(t.longestSeconds, seconds);
    if (!r.stored.some((s) => meets(a, s))) t.added++;
    if (r.events.some((e) => meets(a, e))) t.right++;
    else if (r.eventsComplete || r.mistakes.some((m) => meets(a, m))) t.wrong++;
  }
  // An alert that opens a reading earlier is the same alert for its receivers.
  t.avoided += r.stored.filter((s) => !r.alerts.some((a) => meets(a, s))).length;
}

/** Whether the alert was open during the event. A silence or an early alert lasts until it is closed, an excursion until it was last seen. */
export function meets(a: AlertRow, e: { readonly fromUs: number; readonly untilUs: number }): boolean {
  return a.openedUs <= e.untilUs && endOf(a) >= e.fromUs;
}

function endOf(a: AlertRow): number {
  return a.alertType === "anomaly_detection" ? a.lastSeenUs : (a.closedUs ?? Number.POSITIVE_INFINITY);
}

/** Of the alerts of a sensor, those that none of the others overlaps; newest first. */
export function besides(alerts: readonly AlertRow[], others: readonly AlertRow[]): AlertRow[] {
  const apart = (a: AlertRow) => !others.some((o) => meets(a, { fromUs: o.openedUs, untilUs: endOf(o) }));
  return alerts.filter(apart).sort((a, b) => b.openedUs - a.openedUs);
}
