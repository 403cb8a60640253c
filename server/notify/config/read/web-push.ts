import { quoted } from "../../../lib/quoted.ts";
import { DEFAULT_PUSH_TTL_MS, MAX_PUSH_TTL_MS } from "../../push/limits.ts";
import type { WebPushConfig } from "../config.ts";
import { readDuration } from "./duration.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel } from "./http-channel.ts";
import type { Known, Value } from "./value.ts";

/** Not Alertmanager's. */
const WEB_PUSH: Known = {
  of: "a message to browsers",
  names: ["callers", "contact", "ttl", ...HTTP_CHANNEL_NAMES],
};

export function readWebPush(value: Value, global: Global): WebPushConfig | undefined {
  const fields = value.fields(WEB_PUSH);
  if (fields === undefined) return undefined;
  const {
    authorization,
    basicAuth,
    oauth2,
    headers: _,
    ...http
  } = readHttpChannel(fields, { global, sendResolved: true });
  const own = fields.get("http_config");
  if (own !== undefined && (authorization ?? basicAuth ?? oauth2) !== undefined)
    return own.problem("has credentials: push services know the platform by its own key. Remove them.");
  const callers = [...(fields.get("callers")?.names("the caller").keys() ?? [])];
  const contact = readContact(fields.get("contact"));
  const ttl = fields.get("ttl");
  const ttlMs = (ttl && readDuration(ttl, { mostMs: MAX_PUSH_TTL_MS })) ?? DEFAULT_PUSH_TTL_MS;
  return { kind: "web_push", callers, ttlMs, ...(contact && { contact }), ...http };
}

function readContact(value: Value | undefined): string | undefined {
  const text = value?.line();
  if (value === undefined || text === undefined) return undefined;
  const isAddress = /^mailto:[^\s@]+@[^\s@]+$/.test(text) || (text.startsWith("https://") && URL.canParse(text));
  return isAddress
    ? text
    : value.problem(`${quoted(text)} is no contact: write mailto:ops@example.com, or an https address.`);
}
