import type { IncidentIoConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, requiredSecret } from "./http-channel.ts";
import { readSecret } from "./secret.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const INCIDENTIO: Known = {
  of: "an alert of incident.io",
  names: ["url", "url_file", "alert_source_token", "alert_source_token_file", "max_alerts", ...HTTP_CHANNEL_NAMES],
};
/** Of one message: no receiver reads more, and the number is exact. */
const MAX_ALERTS = 1_000_000;

export function readIncidentIo(value: Value, global: Global): IncidentIoConfig | undefined {
  const fields = value.fields(INCIDENTIO);
  if (fields === undefined) return undefined;
  const url = requiredSecret(fields, "url", urlTrouble);
  const hasToken = fields.get("alert_source_token") ?? fields.get("alert_source_token_file");
  const token = readSecret(fields, "alert_source_token");
  const maxAlerts = fields.get("max_alerts")?.count(MAX_ALERTS) ?? 0;
  const http = readHttpChannel(fields, { global, sendResolved: true });
  const hasCredentials = (http.authorization ?? http.basicAuth ?? http.oauth2) !== undefined;
  if (hasToken && fields.get("http_config") && hasCredentials)
    hasToken.problem("stands beside credentials in http_config: keep one of the two.");
  if (!hasToken && !hasCredentials)
    value.problem("has no alert_source_token: write alert_source_token or alert_source_token_file.");
  return url && { kind: "incidentio", url, ...(token && { token }), maxAlerts, ...http };
}
