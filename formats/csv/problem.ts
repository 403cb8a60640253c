/** Why a file as a whole is not read: it could be read in two ways, or in none. The message says which option decides. */
export class CsvProblem extends Error {}

/** What a row is counted by: of a text the line that it begins on, of a table its number. Both from 1. */
export type Place = "line" | "row";

/** A cell or a line as it may stand in a message: short, and with nothing that a terminal would obey. */
export function quoted(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return JSON.stringify(short).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`);
}

/** `a, b and 3 more`. */
export function listed(texts: readonly string[], most = 6): string {
  const more = texts.length > most ? ` and ${texts.length - most} more` : "";
  return texts.slice(0, most).map(quoted).join(", ") + more;
}
