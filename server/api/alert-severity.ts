/** How an alert came to its severity. */
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { AlertSeverityStepSchema } from "../../gen/es/telltale/v1/alert_pb.ts";
import { AlertEventSchema, AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";

/** @param events of one alert, as they are stored, in their order */
export function severitySteps(events: readonly Uint8Array[]): MessageInitShape<typeof AlertSeverityStepSchema>[] {
  return events.flatMap((bytes) => {
    const { type, alert } = fromBinary(AlertEventSchema, bytes);
    if (type !== AlertEventType.OPENED && type !== AlertEventType.RAISED) return [];
    const { severity, anomalyScore, openedAt, lastSeenAt } = alert!;
    // An event has no time of its own: it is that of the reading that made it.
    const at = type === AlertEventType.OPENED ? openedAt : (lastSeenAt ?? openedAt);
    return [{ severity, anomalyScore, ...(at === undefined ? {} : { at }) }];
  });
}
