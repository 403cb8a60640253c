/** Bounds of what a channel sends and takes in. */

/** Characters of a label's value or an annotation in a message; what is longer ends with "…". Receivers show a few hundred. */
export const MAX_TEXT_CHARACTERS = 1_000;

/** Characters of the name of a label or an annotation in a message. */
export const MAX_NAME_CHARACTERS = 200;

/** Labels, and annotations, of an alert in a message: the first so many by name. Sensors have fewer. */
export const MAX_LABELS = 100;

/** Bytes of a webhook's body: alerts that do not fit are counted as truncated. Receivers take a megabyte and more as a rule. */
export const MAX_BODY_BYTES = 1_000_000;

/** Alerts described in an e-mail; the rest is counted. More are not read on a phone. */
export const MAX_ALERTS_IN_MAIL = 20;

/** Alerts that an e-mail has a picture of, the worst ones: some 30 kB each, and nobody scrolls through more. */
export const MAX_PICTURES_IN_MAIL = 3;

/** Characters of an e-mail's subject: RFC 5322 allows a line 998, and phones show about 40. */
export const MAX_SUBJECT_CHARACTERS = 200;

/** Characters of a text or HTML of the configuration in an e-mail: mail programs cut what is larger than 102 kB. */
export const MAX_MAIL_CHARACTERS = 200_000;

/** Characters of a link in a message; a longer one is left out, because its beginning leads nowhere. */
export const MAX_LINK_CHARACTERS = 1_000;

/** Characters of each label and annotation in a chat message: phones show a screen of it. */
export const MAX_CHAT_TEXT_CHARACTERS = 200;

/** Alerts that a chat message names, the worst ones with what is known of them; the rest is counted. */
export const MAX_ALERTS_IN_CHAT = 20;

/** Characters of a message to Slack: its limit is 40,000 for all, and it folds texts past some 700. */
export const MAX_SLACK_CHARACTERS = 8_000;

/** Pixels of a picture within a card for Teams, which has to have room in the card. */
export const TEAMS_PICTURE_WIDTH = 320;

/** Bytes of a card for Teams, whose limit is 28 KB with what Teams adds. */
export const MAX_TEAMS_BYTES = 24_000;

/** Characters of a text of the configuration in a card: in UTF-8 they have room. */
export const MAX_TEAMS_TEXT_CHARACTERS = 4_000;

/** Bytes of a text of the configuration in a card, with its marks: the rest of the card has room beside it. */
export const MAX_TEAMS_TEXT_BYTES = 20_000;

/** Lines of a text of the configuration in a card: each is a block of some 120 bytes. */
export const MAX_TEAMS_LINES = 60;

/** Characters of an embed of Discord: its limit is 4,096 for the description and 6,000 for all of it. */
export const MAX_DISCORD_CHARACTERS = 4_000;

/** Characters of a title of Discord, which is its limit. */
export const MAX_DISCORD_TITLE_CHARACTERS = 256;

/** Characters of the words for a picture of Discord, which is its limit. */
export const MAX_DISCORD_ALT_CHARACTERS = 1_024;

/** Characters of a message to Telegram, which is its limit. */
export const MAX_TELEGRAM_CHARACTERS = 4_096;

/** Characters of the words that come with a picture to Telegram, which is its limit. */
export const MAX_TELEGRAM_CAPTION_CHARACTERS = 1_024;

/** Bytes of a message to ntfy, which is its limit: a longer one becomes an attachment, or is refused. */
export const MAX_NTFY_BYTES = 4_096;

/** Bytes of an event of PagerDuty, whose limit is 512 KB. */
export const MAX_PAGERDUTY_BYTES = 500_000;

/** Characters of a summary of PagerDuty, which is its limit. */
export const MAX_PAGERDUTY_SUMMARY_CHARACTERS = 1_024;

/** Characters of the title of an alert of Opsgenie, which is its limit. */
export const MAX_OPSGENIE_TITLE_CHARACTERS = 130;

/** Characters of the description of an alert of Opsgenie, which is its limit. */
export const MAX_OPSGENIE_CHARACTERS = 15_000;

/** Characters of a message to Pushover, of its title, and of its address: its limits. */
export const MAX_PUSHOVER_CHARACTERS = 1_024;
export const MAX_PUSHOVER_TITLE_CHARACTERS = 250;
export const MAX_PUSHOVER_URL_CHARACTERS = 512;

/** Bytes of a message to Webex, which is its limit. */
export const MAX_WEBEX_BYTES = 7_439;

/** Characters of the text of an attachment of Mattermost, whose limit is 16,383 for a message. */
export const MAX_MATTERMOST_CHARACTERS = 8_000;

/** Characters of the text of an attachment of Rocket.Chat, which takes 5,000 in a message unless it is set otherwise. */
export const MAX_ROCKETCHAT_CHARACTERS = 4_500;

/** Bytes of a message to incident.io, whose limit is 512 KB. */
export const MAX_INCIDENTIO_BYTES = 500_000;

/** Characters of the summary of an issue of Jira, which is its limit. */
export const MAX_JIRA_SUMMARY_CHARACTERS = 255;

/** Characters of the description of an issue of Jira, which is its limit. */
export const MAX_JIRA_CHARACTERS = 32_767;

/** Bytes of an answer of Jira that lists issues or transitions. */
export const MAX_JIRA_ANSWER_BYTES = 262_144;

/** Characters of a message to VictorOps, which is its limit. */
export const MAX_VICTOROPS_CHARACTERS = 20_480;

/** Alerts that are posted to an Alertmanager at once. A message may have more: they follow in further posts. */
export const MAX_ALERTS_TO_ALERTMANAGER = 200;

/** Bytes of a receiver's answer that are read to explain a refusal. */
export const MAX_ANSWER_BYTES = 4_096;

/** Bytes of an answer that has a token: those with many claims are some kilobytes. */
export const MAX_TOKEN_ANSWER_BYTES = 65_536;

/** Characters of the reason of a failed attempt, as it is logged and shown. */
export const MAX_REASON_CHARACTERS = 300;

/** Milliseconds that a receiver may ask us to wait by Retry-After; a longer time counts as this. */
export const MAX_RETRY_AFTER_MS = 86_400_000;

/** Bytes of a file with a secret or with certificates: no bundle is larger, and a wrong path must not fill the memory. */
export const MAX_SECRET_FILE_BYTES = 1_000_000;

/** Milliseconds until a mail server's connection is open, and until its greeting; beyond, it is tried again later. */
export const MAIL_CONNECT_TIMEOUT_MS = 10_000;

/** Milliseconds of silence in a conversation with a mail server. Greylisting and virus checks take seconds. */
export const MAIL_SILENCE_TIMEOUT_MS = 30_000;

/** Milliseconds for an e-mail in all, from the look-up of the host to the server's word that it has the e-mail. */
export const MAIL_TIMEOUT_MS = 60_000;
