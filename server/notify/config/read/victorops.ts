import { MAX_TEXT_CHARACTERS, MAX_VICTOROPS_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { VictorOpsConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, readTexts, requiredSecret } from "./http-channel.ts";
import { readSecretValue } from "./secret.ts";
import { baseUrlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const VICTOROPS: Known = {
  of: "a message to VictorOps",
  names: [
    ...["api_key", "api_key_file", "api_url", "routing_key", "message_type", "entity_display_name", "state_message"],
    ...["monitoring_tool", "custom_fields", ...HTTP_CHANNEL_NAMES],
  ],
};
const API_URL = "https://alert.victorops.com/integrations/generic/20131114/alert/";
/** Set for each message. */
const OWN_FIELDS = [
  "routing_key",
  "message_type",
  "state_message",
  "entity_display_name",
  "monitoring_tool",
  "entity_id",
];

export function readVictorOps(value: Value, global: Global): VictorOpsConfig<Text> | undefined {
  const fields = value.fields(VICTOROPS);
  if (fields === undefined) return undefined;
  const hasOwn = fields.get("api_key") !== undefined || fields.get("api_key_file") !== undefined;
  const isGlobal = !hasOwn && (global.has("victorops_api_key") || global.has("victorops_api_key_file"));
  const apiKey = isGlobal ? global.victorOpsKey : requiredSecret(fields, "api_key");
  const own = fields.get("api_url");
  const url = own ? readSecretValue(own, baseUrlTrouble) : (global.victorOpsUrl ?? { value: API_URL });
  const routingKey = fields.required("routing_key")?.templatedPlace();
  const texts = readTexts(fields, {
    ...{ messageType: "message_type", title: "entity_display_name", monitoringTool: "monitoring_tool" },
  });
  const body = fields.get("state_message")?.templated({ mode: "text", most: MAX_VICTOROPS_CHARACTERS, isWhole: false });
  const options = { mode: "text", most: MAX_TEXT_CHARACTERS, isWhole: false } as const;
  const custom = (fields.get("custom_fields")?.entries() ?? []).map(([name, each]) => {
    if (OWN_FIELDS.includes(name)) each.problem("is set by the platform for each message: remove it.");
    return [name, each.templated(options) ?? ""] as const;
  });
  const http = readHttpChannel(fields, { global, sendResolved: true });
  if (url === undefined || apiKey === undefined || routingKey === undefined) return undefined;
  return {
    ...{ kind: "victorops", url, apiKey, routingKey, ...texts },
    ...(body !== undefined && { body }),
    ...{ customFields: Object.fromEntries(custom), ...http },
  };
}
