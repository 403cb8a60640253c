import { quoted } from "../../../lib/quoted.ts";
import { MAX_TELEGRAM_CHARACTERS } from "../../channels/limits.ts";
import type { Text } from "../../templates/template.ts";
import type { Mode } from "../../templates/writers.ts";
import type { ParseMode, TelegramConfig } from "../config.ts";
import type { Global } from "./global.ts";
import { HTTP_CHANNEL_NAMES, readHttpChannel, readPicture, requiredSecret } from "./http-channel.ts";
import { readSecret } from "./secret.ts";
import { baseUrlTrouble, tokenTrouble } from "./troubles.ts";
import type { Known, Value } from "./value.ts";

const TELEGRAM: Known = {
  of: "a message to Telegram",
  names: [
    ...["api_url", "api_url_file", "bot_token", "bot_token_file", "chat_id", "message_thread_id"],
    ...["parse_mode", "disable_notifications", "message", "picture", ...HTTP_CHANNEL_NAMES],
  ],
  later: ["chat_id_file"],
};
const API_URL = "https://api.telegram.org";
const MODES: Readonly<Record<ParseMode, Mode>> = { HTML: "html", MarkdownV2: "telegram", "": "text" };
/** Marks and escapes do not count there: what is too long without them is refused, and ours sent in its place. */
const MAX_MARKED_CHARACTERS = 2 * MAX_TELEGRAM_CHARACTERS;
const PARSE_MODES: readonly string[] = ["HTML", "MarkdownV2", ""];

export function readTelegram(value: Value, global: Global): TelegramConfig<Text> | undefined {
  const fields = value.fields(TELEGRAM);
  if (fields === undefined) return undefined;
  const hasOwn = fields.get("bot_token") !== undefined || fields.get("bot_token_file") !== undefined;
  const isGlobal = !hasOwn && (global.has("telegram_bot_token") || global.has("telegram_bot_token_file"));
  const botToken = isGlobal ? global.telegramToken : requiredSecret(fields, "bot_token", tokenTrouble);
  const hasUrl = fields.get("api_url") !== undefined || fields.get("api_url_file") !== undefined;
  const url = hasUrl ? readSecret(fields, "api_url", baseUrlTrouble) : (global.telegramUrl ?? { value: API_URL });
  const chatId = readChatId(fields.required("chat_id"));
  const parseMode = readParseMode(fields.get("parse_mode"));
  const body = fields.get("message")?.templated({ mode: MODES[parseMode], most: MAX_MARKED_CHARACTERS, isWhole: true });
  const messageThreadId = fields.get("message_thread_id")?.count(Number.MAX_SAFE_INTEGER);
  const disableNotifications = fields.get("disable_notifications")?.flag() ?? false;
  const http = readHttpChannel(fields, { global, sendResolved: true });
  if (url === undefined || botToken === undefined || chatId === undefined) return undefined;
  return {
    ...{ kind: "telegram", url, botToken, chatId, parseMode, disableNotifications },
    ...(messageThreadId && { messageThreadId }),
    ...(body !== undefined && { body }),
    ...http,
    ...readPicture(fields, true),
  };
}

function readChatId(value: Value | undefined): number | undefined {
  const text = value?.line();
  if (value === undefined || text === undefined) return undefined;
  const number = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number) && number !== 0) return number;
  return value.problem(`${quoted(text)} is no id of a chat: write a whole number, below zero for a group.`);
}

function readParseMode(value: Value | undefined): ParseMode {
  const text = value?.text();
  if (value === undefined || text === undefined) return "HTML";
  if (PARSE_MODES.includes(text)) return text as ParseMode;
  value.problem(`${quoted(text)} is no mode that is taken: write HTML, MarkdownV2 or "" for plain text.`);
  return "";
}
