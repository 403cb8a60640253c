import type { AlertmanagerConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { readHttpChannel, requiredSecret } from "./http-channel.ts";
import { baseUrlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

/** Not Alertmanager's: it is told itself. It always hears that an alert is over, because otherwise it would believe it open. */
const ALERTMANAGER: Known = {
  of: "an Alertmanager",
  names: ["url", "url_file", "http_config", "timeout", "send_resolved"],
};

export function readAlertmanager(value: Value, global: Global): AlertmanagerConfig | undefined {
  const fields = value.fields(ALERTMANAGER);
  if (fields === undefined) return undefined;
  const url = requiredSecret(fields, "url", baseUrlTrouble);
  const http = readHttpChannel(fields, { global, sendResolved: true });
  if (!http.sendResolved) fields.get("send_resolved")?.problem("is false: an Alertmanager has to hear of the end.");
  return url && { kind: "alertmanager", url, ...http };
}
