/** A channel as a person reads it, without its secrets. */

import { sourceOf, type Text } from "../templates/template.ts";
import type { ChannelConfig, Secret } from "./config.ts";

/** Its program and where it sends to. */
export function channelText(channel: ChannelConfig<Text>): string {
  switch (channel.kind) {
    case "webhook":
      return `webhook to ${urlText(channel.url)}`;
    case "email":
      return `e-mail to ${sourceOf(channel.to)} by ${channel.smarthost.host}:${channel.smarthost.port}`;
    case "slack":
      return `Slack${channel.channel === undefined ? "" : ` channel ${sourceOf(channel.channel)}`} by ${urlText(channel.url)}`;
    case "msteams":
      return `Teams by ${urlText(channel.url)}`;
    case "discord":
      return `Discord by ${urlText(channel.url)}`;
    case "pagerduty":
      return `PagerDuty by ${urlText(channel.url)}`;
    case "telegram":
      return `Telegram chat ${channel.chatId} by ${urlText(channel.url)}`;
    case "opsgenie":
      return `Opsgenie by ${urlText(channel.url)}`;
    case "pushover":
      return `Pushover by ${urlText(channel.url)}`;
    case "victorops":
      return `VictorOps ${sourceOf(channel.routingKey)} by ${urlText(channel.url)}`;
    case "webex":
      return `Webex by ${urlText(channel.url)}`;
    case "mattermost":
      return `Mattermost${channel.channel === undefined ? "" : ` channel ${sourceOf(channel.channel)}`} by ${urlText(channel.url)}`;
    case "rocketchat":
      return `Rocket.Chat${channel.channel === undefined ? "" : ` channel ${sourceOf(channel.channel)}`} by ${urlText(channel.url)}`;
    case "incidentio":
      return `incident.io by ${urlText(channel.url)}`;
    case "jira":
      return `Jira project ${sourceOf(channel.project)} by ${urlText(channel.url)}`;
    case "ntfy":
      return `ntfy by ${urlText(channel.url)}`;
    case "alertmanager":
      return `Alertmanager at ${urlText(channel.url)}`;
    case "web_push":
      return `browsers of ${channel.callers.length === 0 ? "all callers" : channel.callers.join(", ")}`;
  }
}

/** Of an address the host only: the rest is often a secret. */
function urlText(url: Secret): string {
  if ("file" in url) return `the address in ${url.file}`;
  return "env" in url ? `the address in $${url.env}` : new URL(url.value).host;
}
