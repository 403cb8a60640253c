/** What each program is sent: the forms that their documentation asks for, and texts of others made harmless. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { partsOf } from "../../../testing/multipart.ts";
import { notification, notifiedAlert } from "../../../testing/notification.ts";
import { type Posted, startWebhookSink, type WebhookSink } from "../../../testing/webhook-sink.ts";
import { manualClock } from "../../clock.ts";
import type {
  AlertmanagerConfig,
  ChannelConfig,
  DiscordConfig,
  NtfyConfig,
  PagerDutyConfig,
  SlackConfig,
  TeamsConfig,
  TelegramConfig,
  WebhookConfig,
} from "../config/config.ts";
import type { Message } from "../message.ts";
import type { Picture } from "../pictures/picture.ts";
import { AddressGuard } from "./addresses.ts";
import { openChannel } from "./open.ts";
import type { ChannelOptions } from "./options.ts";

const NOW_US = Date.UTC(2026, 10, 23) * 1_000;
const RUNBOOK = "https://wiki.example/press";

let sink: WebhookSink;
beforeAll(async () => {
  sink = await startWebhookSink();
});
afterEach(() => sink.answer((response) => response.end("ok")));
afterAll(() => sink.close());

/** Of a sink that is yet to start. */
const PLACE = { url: { value: "" }, sendResolved: true, timeoutMs: 5_000 };
const http = () => ({ url: { value: sink.url }, sendResolved: true, timeoutMs: 5_000 });

async function send(config: ChannelConfig, message: Message = notification()) {
  const channel = openChannel(config, options());
  const sent = await channel.send(message, new AbortController().signal);
  const { path, headers, body } = sink.posted.at(-1)!;
  return { sent, path, headers, body: JSON.parse(body.toString()) };
}

function options(): ChannelOptions {
  const addresses = new AddressGuard(["127.0.0.1"]);
  return { addresses, environment: {}, clock: manualClock(NOW_US), source: "/telltale" };
}

const PICTURE: Picture = {
  png: Buffer.from("\x89PNG\r\n\x1a\n-- not a real one \xff\0", "latin1"),
  summary: "Press 3 from 10:00 to 11:00: 61 to 98 °C; normal 70 to 73 °C",
  ...{ top: "100 °C", bottom: "60 °C", from: "10:00", to: "11:00", hasBand: true },
};

/** Sends with a picture. Answers with all that was posted. */
async function sendPictured(config: ChannelConfig, { message = notification(), png = PICTURE.png } = {}) {
  const first = sink.posted.length;
  const pictureOf = async () => ({ ...PICTURE, png });
  const channel = openChannel(config, { ...options(), pictureOf });
  const sent = await channel.send(message, new AbortController().signal);
  return { sent, posted: sink.posted.slice(first) };
}

/** As an attacker would name a sensor. */
const hostile = (text: string) =>
  notification({ alerts: [notifiedAlert({ annotations: { summary: text, description: text } })] });
const resolved = (given: Partial<Message> = {}) =>
  notification({ ...given, alerts: [notifiedAlert({ status: "resolved", endsUs: NOW_US - 1_000_000 })] });

describe("Slack", () => {
  const slack = (given: Partial<SlackConfig> = {}): SlackConfig => ({ kind: "slack", ...http(), fields: [], ...given });

  test("is sent an attachment with the alert's title, colour, facts and links", async () => {
    const { body } = await send(slack({ channel: "#plant", username: "Telltale" }));
    expect(body).toEqual({
      channel: "#plant",
      username: "Telltale",
      attachments: [
        {
          color: "#b3261e",
          fallback: "[CRITICAL] Press 3 is not as usual",
          title: "[CRITICAL] Press 3 is not as usual",
          title_link: "https://telltale.plant.example/",
          mrkdwn_in: ["text"],
          text: [
            "An alert is open.",
            "Sensor: *Press 3 (press-3/temperature)*\nType: *temperature*\nValue: *98.2 C*\nExpected: *71.4 C*\n" +
              "Since: *2026-11-22 23:43:28 UTC*\nSeverity: *critical*\nPlace: *hall 1*\ntemperature far above normal\n" +
              `<${RUNBOOK}|What to do>`,
            "<https://telltale.plant.example/|Open in Telltale>",
          ].join("\n\n"),
        },
      ],
    });
  });

  test("has texts and fields of the configuration, and the alert's own title where that is replaced", async () => {
    const field = { title: "Plant", value: "North", short: true };
    const { body } = await send(
      slack({ title: "Plant north", titleLink: "https://x.example", text: "@oncall", fields: [field] }),
    );
    expect(body.attachments[0]).toMatchObject({
      title: "Plant north",
      title_link: "https://x.example",
      fields: [field],
    });
    expect(body.attachments[0].text).toMatch(
      /^@oncall\n\nAn alert is open\.\n\n\*\[CRITICAL\] Press 3 is not as usual\*\n/,
    );
  });

  test("cannot be made to mention people or to link elsewhere by a sensor's texts", async () => {
    const { body } = await send(slack(), hostile("<!channel> & <https://evil.example|Open>"));
    expect(JSON.stringify(body)).not.toMatch(/<!channel>|<https:\/\/evil/);
    expect(body.attachments[0].title).toContain("&lt;!channel&gt; &amp; &lt;https://evil.example|Open&gt;");
  });

  test.each([
    ["ratelimited", "retry"],
    ["channel_not_found", "failed"],
  ])("that answers 200 with the error %s has not taken it: %s", async (error, kind) => {
    sink.answer((response) => response.end(JSON.stringify({ ok: false, error })));
    const { sent } = await send(slack());
    expect(sent).toEqual({ kind, reason: `answered 200: {"ok":false,"error":"${error}"}` });
  });
});

describe("Teams", () => {
  const teams = (given: Partial<TeamsConfig> = {}): TeamsConfig => ({
    kind: "msteams",
    picture: true,
    ...http(),
    ...given,
  });
  const texts = (body: { attachments: { content: { body: { inlines: { text: string }[] }[] } }[] }) =>
    body.attachments[0]!.content.body.map(({ inlines }) => inlines.map(({ text }) => text).join(""));

  test("is sent an Adaptive Card for a workflow", async () => {
    const { body } = await send(teams());
    expect(body).toMatchObject({
      type: "message",
      attachments: [
        {
          contentType: "application/vnd.microsoft.card.adaptive",
          content: {
            ...{ type: "AdaptiveCard", version: "1.4" },
            actions: [
              { type: "Action.OpenUrl", title: "Open in Telltale", url: "https://telltale.plant.example/" },
              { type: "Action.OpenUrl", title: "What to do", url: RUNBOOK },
            ],
          },
        },
      ],
    });
    expect(body.attachments[0].content.body[0].inlines[0]).toMatchObject({ color: "attention", weight: "bolder" });
    expect(texts(body)).toEqual([
      "[CRITICAL] Press 3 is not as usual",
      "An alert is open.",
      "Sensor: Press 3 (press-3/temperature)",
      ...["Type: temperature", "Value: 98.2 C", "Expected: 71.4 C", "Since: 2026-11-22 23:43:28 UTC"],
      ...["Severity: critical", "Place: hall 1", "temperature far above normal"],
    ]);
  });

  test("reads no Markdown in a sensor's texts", async () => {
    const { body } = await send(teams({ text: "Call 4711" }), hostile("[Open](https://evil.example)"));
    for (const { type } of body.attachments[0].content.body) expect(type).toBe("RichTextBlock");
    expect(texts(body)).toContain("Call 4711");
  });
});

describe("Discord", () => {
  const discord = (given: Partial<DiscordConfig> = {}): DiscordConfig => ({
    kind: "discord",
    picture: true,
    ...http(),
    ...given,
  });

  test("is sent an embed that mentions nobody", async () => {
    const { body } = await send(
      discord({ content: "Plant north", username: "Telltale" }),
      hostile("@everyone <@1> [x](y) _z_"),
    );
    expect(body).toMatchObject({
      ...{ content: "Plant north", username: "Telltale", allowed_mentions: { parse: [] } },
      embeds: [{ color: 0xb3261e, url: "https://telltale.plant.example/" }],
    });
    expect(body.embeds[0].description).toContain("@everyone \\<@1\\> \\[x\\](y) \\_z\\_");
    expect(body.embeds[0].description).toContain(`[What to do](${RUNBOOK})`);
  });
});

describe("a picture", () => {
  const discord: DiscordConfig = { kind: "discord", ...PLACE, picture: true };
  const telegram: TelegramConfig = {
    ...{ kind: "telegram", ...PLACE, botToken: { value: "1:abc" }, chatId: -5, messageThreadId: 7 },
    ...{ parseMode: "HTML", disableNotifications: true, picture: true },
  };
  const ntfy: NtfyConfig = { kind: "ntfy", ...PLACE, topic: { value: "plant" }, tags: ["factory"], picture: true };
  const teams: TeamsConfig = { kind: "msteams", ...PLACE, picture: true };
  const webhook: WebhookConfig = { kind: "webhook", ...PLACE, maxAlerts: 0, picture: true };
  const here = <T extends ChannelConfig>(config: T): T => ({ ...config, ...http() });

  test("comes to Discord as a file that the embed shows", async () => {
    const { sent, posted } = await sendPictured(here(discord));
    expect([sent, posted.length]).toEqual([{ kind: "ok" }, 1]);
    const parts = partsOf(posted[0]!.headers["content-type"]!, posted[0]!.body);
    expect(parts.get("files[0]")).toEqual({ filename: "alert.png", type: "image/png", body: PICTURE.png });
    expect(JSON.parse(String(parts.get("payload_json")!.body))).toMatchObject({
      allowed_mentions: { parse: [] },
      embeds: [
        {
          title: "[CRITICAL] Press 3 is not as usual",
          ...{ image: { url: "attachment://alert.png" }, footer: { text: PICTURE.summary } },
        },
      ],
      attachments: [{ id: 0, filename: "alert.png", description: PICTURE.summary }],
    });
  });

  test("comes to Telegram with the words as its caption, and stays away where there are too many of them", async () => {
    const { posted } = await sendPictured(here(telegram));
    expect(posted.map(({ path }) => path)).toEqual(["/bot1:abc/sendPhoto"]);
    const parts = partsOf(posted[0]!.headers["content-type"]!, posted[0]!.body);
    expect(parts.get("photo")).toMatchObject({ type: "image/png", body: PICTURE.png });
    const text = (name: string) => parts.get(name) && String(parts.get(name)!.body);
    expect(["chat_id", "message_thread_id", "parse_mode", "disable_notification"].map(text)).toEqual([
      ...["-5", "7", "HTML", "true"],
    ]);
    expect(text("caption")).toMatch(/^<b>\[CRITICAL\] Press 3 is not as usual<\/b>\n.*normal 70 to 73 °C$/s);
    const alerts = Array.from({ length: 12 }, (_, i) =>
      notifiedAlert({ id: String(i), annotations: { description: "x".repeat(150) } }),
    );
    const many = await sendPictured(here(telegram), { message: notification({ alerts }) });
    expect(many.posted.map(({ path }) => path)).toEqual(["/bot1:abc/sendMessage"]);
  });

  test("comes to ntfy as the file of a message whose words are headers", async () => {
    const alert = notifiedAlert({ annotations: { summary: "Prüfstand läuft heiß", description: "one\ntwo" } });
    const { posted } = await sendPictured(here(ntfy), { message: notification({ alerts: [alert] }) });
    const { path, headers, body } = posted[0]!;
    expect([path, headers["content-type"], headers["x-filename"]]).toEqual(["/plant", "image/png", "alert.png"]);
    expect(body).toEqual(PICTURE.png);
    const decoded = (name: string) => {
      const [, encoded] = /^=\?UTF-8\?B\?([A-Za-z0-9+/=]*)\?=$/.exec(headers[name] as string)!;
      return Buffer.from(encoded!, "base64").toString();
    };
    expect(decoded("x-title")).toBe("[CRITICAL] Prüfstand läuft heiß");
    expect(decoded("x-message")).toContain("one\\ntwo\\n\\nPress 3 from 10:00");
    expect(decoded("x-tags")).toBe("rotating_light,factory");
    expect(headers["x-priority"]).toBe("5");
    expect(JSON.parse(decoded("x-actions"))).toHaveLength(2);
  });

  test("stands in a card of Teams, and stays away where the card has no room for it", async () => {
    const cardOf = ({ body }: Posted) => JSON.parse(String(body)).attachments[0].content.body as object[];
    const { posted } = await sendPictured(here(teams));
    const url = `data:image/png;base64,${Buffer.from(PICTURE.png).toString("base64")}`;
    expect(cardOf(posted[0]!)).toContainEqual({ type: "Image", url, altText: PICTURE.summary, size: "stretch" });
    const large = await sendPictured(here(teams), { png: Buffer.alloc(20_000) });
    expect(large.posted[0]!.body.length).toBeLessThan(24_000);
    expect(cardOf(large.posted[0]!)).toEqual(cardOf(posted[0]!).slice(0, -2));
  });

  test("is in the JSON of a webhook", async () => {
    const { posted } = await sendPictured(here(webhook));
    expect(JSON.parse(String(posted[0]!.body)).picture).toEqual({
      ...{ contentType: "image/png", data: Buffer.from(PICTURE.png).toString("base64"), summary: PICTURE.summary },
    });
  });

  test.each([
    ["Discord", discord, "/"],
    ["Telegram", telegram, "/bot1:abc/sendMessage"],
    ["ntfy", ntfy, "/"],
    ["Teams", teams, "/"],
  ] as const)("that %s refuses does not cost the message", async (_, config, path) => {
    sink.answer((response, { body }) => {
      const isPictured = /image\/png|\x89PNG/.test(body.toString("latin1"));
      response.writeHead(isPictured ? 400 : 200).end();
    });
    const { sent, posted } = await sendPictured(here(config));
    expect([sent, posted.length, posted[1]!.path]).toEqual([{ kind: "ok" }, 2, path]);
    expect(String(posted[1]!.body)).toContain("Press 3 is not as usual");
  });

  test("that is late does not cost the time in which the message is to be sent", async () => {
    const pictureOf: ChannelOptions["pictureOf"] = (_, { withinMs = 60_000 } = {}) =>
      new Promise((resolve) => setTimeout(resolve, withinMs, undefined).unref());
    const channel = openChannel({ ...here(telegram), timeoutMs: 1_000 }, { ...options(), pictureOf });
    expect(await channel.send(notification(), new AbortController().signal)).toEqual({ kind: "ok" });
  });

  test.each([["Discord", discord] as const, ["webhook", webhook] as const])(
    "that is not wanted by the configuration is not made: %s",
    async (_, config) => {
      const { posted } = await sendPictured({ ...here(config), picture: false });
      expect(String(posted[0]!.body)).not.toContain("PNG");
      expect(JSON.parse(String(posted[0]!.body)).picture).toBeUndefined();
    },
  );
});

describe("PagerDuty", () => {
  const pagerDuty = (given: Partial<PagerDutyConfig> = {}): PagerDutyConfig => ({
    ...{ kind: "pagerduty", ...http(), routingKey: { value: "r0uting" } },
    ...given,
  });

  test("is sent an event that triggers, and one of the same key that resolves", async () => {
    sink.answer((response) => response.writeHead(202).end());
    const first = await send(pagerDuty());
    expect(first.sent).toEqual({ kind: "ok" });
    expect(first.body).toMatchObject({
      ...{ routing_key: "r0uting", event_action: "trigger", client: "Telltale" },
      ...{ client_url: "https://telltale.plant.example/", links: [{ href: RUNBOOK, text: "What to do" }] },
      payload: {
        ...{ summary: "[CRITICAL] Press 3 is not as usual", source: "press-3/temperature", severity: "critical" },
        ...{ timestamp: "2026-11-22T23:43:28.000000Z", group: "hall 1", class: "anomaly_detection" },
        custom_details: { alerts: expect.stringContaining("Expected: 71.4 C") },
      },
    });
    expect(first.body.dedup_key.length).toBeLessThanOrEqual(255);
    const over = await send(pagerDuty(), resolved({ key: "another" }));
    expect(over.body).toMatchObject({ event_action: "resolve", dedup_key: first.body.dedup_key });
    const other = await send(pagerDuty(), notification({ groupKey: "another" }));
    expect(other.body.dedup_key).not.toBe(first.body.dedup_key);
  });

  test.each([
    ["critical", "critical"],
    ["high", "error"],
    ["medium", "warning"],
    ["low", "info"],
    ["dreadful", "error"],
  ])("takes the severity %s for %s", async (severity, wanted) => {
    const { body } = await send(pagerDuty(), notification({ alerts: [notifiedAlert({ labels: { severity } })] }));
    expect(body.payload.severity).toBe(wanted);
  });

  test("has what the configuration fixes", async () => {
    const fixed = { severity: "info", class: "c", component: "k", group: "g", client: "Plant" } as const;
    const { body } = await send(pagerDuty({ ...fixed, clientUrl: "https://x.example" }));
    expect(body).toMatchObject({ client: "Plant", client_url: "https://x.example" });
    expect(body.payload).toMatchObject({ severity: "info", class: "c", component: "k", group: "g" });
  });
});

describe("Telegram", () => {
  const telegram = (given: Partial<TelegramConfig> = {}): TelegramConfig => ({
    ...{ kind: "telegram", ...http(), botToken: { value: "1:abc" }, chatId: -5, parseMode: "HTML" },
    ...{ disableNotifications: false, picture: true },
    ...given,
  });

  test("is sent a message to the chat by the bot", async () => {
    const { path, body } = await send(telegram({ messageThreadId: 7, disableNotifications: true }));
    expect(path).toBe("/bot1:abc/sendMessage");
    expect(body).toMatchObject({
      ...{ chat_id: -5, message_thread_id: 7, parse_mode: "HTML", disable_notification: true },
      link_preview_options: { is_disabled: true },
    });
    expect(body.text).toMatch(/^<b>\[CRITICAL\] Press 3 is not as usual<\/b>\nAn alert is open\./);
    expect(body.text).toContain(`<a href="${RUNBOOK}">What to do</a>`);
  });

  test.each([
    ["HTML", "&lt;b&gt;x&lt;/b&gt; a_b*c.", "HTML"],
    ["MarkdownV2", "<b\\>x</b\\> a\\_b\\*c\\.", "MarkdownV2"],
    ["", "<b>x</b> a_b*c.", undefined],
  ] as const)("in the mode %j shows marks in a sensor's texts as they are", async (parseMode, wanted, sent) => {
    const { body } = await send(telegram({ parseMode }), hostile("<b>x</b> a_b*c."));
    expect(body.text).toContain(wanted);
    expect(body.parse_mode).toBe(sent);
  });
});

describe("ntfy", () => {
  const ntfy = (given: Partial<NtfyConfig> = {}): NtfyConfig => ({
    ...{ kind: "ntfy", ...http(), topic: { value: "plant" }, tags: ["factory"], picture: true },
    ...given,
  });

  test("is sent a message with priority, tags and links", async () => {
    const { path, headers, body } = await send(ntfy({ token: { value: "tk_1" } }));
    expect([path, headers.authorization]).toEqual(["/", "Bearer tk_1"]);
    expect(body).toMatchObject({
      ...{ topic: "plant", title: "[CRITICAL] Press 3 is not as usual", priority: 5 },
      ...{ tags: ["rotating_light", "factory"], click: "https://telltale.plant.example/" },
      actions: [
        { action: "view", label: "Open", url: "https://telltale.plant.example/" },
        { action: "view", label: "What to do", url: RUNBOOK },
      ],
    });
    expect(body.message).not.toContain("https://");
  });

  test.each([
    ["high", 4],
    ["medium", 3],
    ["low", 2],
    ["dreadful", 3],
  ])("gives the severity %s the priority %d", async (severity, priority) => {
    const { body } = await send(ntfy(), notification({ alerts: [notifiedAlert({ labels: { severity } })] }));
    expect(body.priority).toBe(priority);
  });

  test("tells quietly that it is over", async () => {
    expect((await send(ntfy(), resolved())).body).toMatchObject({ priority: 2, tags: ["white_check_mark", "factory"] });
  });
});

describe("Alertmanager", () => {
  const alertmanager = (): AlertmanagerConfig => ({ kind: "alertmanager", ...http() });
  const AHEAD = "2026-11-23T00:04:00.000000Z";

  test("is sent each alert with an end that lies ahead, and names of labels as it takes them", async () => {
    const labels = { "site.name": "north", "1st": "x", empty: "" };
    const { path, body } = await send(alertmanager(), notification({ alerts: [notifiedAlert({ labels })] }));
    expect(path).toBe("/api/v2/alerts");
    expect(body).toEqual([
      {
        labels: {
          ...{ alertname: "anomaly_detection", severity: "critical", sensor_id: "press-3/temperature" },
          ...{ sensor_type: "temperature", location: "hall 1", site_name: "north", _1st: "x" },
        },
        annotations: expect.objectContaining({ summary: "Press 3 is not as usual", runbook_url: RUNBOOK }),
        ...{ startsAt: "2026-11-22T23:43:28.000000Z", endsAt: AHEAD, generatorURL: "https://telltale.plant.example/" },
      },
    ]);
  });

  test("hears of the end of the severity that it was told before", async () => {
    const { body } = await send(alertmanager(), notification({ alerts: [notifiedAlert({ toldSeverity: "low" })] }));
    expect(
      body.map((each: { labels: { severity: string }; endsAt: string }) => [each.labels.severity, each.endsAt]),
    ).toEqual([
      ["low", "2026-11-23T00:00:00.000000Z"],
      ["critical", AHEAD],
    ]);
    // Worse since then and over: it knows only what it was told.
    const alert = notifiedAlert({ status: "resolved", endsUs: NOW_US + 5_000_000, toldSeverity: "low" });
    const over = await send(alertmanager(), notification({ alerts: [alert] }));
    expect(over.body).toHaveLength(1);
    expect(over.body[0]).toMatchObject({ labels: { severity: "low" }, endsAt: "2026-11-23T00:00:00.000000Z" });
  });
});

describe("a text of the configuration in place of ours", () => {
  test("is Slack's text, with what stands around it, and the buttons stay", async () => {
    const config: SlackConfig = { kind: "slack", ...http(), fields: [], body: "*own*", pretext: "a", footer: "b" };
    const { body } = await send({ ...config, fallback: "c" });
    const shown = { text: "*own*", pretext: "a", footer: "b", fallback: "c", mrkdwn_in: ["text", "pretext"] };
    expect(body.attachments[0]).toMatchObject(shown);
  });

  test("is Discord's description, and what Telegram and PagerDuty show", async () => {
    const discord = await send({ kind: "discord", ...http(), picture: false, body: "**own**" });
    expect(discord.body.embeds[0].description).toBe("**own**");
    const details = { details: { team: "north" }, description: "own" };
    const pagerDuty = await send({ kind: "pagerduty", ...http(), routingKey: { value: "key" }, ...details });
    expect(pagerDuty.body.payload.summary).toBe("own");
    expect(pagerDuty.body.payload.custom_details).toEqual({ alerts: expect.any(String), team: "north" });
    const chat = { botToken: { value: "1:a" }, chatId: 1, parseMode: "HTML", disableNotifications: false } as const;
    const telegram: TelegramConfig = { kind: "telegram", ...http(), ...chat, picture: false };
    expect((await send({ ...telegram, body: "<b>own</b>" })).body.text).toBe("<b>own</b>");
    // Telegram refuses what is empty.
    expect((await send({ ...telegram, body: " \n" })).body.text).toContain("Press 3 is not as usual");
  });

  test("is lines of Teams' card, as many as have room", async () => {
    const teams: TeamsConfig = { kind: "msteams", ...http(), picture: false };
    const texts = (card: { body: { inlines: { text: string }[] }[] }) =>
      card.body.map(({ inlines }) => inlines[0]!.text);
    const short = await send({ ...teams, title: "T", body: "one\n\ntwo" });
    expect(texts(short.body.attachments[0].content)).toEqual(["T", "one", "two"]);
    const long = await send({ ...teams, title: "T", body: "é\n".repeat(2_000) });
    expect(texts(long.body.attachments[0].content)).toHaveLength(61);
    expect(JSON.stringify(long.body).length).toBeLessThan(24_000);
  });
});
