/** Pushover: messages to phones. */
import type { Channel } from "../channel.ts";
import type { PushoverConfig } from "../config/config.ts";
import { type ChatView, chatText, fitting, PLAIN } from "./chat.ts";
import { httpChannel, type Posted } from "./http-channel.ts";
import { MAX_PUSHOVER_CHARACTERS, MAX_PUSHOVER_TITLE_CHARACTERS, MAX_PUSHOVER_URL_CHARACTERS } from "./limits.ts";
import type { ChannelOptions } from "./options.ts";
import { beginning } from "./texts.ts";

/** The highest sounds again until somebody confirms it. Others' severities count as the highest, as with Alertmanager. */
const PRIORITIES: Readonly<Record<string, string>> = { high: "1", medium: "0", low: "-1", resolved: "0" };
const HIGHEST = "2";

export function pushover(config: PushoverConfig, options: ChannelOptions): Channel {
  const outgoing = async ({ message, secrets }: Posted) => {
    const token = await secrets.read(config.token, "the token of Pushover");
    const user = await secrets.read(config.userKey, "the user key of Pushover");
    const view = fitting(
      message,
      (each) => each,
      (each) => textOf(each).length <= MAX_PUSHOVER_CHARACTERS,
    );
    const form = new URLSearchParams({ token, user, ...fieldsOf(view, config) });
    return [{ headers: { "content-type": "application/x-www-form-urlencoded" }, body: Buffer.from(String(form)) }];
  };
  return httpChannel({ kind: "pushover", what: "Pushover", outgoing }, config, options);
}

function fieldsOf(view: ChatView, config: PushoverConfig): Record<string, string> {
  const {
    title,
    body,
    messageUrl: url = view.url,
    urlTitle,
    device,
    sound,
    html,
    monospace,
    retryMs,
    expireMs,
    ttlMs,
  } = config;
  const wanted = (config.priority ?? "").trim();
  const priority = /^(?:-2|-1|0|1|2)$/.test(wanted) ? wanted : (PRIORITIES[view.severity] ?? HIGHEST);
  const text = body || textOf(view);
  // Marks that are the platform's own text would be none.
  const isMarked = html && body ? { html: "1" } : {};
  const seconds = (ms: number) => String(Math.round(ms / 1_000));
  return {
    title: beginning(title || view.subject, MAX_PUSHOVER_TITLE_CHARACTERS),
    message: beginning(text, MAX_PUSHOVER_CHARACTERS),
    priority,
    ...(priority === HIGHEST && { retry: seconds(retryMs), expire: seconds(expireMs) }),
    ...(url !== "" && url.length <= MAX_PUSHOVER_URL_CHARACTERS && { url, url_title: urlTitle || "Open in Telltale" }),
    ...(device && { device }),
    ...(sound && { sound }),
    ...(ttlMs !== undefined && { ttl: seconds(ttlMs) }),
    ...isMarked,
    ...(monospace && { monospace: "1" }),
  };
}

/** With links where they have room. */
function textOf(view: ChatView): string {
  const whole = chatText({ ...view, url: "" }, PLAIN);
  return whole.length <= MAX_PUSHOVER_CHARACTERS ? whole : chatText(view, PLAIN, { links: false });
}
