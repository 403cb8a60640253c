import { randomUUID } from "node:crypto";
import type { Message } from "../message.ts";

/** The id of an alert that there is not. */
export const NO_ALERT = "0";

/** What a receiver is sent to try it: an alert that says that it is a test. */
export function testMessage(receiver: string, nowUs: number): Message {
  const labels = { alertname: "test", severity: "low", sensor_id: "test" };
  const annotations = {
    summary: "Test of this receiver",
    description: "Somebody tries whether notifications arrive here. There is no fault.",
  };
  const key = `test/${randomUUID()}`;
  return {
    ...{ key, groupKey: key, receiver, status: "firing", truncatedAlerts: 0, externalUrl: "" },
    ...{ groupLabels: labels, commonLabels: labels, commonAnnotations: annotations },
    alerts: [{ id: NO_ALERT, labels, annotations, status: "firing", startsUs: nowUs }],
  };
}

/** What ends the alert of a test. */
export function overOf(message: Message, nowUs: number): Message {
  const alerts = message.alerts.map((alert) => ({ ...alert, status: "resolved" as const, endsUs: nowUs }));
  return { ...message, key: `${message.key}/over`, status: "resolved", alerts };
}

export function isTest({ key }: Message): boolean {
  return key.startsWith("test/");
}
