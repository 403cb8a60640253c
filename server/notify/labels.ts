/** The labels and annotations of an alert: what routes, silences and inhibitions match, and what people read. */
import { type AlertEvent, AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import { SEVERITY_NAMES } from "../detect/index.ts";
import { toMicros } from "../lib/time.ts";
import type { SensorDetails } from "../registry/details.ts";
import type { KnownAlert } from "./known-alert.ts";

/** Labels of every alert. An attribute of such a name is the label `attribute_NAME`. */
const OWN_LABELS = new Set([
  ...["alertname", "severity", "sensor_id", "sensor_type", "location", "asset", "owner", "detector"],
]);

/** The alert after the event; `details`: what is known of its sensor, undefined where nothing is. */
export function knownAlert({ type, alert }: AlertEvent, details: SensorDetails | undefined): KnownAlert {
  const a = alert!;
  const severity = SEVERITY_NAMES[a.severity] ?? "";
  const isOver = type === AlertEventType.RECOVERED || type === AlertEventType.RESOLVED;
  const endsUs = isOver ? toMicros((a.closedAt ?? a.lastSeenAt ?? a.openedAt)!) : undefined;
  const { profile, series = [], sent = {} } = details ?? {};
  const location = (series.find(({ sensorType }) => sensorType === a.sensorType) ?? series[0])?.location;
  const own = {
    ...{ alertname: a.alertType, severity, sensor_id: a.sensorId, sensor_type: a.sensorType, detector: a.detector },
    ...{ location, asset: profile?.asset, owner: profile?.owner },
  };
  return {
    id: String(a.id),
    severity,
    isAcknowledged: a.acknowledgedAt !== undefined,
    status: isOver ? "resolved" : "firing",
    startsUs: toMicros(a.openedAt!),
    ...(endsUs === undefined ? {} : { endsUs }),
    labels: withoutEmpty({ ...attributeLabels({ ...sent, ...profile?.attributes }), ...own }),
    annotations: withoutEmpty({
      summary: summaryOf(profile?.displayName || a.sensorId, a.alertType),
      description: a.message,
      runbook_url: profile?.runbookUrl,
      display_name: profile?.displayName,
      value: String(a.sensorValue),
      expected: a.expected === undefined ? undefined : String(a.expected),
      unit: (series.find(({ sensorType }) => sensorType === a.sensorType) ?? series[0])?.unit,
    }),
  };
}

function summaryOf(sensor: string, alertType: string): string {
  if (alertType === "silence") return `${sensor} stopped reporting`;
  return alertType === "limit_forecast" ? `${sensor} is heading for a limit` : `${sensor} is not as usual`;
}

function attributeLabels(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [OWN_LABELS.has(name) ? `attribute_${name}` : name, value]),
  );
}

/** An empty label is the same as none. */
function withoutEmpty(texts: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter((entry): entry is [string, string] => !!entry[1]));
}
