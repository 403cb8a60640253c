import { createHash } from "node:crypto";
import { sourceOf, type Text } from "../templates/template.ts";
import type { ChannelConfig } from "./config.ts";

/**
 * Keys of a receiver's channels by where they send, in the channels' order: what was told, and what is still to be sent, keeps to its channel
 * where others are put before it or taken out. Of several to the same place the later ones are numbered. A hash, because an address may be
 * secret.
 */
export function channelKeys(channels: readonly ChannelConfig<Text>[]): string[] {
  const seen = new Map<string, number>();
  return channels.map((channel) => {
    const text = JSON.stringify([channel.kind, ...addressOf(channel)]);
    const key = createHash("sha256").update(text).digest("hex").slice(0, 32);
    const before = seen.get(key) ?? 0;
    seen.set(key, before + 1);
    return before === 0 ? key : `${key}~${before + 1}`;
  });
}

/** What stays the same where texts and credentials are changed. */
function addressOf(channel: ChannelConfig<Text>): unknown[] {
  switch (channel.kind) {
    case "email":
      return [sourceOf(channel.to)];
    case "slack":
      return [channel.url, channel.channel && sourceOf(channel.channel)];
    case "pagerduty":
      return [channel.url, channel.routingKey];
    case "telegram":
      return [channel.url, channel.chatId, channel.messageThreadId];
    case "opsgenie":
      return [channel.url, channel.apiKey];
    case "pushover":
      return [channel.url, channel.userKey, channel.token];
    case "victorops":
      return [channel.url, channel.apiKey, sourceOf(channel.routingKey)];
    case "webex":
      return [channel.url, sourceOf(channel.roomId)];
    case "mattermost":
    case "rocketchat":
      return [channel.url, channel.channel && sourceOf(channel.channel)];
    case "jira":
      return [channel.url, sourceOf(channel.project), sourceOf(channel.issueType)];
    case "ntfy":
      return [channel.url, channel.topic];
    case "web_push":
      return [channel.callers];
    default:
      return [channel.url];
  }
}
