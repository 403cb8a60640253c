import { actText } from "../act-links.ts";
import type { AlertView, MessageView } from "../view.ts";

/** The e-mail as plain text: what watches and screen readers show. */
export function mailText({ headline, alerts, more, url }: MessageView): string {
  const end = [more, url === "" ? "" : `Open: ${url}`].filter((line) => line !== "");
  return `${[headline, ...alerts.map(textOf), ...end].join("\n\n")}\n`;
}

function textOf(alert: AlertView): string {
  const { badge, title, facts, description, runbookUrl, actUrl } = alert;
  const known = facts.map(([name, value]) => `  ${name}: ${value}`);
  const runbook = runbookUrl === "" ? [] : [`  What to do: ${runbookUrl}`];
  const act = actUrl === "" ? [] : [`  ${actText(alert)}: ${actUrl}`];
  const told = description === "" ? [] : ["", ...description.split("\n").map((line) => `  ${line}`)];
  return [`[${badge}] ${title}`, ...known, ...runbook, ...act, ...told].join("\n");
}
