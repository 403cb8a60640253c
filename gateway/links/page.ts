/** The page behind a link in a message: what the alert is, what was done, and what can be done now. It needs no script and loads nothing. */
import { createHash } from "node:crypto";
import { LinkAction, type LinkedAlert } from "../../gen/es/telltale/v1/notification_pb.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import { escapeHtml as escaped } from "../../server/lib/html.ts";
import { ACT_FIELD } from "../../server/lib/link-path.ts";
import type { Answer } from "../http.ts";

const STYLE = `html{color-scheme:light dark;background:Canvas;color:CanvasText}
a{color:inherit}
body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.25rem;margin:.5rem 0}
.badge{display:inline-block;padding:.1rem .6rem;border:2px solid;border-radius:.3rem;font-size:.85rem;font-weight:700;text-transform:uppercase}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .75rem;margin:1rem 0}
dt,dd{margin:0}dd{font-weight:600}
.said{border-left:.35rem solid;padding:.25rem 0 .25rem .75rem}
pre{font:inherit;white-space:pre-wrap;margin:.5rem 0}
form{display:flex;flex-wrap:wrap;gap:.6rem;margin:1.25rem 0}
button{font:inherit;min-height:2.75rem;padding:.5rem 1rem;border:2px solid;border-radius:.4rem;background:Canvas;color:CanvasText;cursor:pointer}
button.first{background:CanvasText;color:Canvas;font-weight:700;flex:1 0 100%}
:focus-visible{outline:3px solid Highlight;outline-offset:2px}
footer{margin-top:2rem;font-size:.9rem}`;

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** Nothing is loaded, nobody frames it, forms lead here, and what it links to does not learn its address. */
const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-robots-tag": "noindex, nofollow",
  "cache-control": "no-store",
};

const BUTTONS: ReadonlyMap<LinkAction, string> = new Map([
  [LinkAction.ACKNOWLEDGE, "Acknowledge"],
  [LinkAction.SILENCE_1H, "Silence for 1 hour"],
  [LinkAction.SILENCE_8H, "Silence for 8 hours"],
  [LinkAction.RIGHT, "The alert was right"],
  [LinkAction.WRONG, "The alert was wrong"],
]);

export interface Shown {
  /** What was done, or why it was not; empty: nothing was asked for. */
  readonly said: string;
  /** The act that is offered first. */
  readonly first?: LinkAction | undefined;
}

export function alertPage(alert: LinkedAlert, { said, first }: Shown): Answer {
  const { title, facts, description, done, runbookUrl, url, receiver, expiresAt } = alert;
  const until = new Date(Number(expiresAt?.seconds ?? 0n) * 1_000).toISOString().slice(0, 16).replace("T", " ");
  const badge = alert.over ? "over" : alert.severity || "alert";
  return page(200, said || title, [
    ...(said === "" ? [] : [`<p class="said" role="status">${escaped(said)}</p>`]),
    `<p class="badge">${escaped(badge)}</p>`,
    `<h1>${escaped(title)}</h1>`,
    ...(done.length === 0 ? [] : [`<p>${escaped(done.join(" "))}</p>`]),
    ...buttons(alert, first),
    `<dl>${facts.map(({ name, value }) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join("\n")}</dl>`,
    ...(description === "" ? [] : [`<pre>${escaped(description)}</pre>`]),
    ...(runbookUrl === "" ? [] : [`<p>${anchor(runbookUrl, "What to do")}</p>`]),
    ...(url === "" ? [] : [`<p>${anchor(url, "Open Telltale")}</p>`]),
    `<footer><p>This link was sent to ${escaped(receiver)} and can be used until ${until} UTC. What is done here is on record in that name.</p></footer>`,
  ]);
}

export function refusalPage(status: number, why: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const answer = page(status, "Nothing was changed", [
    "<h1>Nothing was changed</h1>",
    `<p class="said" role="alert">${escaped(why)}</p>`,
  ]);
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

/** One form; without a script the button that is pressed says what to do. */
function buttons({ actions }: LinkedAlert, first: LinkAction | undefined): string[] {
  if (actions.length === 0) return ["<p>Nothing is left to do here.</p>"];
  const wanted = first !== undefined && actions.includes(first) ? first : actions[0];
  const sorted = [...actions].sort((a, b) => Number(b === wanted) - Number(a === wanted));
  const shown = sorted.map((action) => {
    const mark = action === wanted ? ' class="first"' : "";
    return `<button name="${ACT_FIELD}" value="${enumName(LinkAction, action)}"${mark}>${BUTTONS.get(action)}</button>`;
  });
  // Without a path it leads to this very address, whatever stands before it.
  return [`<form method="post" action="?">`, ...shown, "</form>"];
}

function page(status: number, title: string, body: readonly string[]): Answer {
  const html = [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8">',
    `<title>${escaped(title)}</title>`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<style>${STYLE}</style></head>`,
    `<body><main>`,
    ...body,
    "</main></body></html>",
    "",
  ];
  return { status, body: html.join("\n"), headers: HEADERS };
}

function anchor(url: string, text: string): string {
  return `<a href="${escaped(url)}" rel="noreferrer">${escaped(text)}</a>`;
}
