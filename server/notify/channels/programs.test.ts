/** What each program is sent: the forms that their documentation asks for, and texts of others made harmless. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { notification, notifiedAlert } from "../../../testing/notification.ts";
import { startWebhookSink, type WebhookSink } from "../../../testing/webhook-sink.ts";
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
} from "../config/config.ts";
import type { Message } from "../message.ts";
import { AddressGuard } from "./addresses.ts";
import { openChannel } from "./open.ts";

const NOW_US = Date.UTC(2026, 10, 23) * 1_000;
const RUNBOOK = "https://wiki.example/press";

let sink: WebhookSink;
beforeAll(async () => {
  sink = await startWebhookSink();
});
afterEach(() => sink.answer((response) => response.end("ok")));
afterAll(() => sink.close());

const http = () => ({ url: { value: sink.url }, sendResolved: true, timeoutMs: 5_000 });

async function send(config: ChannelConfig, message: Message = notification()) {
  const addresses = new AddressGuard(["127.0.0.1"]);
  const channel = openChannel(config, { addresses, environment: {}, clock: manualClock(NOW_US), source: "/telltale" });
  const sent = await channel.send(message, new AbortController().signal);
  const { path, headers, body } = sink.posted.at(-1)!;
  return { sent, path, headers, body: JSON.parse(body.toString()) };
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
  const teams = (given: Partial<TeamsConfig> = {}): TeamsConfig => ({ kind: "msteams", ...http(), ...given });
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
  const discord = (given: Partial<DiscordConfig> = {}): DiscordConfig => ({ kind: "discord", ...http(), ...given });

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
    ...{ disableNotifications: false },
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
    ...{ kind: "ntfy", ...http(), topic: { value: "plant" }, tags: ["factory"] },
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
