/** Rocket.Chat: `chat.postMessage` by the token of a person or a bot. */
import type { Channel } from "../channel.ts";
import type { RocketChatConfig } from "../config/config.ts";
import { actButtons } from "./act-links.ts";
import { type ChatStyle, type ChatView, chatText, fitting } from "./chat.ts";
import { colourOf } from "./colours.ts";
import { answerJson, httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_ROCKETCHAT_CHARACTERS } from "./limits.ts";
import { withoutMentions } from "./marks.ts";
import type { ChannelOptions } from "./options.ts";
import type { Answer } from "./post.ts";
import { below, isLink } from "./texts.ts";

const STYLE: ChatStyle = {
  plain: withoutMentions,
  bold: (marked) => `*${marked}*`,
  link: (url, text) => `[${text}](${url.replace(/[()]/g, (character) => (character === "(" ? "%28" : "%29"))})`,
};

export function rocketChat(config: RocketChatConfig, options: ChannelOptions): Channel {
  const outgoing = async ({ url, message, secrets }: Posted) => {
    const token = await secrets.read(config.token, "the token of Rocket.Chat");
    const user = await secrets.read(config.tokenId, "the id of the token of Rocket.Chat");
    const body = json(fitting(message, (view) => payload(view, config), fits));
    const headers = { "x-auth-token": token, "x-user-id": user };
    return [{ address: below(url, "api/v1/chat.postMessage"), headers, body }];
  };
  return httpChannel({ kind: "rocketchat", what: "Rocket.Chat", outgoing, judge }, config, options);
}

function payload(view: ChatView, config: RocketChatConfig) {
  const { channel, emoji, iconUrl, title, text, body, color, imageUrl, thumbUrl, fields, actions } = config;
  const link = config.titleLink ?? view.url;
  const told = chatText(view, STYLE, { isTitled: title === undefined, buttons: true });
  const buttons = actButtons(view).map(({ text: label, url }) => ({ type: "button", text: label, url }));
  const own = actions.flatMap(({ text: label, url, msg }) =>
    label && (isLink(url) || msg)
      ? [{ type: "button", text: label, ...(isLink(url) && { url }), ...(msg && { msg }) }]
      : [],
  );
  return {
    ...(channel && { channel }),
    ...(emoji && { emoji }),
    ...(isLink(iconUrl) && { avatar: iconUrl }),
    attachments: [
      {
        color: color || colourOf(view.severity),
        title: STYLE.plain(title ?? view.subject),
        ...(isLink(link) && { title_link: link }),
        text: body ?? (text === undefined ? told : `${text}\n\n${told}`),
        ...(isLink(imageUrl) && { image_url: imageUrl }),
        ...(isLink(thumbUrl) && { thumb_url: thumbUrl }),
        ...(fields.length > 0 && { fields }),
        ...(own.length + buttons.length > 0 && { actions: [...own, ...buttons] }),
      },
    ],
  };
}

function fits({ attachments: [attachment] }: ReturnType<typeof payload>): boolean {
  return attachment!.text.length <= MAX_ROCKETCHAT_CHARACTERS;
}

/**
 * It may answer 200 whatever happened, and so does a page of a log-in in front of it. An answer quotes the message: where it is cut, `success`
 * is behind the cut.
 */
function judge(answer: Answer) {
  if (answer.status !== 200 || (answer.isCut && /^\s*(\{|$)/.test(answer.text))) return undefined;
  return answerJson(answer)?.success === true ? undefined : ({ kind: "failed" } as const);
}
