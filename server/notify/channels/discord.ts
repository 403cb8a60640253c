/** Discord: webhooks of a channel. */
import type { Channel } from "../channel.ts";
import type { DiscordConfig } from "../config/config.ts";
import type { Picture } from "../pictures/picture.ts";
import { type ChatStyle, type ChatView, chatText, fitting } from "./chat.ts";
import { colourOf } from "./colours.ts";
import { answerJson, httpChannel, json, type Posted } from "./http-channel.ts";
import { MAX_DISCORD_ALT_CHARACTERS, MAX_DISCORD_CHARACTERS, MAX_DISCORD_TITLE_CHARACTERS } from "./limits.ts";
import { plainForDiscord } from "./marks.ts";
import type { ChannelOptions } from "./options.ts";
import { formWith, PICTURE_NAME, pictureFor } from "./picture.ts";
import type { Answer } from "./post.ts";
import { secondsToWaitMs } from "./retry-after.ts";
import { beginning } from "./texts.ts";

const STYLE: ChatStyle = {
  plain: plainForDiscord,
  bold: (marked) => `**${marked}**`,
  link: (url, text) => `[${text}](${url.replace(/[()]/g, (character) => (character === "(" ? "%28" : "%29"))})`,
};

export function discord(config: DiscordConfig, options: ChannelOptions): Channel {
  const outgoing = async ({ message }: Posted) => {
    const told = fitting(message, (view) => payload(view, config), fits);
    const plain = { body: json(told) };
    const picture = await pictureFor(message, config, options);
    if (picture === undefined) return [plain];
    const fields = { payload_json: JSON.stringify(pictured(told, picture)) };
    return [{ ...formWith(fields, { name: "files[0]", png: picture.png }), plain }];
  };
  return httpChannel({ kind: "discord", what: "Discord", outgoing, judge }, config, options);
}

function payload(view: ChatView, { title, content, body, username, avatarUrl }: DiscordConfig) {
  return {
    ...(username !== undefined && { username }),
    ...(avatarUrl !== undefined && { avatar_url: avatarUrl }),
    ...(content !== undefined && { content }),
    // Whatever a sensor is named, nobody is mentioned.
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: beginning(title ?? view.subject, MAX_DISCORD_TITLE_CHARACTERS),
        description: body ?? chatText(view, STYLE, { isTitled: title === undefined }),
        color: Number.parseInt(colourOf(view.severity).slice(1), 16),
        ...(view.url !== "" && { url: view.url }),
      },
    ],
  };
}

/** The file stands in the embed, with what it shows below it. */
function pictured({ embeds: [embed], ...told }: ReturnType<typeof payload>, { summary }: Picture) {
  const description = beginning(summary, MAX_DISCORD_ALT_CHARACTERS);
  return {
    ...told,
    embeds: [{ ...embed, image: { url: `attachment://${PICTURE_NAME}` }, footer: { text: description } }],
    attachments: [{ id: 0, filename: PICTURE_NAME, description }],
  };
}

function fits({ embeds: [embed] }: ReturnType<typeof payload>): boolean {
  return embed!.description.length <= MAX_DISCORD_CHARACTERS;
}

/** The time to wait is in the body to the millisecond, and in the header rounded up. */
function judge(answer: Answer) {
  if (answer.status !== 429) return undefined;
  const seconds = answerJson(answer)?.retry_after;
  return typeof seconds === "number" ? ({ kind: "retry", afterMs: secondsToWaitMs(seconds) } as const) : undefined;
}
