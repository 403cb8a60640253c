/** Messages of chat programs: the worst alerts with what is known of them, a line for each of some more, and a count of the rest. */
import type { Message } from "../message.ts";
import { actButtons, actText } from "./act-links.ts";
import { MAX_ALERTS_IN_CHAT, MAX_CHAT_TEXT_CHARACTERS } from "./limits.ts";
import { type AlertView, type MessageView, messageView } from "./view.ts";

/** How a program marks text. */
export interface ChatStyle {
  /** A text of others, so that nothing in it is a mark. */
  readonly plain: (text: string) => string;
  /** A text that is escaped already. */
  readonly bold: (marked: string) => string;
  readonly link: (url: string, text: string) => string;
}

export interface ChatView extends MessageView {
  /** So many alerts are shown with what is known of them. */
  readonly detailed: number;
}

/** From what is wanted to what fits anywhere: alerts with details, alerts in all, characters of each text. */
const SHAPES: readonly (readonly [detailed: number, alerts: number, text: number])[] = [
  [3, MAX_ALERTS_IN_CHAT, MAX_CHAT_TEXT_CHARACTERS],
  [3, 10, MAX_CHAT_TEXT_CHARACTERS],
  [2, 5, MAX_CHAT_TEXT_CHARACTERS],
  [2, 2, 60],
  [1, 1, 40],
];

/** The first that fits of what is built with ever fewer alerts and shorter texts; the last, whatever it is. */
export function fitting<T>(message: Message, build: (view: ChatView) => T, fits: (built: T) => boolean): T {
  let built: T | undefined;
  for (const [detailed, maxAlerts, maxText] of SHAPES) {
    built = build({ ...messageView(message, { maxAlerts, maxText }), detailed });
    if (fits(built)) break;
  }
  return built!;
}

export const PLAIN: ChatStyle = {
  plain: (text) => text,
  bold: (marked) => marked,
  link: (url, text) => `${text}: ${url}`,
};

/**
 * What stands below the title. `isTitled`: the title names the alert, where there is only one; `links`: whether they are in the text;
 * `buttons`: whether the message has those by which people act.
 */
export function chatText(
  view: ChatView,
  style: ChatStyle,
  {
    isTitled = true,
    links = true,
    buttons = false,
  }: { readonly isTitled?: boolean; readonly links?: boolean; readonly buttons?: boolean } = {},
): string {
  const { alerts, headline, more, url, detailed } = view;
  const isOne = alerts.length === 1 && more === "";
  const hasHeading = !isOne || !isTitled;
  const acts = !buttons || actButtons(view).length === 0;
  const blocks = alerts.slice(0, detailed).map((alert) => detailsText(alert, style, { hasHeading, links, acts }));
  const rest = alerts.slice(detailed).map((alert) => lineText(alert, style));
  const end = [more, ...(links && url !== "" ? [style.link(url, "Open in Telltale")] : [])];
  return [
    style.plain(headline),
    ...blocks,
    rest.join("\n"),
    ...end.map((text, i) => (i === 0 ? style.plain(text) : text)),
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function detailsText(
  alert: AlertView,
  style: ChatStyle,
  { hasHeading, links, acts }: { readonly hasHeading: boolean; readonly links: boolean; readonly acts: boolean },
): string {
  const { badge, title, facts, description, runbookUrl, actUrl } = alert;
  const lines = [
    ...(hasHeading ? [style.bold(style.plain(`[${badge}] ${title}`))] : []),
    ...facts.map(([name, value]) => `${style.plain(`${name}: `)}${style.bold(style.plain(value))}`),
    ...(description === "" ? [] : [style.plain(description)]),
    ...(links && runbookUrl !== "" ? [style.link(runbookUrl, "What to do")] : []),
    ...(acts && actUrl !== "" ? [style.link(actUrl, actText(alert))] : []),
  ];
  return lines.join("\n");
}

function lineText({ badge, title, facts }: AlertView, style: ChatStyle): string {
  const known = new Map(facts);
  const value = known.get("Value");
  const expected = known.get("Expected");
  const measured = value === undefined ? "" : ` (${value}${expected === undefined ? "" : `, expected ${expected}`})`;
  return style.plain(`[${badge}] ${title}${measured}`);
}
