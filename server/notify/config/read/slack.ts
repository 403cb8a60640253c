import { MAX_SLACK_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { SlackConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readBody, readHttpChannel, readTexts, requiredSecret } from "./http-channel.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const SLACK: Known = {
  of: "a message to Slack",
  names: [
    ...["api_url", "api_url_file", "channel", "username", "color", "title", "title_link", "text", "fields"],
    ...["short_fields", "pretext", "footer", "fallback", ...HTTP_CHANNEL_NAMES],
  ],
  later: [
    ...["callback_id", "icon_emoji", "icon_url", "image_url", "thumb_url"],
    ...["link_names", "mrkdwn_in", "actions", "app_token", "app_token_file", "app_url", "message_text"],
    ...["update_message"],
  ],
};
const FIELD: Known = { of: "a field", names: ["title", "value", "short"] };

export function readSlack(value: Value, global: Global): SlackConfig<Text> | undefined {
  const fields = value.fields(SLACK);
  if (fields === undefined) return undefined;
  const hasOwn = fields.get("api_url") !== undefined || fields.get("api_url_file") !== undefined;
  // One that is in global and wrong was reported there.
  const isGlobal = !hasOwn && (global.has("slack_api_url") || global.has("slack_api_url_file"));
  const url = isGlobal ? global.slackUrl : requiredSecret(fields, "api_url", urlTrouble);
  const texts = readTexts(fields, {
    ...{ username: "username", color: "color", title: "title", titleLink: "title_link" },
    ...{ pretext: "pretext", footer: "footer", fallback: "fallback" },
  });
  // By it messages find their channel again.
  const channel = fields.get("channel")?.untemplated();
  const place = channel === undefined ? {} : { channel };
  const body = readBody(fields, "text", { mode: "slack", most: MAX_SLACK_CHARACTERS, isWhole: false });
  const areShort = fields.get("short_fields")?.flag() ?? false;
  const own = (fields.get("fields")?.items() ?? []).flatMap((item) => readField(item, areShort) ?? []);
  const http = readHttpChannel(fields, { global, sendResolved: false });
  return url && { kind: "slack", url, ...place, ...texts, ...body, fields: own, ...http };
}

function readField(value: Value, isShort: boolean): SlackConfig<Text>["fields"][number] | undefined {
  const fields = value.fields(FIELD);
  const title = fields?.required("title")?.templatedLine();
  const text = fields?.required("value")?.templatedLine();
  if (title === undefined || text === undefined) return undefined;
  return { title, value: text, short: fields?.get("short")?.flag() ?? isShort };
}
