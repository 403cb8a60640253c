/** Channels whose texts are templates: what is sent, by a configuration as people write it, to a real receiver. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type MailSink, startMailSink } from "../../../testing/mail-sink.ts";
import { notification, notifiedAlert } from "../../../testing/notification.ts";
import { shownByTelegram } from "../../../testing/telegram-markdown.ts";
import { startWebhookSink, type WebhookSink } from "../../../testing/webhook-sink.ts";
import { manualClock } from "../../clock.ts";
import { parseNotifyConfig } from "../config/parse.ts";
import type { Message } from "../message.ts";
import { AddressGuard } from "./addresses.ts";
import { openChannel } from "./open.ts";

let sink: WebhookSink;
let mails: MailSink;
beforeAll(async () => {
  [sink, mails] = await Promise.all([startWebhookSink(), startMailSink()]);
});
afterEach(() => sink.answer((response) => response.end("ok")));
afterAll(() => Promise.all([sink.close(), mails.close()]));

/** Sends by the only channel of a receiver; answers with what became of it, and all that was posted. */
async function send(channels: string, message: Message = notification()) {
  const parsed = parseNotifyConfig(`route: {receiver: a}\nreceivers:\n- name: a\n  ${channels}`);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  const addresses = new AddressGuard(["127.0.0.1"]);
  const options = { addresses, environment: {}, clock: manualClock(1_763_856_000_000_000), source: "/telltale" };
  const first = sink.posted.length;
  const channel = openChannel(parsed.config.receivers[0]!.channels[0]!, options);
  const sent = await channel.send(message, new AbortController().signal);
  const posted = sink.posted.slice(first);
  return { sent, posted, bodies: posted.map(({ body }) => JSON.parse(String(body))) };
}

const hostile = () =>
  notification({ alerts: [notifiedAlert({ annotations: { summary: "<!channel> & <http://x|y>" } })] });

test("no part of a message to Slack takes mentions or links out of values", async () => {
  const value = "{{ (index .Alerts 0).Annotations.summary }}";
  const { bodies } = await send(
    `slack_configs: [{api_url: '${sink.url}', pretext: '<!here> ${value}', footer: '${value}', text: '${value}', ` +
      `message_text: '<!here> ${value}', fields: [{title: '${value}', value: '${value}'}]}]`,
    hostile(),
  );
  const harmless = "&lt;!channel&gt; &amp; &lt;http://x|y&gt;";
  expect(bodies[0]).toMatchObject({ text: `<!here> ${harmless}` });
  expect(bodies[0].attachments[0]).toMatchObject({
    ...{ pretext: `<!here> ${harmless}`, footer: harmless, text: harmless },
    fields: [{ title: harmless, value: harmless, short: false }],
  });
});

test("Slack has the icon, the pictures, the buttons and the marks of the configuration, and none that is no link", async () => {
  const { bodies } = await send(
    `slack_configs: [{api_url: '${sink.url}', icon_emoji: ':fire:', icon_url: '{{ template "slack.default.iconurl" . }}', ` +
      "link_names: true, mrkdwn_in: [fields], callback_id: a, image_url: 'https://x.example/{{ .Status }}.png', thumb_url: 'javascript:x', " +
      "actions: [{type: button, text: Open, url: 'https://x.example', style: danger}, {type: button, text: No, url: '{{ .CommonLabels.nothing }}'}]}]",
  );
  expect(bodies[0]).toMatchObject({ icon_emoji: ":fire:", link_names: true });
  expect(bodies[0]).not.toHaveProperty("icon_url");
  const [attachment] = bodies[0].attachments;
  expect(attachment).toMatchObject({
    ...{ mrkdwn_in: ["fields"], callback_id: "a", image_url: "https://x.example/firing.png" },
    actions: [{ type: "button", text: "Open", url: "https://x.example", style: "danger" }],
  });
  expect(attachment).not.toHaveProperty("thumb_url");
});

test("PagerDuty has the source, the images and the links of the configuration, Discord its avatar and Teams its summary", async () => {
  const { bodies } = await send(
    `pagerduty_configs: [{routing_key: k, url: '${sink.url}', source: '{{ .Status }}', ` +
      "images: [{src: 'https://x.example/a.png', alt: '{{ .Status }}'}, {src: '{{ .CommonLabels.nothing }}'}], links: [{href: 'https://x.example', text: '{{ .Receiver }}'}]}]",
  );
  expect(bodies[0].payload.source).toBe("firing");
  expect(bodies[0].images).toEqual([{ src: "https://x.example/a.png", alt: "firing" }]);
  expect(bodies[0].links).toContainEqual({ href: "https://x.example", text: notification().receiver });
  const discord = await send(`discord_configs: [{webhook_url: '${sink.url}', avatar_url: 'https://x.example/a.png'}]`);
  expect(discord.bodies[0].avatar_url).toBe("https://x.example/a.png");
  const teams = await send(`msteamsv2_configs: [{webhook_url: '${sink.url}', summary: '{{ .Status }}'}]`);
  expect(teams.bodies[0].summary).toBe("firing");
});

test("a chat that refuses the texts of the configuration gets those of the platform, and the record says so", async () => {
  sink.answer((response, { body }) => {
    const isWrong = String(body).includes("<p>");
    response.writeHead(isWrong ? 400 : 200).end(isWrong ? '{"ok":false,"description":"unsupported start tag"}' : "{}");
  });
  const channel = `telegram_configs: [{api_url: '${sink.url}', bot_token: '1:abc', chat_id: 5, picture: false, message: '<p>{{ .Status }}</p>'}]`;
  const { sent, bodies } = await send(channel);
  expect(bodies.map(({ text }) => text)).toEqual(["<p>firing</p>", expect.stringContaining("Press 3 is not as usual")]);
  expect(sent).toEqual({
    kind: "ok",
    note: expect.stringMatching(/texts of the configuration were refused.*start tag/),
  });
});

test("a receiver that refuses all is asked twice, and the reason is that of the configuration's texts", async () => {
  sink.answer((response) => response.writeHead(404).end("gone"));
  const { sent, posted } = await send(`discord_configs: [{webhook_url: '${sink.url}', title: '{{ .Status }}'}]`);
  expect(sent).toEqual({ kind: "failed", reason: "answered 404: gone" });
  expect(posted).toHaveLength(2);
});

test("a webhook has the payload of the configuration, whose texts may be numbers, lists and objects", async () => {
  const { bodies } = await send(`webhook_configs:
  - url: ${sink.url}
    payload:
      state: '{{ .Status }}'
      count: '{{ len .Alerts }}'
      fixed: 7
      "{{ .Status }}": [true, null, 'a: b', '{{ list 1 "x" | toJson }}']
      labels: '{{ toJson .GroupLabels }}'
      quoted: '{{ "line\\nbreak # no comment" | toJson }}'
      plain: '{{ "line\\nbreak # kept" }}'
      deep: { alerts: [{ names: '{{ range .Alerts }}{{ .Status }} {{ end }}' }] }`);
  const { groupLabels, alerts } = notification();
  expect(bodies[0]).toEqual({
    ...{ state: "firing", count: alerts.length, fixed: 7, labels: groupLabels },
    firing: [true, null, { a: "b" }, [1, "x"]],
    ...{ quoted: "line\nbreak # no comment", plain: "line\nbreak # kept" },
    deep: { alerts: [{ names: "firing ".repeat(alerts.length) }] },
  });
});

test("where a payload cannot be filled in, the usual body is sent, and the record says why", async () => {
  const { sent, bodies } = await send(`webhook_configs: [{url: '${sink.url}', payload: {a: '{{ .Nothing }}'}}]`);
  expect(bodies[0]).toMatchObject({ version: "4", status: "firing" });
  expect(sent).toEqual({ kind: "ok", note: expect.stringContaining("payload.a:1:4: asks a message for Nothing") });
});

test("headers of the configuration come with each request, and none in place of the platform's own", async () => {
  const http =
    "http_config: {http_headers: {X-Team: {values: [a, b]}, X-Key: {secrets: [k]}}, follow_redirects: false}";
  const { posted } = await send(`webhook_configs: [{url: '${sink.url}', ${http}}]`);
  expect(posted[0]!.headers).toMatchObject({ "x-team": "a, b", "x-key": "k", "content-type": "application/json" });
  const wrong = "http_config: {http_headers: {Content-Type: {values: [a]}}, follow_redirects: true}";
  await expect(send(`webhook_configs: [{url: '${sink.url}', ${wrong}}]`)).rejects.toThrow(
    /"Content-Type\\" is set by the platform.*redirects are not followed|redirects are not followed.*is set by the platform/s,
  );
});

const MARKED = "*a* _b_ `c` [d](https://e.example/f_g) # h - i ~~j~~ **k** <l> \\ (m) 1.5!";
const markedAlert = () => notification({ alerts: [notifiedAlert({ annotations: { summary: MARKED } })] });
const SUMMARY = "{{ (index .Alerts 0).Annotations.summary }}";

/** Answers as the Bot API does, which refuses what it cannot read; what it has shown. */
function asTelegram(): string[] {
  const shown: string[] = [];
  sink.answer((response, { body }) => {
    const { text, parse_mode: mode } = JSON.parse(String(body));
    try {
      shown.push(mode === "MarkdownV2" ? shownByTelegram(text) : text);
      response.end('{"ok":true}');
    } catch (error) {
      response.writeHead(400).end(JSON.stringify({ ok: false, description: (error as Error).message }));
    }
  });
  return shown;
}

test.each([
  ["a value", `*bold* ${SUMMARY}`, `bold ${MARKED}`],
  ["a value in code", `\`${SUMMARY}\``, MARKED],
  [
    "a value that is the address of a link",
    '[more]({{ "https://x.example/a_(b)?c=1.5" }})',
    "more <https://x.example/a_(b)?c=1.5>",
  ],
  [
    "a value that the template has escaped, as for an Alertmanager",
    `*bold* {{ reReplaceAll "([-_*\\\\[\\\\]()~\`>#+=|{}.!\\\\\\\\])" "\\\\$1" (index .Alerts 0).Annotations.summary }}`,
    `bold ${MARKED}`,
  ],
  ["a number", "{{ len .Alerts }}{{ -1.5 }}", "1-1.5"],
  ["a value that is said to have marks", '{{ "_x_" | safeHtml }}', "x"],
])("Telegram shows %s in MarkdownV2 as it is, and takes it", async (_, template, wanted) => {
  const shown = asTelegram();
  const { sent } = await send(
    `telegram_configs: [{api_url: '${sink.url}', bot_token: '1:abc', chat_id: 5, picture: false, parse_mode: MarkdownV2, message: ${JSON.stringify(template)}}]`,
    markedAlert(),
  );
  expect(sent).toEqual({ kind: "ok" });
  expect(shown).toEqual([wanted]);
});

/** What a card says line by line: marks as people see them, and where its links lead. */
async function shownByTeams(text: string) {
  const { bodies } = await send(
    `msteamsv2_configs: [{webhook_url: '${sink.url}', text: ${JSON.stringify(text)}}]`,
    markedAlert(),
  );
  const [, ...lines] = bodies[0].attachments[0].content.body;
  return lines.map(({ inlines }: { inlines: Record<string, unknown>[] }) =>
    inlines.map(({ type, spacing, ...run }) => (Object.keys(run).length === 1 ? run.text : run)),
  );
}

test("Teams shows the marks of a template, and those in a value as they are", async () => {
  expect(await shownByTeams(`# Alerts\n- **${SUMMARY}**\n  - {{ .Status }} = *x*\n`)).toEqual([
    [{ text: "Alerts", weight: "bolder", size: "medium" }],
    ["• ", { text: MARKED, weight: "bolder" }],
    ["• firing = ", { text: "x", italic: true }],
  ]);
  expect(
    await shownByTeams(
      `\`${SUMMARY}\` [more]({{ "https://x.example/a_(b)" }}) [no](javascript:x) ~~gone~~ a_b_c 2*3*4`,
    ),
  ).toEqual([
    [
      { text: MARKED, fontType: "monospace" },
      " ",
      { text: "more", underline: true, selectAction: { type: "Action.OpenUrl", url: "https://x.example/a_(b)" } },
      " no (javascript:x) ",
      { text: "gone", strikethrough: true },
      " a_b_c 2*3*4",
    ],
  ]);
  // A text that is the same for all messages stands above ours, with its marks.
  expect((await shownByTeams("**Call** the shift"))[0]).toEqual([{ text: "Call", weight: "bolder" }, " the shift"]);
});

test.each([
  ["in one line", "{{ range 60 }}**a** *b* ~~c~~ [d](https://e.example) {{ end }}"],
  ["in many lines", "{{ range 60 }}**a** *b* ~~c~~ [d](https://e.example) **a** *b* ~~c~~\n\n{{ end }}"],
  ["of three bytes each", "{{ range 3999 }}€{{ end }}"],
])("a card for Teams has room, whatever marks its text has %s", async (_, text) => {
  const { sent, bodies } = await send(
    `msteamsv2_configs: [{webhook_url: '${sink.url}', text: ${JSON.stringify(text)}}]`,
  );
  expect(sent).toEqual({ kind: "ok" });
  expect(Buffer.byteLength(JSON.stringify(bodies[0]))).toBeLessThan(28 * 1_024);
  expect(JSON.stringify(bodies[0])).toMatch(/https:..e.example|€/);
});

test("Discord shows marks in a value as they are, and an address as a link", async () => {
  const { bodies } = await send(
    `discord_configs: [{webhook_url: '${sink.url}', picture: false, content: '**${SUMMARY}**', message: '[more]({{ "https://x.example/a_b_(c)" }})'}]`,
    notification({ alerts: [notifiedAlert({ annotations: { summary: "*a* _b_ # c" } })] }),
  );
  expect(bodies[0].content).toBe("**\\*a\\* \\_b\\_ \\# c**");
  expect(bodies[0].embeds[0].description).toBe("[more](https://x.example/a_b_%28c%29)");
});

test("Opsgenie opens an alert with the texts of the configuration, and closes the same", async () => {
  const configuration =
    `opsgenie_configs: [{api_key: k, api_url: '${sink.url}', message: 'own {{ .Status }}', tags: 'a, {{ .Receiver }}', priority: '{{ "p5" }}', ` +
    "responders: [{name: 'ops {{ .Status }}', type: Team}, {name: '{{ .CommonLabels.nothing }}', type: user}], details: {x: '{{ .Status }}'}}]";
  const { posted, bodies } = await send(configuration);
  expect(posted[0]).toMatchObject({ path: "/v2/alerts", headers: { authorization: "GenieKey k" } });
  expect(bodies[0]).toMatchObject({
    ...{ message: "own firing", tags: ["a", notification().receiver], priority: "P5" },
    responders: [{ name: "ops firing", type: "team" }],
    details: { x: "firing", ...notification().commonLabels },
    description: expect.stringContaining("98.2"),
  });
  const over = notification({ status: "resolved", alerts: [notifiedAlert({ status: "resolved", endsUs: 1 })] });
  const closed = await send(configuration, over);
  expect(closed.posted[0]!.path).toBe(`/v2/alerts/${bodies[0].alias}/close?identifierType=alias`);
});

test("Pushover sounds again at the highest priority alone, and marks only what the template has", async () => {
  const form = async (more: string, message?: Message) => {
    const addresses = new AddressGuard(["127.0.0.1"]);
    const parsed = parseNotifyConfig(
      `route: {receiver: a}\nreceivers: [{name: a, pushover_configs: [{user_key: u, token: t, api_url: '${sink.url}'${more}}]}]`,
    );
    if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
    const options = { addresses, environment: {}, clock: manualClock(0), source: "/telltale" };
    const channel = openChannel(parsed.config.receivers[0]!.channels[0]!, options);
    expect(await channel.send(message ?? notification(), new AbortController().signal)).toEqual({ kind: "ok" });
    return Object.fromEntries(new URLSearchParams(String(sink.posted.at(-1)!.body)));
  };
  expect(await form(", retry: 2m")).toMatchObject({
    user: "u",
    token: "t",
    priority: "2",
    retry: "120",
    expire: "3600",
  });
  const low = await form("", labelled({ severity: "low" }));
  expect(low.priority).toBe("-1");
  expect(low).not.toHaveProperty("retry");
  expect(
    await form(", html: true, priority: '1', message: '<b>{{ (index .Alerts 0).Annotations.summary }}</b>'", hostile()),
  ).toMatchObject({
    ...{ html: "1", priority: "1", message: "<b>&lt;!channel&gt; &amp; &lt;http://x|y&gt;</b>" },
  });
  expect(await form(", html: true", hostile())).not.toHaveProperty("html");
});

test("VictorOps is sent to its routing key, and nowhere where that cannot be filled in", async () => {
  const to = (key: string) =>
    `victorops_configs: [{api_key: k, api_url: '${sink.url}/base/', routing_key: '${key}', message_type: warning, custom_fields: {x: '{{ .Status }}'}}]`;
  const { posted, bodies } = await send(to("{{ .CommonLabels.team }} 1"), labelled({ team: "a/b" }));
  expect(posted[0]!.path).toBe("/base/k/a%2Fb%201");
  expect(bodies[0]).toMatchObject({ message_type: "WARNING", x: "firing", monitoring_tool: "Telltale" });
  const nowhere = await send(to("{{ .CommonLabels.team }}"));
  expect(nowhere.sent).toMatchObject({ kind: "failed", reason: expect.stringContaining("has no routing_key") });
  expect(nowhere.posted).toEqual([]);
});

test("a header that is there twice is refused by its name, because one of the two would win", async () => {
  const twice = "http_config: {http_headers: {X-Team: {values: [a]}, x-team: {values: [b]}}}";
  await expect(send(`webhook_configs: [{url: '${sink.url}', ${twice}}]`)).rejects.toThrow(
    /http_headers\.x-team.*"x-team\\" is there twice: put all values under one name/,
  );
});

const labelled = (labels: Record<string, string>) => notification({ alerts: [notifiedAlert({ labels })] });

test.each([
  ["error", "error"],
  [" Warning ", "warning"],
  ["high", "error"],
  ["low", "info"],
  // No severity of PagerDuty's nor of ours: that of the worst alert counts.
  ["page", "critical"],
  ["", "critical"],
  ["constructor", "critical"],
])("a severity for PagerDuty that is filled in with %j becomes %s", async (page, wanted) => {
  const { sent, bodies } = await send(
    `pagerduty_configs: [{routing_key: k, url: '${sink.url}', severity: '{{ .CommonLabels.page }}'}]`,
    labelled({ page }),
  );
  expect([sent.kind, bodies[0].payload.severity]).toEqual(["ok", wanted]);
});

test("a severity of alerts that PagerDuty does not know is an error there, whatever it is called", async () => {
  const { bodies } = await send(
    `pagerduty_configs: [{routing_key: k, url: '${sink.url}'}]`,
    labelled({ severity: "constructor" }),
  );
  expect(bodies[0].payload.severity).toBe("error");
});

const slackTo = (channel: string, more = "") =>
  `slack_configs: [{api_url: '${sink.url}', channel: '${channel}'${more}}]`;

test("the channel of Slack is filled in, and left out where it comes out empty or cannot be filled in", async () => {
  const found = await send(
    slackTo('{{ if eq .Status "firing" }}#{{ .CommonLabels.team }}{{ end }}'),
    labelled({ team: "north" }),
  );
  expect(found.bodies[0].channel).toBe("#north");
  const empty = await send(slackTo("{{ .CommonLabels.team }}"));
  expect(empty.sent).toEqual({ kind: "ok" });
  expect(empty.bodies[0]).not.toHaveProperty("channel");
  const long = await send(
    slackTo("{{ .CommonLabels.team }}{{ .CommonLabels.team }}"),
    labelled({ team: "x".repeat(900) }),
  );
  expect(long.sent).toEqual({ kind: "ok", note: expect.stringContaining("channel: makes more than 1024 characters") });
  expect(long.bodies[0]).not.toHaveProperty("channel");
});

test("where Slack refuses texts of the configuration, those of the platform go to the same channel", async () => {
  sink.answer((response, { body }) => response.writeHead(String(body).includes("own") ? 400 : 200).end("{}"));
  const { sent, bodies } = await send(
    slackTo("#{{ .CommonLabels.team }}", ", title: 'own {{ .Status }}'"),
    labelled({ team: "north" }),
  );
  expect(sent).toMatchObject({ kind: "ok", note: expect.stringContaining("refused") });
  expect(bodies.map(({ channel }) => channel)).toEqual(["#north", "#north"]);
});

/** What became of an e-mail to whom the label `owner` of two alerts says, and what the server was sent. */
async function mailTo(to: string, owners: readonly string[]) {
  const first = mails.mailed.length;
  const alerts = owners.map((owner, i) => notifiedAlert({ id: String(i), labels: { owner } }));
  const { sent } = await send(
    `email_configs: [{to: '${to}', from: t@b.example, smarthost: '127.0.0.1:${mails.port}', require_tls: false}]`,
    notification({ alerts }),
  );
  return { sent, mailed: mails.mailed.slice(first) };
}

const OWNERS = "{{ range .Alerts }}{{ .Labels.owner }}, {{ end }}";

test("an e-mail goes to the addresses that its to is filled in with", async () => {
  const { sent, mailed } = await mailTo(OWNERS, ["ann@b.example", "", "Bob <bob@b.example>"]);
  expect(sent).toEqual({ kind: "ok" });
  expect(mailed.map(({ to }) => to)).toEqual([["ann@b.example", "bob@b.example"]]);
});

test("whoever a template names for each of many alerts is an addressee once", async () => {
  const { sent, mailed } = await mailTo(
    OWNERS,
    Array.from({ length: 400 }, () => "Ann <ann@b.example>"),
  );
  expect(sent).toEqual({ kind: "ok" });
  expect(mailed[0]!.to).toEqual(["ann@b.example"]);
  expect(/^To: .*$/m.exec(mailed[0]!.raw)?.[0].trim()).toBe("To: Ann <ann@b.example>");
});

test.each([
  ["a header within it", ["ann@b.example\r\nBcc: eve@c.example"], /"ann@b\.example Bcc: eve@c\.example" is no address/],
  ["a header after a name", ["Ann <ann@b.example>\nSubject: x"], /is no address/],
  ["what is no address", ["ann@b.example", "the night shift"], /"the night shift" is no address/],
  ["nothing", [""], /to, filled in, is wrong/],
])("an e-mail whose to is filled in with %s fails, nobody gets it, and the reason says why", async (_, owners, why) => {
  const { sent, mailed } = await mailTo(OWNERS, owners);
  expect(sent).toEqual({ kind: "failed", reason: expect.stringMatching(why) });
  expect(mailed).toEqual([]);
});

test("an e-mail whose to cannot be filled in fails by the template's reason", async () => {
  const { sent, mailed } = await mailTo("{{ .Owner }}", ["ann@b.example"]);
  expect(sent).toEqual({
    ...{ kind: "failed", reason: expect.stringMatching(/template of its to failed.*to:1:4: asks a message for Owner/) },
  });
  expect(mailed).toEqual([]);
});

test("values in a to add no header, however they are written", async () => {
  const { sent, mailed } = await mailTo(OWNERS, ['"Ann\r\nBcc: eve@c.example" <ann@b.example>']);
  expect(sent).toEqual({ kind: "ok" });
  expect(mailed[0]!.to).toEqual(["ann@b.example"]);
  expect(mailed[0]!.raw).not.toMatch(/^bcc:/im);
});
