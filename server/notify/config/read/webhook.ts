import { MAX_BODY_BYTES } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { WebhookConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, readPicture, requiredSecret } from "./http-channel.ts";
import { readPayload } from "./payload.ts";
import { readSecret } from "./secret.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const WEBHOOK: Known = {
  of: "a webhook",
  names: [
    ...["url", "url_file", "max_alerts", "payload", "picture", ...HTTP_CHANNEL_NAMES],
    // Not Alertmanager's.
    ...["signing_key", "signing_key_file"],
  ],
};
/** Of one message: no receiver reads more, and the number is exact. */
const MAX_ALERTS = 1_000_000;

export function readWebhook(value: Value, global: Global): WebhookConfig<Text> | undefined {
  const fields = value.fields(WEBHOOK);
  if (fields === undefined) return undefined;
  const url = requiredSecret(fields, "url", urlTrouble);
  const signingKey = readSecret(fields, "signing_key");
  const http = readHttpChannel(fields, { global, sendResolved: true });
  const maxAlerts = fields.get("max_alerts")?.count(MAX_ALERTS) ?? 0;
  const payload = readPayload(fields.get("payload"), MAX_BODY_BYTES);
  return (
    url && {
      kind: "webhook",
      url,
      ...(signingKey && { signingKey }),
      ...http,
      maxAlerts,
      ...(payload && { payload }),
      ...readPicture(fields, false),
    }
  );
}
