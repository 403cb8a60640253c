import type { NtfyConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, readPicture, requiredSecret } from "./http-channel.ts";
import { readSecret } from "./secret.ts";
import { baseUrlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

/** Not Alertmanager's. */
const NTFY: Known = {
  of: "a message to ntfy",
  names: ["url", "url_file", "topic", "topic_file", "token", "token_file", "tags", "picture", ...HTTP_CHANNEL_NAMES],
};

export function readNtfy(value: Value, global: Global): NtfyConfig | undefined {
  const fields = value.fields(NTFY);
  if (fields === undefined) return undefined;
  const url = requiredSecret(fields, "url", baseUrlTrouble);
  const topic = requiredSecret(fields, "topic", topicTrouble);
  const token = readSecret(fields, "token", tokenTrouble);
  const http = readHttpChannel(fields, { global, sendResolved: true });
  const hasOwnHttp = fields.get("http_config") !== undefined;
  if (token && hasOwnHttp && (http.authorization ?? http.basicAuth ?? http.oauth2) !== undefined)
    return value.problem("has a token, and credentials in http_config: keep one of them.");
  const tags = [...(fields.get("tags")?.names("the tag").keys() ?? [])];
  return (
    url && topic && { kind: "ntfy", url, topic, ...(token && { token }), tags, ...http, ...readPicture(fields, false) }
  );
}

function topicTrouble(text: string): string | undefined {
  return /^[\w-]{1,64}$/.test(text) ? undefined : "is no topic: write 1 to 64 letters, digits, _ and -.";
}

function tokenTrouble(text: string): string | undefined {
  return /^[\x21-\x7e]+$/.test(text) ? undefined : "has a character that no header may have.";
}
