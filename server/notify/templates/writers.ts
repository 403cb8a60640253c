/** How a template's own text and its values stand in what is made of it. */
import {
  plainForCard,
  plainForDiscord,
  plainForMarkdown,
  plainForSlack,
  plainForTelegram,
  withoutMentions,
} from "../channels/marks.ts";
import { HtmlWriter } from "./html.ts";
import type { Pipe } from "./nodes.ts";
import { printed, Safe, type Value } from "./values.ts";

/**
 * `html`: values are escaped where they stand. `slack`: nothing in them is a mention or a link. `telegram` (MarkdownV2), `discord`, `card` (the
 * Markdown of `markedRuns`), `markdown` (Webex, Mattermost): nothing in them is a mark. `rocketchat`: as `slack`.
 */
export type Mode = "text" | "html" | "slack" | "telegram" | "discord" | "card" | "markdown" | "rocketchat";

export interface Writer {
  markup(text: string): string;
  value(value: Value, pipe: Pipe): string;
}

const WRITERS: Readonly<Record<Mode, () => Writer>> = {
  text: () => ({ markup, value: (value) => printed(value) }),
  html: () => new HtmlWriter(),
  slack: () => ({
    markup,
    value: (value) => (value instanceof Safe && value.what !== "query" ? value.text : plainForSlack(printed(value))),
  }),
  telegram: () => marks((text, pipe) => (escapesItself(pipe) ? text : plainForTelegram(text))),
  discord: () => marks(plainForDiscord),
  card: () => marks(plainForCard),
  markdown: () => marks(plainForMarkdown),
  rocketchat: () => marks(withoutMentions),
};

export function writerOf(mode: Mode): Writer {
  return WRITERS[mode]();
}

function markup(text: string): string {
  return text;
}

/** `safeHtml` says that the marks in a value are wanted. */
function marks(plain: (text: string, pipe: Pipe) => string): Writer {
  return {
    markup,
    value: (value, pipe) => (value instanceof Safe && value.what === "html" ? value.text : plain(printed(value), pipe)),
  };
}

/** Templates for an Alertmanager, which escapes nothing here, do it so: `reReplaceAll "([-_.])" "\\$1"`. */
function escapesItself({ commands }: Pipe): boolean {
  const [name, , by] = commands.at(-1)!.operands;
  if (name.kind !== "function" || name.name !== "reReplaceAll" || by?.kind !== "literal") return false;
  return typeof by.value === "string" && by.value.startsWith("\\");
}
