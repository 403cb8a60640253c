import { MAX_PUSHOVER_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { PushoverConfig } from "../config.ts";
import { readDuration } from "./duration.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, readTexts, requiredSecret } from "./http-channel.ts";
import { readSecretValue } from "./secret.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const PUSHOVER: Known = {
  of: "a message to Pushover",
  names: [
    ...["user_key", "user_key_file", "token", "token_file", "title", "message", "url", "url_title", "device", "sound"],
    ...["priority", "retry", "expire", "ttl", "html", "monospace", ...HTTP_CHANNEL_NAMES],
    // Not Alertmanager's: of a service of one's own that takes the same.
    "api_url",
  ],
};
const API_URL = "https://api.pushover.net/1/messages.json";
/** Its own bounds. */
const MIN_RETRY_MS = 30_000;
const MAX_EXPIRE_MS = 10_800_000;

export function readPushover(value: Value, global: Global): PushoverConfig<Text> | undefined {
  const fields = value.fields(PUSHOVER);
  if (fields === undefined) return undefined;
  const userKey = requiredSecret(fields, "user_key");
  const token = requiredSecret(fields, "token");
  const own = fields.get("api_url");
  const url = own ? readSecretValue(own, urlTrouble) : { value: API_URL };
  const texts = readTexts(fields, {
    ...{ title: "title", messageUrl: "url", urlTitle: "url_title", device: "device", sound: "sound" },
    priority: "priority",
  });
  const html = fields.get("html")?.flag() ?? false;
  const monospace = fields.get("monospace")?.flag() ?? false;
  if (html && monospace) value.problem("has html and monospace: keep one of them.");
  const mode = html ? "html" : "text";
  const body = fields.get("message")?.templated({ mode, most: MAX_PUSHOVER_CHARACTERS, isWhole: html });
  const [retry, expire, ttl] = ["retry", "expire", "ttl"].map((name) => fields.get(name));
  const retryMs = (retry && readDuration(retry)) ?? 60_000;
  const expireMs = (expire && readDuration(expire)) ?? 3_600_000;
  if (retryMs < MIN_RETRY_MS) retry?.problem("is below 30s, which Pushover does not take.");
  if (expireMs > MAX_EXPIRE_MS) expire?.problem("is above 3h, which Pushover does not take.");
  const ttlMs = ttl && readDuration(ttl);
  const http = readHttpChannel(fields, { global, sendResolved: true });
  return (
    url &&
    userKey &&
    token && {
      ...{ kind: "pushover", url, userKey, token, ...texts, html, monospace, retryMs, expireMs },
      ...(body !== undefined && { body }),
      ...(ttlMs && { ttlMs }),
      ...http,
    }
  );
}
