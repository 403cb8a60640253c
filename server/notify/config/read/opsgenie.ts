import { quoted } from "../../../lib/quoted.ts";
import { MAX_OPSGENIE_CHARACTERS, MAX_TEXT_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { OpsgenieConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, readTexts, requiredSecret } from "./http-channel.ts";
import { readSecretValue } from "./secret.ts";
import { baseUrlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const OPSGENIE: Known = {
  of: "an alert of Opsgenie",
  names: [
    ...["api_key", "api_key_file", "api_url", "message", "description", "source", "details", "responders", "tags"],
    ...["note", "priority", "entity", "actions", "update_alerts", ...HTTP_CHANNEL_NAMES],
  ],
};
const RESPONDER: Known = { of: "a responder", names: ["id", "name", "username", "type"] };
const TYPES: readonly string[] = ["team", "teams", "user", "escalation", "schedule"];
const API_URL = "https://api.opsgenie.com/";

export function readOpsgenie(value: Value, global: Global): OpsgenieConfig<Text> | undefined {
  const fields = value.fields(OPSGENIE);
  if (fields === undefined) return undefined;
  const hasOwn = fields.get("api_key") !== undefined || fields.get("api_key_file") !== undefined;
  const isGlobal = !hasOwn && (global.has("opsgenie_api_key") || global.has("opsgenie_api_key_file"));
  const apiKey = isGlobal ? global.opsgenieKey : requiredSecret(fields, "api_key");
  const own = fields.get("api_url");
  const url = own ? readSecretValue(own, baseUrlTrouble) : (global.opsgenieUrl ?? { value: API_URL });
  const texts = readTexts(fields, {
    ...{ title: "message", source: "source", tags: "tags", note: "note", priority: "priority" },
    ...{ entity: "entity", actions: "actions" },
  });
  const body = fields.get("description")?.templated({ mode: "text", most: MAX_OPSGENIE_CHARACTERS, isWhole: false });
  const options = { mode: "text", most: MAX_TEXT_CHARACTERS, isWhole: false } as const;
  const details = (fields.get("details")?.entries() ?? []).map(
    ([name, each]) => [name, each.templated(options) ?? ""] as const,
  );
  const responders = (fields.get("responders")?.items() ?? []).flatMap((item) => readResponder(item) ?? []);
  // The second message of an alert is an update of it there, whatever is written here.
  fields.get("update_alerts")?.flag();
  const http = readHttpChannel(fields, { global, sendResolved: true });
  return (
    url &&
    apiKey && {
      ...{ kind: "opsgenie", url, apiKey, ...texts },
      ...(body !== undefined && { body }),
      ...{ details: Object.fromEntries(details), responders, ...http },
    }
  );
}

function readResponder(value: Value): OpsgenieConfig<Text>["responders"][number] | undefined {
  const fields = value.fields(RESPONDER);
  if (fields === undefined) return undefined;
  const found = readTexts(fields, { id: "id", name: "name", username: "username", type: "type" });
  if (found.type === undefined) return value.problem(`has no type: write one of ${TYPES.join(", ")}.`);
  if (typeof found.type === "string" && !TYPES.includes(found.type.toLowerCase()))
    fields.get("type")?.problem(`${quoted(found.type)} is no type: write one of ${TYPES.join(", ")}.`);
  if ((found.id ?? found.name ?? found.username) === undefined)
    return value.problem("has no id, name or username: write one.");
  return found;
}
