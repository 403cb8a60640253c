import type { Message } from "../message.ts";

/** The message with the alerts that a caller of this prefix may see; undefined where there is none. */
export function visibleTo(message: Message, sensorPrefix: string): Message | undefined {
  if (sensorPrefix === "") return message;
  const alerts = message.alerts.filter(({ labels }) => labels.sensor_id?.startsWith(sensorPrefix));
  if (alerts.length === 0) return undefined;
  const status = alerts.some((alert) => alert.status === "firing") ? "firing" : "resolved";
  // How many more there are of others is not for this caller.
  return alerts.length === message.alerts.length && message.truncatedAlerts === 0
    ? message
    : { ...message, alerts, status, truncatedAlerts: 0 };
}
