/** What every channel promises, tried against real receivers. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Authority, createAuthority } from "../../../testing/certificates.ts";
import { BUSY_MS, CHANNELS, type Harness, type Opening, SECRETS } from "../../../testing/channels.ts";
import { notification, notifiedAlert } from "../../../testing/notification.ts";
import type { Channel } from "../channel.ts";
import { MAX_REASON_CHARACTERS } from "./limits.ts";

let authority: Authority;
let certificate: ReturnType<Authority["issue"]>;
beforeAll(() => {
  authority = createAuthority();
  certificate = authority.issue("localhost");
});
afterAll(() => authority.remove());

const forever = () => new AbortController().signal;

describe.each(CHANNELS)("%s", (kind, start) => {
  let harness: Harness;
  const channels: Channel[] = [];
  const open = (opening?: Opening) => {
    const channel = harness.open(opening);
    channels.push(channel);
    return channel;
  };
  beforeAll(async () => {
    harness = await start({ authority, certificate });
  });
  afterEach(async () => {
    harness.behave("take");
    await Promise.all(channels.splice(0).map((channel) => channel.close()));
  });
  afterAll(() => harness.close());
  const last = () => harness.received().at(-1)!;

  test("a message arrives, and says which alert it is about, what was measured and how severe it is", async () => {
    const channel = open();
    const before = harness.received().length;
    expect(channel.kind).toBe(kind);
    expect(await channel.send(notification(), forever())).toEqual({ kind: "ok" });
    expect(harness.received()).toHaveLength(before + 1);
    expect(last().isOver).toBe(false);
    for (const word of ["press-3/temperature", "98.2", "critical", "https://wiki.example/press"]) {
      expect(last().text).toContain(word);
    }
  });

  if (kind !== "alertmanager") {
    test("why it is told to somebody beside the route's receiver, or in place of another, is said", async () => {
      const fallback = { receiver: "pager", kind: "slack", reason: "answered 500", path: ["pager"] };
      const message = notification({ escalation: { name: "standard", step: 1 }, fallback });
      expect(await open().send(message, forever())).toEqual({ kind: "ok" });
      // Programs get fields of their own.
      const wanted =
        kind === "webhook" || kind === "incidentio"
          ? ['"escalation":{"name":"standard","step":2}', '"fallback":{"receiver":"pager"']
          : ["step 2 of the escalation standard", "pager was not notified by slack: answered 500"];
      for (const words of wanted) expect(last().text).toContain(words);
    });
  }

  test("that all is over is told as such", async () => {
    const alert = notifiedAlert({ status: "resolved", endsUs: Date.now() * 1_000 - 5_000_000 });
    expect(await open().send(notification({ alerts: [alert] }), forever())).toEqual({ kind: "ok" });
    expect(last().isOver).toBe(true);
  });

  test("a repetition has the key of the first, and no other message has it", async () => {
    const before = harness.received().length;
    for (const key of ["a", "a", "b"]) await open().send(notification({ key }), forever());
    const [first, second, other] = harness.received().slice(before);
    expect(first!.id).toBe(second!.id);
    expect(other!.id).not.toBe(first!.id);
  });

  test("many at once all arrive", async () => {
    const channel = open();
    const keys = Array.from({ length: 20 }, (_, at) => `at once ${at}`);
    const before = harness.received().length;
    const sent = await Promise.all(keys.map((key) => channel.send(notification({ key }), forever())));
    expect(sent).toEqual(keys.map(() => ({ kind: "ok" })));
    expect(
      new Set(
        harness
          .received()
          .slice(before)
          .map(({ id }) => id),
      ).size,
    ).toBe(20);
  });

  test.each([
    ["busy", "retry"],
    ["broken", "retry"],
    ["refuse", "failed"],
  ] as const)(
    "one that is answered by %s: %s, with a short reason on one line that has no secret",
    async (how, outcome) => {
      harness.behave(how);
      const sent = await open().send(notification(), forever());
      expect(sent).toMatchObject({ kind: outcome, reason: expect.stringContaining("no: ***") });
      const { reason } = sent as { reason: string };
      expect(reason.length).toBeLessThanOrEqual(MAX_REASON_CHARACTERS);
      expect(reason).not.toMatch(/[\p{Cc}]/u);
      expectNoSecret(reason);
    },
  );

  test("one that is never answered is given up with the signal, to be tried again, and leaves no connection", async () => {
    harness.behave("hang");
    const sent = await open().send(notification(), AbortSignal.timeout(150));
    expect(sent).toMatchObject({ kind: "retry", reason: expect.stringContaining("given up") });
    await expect.poll(() => harness.connections()).toBe(0);
  });

  if (kind !== "email") {
    test("one that hangs is given up after the channel's own time", async () => {
      harness.behave("hang");
      const sent = await open({ timeoutMs: 100 }).send(notification(), forever());
      expect(sent).toEqual({ kind: "retry", reason: "given up: no answer within 100 ms" });
      await expect.poll(() => harness.connections()).toBe(0);
    });

    test("one that is busy is tried again when it says", async () => {
      harness.behave("busy");
      expect(await open().send(notification(), forever())).toMatchObject({ kind: "retry", afterMs: BUSY_MS });
    });
  }

  test("with a signal that has aborted nothing is sent", async () => {
    const before = harness.received().length;
    const sent = await open().send(notification(), AbortSignal.abort(new Error("the process ends")));
    expect(sent).toEqual({ kind: "retry", reason: "given up: the process ends" });
    expect(harness.received()).toHaveLength(before);
  });

  test("one whose connection is cut is tried again", async () => {
    const cutter = createServer((socket: Socket) => socket.once("data", () => socket.resetAndDestroy()));
    // A mail server speaks first.
    cutter.on("connection", (socket) => kind === "email" && socket.write("220 ready\r\n"));
    cutter.listen(0, "127.0.0.1");
    await once(cutter, "listening");
    const { port } = cutter.address() as { port: number };
    const sent = await open({ port }).send(notification(), forever());
    cutter.close();
    expect(sent).toMatchObject({ kind: "retry" });
    expectNoSecret((sent as { reason: string }).reason);
  });

  test("one to a port where nobody listens is tried again", async () => {
    const sent = await open({ port: 1 }).send(notification(), forever());
    expect(sent).toMatchObject({ kind: "retry", reason: expect.stringContaining("ECONNREFUSED") });
  });

  test("a certificate that is not trusted ends it before a secret is sent", async () => {
    const before = harness.received().length;
    const sent = await open({ isTrusted: false }).send(notification(), forever());
    expect(sent).toMatchObject({
      ...{ kind: "failed", reason: expect.stringMatching(/the certificate is not trusted: .*name its authority by/) },
    });
    expect((sent as { reason: string }).reason).not.toContain("Node.js");
    expect(harness.received()).toHaveLength(before);
  });

  test("a host of the private network is not called, and the reason names the setting that allows it", async () => {
    const before = harness.received().length;
    const sent = await open({ allowed: [] }).send(notification(), forever());
    expect(sent).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining("add localhost to NOTIFY_ALLOWED_HOSTS"),
    });
    expect(harness.received()).toHaveLength(before);
  });

  test("a host may be allowed by its name", async () => {
    expect(await open({ allowed: ["LocalHost."] }).send(notification(), forever())).toEqual({ kind: "ok" });
  });

  test("a secret that is not there is named by its place", async () => {
    const sent = await open({ environment: {} }).send(notification(), forever());
    expect(sent).toMatchObject({ kind: "failed", reason: expect.stringMatching(/the variable \w+ is not set/) });
  });

  test("line breaks in labels, annotations and keys make no headers", async () => {
    const attack = "x\r\nX-Injected: yes\r\n\r\nbody\n.\r\nMAIL FROM:<evil@example>\u2028\0";
    const alert = notifiedAlert({
      labels: { sensor_id: attack, severity: attack, [attack]: attack },
      annotations: { summary: attack, display_name: attack, runbook_url: attack },
    });
    const message = notification({
      key: attack,
      groupKey: attack,
      receiver: attack,
      alerts: [alert],
      groupLabels: { a: attack },
    });
    const before = harness.received().length;
    expect(await open().send(message, forever())).toEqual({ kind: "ok" });
    expect(harness.received()).toHaveLength(before + 1);
    expect(last().headerNames.map((name) => name.toLowerCase())).not.toContain("x-injected");
    expect(last().text).toContain(
      "MAIL FROM:<evil@example>".replace(/[<>]/g, kind === "email" ? "." : "$&").slice(0, 10),
    );
  });

  test("texts of a megabyte are shortened, and the other alerts of the message stay", async () => {
    const huge = "ü".repeat(1_000_000);
    const labels = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`label${at}`, "y".repeat(1_000)]));
    const alerts = [
      notifiedAlert({ labels: { ...labels, sensor_id: huge }, annotations: { summary: huge, description: huge } }),
      notifiedAlert({ labels: { sensor_id: "press-4" } }),
    ];
    const message = notification({ key: huge, groupKey: huge, alerts, groupLabels: { sensor_id: huge } });
    expect(await open().send(message, forever())).toEqual({ kind: "ok" });
    expect(last().size).toBeLessThanOrEqual(harness.maxSize);
    expect(last().text).toContain("press-4");
  });

  test.each([
    ["letters", "press & co. "],
    ["wide characters", "\u{1F525}水<b>&"],
    ["marks", "*_[x](http://e.example)`\\~|"],
  ])("a group of many alerts with long texts of %s is summarised within what the receiver takes", async (_, text) => {
    const long = text.repeat(100);
    const alerts = Array.from({ length: 700 }, (_, id) =>
      notifiedAlert({
        id: String(id),
        labels: { sensor_id: `s${id}/${long}`, location: long },
        annotations: { summary: long, description: long, runbook_url: `https://wiki.example/${"r".repeat(900)}` },
      }),
    );
    const before = harness.received().length;
    const message = notification({ alerts, truncatedAlerts: 3, externalUrl: `https://x.example/${"u".repeat(900)}` });
    expect(await open().send(message, forever())).toEqual({ kind: "ok" });
    const received = harness.received().slice(before);
    for (const { size } of received) expect(size).toBeLessThanOrEqual(harness.maxSize);
    const all = received.map((each) => each.text).join("");
    // Programs are told of all of them, people of some, and how many there are.
    if (kind === "alertmanager") expect(all.match(/"sensor_id"/g)).toHaveLength(700);
    else if (kind === "webhook" || kind === "incidentio")
      expect(JSON.parse(all)).toMatchObject({ truncatedAlerts: expect.any(Number) });
    else {
      expect(all).toMatch(/703 alerts are open/);
      expect(all).toMatch(/\d{3} more alerts are not shown/);
    }
    if (kind !== "alertmanager") expect(received).toHaveLength(1);
  });
});

function expectNoSecret(text: string): void {
  const forms = Object.values(SECRETS).flatMap((secret) => [secret, encodeURIComponent(secret)]);
  const encoded = [SECRETS.password, `\0telltale\0${SECRETS.password}`].map((form) =>
    Buffer.from(form).toString("base64"),
  );
  for (const form of [...forms, ...encoded]) expect(text).not.toContain(form);
}
