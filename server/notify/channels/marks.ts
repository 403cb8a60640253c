/** Texts of others, in which nothing is to be a mark where a program reads marks. */

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
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
  return ADDRESS.test(text)
    ? text.replace(/[()<>[\]\\*`|]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    : text.replace(/[\\*_~`|<>[\]#]/g, "\\$&");
}

/** For `markedRuns`, which reads the marks of a card. */
export function plainForCard(text: string): string {
  return text.replace(/[\\`*_~[\]()#+-]/g, "\\$&");
}
