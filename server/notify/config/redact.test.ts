import { expect, test } from "vitest";
import { parseNotifyConfig } from "./parse.ts";
import { redactText } from "./redact.ts";

const TEXT = `# Ours. smtp_auth_password: hunter-1
global:
  smtp_smarthost: mail.example.com:587 # the only one
  smtp_from: a@example.com
  smtp_auth_username: plant
  smtp_auth_password: &pw "hunter-2"   # token=hunter-3
route: {receiver: a}
receivers:
  - name: a # not a comment: "#"
    webhook_configs:
      - {url: https://hooks.example/x?hunter-4#hunter-5, signing_key: 'hunter-6', http_config: {bearer_token: hunter-7}}
      - url: \${HOOK}
        http_config:
          authorization:
            type: Bearer
            credentials: |
              hunter-8
      - url_file: /run/secrets/url
        # - url: https://hunter-9.example
        http_config: {basic_auth: {username: '# user', password_file: /run/secrets/pw}}
    email_configs:
      - to: b@example.com
        auth_password: *pw
        headers: {X-Api-Key: hunter-10, X-Plant: north}
    slack_configs: [{api_url: 'https://x.example/hunter-11', channel: '#plant'}]
    msteamsv2_configs: [{webhook_url: 'https://x.example/hunter-12'}]
    discord_configs: [{webhook_url_file: /run/discord}]
    pagerduty_configs: [{routing_key: hunter-13}]
    telegram_configs: [{bot_token: hunter-14, chat_id: -5}]
    ntfy_configs: [{url: https://ntfy.example, topic: hunter-15, token: hunter-16}]
    alertmanager_configs: [{url: 'http://[::1]:9093/hunter-17'}]
`;

test("every secret is hidden, in values, anchors and comments; all else stays where it is", () => {
  const shown = redactText(TEXT)!;
  expect(shown).not.toMatch(/hunter/);
  expect(shown).toBe(`# Ours. smtp_auth_password: <secret>
global:
  smtp_smarthost: mail.example.com:587 # the only one
  smtp_from: a@example.com
  smtp_auth_username: plant
  smtp_auth_password: &pw <secret>   # token=<secret>
route: {receiver: a}
receivers:
  - name: a # not a comment: "#"
    webhook_configs:
      - {url: https://hooks.example/<secret>, signing_key: <secret>, http_config: {bearer_token: <secret>}}
      - url: \${HOOK}
        http_config:
          authorization:
            type: Bearer
            credentials: <secret>
      - url_file: /run/secrets/url
        # - url: <secret>
        http_config: {basic_auth: {username: '# user', password_file: /run/secrets/pw}}
    email_configs:
      - to: b@example.com
        auth_password: *pw
        headers: {X-Api-Key: <secret>, X-Plant: north}
    slack_configs: [{api_url: https://x.example/<secret>, channel: '#plant'}]
    msteamsv2_configs: [{webhook_url: https://x.example/<secret>}]
    discord_configs: [{webhook_url_file: /run/discord}]
    pagerduty_configs: [{routing_key: <secret>}]
    telegram_configs: [{bot_token: <secret>, chat_id: -5}]
    ntfy_configs: [{url: https://ntfy.example, topic: <secret>, token: <secret>}]
    alertmanager_configs: [{url: "http://[::1]:9093/<secret>"}]
`);
});

test("secrets are where the format has them: each that is read from this file is hidden", () => {
  const parsed = parseNotifyConfig(TEXT.replace("|\n              hunter-8", "hunter-8"));
  const secrets = [...JSON.stringify(parsed).matchAll(/"value":"([^"]+)"/g)].map(([, secret]) => secret!);
  const shown = redactText(TEXT)!;
  expect(secrets.filter((secret) => secret.includes("hunter")).length).toBeGreaterThanOrEqual(12);
  expect(secrets.filter((secret) => secret.includes("hunter") && shown.includes(secret))).toEqual([]);
});

test("secrets of proxies, tokens and certificates are hidden", () => {
  expect(
    redactText(
      "http_config: {proxy_url: a, no_proxy: b, proxy_connect_header: {X-Who: [c]}, tls_config: {key: d, key_file: e}, " +
        "oauth2: {client_id: f, client_secret: g, token_url: h, scopes: [i]}}",
    ),
  ).toBe(
    "http_config: {proxy_url: <secret>, no_proxy: b, proxy_connect_header: {X-Who: [<secret>]}, tls_config: {key: <secret>, key_file: e}, " +
      "oauth2: {client_id: f, client_secret: <secret>, token_url: <secret>, scopes: [i]}}",
  );
});

test("of an address its host is shown, which is no secret, and nothing that could be one", () => {
  expect(
    redactText(
      "proxy_url: http://u:p@proxy.example:3128\npagerduty_url: https://pd.example/v2/enqueue\nurl: 'https://a.example/'\n" +
        "token: https://b.example/t\nicon_url: '{{ .ExternalURL }}/x'\nwebhook_url: |\n  https://c.example/s\nopsgenie_api_url: ftp://d.example/s\n",
    ),
  ).toBe(
    "proxy_url: http://proxy.example:3128/<secret>\npagerduty_url: https://pd.example/<secret>\nurl: 'https://a.example/'\n" +
      "token: <secret>\nicon_url: <secret>\nwebhook_url: https://c.example/<secret>\nopsgenie_api_url: <secret>\n",
  );
});

test("a text that is no YAML is not shown at all, because nobody knows where its secrets are", () => {
  expect(redactText("password: [x")).toBeUndefined();
});

test("a secret may be a list, of several lines, or missing", () => {
  expect(redactText("tokens: 1\npasswords: [a, 'b']\nkey: a\n  b\ntoken:\nsecret: >-\n  a\n  b\nname: x")).toBe(
    "tokens: 1\npasswords: [<secret>, <secret>]\nkey: <secret>\ntoken:<secret>\nsecret: <secret>\nname: x",
  );
});

test("a file as it is shown is refused by the places of its secrets: applying it would lose them", () => {
  const parsed = parseNotifyConfig(redactText(TEXT)!);
  const problems = "problems" in parsed ? parsed.problems : [];
  expect(problems.length).toBeGreaterThan(10);
  for (const { message } of problems) expect(message).toContain("is <secret>, as a configuration is shown");
  const paths = problems.map(({ path }) => path);
  expect(paths).toContain("global.smtp_auth_password");
  expect(paths).toContain("receivers[0].webhook_configs[1].http_config.authorization.credentials");
  expect(paths).toContain("receivers[0].email_configs[0].headers.X-Api-Key");
});
