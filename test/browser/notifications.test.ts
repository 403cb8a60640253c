/** The page of notifications: who is told how, what became of it, and a test of a receiver. */
import { createClient } from "@connectrpc/connect";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { findingsOf, launchBrowser, misfitsOf, openPage, SCREENS, signIn } from "../../testing/browser.ts";
import { describeWith } from "../../testing/needs.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";
import { startWebhookSink, type WebhookSink } from "../../testing/webhook-sink.ts";

const REFUSED = [/status of 401/];

describeWith(["chromium"], "the page of notifications", () => {
  let platform: Secured;
  let browser: Browser;
  let sink: WebhookSink;
  beforeAll(async () => {
    sink = await startWebhookSink();
    sink.answer((response, { path }) => response.writeHead(path === "/broken" ? 400 : 200).end());
    [platform, browser] = await Promise.all([startSecured({ NOTIFY_ALLOWED_HOSTS: "127.0.0.1" }), launchBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
    await sink?.close();
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

  it("says what to do where nobody is told of anything", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/notifications`);
    await signIn(page, platform.adminToken);
    await page.getByText("Nobody is told of any alert.").waitFor();
    expect(await page.getByLabel("Command that puts a configuration in force").textContent()).toBe(
      "telltale notify apply notify.yml",
    );
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("draws the routes, tests a receiver, and shows what became of each message", { timeout: 240_000 }, async () => {
    const notifications = createClient(NotificationService, platform.as(platform.adminToken));
    const { problems } = await notifications.setNotificationConfig({ text: configuration() });
    expect(problems).toEqual([]);
    for (const sensor of ["line-3/boiler", "line-4/boiler"]) await fill(platform.as(platform.adminToken), sensor);
    await sink.find(({ path }) => path === "/team/hunter2");
    await sink.find(({ path }) => path === "/broken");

    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
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
    await messages.getByText("team is told instead").waitFor();
    await expect.poll(() => messages.getByText("sent", { exact: true }).count(), { timeout: 20_000 }).toBe(0);

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
    await page.getByText("team is told instead").first().waitFor();
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
});
