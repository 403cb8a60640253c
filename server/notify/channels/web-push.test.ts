/** What web push adds to the promises of all channels, tried against a receiver that decrypts as a browser does. */
import { createPublicKey } from "node:crypto";
import { jwtVerify } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Authority, createAuthority } from "../../../testing/certificates.ts";
import { startHttpProxy } from "../../../testing/http-proxy.ts";
import { notification, notifiedAlert } from "../../../testing/notification.ts";
import { browserKeys, type KeptBrowsers, keptBrowsers } from "../../../testing/push.ts";
import { startWebhookSink, type WebhookSink } from "../../../testing/webhook-sink.ts";
import { systemClock } from "../../clock.ts";
import type { WebPushConfig } from "../config/config.ts";
import { newPrivateKey, pushKey } from "../push/key.ts";
import { AddressGuard } from "./addresses.ts";
import { webPush } from "./web-push.ts";

const KEY = newPrivateKey().toString("base64url");
const forever = () => new AbortController().signal;

describe("web push", () => {
  let authority: Authority;
  let sink: WebhookSink;
  const keys = browserKeys();
  /** Status by path; 201 for the others. */
  const answers = new Map<string, number>();
  beforeAll(async () => {
    authority = createAuthority();
    sink = await startWebhookSink(authority.issue("localhost"));
    sink.answer((response, { path }) => response.writeHead(answers.get(path) ?? 201).end());
  });
  afterEach(() => answers.clear());
  afterAll(async () => {
    await sink.close();
    authority.remove();
  });

  const endpoint = (path: string) => `https://localhost:${sink.port}${path}`;
  function open(browsers: KeptBrowsers, given: Partial<WebPushConfig> = {}) {
    const config: WebPushConfig = {
      ...{ kind: "web_push", callers: [], ttlMs: 90_500, sendResolved: true, timeoutMs: 10_000 },
      ...{ tls: { caFile: authority.caFile }, ...given },
    };
    const addresses = new AddressGuard(["127.0.0.1"]);
    const source = "https://telltale.plant.example";
    return webPush(config, { addresses, environment: { KEY }, clock: systemClock, source, browsers });
  }
  function browsersAt(...paths: string[]): KeptBrowsers {
    const browsers = keptBrowsers({ env: "KEY" });
    for (const path of paths) browsers.add(keys, { endpoint: endpoint(path) });
    return browsers;
  }
  const payloads = (from: number) => sink.posted.slice(from).map(({ body }) => JSON.parse(keys.decrypt(body)));
  const pathsSince = (from: number) => sink.posted.slice(from).map(({ path }) => path);

  it("names the platform by a token that its key has signed, and says how long and how urgent it is", async () => {
    expect(await open(browsersAt("/a")).send(notification(), forever())).toEqual({ kind: "ok" });
    const { headers } = sink.posted.at(-1)!;
    expect(headers).toMatchObject({ ttl: "90", urgency: "high", "content-encoding": "aes128gcm" });
    const [, token, key] = /^vapid t=([^,]+), k=(.+)$/.exec(headers.authorization!)!;
    const { publicKey } = pushKey(KEY, "KEY");
    expect(key).toBe(publicKey);
    const point = Buffer.from(publicKey, "base64url");
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString("base64url"));
    const verified = createPublicKey({ key: { kty: "EC", crv: "P-256", x: x!, y: y! }, format: "jwk" });
    const { payload } = await jwtVerify(token!, verified, { audience: `https://localhost:${sink.port}` });
    expect(payload.sub).toBe("https://telltale.plant.example");
  });

  it("gives messages of one group one topic, so that an unread one is replaced, and those of others another", async () => {
    const channel = open(browsersAt("/a"));
    const before = sink.posted.length;
    const resolved = notifiedAlert({ status: "resolved", endsUs: Date.now() * 1_000 });
    await channel.send(notification({ key: "1" }), forever());
    await channel.send(notification({ key: "2", alerts: [resolved] }), forever());
    await channel.send(notification({ key: "3", groupKey: "another" }), forever());
    const [first, second, third] = sink.posted.slice(before).map(({ headers }) => headers);
    expect(first!.topic).toMatch(/^[\w-]{32}$/);
    expect(second!.topic).toBe(first!.topic);
    expect(third!.topic).not.toBe(first!.topic);
    expect(second!.urgency).toBe("low");
    const [shown, over, other] = payloads(before);
    expect(over.tag).toBe(shown.tag);
    expect(other.tag).not.toBe(shown.tag);
    expect(shown).toMatchObject({ page: "alerts/4711", alerts: ["4711"], received: [] });
    expect(over).toMatchObject({ page: "alerts/4711", alerts: [] });
  });

  it("keeps a browser where a proxy opens no connection to its push service, whatever that answers", async () => {
    const proxy = await startHttpProxy({ refusal: "410 Gone" });
    const browsers = browsersAt("/a");
    const sent = await open(browsers, { proxy: { from: { value: `http://127.0.0.1:${proxy.port}` } } }).send(
      notification(),
      forever(),
    );
    expect(sent).toMatchObject({ kind: "failed" });
    expect(browsers.all).toHaveLength(1);
    await proxy.close();
  });

  it.each([404, 410])("removes a browser that its push service answers with %i, and tells the others", async (gone) => {
    const browsers = browsersAt("/gone", "/there");
    answers.set("/gone", gone);
    expect(await open(browsers).send(notification(), forever())).toEqual({ kind: "ok" });
    expect(browsers.all.map((each) => each.endpoint)).toEqual([endpoint("/there")]);
    expect(browsers.taken).toEqual([browsers.all[0]!.id]);
  });

  it("says that nobody was notified where no browser is left", async () => {
    const browsers = browsersAt("/gone");
    answers.set("/gone", 410);
    const channel = open(browsers);
    const reason = expect.stringContaining("no browser is subscribed");
    expect(await channel.send(notification(), forever())).toEqual({ kind: "failed", reason });
    expect(await channel.send(notification(), forever())).toEqual({ kind: "failed", reason });
  });

  it("repeats a message only to browsers that do not have it", async () => {
    const channel = open(browsersAt("/busy", "/there"));
    answers.set("/busy", 503);
    const before = sink.posted.length;
    const sent = await channel.send(notification(), forever());
    expect(sent).toEqual({ kind: "retry", reason: expect.stringContaining("1 of 2 browsers: answered 503") });
    answers.clear();
    expect(await channel.send(notification(), forever())).toEqual({ kind: "ok" });
    expect(pathsSince(before).sort()).toEqual(["/busy", "/busy", "/there"]);
    // The next message is for both.
    await channel.send(notification({ key: "next" }), forever());
    expect(pathsSince(before)).toHaveLength(5);
  });

  it("tells a caller of a prefix only of its sensors, and only the callers that the receiver names", async () => {
    const browsers = keptBrowsers({ env: "KEY" });
    browsers.add(keys, { endpoint: endpoint("/line-3"), sensorPrefix: "line-3/" });
    browsers.add(keys, { endpoint: endpoint("/line-4"), sensorPrefix: "line-4/" });
    browsers.add(keys, { endpoint: endpoint("/bob"), caller: "bob" });
    const alerts = ["line-3/a", "line-9/b"].map((id, at) =>
      notifiedAlert({ id: `${at + 1}`, labels: { sensor_id: id }, annotations: { display_name: id, summary: id } }),
    );
    const before = sink.posted.length;
    const message = notification({ alerts, groupLabels: {}, truncatedAlerts: 7 });
    expect(await open(browsers, { callers: ["ann"] }).send(message, forever())).toEqual({ kind: "ok" });
    expect(pathsSince(before)).toEqual(["/line-3"]);
    const [payload] = payloads(before);
    expect(payload).toMatchObject({ page: "alerts/1", alerts: ["1"] });
    expect(JSON.stringify(payload)).not.toContain("line-9");
    const others = notification({ alerts: [alerts[1]!] });
    expect(await open(browsers, { callers: ["ann"] }).send(others, forever())).toMatchObject({ kind: "failed" });
  });

  it("offers to acknowledge alerts of other programs too, but never more than it counts", async () => {
    const received = String(2 ** 53 - 2 ** 42 + 5);
    const before = sink.posted.length;
    const channel = open(browsersAt("/a"));
    const ids = [received, "12", "channel-broken"];
    const alerts = ids.map((id) => notifiedAlert({ id }));
    await channel.send(notification({ key: "1", alerts }), forever());
    const many = Array.from({ length: 11 }, (_, at) => notifiedAlert({ id: `${at + 1}` }));
    await channel.send(notification({ key: "2", alerts: many }), forever());
    const [few, all] = payloads(before);
    expect(few).toMatchObject({ alerts: ["12"], received: [received], page: "alerts" });
    expect(all).toMatchObject({ alerts: [], received: [] });
  });
});
