import { MAX_ROCKETCHAT_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { RocketChatConfig } from "../config.ts";
import { readAttachmentFields } from "./attachment-fields.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readBody, readHttpChannel, readTexts, requiredSecret } from "./http-channel.ts";
import { readSecretValue } from "./secret.ts";
import { baseUrlTrouble } from "./troubles.ts";
import type { Fields, Known, Value } from "./value.ts";

const ROCKETCHAT: Known = {
  of: "a message to Rocket.Chat",
  names: [
    ...["api_url", "token", "token_file", "token_id", "token_id_file", "channel", "color", "title", "title_link"],
    ...["text", "fields", "short_fields", "emoji", "icon_url", "image_url", "thumb_url", "link_names", "actions"],
    ...HTTP_CHANNEL_NAMES,
  ],
};
const ACTION: Known = {
  of: "an action",
  names: ["type", "text", "url", "msg"],
  later: ["image_url", "is_webview", "webview_height_ratio", "msg_in_chat_window", "msg_processing_type"],
};
const API_URL = "https://open.rocket.chat/";

export function readRocketChat(value: Value, global: Global): RocketChatConfig<Text> | undefined {
  const fields = value.fields(ROCKETCHAT);
  if (fields === undefined) return undefined;
  const own = fields.get("api_url");
  const url = own ? readSecretValue(own, baseUrlTrouble) : (global.rocketChatUrl ?? { value: API_URL });
  const secret = (name: "token" | "token_id") => {
    const hasOwn = fields.get(name) !== undefined || fields.get(`${name}_file`) !== undefined;
    const isGlobal = !hasOwn && (global.has(`rocketchat_${name}`) || global.has(`rocketchat_${name}_file`));
    if (!isGlobal) return requiredSecret(fields, name);
    return name === "token" ? global.rocketChatToken : global.rocketChatTokenId;
  };
  const [token, tokenId] = [secret("token"), secret("token_id")];
  const channel = fields.get("channel")?.templatedPlace();
  const texts = readTexts(fields, {
    ...{ color: "color", title: "title", titleLink: "title_link", emoji: "emoji", iconUrl: "icon_url" },
    ...{ imageUrl: "image_url", thumbUrl: "thumb_url" },
  });
  // Of no effect in Alertmanager either.
  fields.get("link_names")?.flag();
  const areShort = fields.get("short_fields")?.flag() ?? false;
  const parts = {
    fields: readAttachmentFields(fields.get("fields"), { mode: "rocketchat", areShort }),
    actions: (fields.get("actions")?.items() ?? []).flatMap((item) => readAction(item.fields(ACTION)) ?? []),
  };
  const body = readBody(fields, "text", { mode: "rocketchat", most: MAX_ROCKETCHAT_CHARACTERS, isWhole: false });
  const http = readHttpChannel(fields, { global, sendResolved: false });
  if (url === undefined || token === undefined || tokenId === undefined) return undefined;
  return {
    ...{ kind: "rocketchat", url, token, tokenId, ...texts, ...body, ...parts },
    ...(channel !== undefined && { channel }),
    ...http,
  };
}

function readAction(fields: Fields | undefined): RocketChatConfig<Text>["actions"][number] | undefined {
  const type = fields?.get("type");
  if (type !== undefined && type.line() !== "button") type.problem("is no button: no other action is taken.");
  return fields && readTexts(fields, { text: "text", url: "url", msg: "msg" });
}
