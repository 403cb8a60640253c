/** How notifications are routed, as read from a file in Alertmanager's format. Durations are milliseconds. */
import type { Matcher } from "../../../formats/matchers.ts";
import type { Text } from "../templates/template.ts";

export interface NotifyConfig {
  /** The root: it matches every alert. */
  readonly route: Route;
  readonly receivers: readonly ReceiverConfig[];
  readonly inhibitRules: readonly InhibitRule[];
  readonly timeIntervals: readonly NamedIntervals[];
  readonly schedules: readonly Schedule[];
  readonly escalations: readonly Escalation[];
  /** An alert of another program that names no end is over when it was not sent again for so long. */
  readonly resolveTimeoutMs: number;
  readonly heartbeats: readonly HeartbeatConfig[];
  readonly pings: readonly PingConfig[];
}

/** A program that is expected to give a sign of life. */
export interface HeartbeatConfig {
  readonly name: string;
  readonly intervalMs: number;
  /** It is missing when so long after an interval nothing came. */
  readonly graceMs: number;
  /** Of its alert, beside `alertname` and `heartbeat`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly runbookUrl?: string;
  /** Whoever has it gives the sign without another credential; absent: nobody does. */
  readonly token?: Secret;
}

/** An address that is pinged while notifications work. */
export interface PingConfig {
  readonly name: string;
  readonly url: Secret;
  readonly intervalMs: number;
  readonly method: "GET" | "POST";
  readonly timeoutMs: number;
}

/** A node of the tree with what it inherits filled in. */
export interface Route {
  /** Its place in the tree: "0" for the root, "0/2/1" below. */
  readonly id: string;
  /** Of its own in the tree, by its matchers and those above: edits elsewhere do not change it. */
  readonly key: string;
  readonly receiver: string;
  /** All have to match; sorted. */
  readonly matchers: readonly Matcher[];
  /** Labels by which alerts form groups; "all": each set of labels is a group of its own. */
  readonly groupBy: readonly string[] | "all";
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly repeatIntervalMs: number;
  /** Names of time intervals; not inherited. */
  readonly muteTimeIntervals: readonly string[];
  readonly activeTimeIntervals: readonly string[];
  /** The name of an escalation; "" where there is none. */
  readonly escalation: string;
  /** For templates of its messages, with those of the routes above it. */
  readonly labels: Readonly<Record<string, Text>>;
  /** Whether siblings behind it are tried where it matches. */
  readonly continue: boolean;
  readonly routes: readonly Route[];
}

export interface ReceiverConfig {
  readonly name: string;
  readonly channels: readonly ChannelConfig<Text>[];
  /** The receiver that gets what a channel of this one refuses, or has not taken in time; no circle. */
  readonly fallback?: string;
  /** A message that is not taken for so long is given up. */
  readonly giveUpAfterMs: number;
  /** Absent: as many as there are. */
  readonly maxMessagesPerMinute?: number;
}

/** Where a secret is: in the file itself, in a file, or in an environment variable. */
export type Secret = { readonly value: string } | { readonly file: string } | { readonly env: string };

/** `T`: of texts that may be templates. A channel gets them filled in. */
export type ChannelConfig<T = string> =
  | WebhookConfig<T>
  | EmailConfig<T>
  | SlackConfig<T>
  | TeamsConfig<T>
  | DiscordConfig<T>
  | PagerDutyConfig<T>
  | TelegramConfig<T>
  | OpsgenieConfig<T>
  | PushoverConfig<T>
  | VictorOpsConfig<T>
  | WebexConfig<T>
  | MattermostConfig<T>
  | RocketChatConfig<T>
  | IncidentIoConfig
  | JiraConfig<T>
  | NtfyConfig
  | AlertmanagerConfig
  | WebPushConfig;

/** Versions of TLS by Alertmanager's names, the oldest first. */
export const TLS_VERSIONS: ReadonlyMap<string, "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3"> = new Map([
  ["TLS10", "TLSv1"],
  ["TLS11", "TLSv1.1"],
  ["TLS12", "TLSv1.2"],
  ["TLS13", "TLSv1.3"],
]);
type TlsVersion = ReturnType<typeof TLS_VERSIONS.get>;

/** Certificates are PEM, written there or in a file. */
export interface TlsConfig {
  /** Of the authorities to trust instead of the known ones, as a plant's own has them. */
  readonly ca?: string;
  readonly caFile?: string;
  /** What we show of ourselves; with its key. */
  readonly cert?: string;
  readonly certFile?: string;
  readonly key?: Secret;
  /** Asked for, and looked for in the certificate, in place of the host. */
  readonly serverName?: string;
  readonly insecureSkipVerify?: boolean;
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
}

export interface ProxyConfig {
  /** Its address, or that of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
  readonly from: Secret | "environment";
  /** Hosts that are called without it. */
  readonly noProxy?: string;
  /** For the proxy itself, by their names in lower case. */
  readonly headers?: Readonly<Record<string, readonly Secret[]>>;
}

/** Tokens by the client's credentials (RFC 6749, 4.4). */
export interface OAuth2Config {
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly tokenUrl: string;
  readonly scopes: readonly string[];
  /** Beside the usual ones. */
  readonly params: Readonly<Record<string, string>>;
  /** Of the call for a token, as is `proxy`. */
  readonly tls?: TlsConfig;
  readonly proxy?: ProxyConfig;
}

/** How a program is called by HTTP. */
export interface HttpSettings {
  readonly authorization?: { readonly type: string; readonly credentials: Secret };
  readonly basicAuth?: { readonly username: string; readonly password: Secret };
  readonly oauth2?: OAuth2Config;
  readonly tls?: TlsConfig;
  readonly proxy?: ProxyConfig;
  /** Beside those of the platform, by their names. */
  readonly headers?: Readonly<Record<string, readonly Secret[]>>;
}

/** What all channels over HTTP have. */
export interface HttpChannelConfig extends HttpSettings {
  readonly url: Secret;
  readonly sendResolved: boolean;
  readonly timeoutMs: number;
}

/** Whether a message comes with a picture of what the sensor sent around its worst alert. */
interface Pictured {
  readonly picture: boolean;
}

export interface WebhookConfig<T = string> extends HttpChannelConfig, Pictured {
  readonly kind: "webhook";
  /** JSON in place of the platform's own. */
  readonly payload?: T;
  /** Of HMAC-SHA256 signatures; absent: unsigned. */
  readonly signingKey?: Secret;
  /** At most so many alerts in a message; 0: no limit of its own. */
  readonly maxAlerts: number;
}

export interface AttachmentField<T = string> {
  readonly title?: T;
  readonly value?: T;
  readonly short: boolean;
}

/** `text`: above the platform's own. `body`: in place of it. */
export interface SlackConfig<T = string> extends HttpChannelConfig {
  readonly kind: "slack";
  readonly channel?: T;
  readonly username?: T;
  readonly title?: T;
  readonly titleLink?: T;
  readonly text?: string;
  readonly body?: T;
  readonly pretext?: T;
  readonly footer?: T;
  readonly fallback?: T;
  readonly color?: T;
  /** Above the attachment, and what a phone shows of it. */
  readonly messageText?: T;
  readonly iconEmoji?: T;
  readonly iconUrl?: T;
  readonly imageUrl?: T;
  readonly thumbUrl?: T;
  readonly callbackId?: T;
  /** Whether @name and #channel of the texts are links. */
  readonly linkNames?: boolean;
  /** Parts in which Slack reads its marks; absent: the text, and what is above it. */
  readonly markedParts?: readonly string[];
  /** Buttons beside ours. */
  readonly actions?: readonly { readonly text?: T; readonly url?: T; readonly style?: T }[];
  readonly fields: readonly AttachmentField<T>[];
}

export interface TeamsConfig<T = string> extends HttpChannelConfig, Pictured {
  readonly kind: "msteams";
  /** What is shown before the card is. */
  readonly summary?: T;
  readonly title?: T;
  readonly text?: string;
  readonly body?: T;
}

export interface DiscordConfig<T = string> extends HttpChannelConfig, Pictured {
  readonly kind: "discord";
  readonly title?: T;
  /** Above the message. */
  readonly content?: T;
  readonly body?: T;
  readonly username?: T;
  readonly avatarUrl?: string;
}

export const PAGERDUTY_SEVERITIES: readonly string[] = ["critical", "error", "warning", "info"];

export interface PagerDutyConfig<T = string> extends HttpChannelConfig {
  readonly kind: "pagerduty";
  readonly routingKey: Secret;
  /** Of `PAGERDUTY_SEVERITIES`, or what a template makes. Absent: by the severity of the worst alert. */
  readonly severity?: T;
  readonly client?: T;
  readonly clientUrl?: T;
  readonly class?: T;
  readonly component?: T;
  readonly group?: T;
  readonly description?: T;
  readonly source?: T;
  readonly images?: readonly { readonly src?: T; readonly href?: T; readonly alt?: T }[];
  /** Beside those of the platform. */
  readonly links?: readonly { readonly href?: T; readonly text?: T }[];
  /** Beside those of the platform. */
  readonly details?: Readonly<Record<string, T>>;
}

export type ParseMode = "HTML" | "MarkdownV2" | "";

/** `url`: of the Bot API. */
export interface TelegramConfig<T = string> extends HttpChannelConfig, Pictured {
  readonly kind: "telegram";
  readonly botToken: Secret;
  readonly chatId: number;
  readonly messageThreadId?: number;
  readonly parseMode: ParseMode;
  readonly disableNotifications: boolean;
  /** In place of the platform's own text, marked as `parseMode` says. */
  readonly body?: T;
}

/** `url`: of the API. `title`, `body`: in place of ours. */
export interface OpsgenieConfig<T = string> extends HttpChannelConfig {
  readonly kind: "opsgenie";
  readonly apiKey: Secret;
  readonly title?: T;
  readonly body?: T;
  readonly source?: T;
  /** Beside the labels that all alerts of a message share. */
  readonly details: Readonly<Record<string, T>>;
  readonly responders: readonly { readonly id?: T; readonly name?: T; readonly username?: T; readonly type?: T }[];
  /** Separated by commas, as are actions. */
  readonly tags?: T;
  readonly note?: T;
  /** P1 to P5, or what a template makes. Absent: by the severity of the worst alert. */
  readonly priority?: T;
  readonly entity?: T;
  readonly actions?: T;
}

/** `title`, `body`: in place of ours. */
export interface PushoverConfig<T = string> extends HttpChannelConfig {
  readonly kind: "pushover";
  readonly userKey: Secret;
  readonly token: Secret;
  readonly title?: T;
  readonly body?: T;
  readonly messageUrl?: T;
  readonly urlTitle?: T;
  readonly device?: T;
  readonly sound?: T;
  /** -2 to 2, or what a template makes. Absent: by the severity of the worst alert. */
  readonly priority?: T;
  /** Of the highest priority: how often it sounds again, and for how long. */
  readonly retryMs: number;
  readonly expireMs: number;
  readonly ttlMs?: number;
  readonly html: boolean;
  readonly monospace: boolean;
}

/** `url`: without key and routing key. `title`, `body`: in place of ours. */
export interface VictorOpsConfig<T = string> extends HttpChannelConfig {
  readonly kind: "victorops";
  readonly apiKey: Secret;
  readonly routingKey: T;
  /** Absent: by the severity of the worst alert. */
  readonly messageType?: T;
  readonly title?: T;
  readonly body?: T;
  readonly monitoringTool?: T;
  readonly customFields: Readonly<Record<string, T>>;
}

/** `body`: in place of ours, as Markdown. */
export interface WebexConfig<T = string> extends HttpChannelConfig {
  readonly kind: "webex";
  readonly roomId: T;
  readonly body?: T;
}

/** `text`: of one that stands beside ours. */
export interface MattermostAttachment<T = string> {
  readonly text?: T;
  readonly fallback?: T;
  readonly color?: T;
  readonly pretext?: T;
  readonly authorName?: T;
  readonly authorLink?: T;
  readonly authorIcon?: T;
  readonly title?: T;
  readonly titleLink?: T;
  readonly thumbUrl?: T;
  readonly imageUrl?: T;
  readonly footer?: T;
  readonly footerIcon?: T;
  readonly fields: readonly AttachmentField<T>[];
}

/** `text`: above the platform's own. `body`: in place of it. */
export interface MattermostConfig<T = string> extends HttpChannelConfig {
  readonly kind: "mattermost";
  readonly channel?: T;
  readonly username?: T;
  readonly iconUrl?: T;
  readonly iconEmoji?: T;
  readonly type?: T;
  /** What its side bar shows of the message. */
  readonly card?: T;
  readonly text?: string;
  readonly body?: T;
  readonly priority?: {
    readonly priority?: T;
    readonly requestedAck: boolean;
    readonly persistentNotifications: boolean;
  };
  /** Of ours. */
  readonly attachment: MattermostAttachment<T>;
  /** Beside it. */
  readonly attachments: readonly MattermostAttachment<T>[];
}

/** `url`: of the server. `text`: above the platform's own. `body`: in place of it. */
export interface RocketChatConfig<T = string> extends HttpChannelConfig {
  readonly kind: "rocketchat";
  readonly token: Secret;
  /** Whose token it is. */
  readonly tokenId: Secret;
  readonly channel?: T;
  readonly color?: T;
  readonly title?: T;
  readonly titleLink?: T;
  readonly text?: string;
  readonly body?: T;
  readonly emoji?: T;
  readonly iconUrl?: T;
  readonly imageUrl?: T;
  readonly thumbUrl?: T;
  readonly fields: readonly AttachmentField<T>[];
  /** Buttons beside ours, which lead to an address or write a message. */
  readonly actions: readonly { readonly text?: T; readonly url?: T; readonly msg?: T }[];
}

export interface IncidentIoConfig extends HttpChannelConfig {
  readonly kind: "incidentio";
  /** Absent: the credentials of HTTP. */
  readonly token?: Secret;
  /** At most so many alerts in a message; 0: no limit of its own. */
  readonly maxAlerts: number;
}

export type JiraApiType = "auto" | "cloud" | "datacenter";

/** `url`: of the API, with its version. */
export interface JiraConfig<T = string> extends HttpChannelConfig {
  readonly kind: "jira";
  readonly apiType: JiraApiType;
  readonly project: T;
  readonly issueType: T;
  /** `update`: whether later messages change it. `text` absent: ours. */
  readonly summary: { readonly text?: T; readonly update: boolean };
  readonly description: { readonly text?: T; readonly update: boolean };
  /** Beside the one by which the issue is found. */
  readonly labels: { readonly values: readonly (T | "")[]; readonly update: boolean };
  /** "": none. Absent: by the severity of the worst alert. */
  readonly priority?: T;
  /** Names of transitions; absent: none. */
  readonly resolveTransition?: string;
  readonly reopenTransition?: string;
  /** A group that fires again so long after the end has the issue of before. */
  readonly reopenDurationMs?: number;
  /** Issues that are closed so are never opened again. */
  readonly wontFixResolution?: string;
  /** JSON of further fields. */
  readonly fields?: T;
}

/** Those that keep an incident open for each group until they are notified of its end. */
export const INCIDENT_KINDS: ReadonlySet<string> = new Set<ChannelConfig["kind"]>([
  "pagerduty",
  "opsgenie",
  "victorops",
  "incidentio",
  "jira",
]);

/** `url`: of the server, without the topic. */
export interface NtfyConfig extends HttpChannelConfig, Pictured {
  readonly kind: "ntfy";
  /** Whoever knows it may read and write it, where the server has no users. */
  readonly topic: Secret;
  readonly token?: Secret;
  /** Beside those of the severity. */
  readonly tags: readonly string[];
}

/** `url`: of the Alertmanager, without `/api/v2`. */
export interface AlertmanagerConfig extends HttpChannelConfig {
  readonly kind: "alertmanager";
}

/** To each browser that has subscribed. */
export interface WebPushConfig {
  readonly kind: "web_push";
  /** Names of callers whose browsers are told; empty: all. */
  readonly callers: readonly string[];
  /** Whom push services ask about messages; absent: the installation's own address. */
  readonly contact?: string;
  /** How long a push service keeps a message for a browser that it does not reach. */
  readonly ttlMs: number;
  readonly tls?: TlsConfig;
  readonly proxy?: ProxyConfig;
  readonly sendResolved: boolean;
  readonly timeoutMs: number;
}

export interface EmailConfig<T = string> extends Pictured {
  readonly kind: "email";
  /** One or more addresses, separated by commas. */
  readonly to: T;
  readonly from: string;
  readonly smarthost: { readonly host: string; readonly port: number };
  readonly hello: string;
  readonly authUsername?: string;
  readonly authPassword?: Secret;
  readonly requireTls: boolean;
  /** TLS from the first byte. */
  readonly implicitTls: boolean;
  readonly tls: TlsConfig;
  readonly headers: Readonly<Record<string, T>>;
  /** In place of the platform's own; "": there is no such part. */
  readonly html?: T;
  readonly text?: T;
  readonly sendResolved: boolean;
}

export interface InhibitRule {
  readonly name?: string;
  readonly sourceMatchers: readonly Matcher[];
  readonly targetMatchers: readonly Matcher[];
  /** Labels that source and target share. */
  readonly equal: readonly string[];
}

export interface NamedIntervals {
  readonly name: string;
  readonly intervals: readonly TimeInterval[];
}

/** All fields that are given have to hold; in a field, one of the ranges. Ranges include both ends, but `times` its start only. */
export interface TimeInterval {
  /** Minutes since midnight, 0 to 1440. */
  readonly times?: readonly Range[];
  /** 0: Sunday. */
  readonly weekdays?: readonly Range[];
  /** Negative: from the month's end. */
  readonly daysOfMonth?: readonly Range[];
  readonly months?: readonly Range[];
  readonly years?: readonly Range[];
  /** IANA name; UTC by default. */
  readonly location: string;
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Who is told besides the route's receiver while nobody acknowledges. */
export interface Escalation {
  readonly name: string;
  /** In the order of `afterMs`. */
  readonly steps: readonly EscalationStep[];
  /** Of its messages; absent: the route's. */
  readonly repeatIntervalMs?: number;
}

export interface EscalationStep {
  /** Since the alert took the route. */
  readonly afterMs: number;
  /** Names; all of them are told. */
  readonly receivers: readonly string[];
  /** Names; of each, whoever is on call is told. */
  readonly schedules: readonly string[];
}

/** Who is on call when: of every rotation one receiver. */
export interface Schedule {
  readonly name: string;
  /** IANA name, in which hand-offs are. */
  readonly timeZone: string;
  readonly rotations: readonly Rotation[];
}

/** Receivers that take turns. */
export interface Rotation {
  /** In the order of their turns. */
  readonly receivers: readonly string[];
  /** When the first of them begins, as clocks of the time zone show it: milliseconds since 1970-01-01T00:00 there. */
  readonly startLocalMs: number;
  /** How long a turn is, by these clocks: a day stays a day when they are changed. */
  readonly shiftMs: number;
  /** Names of time intervals outside of which nobody of it is on call; empty: always. */
  readonly activeTimeIntervals: readonly string[];
}
