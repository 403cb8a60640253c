import { MAX_TEAMS_TEXT_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { TeamsConfig } from "../config.ts";
import type { Global } from "./global.ts";
import {
  HTTP_CHANNEL_NAMES,
  readBody,
  readHttpChannel,
  readPicture,
  readTexts,
  requiredSecret,
} from "./http-channel.ts";
import { urlTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const TEAMS: Known = {
  of: "a message to Teams",
  names: ["webhook_url", "webhook_url_file", "title", "summary", "text", "picture", ...HTTP_CHANNEL_NAMES],
};

/** Of `msteams_configs` and of `msteamsv2_configs`: both are sent as cards to a workflow. */
export function readTeams(value: Value, global: Global): TeamsConfig<Text> | undefined {
  const fields = value.fields(TEAMS);
  if (fields === undefined) return undefined;
  const url = requiredSecret(fields, "webhook_url", urlTrouble);
  const texts = readTexts(fields, { title: "title", summary: "summary" });
  const body = readBody(fields, "text", { mode: "card", most: MAX_TEAMS_TEXT_CHARACTERS, isWhole: false });
  const http = readHttpChannel(fields, { global, sendResolved: true });
  return url && { kind: "msteams", url, ...texts, ...body, ...http, ...readPicture(fields, false) };
}
