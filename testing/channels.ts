/** A receiver for each kind of channel, as the real one takes messages, and the channel that sends to it. */
import { systemClock } from "../server/clock.ts";
import type { Environment } from "../server/environment.ts";
import type { Channel } from "../server/notify/channel.ts";
import { AddressGuard } from "../server/notify/channels/addresses.ts";
import * as limits from "../server/notify/channels/limits.ts";
import { openChannel } from "../server/notify/channels/open.ts";
import type { ChannelConfig, EmailConfig, HttpChannelConfig, WebPushConfig } from "../server/notify/config/config.ts";
import { newPrivateKey } from "../server/notify/push/key.ts";
import { MAX_PUSH_BYTES } from "../server/notify/push/limits.ts";
import type { Authority } from "./certificates.ts";
import { mailError, startMailSink } from "./mail-sink.ts";
import { browserKeys, keptBrowsers } from "./push.ts";
import { type Posted, startWebhookSink } from "./webhook-sink.ts";

export const SECRETS = {
  path: "T0KEN-in-path",
  signing: "signing-key-0815",
  password: 'pass"word 4711',
  token: "77:to-ken",
};
const ENVIRONMENT: Environment = {
  HOOK_CREDENTIALS: SECRETS.password,
  MAIL_PASSWORD: SECRETS.password,
  PUSH_KEY: newPrivateKey().toString("base64url"),
  TOKEN: SECRETS.token,
};
const LOOPBACK = ["127.0.0.0/8"];
/** What receivers that are busy ask for. */
export const BUSY_MS = 7_000;

export type Behaviour = "take" | "busy" | "broken" | "refuse" | "hang";

export interface Received {
  /** By which receivers drop what they have seen. */
  readonly id: string;
  readonly headerNames: readonly string[];
  /** Everything that people or programs read of it, decoded. */
  readonly text: string;
  /** In the unit of `maxSize`. */
  readonly size: number;
  /** Whether it says that all is over. */
  readonly isOver: boolean;
}

export interface Opening {
  readonly allowed?: readonly string[];
  readonly environment?: Environment;
  /** Of the other side; that of the sink where it is absent. */
  readonly port?: number;
  readonly isTrusted?: boolean;
  readonly timeoutMs?: number;
}

export interface Harness {
  open(opening?: Opening): Channel;
  received(): readonly Received[];
  behave(how: Behaviour): void;
  /** Those of senders that are open. */
  connections(): number;
  /** What the real receiver takes at most, or what we keep to. */
  readonly maxSize: number;
  close(): Promise<void>;
}

export interface Certified {
  readonly authority: Authority;
  readonly certificate: ReturnType<Authority["issue"]>;
}

/** A kind over HTTP. */
interface HttpReceiver {
  readonly config: (http: HttpChannelConfig) => ChannelConfig;
  readonly isOver: (body: Body) => boolean;
  readonly size?: (body: Body, bytes: number) => number;
  readonly maxSize: number;
  /** A secret beside the path and the credentials. */
  readonly knows?: string;
  /** How it says that all is well: 200 and nothing by default. */
  readonly taken?: { readonly status: number; readonly body: string };
  /** What a busy one says of the time, where it is not in the header. */
  readonly busy?: object;
  /** How it answers what it takes, where that depends on what is asked. */
  readonly answer?: (posted: Posted) => object;
  /** Whether this is a message; absent: everything is. */
  readonly isMessage?: (posted: Posted) => boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: what came by HTTP is looked at as it is.
type Body = any;

const hasAuthorization = (http: HttpChannelConfig) => ({
  ...http,
  authorization: { type: "Bearer", credentials: { env: "HOOK_CREDENTIALS" } },
});

const HTTP: Readonly<Record<Exclude<ChannelConfig["kind"], "email" | "web_push">, HttpReceiver>> = {
  webhook: {
    config: (http) => ({
      ...{
        kind: "webhook",
        ...hasAuthorization(http),
        signingKey: { value: SECRETS.signing },
        maxAlerts: 0,
        picture: true,
      },
    }),
    isOver: ({ status }) => status === "resolved",
    knows: SECRETS.signing,
    maxSize: limits.MAX_BODY_BYTES,
  },
  slack: {
    config: (http) => ({ kind: "slack", ...hasAuthorization(http), fields: [] }),
    isOver: ({ attachments }) => attachments[0].title.startsWith("[RESOLVED"),
    size: ({ attachments }) => attachments[0].text.length,
    maxSize: limits.MAX_SLACK_CHARACTERS,
    taken: { status: 200, body: "ok" },
  },
  msteams: {
    config: (http) => ({ kind: "msteams", picture: true, ...hasAuthorization(http) }),
    isOver: ({ attachments }) => attachments[0].content.body[0].inlines[0].text.startsWith("[RESOLVED"),
    maxSize: 28 * 1_024,
    taken: { status: 202, body: "" },
  },
  discord: {
    config: (http) => ({ kind: "discord", picture: true, ...hasAuthorization(http) }),
    isOver: ({ embeds }) => embeds[0].title.startsWith("[RESOLVED"),
    // All texts of a message; the description has at most 4,096 of them.
    size: ({ embeds }) => embeds[0].title.length + embeds[0].description.length,
    maxSize: 4_096 + 256,
    taken: { status: 204, body: "" },
    busy: { message: "You are being rate limited.", retry_after: BUSY_MS / 1_000, global: false },
  },
  pagerduty: {
    config: (http) => ({ kind: "pagerduty", ...http, routingKey: { env: "TOKEN" } }),
    isOver: ({ event_action }) => event_action === "resolve",
    knows: SECRETS.token,
    maxSize: 512_000,
    taken: { status: 202, body: '{"status":"success"}' },
  },
  telegram: {
    config: (http) => ({
      ...{ kind: "telegram", ...http, botToken: { env: "TOKEN" }, chatId: -4711, parseMode: "HTML" },
      disableNotifications: false,
      picture: true,
    }),
    isOver: ({ text }) => text.startsWith("<b>[RESOLVED"),
    size: ({ text }) => text.replace(/<[^>]*>/g, "").replace(/&\w+;/g, "&").length,
    maxSize: 4_096,
    taken: { status: 200, body: '{"ok":true}' },
    busy: { ok: false, error_code: 429, parameters: { retry_after: BUSY_MS / 1_000 } },
  },
  opsgenie: {
    config: (http) => ({ kind: "opsgenie", ...http, apiKey: { env: "TOKEN" }, details: {}, responders: [] }),
    isOver: (body) => body.alias === undefined,
    size: ({ message = "", description = "" }) => Math.max(message.length + 15_000 - 130, description.length),
    maxSize: 15_000,
    knows: SECRETS.token,
    taken: { status: 202, body: '{"result":"Request will be processed"}' },
  },
  pushover: {
    config: (http) => ({
      ...{ kind: "pushover", ...http, userKey: { value: "ann" }, token: { env: "TOKEN" } },
      ...{ html: false, monospace: false, retryMs: 60_000, expireMs: 3_600_000 },
    }),
    isOver: ({ title }) => title.startsWith("[RESOLVED"),
    size: ({ message }) => message.length,
    maxSize: 1_024,
    knows: SECRETS.token,
    taken: { status: 200, body: '{"status":1}' },
  },
  victorops: {
    config: (http) => ({ kind: "victorops", ...http, apiKey: { env: "TOKEN" }, routingKey: "plant", customFields: {} }),
    isOver: (body) => body.message_type === "RECOVERY",
    size: (body) => body.state_message.length,
    maxSize: 20_480,
    knows: SECRETS.token,
  },
  webex: {
    config: (http) => ({ kind: "webex", ...hasAuthorization(http), roomId: "room" }),
    isOver: ({ markdown }) => markdown.startsWith("**\\[RESOLVED"),
    size: ({ markdown }) => Buffer.byteLength(markdown),
    maxSize: 7_439,
  },
  mattermost: {
    config: (http) => ({
      ...{ kind: "mattermost", ...hasAuthorization(http), attachment: { fields: [] }, attachments: [] },
    }),
    isOver: ({ attachments }) => attachments[0].title.startsWith("[RESOLVED"),
    size: ({ attachments }) => attachments[0].text.length + attachments[0].title.length,
    maxSize: 16_383,
    taken: { status: 200, body: "ok" },
  },
  rocketchat: {
    config: (http) => ({
      ...{ kind: "rocketchat", ...http, token: { env: "TOKEN" }, tokenId: { value: "bot" }, fields: [], actions: [] },
    }),
    isOver: ({ attachments }) => attachments[0].title.startsWith("[RESOLVED"),
    size: ({ attachments }) => attachments[0].text.length,
    maxSize: 5_000,
    knows: SECRETS.token,
    taken: { status: 200, body: '{"success":true}' },
  },
  incidentio: {
    config: (http) => ({ kind: "incidentio", ...http, token: { env: "TOKEN" }, maxAlerts: 0 }),
    isOver: ({ status }) => status === "resolved",
    maxSize: 512 * 1_024,
    knows: SECRETS.token,
    taken: { status: 202, body: '{"status":"accepted"}' },
  },
  jira: {
    config: (http) => ({
      ...{ kind: "jira", ...hasAuthorization(http), apiType: "auto", project: "OPS", issueType: "Bug" },
      ...{ summary: { update: true }, description: { update: true }, labels: { values: [], update: true } },
      resolveTransition: "Done",
    }),
    isOver: ({ fields }) => fields.summary.startsWith("[RESOLVED"),
    size: ({ fields }) => fields.description.length,
    maxSize: 32_767,
    // There is an issue, whatever is looked for: an end without one is no message.
    answer: ({ path, method }) => {
      if (path.endsWith("/search"))
        return { issues: [{ key: "OPS-1", fields: { status: { statusCategory: { key: "new" } } } }] };
      return method === "GET" ? { transitions: [{ id: "31", name: "Done" }] } : {};
    },
    isMessage: ({ method }) => method === "PUT",
  },
  ntfy: {
    config: (http) => ({
      kind: "ntfy",
      ...http,
      topic: { value: "plant" },
      token: { env: "TOKEN" },
      tags: [],
      picture: true,
    }),
    isOver: ({ title }) => title.startsWith("[RESOLVED"),
    maxSize: 4_096,
  },
  alertmanager: {
    config: (http) => ({ kind: "alertmanager", ...hasAuthorization(http) }),
    isOver: (alerts) => alerts.every(({ endsAt }: { endsAt: string }) => Date.parse(endsAt) <= Date.now()),
    size: (alerts) => alerts.length,
    maxSize: limits.MAX_ALERTS_TO_ALERTMANAGER,
  },
};

async function startHttp(receiver: HttpReceiver, { authority, certificate }: Certified): Promise<Harness> {
  const sink = await startWebhookSink(certificate);
  const take = () => {
    const { status, body } = receiver.taken ?? { status: 200, body: "" };
    sink.answer((response, posted) => {
      response.writeHead(status).end(receiver.answer === undefined ? body : JSON.stringify(receiver.answer(posted)));
    });
  };
  take();
  return {
    open: ({ port = sink.port, isTrusted = true, timeoutMs = 10_000, ...opening } = {}) => {
      const http = {
        url: { value: `https://localhost:${port}/hooks/${SECRETS.path}` },
        ...(isTrusted ? { tls: { caFile: authority.caFile } } : {}),
        ...{ sendResolved: true, timeoutMs },
      };
      return openChannel(receiver.config(http), options(opening));
    },
    received: () =>
      sink.posted
        .filter((posted) => receiver.isMessage?.(posted) ?? true)
        .map((posted) => receivedBy(receiver, posted)),
    behave: (how) => {
      if (how === "take") return take();
      sink.answer((response, posted) => {
        const status = { busy: 429, broken: 500, refuse: 400, hang: 0 }[how];
        if (how === "hang") return;
        const quoted = `no: ${posted.path}\r\n\u001b[31m ${posted.headers.authorization} ${receiver.knows ?? ""}`;
        const text = `${quoted} ${"x".repeat(10_000)}`;
        const isTold = how === "busy" && receiver.busy !== undefined;
        if (how === "busy" && !isTold) response.setHeader("retry-after", String(BUSY_MS / 1_000));
        response.writeHead(status).end(isTold ? JSON.stringify({ description: quoted, ...receiver.busy }) : text);
      });
    },
    connections: () => sink.connections,
    maxSize: receiver.maxSize,
    close: () => sink.close(),
  };
}

function receivedBy(receiver: HttpReceiver, { headers, body }: Posted): Received {
  const isForm = headers["content-type"] === "application/x-www-form-urlencoded";
  const value = isForm ? Object.fromEntries(new URLSearchParams(body.toString())) : JSON.parse(body.toString());
  return {
    id: headers["idempotency-key"] as string,
    headerNames: Object.keys(headers),
    text: isForm ? JSON.stringify(value) : body.toString(),
    size: receiver.size?.(value, body.length) ?? body.length,
    isOver: receiver.isOver(value),
  };
}

async function startEmail({ authority, certificate }: Certified): Promise<Harness> {
  const sink = await startMailSink({ ...certificate, users: { telltale: SECRETS.password } });
  return {
    open: ({ port = sink.port, isTrusted = true, ...opening } = {}) => {
      const config: EmailConfig = {
        kind: "email",
        to: "Ann <ann@plant.example>, bob@plant.example",
        from: "Telltale <telltale@plant.example>",
        smarthost: { host: "localhost", port },
        hello: "telltale.plant.example",
        authUsername: "telltale",
        authPassword: { env: "MAIL_PASSWORD" },
        requireTls: true,
        implicitTls: false,
        tls: isTrusted ? { caFile: authority.caFile } : {},
        headers: {},
        picture: true,
        sendResolved: true,
      };
      return openChannel(config, options(opening));
    },
    received: () =>
      sink.mailed.map(({ mail, raw }) => ({
        id: mail.messageId!,
        headerNames: [...mail.headers.keys()],
        text: `${mail.subject}\n${mail.text}\n${mail.html}`,
        size: raw.length,
        isOver: mail.subject!.startsWith("[RESOLVED"),
      })),
    behave: (how) => {
      const codes = { take: 0, busy: 451, broken: 421, refuse: 554, hang: 0 };
      const text = `no: ${SECRETS.password} ${Buffer.from(`\0telltale\0${SECRETS.password}`).toString("base64")} `;
      const never = new Promise<undefined>(() => {});
      const refused = mailError(codes[how], `${text}${"x".repeat(1_000)}`);
      sink.answers = how === "take" ? {} : { data: async () => (how === "hang" ? await never : refused) };
    },
    connections: () => sink.connections,
    maxSize: 1_000_000,
    close: () => sink.close(),
  };
}

async function startPush({ authority, certificate }: Certified): Promise<Harness> {
  const sink = await startWebhookSink(certificate);
  const take = () => sink.answer((response) => response.writeHead(201).end());
  take();
  const keys = browserKeys();
  return {
    open: ({ port = sink.port, isTrusted = true, timeoutMs = 10_000, ...opening } = {}) => {
      const browsers = keptBrowsers({ env: "PUSH_KEY" });
      browsers.add(keys, { endpoint: `https://localhost:${port}/hooks/${SECRETS.path}` });
      const config: WebPushConfig = {
        ...{ kind: "web_push", callers: [], ttlMs: 3_600_000, sendResolved: true, timeoutMs },
        ...(isTrusted ? { tls: { caFile: authority.caFile } } : {}),
      };
      return openChannel(config, { ...options(opening), browsers });
    },
    received: () =>
      sink.posted.map(({ headers, body }) => {
        const text = keys.decrypt(body);
        const { id, title } = JSON.parse(text);
        const size = Buffer.byteLength(text);
        return { id, headerNames: Object.keys(headers), text, size, isOver: title.startsWith("[RESOLVED") };
      }),
    behave: (how) => {
      if (how === "take") return take();
      sink.answer((response, posted) => {
        if (how === "hang") return;
        if (how === "busy") response.setHeader("retry-after", String(BUSY_MS / 1_000));
        response.writeHead({ busy: 429, broken: 500, refuse: 400 }[how]);
        response.end(`no: ${posted.path}\r\n\u001b[31m ${posted.headers.authorization} ${"x".repeat(10_000)}`);
      });
    },
    connections: () => sink.connections,
    maxSize: MAX_PUSH_BYTES,
    close: () => sink.close(),
  };
}

function options({ allowed = LOOPBACK, environment = ENVIRONMENT }: Opening) {
  return { addresses: new AddressGuard(allowed), environment, clock: systemClock, source: "/telltale/test" };
}

/** Starts the receiver of each kind. */
export const CHANNELS: readonly (readonly [
  kind: ChannelConfig["kind"],
  start: (certified: Certified) => Promise<Harness>,
])[] = [
  ["email", startEmail],
  ["web_push", startPush],
  ...Object.entries(HTTP).map(
    ([kind, receiver]) =>
      [kind as ChannelConfig["kind"], (certified: Certified) => startHttp(receiver, certified)] as const,
  ),
];
