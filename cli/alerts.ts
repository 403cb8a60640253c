import { timestampDate } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { connect } from "../client/transport.ts";
import { counted } from "../formats/counted.ts";
import { type Alert, AlertService, AlertState } from "../gen/es/telltale/v1/alert_pb.ts";
import { Severity } from "../gen/es/telltale/v1/reading_pb.ts";
import { enumName } from "../server/lib/enum-name.ts";
import { credentials, type ServerOptions } from "./server.ts";
import { inert } from "./text.ts";

/** Prints all alerts of a sensor, oldest first. */
export async function printAlerts(options: ServerOptions, sensorId: string): Promise<void> {
  const connection = connect(credentials(options));
  try {
    const service = createClient(AlertService, connection.transport);
    const { alerts } = await service.listAlerts({ sensorId, limit: 1000 });
    console.log(`${counted(alerts.length, "alert")} of ${sensorId}`);
    for (const alert of alerts.reverse()) console.log(alertLine(alert));
  } finally {
    connection.close();
  }
}

/** One line: when it opened, how severe, which, whose, why. */
export function alertLine(alert: Alert, what = enumName(AlertState, alert.state)): string {
  const opened = alert.openedAt ? timestampDate(alert.openedAt).toISOString() : "";
  const severity = enumName(Severity, alert.severity);
  return `${opened}  ${severity.padEnd(8)} ${what.padEnd(12)} #${alert.id}  ${inert(alert.sensorId)}  ${inert(alert.message)}`;
}
