import { MAX_SLACK_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { SlackConfig } from "../config.ts";
import { readAttachmentFields } from "./attachment-fields.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readBody, readHttpChannel, readTexts, requiredSecret } from "./http-channel.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const SLACK: Known = {
  of: "a message to Slack",
  names: [
    ...["api_url", "api_url_file", "channel", "username", "color", "title", "title_link", "text", "fields"],
    ...["short_fields", "pretext", "footer", "fallback", "callback_id", "icon_emoji", "icon_url", "image_url"],
    ...["thumb_url", "link_names", "mrkdwn_in", "actions", "message_text", ...HTTP_CHANNEL_NAMES],
  ],
  later: ["app_token", "app_token_file", "app_url", "update_message", "post_updates_to_thread"],
  instead: "write api_url, with the token as credentials in authorization of http_config, or remove it.",
};
const ACTION: Known = {
  of: "an action",
  names: ["type", "text", "url", "style"],
  later: ["name", "value", "confirm"],
  instead: "an action is a link here; remove it.",
};

export function readSlack(value: Value, global: Global): SlackConfig<Text> | undefined {
  const fields = value.fields(SLACK);
  if (fields === undefined) return undefined;
  const hasOwn = fields.get("api_url") !== undefined || fields.get("api_url_file") !== undefined;
  // One that is in global and wrong was reported there.
  const isGlobal = !hasOwn && (global.has("slack_api_url") || global.has("slack_api_url_file"));
  const url = isGlobal ? global.slackUrl : requiredSecret(fields, "api_url", urlTrouble);
  const texts = readTexts(fields, {
    ...{ username: "username", color: "color", title: "title", titleLink: "title_link", fallback: "fallback" },
    ...{ iconEmoji: "icon_emoji", iconUrl: "icon_url", callbackId: "callback_id" },
    ...{ imageUrl: "image_url", thumbUrl: "thumb_url" },
  });
  // What Slack reads as marks: values in it mention nobody.
  const marked = readTexts(fields, { pretext: "pretext", footer: "footer", messageText: "message_text" }, "slack");
  const channel = fields.get("channel")?.templatedPlace();
  const place = channel === undefined ? {} : { channel };
  const body = readBody(fields, "text", { mode: "slack", most: MAX_SLACK_CHARACTERS, isWhole: false });
  const areShort = fields.get("short_fields")?.flag() ?? false;
  const own = readAttachmentFields(fields.get("fields"), { mode: "slack", areShort });
  const http = readHttpChannel(fields, { global, sendResolved: false });
  const linkNames = fields.get("link_names")?.flag();
  const marks = fields.get("mrkdwn_in")?.names("the part");
  const markedParts = marks && { markedParts: [...marks.keys()] };
  const actions = (fields.get("actions")?.items() ?? []).flatMap((item) => readAction(item) ?? []);
  const parts = {
    ...{ fields: own, ...markedParts },
    ...(actions.length > 0 && { actions }),
    ...(linkNames === true && { linkNames }),
  };
  return url && { kind: "slack", url, ...place, ...texts, ...marked, ...body, ...parts, ...http };
}

/** A link as a button: others would call an app of ours, which there is none. */
function readAction(value: Value): NonNullable<SlackConfig<Text>["actions"]>[number] | undefined {
  const fields = value.fields(ACTION);
  const type = fields?.required("type");
  if (fields === undefined || type === undefined) return undefined;
  if (type.line() !== "button") type.problem("is no button: buttons with a url are the actions that are taken.");
  const text = fields.required("text")?.templatedLine();
  const url = fields.required("url")?.templatedLine();
  const style = fields.get("style")?.templatedLine();
  if (text === undefined || url === undefined) return undefined;
  return { text, url, ...(style !== undefined && { style }) };
}
