import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { notifyCommand } from "./notify.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-notify-"));
  file = join(folder, "notify.yml");
  vi.spyOn(console, "error").mockReturnValue();
  vi.spyOn(console, "log").mockReturnValue();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const printed = () => vi.mocked(console.log).mock.calls.flat().join("\n");
const notify = (...args: string[]) => notifyCommand().parseAsync(args, { from: "user" });

const FILE = `
global: {smtp_smarthost: 'mail.example.com:587', smtp_from: plant@example.com}
route:
  receiver: team
  group_by: [alertname, asset]
  routes:
    - matchers: [asset=~"site-1/.*"]
      receiver: site-1
      routes:
        - {matchers: [severity="critical"], receiver: pager, group_wait: 0s, continue: true}
        - {matchers: [severity=~"low|medium"], mute_time_intervals: [nights], group_by: ['...']}
    - {match: {sensor_type: vibration}, receiver: nobody, active_time_intervals: [office], repeat_interval: 1d12h}
receivers:
  - {name: team, email_configs: [{to: team@example.com}]}
  - {name: site-1, email_configs: [{to: site-1@example.com}]}
  - {name: pager, webhook_configs: [{url: 'https://hooks.example.com/hunter2'}, {url_file: /run/url}, {url: '\${HOOK}'}]}
  - {name: nobody}
time_intervals:
  - {name: nights, time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}], location: Europe/Berlin}]}
  - {name: office, time_intervals: [{weekdays: ['monday:friday']}]}
`;

test("check prints the routes as a tree, and the receivers without their secrets", async () => {
  await writeFile(file, FILE);
  await notify("check", file);
  expect(printed()).toBe(
    `everything → team  (grouped by alertname, asset; wait 30s; interval 5m; repeat 4h)
├─ asset=~"site-1/.*" → site-1
│  ├─ severity="critical" → pager  (wait 0s; continue)
│  └─ severity=~"low|medium" → site-1  (grouped each set of labels apart; muted in nights)
└─ sensor_type="vibration" → nobody  (repeat 1d12h; active in office)

team    e-mail to team@example.com by mail.example.com:587
site-1  e-mail to site-1@example.com by mail.example.com:587
pager   webhook to hooks.example.com; webhook to the address in /run/url; webhook to the address in $HOOK
nobody  nobody: it has no channels`,
  );
});

test("check prints each kind of channel without its secrets, and who is notified instead", async () => {
  await writeFile(
    file,
    `route: {receiver: all}
receivers:
  - name: all
    slack_configs: [{api_url: 'https://hooks.slack.example/hunter2', channel: '#plant'}]
    msteamsv2_configs: [{webhook_url_file: /run/teams}]
    discord_configs: [{webhook_url: '\${DISCORD}'}]
    pagerduty_configs: [{routing_key: hunter2}]
    telegram_configs: [{bot_token: hunter2, chat_id: -5}]
    ntfy_configs: [{url: 'https://ntfy.example/', topic: hunter2}]
    alertmanager_configs: [{url: 'http://am.example:9093/hunter2'}]
    fallback: last
    give_up_after: 90s
    max_messages_per_minute: 6
  - {name: last, webhook_configs: [{url: 'https://x.example'}]}
`,
  );
  await notify("check", file);
  expect(printed()).toContain(
    `all   Slack channel #plant by hooks.slack.example; Teams by the address in /run/teams; Discord by the address in $DISCORD; \
PagerDuty by events.pagerduty.com; Telegram chat -5 by api.telegram.org; ntfy by ntfy.example; Alertmanager at am.example:9093; \
at most 6 messages a minute; after 1m30s last instead
last  webhook to x.example`,
  );
});

test("check refuses a file with all that is wrong, by line, and prints nothing that a terminal obeys", async () => {
  await writeFile(file, 'route: {receiver: a}\nreceivers:\n  - name: b\n    sns_configs: []\n    "x\\u001b[2J": 1\n');
  await expect(notify("check", file)).rejects.toThrow(
    `${file}:1:19: route.receiver: there is no receiver "a": define it in receivers.
${file}:4:5: receivers[0].sns_configs: is not available yet: receivers have webhook_configs, email_configs, slack_configs, msteams_configs, msteamsv2_configs, discord_configs, pagerduty_configs, telegram_configs, ntfy_configs, alertmanager_configs, web_push_configs, opsgenie_configs, pushover_configs, victorops_configs, webex_configs, mattermost_configs, rocketchat_configs, incidentio_configs, jira_configs; remove it.
${file}:5:5: receivers[0]."x\\u001b[2J": "x\\u001b[2J" is no setting of a receiver: remove it.`,
  );
  expect(printed()).toBe("");
});

test("check of a file that is not there names it", async () => {
  await expect(notify("check", file)).rejects.toThrow(`There is no file ${file}.`);
});

test("routes prints each receiver that an alert would reach, by which route, and what mutes it", async () => {
  await writeFile(file, FILE);
  await notify("routes", file, "--label", "severity=critical", "asset=site-1/l", "--label", "alertname=spike");
  expect(printed()).toBe(
    `pager
  route   everything / asset=~"site-1/.*" / severity="critical"
  group   alertname="spike", asset="site-1/l"
  timing  first after 0s, news every 5m, again after 4h`,
  );
  vi.mocked(console.log).mockClear();
  await notify("routes", file, "--label", "severity=low", "asset=site-1/l", "--at", "2026-07-01T20:30:00Z");
  expect(printed()).toContain("MUTED   at 2026-07-01T20:30:00.000Z: within the time interval nights");
  vi.mocked(console.log).mockClear();
  await notify("routes", file, "--label", "severity=low", "asset=site-1/l", "--at", "2026-07-01T22:30:00Z");
  expect(printed()).not.toContain("MUTED");
  vi.mocked(console.log).mockClear();
  await notify("routes", file, "--label", "sensor_type=vibration", "--at", "2026-07-04T12:00:00Z");
  expect(printed()).toBe(
    `nobody  (notifies nobody: it has no channels)
  route   everything / sensor_type="vibration"
  group   alerts without alertname and asset
  timing  first after 30s, news every 5m, again after 1d12h
  MUTED   at 2026-07-04T12:00:00.000Z: outside of the time intervals office`,
  );
});

test("the guide's examples are files that are taken, and the guide shows what the commands print of the longer one", async () => {
  const guide = await readFile(new URL("../../docs/guides/notifications.md", import.meta.url), "utf8");
  const [first, example] = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!);
  await writeFile(file, first!);
  await notify("check", file);
  expect(printed()).toContain(
    "team  e-mail to team@example.com by mail.example.com:587; Slack by the address in $SLACK_URL",
  );
  vi.mocked(console.log).mockClear();
  await writeFile(file, example!);
  await notify("check", file);
  expect(guide).toContain(printed());
  vi.mocked(console.log).mockClear();
  await notify("routes", file, "--label", "severity=low", "asset=site-1/line-3", "--at", "2026-07-01T21:00:00Z");
  expect(guide).toContain(printed());
  expect(printed()).toContain("MUTED");
});
