/** Messages for receivers, as the notifier makes them. */
import type { Message, NotifiedAlert } from "../server/notify/message.ts";

const SINCE_US = Date.UTC(2026, 10, 22, 23, 43, 28) * 1_000;

/** An open alert of one sensor. */
export function notifiedAlert(given: Partial<NotifiedAlert> = {}): NotifiedAlert {
  return {
    id: "4711",
    status: "firing",
    startsUs: SINCE_US,
    ...given,
    labels: {
      alertname: "anomaly_detection",
      severity: "critical",
      sensor_id: "press-3/temperature",
      sensor_type: "temperature",
      location: "hall 1",
      ...given.labels,
    },
    annotations: {
      summary: "Press 3 is not as usual",
      description: "temperature far above normal",
      display_name: "Press 3",
      value: "98.2",
      expected: "71.40000000000001",
      unit: "C",
      runbook_url: "https://wiki.example/press",
      ...given.annotations,
    },
  };
}

export function notification(given: Partial<Message> = {}): Message {
  const alerts = given.alerts ?? [notifiedAlert()];
  const isOver = alerts.every(({ status }) => status === "resolved");
  return {
    key: "01/0-press-1",
    receiver: "night shift",
    groupKey: '{}:{sensor_id="press-3/temperature"}',
    groupLabels: { sensor_id: "press-3/temperature" },
    commonLabels: alerts[0]!.labels,
    commonAnnotations: {},
    status: isOver ? "resolved" : "firing",
    truncatedAlerts: 0,
    externalUrl: "https://telltale.plant.example/",
    ...given,
    alerts,
  };
}
