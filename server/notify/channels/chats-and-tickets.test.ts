/** Webex, Mattermost, Rocket.Chat, incident.io and Jira: what each is sent, by a configuration as people write it, to a real receiver. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { notification, notifiedAlert } from "../../../testing/notification.ts";
import { type Posted, startWebhookSink, type WebhookSink } from "../../../testing/webhook-sink.ts";
import { manualClock } from "../../clock.ts";
import { parseNotifyConfig } from "../config/parse.ts";
import type { Message } from "../message.ts";
import { AddressGuard } from "./addresses.ts";
import { openChannel } from "./open.ts";

const NOW_US = 1_763_856_000_000_000;

let sink: WebhookSink;
beforeAll(async () => {
  sink = await startWebhookSink();
});
beforeEach(() => sink.answer((response) => response.end("{}")));
afterAll(() => sink.close());

function parsed(channels: string, global = "") {
  return parseNotifyConfig(`global: {${global}}\nroute: {receiver: a}\nreceivers:\n- name: a\n  ${channels}`);
}

const problemsOf = (channels: string) => {
  const read = parsed(channels);
  return "problems" in read ? read.problems.map(({ message }) => message) : [];
};

async function send(channels: string, { message = notification(), global = "" } = {}) {
  const read = parsed(channels, global);
  if ("problems" in read) throw new Error(JSON.stringify(read.problems));
  const addresses = new AddressGuard(["127.0.0.1"]);
  const options = { addresses, environment: {}, clock: manualClock(NOW_US), source: "/telltale" };
  const first = sink.posted.length;
  const channel = openChannel(read.config.receivers[0]!.channels[0]!, options);
  const sent = await channel.send(message, new AbortController().signal);
  return { sent, posted: sink.posted.slice(first), bodies: sink.posted.slice(first).map(bodyOf) };
}

const bodyOf = ({ body }: Posted) => (body.length === 0 ? undefined : JSON.parse(String(body)));
const labelled = (labels: Record<string, string>) => notification({ alerts: [notifiedAlert({ labels })] });
const hostile = (summary: string) => notification({ alerts: [notifiedAlert({ annotations: { summary } })] });
const resolved = (given: Partial<Message> = {}) =>
  notification({ ...given, alerts: [notifiedAlert({ status: "resolved", endsUs: NOW_US - 1_000_000 })] });

/** As an attacker would name a sensor. */
const ATTACK = "@all @channel <@all> **x** [y](http://evil.example)";

describe("Webex", () => {
  const webex = (rest = "") =>
    `webex_configs: [{api_url: '${sink.url}/v1/messages', room_id: 'room-{{ .CommonLabels.team }}', http_config: {authorization: {credentials: bot}}${rest}}]`;

  test("is sent Markdown to a room that the labels name, with the token of the bot", async () => {
    const { posted, bodies } = await send(webex(), { message: labelled({ team: "north" }) });
    expect(posted[0]).toMatchObject({ path: "/v1/messages", headers: { authorization: "Bearer bot" } });
    expect(bodies[0].roomId).toBe("room-north");
    expect(bodies[0].markdown).toMatch(/^\*\*.*\*\*\n\nAn alert is open\./);
  });

  test("keeps the room where the text of the configuration is refused, and ours is sent", async () => {
    sink.answer((response, posted) => response.writeHead(String(posted.body).includes("bad") ? 400 : 200).end());
    const { sent, bodies } = await send(webex(", message: 'bad {{ .Status }}'"), {
      message: labelled({ team: "north" }),
    });
    expect(sent).toMatchObject({
      kind: "ok",
      note: expect.stringContaining("texts of the configuration were refused"),
    });
    expect(bodies.map(({ roomId }) => roomId)).toEqual(["room-north", "room-north"]);
  });

  test("mentions nobody and links nowhere by a sensor's texts", async () => {
    const own = await send(webex(", message: '{{ (index .Alerts 0).Annotations.summary }}'"), {
      message: hostile(ATTACK),
    });
    const ours = await send(webex(), { message: hostile(ATTACK) });
    for (const { markdown } of [...own.bodies, ...ours.bodies]) {
      expect(markdown).not.toMatch(/<@|@all|\*\*x|\[y\]\(/);
      expect(markdown).toContain("\\[y\\](http://evil.example)");
    }
  });

  test.each(["o", "ö", "😀"])("has as much of a text of %s as there is room for", async (character) => {
    const { bodies } = await send(webex(`, message: '{{ .Status }}${character.repeat(7_000)}'`), {
      message: labelled({ team: "north" }),
    });
    const bytes = Buffer.byteLength(bodies[0].markdown);
    const size = Buffer.byteLength(character);
    expect(bodies[0].markdown).toMatch(size === 1 ? /^firingo+$/ : /^firing.+…$/u);
    if (size > 1) expect(bytes).toBeGreaterThan(7_439 - size);
    expect(bytes).toBeLessThanOrEqual(7_439);
  });

  test("without a token is refused", () => {
    expect(problemsOf("webex_configs: [{room_id: a}]")).toEqual([expect.stringContaining("http_config.authorization")]);
  });
});

describe("Mattermost", () => {
  const mattermost = (rest = "") => `mattermost_configs: [{webhook_url: '${sink.url}/hooks/secret'${rest}}]`;

  test("is sent an attachment with what the configuration puts beside it, by an address that may stand in global", async () => {
    const { posted, bodies } = await send(
      "mattermost_configs: [{channel: '{{ .CommonLabels.team }}', username: Telltale, icon_url: 'https://x.example/i.png', " +
        "author_name: Plant, fields: [{title: Team, value: '{{ .CommonLabels.team }}', short: true}], " +
        "attachments: [{title: 'Second *', text: '{{ .Status }}'}], props: {card: '# {{ .Status }}'}, " +
        "priority: {priority: Important, requested_ack: true, persistent_notifications: true}}]",
      {
        message: labelled({ team: "north", severity: "critical" }),
        global: `mattermost_webhook_url: '${sink.url}/hooks/g'`,
      },
    );
    expect(posted[0]!.path).toBe("/hooks/g");
    expect(bodies[0]).toMatchObject({
      ...{ channel: "north", username: "Telltale", icon_url: "https://x.example/i.png", props: { card: "# firing" } },
      priority: { priority: "important", requested_ack: true },
      attachments: [
        { color: "#b3261e", author_name: "Plant", fields: [{ title: "Team", value: "north", short: true }] },
        { title: "Second \\*", text: "firing" },
      ],
    });
    // Only with the highest.
    expect(bodies[0].priority).not.toHaveProperty("persistent_notifications");
  });

  test("mentions nobody and links nowhere by a sensor's texts", async () => {
    const { bodies } = await send(mattermost(), { message: hostile(ATTACK) });
    expect(JSON.stringify(bodies[0])).not.toMatch(/@all|@channel|<@|\[y\]\(/);
    // Marks do not count in a title that is a link.
    expect(bodies[0].attachments[0].title).toContain("**x**");
  });

  test("shows marks as they are wherever Mattermost reads none", async () => {
    const value = "'{{ (index .Alerts 0).Labels.part }}'";
    const link = ", title_link: 'https://telltale.example/'";
    const { bodies } = await send(
      mattermost(
        `, title: ${value}${link}, author_name: ${value}, footer: ${value}, attachments: [{title: ${value}, pretext: ${value}}]`,
      ),
      { message: labelled({ part: "oil_pump *2* @all" }) },
    );
    const [first, second] = bodies[0].attachments;
    const asItIs = "oil_pump *2* @\u200Ball";
    expect(first).toMatchObject({ title: asItIs, author_name: asItIs, footer: asItIs });
    const escaped = expect.stringContaining("oil\\_pump \\*2\\*");
    expect(second).toMatchObject({ title: escaped, pretext: escaped });
  });
});

describe("Rocket.Chat", () => {
  const rocketChat = (rest = "") =>
    `rocketchat_configs: [{api_url: '${sink.url}/', token: secret-token, token_id: bot, channel: '#ops'${rest}}]`;

  test("is sent an attachment by the bot's token, with buttons of the configuration", async () => {
    sink.answer((response) => response.end('{"success":true}'));
    const { sent, posted, bodies } = await send(
      rocketChat(
        ", emoji: ':fire:', actions: [{type: button, text: Help, msg: '!help'}, {text: No, url: 'javascript:x'}]",
      ),
    );
    expect(sent).toEqual({ kind: "ok" });
    expect(posted[0]).toMatchObject({
      path: "/api/v1/chat.postMessage",
      headers: { "x-auth-token": "secret-token", "x-user-id": "bot" },
    });
    expect(bodies[0]).toMatchObject({
      ...{ channel: "#ops", emoji: ":fire:" },
      attachments: [{ title: "[CRITICAL] Press 3 is not as usual", color: "#b3261e" }],
    });
    expect(bodies[0].attachments[0].actions).toEqual([{ type: "button", text: "Help", msg: "!help" }]);
  });

  test("that answers 200 and no success has not taken the message", async () => {
    sink.answer((response) => response.end('{"success":false,"error":"no secret-token"}'));
    const { sent } = await send(rocketChat());
    expect(sent).toMatchObject({ kind: "failed", reason: expect.stringContaining("no ***") });
  });

  test.each(["<html>Log in</html>", "{}", "null", `<html>${"x".repeat(10_000)}`])(
    "is no Rocket.Chat where 200 comes with %.20s",
    async (page) => {
      sink.answer((response) => response.end(page));
      const { sent } = await send(rocketChat());
      expect(sent).toMatchObject({ kind: "failed", reason: expect.stringContaining("answered 200") });
    },
  );

  test("is given addresses as they are, which mention nobody", async () => {
    const address = "https://am.example/#/alerts?a=b";
    const { bodies } = await send(
      rocketChat(
        ", text: '{{ (index .Alerts 0).Labels.a }} {{ (index .Alerts 0).Labels.b }}', title_link: 'https://x.example/#y'",
      ),
      { message: labelled({ a: `see ${address} #now`, b: "[https://good.example](http://evil.example/@all)" }) },
    );
    expect(bodies[0].attachments[0]).toMatchObject({
      text: `see ${address} #\u200Bnow [https://good.example]\u200B(http://evil.example/%40all)`,
      title_link: "https://x.example/#y",
    });
  });

  test("whose answer quotes a long message has taken it", async () => {
    sink.answer((response) => response.end(JSON.stringify({ message: "x".repeat(10_000), success: true })));
    expect((await send(rocketChat())).sent).toEqual({ kind: "ok" });
  });

  test("mentions nobody and links nowhere by a sensor's texts", async () => {
    const { bodies } = await send(rocketChat(), { message: hostile(ATTACK) });
    expect(JSON.stringify(bodies[0])).not.toMatch(/@all|@channel|<@|\[y\]\(/);
  });
});

describe("incident.io", () => {
  const incidentIo = (rest: string) =>
    `incidentio_configs: [{url: '${sink.url}/v2/alert_events/alertmanager/01'${rest}}]`;

  test("is sent the body of a webhook by the token of the alert source", async () => {
    const { posted, bodies } = await send(incidentIo(", alert_source_token: source-token, max_alerts: 1"));
    expect(posted[0]!.headers.authorization).toBe("Bearer source-token");
    expect(bodies[0]).toMatchObject({ version: "1", status: "firing", truncatedAlerts: 0 });
  });

  test("has one credential, not two and not none", () => {
    const http = "http_config: {authorization: {credentials: x}}";
    expect(problemsOf(incidentIo(""))).toEqual([expect.stringContaining("has no alert_source_token")]);
    expect(problemsOf(incidentIo(`, ${http}`))).toEqual([]);
    expect(problemsOf(incidentIo(`, alert_source_token: x, ${http}`))).toEqual([
      expect.stringContaining("stands beside credentials"),
    ]);
  });
});

describe("Jira", () => {
  const jira = (rest = "", path = "/rest/api/2") =>
    `jira_configs: [{api_url: '${sink.url}${path}', project: '{{ .CommonLabels.team }}', issue_type: Bug, ` +
    `http_config: {basic_auth: {username: u, password: p}}${rest}}]`;
  const message = labelled({ team: "OPS", severity: "critical" });
  /** A Jira that has this issue, if any, and answers so to what is to be done with it. */
  const holds = (issue?: { readonly key: string; readonly category: string }, moved = 204) =>
    sink.answer((response, { path, method }) => {
      const found = issue && { key: issue.key, fields: { status: { statusCategory: { key: issue.category } } } };
      const transitions = [
        { id: "11", name: "Reopen" },
        { id: "31", name: "Done" },
      ];
      const answer = path.includes("/search")
        ? { issues: found ? [found] : [] }
        : method === "GET"
          ? { transitions }
          : {};
      const isMove = method === "POST" && path.endsWith("/transitions");
      response.writeHead(isMove ? moved : 200).end(JSON.stringify(answer));
    });
  const calls = (posted: readonly Posted[]) => posted.map(({ method, path }) => `${method} ${path}`);

  test("gets an issue for a group that has none, labelled with the group's key", async () => {
    holds();
    const { posted, bodies } = await send(
      jira(
        ", labels: [plant, '{{ .Status }}'], fields: {components: [{name: '{{ .CommonLabels.team }}'}], customfield_1: '{{ len .Alerts }}'}",
      ),
      { message },
    );
    expect(calls(posted)).toEqual(["POST /rest/api/2/search", "POST /rest/api/2/issue"]);
    const label = expect.stringMatching(/^ALERT\{[0-9a-f]{64}\}$/);
    expect(bodies[0].jql).toMatch(
      /^statusCategory != Done AND project = "OPS" AND labels = "ALERT\{[0-9a-f]{64}\}" ORDER BY status ASC, resolutiondate DESC$/,
    );
    expect(bodies[1].fields).toMatchObject({
      ...{ project: { key: "OPS" }, issuetype: { name: "Bug" }, priority: { name: "High" } },
      ...{ labels: [label, "firing", "plant"], components: [{ name: "OPS" }], customfield_1: 1 },
      summary: expect.stringContaining("[CRITICAL]"),
    });
  });

  test("has the issue of a group updated, but for what is to stay, and closed by the last message", async () => {
    holds({ key: "OPS-7", category: "indeterminate" });
    const settings = ", resolve_transition: Done, summary: {template: x, enable_update: false}";
    const { posted, bodies } = await send(jira(settings), { message: resolved({ commonLabels: { team: "OPS" } }) });
    expect(calls(posted)).toEqual([
      "POST /rest/api/2/search",
      "PUT /rest/api/2/issue/OPS-7",
      "GET /rest/api/2/issue/OPS-7/transitions",
      "POST /rest/api/2/issue/OPS-7/transitions",
    ]);
    expect(bodies[1].fields).not.toHaveProperty("summary");
    expect(bodies[3]).toEqual({ transition: { id: "31" } });
  });

  test("has the issue of a group that fires again opened again", async () => {
    holds({ key: "OPS-7", category: "done" });
    const { posted, bodies } = await send(
      jira(', reopen_transition: Reopen, reopen_duration: 1h, wont_fix_resolution: "Won\'t Do"'),
      { message },
    );
    expect(bodies[0].jql).toContain(
      `(resolution is EMPTY OR resolution != "Won't Do") AND (resolutiondate is EMPTY OR resolutiondate >= -60m)`,
    );
    expect(bodies.at(-1)).toEqual({ transition: { id: "11" } });
    expect(calls(posted)).toHaveLength(4);
  });

  test("gets no issue for an end of which it has none", async () => {
    holds();
    const { sent, posted } = await send(jira(), { message: resolved({ commonLabels: { team: "OPS" } }) });
    expect([sent, calls(posted)]).toEqual([{ kind: "ok" }, ["POST /rest/api/2/search"]]);
  });

  test("whose search fails gets no second issue", async () => {
    sink.answer((response) => response.writeHead(503).end());
    const { sent, posted } = await send(jira(), { message });
    expect([sent.kind, posted.length]).toEqual(["retry", 1]);
  });

  test("whose search is answered by a page of another program gets no second issue", async () => {
    sink.answer((response) => response.end("<html>Log in</html>"));
    const { sent, posted } = await send(jira(), { message });
    expect([sent.kind, posted.length]).toEqual(["failed", 1]);
  });

  test.each([null, [[null]], [[{ key: "../../x" }]], [[{ key: "OPS-7\u0000" }]], {}, "OPS-7"])(
    "whose search finds %j gets no second issue",
    async (issues) => {
      sink.answer((response) => response.end(JSON.stringify({ issues })));
      const { sent, posted } = await send(jira(), { message });
      expect([sent.kind, posted.length]).toEqual(["failed", 1]);
    },
  );

  test("that may have got an issue is searched again only when the search finds it", async () => {
    const end = { 503: 30_000, 429: 60_000, 0: 30_000 };
    for (const [status, afterMs] of Object.entries(end)) {
      sink.answer((response, { path }) => {
        if (path.endsWith("/search")) return response.end('{"issues":[]}');
        if (status === "0") return response.destroy();
        return response.writeHead(Number(status), status === "429" ? { "retry-after": "60" } : {}).end();
      });
      expect((await send(jira(), { message })).sent).toMatchObject({ kind: "retry", afterMs });
    }
    // An issue that was found is updated: that may be repeated at once.
    sink.answer((response, { path }) =>
      path.endsWith("/search") ? response.end('{"issues":[{"key":"OPS-7"}]}') : response.writeHead(503).end(),
    );
    expect((await send(jira(), { message })).sent).not.toHaveProperty("afterMs");
  });

  test.each([null, [[null]], [[{ name: "Done" }]], {}])(
    "whose transitions are %j says that it has none",
    async (those) => {
      sink.answer((response, { path }) =>
        response.end(
          JSON.stringify(path.endsWith("/search") ? { issues: [{ key: "OPS-7" }] } : { transitions: those }),
        ),
      );
      const { sent } = await send(jira(", resolve_transition: Done"), {
        message: resolved({ commonLabels: { team: "OPS" } }),
      });
      expect(sent).toMatchObject({ kind: "failed", reason: "the issue OPS-7 has no transition of that name" });
    },
  );

  test("that refuses the transition has the texts of the configuration already, and gets no others", async () => {
    holds({ key: "OPS-7", category: "new" }, 400);
    const { posted } = await send(jira(", resolve_transition: Done, summary: '{{ .Status }}'"), {
      message: resolved({ commonLabels: { team: "OPS" } }),
    });
    expect(calls(posted)).toHaveLength(4);
  });

  test("is asked for names in English, unless the configuration asks for others", async () => {
    holds();
    const languageOf = async (own = "") => {
      const { posted } = await send(jira().replace("http_config: {", `http_config: {${own}`), { message });
      return posted[0]!.headers["accept-language"];
    };
    expect(await languageOf()).toBe("en");
    expect(await languageOf("http_headers: {Accept-Language: {values: [de]}}, ")).toBe("de");
  });

  test("of version 3 and the cloud is searched there, and described by a document", async () => {
    holds();
    const { posted, bodies } = await send(
      jira(", api_type: cloud, priority: '', description: \"a\\n{{ .Status }}\"", "/rest/api/3"),
      {
        message,
      },
    );
    expect(calls(posted)).toEqual(["POST /rest/api/3/search/jql", "POST /rest/api/3/issue"]);
    const paragraph = (text: string) => ({ type: "paragraph", content: [{ type: "text", text }] });
    expect(bodies[1].fields).toMatchObject({
      description: { type: "doc", version: 1, content: [paragraph("a"), paragraph("firing")] },
    });
    expect(bodies[1].fields).not.toHaveProperty("priority");
  });

  test("without a project is sent nothing, and the reason says so", async () => {
    const { sent, posted } = await send(jira());
    expect(sent).toMatchObject({ kind: "failed", reason: expect.stringContaining("has no project") });
    expect(posted).toEqual([]);
  });

  test("whose transition there is not says so", async () => {
    holds({ key: "OPS-7", category: "new" });
    const { sent, posted } = await send(jira(", resolve_transition: Gone"), {
      message: resolved({ commonLabels: { team: "OPS" } }),
    });
    // The issue has the texts of the configuration, and not ours in a second attempt.
    expect(calls(posted).filter((call) => call.startsWith("PUT"))).toHaveLength(1);
    expect(sent).toMatchObject({ kind: "failed", reason: "the issue OPS-7 has no transition of that name" });
  });

  test("by Alertmanager's own templates has the priority of the worst alert", async () => {
    holds();
    const alerts = ["info", "warning"].map((severity) => notifiedAlert({ labels: { severity, team: "OPS" } }));
    const { bodies } = await send(
      jira(
        ", priority: '{{ template \"jira.default.priority\" . }}', summary: '{{ template \"jira.default.summary\" . }}', description: '{{ template \"jira.default.description\" . }}'",
      ),
      { message: notification({ alerts, commonLabels: { team: "OPS" } }) },
    );
    expect(bodies[1].fields).toMatchObject({
      priority: { name: "Medium" },
      description: expect.stringContaining("# Alerts Firing:"),
    });
  });
});

test("VictorOps, Opsgenie and Pushover keep where a message goes when texts of the configuration are refused", async () => {
  sink.answer((response, posted) => response.writeHead(String(posted.body).includes("bad") ? 422 : 202).end());
  const message = labelled({ team: "north" });
  const key = "'{{ .CommonLabels.team }}'";
  const victorOps = await send(
    `victorops_configs: [{api_key: k, api_url: '${sink.url}', routing_key: ${key}, state_message: 'bad {{ .Status }}'}]`,
    { message },
  );
  expect(victorOps.posted.map(({ path }) => path)).toEqual(["/k/north", "/k/north"]);
  const opsgenie = await send(
    `opsgenie_configs: [{api_key: k, api_url: '${sink.url}', responders: [{type: team, name: ${key}}], note: 'bad {{ .Status }}'}]`,
    { message },
  );
  expect(opsgenie.bodies.map(({ responders }) => responders)).toEqual([
    [{ type: "team", name: "north" }],
    [{ type: "team", name: "north" }],
  ]);
});
