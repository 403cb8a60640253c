/** Webhooks: what receivers of Alertmanager, CloudEvents and Standard Webhooks find. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { notification, notifiedAlert } from "../../../testing/notification.ts";
import { startWebhookSink, type WebhookSink } from "../../../testing/webhook-sink.ts";
import { manualClock } from "../../clock.ts";
import type { WebhookConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import { AddressGuard } from "./addresses.ts";
import { MAX_BODY_BYTES } from "./limits.ts";
import { openChannel } from "./open.ts";

const GUIDE = readFileSync(new URL("../../../docs/guides/notification-channels.md", import.meta.url), "utf8");
const NOW_US = Math.floor(Date.now() / 1_000) * 1e6;
const BASE64_KEY = `whsec_${Buffer.from("a key of thirty-two random bytes").toString("base64")}`;

let sink: WebhookSink;
beforeAll(async () => {
  sink = await startWebhookSink();
});
afterEach(() => sink.answer((response) => response.end()));
afterAll(() => sink.close());

async function send(message: Message, given: Partial<WebhookConfig> = {}) {
  const config: WebhookConfig = {
    kind: "webhook",
    url: { value: `${sink.url}/hook` },
    sendResolved: true,
    maxAlerts: 0,
    picture: true,
    timeoutMs: 5_000,
    ...given,
  };
  const addresses = new AddressGuard(["127.0.0.1"]);
  const channel = openChannel(config, { addresses, environment: {}, clock: manualClock(NOW_US), source: "/telltale" });
  const sent = await channel.send(message, new AbortController().signal);
  return { sent, posted: sink.posted.at(-1)! };
}

const body = (posted: { body: Buffer }) => JSON.parse(posted.body.toString());

test("the body is Alertmanager's, version 4", async () => {
  const alerts = [
    notifiedAlert(),
    notifiedAlert({ id: "2", status: "resolved", startsUs: 1_000_001, endsUs: 61_000_000, labels: { sensor_id: "b" } }),
  ];
  const { sent, posted } = await send(notification({ alerts, truncatedAlerts: 3 }));
  expect(sent).toEqual({ kind: "ok" });
  expect(posted).toMatchObject({ method: "POST", path: "/hook" });
  expect(posted.headers["content-type"]).toBe("application/json");
  expect(body(posted)).toEqual({
    version: "4",
    groupKey: '{}:{sensor_id="press-3/temperature"}',
    truncatedAlerts: 3,
    status: "firing",
    receiver: "night shift",
    groupLabels: { sensor_id: "press-3/temperature" },
    commonLabels: alerts[0]!.labels,
    commonAnnotations: {},
    externalURL: "https://telltale.plant.example/",
    alerts: [
      {
        status: "firing",
        labels: alerts[0]!.labels,
        annotations: alerts[0]!.annotations,
        startsAt: "2026-11-22T23:43:28.000000Z",
        endsAt: "0001-01-01T00:00:00Z",
        generatorURL: "https://telltale.plant.example/",
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
      expect.objectContaining({
        status: "resolved",
        startsAt: "1970-01-01T00:00:01.000001Z",
        endsAt: "1970-01-01T00:01:01.000000Z",
      }),
    ],
  });
});

test("the headers are those of a CloudEvent, whatever characters the key has", async () => {
  const { posted } = await send(notification({ key: 'key "1" 100 % ü\r\n' }));
  const id = "key%20%221%22%20100%20%25%20%C3%BC%0D%0A";
  expect(posted.headers).toMatchObject({
    "ce-specversion": "1.0",
    "ce-id": id,
    "idempotency-key": id,
    "ce-type": "telltale.notification.firing",
    "ce-source": "/telltale",
    "ce-time": "2026-11-22T23:43:28.000000Z",
  });
  expect(posted.headers["webhook-signature"]).toBeUndefined();
});

test("of more alerts than the receiver wants, the first are sent and the rest is counted", async () => {
  const alerts = Array.from({ length: 5 }, (_, id) => notifiedAlert({ id: String(id) }));
  const { posted } = await send(notification({ alerts, truncatedAlerts: 1 }), { maxAlerts: 2 });
  expect(body(posted)).toMatchObject({ truncatedAlerts: 4, alerts: { length: 2 } });
});

test("a storm has a body of at most a megabyte, and says how many alerts are not in it", async () => {
  const description = "long ".repeat(200);
  const alerts = Array.from({ length: 2_000 }, (_, id) =>
    notifiedAlert({ id: String(id), annotations: { description } }),
  );
  // Making the body counts as well, and it is of twenty times as many alerts as a message has.
  const { sent: outcome, posted } = await send(notification({ alerts }), { timeoutMs: 60_000 });
  expect(outcome).toEqual({ kind: "ok" });
  expect(posted.body.length).toBeLessThanOrEqual(MAX_BODY_BYTES);
  expect(posted.body.length).toBeGreaterThan(MAX_BODY_BYTES / 2);
  const { alerts: sent, truncatedAlerts } = body(posted);
  expect(sent.length + truncatedAlerts).toBe(2_000);
});

test.each([["a key as it is"], [BASE64_KEY]])(
  "a library of Standard Webhooks takes the signature by %s",
  async (key) => {
    const { posted } = await send(notification(), { signingKey: { value: key } });
    const verifier = key === BASE64_KEY ? new StandardWebhook(key) : new StandardWebhook(key, { format: "raw" });
    const headers = posted.headers as Record<string, string>;
    expect(verifier.verify(posted.body.toString(), headers)).toMatchObject({ version: "4" });
    expect(() => verifier.verify(`${posted.body} `, headers)).toThrow("signature");
  },
);

test("the guide's example in Node takes what is genuine, and nothing else", async () => {
  const source = /```js\n([\s\S]*?)```/.exec(GUIDE)![1]!;
  const { isGenuine } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const { posted } = await send(notification(), { signingKey: { value: "secret" } });
  const old = { ...posted.headers, "webhook-timestamp": String(Number(posted.headers["webhook-timestamp"]) - 1_000) };
  expect(isGenuine(posted.headers, posted.body, "secret")).toBe(true);
  expect(isGenuine(posted.headers, posted.body, "another")).toBe(false);
  expect(isGenuine(posted.headers, Buffer.concat([posted.body, Buffer.from(" ")]), "secret")).toBe(false);
  expect(isGenuine(old, posted.body, "secret")).toBe(false);
  expect(isGenuine({}, posted.body, "secret")).toBe(false);
});

test("the guide's example in Python does too", async () => {
  const source = /```python\n([\s\S]*?)```/.exec(GUIDE)![1]!;
  const { posted } = await send(notification(), { signingKey: { value: "secret" } });
  const program = `${source}
import json, sys
headers, body = json.loads(sys.argv[1]), sys.argv[2].encode()
print(is_genuine(headers, body, b"secret"), is_genuine(headers, body, b"another"), is_genuine(headers, body + b" ", b"secret"))`;
  const { stdout } = await promisify(execFile)("python3", [
    ...["-c", program, JSON.stringify(posted.headers), posted.body.toString()],
  ]);
  expect(stdout.trim()).toBe("True False False");
});

test.each([
  [429, "7", 7_000],
  [503, new Date(NOW_US / 1_000 + 90_000).toUTCString(), 90_000],
  [500, new Date(NOW_US / 1_000 - 90_000).toUTCString(), 0],
  [429, "99999999", 86_400_000],
])("%d with Retry-After %s is tried again after %d ms", async (status, header, afterMs) => {
  sink.answer((response) => response.writeHead(status, { "retry-after": header }).end());
  expect((await send(notification())).sent).toEqual({ kind: "retry", reason: `answered ${status}`, afterMs });
});

test.each(["soon", "-5", "1.5", "2026-11-29"])("Retry-After %s is none", async (header) => {
  sink.answer((response) => response.writeHead(503, { "retry-after": header }).end());
  expect((await send(notification())).sent).toEqual({ kind: "retry", reason: "answered 503" });
});

test.each([408, 425])("%d is tried again", async (status) => {
  sink.answer((response) => response.writeHead(status).end());
  expect((await send(notification())).sent.kind).toBe("retry");
});

test.each([301, 302, 307, 308])("%d is not followed", async (status) => {
  const before = sink.posted.length;
  sink.answer((response) => response.writeHead(status, { location: `${sink.url}/elsewhere?secret=1` }).end());
  const { sent } = await send(notification());
  const reason = `answered ${status}, which leads to ${sink.url}: redirects are not followed`;
  expect(sent).toEqual({ kind: "failed", reason });
  expect(sink.posted).toHaveLength(before + 1);
});

test("an answer that says 200 and breaks off, or never ends, is a yes", async () => {
  sink.answer((response) => {
    response.writeHead(200, { "content-length": "100" }).write("x");
    setImmediate(() => response.destroy());
  });
  expect((await send(notification())).sent).toEqual({ kind: "ok" });
  sink.answer((response) => response.writeHead(200).write("x".repeat(100_000)));
  expect((await send(notification())).sent).toEqual({ kind: "ok" });
  sink.answer((response) => response.writeHead(200).write("x"));
  // Long enough for the answer to begin on a loaded machine.
  expect((await send(notification(), { timeoutMs: 2_000 })).sent).toEqual({ kind: "ok" });
});

test("an answer that takes longer than the timeout is tried again, and the reason says how long it took", async () => {
  sink.answer(() => {});
  const { sent } = await send(notification(), { timeoutMs: 50 });
  expect(sent).toEqual({ kind: "retry", reason: "given up: no answer within 50 ms" });
});

test("the body says why it is sent, and has the labels of its route", async () => {
  const { posted } = await send(notification({ why: "new alerts added", routeLabels: { team: "north" } }));
  expect(JSON.parse(String(posted.body))).toMatchObject({
    ...{ notification_reason: "new alerts added", routeLabels: { team: "north" } },
  });
});

test("a user and password are sent as configured, or as they stand in the URL", async () => {
  const password = { value: "p:ss wörd" };
  const wanted = `Basic ${Buffer.from("ann:p:ss wörd").toString("base64")}`;
  expect((await send(notification(), { basicAuth: { username: "ann", password } })).posted.headers.authorization).toBe(
    wanted,
  );
  const url = { value: `http://ann:p%3Ass%20w%C3%B6rd@127.0.0.1:${sink.port}/` };
  expect((await send(notification(), { url })).posted.headers.authorization).toBe(wanted);
});

test("credentials that the receiver quotes do not get into the reason", async () => {
  sink.answer((response, { headers }) => response.writeHead(401).end(`not with ${headers.authorization}`));
  const basicAuth = { username: "ann", password: { value: "password" } };
  const url = { value: `http://ann:password@127.0.0.1:${sink.port}/` };
  for (const given of [{ basicAuth }, { url }]) {
    expect((await send(notification(), given)).sent).toEqual({
      kind: "failed",
      reason: "answered 401: not with Basic ***",
    });
  }
});

test("a line break in a secret fails before anything is sent", async () => {
  const before = sink.posted.length;
  const authorization = { type: "Bearer", credentials: { value: "a\r\nX-Injected: yes" } };
  const { sent } = await send(notification(), { authorization });
  expect(sent).toMatchObject({ kind: "failed", reason: expect.stringContaining('["authorization"]') });
  expect(sink.posted).toHaveLength(before);
});

test.each([
  ["file:///etc/passwd", 'the URL begins with "file:", but it must begin with http:// or https://'],
  ["not an address, but secret", "the URL is none"],
  [
    "http://0x7f000002/",
    "127.0.0.2 is a loopback address: if messages may go there, add 127.0.0.2 to NOTIFY_ALLOWED_HOSTS",
  ],
])("%s is refused", async (url, reason) => {
  expect((await send(notification(), { url: { value: url } })).sent).toEqual({ kind: "failed", reason });
});
