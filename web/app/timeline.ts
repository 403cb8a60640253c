/** What happened to an alert, as one list: what the platform, people and messages did. */
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import type { NotificationDelivery } from "../../gen/web/telltale/v1/notification_pb.ts";
import { msOf } from "./format.ts";

export interface Step {
  readonly ms: number;
  readonly what: string;
  /** "" where there is nothing more to say. */
  readonly note: string;
  /** A message, with what became of it. */
  readonly delivery?: NotificationDelivery;
}

/** In the order in which it happened. What came at the same time is in the order of cause. */
export function timelineOf(alert: Alert, deliveries: readonly NotificationDelivery[]): Step[] {
  const { openedAt, acknowledgedAt, labelledAt, closedAt, resolvedBy } = alert;
  const step = (at: typeof openedAt, what: string, note = ""): Step[] =>
    at === undefined ? [] : [{ ms: msOf(at), what, note }];
  const labelled = alert.labelCorrect ? "Labelled right" : "Labelled wrong";
  const steps = [
    ...step(openedAt, "Opened"),
    ...step(acknowledgedAt, `Acknowledged by ${alert.acknowledgedBy || "somebody"}`),
    ...step(labelledAt, `${labelled} by ${alert.labelledBy || "somebody"}`, alert.labelComment),
    ...step(closedAt, resolvedBy === "" ? "Ended by itself" : `Resolved by ${resolvedBy}`),
    ...deliveries.flatMap((delivery): Step[] => {
      const [told] = step(delivery.createdAt, `Told ${delivery.receiver} by ${delivery.kind}`);
      return told === undefined ? [] : [{ ...told, delivery }];
    }),
  ];
  return steps.sort((a, b) => a.ms - b.ms);
}
