import type { Picture } from "../../pictures/picture.ts";
import { actText } from "../act-links.ts";
import type { AlertView, MessageView } from "../view.ts";

/** The e-mail as plain text: what watches and screen readers show. `pictures`: of the first alerts. */
export function mailText(
  { headline, alerts, more, url }: MessageView,
  pictures: readonly (Picture | undefined)[] = [],
): string {
  const end = [more, url === "" ? "" : `Open: ${url}`].filter((line) => line !== "");
  return `${[headline, ...alerts.map((alert, at) => textOf(alert, pictures[at])), ...end].join("\n\n")}\n`;
}

function textOf(alert: AlertView, picture: Picture | undefined): string {
  const { badge, title, facts, description, runbookUrl, actUrl } = alert;
  const known = facts.map(([name, value]) => `  ${name}: ${value}`);
  const runbook = runbookUrl === "" ? [] : [`  What to do: ${runbookUrl}`];
  const act = actUrl === "" ? [] : [`  ${actText(alert)}: ${actUrl}`];
  const told = description === "" ? [] : ["", ...description.split("\n").map((line) => `  ${line}`)];
  const shown = picture === undefined ? [] : [`  Around it: ${picture.summary}`];
  return [`[${badge}] ${title}`, ...known, ...shown, ...runbook, ...act, ...told].join("\n");
}
