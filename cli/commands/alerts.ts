import type { DescEnum } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { connect } from "../../client/transport.ts";
import { type Alert, AlertService, AlertStateSchema } from "../../gen/es/telltale/v1/alert_pb.ts";
import { SeveritySchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { credentials, type ServerOptions } from "../server.ts";
import { inert } from "../text.ts";

/** Prints all alerts of a sensor, oldest first. */
export async function printAlerts(options: ServerOptions, sensorId: string): Promise<void> {
  const connection = connect(credentials(options));
  try {
    const service = createClient(AlertService, connection.transport);
    const { alerts } = await service.listAlerts({ sensorId, limit: 1000 });
    console.log(`${alerts.length} alerts of ${sensorId}`);
    for (const alert of alerts.reverse()) console.log(alertLine(alert));
  } finally {
    connection.close();
  }
}

/** One line: when it opened, how severe, which, whose, why. */
export function alertLine(alert: Alert, what = enumName(AlertStateSchema, alert.state)): string {
  const opened = alert.openedAt ? timestampDate(alert.openedAt).toISOString() : "";
  const severity = enumName(SeveritySchema, alert.severity);
  return `${opened}  ${severity.padEnd(8)} ${what.padEnd(12)} #${alert.id}  ${inert(alert.sensorId)}  ${inert(alert.message)}`;
}

/** Name of an enum's value without its prefix, in small letters; a value newer than this program by its number. */
export function enumName(of: DescEnum, value: number): string {
  return of.value[value]?.localName.toLowerCase() ?? String(value);
}
