/** Slack: incoming webhooks, and `chat.postMessage` with a token. */
import type { Channel } from "../channel.ts";
import type { SlackConfig } from "../config/config.ts";
import { actButtons } from "./act-links.ts";
import { type ChatStyle, type ChatView, chatText, fitting } from "./chat.ts";
import { colourOf } from "./colours.ts";
import { answerJson, httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_SLACK_CHARACTERS } from "./limits.ts";
import { plainForSlack } from "./marks.ts";
import type { ChannelOptions } from "./options.ts";
import type { Answer } from "./post.ts";
import { isLink } from "./texts.ts";

const STYLE: ChatStyle = {
  plain: plainForSlack,
  bold: (marked) => `*${marked}*`,
  link: (url, text) => `<${url.replace(/[|<>]/g, encodeURIComponent)}|${text}>`,
};

export function slack(config: SlackConfig, options: ChannelOptions): Channel {
  const outgoing = ({ message }: Posted) => [{ body: json(fitting(message, (view) => payload(view, config), fits)) }];
  return httpChannel({ kind: "slack", what: "Slack", outgoing, judge }, config, options);
}

function payload(view: ChatView, config: SlackConfig) {
  const { title, titleLink, text, body, color, fields, pretext, footer, fallback } = config;
  const told = chatText(view, STYLE, { isTitled: title === undefined, buttons: true });
  const buttons = actButtons(view).map(({ text: label, url }) => ({ type: "button", text: label, url }));
  const own = (config.actions ?? []).flatMap(({ text: label, url, style }) =>
    isLink(url) && label ? [{ type: "button", text: label, url, ...(style && { style }) }] : [],
  );
  const link = titleLink ?? view.url;
  return {
    ...sender(config),
    attachments: [
      {
        color: color ?? colourOf(view.severity),
        fallback: STYLE.plain(fallback ?? view.subject),
        ...(pretext !== undefined && { pretext }),
        title: STYLE.plain(title ?? view.subject),
        ...(link !== "" && { title_link: link }),
        text: body ?? (text === undefined ? told : `${text}\n\n${told}`),
        mrkdwn_in: config.markedParts ?? ["text", ...(pretext === undefined ? [] : ["pretext"])],
        ...(footer !== undefined && { footer }),
        ...(fields.length > 0 && { fields }),
        ...(config.callbackId && { callback_id: config.callbackId }),
        ...(isLink(config.imageUrl) && { image_url: config.imageUrl }),
        ...(isLink(config.thumbUrl) && { thumb_url: config.thumbUrl }),
        // Links only: Slack asks for no app of ours.
        ...(buttons.length + own.length > 0 && { actions: [...own, ...buttons] }),
      },
    ],
  };
}

/** What stands above the attachment. What a template leaves empty is not there. */
function sender({ channel, username, iconEmoji, iconUrl, linkNames, messageText }: SlackConfig) {
  return {
    ...(channel && { channel }),
    ...(username !== undefined && { username }),
    ...(iconEmoji && { icon_emoji: iconEmoji }),
    ...(isLink(iconUrl) && { icon_url: iconUrl }),
    ...(linkNames && { link_names: true }),
    ...(messageText && { text: messageText }),
  };
}

function fits({ attachments: [attachment] }: ReturnType<typeof payload>): boolean {
  return attachment!.text.length <= MAX_SLACK_CHARACTERS;
}

/** `chat.postMessage` answers 200 whatever happened. */
function judge(answer: Answer) {
  const said = answer.status === 200 ? answerJson(answer) : undefined;
  if (said?.ok !== false) return undefined;
  const isBusy =
    said.error === "ratelimited" || said.error === "internal_error" || said.error === "service_unavailable";
  return { kind: isBusy ? "retry" : "failed" } as const;
}
