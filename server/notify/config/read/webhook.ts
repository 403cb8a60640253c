import { MAX_BODY_BYTES } from "../../channels/limits.ts";
import { JsonTemplate, type JsonText } from "../../templates/json-template.ts";
import type { Text } from "../../templates/template.ts";
import type { WebhookConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, readPicture, requiredSecret } from "./http-channel.ts";
import { readSecret } from "./secret.ts";
import { Stop } from "./source.ts";
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
/** Of objects and lists within each other. */
const MAX_PAYLOAD_DEPTH = 20;
const OPTIONS = { mode: "text", most: MAX_BODY_BYTES, isWhole: true } as const;
/** Of one message: no receiver reads more, and the number is exact. */
const MAX_ALERTS = 1_000_000;

export function readWebhook(value: Value, global: Global): WebhookConfig<Text> | undefined {
  const fields = value.fields(WEBHOOK);
  if (fields === undefined) return undefined;
  const url = requiredSecret(fields, "url", urlTrouble);
  const signingKey = readSecret(fields, "signing_key");
  const http = readHttpChannel(fields, { global, sendResolved: true });
  const maxAlerts = fields.get("max_alerts")?.count(MAX_ALERTS) ?? 0;
  const payload = readPayload(fields.get("payload"));
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

function readPayload(value: Value | undefined): JsonTemplate | undefined {
  if (value === undefined) return undefined;
  if (value.kind !== "object")
    return value.problem("is no object: write names with values, such as text: '{{ .Status }}'.");
  return new JsonTemplate(readTree(value, 0), { file: value.path, maxBytes: MAX_BODY_BYTES });
}

function readTree(value: Value, depth: number): JsonText {
  if (depth > MAX_PAYLOAD_DEPTH) {
    value.problem(`is deeper than ${MAX_PAYLOAD_DEPTH} levels: take levels out.`);
    throw new Stop();
  }
  if (value.kind === "list") return value.items().map((item) => readTree(item, depth + 1));
  if (value.kind === "object")
    return new Map(value.templatedEntries(OPTIONS).map(([name, each]) => [name, readTree(each, depth + 1)]));
  return value.isNothing ? "null" : (value.templated(OPTIONS) ?? "");
}
