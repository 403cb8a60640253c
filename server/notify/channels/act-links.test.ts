/** How each channel offers to act on an alert. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { notification, notifiedAlert } from "../../../testing/notification.ts";
import { startWebhookSink, type WebhookSink } from "../../../testing/webhook-sink.ts";
import { manualClock } from "../../clock.ts";
import type { ChannelConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import { pushPayload } from "../push/payload.ts";
import { AddressGuard } from "./addresses.ts";
import { mailHtml } from "./mail/html.ts";
import { mailText } from "./mail/text.ts";
import { openChannel } from "./open.ts";
import { messageView } from "./view.ts";

const ACT = "https://telltale.plant.example/act/abc";
const one = (actUrl = ACT) => notification({ alerts: [notifiedAlert({ actUrl })] });
const two = () =>
  notification({ alerts: [notifiedAlert({ actUrl: ACT }), notifiedAlert({ id: "4712", actUrl: `${ACT}2` })] });
const over = () => notification({ alerts: [notifiedAlert({ status: "resolved", endsUs: 1e15, actUrl: ACT })] });

let sink: WebhookSink;
beforeAll(async () => {
  sink = await startWebhookSink();
});
afterAll(() => sink.close());

async function sent(config: object, message: Message) {
  const http = { url: { value: sink.url }, sendResolved: true, timeoutMs: 5_000, fields: [], tags: [], maxAlerts: 0 };
  const addresses = new AddressGuard(["127.0.0.1"]);
  const options = { addresses, environment: {}, clock: manualClock(0), source: "/telltale" };
  const channel = openChannel({ ...http, ...config } as unknown as ChannelConfig, options);
  expect(await channel.send(message, new AbortController().signal)).toEqual({ kind: "ok" });
  return JSON.parse(String(sink.posted.at(-1)!.body));
}

test("an e-mail has a button in HTML, and the address in text", () => {
  const view = messageView(one(), { maxAlerts: 20, maxText: 1_000 });
  expect(mailText(view)).toContain(`\n  Acknowledge or silence: ${ACT}\n`);
  expect(mailHtml(view)).toMatch(
    /<a href="https:\/\/telltale.plant.example\/act\/abc" style="[^"]+">Acknowledge or silence<\/a>/,
  );
  const ended = messageView(over(), { maxAlerts: 20, maxText: 1_000 });
  expect(mailText(ended)).toContain(`  Right or wrong?: ${ACT}\n`);
});

test("a receiver that quotes the message in its refusal gives no link away: whoever has one may act", async () => {
  const link = "Q2hlY2sgdGhpcyBsaW5rIG91dC1zaWduZWQ";
  sink.answer((response, { body }) => {
    const [quoted] = /"actURL":"[^"]+"/.exec(String(body))!;
    response.writeHead(400).end(`cannot take ${quoted}`);
  });
  const http = { kind: "webhook", url: { value: sink.url }, sendResolved: true, timeoutMs: 5_000, maxAlerts: 0 };
  const addresses = new AddressGuard(["127.0.0.1"]);
  const options = { addresses, environment: {}, clock: manualClock(0), source: "/telltale" };
  const channel = openChannel(http as unknown as ChannelConfig, options);
  const refused = await channel.send(one(`https://t.example/act/${link}`), new AbortController().signal);
  sink.answer((response) => response.writeHead(200).end());
  expect(refused).toMatchObject({ kind: "failed", reason: expect.stringContaining("https://t.example/act/***") });
  expect(JSON.stringify(refused)).not.toContain(link);
});

test("a browser has buttons of its own, and no address in its text", () => {
  const { payload } = pushPayload(two());
  expect(JSON.parse(String(payload)).body).not.toContain("https:");
});

test("a webhook has it beside Alertmanager's fields, for each alert", async () => {
  const { alerts } = await sent({ kind: "webhook" }, two());
  expect(alerts.map(({ actURL }: { actURL: string }) => actURL)).toEqual([ACT, `${ACT}2`]);
  const without = await sent({ kind: "webhook" }, notification());
  expect(without.alerts[0]).not.toHaveProperty("actURL");
});

test("Slack has buttons that are links", async () => {
  const { attachments } = await sent({ kind: "slack" }, one());
  expect(attachments[0].actions).toEqual([
    { type: "button", text: "Acknowledge", url: `${ACT}?act=acknowledge` },
    { type: "button", text: "Silence 1 h", url: `${ACT}?act=silence_1h` },
    { type: "button", text: "More", url: ACT },
  ]);
  expect(attachments[0].text).not.toContain(ACT);
  const several = await sent({ kind: "slack" }, two());
  expect(several.attachments[0]).not.toHaveProperty("actions");
  expect(several.attachments[0].text).toContain(`<${ACT}|Acknowledge or silence>`);
  expect(several.attachments[0].text).toContain(`<${ACT}2|Acknowledge or silence>`);
});

test("Telegram has a keyboard, and a link where it would refuse the host", async () => {
  const telegram = { kind: "telegram", botToken: { value: "1:a" }, chatId: 1, parseMode: "HTML" };
  const body = await sent(telegram, over());
  expect(body.reply_markup).toEqual({
    inline_keyboard: [
      [
        { text: "Right", url: `${ACT}?act=right` },
        { text: "Wrong", url: `${ACT}?act=wrong` },
      ],
    ],
  });
  const local = await sent(telegram, one("http://telltale:8000/act/abc"));
  expect(local).not.toHaveProperty("reply_markup");
  expect(local.text).toContain('<a href="http://telltale:8000/act/abc">Acknowledge or silence</a>');
});

test("Teams has actions, and a link for each of several alerts", async () => {
  const card = (body: { attachments: { content: Record<string, object[]> }[] }) => body.attachments[0]!.content;
  expect(card(await sent({ kind: "msteams" }, one())).actions).toContainEqual({
    ...{ type: "Action.OpenUrl", title: "Acknowledge" },
    url: `${ACT}?act=acknowledge`,
  });
  expect(JSON.stringify(card(await sent({ kind: "msteams" }, two())).body)).toContain(`"url":"${ACT}2"`);
});

test("Discord has links in its text", async () => {
  const { embeds } = await sent({ kind: "discord" }, one());
  expect(embeds[0].description).toContain(`[Acknowledge or silence](${ACT})`);
});

describe("ntfy", () => {
  const ntfy = { kind: "ntfy", topic: { value: "t" } };
  test("posts by itself what needs no look at the page", async () => {
    const { actions } = await sent(ntfy, one());
    expect(actions).toEqual([
      { action: "http", label: "Acknowledge", url: `${ACT}?act=acknowledge`, method: "POST", clear: true },
      { action: "http", label: "Silence 1 h", url: `${ACT}?act=silence_1h`, method: "POST", clear: true },
      { action: "view", label: "More", url: ACT },
    ]);
  });

  test("has none for several alerts", async () => {
    const { actions } = await sent(ntfy, two());
    expect(actions.map(({ action }: { action: string }) => action)).toEqual(["view", "view"]);
  });
});

test("PagerDuty has links of the incident", async () => {
  const { links } = await sent({ kind: "pagerduty", routingKey: { value: "k" } }, two());
  expect(links).toEqual([
    { href: "https://wiki.example/press", text: "What to do" },
    { href: ACT, text: "Acknowledge or silence: Press 3 is not as usual" },
    { href: `${ACT}2`, text: "Acknowledge or silence: Press 3 is not as usual" },
  ]);
});
