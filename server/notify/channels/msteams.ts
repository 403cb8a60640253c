/** Microsoft Teams: an Adaptive Card for the webhook of a workflow. */
import type { Channel } from "../channel.ts";
import type { TeamsConfig } from "../config/config.ts";
import type { Picture } from "../pictures/picture.ts";
import { actButtons, actText } from "./act-links.ts";
import { markedRuns } from "./card-text.ts";
import { type ChatView, fitting } from "./chat.ts";
import { httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_TEAMS_BYTES, MAX_TEAMS_LINES, MAX_TEAMS_TEXT_BYTES, TEAMS_PICTURE_WIDTH } from "./limits.ts";
import type { ChannelOptions } from "./options.ts";
import { pictureFor } from "./picture.ts";
import type { AlertView } from "./view.ts";

/** Colours of cards have names. */
const COLOURS: Readonly<Record<string, string>> = {
  critical: "attention",
  high: "attention",
  medium: "warning",
  low: "accent",
  resolved: "good",
};

export function teams(config: TeamsConfig, options: ChannelOptions): Channel {
  const outgoing = async ({ message }: Posted) => {
    const told = fitting(message, (view) => card(view, config), hasRoom);
    const { summary } = config;
    const enveloped = (content: object) => envelope(content, summary);
    const plain = { body: json(enveloped(told)) };
    const picture = await pictureFor(message, config, options, { width: TEAMS_PICTURE_WIDTH });
    const shown = picture && { ...told, body: [...told.body, image(picture), line([[picture.summary]])] };
    // Words count more: a picture without room is left out.
    return [shown === undefined || !hasRoom(shown) ? plain : { body: json(enveloped(shown)), plain }];
  };
  return httpChannel({ kind: "msteams", what: "Teams", outgoing }, config, options);
}

function hasRoom(content: object): boolean {
  return json(envelope(content)).length <= MAX_TEAMS_BYTES;
}

/** In the card itself: Teams loads no picture that needs a credential. */
function image({ png, summary }: Picture) {
  const url = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  return { type: "Image", url, altText: summary, size: "stretch" };
}

function envelope(content: object, summary?: string) {
  return {
    type: "message",
    ...(summary && { summary }),
    attachments: [{ contentType: "application/vnd.microsoft.card.adaptive", content }],
  };
}

function card(view: ChatView, { title, text, body }: TeamsConfig) {
  const { alerts, detailed, more, url, severity } = view;
  const isOne = alerts.length === 1 && more === "" && title === undefined;
  const buttons = actButtons(view);
  const acts = buttons.length === 0;
  const rest = alerts.slice(detailed).map(({ badge, title: what }) => line([[`[${badge}] `, true], [what]]));
  const told = [
    line([[view.headline]]),
    ...alerts.slice(0, detailed).flatMap((alert) => details(alert, { hasHeading: !isOne, acts })),
    ...rest,
    ...(more === "" ? [] : [line([[more]])]),
  ];
  return {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.4",
    msteams: { width: "Full" },
    body: [
      line([[title ?? view.subject, true]], { size: "large", color: COLOURS[severity] ?? "default" }),
      ...(text === undefined ? [] : linesOf(text)),
      ...(body === undefined ? told : linesOf(body)),
    ],
    actions: [
      ...buttons.map(({ text: label, url: to }) => ({ type: "Action.OpenUrl", title: label, url: to })),
      ...(url === "" ? [] : [{ type: "Action.OpenUrl", title: "Open in Telltale", url }]),
      ...[alerts[0]?.runbookUrl ?? ""]
        .filter((link) => link !== "")
        .map((link) => ({ type: "Action.OpenUrl", title: "What to do", url: link })),
    ],
  };
}

/** Each line of a text is a block of its own: without empty ones, and as much as has room. */
function linesOf(body: string) {
  const lines = body
    .split("\n")
    .map(markedRuns)
    .filter((runs) => runs.length > 0);
  const blocks: object[] = [];
  let bytes = 0;
  for (const runs of lines) {
    const inlines = runs
      .map((run) => ({ type: "TextRun", ...run }))
      .filter((run) => {
        bytes += json(run).length;
        return bytes <= MAX_TEAMS_TEXT_BYTES;
      });
    const isCut =
      inlines.length < runs.length || (blocks.length === MAX_TEAMS_LINES - 1 && lines.length > MAX_TEAMS_LINES);
    blocks.push({
      type: "RichTextBlock",
      spacing: "small",
      inlines: isCut ? [...inlines, { type: "TextRun", text: "…" }] : inlines,
    });
    if (isCut) break;
    bytes += BLOCK_BYTES;
  }
  return blocks;
}

/** Of a block beside its runs. */
const BLOCK_BYTES = 60;

function details(alert: AlertView, { hasHeading, acts }: { readonly hasHeading: boolean; readonly acts: boolean }) {
  const { badge, title, facts, description, actUrl } = alert;
  return [
    ...(hasHeading ? [line([[`[${badge}] ${title}`, true]], {}, true)] : []),
    ...facts.map(([name, value]) => line([[`${name}: `], [value, true]])),
    ...(description === "" ? [] : description.split("\n").map((each) => line([[each]]))),
    ...(acts && actUrl !== "" ? [actLine(actText(alert), actUrl)] : []),
  ];
}

function actLine(text: string, url: string) {
  const run = { type: "TextRun", text, underline: true, selectAction: { type: "Action.OpenUrl", url } };
  return { type: "RichTextBlock", spacing: "small", inlines: [run] };
}

/** A RichTextBlock: the other elements read Markdown, and texts of others would make links in it. */
function line(runs: readonly (readonly [text: string, isBold?: boolean])[], style: object = {}, separator = false) {
  return {
    type: "RichTextBlock",
    spacing: separator ? "medium" : "small",
    separator,
    inlines: runs.map(([text, isBold = false]) => ({
      ...{ type: "TextRun", text },
      ...(isBold && { weight: "bolder" }),
      ...style,
    })),
  };
}
