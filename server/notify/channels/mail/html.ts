import { escapeHtml } from "../../../lib/html.ts";
import type { Picture } from "../../pictures/picture.ts";
import { actText } from "../act-links.ts";
import { colourOf } from "../colours.ts";
import type { AlertView, MessageView } from "../view.ts";
import { anchor } from "./markup.ts";
import { pictureHtml } from "./picture.ts";

/**
 * The e-mail as HTML for a narrow screen, by day and by night: no colours of ground and text but the mail program's own, and nothing that is
 * loaded: pictures come with it. Mail programs take styles only where they stand in the elements.
 *
 * @param pictures of the first alerts
 */
export function mailHtml(
  { subject, headline, alerts, more, url }: MessageView,
  pictures: readonly (Picture | undefined)[] = [],
): string {
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escapeHtml(subject)}</title></head>`,
    '<body style="margin:0;padding:12px;font:16px/1.4 system-ui,sans-serif">',
    '<div style="max-width:600px">',
    `<p style="margin:0 0 12px">${escapeHtml(headline)}</p>`,
    ...alerts.map((alert, at) => alertHtml(alert, pictureHtml(pictures[at], at))),
    ...(more === "" ? [] : [`<p>${escapeHtml(more)}</p>`]),
    ...(url === "" ? [] : [`<p>${anchor(url, "Open in Telltale")}</p>`]),
    "</div></body></html>",
    "",
  ].join("\n");
}

function alertHtml(alert: AlertView, picture: readonly string[]): string {
  const { badge, severity, title, facts, description, runbookUrl, actUrl } = alert;
  const colour = colourOf(severity);
  return [
    `<div style="border-left:6px solid ${colour};padding:0 0 0 12px;margin:0 0 20px">`,
    `<p style="margin:0"><span style="background:${colour};color:#ffffff;padding:2px 8px;border-radius:4px;font-size:13px;` +
      `font-weight:bold">${escapeHtml(badge)}</span></p>`,
    `<h2 style="font-size:18px;margin:6px 0;overflow-wrap:anywhere">${escapeHtml(title)}</h2>`,
    '<table role="presentation" style="border-collapse:collapse">',
    ...facts.map(
      ([name, value]) =>
        `<tr><td style="padding:1px 12px 1px 0;vertical-align:top">${escapeHtml(name)}</td>` +
        `<td style="overflow-wrap:anywhere"><b>${escapeHtml(value)}</b></td></tr>`,
    ),
    "</table>",
    ...picture,
    ...(description === ""
      ? []
      : [`<p style="white-space:pre-line;overflow-wrap:anywhere;margin:6px 0">${escapeHtml(description)}</p>`]),
    ...(runbookUrl === "" ? [] : [`<p style="margin:6px 0">${anchor(runbookUrl, "What to do")}</p>`]),
    // Large enough for a thumb; its frame has the colour of the text, by day and by night.
    ...(actUrl === "" ? [] : [`<p style="margin:12px 0">${anchor(actUrl, actText(alert), BUTTON)}</p>`]),
    "</div>",
  ].join("\n");
}

const BUTTON = "display:inline-block;padding:10px 16px;border:2px solid;border-radius:6px;font-weight:bold";
