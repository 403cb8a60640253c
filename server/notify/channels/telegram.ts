/** Telegram: `sendMessage` of the Bot API. */
import type { Channel } from "../channel.ts";
import type { ParseMode, TelegramConfig } from "../config/config.ts";
import { actButtons } from "./act-links.ts";
import { type ChatStyle, type ChatView, chatText, fitting, PLAIN } from "./chat.ts";
import { answerJson, httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_TELEGRAM_CHARACTERS } from "./limits.ts";
import type { ChannelOptions } from "./options.ts";
import type { Answer } from "./post.ts";
import { secondsToWaitMs } from "./retry-after.ts";

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
const STYLES: Readonly<Record<ParseMode, ChatStyle>> = {
  HTML: {
    plain: escaped,
    bold: (marked) => `<b>${marked}</b>`,
    link: (url, text) => `<a href="${escaped(url)}">${text}</a>`,
  },
  MarkdownV2: {
    plain: (text) => text.replace(/[_*[\]()~`>#+\-=|{}.!\\]/g, "\\$&"),
    bold: (marked) => `*${marked}*`,
    link: (url, text) => `[${text}](${url.replace(/[)\\]/g, "\\$&")})`,
  },
  "": PLAIN,
};

export function telegram(config: TelegramConfig, options: ChannelOptions): Channel {
  const outgoing = async ({ url, message, secrets }: Posted) => {
    const token = await secrets.read(config.botToken, "the bot token of Telegram");
    const address = `${url.replace(/\/+$/, "")}/bot${token}/sendMessage`;
    const view = fitting(message, (each) => each, fits);
    return [{ address, body: json(payload(view, config)) }];
  };
  return httpChannel({ kind: "telegram", what: "Telegram", outgoing, judge }, config, options);
}

function payload(view: ChatView, { chatId, messageThreadId, parseMode, disableNotifications }: TelegramConfig) {
  const buttons = buttonsOf(view);
  return {
    chat_id: chatId,
    ...(messageThreadId !== undefined && { message_thread_id: messageThreadId }),
    text: textOf(view, STYLES[parseMode]),
    ...(parseMode !== "" && { parse_mode: parseMode }),
    disable_notification: disableNotifications,
    link_preview_options: { is_disabled: true },
    ...(buttons.length > 0 && { reply_markup: { inline_keyboard: [buttons.map(({ text, url }) => ({ text, url }))] } }),
  };
}

function textOf(view: ChatView, style: ChatStyle): string {
  const buttons = buttonsOf(view).length > 0;
  return `${style.bold(style.plain(view.subject))}\n${chatText(view, style, { buttons })}`;
}

/** Telegram refuses a message whole where a button leads to a host without a dot, such as `localhost`: there the link stands in the text. */
function buttonsOf(view: ChatView) {
  return actButtons(view).filter(({ url }) => /[.:]/.test(new URL(url).hostname));
}

/** Marks and escapes do not count, and the text without them has the links in full: it is never shorter than what counts. */
function fits(view: ChatView): boolean {
  return textOf(view, PLAIN).length <= MAX_TELEGRAM_CHARACTERS;
}

/** The time to wait is only in the body. */
function judge(answer: Answer) {
  if (answer.status !== 429) return undefined;
  const { retry_after: seconds } = (answerJson(answer)?.parameters ?? {}) as { retry_after?: unknown };
  return typeof seconds === "number" ? ({ kind: "retry", afterMs: secondsToWaitMs(seconds) } as const) : undefined;
}
