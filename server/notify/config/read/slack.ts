import type { SlackConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, readTexts, requiredSecret } from "./http-channel.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const SLACK: Known = {
  of: "a message to Slack",
  names: [
    ...["api_url", "api_url_file", "channel", "username", "color", "title", "title_link", "text", "fields"],
    ...["short_fields", ...HTTP_CHANNEL_NAMES],
  ],
  later: [
    ...["pretext", "footer", "fallback", "callback_id", "icon_emoji", "icon_url", "image_url", "thumb_url"],
    ...["link_names", "mrkdwn_in", "actions", "app_token", "app_token_file", "app_url", "message_text"],
    ...["update_message"],
  ],
};
const FIELD: Known = { of: "a field", names: ["title", "value", "short"] };

export function readSlack(value: Value, global: Global): SlackConfig | undefined {
  const fields = value.fields(SLACK);
  if (fields === undefined) return undefined;
  const hasOwn = fields.get("api_url") !== undefined || fields.get("api_url_file") !== undefined;
  // One that is in global and wrong was reported there.
  const isGlobal = !hasOwn && (global.has("slack_api_url") || global.has("slack_api_url_file"));
  const url = isGlobal ? global.slackUrl : requiredSecret(fields, "api_url", urlTrouble);
  const texts = readTexts(fields, {
    ...{ channel: "channel", username: "username", color: "color" },
    ...{ title: "title", titleLink: "title_link", text: "text" },
  });
  const areShort = fields.get("short_fields")?.flag() ?? false;
  const own = (fields.get("fields")?.items() ?? []).flatMap((item) => readField(item, areShort) ?? []);
  const http = readHttpChannel(fields, { global, sendResolved: false });
  return url && { kind: "slack", url, ...texts, fields: own, ...http };
}

function readField(value: Value, isShort: boolean): SlackConfig["fields"][number] | undefined {
  const fields = value.fields(FIELD);
  const title = fields?.required("title")?.untemplated();
  const text = fields?.required("value")?.untemplated();
  if (title === undefined || text === undefined) return undefined;
  return { title, value: text, short: fields?.get("short")?.flag() ?? isShort };
}
