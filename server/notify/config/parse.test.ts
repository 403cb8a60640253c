import { expect, test } from "vitest";
import { channelKeys } from "./channel-keys.ts";
import { channelText } from "./channel-text.ts";
import { MAX_FILE_CHARACTERS, MAX_PROBLEMS } from "./limits.ts";
import { parseNotifyConfig } from "./parse.ts";

const ROUTE = "route: {receiver: a}\n";

function configOf(text: string) {
  const parsed = parseNotifyConfig(text);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems, undefined, 1));
  return parsed.config;
}

/** `line:column path: message` of each problem. */
function problemsOf(text: string): string[] {
  const parsed = parseNotifyConfig(text);
  if ("config" in parsed) return [];
  return parsed.problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
}

const channel = (text: string) => configOf(`${ROUTE}receivers: [{name: a, ${text}}]`).receivers[0]!.channels[0];
const channelProblems = (text: string) => problemsOf(`${ROUTE}receivers: [{name: a, ${text}}]`);

const KINDS =
  "webhook_configs, email_configs, slack_configs, msteams_configs, msteamsv2_configs, discord_configs, " +
  "pagerduty_configs, telegram_configs, ntfy_configs, alertmanager_configs, web_push_configs, " +
  "opsgenie_configs, pushover_configs, victorops_configs, webex_configs, mattermost_configs, rocketchat_configs, " +
  "incidentio_configs, jira_configs";

test("files, variables and addresses that are named are listed by their places, each once", () => {
  const parsed = parseNotifyConfig(`${ROUTE}global: {smtp_smarthost: "m:25", smtp_from: a@b.c, smtp_auth_username: u,
  smtp_auth_password: "\${MAIL}"}
receivers:
  - name: a
    email_configs: [{to: x@b.c}, {to: y@b.c}]
    webhook_configs: [{url_file: /run/url, http_config: {tls_config: {ca_file: /run/ca}}}, {url: "http://a"}]`);
  expect("config" in parsed && parsed.references).toEqual([
    { line: 3, column: 23, path: "global.smtp_auth_password", to: { env: "MAIL" } },
    { line: 7, column: 34, path: "receivers[0].webhook_configs[0].url_file", to: { file: "/run/url" } },
    {
      ...{ line: 7, column: 80, path: "receivers[0].webhook_configs[0].http_config.tls_config.ca_file" },
      to: { file: "/run/ca" },
    },
    { line: 7, column: 98, path: "receivers[0].webhook_configs[1].url", to: { url: "http://a" } },
  ]);
});

test("the least file has Alertmanager's defaults", () => {
  expect(configOf(`${ROUTE}receivers: [{name: a}]`)).toEqual({
    route: {
      ...{ id: "0", key: "{}", receiver: "a", matchers: [], groupBy: [], continue: false, routes: [] },
      ...{ groupWaitMs: 30_000, groupIntervalMs: 300_000, repeatIntervalMs: 14_400_000 },
      ...{ muteTimeIntervals: [], activeTimeIntervals: [], escalation: "", labels: {} },
    },
    receivers: [{ name: "a", channels: [], giveUpAfterMs: 86_400_000 }],
    ...{ inhibitRules: [], timeIntervals: [], schedules: [], escalations: [], resolveTimeoutMs: 300_000 },
    ...{ heartbeats: [], pings: [] },
  });
});

test("a webhook has Alertmanager's defaults, and those of its own win over global", () => {
  expect(channel("webhook_configs: [{url: 'https://x.example/y'}]")).toEqual({
    ...{
      kind: "webhook",
      url: { value: "https://x.example/y" },
      sendResolved: true,
      maxAlerts: 0,
      timeoutMs: 10_000,
      picture: false,
    },
  });
  const { receivers } = configOf(`
global: {http_config: {authorization: {credentials: all}}}
${ROUTE}
receivers:
  - name: a
    webhook_configs:
      - {url_file: /run/url, signing_key: k, send_resolved: no, max_alerts: 20, timeout: 1m, picture: true}
      - {url: '\${HOOK}', http_config: {basic_auth: {username: u, password_file: /run/pw}, tls_config: {ca_file: /ca.pem}}}
      - {url: http://x, http_config: {bearer_token: '\${TOKEN}'}}
`);
  expect(receivers[0]!.channels).toEqual([
    {
      ...{ kind: "webhook", url: { file: "/run/url" }, signingKey: { value: "k" } },
      ...{ authorization: { type: "Bearer", credentials: { value: "all" } } },
      ...{ sendResolved: false, maxAlerts: 20, timeoutMs: 60_000, picture: true },
    },
    {
      ...{ kind: "webhook", url: { env: "HOOK" }, basicAuth: { username: "u", password: { file: "/run/pw" } } },
      ...{ tls: { caFile: "/ca.pem" }, sendResolved: true, maxAlerts: 0, timeoutMs: 10_000, picture: false },
    },
    {
      ...{
        kind: "webhook",
        url: { value: "http://x" },
        authorization: { type: "Bearer", credentials: { env: "TOKEN" } },
      },
      ...{ sendResolved: true, maxAlerts: 0, timeoutMs: 10_000, picture: false },
    },
  ]);
});

test("channels over HTTP have Alertmanager's defaults, and take from global what they do not have themselves", () => {
  const { receivers } = configOf(`
global:
  slack_api_url_file: /run/slack
  telegram_bot_token: '\${BOT}'
  pagerduty_url: https://pager.example/v2/enqueue
  http_config: {tls_config: {ca_file: /ca.pem}}
${ROUTE}
receivers:
  - name: a
    slack_configs: [{channel: '#plant', fields: [{title: Plant, value: North, short: true}]}]
    msteams_configs: [{webhook_url: 'https://teams.example/x'}]
    msteamsv2_configs: [{webhook_url_file: /run/teams, title: Plant north}]
    discord_configs: [{webhook_url: '\${DISCORD}', http_config: {}}]
    pagerduty_configs: [{routing_key: r, severity: warning}]
    telegram_configs: [{chat_id: -1001234567890, parse_mode: "", timeout: 1m}]
    ntfy_configs: [{url: 'https://ntfy.example', topic: plant, token_file: /run/token, tags: [factory]}]
    alertmanager_configs: [{url: 'http://am.example:9093/am', http_config: {bearer_token: t}}]
`);
  const http = { tls: { caFile: "/ca.pem" }, sendResolved: true, timeoutMs: 10_000 };
  const global = { slack: { file: "/run/slack" }, bot: { env: "BOT" }, pager: "https://pager.example/v2/enqueue" };
  expect(receivers[0]!.channels).toEqual([
    {
      ...{ kind: "slack", url: global.slack, channel: "#plant", ...http, sendResolved: false },
      fields: [{ title: "Plant", value: "North", short: true }],
    },
    { kind: "msteams", url: { value: "https://teams.example/x" }, ...http, picture: false },
    { kind: "msteams", url: { file: "/run/teams" }, title: "Plant north", ...http, picture: false },
    { kind: "discord", url: { env: "DISCORD" }, sendResolved: true, timeoutMs: 10_000, picture: true },
    { kind: "pagerduty", url: { value: global.pager }, routingKey: { value: "r" }, severity: "warning", ...http },
    {
      ...{ kind: "telegram", url: { value: "https://api.telegram.org" }, botToken: global.bot, parseMode: "" },
      ...{ chatId: -1001234567890, disableNotifications: false, ...http, timeoutMs: 60_000, picture: true },
    },
    {
      ...{ kind: "ntfy", url: { value: "https://ntfy.example" }, topic: { value: "plant" }, ...http, picture: false },
      ...{ token: { file: "/run/token" }, tags: ["factory"] },
    },
    {
      ...{ kind: "alertmanager", url: { value: "http://am.example:9093/am" }, sendResolved: true, timeoutMs: 10_000 },
      authorization: { type: "Bearer", credentials: { value: "t" } },
    },
  ]);
});

test("an e-mail takes each setting of the mail server from global that it does not have itself", () => {
  const { receivers } = configOf(`
global:
  smtp_smarthost: '[2001:db8::1]:465'
  smtp_from: Plant <a@example.com>
  smtp_auth_username: plant
  smtp_auth_password: "two\\nlines"
  smtp_tls_config: {insecure_skip_verify: true, ca_file: /etc/mail-ca.pem}
${ROUTE}
receivers:
  - name: a
    email_configs:
      - to: 'x@example.com, "Last, First" <y@example.com>'
      - to: z@example.com
        from: b@example.com
        smarthost: mail.example.com:587
        hello: me.example.com
        auth_password_file: /run/pw
        require_tls: false
        force_implicit_tls: true
        tls_config: {}
        send_resolved: true
        picture: false
        headers: {X-Plant: north}
`);
  expect(receivers[0]!.channels).toEqual([
    {
      ...{ kind: "email", to: 'x@example.com, "Last, First" <y@example.com>', from: "Plant <a@example.com>" },
      ...{ smarthost: { host: "2001:db8::1", port: 465 }, hello: "localhost", authUsername: "plant" },
      ...{ authPassword: { value: "two\nlines" }, requireTls: true, implicitTls: true },
      ...{
        tls: { insecureSkipVerify: true, caFile: "/etc/mail-ca.pem" },
        headers: {},
        picture: true,
        sendResolved: false,
      },
    },
    {
      ...{
        kind: "email",
        to: "z@example.com",
        from: "b@example.com",
        smarthost: { host: "mail.example.com", port: 587 },
      },
      ...{ hello: "me.example.com", authUsername: "plant", authPassword: { file: "/run/pw" } },
      ...{ requireTls: false, implicitTls: true, tls: {} },
      ...{ headers: { "X-Plant": "north" }, picture: false, sendResolved: true },
    },
  ]);
});

test("matchers are the same in each form, and come in one order", () => {
  const forms = [
    "match: {b: '1'}, match_re: {a: x|y}",
    "matchers: [b=1, 'a=~\"x|y\"']",
    'matchers: [\'{a=~"x|y", b="1",}\']',
  ];
  const read = forms.map((form) => configOf(`route: {receiver: a, routes: [{${form}}]}\nreceivers: [{name: a}]`));
  for (const { route } of read)
    expect(route.routes[0]!.matchers).toEqual([
      { name: "a", operator: "=~", value: "x|y" },
      { name: "b", operator: "=", value: "1" },
    ]);
});

test("scalars are what is written: numbers, dates and words of YAML are texts where a text is wanted", () => {
  const { route } = configOf(
    "route: {receiver: 007, routes: [{match: {a: 1.50, b: yes, c: 2026-01-01, d: ''}}]}\nreceivers: [{name: 007}]",
  );
  expect(route.receiver).toBe("007");
  expect(route.routes[0]!.matchers.map(({ value }) => value)).toEqual(["1.50", "yes", "2026-01-01", ""]);
});

test("time intervals are read under both names, with what inhibits and the resolve timeout", () => {
  expect(
    configOf(`
global: {resolve_timeout: 1h30m}
${ROUTE}
receivers: [{name: a}]
inhibit_rules: [{source_match: {s: c}, target_matchers: [s=l], equal: [asset]}]
time_intervals:
  - name: t
    time_intervals:
      - times: [{start_time: 08:00, end_time: 24:00}]
        weekdays: [Monday:friday]
        days_of_month: [1:5, -1]
        months: [january:March, 12]
        years: [2026:2030]
        location: Europe/Berlin
mute_time_intervals: [{name: old, time_intervals: [{}]}]
`),
  ).toMatchObject({
    resolveTimeoutMs: 5_400_000,
    inhibitRules: [
      {
        sourceMatchers: [{ name: "s", operator: "=", value: "c" }],
        targetMatchers: [{ name: "s", operator: "=", value: "l" }],
        equal: ["asset"],
      },
    ],
    timeIntervals: [
      {
        name: "t",
        intervals: [
          {
            times: [{ from: 480, to: 1_440 }],
            weekdays: [{ from: 1, to: 5 }],
            daysOfMonth: [
              { from: 1, to: 5 },
              { from: -1, to: -1 },
            ],
            months: [
              { from: 1, to: 3 },
              { from: 12, to: 12 },
            ],
            years: [{ from: 2026, to: 2030 }],
            location: "Europe/Berlin",
          },
        ],
      },
      { name: "old", intervals: [{ location: "UTC" }] },
    ],
  });
});

test("anchors, aliases and << are followed", () => {
  const { route } = configOf(`
route:
  receiver: a
  routes:
    - &first {match: {x: y}, group_wait: 1s, group_by: &labels [l]}
    - {<<: *first, group_wait: 2s}
    - {<<: [*first, {group_interval: 3s, group_wait: 9s}], group_by: *labels}
receivers: [{name: a}]`);
  expect(
    route.routes.map(({ groupWaitMs, groupIntervalMs, groupBy }) => [groupWaitMs, groupIntervalMs, groupBy]),
  ).toEqual([
    [1_000, 300_000, ["l"]],
    [2_000, 300_000, ["l"]],
    [1_000, 3_000, ["l"]],
  ]);
});

test("all problems of a file are reported, each at its place, with the value and what to do", () => {
  expect(
    problemsOf(`global:
  smtp_smarthost: mail.example.com
  wechat_api_url: https://x
route:
  receiver: mail
  group_wiat: 30
  group_wait: 30
  routes:
    - matchers: severity="a"
    - matchers: ['severity=~"("', x]
      mute_time_intervals: [night]
      group_by: [..., a]
      continue: maybe
receivers:
  - name: mails
    sns_configs: [{channel: x}]
    email_configs: [{to: b, html: '{{ x }}', headers: {Subject: '{{ y }}'}}]
  - name: mails
    webhook_config: []
time_intervals:
  - name: nights
    time_intervals: [{weekdays: [mondya], location: Europe/Berlni, times: []}]
templates: [a.tmpl]
`),
  ).toEqual([
    '2:19 global.smtp_smarthost: "mail.example.com" is no host with a port: write for example mail.example.com:587.',
    "3:3 global.wechat_api_url: is not available yet: remove it.",
    '5:13 route.receiver: there is no receiver "mail"; did you mean mails?',
    '6:3 route.group_wiat: "group_wiat" is no setting of a route; did you mean group_wait?',
    '7:15 route.group_wait: "30" is no duration: write 30s for seconds.',
    "9:17 route.routes[0].matchers: is no list: write [ ] around it, or a dash before each entry.",
    '10:18 route.routes[1].matchers[0]: the matcher severity=~"(" is no regular expression of RE2: error parsing regexp: missing closing ): `(`.',
    '10:35 route.routes[1].matchers[1]: the matcher x has no =, !=, =~ or !~ after "x": write name="value".',
    '11:29 route.routes[1].mute_time_intervals[0]: there is no time interval "night"; did you mean nights?',
    '12:17 route.routes[1].group_by: has "..." and other labels: "..." is all of them, so keep one or the other.',
    '13:17 route.routes[1].continue: "maybe" is neither true nor false.',
    `16:5 receivers[0].sns_configs: is not available yet: receivers have ${KINDS}; remove it.`,
    "17:21 receivers[0].email_configs[0]: has no from: write it here, or smtp_from in global.",
    '17:26 receivers[0].email_configs[0].to: "b" is no address: write name@example.com, and commas between several.',
    '17:39 receivers[0].email_configs[0].html: there is no function "x": functions are those of the guide.',
    '17:69 receivers[0].email_configs[0].headers.Subject: there is no function "y": functions are those of the guide.',
    '18:11 receivers[1].name: "mails" is the name of a receiver before it: rename one.',
    '19:5 receivers[1].webhook_config: "webhook_config" is no setting of a receiver; did you mean webhook_configs?',
    '22:34 time_intervals[0].time_intervals[0].weekdays[0]: "mondya" is no weekday; did you mean monday?',
    '22:53 time_intervals[0].time_intervals[0].location: "Europe/Berlni" is no time zone; did you mean Europe/Berlin?',
    "22:75 time_intervals[0].time_intervals[0].times: is an empty list: write at least one entry, or remove it.",
    "23:13 templates[0]: there is no such file.",
  ]);
});

test.each([
  ["webhook_configs: [{url: 'hunter2'}]", "is no address: write http:// or https:// with a host."],
  ["webhook_configs: [{url: 'https://u:hunter2@x'}]", "has a user in it: write http_config.basic_auth instead."],
  [
    "webhook_configs: [{url: 'https://x/{{ hunter2 }}'}]",
    "has a template: templates are not available yet; write the address itself.",
  ],
  [
    `webhook_configs: [{url: 'https://x/hunter2/\${TOKEN}'}]`,
    "has a variable within a text: put the whole value into the variable.",
  ],
  ["webhook_configs: [{url: 'http://x', url_file: /x}]", "stands beside url: remove one of the two."],
  ["webhook_configs: [{url_file: x}]", '"x" is no absolute path: write it from the root on.'],
  ["webhook_configs: [{url: 'http://x', timeout: 10m}]", '"10m" is too long: at most 300s are taken.'],
  ["webhook_configs: [{url: 'http://x', signing_key: ''}]", "is empty: write a value, or remove it."],
  [
    "webhook_configs: [{url: 'http://x', http_config: {bearer_token: \"hunter2\\n\"}}]",
    "has a character that no header may have.",
  ],
  [
    "webhook_configs: [{url: 'http://x', http_config: {bearer_token: x, basic_auth: {username: u, password: p}}}]",
    "has basic_auth and bearer_token: keep one of them.",
  ],
  ["webhook_configs: [{url: 'http://x', http_config: {proxy_url: 'socks5://hunter2@y'}}]", "is no address of a proxy"],
  [
    "webhook_configs: [{url: 'http://x', http_config: {proxy_url: 'http://y', proxy_from_environment: true}}]",
    "stands beside proxy_from_environment: remove one of the two.",
  ],
  ["webhook_configs: [{url: 'http://x', http_config: {no_proxy: y}}]", "stands without proxy_url"],
  ["webhook_configs: [{url: 'http://x', http_config: {proxy_connect_header: {a: [b]}}}]", "stands without a proxy"],
  [
    "webhook_configs: [{url: 'http://x', http_config: {oauth2: {client_id: a, client_secret: hunter2, token_url: 'ftp://y'}}}]",
    "is no address: write http:// or https:// with a host.",
  ],
  [
    "webhook_configs: [{url: 'http://x', http_config: {oauth2: {client_id: a, token_url: 'http://y'}}}]",
    "has no client_secret: write client_secret or client_secret_file.",
  ],
  [
    "webhook_configs: [{url: 'http://x', http_config: {bearer_token: hunter2, oauth2: {client_id: a, client_secret: b, token_url: 'http://y'}}}]",
    "has oauth2 and bearer_token: keep one of them.",
  ],
  ["webhook_configs: [{url: 'http://x', http_config: {tls_config: {cert_file: /a}}}]", "has a cert or a key without"],
  ["webhook_configs: [{url: 'http://x', http_config: {tls_config: {ca: a}}}]", "is no PEM: it begins with -----BEGIN."],
  [
    "webhook_configs: [{url: 'http://x', http_config: {tls_config: {min_version: '1.2'}}}]",
    '"1.2" is no version of TLS',
  ],
  [
    "webhook_configs: [{url: 'http://x', http_config: {tls_config: {min_version: TLS13, max_version: TLS12}}}]",
    "has a min_version above its max_version.",
  ],
  [
    "email_configs: [{to: x@y, from: a@b, smarthost: 'h:25', auth_username: u}]",
    "has auth_username or auth_password without the other: write both, here or in global.",
  ],
  [
    "email_configs: [{to: x@y, from: a@b, smarthost: 'h:25', headers: {X-A: \"a\\r\\nBcc: z@y\"}}]",
    "has a line break or another control character: take it out.",
  ],
  [
    "webhook_configs: [{url: 'http://x', http_config: {tls_config: {ca_file: ca.pem}}}]",
    '"ca.pem" is no absolute path: write it from the root on.',
  ],
  [
    "email_configs: [{to: x@y, from: a@b, smarthost: 'h:25', headers: {message-id: z}}]",
    'the header "message-id" is set by the platform and cannot be changed.',
  ],
  [
    "email_configs: [{to: x@y, from: a@b, smarthost: 'h:99999'}]",
    '"h:99999" is no host with a port: write for example mail.example.com:587.',
  ],
  ["slack_configs: [{channel: x}]", "has no api_url: write api_url or api_url_file."],
  ["slack_configs: [{api_url: 'https://x', update_message: true}]", "is not available yet: write api_url"],
  [
    "email_configs: [{to: 'x@y', from: '{{ .Status }}@y', smarthost: 'h:25'}]",
    "has a template, which is not available here: write the text itself, or remove it.",
  ],
  ["msteamsv2_configs: [{webhook_url: hunter2}]", "is no address: write http:// or https:// with a host."],
  [
    "discord_configs: [{webhook_url: 'https://x', avatar: y}]",
    '"avatar" is no setting of a message to Discord: remove it.',
  ],
  ["pagerduty_configs: [{severity: error}]", "has no routing_key: write routing_key or routing_key_file."],
  [
    "pagerduty_configs: [{routing_key: hunter2, severity: critcal}]",
    '"critcal" is no severity of PagerDuty; did you mean critical?',
  ],
  [
    "pagerduty_configs: [{routing_key: x, service_key: hunter2}]",
    "is not available yet: it is of the API before this one",
  ],
  [
    "telegram_configs: [{bot_token: 'hunter2/x', chat_id: 1}]",
    "is no token of a bot: write it as BotFather gave it, digits:letters.",
  ],
  [
    "telegram_configs: [{bot_token: x, chat_id: plant}]",
    '"plant" is no id of a chat: write a whole number, below zero for a group.',
  ],
  [
    "telegram_configs: [{bot_token: x, chat_id: 1, parse_mode: Markdown}]",
    '"Markdown" is no mode that is taken: write HTML, MarkdownV2 or "" for plain text.',
  ],
  ["ntfy_configs: [{url: 'https://x', topic: 'hunter2 x'}]", "is no topic: write 1 to 64 letters, digits, _ and -."],
  ["ntfy_configs: [{url: 'https://x?a=hunter2', topic: x}]", "has a ? or #: write the address up to there."],
  [
    "ntfy_configs: [{url: 'https://x', topic: x, token: hunter2, http_config: {bearer_token: y}}]",
    "has a token, and credentials in http_config: keep one of them.",
  ],
  [
    "alertmanager_configs: [{url: 'https://x', send_resolved: false}]",
    "is false: an Alertmanager has to hear of the end.",
  ],
  ["email_configs: [null]", "is no object"],
])("of a channel with %s one thing is wrong, and no secret is quoted", (text, message) => {
  const problems = channelProblems(text);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(message === "is no object" ? "wanted settings of an e-mail" : `: ${message}`);
  expect(problems[0]).not.toContain("hunter2");
});

const HOOK = "webhook_configs: [{url: 'http://x'}]";

test("a receiver with a fallback gives up sooner, unless it says when", () => {
  const { receivers } = configOf(`${ROUTE}receivers:
  - {name: a, ${HOOK}, fallback: b}
  - {name: b, ${HOOK}, fallback: c, give_up_after: 30s}
  - {name: c, ${HOOK}, give_up_after: 2h}`);
  expect(receivers.map(({ fallback, giveUpAfterMs }) => [fallback, giveUpAfterMs])).toEqual([
    ["b", 300_000],
    ["c", 30_000],
    [undefined, 7_200_000],
  ]);
});

test.each([
  [
    "{name: a, fallback: aa}, {name: aaa, HOOK}",
    '33 receivers[0].fallback: there is no receiver "aa"; did you mean aaa?',
  ],
  [
    "{name: a, fallback: b}, {name: b}",
    '33 receivers[0].fallback: the receiver "b" has no channels: nobody would be notified.',
  ],
  ["{name: a, HOOK, fallback: a}", 'receivers[0].fallback: leads back to itself: "a" → "a"; end it somewhere.'],
  [
    "{name: a, HOOK, fallback: b}, {name: b, HOOK, fallback: a}",
    'receivers[0].fallback: leads back to itself: "a" → "b" → "a"; end it somewhere.',
  ],
  ["{name: a, HOOK, give_up_after: 0s}", "receivers[0].give_up_after: is zero: write a duration above it."],
  [
    "{name: a, HOOK, max_messages_per_minute: 0}",
    "receivers[0].max_messages_per_minute: is zero: nobody would be notified; write a number above it.",
  ],
  ["{name: a, HOOK, give_up_after: 2d}", 'receivers[0].give_up_after: "2d" is too long: at most 86400s are taken.'],
])("of receivers %s something is wrong", (receivers, message) => {
  expect(problemsOf(`${ROUTE}receivers: [${receivers.replaceAll("HOOK", HOOK)}]`)[0]).toContain(message);
});

test("a text that is no YAML is reported at its place, without quoting it", () => {
  expect(problemsOf("- a\nb: hunter2")).toEqual([
    "2:1 : this is no YAML: Unexpected scalar at node end.",
    "2:2 : this is no YAML: Unexpected map-value-ind token in YAML stream.",
    "2:4 : this is no YAML: Unexpected scalar token in YAML stream.",
  ]);
  expect(problemsOf("# nothing")).toEqual(["1:1 : is empty: write at least route and receivers."]);
  expect(problemsOf(`${ROUTE}---\nx: 1`)[0]).toBe(
    "2:1 : a second document begins: write one document, without a line of ---.",
  );
  expect(problemsOf(`${ROUTE}receivers: [{name: *x}]`)).toContain(
    "2:20 receivers[0].name: no value before it has the anchor &x.",
  );
});

test("names are refused where they are twice in an object, also within quotes", () => {
  expect(problemsOf(`${ROUTE}receivers: [{name: a, "name": b}]`)).toContain(
    '2:23 receivers[0]: "name" is there twice: keep one.',
  );
});

test("one mistake in global is one problem, however many receivers use it", () => {
  const problems = problemsOf(
    `global: {smtp_smarthost: x, smtp_from: a@b}\n${ROUTE}receivers: [{name: a, email_configs: [{to: x@y}, {to: z@y}]}]`,
  );
  expect(problems).toHaveLength(1);
});

const ROUTES = (count: number) => `route: {receiver: a, routes: [${"{},".repeat(count)}]}\nreceivers: [{name: a}]`;
const TENFOLD = Array.from(
  { length: 12 },
  (_, i) => `&r${i} {routes: [${`*r${i - 1},`.repeat(i === 0 ? 0 : 10)}]}`,
).join(",");

test.each([
  ["too long a text", `#${"x".repeat(MAX_FILE_CHARACTERS)}`, "has 524289 characters: at most 524288 are taken"],
  ["too many routes", ROUTES(5_001), "has 5001 entries: at most 5000 are taken"],
  [
    "a route within itself",
    "route: &r {receiver: a, routes: [*r]}\nreceivers: [{name: a}]",
    "is deeper than 20 levels",
  ],
  [
    "routes of aliases of aliases",
    `route: {receiver: a, routes: [${TENFOLD}]}\nreceivers: [{name: a}]`,
    "is past 5000 routes",
  ],
  [
    "an object merged into itself",
    "route: &r {receiver: a, <<: *r}\nreceivers: [{name: a}]",
    "merges << past 10 levels",
  ],
  ["brackets without end", `a: ${"[".repeat(10_000)}`, "nests too deep to be read"],
  [
    "expressions that are too large together",
    `route: {receiver: a, routes: [${`{match_re: {x: '${"a{1,1000}".repeat(9)}'}},`.repeat(12)}]}\nreceivers: [{name: a}]`,
    "is too large with the expressions before it",
  ],
  [
    "one expression that is too large",
    `route: {receiver: a, routes: [{match_re: {x: '${"a{1,1000}".repeat(11)}'}}]}\nreceivers: [{name: a}]`,
    "is too large",
  ],
  [
    "too long a name",
    `route: {receiver: a}\nreceivers: [{name: a}, {name: ${"x".repeat(201)}}]`,
    "has 201 characters: at most 200 are taken",
  ],
  ["too long a duration", "route: {receiver: a, group_wait: 101y}\nreceivers: [{name: a}]", '"101y" is too long'],
])("%s is refused by name", (_, text, message) => {
  expect(problemsOf(text)[0]).toContain(message);
});

test("no more than a hundred problems are reported", () => {
  const names = Array.from({ length: 300 }, (_, i) => `key${i}: 1`).join("\n");
  expect(problemsOf(names)).toHaveLength(MAX_PROBLEMS);
  expect(problemsOf("]".repeat(300)).length).toBeLessThanOrEqual(MAX_PROBLEMS);
});

test("schedules and escalations are read, and routes inherit an escalation unless they have none", () => {
  const { schedules, escalations, route } = configOf(`
route: { receiver: a, escalation: e, routes: [{ matchers: [x=1] }, { matchers: [x=2], escalation: none }] }
receivers: [{ name: a }, { name: b }]
schedules:
  - { name: s, time_zone: Europe/Berlin, rotations: [{ receivers: [a, b, a], start: 2026-11-02 08:00, shift: 1d12h }] }
escalations: [{ name: e, repeat_interval: 1h, steps: [{ after: 0s, schedules: [s] }, { after: 10m, receivers: [a, b] }] }]
`);
  const startLocalMs = Date.UTC(2026, 10, 2, 8);
  expect(schedules).toEqual([
    {
      ...{ name: "s", timeZone: "Europe/Berlin" },
      rotations: [{ receivers: ["a", "b", "a"], startLocalMs, shiftMs: 129_600_000, activeTimeIntervals: [] }],
    },
  ]);
  expect(escalations).toEqual([
    {
      ...{ name: "e", repeatIntervalMs: 3_600_000 },
      steps: [
        { afterMs: 0, receivers: [], schedules: ["s"] },
        { afterMs: 600_000, receivers: ["a", "b"], schedules: [] },
      ],
    },
  ]);
  expect([route, ...route.routes].map(({ escalation }) => escalation)).toEqual(["e", "e", ""]);
});

test("heartbeats and pings are read, with what is left out filled in", () => {
  const { heartbeats, pings } = configOf(`
route: { receiver: a }
receivers: [{ name: a }]
heartbeats:
  - { name: backup, interval: 1d, grace: 2h, labels: { severity: low }, runbook_url: https://w.example, token: 0815-0815-0815-0815 }
  - { name: job, interval: 1m, token_file: /run/token }
pings: [{ name: watcher, url_file: /run/url, interval: 1m }, { name: other, url: https://x.example/a, interval: 5m, method: POST }]
`);
  expect(heartbeats).toEqual([
    {
      ...{ name: "backup", intervalMs: 86_400_000, graceMs: 7_200_000, labels: { severity: "low" } },
      ...{ runbookUrl: "https://w.example", token: { value: "0815-0815-0815-0815" } },
    },
    { name: "job", intervalMs: 60_000, graceMs: 60_000, labels: {}, token: { file: "/run/token" } },
  ]);
  expect(pings).toEqual([
    { name: "watcher", url: { file: "/run/url" }, method: "GET", timeoutMs: 10_000, intervalMs: 60_000 },
    { name: "other", url: { value: "https://x.example/a" }, method: "POST", timeoutMs: 10_000, intervalMs: 300_000 },
  ]);
});

test.each([
  ["schedules: [{name: s, rotations: []}]", "schedules[0].rotations: is an empty list: nobody would ever be on call."],
  [
    "schedules: [{name: s, rotations: [{receivers: [x], start: 2026-11-02 08:00, shift: 1w}]}]",
    'there is no receiver "x"',
  ],
  [
    "schedules: [{name: s, rotations: [{receivers: [a], start: 2026-02-30 08:00, shift: 1w}]}]",
    "is no time on the schedule's clocks",
  ],
  [
    "schedules: [{name: s, rotations: [{receivers: [a], start: 2026-11-02 08:00, shift: 5m}]}]",
    "is no turn of whole minutes from 1h on",
  ],
  [
    "escalations: [{name: none, steps: [{after: 1m, receivers: [a]}]}]",
    'is "none", which on a route means no escalation',
  ],
  [
    "escalations: [{name: e, steps: [{after: 5m, receivers: [a]}, {after: 1m, receivers: [a]}]}]",
    "is less than that of the step before it",
  ],
  ["escalations: [{name: e, steps: [{after: 5m}]}]", "notifies nobody: write receivers or schedules."],
  [
    "escalations: [{name: e, steps: [{after: 5m, schedules: [s]}]}]",
    'there is no schedule "s": define it in schedules.',
  ],
  ["heartbeats: [{name: job}]", "heartbeats[0]: has no interval: write one."],
  ["heartbeats: [{name: job, interval: 100ms}]", "heartbeats[0].interval: is shorter than 1s"],
  ["heartbeats: [{name: a/b, interval: 1d}]", '"a/b" is no such name'],
  [
    "heartbeats: [{name: job, interval: 1d}, {name: job, interval: 1h}]",
    '"job" is the name of a heartbeat before it: rename one.',
  ],
  ["heartbeats: [{name: job, interval: 1d, labels: {alertname: x}}]", "alertname is set by the platform: remove it."],
  ["heartbeats: [{name: job, interval: 1d, token: hunter2}]", "has fewer than 16 characters"],
  ["pings: [{name: p, interval: 1m}]", "pings[0]: has no url: write url or url_file."],
  ["pings: [{name: p, interval: 1m, url: ftp://x}]", "is no address"],
  ["pings: [{name: p, interval: 1m, url: https://x.example, method: PUT}]", '"PUT" is neither GET nor POST.'],
])("%s is refused", (text, message) => {
  const [problem, ...more] = problemsOf(`${text}\n${ROUTE}receivers: [{name: a}]`);
  expect(problem).toContain(message);
  expect(more).toEqual([]);
});

test("an escalation that there is not is refused", () => {
  const text =
    "route: {receiver: a, escalation: standrd}\nreceivers: [{name: a}]\nescalations: [{name: standard, steps: [{after: 1m, receivers: [a]}]}]";
  expect(problemsOf(text)).toEqual(['1:34 route.escalation: there is no escalation "standrd"; did you mean standard?']);
});

test("browsers are told by web push: all, or those of callers that are named", () => {
  expect(channel("web_push_configs: [{}]")).toEqual({
    ...{ kind: "web_push", callers: [], ttlMs: 14_400_000, sendResolved: true, timeoutMs: 10_000 },
  });
  const given = "callers: ['token:ann'], contact: 'mailto:ops@plant.example', ttl: 1h, send_resolved: false";
  expect(channel(`web_push_configs: [{${given}, http_config: {tls_config: {ca_file: /etc/ca.pem}}}]`)).toMatchObject({
    ...{ callers: ["token:ann"], contact: "mailto:ops@plant.example", ttlMs: 3_600_000, sendResolved: false },
    tls: { caFile: "/etc/ca.pem" },
  });
  expect(channelProblems("web_push_configs: [{contact: ops, http_config: {bearer_token: t}}]")).toEqual([
    expect.stringContaining("has credentials: push services know the platform by its own key"),
  ]);
  expect(channelProblems("web_push_configs: [{contact: ops, ttl: 60d}]")).toEqual([
    expect.stringContaining('"ops" is no contact'),
    expect.stringContaining('"60d" is too long'),
  ]);
});

test("where a message goes may be a template: it is told as it is written, and channels stay apart by it", () => {
  const { channels } = configOf(`${ROUTE}receivers:
- name: a
  slack_configs:
    - {api_url: 'https://x.example', channel: '#{{ .CommonLabels.team }}'}
    - {api_url: 'https://x.example', channel: '#{{ .CommonLabels.location }}'}
  email_configs:
    - {to: '{{ .CommonLabels.owner }}', from: a@b.c, smarthost: 'h:25'}
    - {to: '{{ .CommonLabels.team }}@b.c', from: a@b.c, smarthost: 'h:25'}
`).receivers[0]!;
  expect(channels.map(channelText)).toEqual([
    "e-mail to {{ .CommonLabels.owner }} by h:25",
    "e-mail to {{ .CommonLabels.team }}@b.c by h:25",
    "Slack channel #{{ .CommonLabels.team }} by x.example",
    "Slack channel #{{ .CommonLabels.location }} by x.example",
  ]);
  expect(channelKeys(channels).filter((key) => key.includes("~"))).toEqual([]);
});

test("labels of a route are counted with those that it has of the routes above", () => {
  const labels = (from: number, count: number) =>
    `{${Array.from({ length: count }, (_, i) => `l${from + i}: x`).join(", ")}}`;
  const file = (own: string) =>
    `route: {receiver: a, labels: ${labels(0, 60)}, routes: [{labels: ${own}}]}\nreceivers: [{name: a}]`;
  expect(Object.keys(configOf(file(labels(20, 80))).route.routes[0]!.labels)).toHaveLength(100);
  expect(problemsOf(file(labels(20, 81)))).toEqual([
    expect.stringMatching(
      /route\.routes\[0\]\.labels: makes 101 with those of the routes above: at most 100 are taken\.$/,
    ),
  ]);
});
