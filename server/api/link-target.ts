/** The alert that a link is about, one of ours or a received one, as it is now and as messages show it. */
import type { Sql } from "postgres";
import { SEVERITY_NAMES } from "../detect/index.ts";
import { listDeliveries } from "../notify/deliveries/store.ts";
import { findAlert } from "../notify/groups/store.ts";
import type { NotifiedAlert } from "../notify/message.ts";
import { FIRST_RECEIVED_ID, toKnownAlert } from "../notify/received/received-alert.ts";
import { findReceived } from "../notify/received/store.ts";
import type { Queries } from "../store/queries.ts";
import type { AlertRow } from "../store/store.ts";

export interface LinkTarget {
  readonly alert: NotifiedAlert;
  /** Undefined: another program sent it. */
  readonly row: AlertRow | undefined;
  readonly isOver: boolean;
  readonly acknowledged: { readonly by: string; readonly atUs: number } | undefined;
}

/** Undefined where there is no such alert any more. */
export async function findTarget(
  { sql, queries }: { sql: Sql; queries: Queries },
  id: number,
  nowUs: number,
): Promise<LinkTarget | undefined> {
  if (id >= FIRST_RECEIVED_ID) return receivedTarget(sql, id, nowUs);
  const row = await queries.alert(id);
  if (row === undefined) return undefined;
  const { closedUs, acknowledgedUs: atUs, acknowledgedBy: by } = row;
  const told = (await findAlert(sql, id)) ?? (await lastTold(sql, id)) ?? plain(row);
  const { endsUs: _, ...alert } = told;
  return {
    alert: closedUs === null ? { ...alert, status: "firing" } : { ...alert, status: "resolved", endsUs: closedUs },
    row,
    isOver: closedUs !== null,
    acknowledged: atUs === null ? undefined : { by, atUs },
  };
}

async function receivedTarget(sql: Sql, id: number, nowUs: number): Promise<LinkTarget | undefined> {
  const found = await findReceived(sql, id);
  if (found === undefined) return undefined;
  const { acknowledgedUs: atUs, acknowledgedBy: by = "", endsUs } = found;
  const ended = found.closedUs === undefined && endsUs <= nowUs ? { ...found, closedUs: endsUs } : found;
  return {
    alert: toKnownAlert(ended),
    row: undefined,
    isOver: ended.closedUs !== undefined,
    acknowledged: atUs === undefined ? undefined : { by, atUs },
  };
}

/** As the newest message has it. */
async function lastTold(sql: Sql, id: number): Promise<NotifiedAlert | undefined> {
  const alertId = String(id);
  const [newest] = await listDeliveries(sql, { receiver: "", state: 0, alertId }, { beforeId: undefined, limit: 1 });
  return newest?.message.alerts.find((alert) => alert.id === alertId);
}

/** Its messages are older than what is kept. */
function plain({ id, sensorId, sensorType, alertType, severity, message, value, openedUs }: AlertRow): NotifiedAlert {
  const labels = { alertname: alertType, severity: SEVERITY_NAMES[severity] ?? "", sensor_id: sensorId };
  return {
    id: String(id),
    labels: { ...labels, sensor_type: sensorType },
    annotations: { description: message, value: String(value) },
    status: "firing",
    startsUs: openedUs,
  };
}
