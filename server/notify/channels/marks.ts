/** Texts of others, in which nothing is to be a mark where a program reads marks. */
import type { ChatStyle } from "./chat.ts";

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
/** A blank without width: what it parts is shown as it is, and is no mark any more. */
const NO_BLANK = "\u200B";
/** Addresses in a text, up to where one might end another link. */
const ADDRESSES = /(https?:\/\/[^\s[\]()<>]+)/;
/** An address as a whole, which Discord would not follow with a backslash in it. */
const ADDRESS = /^https?:\/\/\S+$/;

/** Slack has no escapes of its marks but for these: by them nobody is mentioned, and nothing becomes a link. */
export function plainForSlack(text: string): string {
  return text.replace(/[&<>]/g, (character) => ENTITIES[character]!);
}

/** MarkdownV2: what needs no escape where it stands may have one. */
export function plainForTelegram(text: string): string {
  return text.replace(/[_*[\]()~`>#+\-=|{}.!\\]/g, "\\$&");
}

export function plainForDiscord(text: string): string {
  return ADDRESS.test(text) ? addressWithoutMarks(text) : text.replace(/[\\*_~`|<>[\]#]/g, "\\$&");
}

/**
 * Marks stay, but nobody is mentioned and nothing is a link by another text: for Rocket.Chat, whose programs know different escapes, and where
 * a program shows marks as they are. Addresses lead where they led.
 */
export function withoutMentions(text: string): string {
  const parts = text.split(ADDRESSES);
  const words = (part: string) => part.replace(/[@#<]|\](?=\()/g, `$&${NO_BLANK}`);
  return parts.map((part, i) => (i % 2 === 0 ? words(part) : part.replaceAll("@", "%40"))).join("");
}

/** For programs that read CommonMark, where a mention begins with `@` or `<@`. */
export function plainForMarkdown(text: string): string {
  if (ADDRESS.test(text)) return addressWithoutMarks(text);
  return text.replace(/[\\*_~`|[\]#>]/g, "\\$&").replace(/[@<]/g, `$&${NO_BLANK}`);
}

export const MARKDOWN: ChatStyle = {
  plain: plainForMarkdown,
  bold: (marked) => `**${marked}**`,
  link: (url, text) => `[${text}](${addressWithoutMarks(url)})`,
};

function addressWithoutMarks(address: string): string {
  return address.replace(/[()<>[\]\\*`|]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** For `markedRuns`, which reads the marks of a card. */
export function plainForCard(text: string): string {
  return text.replace(/[\\`*_~[\]()#+-]/g, "\\$&");
}
