import { MAX_DISCORD_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { DiscordConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, readPicture, readTexts, requiredSecret } from "./http-channel.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const DISCORD: Known = {
  of: "a message to Discord",
  names: [
    "webhook_url",
    "webhook_url_file",
    "title",
    "content",
    "message",
    "username",
    "avatar_url",
    "picture",
    ...HTTP_CHANNEL_NAMES,
  ],
};

export function readDiscord(value: Value, global: Global): DiscordConfig<Text> | undefined {
  const fields = value.fields(DISCORD);
  if (fields === undefined) return undefined;
  const url = requiredSecret(fields, "webhook_url", urlTrouble);
  const texts = readTexts(fields, { title: "title", username: "username" });
  const marked = readTexts(fields, { content: "content" }, "discord");
  const body = fields.get("message")?.templated({ mode: "discord", most: MAX_DISCORD_CHARACTERS, isWhole: false });
  const avatarUrl = fields.get("avatar_url")?.line();
  const http = readHttpChannel(fields, { global, sendResolved: true });
  return (
    url && {
      kind: "discord",
      url,
      ...texts,
      ...marked,
      ...(body !== undefined && { body }),
      ...(avatarUrl !== undefined && { avatarUrl }),
      ...http,
      ...readPicture(fields, true),
    }
  );
}
