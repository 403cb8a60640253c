/** Mattermost: incoming webhooks, with attachments as Slack had them. */
import type { Channel } from "../channel.ts";
import type { MattermostAttachment, MattermostConfig } from "../config/config.ts";
import { type ChatView, chatText, fitting } from "./chat.ts";
import { colourOf } from "./colours.ts";
import { httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_MATTERMOST_CHARACTERS } from "./limits.ts";
import { MARKDOWN, withoutMentions } from "./marks.ts";
import type { ChannelOptions } from "./options.ts";
import { isLink } from "./texts.ts";

const PRIORITIES: readonly string[] = ["standard", "important", "urgent"];

export function mattermost(config: MattermostConfig, options: ChannelOptions): Channel {
  const outgoing = ({ message }: Posted) => [{ body: json(fitting(message, (view) => payload(view, config), fits)) }];
  return httpChannel({ kind: "mattermost", what: "Mattermost", outgoing }, config, options);
}

function payload(view: ChatView, config: MattermostConfig) {
  const { channel, username, iconUrl, iconEmoji, type, card, text, body, attachment, attachments } = config;
  const { title, titleLink = view.url } = attachment;
  const told = chatText(view, MARKDOWN, { isTitled: title === undefined });
  const ours = {
    ...attachmentOf({
      ...attachment,
      color: attachment.color ?? colourOf(view.severity),
      fallback: attachment.fallback ?? view.subject,
      title: title ?? view.subject,
      titleLink,
    }),
    text: body ?? (text === undefined ? told : `${text}\n\n${told}`),
  };
  return {
    ...(channel && { channel }),
    ...(username && { username }),
    ...(isLink(iconUrl) && { icon_url: iconUrl }),
    ...(iconEmoji && { icon_emoji: iconEmoji }),
    ...(type && { type }),
    ...(card && { props: { card } }),
    ...priorityOf(config),
    attachments: [ours, ...attachments.map((each) => ({ ...attachmentOf(each), text: each.text ?? "" }))],
  };
}

/** What a template leaves empty is not there. */
function attachmentOf(attachment: MattermostAttachment) {
  const { color, fallback, pretext, authorName, authorLink, authorIcon, title, titleLink, fields } = attachment;
  const { thumbUrl, imageUrl, footer, footerIcon } = attachment;
  // A title that is a link is shown as it is, and so are the others here.
  const titled = isLink(titleLink) ? withoutMentions(title ?? "") : MARKDOWN.plain(title ?? "");
  const [byAuthor, below, instead] = [authorName, footer, fallback].map((text) => withoutMentions(text ?? ""));
  const texts = { color, pretext, author_name: byAuthor, footer: below, fallback: instead, title: titled };
  const links = {
    ...{ author_link: authorLink, author_icon: authorIcon, title_link: titleLink, thumb_url: thumbUrl },
    ...{ image_url: imageUrl, footer_icon: footerIcon },
  };
  const given = Object.entries(texts).filter(([, text]) => text);
  return {
    ...Object.fromEntries([...given, ...Object.entries(links).filter(([, link]) => isLink(link))]),
    ...(fields.length > 0 && { fields }),
  };
}

/** What Mattermost takes with which priority. */
function priorityOf({ priority }: MattermostConfig) {
  if (priority === undefined) return {};
  const wanted = (priority.priority ?? "").trim().toLowerCase();
  const name = PRIORITIES.includes(wanted) ? wanted : "standard";
  return {
    priority: {
      priority: name,
      ...(priority.requestedAck && name !== "standard" && { requested_ack: true }),
      ...(priority.persistentNotifications && name === "urgent" && { persistent_notifications: true }),
    },
  };
}

function fits({ attachments: [attachment] }: ReturnType<typeof payload>): boolean {
  return attachment!.text.length <= MAX_MATTERMOST_CHARACTERS;
}
