import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { decode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { DeliveryState, MatcherType, NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { COLOURS } from "../../server/notify/pictures/draw.ts";
import { runCli } from "../../testing/cli.ts";
import { type MailSink, startMailSink } from "../../testing/mail-sink.ts";
import { metric } from "../../testing/metric.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";
import { type Posted, startWebhookSink, type WebhookSink } from "../../testing/webhook-sink.ts";

interface Webhook {
  readonly status: string;
  readonly receiver: string;
  readonly groupKey: string;
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: Record<string, string>;
    readonly annotations?: Record<string, string>;
    readonly actURL?: string;
  }[];
}

/** A message as it came, with its key. */
interface Told {
  readonly key: string;
  readonly path: string;
  readonly body: Webhook;
}

function toldBy({ headers, path, body }: Posted): Told {
  return { key: String(headers["ce-id"]), path, body: JSON.parse(String(body)) as Webhook };
}

describe("notifications", () => {
  let platform: Platform;
  let sink: WebhookSink;
  let mail: MailSink;
  let folder: string;
  let notifications: Client<typeof NotificationService>;
  const environment = { NOTIFY_ALLOWED_HOSTS: "127.0.0.1", EXTERNAL_URL: "https://telltale.example" };
  const client = <S extends Parameters<typeof createClient>[0]>(service: S) =>
    createClient(service, createGrpcTransport({ baseUrl: platform.grpc }));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-notify-"));
    [sink, mail] = await Promise.all([startWebhookSink(), startMailSink()]);
    platform = await startPlatform({ ...environment, DATA_DIR: folder });
    notifications = client(NotificationService);
  });
  afterAll(async () => {
    await platform?.stop();
    await Promise.all([sink?.close(), mail?.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  /** Those of other kinds than webhooks have other bodies. */
  const isWebhook = ({ path }: Posted) => !path.startsWith("/programs");
  const got = () => sink.posted.filter(isWebhook).map(toldBy);
  const find = async (fits: (told: Told) => boolean) =>
    toldBy(await sink.find((posted) => isWebhook(posted) && fits(toldBy(posted))));
  /** Answers to one path with the status from now on, or not at all, and to all others that it is well. */
  const answer = (path: string, status: number | undefined) =>
    sink.answer((response, posted) => {
      if (posted.path !== path) response.end();
      else if (status !== undefined) response.writeHead(status).end();
    });

  const configuration = (more = "") => `
route:
  receiver: plant
  group_by: [sensor_id]
  group_wait: 0s
  group_interval: 1s
  routes:
    - matchers: ['sensor_id="trouble"']
      receiver: trouble
receivers:
  - name: plant
    webhook_configs: [{ url: "${sink.url}/plant" }]
  - name: trouble
    webhook_configs: [{ url: "${sink.url}/trouble" }]
${more}`;

  /** Opens an alert of the sensor: steady values, and then one that is far away. */
  async function open(sensorId: string, last = 500): Promise<bigint> {
    const count = 120;
    const values = Array.from({ length: count }, (_, i) => (i === count - 1 ? last : 20 + Math.sin(i) / 10));
    const block = {
      ...{ sensorId, sensorType: "pressure", unit: "bar", location: "hall", values },
      baseTimeUs: BigInt(Date.now() - count * 1_000) * 1_000n,
      timeDeltasUs: Array(count).fill(1_000_000),
    };
    await client(IngestService).submitReadings({ blocks: [block] });
    const { alerts } = await client(AlertService).listAlerts({ sensorId });
    expect(alerts).toHaveLength(1);
    return alerts[0]!.id;
  }

  test("nobody is notified before a configuration is applied, and one with faults is refused by line", async () => {
    const alertId = await open("early");
    const { reasons } = await notifications.explainNotification({ alertId });
    expect(reasons[0]).toContain("telltale notify apply");
    const file = join(folder, "bad.yml");
    await writeFile(file, configuration("  - name: x\n    sns_configs: []\n    colour: red\n"));
    const run = runCli("notify", "apply", file, "--url", platform.grpc);
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toMatch(/bad\.yml:\d+:\d+: .*sns_configs/);
    expect(run.stderr()).toContain("Nothing was applied");
    expect((await notifications.getNotificationConfig({})).config?.revision ?? 0n).toBe(0n);
    expect(got()).toEqual([]);
  });

  test("of files and variables that are not there a warning says where they are named", async () => {
    const file = join(folder, "missing.yml");
    const url = join(folder, "url");
    await writeFile(url, sink.url);
    const receivers = [`{ url_file: ${url} }`, `{ url_file: ${url}2 }`, `{ url: "\${NOBODY_SETS_THIS}" }`];
    await writeFile(file, configuration(`  - name: x\n    webhook_configs: [${receivers.join(", ")}]\n`));
    const run = runCli("notify", "apply", file, "--dry-run", "--url", platform.grpc);
    expect(await run.ended).toBe(0);
    expect(run.stdout()).toBe("It can be applied.\n");
    const [missingFile, missingVariable, ...more] = run.stderr().trim().split("\n");
    expect(missingFile).toMatch(
      /missing\.yml:\d+:\d+: receivers\[2\]\.webhook_configs\[1\]\.url_file: warning: .*url2.*ENOENT/,
    );
    expect(missingVariable).toMatch(
      /receivers\[2\]\.webhook_configs\[2\]\.url: warning: .*NOBODY_SETS_THIS is not set/,
    );
    expect(more).toEqual([]);
  });

  test("what is open when a configuration is applied is told, and so is what opens afterwards, once", async () => {
    const file = join(folder, "good.yml");
    await writeFile(file, configuration());
    const run = runCli("notify", "apply", file, "--url", platform.grpc);
    expect(await run.ended).toBe(0);
    expect(run.stdout()).toContain("Revision 1 is in force.");
    const early = await find(({ body }) => body.alerts[0]?.labels.sensor_id === "early");
    expect(early).toMatchObject({ path: "/plant", body: { status: "firing", receiver: "plant" } });
    const alertId = await open("press");
    const first = await find(({ body }) => body.alerts[0]?.labels.sensor_id === "press");
    expect(first.body.alerts[0]!.labels).toMatchObject({ location: "hall", sensor_type: "pressure" });
    await client(AlertService).resolveAlert({ alertId });
    const over = await find(({ body }) => body.status === "resolved" && body.groupKey === first.body.groupKey);
    expect(over.body.alerts).toHaveLength(1);
    expect(got().filter(({ key }) => key === first.key)).toHaveLength(1);
    const fates = async () =>
      (await notifications.listDeliveries({ alertId })).deliveries.map(({ state, resolved }) => [state, resolved]);
    await expect.poll(fates).toEqual([
      [DeliveryState.SENT, true],
      [DeliveryState.SENT, false],
    ]);
    // Nobody is still to hear of it; its messages say which labels it had.
    const explain = () => notifications.explainNotification({ alertId });
    await expect.poll(async () => (await explain()).reasons[0]).toMatch(/is over/);
    const { labels, reasons } = await explain();
    expect(labels).toMatchObject({ sensor_id: "press", location: "hall" });
    expect(reasons[1]).toMatch(/newest message/);
  });

  test("a silence keeps an alert back, says of which it does, and what it kept back is told when it ends", async () => {
    const matchers = [{ name: "sensor_id", type: MatcherType.REGEXP, value: "quiet-.*" }];
    const durationSeconds = 3_600;
    const { silence } = await notifications.createSilence({ matchers, durationSeconds, comment: "rebuilt" });
    const alertId = await open("quiet-1");
    const preview = () => notifications.createSilence({ matchers, durationSeconds, comment: "rebuilt", dryRun: true });
    await expect.poll(preview).toMatchObject({ matchingAlerts: 1, alertIds: [alertId] });
    expect((await preview()).silence).toBeUndefined();
    const why = await notifications.explainNotification({ alertId });
    expect(why.silences.map(({ id }) => id)).toEqual([silence!.id]);
    // Told later, so that the silenced one would have come before it.
    await open("loud");
    await find(({ body }) => body.alerts[0]?.labels.sensor_id === "loud");
    expect(got().filter(({ body }) => body.alerts[0]?.labels.sensor_id === "quiet-1")).toEqual([]);
    const run = runCli("silence", "expire", silence!.id, "--url", platform.grpc);
    expect(await run.ended).toBe(0);
    await find(({ body }) => body.alerts[0]?.labels.sensor_id === "quiet-1");
  });

  test("a matcher without a type compares by equality", async () => {
    const matchers = [{ name: "sensor_id", value: "quiet-1" }];
    const ask = { matchers, durationSeconds: 60, comment: "equal" };
    const { silence } = await notifications.createSilence(ask);
    expect(silence!.matchers).toMatchObject([{ name: "sensor_id", type: MatcherType.EQUAL, value: "quiet-1" }]);
    await notifications.expireSilence({ id: silence!.id });
  });

  test("REST offers the same for silences", async () => {
    const call = async (method: string, path: string, body?: object) => {
      const headers = { "content-type": "application/json" };
      const given = body === undefined ? {} : { headers, body: JSON.stringify(body) };
      const response = await fetch(`${platform.http}/api/v1/silences${path}`, { method, ...given });
      return { status: response.status, body: await response.json() };
    };
    const matchers = [
      { name: "owner", value: "ann" },
      { name: "asset", type: "regexp", value: "site-1/.*" },
    ];
    const made = await call("POST", "", { matchers, comment: "by REST", duration_seconds: 60, tell: "plant" });
    expect(made).toMatchObject({
      status: 200,
      body: { matching_alerts: 0, silence: { tell: "plant", tell_before_seconds: 30 } },
    });
    const { id, starts_at, matchers: stored } = made.body.silence;
    expect(stored).toEqual([
      { name: "owner", type: "equal", value: "ann" },
      { name: "asset", type: "regexp", value: "site-1/.*" },
    ]);
    const listed = await call("GET", "?limit=1");
    expect(listed.body.silences).toMatchObject([{ id, comment: "by REST" }]);
    const ends_at = new Date(Date.parse(starts_at) + 120_000).toISOString();
    const changed = await call("PUT", `/${id}`, { matchers, comment: "longer", starts_at, ends_at });
    expect(changed).toMatchObject({
      status: 200,
      body: { replaced: false, silence: { id, comment: "longer", tell: "plant" } },
    });
    expect(await call("GET", `/${id}`)).toMatchObject({ status: 200, body: { comment: "longer" } });
    const untold = await call("PUT", `/${id}`, { matchers, comment: "longer", starts_at, ends_at, tell: "" });
    expect(untold.body.silence).toMatchObject({ tell: "", tell_before_seconds: 0 });
    expect(await call("DELETE", `/${id}`)).toMatchObject({ status: 200, body: { id } });
    expect((await call("DELETE", `/${id}`)).status).toBe(404);
    expect(await call("POST", "", { matchers, comment: "x" })).toMatchObject({ status: 422 });
  });

  test("GraphQL offers the same", async () => {
    const ask = async (query: string) => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${platform.http}/api/v1/graphql`, {
        method: "POST",
        headers,
        body: JSON.stringify({ query }),
      });
      return (await response.json()) as { data: Record<string, unknown> };
    };
    const matchers = `[{ name: "owner", value: "ann" }, { name: "asset", type: "equal", value: "line" }]`;
    const made = await ask(
      `mutation { createSilence(matchers: ${matchers}, comment: "c", durationSeconds: 60) { silence { id } matchingAlerts } }`,
    );
    expect(made).toMatchObject({ data: { createSilence: { silence: { id: expect.any(String) }, matchingAlerts: 0 } } });
    const all = await ask(
      `{ silences { silences { comment } } notificationConfig { revision } notificationDeliveries(limit: 1) { deliveries { state } } }`,
    );
    expect(all.data).toMatchObject({
      silences: { silences: [{ comment: "c" }] },
      notificationConfig: { revision: 1 },
      notificationDeliveries: { deliveries: [{ state: "sent" }] },
    });
  });

  test("a preview says how many messages a file would have made of the alerts so far", async () => {
    const preview = (...args: string[]) => runCli("notify", "preview", ...args, "--url", platform.grpc);
    const inForce = preview("--time-zone", "Europe/Berlin");
    expect(await inForce.ended).toBe(0);
    // All of them at "plant", each opened in a group of its own, and one of them resolved.
    expect(inForce.stdout()).toMatch(/^receiver +messages +a week/);
    expect(inForce.stdout()).toMatch(/^plant +5 +1\.2 +\d+ +1 +\d on \d{4}-\d\d-\d\d$/m);
    expect(inForce.stdout()).toMatch(/^trouble +0 +0\.0 +0 +0$/m);
    const file = join(folder, "preview.yml");
    await writeFile(file, "route: { receiver: quiet }\nreceivers: [{ name: quiet }]\n");
    const given = preview(file, "--days", "1");
    expect(await given.ended).toBe(0);
    expect(given.stderr()).toContain("Messages for 4 alerts of the last 1 day, without regard to silences");
    expect(given.stdout()).toMatch(/^quiet \(no channels\) +0 /m);
    await writeFile(file, "route: { receiver: quit }\nreceivers: [{ name: quiet }]\n");
    const bad = preview(file);
    expect(await bad.ended).toBe(1);
    expect(bad.stderr()).toMatch(/preview\.yml:1:\d+: .*did you mean quiet/);
    await expect(notifications.previewNotifications({ days: 1, timeZone: "Berlin" })).rejects.toThrow(
      /time_zone: "Berlin" is no time zone/,
    );
    expect((await notifications.getNotificationConfig({})).config?.revision).toBe(1n);
  });

  test("a silence whose expressions would take long to compare is refused", async () => {
    const matchers = [{ name: "sensor_id", type: MatcherType.REGEXP, value: "((a?b?c?.?){20}){40}[^r]" }];
    await expect(notifications.createSilence({ matchers, durationSeconds: 60, comment: "slow" })).rejects.toThrow(
      /have 8085 instructions together, more than 1200/,
    );
  });

  test("a silence lasts from its own beginning on, and one that would be over is refused", async () => {
    const matchers = [{ name: "sensor_id", type: MatcherType.EQUAL, value: "nobody" }];
    const hourAgo = { seconds: BigInt(Math.floor(Date.now() / 1_000) - 3_600), nanos: 0 };
    const { silence } = await notifications.createSilence({
      ...{ matchers, comment: "since an hour", startsAt: hourAgo, durationSeconds: 7_200 },
    });
    expect(silence).toMatchObject({ startsAt: hourAgo, endsAt: { seconds: hourAgo.seconds + 7_200n } });
    await expect(
      notifications.createSilence({ matchers, comment: "over", startsAt: hourAgo, durationSeconds: 60 }),
    ).rejects.toThrow(/it would have ended at/);
    await notifications.expireSilence({ id: silence!.id });
  });

  test("a silence of everything is refused", async () => {
    const matchers = [{ name: "severity", type: MatcherType.REGEXP, value: ".*" }];
    await expect(notifications.createSilence({ matchers, durationSeconds: 60, comment: "all" })).rejects.toThrow(
      /everything would be silent/,
    );
  });

  test("links of messages count until they are revoked, and new messages have new ones", async () => {
    const linkOf = async (sensorId: string) => {
      await open(sensorId);
      const { body } = await find((told) => told.body.alerts[0]?.labels.sensor_id === sensorId);
      return `${platform.http}${new URL(body.alerts[0]!.actURL!).pathname}`;
    };
    const before = await linkOf("revoked");
    expect((await fetch(before)).status).toBe(200);
    const run = runCli("notify", "revoke-links", "--url", platform.grpc);
    expect(await run.ended).toBe(0);
    expect((await fetch(before)).status).toBe(403);
    expect((await fetch(await linkOf("linked-anew"))).status).toBe(200);
  });

  test("whom a silence tells hears before it ends, where it hides something, and at its end what it hid", async () => {
    const matchers = "sensor_id=~hidden-.*";
    const add = (...more: string[]) =>
      runCli("silence", "add", matchers, "--for", "1h", "--comment", "new pump", ...more, "--url", platform.grpc);
    const wrong = add("--tell", "plnt");
    expect(await wrong.ended).toBe(1);
    expect(wrong.stderr()).toContain('the configuration has no receiver "plnt"; did you mean plant?');
    const made = add("--tell", "plant", "--before", "1h");
    expect(await made.ended).toBe(0);
    const id = made.stdout().trim();
    const isAbout = (status: string) => (told: Told) => told.key.includes(id) && told.body.status === status;
    // It says nothing while it hides nothing: what comes first names the alert.
    const alertId = await open("hidden-1");
    const ahead = await find(isAbout("firing"));
    const { labels, annotations } = ahead.body.alerts[0]!;
    expect(labels).toEqual({ alertname: "silence_ends", severity: "info", owner: "anonymous" });
    expect(annotations!.summary).toBe("Silence ends: new pump");
    expect(annotations!.description).toMatch(
      /1 alert that it hides is open, and is told then, unless it is prolonged\.\n\[.*\] hidden-1 is not as usual, since .*, still open$/,
    );
    await client(AlertService).resolveAlert({ alertId });
    await open("hidden-2");
    const { silence } = await notifications.getSilence({ id });
    // Changed in place, it tells the same receiver; only the new end is told ahead again.
    const { matchers: same, startsAt, endsAt } = silence!;
    const later = { ...endsAt!, seconds: endsAt!.seconds + 60n };
    const changed = { id, matchers: same, comment: "new pump", startsAt: startsAt!, endsAt: later };
    const { silence: updated, replaced } = await notifications.updateSilence(changed);
    expect([replaced, updated!.tell, updated!.tellBeforeSeconds]).toEqual([false, "plant", 3_600]);
    expect(await runCli("silence", "expire", id, "--url", platform.grpc).ended).toBe(0);
    const over = await find(isAbout("resolved"));
    expect(over.body.alerts[0]!.annotations!.description).toMatch(
      /It hid 2 alerts, 1 of them still open\.\n\[.*\] hidden-2 .* still open\n\[.*\] hidden-1 .* to /,
    );
    expect(got().filter(isAbout("firing")).length).toBeLessThanOrEqual(2);
    expect(got().filter(isAbout("resolved"))).toHaveLength(1);
  });

  test("a program that gives no sign of life is an alert until it gives one, and others learn that notifications work", async () => {
    const file = join(folder, "heartbeats.yml");
    const heartbeats = "heartbeats: [{ name: nightly-backup, interval: 1s, grace: 1s, labels: { asset: site-1 } }]\n";
    const pings = `pings: [{ name: watcher, url: "${sink.url}/programs/ping-me", interval: 1s }]\n`;
    await writeFile(file, configuration(`${heartbeats}${pings}`));
    expect(await runCli("notify", "apply", file, "--url", platform.grpc).ended).toBe(0);
    const isOfBackup = (wanted: string) => (told: Told) =>
      told.body.alerts.some(({ labels, status }) => labels.heartbeat === "nightly-backup" && status === wanted);
    const { body } = await find(isOfBackup("firing"));
    expect(body.alerts[0]!.labels).toEqual({
      ...{ alertname: "heartbeat_missing", heartbeat: "nightly-backup", severity: "high", asset: "site-1" },
    });
    expect(await sink.find(({ path }) => path === "/programs/ping-me")).toMatchObject({ method: "GET" });
    const list = () => runCli("notify", "heartbeats", "--url", platform.grpc);
    const before = list();
    expect(await before.ended).toBe(1);
    expect(before.stdout()).toMatch(
      /^nightly-backup {2}MISSING since .* every 1s and 1s {2}none so far\nwatcher {2}ping every 1s {2}last taken /,
    );
    const over = [{ labels: body.alerts[0]!.labels, startsAt: new Date(1), endsAt: new Date() }];
    const ended = await fetch(`${platform.http}/api/v2/alerts`, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(over) },
    });
    expect([ended.status, await ended.text()]).toEqual([
      403,
      expect.stringContaining("over with its next sign of life"),
    ]);

    // Apart from the sign, only its interval matters.
    await writeFile(file, configuration(`${heartbeats.replace("interval: 1s", "interval: 1h")}${pings}`));
    expect(await runCli("notify", "apply", file, "--url", platform.grpc).ended).toBe(0);
    expect((await fetch(`${platform.http}/api/v1/heartbeats/nobody`)).status).toBe(404);
    for (const method of ["GET", "HEAD", "POST"])
      expect((await fetch(`${platform.http}/api/v1/heartbeats/nightly-backup`, { method })).status).toBe(200);
    const foreign = { headers: { origin: "https://evil.example" } };
    expect((await fetch(`${platform.http}/api/v1/heartbeats/nightly-backup`, foreign)).status).toBe(403);
    await find(isOfBackup("resolved"));
    const after = list();
    expect(await after.ended).toBe(0);
    expect(after.stdout()).toMatch(
      /^nightly-backup {2}there {2}every 1h and 1s {2}last .*, 3 signs in all; missing from /,
    );

    await writeFile(file, configuration());
    expect(await runCli("notify", "apply", file, "--url", platform.grpc).ended).toBe(0);
  });

  test("an e-mail has a picture of the series with the expected band and the alert", async () => {
    const file = join(folder, "pictured.yml");
    const from = "telltale@plant.example";
    const smtp = `smarthost: "127.0.0.1:${mail.port}", require_tls: false`;
    const received = mail.next();
    const receiver = `  - name: people\n    email_configs: [{ to: ann@plant.example, from: ${from}, ${smtp} }]\n`;
    const routes = `  routes:\n    - { matchers: ['sensor_id="pictured"'], receiver: people }`;
    await writeFile(file, configuration(receiver).replace("  routes:", routes));
    expect(await runCli("notify", "apply", file, "--url", platform.grpc).ended).toBe(0);
    await open("pictured", 22);
    const { html, text, attachments } = (await received).mail;
    // The parser puts the parts into the places that name them.
    expect(html).toMatch(
      /<img src="data:image\/png;base64,[^"]+" alt="pictured from [^"]+ bar to 22 bar; normal [^"]+ bar"/,
    );
    expect(text).toMatch(/ {2}Around it: pictured from .* to 22 bar; normal /);
    expect(attachments).toMatchObject([{ related: true, contentDisposition: "inline", contentType: "image/png" }]);
    const { data, width } = decode(attachments[0]!.content);
    const isLike = (colour: string, from: number) =>
      [1, 3, 5].every((at, i) => Math.abs(Number.parseInt(colour.slice(at, at + 2), 16) - data[from + i]!) <= 8);
    const columnsOf = (colour: string) =>
      new Set(
        Array.from({ length: data.length / 4 }, (_, i) => i)
          .filter((i) => isLike(colour, 4 * i))
          .map((i) => i % width),
      );
    // The line and the edges of the band from end to end, the alert at the right end.
    expect(columnsOf(COLOURS.line).size).toBeGreaterThan(width * 0.9);
    expect(columnsOf(COLOURS.band).size).toBeGreaterThan(width * 0.3);
    expect(Math.min(...columnsOf(COLOURS.alert))).toBeGreaterThan(width * 0.9);
    expect(await metric(platform.http, 'telltale_notify_pictures_total{outcome="made"}')).toBe(1);
  });

  test("a receiver is tried, and one that refuses says how", async () => {
    answer("/trouble", 404);
    const good = runCli("notify", "test", "plant", "--url", platform.grpc);
    expect(await good.ended).toBe(0);
    expect(good.stdout()).toContain("webhook 1: taken");
    const bad = runCli("notify", "test", "trouble", "--url", platform.grpc);
    expect(await bad.ended).toBe(1);
    expect(bad.stdout()).toMatch(/webhook 1: not taken: .*404/);
    const list = runCli("notify", "deliveries", "--receiver", "trouble", "--url", platform.grpc);
    expect(await list.ended).toBe(0);
    expect(list.stdout()).toMatch(/^\S+ {2}\d+ {2}failed {2}trouble by webhook 1 {2}test {2}.*404/);
  });

  test("every kind of channel can be tried, and what a test opened elsewhere is ended again", async () => {
    const file = join(folder, "programs.yml");
    const url = `${sink.url}/programs`;
    await writeFile(
      file,
      configuration(`  - name: programs
    slack_configs: [{ api_url: "${url}/slack" }]
    msteamsv2_configs: [{ webhook_url: "${url}/teams" }]
    discord_configs: [{ webhook_url: "${url}/discord" }]
    pagerduty_configs: [{ url: "${url}/pagerduty", routing_key: r0uting }]
    telegram_configs: [{ api_url: "${url}/telegram", bot_token: "1:abc", chat_id: 5 }]
    ntfy_configs: [{ url: "${url}/ntfy", topic: plant }]
    alertmanager_configs: [{ url: "${url}/alertmanager" }]
`),
    );
    expect(await runCli("notify", "apply", file, "--url", platform.grpc).ended).toBe(0);
    const run = runCli("notify", "test", "programs", "--url", platform.grpc);
    expect(await run.ended).toBe(0);
    const kinds = ["slack", "msteams", "discord", "pagerduty", "telegram", "ntfy", "alertmanager"];
    expect(run.stdout()).toBe(kinds.map((kind, i) => `${kind} ${i + 1}: taken\n`).join(""));
    await sink.find(
      ({ path, body }) => path.endsWith("/pagerduty") && JSON.parse(String(body)).event_action === "resolve",
    );
    const isOver = ({ endsAt }: { endsAt: string }) => Date.parse(endsAt) <= Date.now();
    await sink.find(({ path, body }) => path.endsWith("/v2/alerts") && JSON.parse(String(body)).every(isOver));
    const shown = runCli("notify", "show", "--url", platform.grpc);
    expect(await shown.ended).toBe(0);
    expect(shown.stdout()).not.toMatch(/r0uting|1:abc|plant }|programs\//);
  });

  test("what waits for a receiver that is taken out of the configuration fails when that is applied", async () => {
    answer("/leaving", 503);
    const file = join(folder, "leaving.yml");
    const route = `    - matchers: ['sensor_id="leaver"']\n      receiver: leaving\n`;
    const text = configuration(`  - name: leaving\n    webhook_configs: [{ url: "${sink.url}/leaving" }]\n`);
    await writeFile(file, text.replace("receivers:\n", `${route}receivers:\n`));
    expect(await runCli("notify", "apply", file, "--url", platform.grpc).ended).toBe(0);
    const alertId = await open("leaver");
    await sink.find(({ path }) => path === "/leaving");
    await writeFile(file, configuration());
    expect(await runCli("notify", "apply", file, "--url", platform.grpc).ended).toBe(0);
    const fates = async () =>
      (await notifications.listDeliveries({ alertId, receiver: "leaving" })).deliveries.map(({ state, reason }) => [
        state,
        reason,
      ]);
    await expect
      .poll(fates)
      .toEqual([[DeliveryState.FAILED, "the configuration has no receiver leaving with such a channel any more"]]);
    // The other receiver has it now.
    await find(({ path, body }) => path === "/plant" && body.alerts[0]?.labels.sensor_id === "leaver");
  });

  test("what a channel does not take goes to the fallback, also over kill -9, and the broken channel is told", async () => {
    answer("/pager", undefined);
    const file = join(folder, "fallback.yml");
    const route = `    - matchers: ['sensor_id="paged"']\n      receiver: pager\n`;
    const pager = `  - name: pager\n    webhook_configs: [{ url: "${sink.url}/pager", timeout: 1s }]\n    fallback: plant\n    give_up_after: 8s\n`;
    await writeFile(file, configuration(pager).replace("receivers:\n", `${route}receivers:\n`));
    expect(await runCli("notify", "apply", file, "--url", platform.grpc).ended).toBe(0);
    const alertId = await open("paged");
    const first = await find(({ path }) => path === "/pager");
    await end(platform.process, "SIGKILL");
    answer("/pager", 503);
    platform = await startPlatform({ ...environment, DATA_DIR: folder });
    notifications = client(NotificationService);
    const isPaged = ({ path, body }: Told) => path === "/plant" && body.alerts[0]?.labels.sensor_id === "paged";
    const instead = await find(isPaged);
    expect(instead.body).toMatchObject({ receiver: "plant", status: "firing", fallback: { receiver: "pager" } });
    const isBroken = ({ path, body }: Told) =>
      path === "/plant" && body.alerts.some(({ labels }) => labels.alertname === "channel_broken");
    expect((await find(isBroken)).body.alerts.map(({ labels }) => labels)).toContainEqual({
      ...{ alertname: "channel_broken", severity: "high", receiver: "pager", channel: "webhook" },
    });
    const list = runCli("notify", "deliveries", "--url", platform.grpc);
    expect(await list.ended).toBe(0);
    expect(list.stdout()).toMatch(
      new RegExp(`failed → plant( after \\d+ attempts)?  pager by webhook 1  firing ${alertId}  answered 503`),
    );
    expect(list.stdout()).toMatch(
      new RegExp(`sent  plant by webhook 1  firing ${alertId}  instead of \\d+: answered 503`),
    );
    expect(list.stdout()).toContain("broken: pager by webhook");
    const { reasons } = await notifications.explainNotification({ alertId });
    expect(reasons.join("\n")).toMatch(/to pager by webhook was given up .* plant is notified instead\./);
    // It works again: it hears of the end, and so does who heard of the beginning in its place.
    answer("/pager", 200);
    await client(AlertService).resolveAlert({ alertId });
    await find(({ path, body }) => path === "/pager" && body.status === "resolved");
    await find((told) => isPaged(told) && told.body.status === "resolved");
    await find(
      (told) =>
        isBroken(told) &&
        told.body.alerts.some(({ labels, status }) => labels.receiver === "pager" && status === "resolved"),
    );
    expect(
      new Set(
        got()
          .filter((told) => isPaged(told) && told.body.status === "firing")
          .map(({ key }) => key),
      ),
    ).toEqual(new Set([`${first.key}/fallback`]));
  });

  test("a channel that fails is tried again with the same key, delays no other, and kill -9 loses nothing", async () => {
    answer("/trouble", 503);
    const alertId = await open("trouble");
    const first = await find(({ path, body }) => path === "/trouble" && body.alerts[0]?.labels.sensor_id === "trouble");
    await open("other");
    await find(({ body }) => body.alerts[0]?.labels.sensor_id === "other");
    // The next attempt hangs; the process dies in the middle of it.
    answer("/trouble", undefined);
    const again = (count: number) =>
      find((each) => got().filter(({ key }) => key === first.key).length >= count && each.key === first.key);
    await again(2);
    await end(platform.process, "SIGKILL");
    answer("/trouble", 200);
    platform = await startPlatform({ ...environment, DATA_DIR: folder });
    notifications = client(NotificationService);
    await again(3);
    await client(AlertService).resolveAlert({ alertId });
    await find(({ path, body }) => path === "/trouble" && body.status === "resolved");
    const states = async () => (await notifications.listDeliveries({ alertId })).deliveries.map(({ state }) => state);
    await expect.poll(states).toEqual([DeliveryState.SENT, DeliveryState.SENT]);
  });
});
