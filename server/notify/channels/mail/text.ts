import type { AlertView, MessageView } from "../view.ts";

/** The e-mail as plain text: what watches and screen readers show. */
export function mailText({ headline, alerts, more, url }: MessageView): string {
  const end = [more, url === "" ? "" : `Open: ${url}`].filter((line) => line !== "");
  return `${[headline, ...alerts.map(textOf), ...end].join("\n\n")}\n`;
}

function textOf({ badge, title, facts, description, runbookUrl }: AlertView): string {
  const known = facts.map(([name, value]) => `  ${name}: ${value}`);
  const runbook = runbookUrl === "" ? [] : [`  What to do: ${runbookUrl}`];
  const told = description === "" ? [] : ["", ...description.split("\n").map((line) => `  ${line}`)];
  return [`[${badge}] ${title}`, ...known, ...runbook, ...told].join("\n");
}
