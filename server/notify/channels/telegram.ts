/** Telegram: `sendMessage` and `sendPhoto` of the Bot API. */
import type { Channel } from "../channel.ts";
import type { ParseMode, TelegramConfig } from "../config/config.ts";
import type { Picture } from "../pictures/picture.ts";
import { actButtons } from "./act-links.ts";
import { type ChatStyle, type ChatView, chatText, fitting, PLAIN } from "./chat.ts";
import { answerJson, httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_TELEGRAM_CAPTION_CHARACTERS, MAX_TELEGRAM_CHARACTERS } from "./limits.ts";
import { plainForTelegram } from "./marks.ts";
import type { ChannelOptions } from "./options.ts";
import { formWith, pictureFor } from "./picture.ts";
import type { Answer } from "./post.ts";
import { secondsToWaitMs } from "./retry-after.ts";
import { below } from "./texts.ts";

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
const STYLES: Readonly<Record<ParseMode, ChatStyle>> = {
  HTML: {
    plain: escaped,
    bold: (marked) => `<b>${marked}</b>`,
    link: (url, text) => `<a href="${escaped(url)}">${text}</a>`,
  },
  MarkdownV2: {
    plain: plainForTelegram,
    bold: (marked) => `*${marked}*`,
    link: (url, text) => `[${text}](${url.replace(/[)\\]/g, "\\$&")})`,
  },
  "": PLAIN,
};

export function telegram(config: TelegramConfig, options: ChannelOptions): Channel {
  const outgoing = async ({ url, message, secrets }: Posted) => {
    const token = await secrets.read(config.botToken, "the bot token of Telegram");
    const to = (method: string) => below(url, `bot${token}/${method}`);
    const view = fitting(message, (each) => each, fits);
    const text = own(config) ?? textOf(view, STYLES[config.parseMode]);
    const words = { link_preview_options: { is_disabled: true }, text };
    const plain = { address: to("sendMessage"), body: json({ ...place(view, config), ...words }) };
    const picture = await pictureFor(message, config, options);
    if (picture === undefined || !isCaption(own(config) ?? textOf(view, PLAIN), picture)) return [plain];
    const style = STYLES[config.parseMode];
    const caption = captionOf(own(config) ?? textOf(view, style), picture, style);
    const fields = Object.entries({ ...place(view, config), caption }).map(
      ([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)] as const,
    );
    const form = formWith(Object.fromEntries(fields), { name: "photo", png: picture.png });
    return [{ address: to("sendPhoto"), ...form, plain }];
  };
  return httpChannel({ kind: "telegram", what: "Telegram", outgoing, judge }, config, options);
}

/** Where the message goes, and how it looks there. */
function place(view: ChatView, { chatId, messageThreadId, parseMode, disableNotifications }: TelegramConfig) {
  const buttons = buttonsOf(view);
  return {
    chat_id: chatId,
    ...(messageThreadId !== undefined && { message_thread_id: messageThreadId }),
    ...(parseMode !== "" && { parse_mode: parseMode }),
    disable_notification: disableNotifications,
    ...(buttons.length > 0 && { reply_markup: { inline_keyboard: [buttons.map(({ text, url }) => ({ text, url }))] } }),
  };
}

function textOf(view: ChatView, style: ChatStyle): string {
  const buttons = buttonsOf(view).length > 0;
  return `${style.bold(style.plain(view.subject))}\n${chatText(view, style, { buttons })}`;
}

/** The configuration's text; Telegram takes none that is empty. */
function own({ body }: TelegramConfig): string | undefined {
  return body?.trim() === "" ? undefined : body;
}

function captionOf(text: string, { summary }: Picture, style: ChatStyle): string {
  return `${text}\n\n${style.plain(summary)}`;
}

/** Words that come with a picture are few: where there are more, they come without one. */
function isCaption(text: string, picture: Picture): boolean {
  return captionOf(text, picture, PLAIN).length <= MAX_TELEGRAM_CAPTION_CHARACTERS;
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
