import type { Text } from "../../templates/template.ts";
import type { ChannelConfig, ReceiverConfig } from "../config.ts";
import { MAX_CHANNELS, MAX_MESSAGES_PER_MINUTE, MAX_RECEIVERS } from "../limits.ts";
import { readAlertmanager } from "./alertmanager.ts";
import { readDiscord } from "./discord.ts";
import { readEmail } from "./email.ts";
import { checkFallbacks, FALLBACK_NAMES, readFallback } from "./fallbacks.ts";
import type { Global } from "./global.ts";
import { readIncidentIo } from "./incidentio.ts";
import { readJira } from "./jira.ts";
import { readMattermost } from "./mattermost.ts";
import { readTeams } from "./msteams.ts";
import { readNtfy } from "./ntfy.ts";
import { readOpsgenie } from "./opsgenie.ts";
import { readPagerDuty } from "./pagerduty.ts";
import { readPushover } from "./pushover.ts";
import { readDefinition } from "./reference.ts";
import { readRocketChat } from "./rocketchat.ts";
import { readSlack } from "./slack.ts";
import { readTelegram } from "./telegram.ts";
import type { Fields, Known, Value } from "./value.ts";
import { readVictorOps } from "./victorops.ts";
import { readWebPush } from "./web-push.ts";
import { readWebex } from "./webex.ts";
import { readWebhook } from "./webhook.ts";

/** How the entries of a name are read. New kinds stand behind the others: a message that waits knows its channel's place. */
const CHANNELS: readonly (readonly [
  name: string,
  read: (value: Value, global: Global) => ChannelConfig<Text> | undefined,
])[] = [
  ["webhook_configs", readWebhook],
  ["email_configs", readEmail],
  ["slack_configs", readSlack],
  ["msteams_configs", readTeams],
  ["msteamsv2_configs", readTeams],
  ["discord_configs", readDiscord],
  ["pagerduty_configs", readPagerDuty],
  ["telegram_configs", readTelegram],
  // Not Alertmanager's.
  ["ntfy_configs", readNtfy],
  ["alertmanager_configs", readAlertmanager],
  ["web_push_configs", readWebPush],
  ["opsgenie_configs", readOpsgenie],
  ["pushover_configs", readPushover],
  ["victorops_configs", readVictorOps],
  ["webex_configs", readWebex],
  ["mattermost_configs", readMattermost],
  ["rocketchat_configs", readRocketChat],
  ["incidentio_configs", readIncidentIo],
  ["jira_configs", readJira],
];
const CHANNEL_NAMES = CHANNELS.map(([name]) => name);

const RECEIVER: Known = {
  of: "a receiver",
  names: ["name", ...CHANNEL_NAMES, ...FALLBACK_NAMES, "max_messages_per_minute", "labels"],
  later: ["sns_configs", "wechat_configs"],
  instead: `receivers have ${CHANNEL_NAMES.join(", ")}; remove it.`,
};

export function readReceivers(value: Value | undefined, global: Global): ReceiverConfig[] {
  const names = new Set<string>();
  const places = new Map<string, Value>();
  const receivers = (value?.items(MAX_RECEIVERS) ?? []).flatMap((item) => {
    const fields = item.fields(RECEIVER);
    if (fields === undefined) return [];
    const name = readDefinition(fields.required("name"), "a receiver", names);
    const place = fields.get("fallback");
    if (place !== undefined) places.set(name, place);
    const labels = fields
      .get("labels")
      ?.entries()
      .map(([label, each]) => [label, each.text() ?? ""] as const);
    const about = labels && { labels: Object.fromEntries(labels) };
    const channels = readChannels(fields, global);
    return [{ name, channels, ...readFallback(fields), ...readRate(fields), ...about }];
  });
  checkFallbacks(receivers, places);
  return receivers;
}

function readRate(fields: Fields): Pick<ReceiverConfig, "maxMessagesPerMinute"> {
  const value = fields.get("max_messages_per_minute");
  const maxMessagesPerMinute = value?.count(MAX_MESSAGES_PER_MINUTE);
  if (maxMessagesPerMinute === 0) value?.problem("is zero: nobody would be notified; write a number above it.");
  return maxMessagesPerMinute === undefined ? {} : { maxMessagesPerMinute };
}

function readChannels(fields: Fields, global: Global): ChannelConfig<Text>[] {
  return CHANNELS.flatMap(([name, read]) =>
    (fields.get(name)?.items(MAX_CHANNELS) ?? []).flatMap((each) => read(each, global) ?? []),
  );
}
