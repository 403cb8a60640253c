/** Alertmanager's own tool as the oracle: what it accepts we accept, and where it routes we route. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { describeWith, program } from "../../testing/needs.ts";
import { Random } from "../../testing/random.ts";
import { parseNotifyConfig } from "./config/parse.ts";
import { routesOf } from "./route.ts";
import type { TemplateFile } from "./templates/template.ts";

const run = promisify(execFile);
const SEED = Number(process.env.TELLTALE_TEST_SEED ?? 20);
/** Trees with an alert each; all of them are one file, because each call of the tool takes a while. */
const CASES = 250;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-amtool-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function amtool(...args: string[]): Promise<string> {
  // It answers on the one stream where all is well, and on both where a file is refused.
  const { stdout, stderr } = await run(program("amtool")!, args, { maxBuffer: 1 << 24 }).catch((error) => error);
  return `${stdout}${stderr}`;
}

async function amtoolRoutes(text: string, labels: Readonly<Record<string, string>>): Promise<string[]> {
  const file = join(folder, "routes.yml");
  await writeFile(file, text);
  const given = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const said = await amtool("config", "routes", "test", `--config.file=${file}`, ...given);
  const last = said.split("\n").find((line) => line !== "" && !line.startsWith("Warning:"));
  return last!.split(",");
}

function ourRoutes(text: string, labels: Readonly<Record<string, string>>): string[] {
  const parsed = parseNotifyConfig(text);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return routesOf(parsed.config.route, labels).map(({ receiver }) => receiver);
}

const EXAMPLE = `
route:
  receiver: everybody
  routes:
    - match_re: {service: ^(foo1|foo2|baz)$}
      receiver: x-mails
      routes:
        - match: {severity: critical}
          receiver: x-pager
    - matchers: ['service="files"']
      receiver: y-mails
      continue: true
      routes:
        - matchers: [severity=~"crit.*", 'owner!="team-x"']
          receiver: y-pager
        - matchers: [owner=""]
    - matchers: ['{service=~"files|database",}']
      routes:
        - match: {owner: team-x}
          receiver: x-pager
          continue: true
        - match: {owner: team-x, severity: low}
          receiver: y-mails
        - matchers: [owner!~"team-.*"]
          receiver: db-pager
receivers: [{name: everybody}, {name: x-mails}, {name: x-pager}, {name: y-mails}, {name: y-pager}, {name: db-pager}]
`;

/** A tree and an alert. Names of labels and receivers begin with the case's own, so that cases stand side by side in one file. */
function randomCase(random: Random, prefix: string): { routes: string[]; labels: Record<string, string> } {
  const label = () => `${prefix}${random.pick(["a", "b", "c"])}`;
  const value = () => random.pick(["x", "y", "xy"]);
  const expression = () => random.pick(["x|y", "x.*", "[xy]+", ".*", ".+", ""]);
  const matchers = (): string[] => {
    switch (random.between(0, 5)) {
      case 0:
        return [];
      case 1:
        return [`match: {${label()}: ${value()}}`];
      case 2:
        return [`match_re: {${label()}: '${expression()}'}`];
      case 3:
        return [`matchers: ['${label()}!="${value()}"', '${label()}=${random.pick(["x", '""'])}']`];
      default:
        return [`matchers: ['${label()}${random.pick(["=~", "!~"])}"${expression()}"']`];
    }
  };
  const node = (depth: number): string[] => {
    const settings = [
      `continue: ${random.next() < 0.4}`,
      ...matchers(),
      ...(random.next() < 0.6 ? [`receiver: ${prefix}${random.between(0, 4)}`] : []),
    ];
    const children = depth === 0 ? [] : Array.from({ length: random.between(0, 3) }, () => node(depth - 1)).flat();
    const below = children.length === 0 ? [] : ["routes:", ...children.map((line) => `  ${line}`)];
    return [...settings, ...below].map((line, i) => `${i === 0 ? "- " : "  "}${line}`);
  };
  const children = Array.from({ length: random.between(1, 4) }, () => node(2)).flat();
  const routes = ["- continue: true", `  receiver: ${prefix}0`, "  routes:", ...children.map((line) => `    ${line}`)];
  const names = ["a", "b", "c"].filter(() => random.next() < 0.7);
  return { routes, labels: Object.fromEntries(names.map((name) => [`${prefix}${name}`, value()])) };
}

/** Files and whether they are taken. What only we refuse, because it is not available or surely a mistake, is in config/parse.test.ts. */
const FILES: readonly (readonly [text: string, isTaken: boolean])[] = [
  ["route: {receiver: a}\nreceivers: [{name: a}]", true],
  ["route: {receiver: a, continue: true}\nreceivers: [{name: a}]", false],
  ["route: {receiver: a, matchers: [x=y]}\nreceivers: [{name: a}]", false],
  ["route: {receiver: a, mute_time_intervals: [t]}\nreceivers: [{name: a}]", false],
  ["route: {receiver: b}\nreceivers: [{name: a}]", false],
  ["route: {receiver: a}\nreceivers: [{name: a}, {name: a}]", false],
  ["route: {}\nreceivers: [{name: a}]", false],
  ["receivers: [{name: a}]", false],
  ["route: {receiver: a, group_by: ['...', x]}\nreceivers: [{name: a}]", false],
  ["route: {receiver: a, group_by: [x, x]}\nreceivers: [{name: a}]", false],
  ["route: {receiver: a, group_by: ['...'], group_wait: 0s}\nreceivers: [{name: a}]", true],
  ["route: {receiver: a, group_interval: 0s}\nreceivers: [{name: a}]", false],
  ["route: {receiver: a, repeat_interval: 0s}\nreceivers: [{name: a}]", false],
  ...["1d", "1h30m", "100ms", "1y2w3d4h5m6s7ms"].map((each) => [routeWith(`group_wait: ${each}`), true] as const),
  ...["1.5h", "30", "1m1h", "-5s", "soon"].map((each) => [routeWith(`group_wait: ${each}`), false] as const),
  [routeWith("routes: [{mute_time_intervals: [t]}]"), false],
  [routeWith("routes: [{match_re: {x: '('}}]"), false],
  [routeWith("routes: [{matchers: ['x']}]"), false],
  [routeWith("routes: [{continue: yes, mach: {}}]"), false],
  [`${routeWith("group_wait: &w 10s, group_interval: *w")}`, true],
  ["x: &x {receiver: a}\nroute: {<<: *x}\nreceivers: [{name: a}]", false],
  ["route: &x {receiver: a, routes: [{<<: &y {receiver: a}}, *y]}\nreceivers: [{name: a}]", true],
  ["route: {receiver: a, receiver: a}\nreceivers: [{name: a}]", false],
  [withInterval("{}"), true],
  [
    withInterval("{weekdays: ['Monday:friday', sunday], months: [1:3, may:august, December], years: ['2026:2030']}"),
    true,
  ],
  [withInterval("{days_of_month: ['1', '-3:-1', '5:-1', '31']}"), true],
  [withInterval("{times: [{start_time: '00:00', end_time: '24:00'}], location: Australia/Sydney}"), true],
  [withInterval("{weekdays: ['friday:monday']}"), false],
  [withInterval("{weekdays: [mon]}"), false],
  [withInterval("{days_of_month: ['0']}"), false],
  [withInterval("{days_of_month: ['-1:5']}"), false],
  [withInterval("{days_of_month: ['30:-5']}"), false],
  [withInterval("{months: ['12:1']}"), false],
  [withInterval("{years: ['2030:2026']}"), false],
  [withInterval("{times: [{start_time: '22:00', end_time: '06:00'}]}"), false],
  [withInterval("{times: [{start_time: '9:00', end_time: '10:00'}]}"), false],
  [withInterval("{times: [{start_time: '09:00'}]}"), false],
  [withInterval("{location: Europe/Nowhere}"), false],
  [withReceiver("{email_configs: [{to: a@b}]}"), false],
  [withReceiver("{email_configs: [{to: a@b, from: c@d, smarthost: 'e:25'}]}"), true],
  [withReceiver("{email_configs: [{to: a@b, from: c@d, smarthost: e}]}"), false],
  [withReceiver("{email_configs: [{to: a@b, from: c@d, smarthost: 'e:25', headers: {x: y, X: z}}]}"), false],
  [withReceiver("{webhook_configs: [{url: 'http://x/y', max_alerts: 5}]}"), true],
  [withReceiver("{webhook_configs: [{}]}"), false],
  [withReceiver("{webhook_configs: [{url: 'ftp://x'}]}"), false],
  [withReceiver("{webhook_configs: [{url: 'http://x', http_config: {basic_auth: {username: a, password: b}}}]}"), true],
  [
    withReceiver("{webhook_configs: [{url: 'http://x', http_config: {authorization: {type: Basic, credentials: b}}}]}"),
    false,
  ],
  ...[
    ["proxy_url: 'http://u:p@x:3128', tls_config: {insecure_skip_verify: true, server_name: a}", true],
    ["tls_config: {min_version: TLS12}", true],
    ["oauth2: {client_id: a, client_secret: b, token_url: 'https://x', scopes: [c], endpoint_params: {d: e}}", true],
    ["oauth2: {client_id: a, client_secret: b, token_url: 'https://x'}, bearer_token: c", false],
    ["oauth2: {client_id: a, client_secret: b}", false],
  ].map(
    ([http, isTaken]) =>
      [withReceiver(`{webhook_configs: [{url: 'http://x', http_config: {${http}}}]}`), isTaken] as [string, boolean],
  ),
  [withReceiver("{slack_configs: [{channel: '#x'}]}"), false],
  [withReceiver("{slack_configs: [{api_url: 'https://x', channel: '#x', title: t, text: u, color: good}]}"), true],
  [
    withReceiver("{slack_configs: [{api_url_file: /x, title_link: 'https://y', fields: [{title: a, value: b}]}]}"),
    true,
  ],
  [withReceiver("{slack_configs: [{api_url: 'https://x', fields: [{title: a}]}]}"), false],
  [withReceiver("{pagerduty_configs: [{}]}"), false],
  [withReceiver("{pagerduty_configs: [{routing_key_file: /x, severity: error, class: a, group: b, client: c}]}"), true],
  [withReceiver("{telegram_configs: [{bot_token: x, chat_id: -5, parse_mode: HTML}]}"), true],
  [withReceiver("{telegram_configs: [{bot_token: x}]}"), false],
  [withReceiver("{telegram_configs: [{bot_token: x, chat_id: y}]}"), false],
  [withReceiver("{telegram_configs: [{bot_token: x, chat_id: 5, parse_mode: bold}]}"), false],
  [withReceiver("{discord_configs: [{webhook_url: 'https://x', title: y, send_resolved: false}]}"), true],
  [withReceiver("{discord_configs: [{webhook_url: x}]}"), false],
  [
    `${routeWith("group_wait: 1s")}\ninhibit_rules: [{source_match: {a: b}, target_match_re: {c: d|e}, equal: [f]}]`,
    true,
  ],
  [`${routeWith("group_wait: 1s")}\ninhibit_rules: [{source_match: {a: b}, targets: []}]`, false],
  ["a: b: c", false],
  ["", false],
];

function routeWith(settings: string): string {
  return `route: {receiver: a, ${settings}}\nreceivers: [{name: a}]`;
}

function withInterval(interval: string): string {
  return `${routeWith("routes: [{active_time_intervals: [t]}]")}\ntime_intervals: [{name: t, time_intervals: [${interval}]}]`;
}

function withReceiver(channels: string): string {
  return `route: {receiver: a}\nreceivers: [{name: a, ${channels.slice(1)}]`;
}

describeWith(["amtool"], "with Alertmanager's amtool as the oracle", () => {
  test.each([
    {},
    { service: "foo1" },
    { service: "foo1", severity: "critical" },
    { service: "files" },
    { service: "files", severity: "critical", owner: "team-y" },
    { service: "files", owner: "team-x", severity: "low" },
    { service: "database", owner: "else" },
  ])("an alert with %j takes the same routes of a usual tree", async (labels) => {
    expect(ourRoutes(EXAMPLE, labels)).toEqual(await amtoolRoutes(EXAMPLE, labels));
  });

  test(`alerts take the same routes of ${CASES} random trees (TELLTALE_TEST_SEED=${SEED})`, async () => {
    const random = new Random(SEED);
    const cases = Array.from({ length: CASES }, (_, i) => randomCase(random, `c${i}_`));
    const receivers = cases.flatMap((_, i) => [0, 1, 2, 3, 4].map((n) => `  - name: c${i}_${n}`));
    const routes = cases.flatMap((each) => each.routes.map((line) => `    ${line}`));
    const text = ["route:", "  receiver: c0_0", "  routes:", ...routes, "receivers:", ...receivers].join("\n");
    const labels = Object.assign({}, ...cases.map((each) => each.labels));
    const ours = ourRoutes(text, labels);
    expect(ours).toEqual(await amtoolRoutes(text, labels));
    // Every tree was walked, and some of them in several branches.
    expect(new Set(ours.map((name) => name.split("_")[0])).size).toBe(CASES);
    expect(ours.length).toBeGreaterThan(CASES);
  });

  test("a file is taken where Alertmanager takes it, and refused where it does not", async () => {
    const names = FILES.map((_, i) => join(folder, `file-${i}.yml`));
    await Promise.all(FILES.map(([text], i) => writeFile(names[i]!, text)));
    const said = await amtool("check-config", ...names);
    const theirs = FILES.map(([text], i) => [text, said.includes(`Checking '${names[i]}'  SUCCESS`)]);
    expect(theirs).toEqual(FILES);
    expect(FILES.map(([text]) => [text, "config" in parseNotifyConfig(text)])).toEqual(FILES);
  });

  test("the guides' examples are taken, and what of them is Alertmanager's is taken by it", async () => {
    const examples = await exampleFiles();
    expect(examples.length).toBeGreaterThanOrEqual(10);
    const templates = await exampleTemplates();
    await mkdir(join(folder, "templates"));
    await Promise.all(templates.map(({ path, text }) => writeFile(join(folder, path), text)));
    const names = examples.map((_, i) => join(folder, `example-${i}.yml`));
    await Promise.all(examples.map((text, i) => writeFile(names[i]!, theirPart(text))));
    const said = await amtool("check-config", ...names);
    for (const [i, text] of examples.entries()) {
      expect(parseNotifyConfig(text, parse(text).templates === undefined ? [] : templates)).toHaveProperty("config");
      expect(said).toContain(`Checking '${names[i]}'  SUCCESS`);
    }
  });
});

const GUIDES = ["notifications.md", "notification-channels.md"];
/** Not Alertmanager's, or newer than the tool. */
const NOT_THEIRS =
  /^(ntfy|alertmanager|msteams|msteamsv2|web_push|mattermost|rocketchat|incidentio|jira)_configs$|^(no_proxy|signing_key|username|content|bot_token_file|fallback|give_up_after|max_messages_per_minute)$/;

function guides(): Promise<string[]> {
  return Promise.all(GUIDES.map((name) => readFile(new URL(`../../docs/guides/${name}`, import.meta.url), "utf8")));
}

/** Template files of the guides: their first line names them. */
async function exampleTemplates(): Promise<TemplateFile[]> {
  const blocks = (await guides()).flatMap((text) => [
    ...text.matchAll(/^```go-template\n(\{\{\/\* (\S+)[\s\S]*?)```/gm),
  ]);
  return blocks.map(([, text, path]) => ({ path: path!, text: text! }));
}

/** The files of the guides, those that show only receivers with a route. */
async function exampleFiles(): Promise<string[]> {
  const texts = await guides();
  const blocks = texts.flatMap((text) => [...text.matchAll(/^```yaml\n([\s\S]*?)```/gm)].map(([, block]) => block!));
  const files = blocks.filter((block) => parse(block).receivers !== undefined);
  return files.map((block) => {
    const { receivers, route = { receiver: receivers[0].name }, ...rest } = parse(block);
    const known = new Set(receivers.map(({ name }: { name: string }) => name));
    const missing = [route.receiver].filter((name) => !known.has(name)).map((name) => ({ name }));
    return stringify({ ...rest, route, receivers: [...receivers, ...missing] });
  });
}

/** Without what Alertmanager does not know. Its `${NAME}` is a text like any other, which is no address. */
function theirPart(text: string): string {
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    if (typeof value === "string") return value.startsWith("${") ? "https://example.com" : value;
    if (typeof value !== "object" || value === null) return value;
    const kept = Object.entries(value).filter(([name]) => !NOT_THEIRS.test(name));
    // Newer than the tool too, and required.
    return Object.fromEntries(
      kept.map(([name, inner]) => (name === "url_file" ? ["url", "https://example.com"] : [name, strip(inner)])),
    );
  };
  return stringify(strip(parse(text)));
}
