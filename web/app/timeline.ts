/** What happened to an alert, as one list: what the platform, people and messages did. */
import type { Alert, AlertSeverityStep } from "../../gen/web/telltale/v1/alert_pb.ts";
import type { NotificationDelivery } from "../../gen/web/telltale/v1/notification_pb.ts";
import { msOf } from "./format.ts";
import { type SeverityName, severityName } from "./severity.ts";

export interface Step {
  readonly ms: number;
  readonly what: string;
  /** "" where there is nothing more to say. */
  readonly note: string;
  /** That which it had from then on. */
  readonly severity?: SeverityName;
  /** A message, with what became of it. */
  readonly delivery?: NotificationDelivery;
}

interface Happened {
  /** That with which it opened, and each to which it was raised; none where they are not known. */
  readonly severities?: readonly AlertSeverityStep[];
  readonly deliveries: readonly NotificationDelivery[];
}

/** In the order in which it happened. What came at the same time is in the order of cause. */
export function timelineOf(alert: Alert, { severities = [], deliveries }: Happened): Step[] {
  const { openedAt, acknowledgedAt, labelledAt, closedAt, resolvedBy } = alert;
  const step = (at: typeof openedAt, what: string, note = ""): Step[] =>
    at === undefined ? [] : [{ ms: msOf(at), what, note }];
  const [first, ...raises] = severities;
  const withSeverity = (steps: Step[], { severity }: AlertSeverityStep) =>
    steps.map((each) => ({ ...each, severity: severityName(severity) }));
  const labelled = alert.labelCorrect ? "Labelled right" : "Labelled wrong";
  const steps = [
    ...(first === undefined ? step(openedAt, "Opened") : withSeverity(step(openedAt, "Opened"), first)),
    ...raises.flatMap((raise) => withSeverity(step(raise.at, "Raised"), raise)),
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
