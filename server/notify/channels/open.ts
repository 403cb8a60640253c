import type { Channel } from "../channel.ts";
import type { ChannelConfig } from "../config/config.ts";
import type { Text } from "../templates/template.ts";
import { alertmanager } from "./alertmanager.ts";
import { discord } from "./discord.ts";
import { Email } from "./email.ts";
import { incidentIo } from "./incidentio.ts";
import { jira } from "./jira.ts";
import { mattermost } from "./mattermost.ts";
import { teams } from "./msteams.ts";
import { ntfy } from "./ntfy.ts";
import { opsgenie } from "./opsgenie.ts";
import type { ChannelOptions } from "./options.ts";
import { pagerDuty } from "./pagerduty.ts";
import { pushover } from "./pushover.ts";
import { rocketChat } from "./rocketchat.ts";
import { slack } from "./slack.ts";
import { telegram } from "./telegram.ts";
import { hasTemplates, templated } from "./templated.ts";
import { Tokens } from "./tokens.ts";
import { victorOps } from "./victorops.ts";
import { webPush } from "./web-push.ts";
import { webex } from "./webex.ts";
import { webhook } from "./webhook.ts";

/**
 * The channel of a configuration. Nothing is connected, and no secret is read, before a message is sent.
 *
 * @throws TelltaleError "invalid" where the configuration can never work
 */
export function openChannel(config: ChannelConfig<Text>, options: ChannelOptions): Channel {
  if (!hasTemplates(config)) return open(config as ChannelConfig, options);
  const { clock } = options;
  // Kept from message to message, each of which has a channel of its own.
  const own = { ...options, tokens: new Tokens(options) };
  return templated(config, { open: (filled) => open(filled, own), nowUs: () => clock.nowUs() });
}

function open(config: ChannelConfig, options: ChannelOptions): Channel {
  switch (config.kind) {
    case "webhook":
      return webhook(config, options);
    case "email":
      return new Email(config, options);
    case "slack":
      return slack(config, options);
    case "msteams":
      return teams(config, options);
    case "discord":
      return discord(config, options);
    case "pagerduty":
      return pagerDuty(config, options);
    case "telegram":
      return telegram(config, options);
    case "opsgenie":
      return opsgenie(config, options);
    case "pushover":
      return pushover(config, options);
    case "victorops":
      return victorOps(config, options);
    case "webex":
      return webex(config, options);
    case "mattermost":
      return mattermost(config, options);
    case "rocketchat":
      return rocketChat(config, options);
    case "incidentio":
      return incidentIo(config, options);
    case "jira":
      return jira(config, options);
    case "ntfy":
      return ntfy(config, options);
    case "alertmanager":
      return alertmanager(config, options);
    case "web_push":
      return webPush(config, options);
  }
}
