/** Webex: messages to a room. */
import type { Channel } from "../channel.ts";
import type { WebexConfig } from "../config/config.ts";
import { type ChatStyle, type ChatView, chatText, fitting } from "./chat.ts";
import { httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_WEBEX_BYTES } from "./limits.ts";
import { MARKDOWN } from "./marks.ts";
import type { ChannelOptions } from "./options.ts";
import { beginningBytes } from "./texts.ts";

export function webex(config: WebexConfig, options: ChannelOptions): Channel {
  const outgoing = ({ message }: Posted) => [{ body: json(fitting(message, (view) => payload(view, config), fits)) }];
  return httpChannel({ kind: "webex", what: "Webex", outgoing }, config, options);
}

function payload(view: ChatView, { roomId, body }: WebexConfig) {
  return { roomId, markdown: body ? beginningBytes(body, MAX_WEBEX_BYTES) : textOf(view, MARKDOWN) };
}

/** Lines end with two blanks: without them Markdown takes them for one. */
function textOf(view: ChatView, style: ChatStyle): string {
  const text = `${style.bold(style.plain(view.subject))}\n\n${chatText(view, style)}`;
  return text.replace(/([^\n])\n(?!\n)/g, "$1  \n");
}

function fits({ markdown }: ReturnType<typeof payload>): boolean {
  return Buffer.byteLength(markdown) <= MAX_WEBEX_BYTES;
}
