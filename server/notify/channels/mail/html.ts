import { escapeHtml as escaped } from "../../../lib/html.ts";
import { actText } from "../act-links.ts";
import { colourOf } from "../colours.ts";
import type { AlertView, MessageView } from "../view.ts";

/**
 * The e-mail as HTML for a narrow screen, by day and by night: no colours of ground and text but the mail program's own, no
 * picture, nothing that is loaded. Mail programs take styles only where they stand in the elements.
 */
export function mailHtml({ subject, headline, alerts, more, url }: MessageView): string {
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escaped(subject)}</title></head>`,
    '<body style="margin:0;padding:12px;font:16px/1.4 system-ui,sans-serif">',
    '<div style="max-width:600px">',
    `<p style="margin:0 0 12px">${escaped(headline)}</p>`,
    ...alerts.map(alertHtml),
    ...(more === "" ? [] : [`<p>${escaped(more)}</p>`]),
    ...(url === "" ? [] : [`<p>${anchor(url, "Open in Telltale")}</p>`]),
    "</div></body></html>",
    "",
  ].join("\n");
}

function alertHtml(alert: AlertView): string {
  const { badge, severity, title, facts, description, runbookUrl, actUrl } = alert;
  const colour = colourOf(severity);
  return [
    `<div style="border-left:6px solid ${colour};padding:0 0 0 12px;margin:0 0 20px">`,
    `<p style="margin:0"><span style="background:${colour};color:#ffffff;padding:2px 8px;border-radius:4px;font-size:13px;` +
      `font-weight:bold">${escaped(badge)}</span></p>`,
    `<h2 style="font-size:18px;margin:6px 0;overflow-wrap:anywhere">${escaped(title)}</h2>`,
    '<table role="presentation" style="border-collapse:collapse">',
    ...facts.map(
      ([name, value]) =>
        `<tr><td style="padding:1px 12px 1px 0;vertical-align:top">${escaped(name)}</td>` +
        `<td style="overflow-wrap:anywhere"><b>${escaped(value)}</b></td></tr>`,
    ),
    "</table>",
    ...(description === ""
      ? []
      : [`<p style="white-space:pre-line;overflow-wrap:anywhere;margin:6px 0">${escaped(description)}</p>`]),
    ...(runbookUrl === "" ? [] : [`<p style="margin:6px 0">${anchor(runbookUrl, "What to do")}</p>`]),
    // Large enough for a thumb; its frame has the colour of the text, by day and by night.
    ...(actUrl === "" ? [] : [`<p style="margin:12px 0">${anchor(actUrl, actText(alert), BUTTON)}</p>`]),
    "</div>",
  ].join("\n");
}

const BUTTON = "display:inline-block;padding:10px 16px;border:2px solid;border-radius:6px;font-weight:bold";

function anchor(url: string, text: string, style = ""): string {
  return `<a href="${escaped(url)}"${style === "" ? "" : ` style="${style}"`}>${escaped(text)}</a>`;
}
