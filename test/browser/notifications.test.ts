/** The page of notifications: who is told how, what became of it, and a test of a receiver. */
import { readFileSync } from "node:fs";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import type { Browser, CDPSession } from "playwright-core";
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { writeConfig } from "../../server/notify/config/store.ts";
import { findingsOf, launchBrowser, misfitsOf, openPage, SCREENS, signIn } from "../../testing/browser.ts";
import { type Authority, createAuthority } from "../../testing/certificates.ts";
import { describeWith } from "../../testing/needs.ts";
import { startProxy } from "../../testing/proxy.ts";
import { browserKeys } from "../../testing/push.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";
import { useDatabase } from "../../testing/use-database.ts";
import { startWebhookSink, type WebhookSink } from "../../testing/webhook-sink.ts";

const REFUSED = [/status of 401/];

describeWith(["chromium", "postgres"], "the page of notifications", () => {
  let sql: Sql;
  let url: string;
  useDatabase("notifications_page", (database) => {
    ({ sql, url } = database);
  });
  let platform: Secured;
  let browser: Browser;
  let sink: WebhookSink;
  let authority: Authority;
  let pushService: WebhookSink;
  beforeAll(async () => {
    sink = await startWebhookSink();
    authority = createAuthority();
    pushService = await startWebhookSink(authority.issue("localhost"));
    pushService.answer((response) => response.writeHead(201).end());
    sink.answer((response, { path }) => response.writeHead(path === "/broken" ? 400 : 200).end());
    [platform, browser] = await Promise.all([
      startSecured({ DATABASE_URL: url, NOTIFY_ALLOWED_HOSTS: "127.0.0.1,localhost" }),
      launchBrowser(),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
    await Promise.all([sink?.close(), pushService?.close()]);
    authority?.remove();
  });

  const configuration = () => `
route:
  receiver: team
  group_by: [sensor_id]
  group_wait: 0s
  group_interval: 1s
  escalation: standard
  routes:
    - matchers: ['sensor_id="line-4/boiler"']
      receiver: broken
      group_by: ['...']
      continue: true
    - matchers: [severity=~"critical|high", 'sensor_type="vibration"']
      receiver: lead
      mute_time_intervals: [nights]
receivers:
  - name: team
    webhook_configs: [{ url: "${sink.url}/team/hunter2" }]
  - name: broken
    webhook_configs: [{ url: "${sink.url}/broken" }]
    fallback: team
  - name: lead
time_intervals:
  - name: nights
    time_intervals: [{ times: [{ start_time: "00:00", end_time: "06:00" }] }]
schedules:
  - name: plant
    time_zone: Europe/Berlin
    rotations: [{ receivers: [team, lead], start: 2026-01-05 08:00, shift: 1d }]
heartbeats: [{ name: nightly-backup, interval: 1s, grace: 1s }]
escalations:
  - name: standard
    steps: [{ after: 1d, schedules: [plant] }]
`;

  it("says what to do where nobody is notified of anything", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/notifications`);
    await signIn(page, platform.adminToken);
    await page.getByText("Nobody is notified of any alert.").waitFor();
    expect(await page.getByLabel("Command that puts a configuration in force").textContent()).toBe(
      "telltale notify apply notify.yml",
    );
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("draws the routes, tests a receiver, and shows what became of each message", async () => {
    const notifications = createClient(NotificationService, platform.as(platform.adminToken));
    const { problems } = await notifications.setNotificationConfig({ text: configuration() });
    expect(problems).toEqual([]);
    for (const sensor of ["line-3/boiler", "line-4/boiler"]) await fill(platform.as(platform.adminToken), sensor);
    await sink.find(({ path }) => path === "/team/hunter2");
    await sink.find(({ path }) => path === "/broken");

    const { context, page, wrong } = await openPage(browser, platform.http, {
      expected: [...REFUSED, /status of 400 .*CreateSilence/],
    });
    await page.goto(`${platform.http}/ui/notifications`);
    await signIn(page, platform.adminToken);
    const routes = page.getByRole("list", { name: "Routes", exact: true });
    await routes.getByText('sensor_id="line-4/boiler"').waitFor();
    expect(await routes.getByRole("listitem").count()).toBe(3);
    await routes.getByText("each alert by itself · further routes are tried").waitFor();
    await routes.getByText("muted in nights").waitFor();
    await routes.getByText("escalation standard").waitFor();
    await page.getByText(/^(team|lead) now$/).waitFor();
    await page.getByRole("heading", { name: "Next hand-offs" }).waitFor();

    const signs = page.getByRole("list", { name: "Heartbeats that are expected" });
    await signs.getByText("nightly-backup").waitFor();
    await signs.getByText(/^missing since/).waitFor();

    // A channel that does not deliver is said to be so once it has failed, and what was sent instead.
    const receivers = page.getByRole("list", { name: "Receivers" });
    await receivers.getByText("does not deliver").waitFor();
    expect(await page.content()).not.toContain("hunter2");
    await receivers.getByRole("button", { name: "Send a test to team" }).click();
    await receivers.getByText("Test by webhook: taken").waitFor();
    await receivers.getByRole("button", { name: "Send a test to broken" }).click();
    await receivers.getByText(/Test by webhook: not taken: .*400/).waitFor();
    expect(await receivers.getByRole("button", { name: "Send a test to lead" }).count()).toBe(0);

    await page.getByRole("combobox", { name: "Receiver" }).selectOption("broken");
    await page.getByText("failed", { exact: true }).first().click();
    await page.waitForURL(/receiver=broken&state=failed/);
    const messages = page.getByRole("list", { name: "Messages, the newest first" });
    await messages.getByText("team is notified instead").waitFor();
    await expect.poll(() => messages.getByText("sent", { exact: true }).count()).toBe(0);

    for (const screen of SCREENS) {
      await page.setViewportSize(screen);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
      }
    }
    // The alert's own page says the same of it.
    await messages
      .getByRole("link", { name: /^alert \d+$/ })
      .first()
      .click();
    await page.getByRole("heading", { level: 1, name: "line-4/boiler" }).waitFor();
    await page.getByText("team is notified instead").first().waitFor();

    // A link that a template for an Alertmanager offers a silence by.
    await page.goto(`${platform.http}/#/silences/new?filter=%7Bjob%3D"node"%2C%20alertname%3D~"A%7CB"%7D`);
    await expect.poll(() => page.getByRole("textbox", { name: "Value" }).count()).toBe(2);
    expect(await page.getByRole("textbox", { name: "Value" }).last().inputValue()).toBe("A|B");

    // A silence tells a receiver of its end.
    await page.goto(`${platform.http}/ui/silences/new?sensor=line-3/boiler`);
    await page.getByRole("textbox", { name: "Why" }).fill("new pump");
    const tell = page.getByLabel("Notify a receiver of its end");
    await expect.poll(() => page.locator("#receivers option").count()).toBe(3);
    await tell.fill("taem");
    await page.getByRole("button", { name: "Silence", exact: true }).click();
    const refusal = page.getByText(/no receiver "taem"; did you mean team\?$/);
    await refusal.waitFor();
    // The preview of what is written afterwards does not take the reason away.
    const preview = page.waitForResponse((answer) => answer.url().endsWith("/CreateSilence") && answer.ok());
    await page.getByRole("textbox", { name: "Value" }).fill("line-3/other");
    await preview;
    await page.getByText("No open alert matches now").waitFor();
    expect(await refusal.isVisible()).toBe(true);
    await page.getByRole("textbox", { name: "Value" }).fill("line-3/boiler");
    await tell.fill("team");
    await page.getByLabel("How long before").selectOption("1 h");
    for (const screen of SCREENS) {
      await page.setViewportSize(screen);
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    }
    await page.getByRole("button", { name: "Silence", exact: true }).click();
    await page.getByText("notifies team 1 h before and at its end").waitFor();
    await page.getByRole("button", { name: "End now" }).click();
    // Nobody takes it back: it is ended by itself.
    await page.getByText("End the silence, in a moment").waitFor();
    await sink.find(({ path, body }) => path === "/team/hunter2" && String(body).includes("Silence is over: new pump"));
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("shows what a configuration would have sent before it is applied, and names mistakes by line", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/notifications`);
    await signIn(page, platform.adminToken);
    const text = `templates: [texts/own.tmpl]
route: { receiver: team, group_by: [sensor_id], group_wait: 0s, routes: [{ matchers: ['sensor_id=~"line-4/.*"'], receiver: nobody }] }
receivers:
  - { name: team, webhook_configs: [{ url: "${sink.url}/team/hunter2" }] }
  - { name: line-4, webhook_configs: [{ url_file: /nowhere/url }] }
`;
    const own = { name: "own.tmpl", mimeType: "text/plain", buffer: Buffer.from('{{ define "own" }}x{{ end }}') };
    const config = { name: "plant.yml", mimeType: "text/yaml", buffer: Buffer.from(text) };
    const panel = page.getByRole("region", { name: "Try a configuration" });
    await panel.getByLabel("Drop notify.yml").setInputFiles([own, config]);
    await panel.getByText("It would not be taken: 1 mistake.").waitFor();
    await panel.getByText(/nobody/).waitFor();
    await panel.getByRole("button", { name: "line 2" }).click();
    const area = panel.getByRole("textbox", { name: "Configuration" });
    const chosen = await area.evaluate("document.getSelection()?.toString()");
    expect(chosen).toBe(text.split("\n")[1]);
    await area.fill(text.replace("receiver: nobody", "receiver: line-4"));
    await panel.getByRole("button", { name: "Preview" }).click();

    // One alert of each sensor; the receivers of the configuration in force that are gone are named.
    await panel.getByText(/^Messages for 2 alerts of the last 30 days/).waitFor();
    await panel.getByText("It would be taken, and something that it names is missing.").waitFor();
    const bars = panel.getByRole("list", { name: "Messages by receiver" }).getByRole("listitem");
    const rows = (await bars.allTextContents()).map((row) => row.replaceAll(/\s+/g, " ").trim());
    expect(rows.map((row) => row.split(" ")[0])).toEqual(expect.arrayContaining(["team", "line-4", "broken", "lead"]));
    // When they were depends on when the test runs: one or more by day, or at night.
    for (const name of ["team", "line-4"])
      expect(rows.join("\n")).toMatch(
        new RegExp(`${name} (?:[1-9]\\d* by day, \\d+ at night|0 by day, [1-9]\\d* at night)`),
      );
    expect(rows.join("\n")).toMatch(/broken no longer there; in force now: [1-9]/);
    await panel
      .getByRole("status")
      .filter({ hasText: /^\d+ messages for 2 alerts$/ })
      .waitFor();
    // What was changed here is not in the file yet, which the command reads.
    const command = panel.getByLabel("Command that puts this configuration in force");
    expect(await command.textContent()).toBe("telltale notify apply plant.yml");
    const download = page.waitForEvent("download");
    await panel.getByRole("button", { name: "Save the text as plant.yml" }).click();
    const file = await download;
    expect([file.suggestedFilename(), readFileSync(await file.path(), "utf8")]).toEqual([
      "plant.yml",
      text.replace("receiver: nobody", "receiver: line-4"),
    ]);
    // Other templates are another configuration.
    await panel.getByLabel("Drop notify.yml").setInputFiles([{ ...own, name: "more.tmpl" }]);
    await panel.getByText(/were changed since: preview it again/).waitFor();
    expect(await command.count()).toBe(0);
    await panel.getByRole("button", { name: "Preview" }).click();
    await command.waitFor();
    for (const screen of SCREENS) {
      await page.setViewportSize(screen);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
      }
    }
    // As it is in its file there is nothing to save; a name may be of several words.
    const saved = { ...config, name: "the plant.yml", buffer: Buffer.from(await area.inputValue()) };
    await panel.getByLabel("Drop notify.yml").setInputFiles([own, saved]);
    await command.getByText("telltale notify apply 'the plant.yml'").waitFor();
    expect(await panel.getByRole("button", { name: /^Save the text/ }).count()).toBe(0);
    // A file that is dropped while another is looked at takes its place.
    let asked = 0;
    await page.route("**/SetNotificationConfig", (route) => (asked++ === 0 ? undefined : route.continue()));
    await panel.getByLabel("Drop notify.yml").setInputFiles([own, saved]);
    await panel.getByText("Counting …").waitFor();
    const givenUp = page.waitForEvent("requestfailed");
    await panel.getByLabel("Drop notify.yml").setInputFiles([own, config]);
    expect((await givenUp).url()).toMatch(/SetNotificationConfig$/);
    await panel.getByText("It would not be taken: 1 mistake.").waitFor();
    await expect.poll(() => panel.getByRole("button", { name: "Preview" }).isEnabled()).toBe(true);
    // Nothing was put in force by it.
    const notifications = createClient(NotificationService, platform.as(platform.adminToken));
    expect((await notifications.getNotificationConfig({})).config?.revision).toBe(1n);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("shows who is on call to whoever may read, on a phone, and offers nothing that would be refused", async () => {
    const { secret } = await platform.mint([Scope.READ, Scope.OPERATE]);
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.setViewportSize(SCREENS[1]);
    await page.goto(`${platform.http}/ui/`);
    await signIn(page, secret);
    await page.getByRole("button", { name: "More" }).click();
    expect(await findingsOf(page)).toEqual([]);
    await page.getByRole("dialog").getByRole("link", { name: "Notifications" }).click();
    await page.getByRole("heading", { level: 1, name: "Notifications" }).waitFor();
    await page.getByText(/^(team|lead) now$/).waitFor();
    await page.getByText("team, broken, lead").waitFor();
    expect(await page.getByRole("button", { name: /Send a test/ }).count()).toBe(0);
    expect(await page.getByRole("dialog").count()).toBe(0);
    expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("says what of a configuration that another version took cannot be read, and what that means", async () => {
    const notifications = createClient(NotificationService, platform.as(platform.adminToken));
    const { config } = await notifications.getNotificationConfig({});
    const text = configuration().replace("receiver: lead", "receiver: lead\n      tomorrow: true");
    await writeConfig(sql, { after: Number(config!.revision), text, appliedUs: 1, appliedBy: "anna" });
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/notifications`);
    await signIn(page, platform.adminToken);
    const notice = page.getByRole("alert").filter({ hasText: "cannot read all of the configuration" });
    await notice.getByText(`People are notified by revision ${config!.revision}`).waitFor();
    await notice.getByText(/^line \d+, column 7, route\.routes\[1\]\.tomorrow: "tomorrow" is no setting/).waitFor();
    await page.getByRole("list", { name: "Receivers" }).getByText("lead").waitFor();
    for (const screen of SCREENS) {
      await page.setViewportSize(screen);
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    }
    expect(wrong).toEqual([]);
    await context.close();
    expect((await notifications.setNotificationConfig({ text: configuration() })).problems).toEqual([]);
  });

  /** What a browser gives the platform when its push service has taken it. */
  const subscription = (path: string) => {
    const { p256dh, auth, decrypt } = browserKeys();
    const request = { endpoint: `https://localhost:${pushService.port}${path}`, p256dh, auth, label: "Test on Linux" };
    return { request, decrypt };
  };

  it("keeps a browser for the caller that subscribed it, and refuses addresses that it may not call", async () => {
    const { secret } = await platform.mint([Scope.READ, Scope.OPERATE]);
    const own = createClient(NotificationService, platform.as(secret));
    const other = createClient(NotificationService, platform.as(platform.adminToken));
    const { request } = subscription("/own");
    const { publicKey } = await own.getPushSettings({});
    expect(publicKey).toHaveLength(65);
    expect((await other.getPushSettings({})).publicKey).toEqual(publicKey);

    const { subscription: made } = await own.subscribePush(request);
    expect(made).toMatchObject({ label: "Test on Linux", service: `localhost:${pushService.port}`, sensorPrefix: "" });
    // The same browser again is no second one.
    expect((await own.subscribePush(request)).subscription!.id).toBe(made!.id);
    expect((await own.listPushSubscriptions({})).subscriptions.map(({ id }) => id)).toEqual([made!.id]);
    expect((await other.listPushSubscriptions({})).subscriptions).toEqual([]);
    expect(await codeOf(other.unsubscribePush({ id: made!.id }))).toBe(Code.NotFound);

    for (const endpoint of [
      "http://push.example/x",
      "https://169.254.169.254/x",
      "https://[::1]/x",
      "https://a:b@push.example/",
    ])
      expect([endpoint, await codeOf(own.subscribePush({ ...request, endpoint }))]).toEqual([
        endpoint,
        Code.InvalidArgument,
      ]);
    const noPoint = new Uint8Array(65).fill(4);
    expect(await codeOf(own.subscribePush({ ...request, p256dh: noPoint }))).toBe(Code.InvalidArgument);
    const reader = createClient(NotificationService, platform.as((await platform.mint([Scope.READ])).secret));
    expect(await codeOf(reader.subscribePush(request))).toBe(Code.PermissionDenied);

    await own.unsubscribePush({ id: made!.id });
    expect((await own.listPushSubscriptions({})).subscriptions).toEqual([]);
  });

  it("is installed, opens without the platform, and acknowledges an alert from its notification", async () => {
    const targets = [Number(new URL(platform.http).port)];
    const proxy = await startProxy(() => targets);
    const origin = `http://127.0.0.1:${proxy.port}`;
    const expected = [...REFUSED, /ERR_|Failed to fetch/];
    const { context, page, wrong } = await openPage(browser, origin, { expected });
    await context.grantPermissions(["notifications"], { origin });
    await page.goto(`${origin}/ui/`);
    await signIn(page, platform.adminToken);
    const devtools = await context.newCDPSession(page);
    const registrationId = await activeWorker(devtools, origin);

    const { errors, data } = await devtools.send("Page.getAppManifest");
    expect([errors, JSON.parse(data!).id]).toEqual([[], "/ui/"]);
    const { installabilityErrors } = await devtools.send("Page.getInstallabilityErrors");
    // Each test has a window of its own kind.
    expect(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== "in-incognito")).toEqual([]);

    // The platform is gone: the shell is there, says so, and goes on by itself.
    targets.length = 0;
    proxy.cut();
    await page.goto(`${origin}/ui/alerts`);
    await page.getByText(/The platform did not answer|the platform did not answer/).waitFor();
    const kept = await page.evaluate(KEPT_PATHS);
    expect(kept).toEqual(expect.arrayContaining(["/ui/", "/ui/early.js"]));
    expect((kept as string[]).filter((path) => !/^\/ui\/(assets\/[^/]+|[\w.]*)$/.test(path))).toEqual([]);
    targets.push(Number(new URL(platform.http).port));
    await page.getByRole("heading", { level: 1, name: "Alerts" }).waitFor();

    // Told of a real alert; what arrives at the push service is handed to the browser as that would.
    const notifications = createClient(NotificationService, platform.as(platform.adminToken));
    const { request, decrypt } = subscription("/shown");
    await notifications.subscribePush(request);
    const { problems } = await notifications.setNotificationConfig({ text: pushConfiguration(authority.caFile) });
    expect(problems).toEqual([]);
    await fill(platform.as(platform.adminToken), "line-5/boiler");
    const posted = await pushService.find(
      ({ path, body }) => path === "/shown" && decrypt(body).includes("line-5/boiler"),
    );
    const payload = JSON.parse(decrypt(posted.body));
    const arrives = (more = {}) => {
      const data = JSON.stringify({ ...payload, ...more });
      return devtools.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data });
    };
    const shown = { title: expect.stringContaining("line-5/boiler"), actions: ["acknowledge", "open"] };
    await arrives();
    await expect.poll(() => page.evaluate(SHOWN)).toEqual([{ ...shown, renotify: true, silent: false }]);
    // The same message again, as after an answer that was lost: nobody is called a second time.
    await arrives();
    await expect.poll(() => page.evaluate(SHOWN)).toEqual([{ ...shown, renotify: false, silent: true }]);
    await arrives({ id: "another", runbook: "https://wiki.example/boiler" });
    const withRunbook = { ...shown, actions: ["acknowledge", "what to do"], renotify: true, silent: false };
    await expect.poll(() => page.evaluate(SHOWN)).toEqual([withRunbook]);

    await page.goto(`${origin}/ui/notifications`);
    await page
      .getByRole("list", { name: "Your browsers" })
      .getByText(/Test on Linux/)
      .waitFor();
    await page.getByText(/last notified/).waitFor();
    await page.getByRole("button", { name: "Notify this browser" }).waitFor();
    expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);

    const [worker] = context.serviceWorkers();
    await worker!.evaluate(PRESS_ACKNOWLEDGE);
    const alerts = createClient(AlertService, platform.as(platform.adminToken));
    const mine = async () => (await alerts.listAlerts({ sensorId: "line-5/boiler" })).alerts;
    await expect.poll(async () => (await mine())[0]?.acknowledgedAt).toBeDefined();
    await expect.poll(() => page.evaluate(SHOWN)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
    await proxy.stop();
  });
});

const pushConfiguration = (caFile: string) => `
route: { receiver: people, group_by: [sensor_id], group_wait: 0s }
receivers:
  - name: people
    web_push_configs: [{ http_config: { tls_config: { ca_file: "${caFile}" } } }]
`;

const KEPT_PATHS = `caches.keys()
  .then((names) => Promise.all(names.map(async (name) => (await caches.open(name)).keys())))
  .then((all) => all.flat().map(({ url }) => new URL(url).pathname))`;
const SHOWN = `navigator.serviceWorker.ready
  .then((registration) => registration.getNotifications())
  .then((all) => all.map(({ title, actions, renotify, silent }) =>
    ({ title, renotify, silent, actions: actions.map(({ action }) => action) })))`;
/** As the browser does when the button is pressed, which no program can. */
const PRESS_ACKNOWLEDGE = `self.registration.getNotifications().then(([notification]) => {
  self.dispatchEvent(new NotificationEvent("notificationclick", { notification, action: "acknowledge" }));
})`;

/** The registration of the worker, once that is active. */
async function activeWorker(devtools: CDPSession, origin: string): Promise<string> {
  const active = new Promise<string>((resolve) => {
    devtools.on("ServiceWorker.workerVersionUpdated", ({ versions }) => {
      const found = versions.find(({ status, scriptURL }) => status === "activated" && scriptURL.startsWith(origin));
      if (found !== undefined) resolve(found.registrationId);
    });
  });
  await devtools.send("ServiceWorker.enable");
  return active;
}

async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return ConnectError.from(error).code;
  }
}
