import { MAX_WEBEX_BYTES } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { WebexConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel } from "./http-channel.ts";
import { readSecretValue } from "./secret.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const WEBEX: Known = { of: "a message to Webex", names: ["api_url", "room_id", "message", ...HTTP_CHANNEL_NAMES] };
const API_URL = "https://webexapis.com/v1/messages";

export function readWebex(value: Value, global: Global): WebexConfig<Text> | undefined {
  const fields = value.fields(WEBEX);
  if (fields === undefined) return undefined;
  const own = fields.get("api_url");
  const url = own ? readSecretValue(own, urlTrouble) : (global.webexUrl ?? { value: API_URL });
  const roomId = fields.required("room_id")?.templatedPlace();
  const body = fields.get("message")?.templated({ mode: "markdown", most: MAX_WEBEX_BYTES, isWhole: false });
  const http = readHttpChannel(fields, { global, sendResolved: true });
  if (http.authorization === undefined)
    value.problem("has no http_config.authorization: write the bot's access token there, as credentials.");
  if (url === undefined || roomId === undefined) return undefined;
  return { kind: "webex", url, roomId, ...(body !== undefined && { body }), ...http };
}
