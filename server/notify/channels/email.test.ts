/** E-mail: what people read, how it is threaded, and what of a mail server is not put up with. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Authority, createAuthority } from "../../../testing/certificates.ts";
import { type MailSink, mailError, startMailSink } from "../../../testing/mail-sink.ts";
import { notification, notifiedAlert } from "../../../testing/notification.ts";
import { systemClock } from "../../clock.ts";
import type { EmailConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import { AddressGuard } from "./addresses.ts";
import { openChannel } from "./open.ts";

const SINCE_US = Date.UTC(2026, 10, 22, 23, 43, 28) * 1_000;

let authority: Authority;
let plain: MailSink;
let upgraded: MailSink;
let encrypted: MailSink;
beforeAll(async () => {
  authority = createAuthority();
  const certificate = authority.issue("localhost");
  [plain, upgraded, encrypted] = await Promise.all([
    startMailSink(),
    startMailSink({ ...certificate, users: { ann: "right" } }),
    startMailSink({ ...certificate, secure: true, users: { ann: "right" } }),
  ]);
});
beforeEach(() => {
  plain.answers = {};
});
afterAll(async () => {
  authority.remove();
  await Promise.all([plain, upgraded, encrypted].map((sink) => sink.close()));
});

function open(sink: MailSink, given: Partial<EmailConfig> = {}) {
  const config: EmailConfig = {
    kind: "email",
    to: "ann@plant.example, Bob <bob@plant.example>",
    from: "Telltale <telltale@plant.example>",
    smarthost: { host: "127.0.0.1", port: sink.port },
    hello: "telltale.plant.example",
    requireTls: false,
    implicitTls: false,
    tls: { caFile: authority.caFile },
    headers: {},
    picture: true,
    sendResolved: true,
    ...given,
  };
  const addresses = new AddressGuard(["127.0.0.1"]);
  return openChannel(config, { addresses, environment: {}, clock: systemClock, source: "/telltale" });
}

async function send(message: Message, sink = plain, given: Partial<EmailConfig> = {}) {
  const sent = await open(sink, given).send(message, new AbortController().signal);
  return { sent, got: sink.mailed.at(-1)! };
}

describe("what people read", () => {
  test("parts of the configuration stand in place of ours, and one that is empty is not sent", async () => {
    const { got } = await send(notification(), plain, { html: "<p>own</p>" });
    expect(got.mail.html).toBe("<p>own</p>");
    expect(got.mail.text).toContain("An alert is open.");
    const texts = await send(notification(), plain, { html: "", text: "own" });
    expect(texts.got.mail.html).toBe(false);
    expect(texts.got.mail.text?.trim()).toBe("own");
  });

  test("one alert: state, sensor, value and expected value, since when, severity, place and what to do", async () => {
    const { sent, got } = await send(notification());
    expect(sent).toEqual({ kind: "ok" });
    expect(got.mail.subject).toBe("[CRITICAL] Press 3 is not as usual");
    expect(got.mail.text).toBe(
      [
        "An alert is open.",
        "",
        "[CRITICAL] Press 3 is not as usual",
        "  Sensor: Press 3 (press-3/temperature)",
        "  Type: temperature",
        "  Value: 98.2 C",
        "  Expected: 71.4 C",
        "  Since: 2026-11-22 23:43:28 UTC",
        "  Severity: critical",
        "  Place: hall 1",
        "  What to do: https://wiki.example/press",
        "",
        "  temperature far above normal",
        "",
        "Open: https://telltale.plant.example/",
        "",
      ].join("\n"),
    );
    for (const words of ["98.2 C", "71.4 C", "2026-11-22 23:43:28 UTC", 'href="https://wiki.example/press"']) {
      expect(got.mail.html).toContain(words);
    }
    expect(got.mail.html).not.toMatch(/<(img|link|script|iframe)/i);
  });

  test("one that is over says since when, until when and how long", async () => {
    const over = notifiedAlert({ status: "resolved", endsUs: SINCE_US + 3_900e6 });
    const { got } = await send(notification({ alerts: [over] }));
    expect(got.mail.subject).toBe("[RESOLVED] Press 3 is not as usual");
    expect(got.mail.text).toContain("The alert is over.");
    expect(got.mail.text).toContain("Until: 2026-11-23 00:48:28 UTC (1 h 5 min)");
  });

  test("a group says how many, the worst, and how many are not shown", async () => {
    const alerts = Array.from({ length: 25 }, (_, at) =>
      notifiedAlert({ id: String(at), labels: { severity: at === 3 ? "high" : "low", sensor_id: `press-${at}` } }),
    );
    const { got } = await send(
      notification({ alerts, truncatedAlerts: 5, groupLabels: { asset: "site-1", line: "3" } }),
    );
    expect(got.mail.subject).toBe("[HIGH, 30 alerts] site-1 3");
    expect(got.mail.text).toContain("30 alerts are open.");
    expect(got.mail.text).toContain("press-19");
    expect(got.mail.text).not.toContain("press-20");
    expect(got.mail.text).toContain("10 more alerts are not shown.");
  });

  test("an alert of another program says what it has", async () => {
    const alert = { id: "1", status: "firing", startsUs: SINCE_US, annotations: {} } as const;
    const labels = { alertname: "DiskFull", instance: "db-1:9100" };
    const { got } = await send(notification({ alerts: [{ ...alert, labels }], externalUrl: "" }));
    expect(got.mail.subject).toBe("[ALERT] DiskFull at db-1:9100");
    expect(got.mail.text).not.toMatch(/Value|Expected|Open:|undefined/);
  });

  test("labels and annotations are text, not HTML, and only web addresses are links", async () => {
    const attack = `<img src=x onerror="alert(1)">'&`;
    const alert = notifiedAlert({
      labels: { severity: attack, sensor_id: attack, location: attack },
      annotations: { summary: attack, description: `${attack}\nsecond line`, runbook_url: 'javascript:alert("1")' },
    });
    const { got } = await send(notification({ alerts: [alert], externalUrl: 'https://x.example/"><script>' }));
    const html = got.mail.html as string;
    expect(html).not.toMatch(/<img|<script|javascript:/);
    expect(html).toContain("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;");
    expect(html).toContain("\nsecond line");
    expect(html).toContain('href="https://x.example/%22%3E%3Cscript%3E"');
    expect(got.mail.subject).toContain(attack);
  });
});

describe("conversations", () => {
  test("messages of a group are one conversation, of two groups are two", async () => {
    const mails = [];
    for (const [key, groupKey] of [
      ["1", "a"],
      ["2", "a"],
      ["3", "b"],
    ] as const) {
      mails.push((await send(notification({ key, groupKey }))).got.mail);
    }
    const [first, second, other] = mails;
    expect(first!.references).toBe(second!.references);
    expect(first!.inReplyTo).toBe(first!.references);
    expect(other!.references).not.toBe(first!.references);
    expect(new Set(mails.map(({ messageId }) => messageId)).size).toBe(3);
    expect(first!.messageId).toMatch(/^<[0-9a-f]{40}@plant\.example>$/);
  });

  test("answering machines are asked to be silent", async () => {
    const { headers } = (await send(notification())).got.mail;
    expect(headers.get("auto-submitted")).toBe("auto-generated");
    expect(headers.get("x-auto-response-suppress")).toBe("All");
  });

  test("headers of the configuration are set, and do not change who receives it", async () => {
    const headers = { Subject: "Ours", To: "shift@plant.example", "X-Plant": "7", "Reply-To": "it@plant.example" };
    const { got } = await send(notification(), plain, { headers });
    expect(got.mail.subject).toBe("Ours");
    expect(got.mail.headers.get("x-plant")).toBe("7");
    expect(got.mail.replyTo?.text).toBe("it@plant.example");
    expect(got).toMatchObject({ from: "telltale@plant.example", to: ["ann@plant.example", "bob@plant.example"] });
  });

  test.each([
    [{ "Message-ID": "<1@x>" }, 'The e-mail header "Message-ID" is set by the platform and cannot be changed.'],
    [{ "content-type": "text/html" }, "cannot be changed"],
    [{ BCC: "eve@example.org" }, "cannot be changed"],
    [{ "X Y": "1" }, 'The e-mail header "X Y" is no name of a header.'],
    [{ "X-A": "1\r\nBcc: eve@example.org" }, 'The e-mail header "X-A" has a line break in its value.'],
  ])("the header %j is refused at once", (headers, complaint) => {
    expect(() => open(plain, { headers })).toThrow(complaint);
  });
});

describe("mail servers", () => {
  test("by STARTTLS or from the first byte, with a user and password", async () => {
    const login = { authUsername: "ann", authPassword: { value: "right" } };
    const first = await send(notification(), upgraded, { ...login, requireTls: true });
    const second = await send(notification(), encrypted, { ...login, implicitTls: true });
    for (const { sent, got } of [first, second]) {
      expect(sent).toEqual({ kind: "ok" });
      expect(got).toMatchObject({ user: "ann", isEncrypted: true });
    }
  });

  test("where TLS is required, a server without STARTTLS gets nothing", async () => {
    const before = plain.mailed.length;
    const { sent } = await send(notification(), plain, { requireTls: true });
    expect(sent).toMatchObject({ kind: "failed", reason: expect.stringContaining("offers no STARTTLS") });
    expect(plain.mailed).toHaveLength(before);
  });

  test("a password is not sent in the clear, although TLS is not required", async () => {
    const users = { ann: "right" };
    const open = await startMailSink({ allowInsecureAuth: true, disabledCommands: ["STARTTLS"], users });
    const login = { authUsername: "ann", authPassword: { value: "right" } };
    const { sent } = await send(notification(), open, login);
    expect(sent).toMatchObject({ kind: "failed", reason: expect.stringContaining("or a password is sent") });
    expect(open.passwords).toEqual([]);
    await open.close();
  });

  test("a wrong password fails, and the reason does not have it", async () => {
    const login = { authUsername: "ann", authPassword: { value: "wrong one" } };
    const { sent } = await send(notification(), upgraded, login);
    expect(sent).toEqual({ kind: "failed", reason: "the mail server answered 535 5.7.8 not with ***" });
  });

  test("a user without a password is refused at once", () => {
    expect(() => open(plain, { authUsername: "ann" })).toThrow("both auth_username and auth_password");
  });

  test("a certificate of nobody's is taken only where the configuration says so", async () => {
    const stranger = createAuthority();
    const tls = { caFile: stranger.caFile };
    const given = { tls, requireTls: true };
    expect((await send(notification(), upgraded, given)).sent.kind).toBe("failed");
    const login = { authUsername: "ann", authPassword: { value: "right" } };
    const { sent } = await send(notification(), upgraded, {
      ...given,
      ...login,
      tls: { ...tls, insecureSkipVerify: true },
    });
    expect(sent).toEqual({ kind: "ok" });
    stranger.remove();
  });

  test.each([
    [550, "failed"],
    [451, "retry"],
  ])("%d for one of two recipients: %s, and the reason names the one", async (code, kind) => {
    plain.answers = { recipient: (address) => (address.startsWith("bob") ? mailError(code, "not Bob") : undefined) };
    const { sent, got } = await send(notification({ key: `some ${code}` }));
    expect(sent).toEqual({
      kind,
      reason: `1 of 2 addresses were refused, bob@plant.example: ${code} not Bob`,
    });
    expect(got.to).toEqual(["ann@plant.example"]);
  });

  test.each([
    [550, "failed"],
    [450, "retry"],
  ])("%d for all recipients: %s", async (code, kind) => {
    plain.answers = { recipient: () => mailError(code, "nobody here") };
    expect((await send(notification())).sent).toEqual({ kind, reason: `the mail server answered ${code} nobody here` });
  });

  test("an address that is none fails, and leaves no connection", async () => {
    expect((await send(notification(), plain, { to: "nobody" })).sent.kind).toBe("failed");
    expect((await send(notification(), plain, { to: "" })).sent.kind).toBe("failed");
    await expect.poll(() => plain.connections).toBe(0);
  });
});
