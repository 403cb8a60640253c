/** A notification file's routes as a tree, and its receivers, as a person reads them. */
import { counted } from "../../formats/counted.ts";
import { durationText } from "../../formats/duration.ts";
import type { ChannelConfig, ReceiverConfig, Route, Secret } from "../../server/notify/index.ts";
import { inert } from "../text.ts";
import { groupByText, matchersText } from "./words.ts";

/** A line for each route. What it has of the route above is not repeated. */
export function treeLines(root: Route): string[] {
  return [describe(root, undefined), ...below(root)];
}

function below(route: Route): string[] {
  return route.routes.flatMap((child, i) => {
    const isLast = i === route.routes.length - 1;
    const [first = "", ...rest] = [describe(child, route), ...below(child)];
    return [`${isLast ? "└─" : "├─"} ${first}`, ...rest.map((line) => `${isLast ? "  " : "│ "} ${line}`)];
  });
}

function describe(route: Route, parent: Route | undefined): string {
  const {
    groupWaitMs,
    groupIntervalMs,
    repeatIntervalMs,
    muteTimeIntervals: mute,
    activeTimeIntervals: active,
  } = route;
  const settings = [
    groupByText(route) !== (parent && groupByText(parent)) && `grouped ${groupByText(route)}`,
    groupWaitMs !== parent?.groupWaitMs && `wait ${durationText(groupWaitMs)}`,
    groupIntervalMs !== parent?.groupIntervalMs && `interval ${durationText(groupIntervalMs)}`,
    repeatIntervalMs !== parent?.repeatIntervalMs && `repeat ${durationText(repeatIntervalMs)}`,
    mute.length > 0 && `muted in ${mute.map(inert).join(", ")}`,
    active.length > 0 && `active in ${active.map(inert).join(", ")}`,
    route.escalation !== (parent?.escalation ?? "") && `escalation ${inert(route.escalation || "none")}`,
    route.continue && "continue",
  ].filter((each) => each !== false);
  const about = settings.length === 0 ? "" : `  (${settings.join("; ")})`;
  return `${matchersText(route)} → ${inert(route.receiver)}${about}`;
}

/** A line for each receiver, with its channels; secrets are not shown. */
export function receiverLines(receivers: readonly ReceiverConfig[]): string[] {
  const width = Math.max(0, ...receivers.map(({ name }) => inert(name).length));
  return receivers.map(({ name, channels, fallback, giveUpAfterMs, maxMessagesPerMinute: most }) => {
    const told = channels.length === 0 ? "nobody: it has no channels" : channels.map(channelText).join("; ");
    const then = fallback === undefined ? "" : `; after ${durationText(giveUpAfterMs)} ${inert(fallback)} instead`;
    const limit = most === undefined ? "" : `; at most ${counted(most, "message")} a minute`;
    return `${inert(name).padEnd(width)}  ${told}${limit}${then}`;
  });
}

function channelText(channel: ChannelConfig): string {
  switch (channel.kind) {
    case "webhook":
      return `webhook to ${urlText(channel.url)}`;
    case "email":
      return `e-mail to ${inert(channel.to)} by ${inert(channel.smarthost.host)}:${channel.smarthost.port}`;
    case "slack":
      return `Slack${channel.channel === undefined ? "" : ` channel ${inert(channel.channel)}`} by ${urlText(channel.url)}`;
    case "msteams":
      return `Teams by ${urlText(channel.url)}`;
    case "discord":
      return `Discord by ${urlText(channel.url)}`;
    case "pagerduty":
      return `PagerDuty by ${urlText(channel.url)}`;
    case "telegram":
      return `Telegram chat ${channel.chatId} by ${urlText(channel.url)}`;
    case "ntfy":
      return `ntfy by ${urlText(channel.url)}`;
    case "alertmanager":
      return `Alertmanager at ${urlText(channel.url)}`;
  }
}

/** Of an address the host only: the rest is often a secret. */
function urlText(url: Secret): string {
  if ("file" in url) return `the address in ${inert(url.file)}`;
  return "env" in url ? `the address in $${url.env}` : inert(new URL(url.value).host);
}
