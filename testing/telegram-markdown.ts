/** MarkdownV2 as the Bot API reads it: what it would show, or why it refuses the message. */

const RESERVED = new Set("_*[]()~`>#+-=|{}.!");
/** Marks that open and close, the longer ones first. */
const MARKS = ["```", "__", "||", "*", "_", "~", "`"] as const;
const LINK = /\[((?:\\.|[^\]\\])*)\]\(((?:\\.|[^)\\])*)\)/y;

/** @throws Error as the Bot API says it */
export function shownByTelegram(text: string): string {
  const open: string[] = [];
  let shown = "";
  for (let at = 0; at < text.length; ) {
    const next = text.codePointAt(at + 1) ?? 0;
    if (text[at] === "\\" && next >= 1 && next <= 126) {
      shown += text[at + 1];
      at += 2;
      continue;
    }
    LINK.lastIndex = at;
    const link = LINK.exec(text);
    if (link !== null) {
      shown += `${shownByTelegram(link[1]!)} <${link[2]!.replace(/\\(.)/g, "$1")}>`;
      at += link[0].length;
      continue;
    }
    const mark = MARKS.find((each) => text.startsWith(each, at));
    if (mark !== undefined) {
      if (open.at(-1) === mark) open.pop();
      else open.push(mark);
      at += mark.length;
      continue;
    }
    if (RESERVED.has(text[at]!)) {
      throw new Error(
        `Bad Request: can't parse entities: Character '${text[at]}' is reserved and must be escaped with the preceding '\\'`,
      );
    }
    shown += text[at++];
  }
  if (open.length > 0) throw new Error(`Bad Request: can't parse entities: Can't find end of ${open.at(-1)}`);
  return shown;
}
