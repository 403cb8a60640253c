import { MAX_MATTERMOST_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { MattermostAttachment, MattermostConfig } from "../config.ts";
import { readAttachmentFields } from "./attachment-fields.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readBody, readHttpChannel, readTexts, requiredSecret } from "./http-channel.ts";
import { urlTrouble } from "./troubles.ts";
import type { Fields, Known, Value } from "./value.ts";

const ATTACHMENT_NAMES = [
  ...["fallback", "color", "pretext", "author_name", "author_link", "author_icon", "title", "title_link", "fields"],
  ...["thumb_url", "footer", "footer_icon", "image_url", "text"],
];
const MATTERMOST: Known = {
  of: "a message to Mattermost",
  names: [
    ...["webhook_url", "webhook_url_file", "channel", "username", "icon_url", "icon_emoji", "attachments", "type"],
    ...["props", "priority", ...ATTACHMENT_NAMES, ...HTTP_CHANNEL_NAMES],
  ],
};
const ATTACHMENT: Known = { of: "an attachment", names: ATTACHMENT_NAMES };
const PROPS: Known = { of: "the props", names: ["card"] };
const PRIORITY: Known = {
  of: "the priority",
  names: ["priority", "requested_ack", "persistent_notifications"],
};
const MARKED = { mode: "markdown", most: MAX_MATTERMOST_CHARACTERS, isWhole: false } as const;

export function readMattermost(value: Value, global: Global): MattermostConfig<Text> | undefined {
  const fields = value.fields(MATTERMOST);
  if (fields === undefined) return undefined;
  const hasOwn = fields.get("webhook_url") !== undefined || fields.get("webhook_url_file") !== undefined;
  // One that is in global and wrong was reported there.
  const isGlobal = !hasOwn && (global.has("mattermost_webhook_url") || global.has("mattermost_webhook_url_file"));
  const url = isGlobal ? global.mattermostUrl : requiredSecret(fields, "webhook_url", urlTrouble);
  const channel = fields.get("channel")?.templatedPlace();
  const texts = readTexts(fields, {
    ...{ username: "username", iconUrl: "icon_url", iconEmoji: "icon_emoji", type: "type" },
  });
  const card = fields.get("props")?.fields(PROPS)?.get("card")?.templated(MARKED);
  const priority = readPriority(fields.get("priority"));
  const attachments = (fields.get("attachments")?.items() ?? []).flatMap((item) => {
    const own = item.fields(ATTACHMENT);
    const text = own?.get("text")?.templated(MARKED);
    return own === undefined ? [] : [{ ...readAttachment(own), ...(text !== undefined && { text }) }];
  });
  const http = readHttpChannel(fields, { global, sendResolved: true });
  return (
    url && {
      ...{ kind: "mattermost", url, ...texts, attachment: readAttachment(fields), attachments },
      ...readBody(fields, "text", MARKED),
      ...(channel !== undefined && { channel }),
      ...(card !== undefined && { card }),
      ...(priority && { priority }),
      ...http,
    }
  );
}

function readAttachment(fields: Fields): MattermostAttachment<Text> {
  return {
    ...readTexts(fields, {
      ...{ fallback: "fallback", color: "color", title: "title", titleLink: "title_link", authorLink: "author_link" },
      ...{ authorIcon: "author_icon", thumbUrl: "thumb_url", imageUrl: "image_url", footerIcon: "footer_icon" },
      ...{ authorName: "author_name", footer: "footer" },
    }),
    ...readTexts(fields, { pretext: "pretext" }, "markdown"),
    fields: readAttachmentFields(fields.get("fields"), { mode: "markdown", areShort: false }),
  };
}

function readPriority(value: Value | undefined): MattermostConfig<Text>["priority"] {
  const fields = value?.fields(PRIORITY);
  if (fields === undefined) return undefined;
  return {
    ...readTexts(fields, { priority: "priority" }),
    requestedAck: fields.get("requested_ack")?.flag() ?? false,
    persistentNotifications: fields.get("persistent_notifications")?.flag() ?? false,
  };
}
