import type { DiscordConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, readPicture, readTexts, requiredSecret } from "./http-channel.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const DISCORD: Known = {
  of: "a message to Discord",
  names: ["webhook_url", "webhook_url_file", "title", "content", "username", "picture", ...HTTP_CHANNEL_NAMES],
  later: ["message", "avatar_url"],
};

export function readDiscord(value: Value, global: Global): DiscordConfig | undefined {
  const fields = value.fields(DISCORD);
  if (fields === undefined) return undefined;
  const url = requiredSecret(fields, "webhook_url", urlTrouble);
  const texts = readTexts(fields, { title: "title", content: "content", username: "username" });
  const http = readHttpChannel(fields, { global, sendResolved: true });
  return url && { kind: "discord", url, ...texts, ...http, ...readPicture(fields, true) };
}
