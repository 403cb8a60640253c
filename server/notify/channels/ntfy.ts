/** ntfy: messages as JSON to the server's root; those with a picture as a file to the topic, whose headers say the rest. */
import type { Channel } from "../channel.ts";
import type { NtfyConfig } from "../config/config.ts";
import type { Picture } from "../pictures/picture.ts";
import { actButtons } from "./act-links.ts";
import { type ChatView, chatText, fitting, PLAIN } from "./chat.ts";
import { httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_NTFY_BYTES } from "./limits.ts";
import type { ChannelOptions } from "./options.ts";
import { PICTURE_NAME, pictureFor } from "./picture.ts";
import { below } from "./texts.ts";

/** As many as ntfy shows. */
const MAX_ACTIONS = 3;

/** From 1 to 5: 5 also sounds where the phone is muted. Names of emojis are shown as such. */
const BY_SEVERITY: Readonly<Record<string, { readonly priority: number; readonly tag: string }>> = {
  critical: { priority: 5, tag: "rotating_light" },
  high: { priority: 4, tag: "warning" },
  medium: { priority: 3, tag: "large_orange_diamond" },
  low: { priority: 2, tag: "information_source" },
  resolved: { priority: 2, tag: "white_check_mark" },
};
const OTHER = { priority: 3, tag: "bell" };

export function ntfy(config: NtfyConfig, options: ChannelOptions): Channel {
  const outgoing = async ({ url, message, secrets }: Posted) => {
    const topic = await secrets.read(config.topic, "the topic of ntfy");
    const token = config.token && (await secrets.read(config.token, "the token of ntfy"));
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const told = fitting(
      message,
      (view) => payload(view, topic, config.tags),
      (built) => json(built).length <= MAX_NTFY_BYTES,
    );
    const plain = { headers, body: json(told) };
    const picture = await pictureFor(message, config, options);
    if (picture === undefined) return [plain];
    const address = below(url, topic);
    return [{ address, headers: { ...headers, ...headersOf(told, picture) }, body: Buffer.from(picture.png), plain }];
  };
  return httpChannel({ kind: "ntfy", what: "ntfy", outgoing }, config, options);
}

function payload(view: ChatView, topic: string, tags: readonly string[]) {
  const { priority, tag } = Object.hasOwn(BY_SEVERITY, view.severity) ? BY_SEVERITY[view.severity]! : OTHER;
  const links = [
    { label: "Open", url: view.url },
    { label: "What to do", url: view.alerts[0]?.runbookUrl ?? "" },
  ].filter(({ url }) => url !== "");
  const actions = [...actsOf(view), ...links.map((link) => ({ action: "view", ...link }))];
  return {
    topic,
    title: view.subject,
    message: chatText(view, PLAIN, { links: false }),
    priority,
    tags: [tag, ...tags],
    ...(view.url === "" ? {} : { click: view.url }),
    ...(actions.length === 0 ? {} : { actions: actions.slice(0, MAX_ACTIONS) }),
  };
}

/** Texts as RFC 2047 writes them in a header: ntfy reads that, and line breaks as people write them in a shell. */
function headersOf(
  { title, message, priority, tags, click, actions }: ReturnType<typeof payload>,
  { summary }: Picture,
): Record<string, string> {
  const encoded = (text: string) => `=?UTF-8?B?${Buffer.from(text).toString("base64")}?=`;
  return {
    "content-type": "image/png",
    "x-filename": PICTURE_NAME,
    "x-title": encoded(title),
    "x-message": encoded(`${message}\n\n${summary}`.replaceAll("\n", "\\n")),
    "x-priority": String(priority),
    "x-tags": encoded(tags.join(",")),
    ...(click === undefined ? {} : { "x-click": click }),
    ...(actions === undefined ? {} : { "x-actions": encoded(JSON.stringify(actions)) }),
  };
}

/** The phone posts by itself what needs no look at the page, and takes the notification away. */
function actsOf(view: ChatView) {
  return actButtons(view).map(({ text: label, url, act }) =>
    act === undefined ? { action: "view", label, url } : { action: "http", label, url, method: "POST", clear: true },
  );
}
