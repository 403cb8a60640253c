/** Microsoft Teams: an Adaptive Card for the webhook of a workflow. */
import type { Channel } from "../channel.ts";
import type { TeamsConfig } from "../config/config.ts";
import { actButtons, actText } from "./act-links.ts";
import { type ChatView, fitting } from "./chat.ts";
import { httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_TEAMS_BYTES } from "./limits.ts";
import type { ChannelOptions } from "./options.ts";
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
  const outgoing = ({ message }: Posted) => [
    {
      body: fitting(
        message,
        (view) => json(envelope(card(view, config))),
        (body) => body.length <= MAX_TEAMS_BYTES,
      ),
    },
  ];
  return httpChannel({ kind: "msteams", what: "Teams", outgoing }, config, options);
}

function envelope(content: object) {
  return {
    type: "message",
    attachments: [{ contentType: "application/vnd.microsoft.card.adaptive", content }],
  };
}

function card(view: ChatView, { title, text }: TeamsConfig) {
  const { alerts, detailed, more, url, severity } = view;
  const isOne = alerts.length === 1 && more === "" && title === undefined;
  const buttons = actButtons(view);
  const acts = buttons.length === 0;
  const rest = alerts.slice(detailed).map(({ badge, title: what }) => line([[`[${badge}] `, true], [what]]));
  return {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.4",
    msteams: { width: "Full" },
    body: [
      line([[title ?? view.subject, true]], { size: "large", color: COLOURS[severity] ?? "default" }),
      ...(text === undefined ? [] : [line([[text]])]),
      line([[view.headline]]),
      ...alerts.slice(0, detailed).flatMap((alert) => details(alert, { hasHeading: !isOne, acts })),
      ...rest,
      ...(more === "" ? [] : [line([[more]])]),
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
