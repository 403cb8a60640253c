/** Acting from a message: whoever was told acknowledges, silences or labels by the link in it, without signing in. */
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AdminService, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { linkKey, writeLink } from "../../server/notify/links/link.ts";
import { findingsOf, launchBrowser, misfitsOf, openPage } from "../../testing/browser.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPlatform } from "../../testing/platform.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";
import { startWebhookSink, type WebhookSink } from "../../testing/webhook-sink.ts";

const KEYS = ["n".repeat(32), "o".repeat(32)] as const;
const EXTERNAL = "https://telltale.plant.example/base/";
const TOKEN = "0815-token-of-backup";
const FORM_TYPE = "application/x-www-form-urlencoded";
const PHONE = { width: 360, height: 640 };

describe("links in messages", () => {
  let platform: Secured;
  let sink: WebhookSink;
  beforeAll(async () => {
    sink = await startWebhookSink();
    platform = await startSecured({
      ...{ NOTIFY_ALLOWED_HOSTS: "127.0.0.1", EXTERNAL_URL: EXTERNAL, NOTIFY_LINK_KEYS: KEYS.join(",") },
    });
    const text = `
route: { receiver: night shift, group_by: ['...'], group_wait: 0s, group_interval: 1s }
receivers:
  - name: night shift
    webhook_configs: [{ url: "${sink.url}/plant" }]
heartbeats: [{ name: backup, interval: 1d, token: ${TOKEN} }]
`;
    const { problems } = await client(NotificationService).setNotificationConfig({ text });
    expect(problems).toEqual([]);
  });
  const ends: (() => Promise<void>)[] = [];
  afterAll(async () => {
    await Promise.all(ends.map((close) => close()));
    await platform?.stop();
    await sink?.close();
  });

  const client = <S extends Parameters<typeof createClient>[0]>(service: S) =>
    createClient(service, platform.as(platform.adminToken));
  const alertOf = async (alertId: bigint) => (await client(AlertService).getAlert({ alertId })).alert!;
  const silencesBy = async (author: string) =>
    (await client(NotificationService).listSilences({})).silences.filter((each) => each.author === author);

  /** Opens an alert, waits until it is told, and answers with the link as it is at this platform. */
  async function told(sensorId: string, labels: Record<string, string> | undefined = undefined) {
    if (labels === undefined) await fill(platform.as(platform.adminToken), sensorId);
    else await client(NotificationService).receiveAlerts({ alerts: [{ labels }] });
    const posted = await sink.find(({ body }) => String(body).includes(`"${sensorId}"`));
    const { actURL } = JSON.parse(String(posted.body)).alerts[0] as { actURL: string };
    expect(actURL.startsWith(`${EXTERNAL}act/`)).toBe(true);
    return `${platform.http}/act/${actURL.slice(`${EXTERNAL}act/`.length)}`;
  }
  async function ownAlert(sensorId: string) {
    const { alerts } = await client(AlertService).listAlerts({ sensorId });
    return alerts[0]!.id;
  }
  async function post(url: string, act: string) {
    const response = await fetch(url, { method: "POST", body: new URLSearchParams({ act }) });
    return { status: response.status, text: await response.text() };
  }
  const signed = (alertId: bigint, { key = 0, inS = 3_600 } = {}) => {
    const expiresS = Math.floor(Date.now() / 1_000) + inS;
    const link = writeLink({ alertId: Number(alertId), receiver: "day", expiresS }, linkKey(Buffer.from(KEYS[key]!)));
    return `${platform.http}/act/${link}`;
  };

  test("to look at the page changes nothing, whoever follows the link", async () => {
    const url = await told("scanned");
    const response = await fetch(`${url}?act=acknowledge`);
    expect(response.status).toBe(200);
    const headers = Object.fromEntries(response.headers);
    expect(headers).toMatchObject({
      ...{ "referrer-policy": "no-referrer", "cache-control": "no-store", "x-robots-tag": "noindex, nofollow" },
      "content-security-policy": expect.stringMatching(/^default-src 'none'; style-src 'sha256-/),
    });
    expect(await response.text()).toMatch(/scanned is not as usual.*value="acknowledge" class="first".*night shift/s);
    expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
    expect((await alertOf(await ownAlert("scanned"))).acknowledgedAt).toBeUndefined();
    expect(await silencesBy("link to night shift")).toEqual([]);
  });

  test("an act is that of the receiver, in the alert's history and on record, and is done once", async () => {
    const url = await told("press");
    const id = await ownAlert("press");
    const first = await post(url, "acknowledge");
    expect(first).toMatchObject({ status: 200, text: expect.stringContaining("Acknowledged by link to night shift.") });
    const { acknowledgedBy, acknowledgedAt } = await alertOf(id);
    expect(acknowledgedBy).toBe("link to night shift");
    expect((await post(url, "acknowledge")).text).toContain("Nothing was changed.");
    expect((await alertOf(id)).acknowledgedAt).toEqual(acknowledgedAt);
    await post(url, "wrong");
    expect(await alertOf(id)).toMatchObject({ labelCorrect: false, labelledBy: "link to night shift" });
    const { events } = await client(AdminService).listAuditEvents({});
    const own = events.filter(({ action }) => action === "alert.act_by_link");
    expect(own.map(({ principal, target, detail }) => [principal, target, detail])).toEqual([
      ["link to night shift", `alert ${id}`, "Labelled wrong."],
      ["link to night shift", `alert ${id}`, expect.stringContaining("Nothing was changed.")],
      ["link to night shift", `alert ${id}`, "Acknowledged by link to night shift."],
    ]);
  });

  test("the form of the page acts as a browser posts it: from an address that offers an act, with the button alone", async () => {
    const shown = new URL(`${await told("posted")}?act=silence_8h`);
    const html = await (await fetch(shown)).text();
    const [, method, action, inside = ""] = /<form method="(\w+)" action="([^"]*)">(.*?)<\/form>/s.exec(html) ?? [];
    const fields = [...inside.matchAll(/<button name="(\w+)" value="(\w+)"/g)].map(([, name, value]) => [
      name!,
      value!,
    ]);
    expect(fields.map(([, value]) => value)).toEqual(["silence_8h", "acknowledge", "silence_1h", "right", "wrong"]);
    // A page that hides its address has no origin to name.
    const headers = { origin: "null", "sec-fetch-site": "same-origin", "content-type": FORM_TYPE };
    const press = async (value: string) => {
      const body = String(new URLSearchParams(fields.filter((field) => field[1] === value)));
      const response = await fetch(new URL(action!, shown), { method: method!, headers, body });
      return { status: response.status, text: await response.text() };
    };
    expect(await press("acknowledge")).toMatchObject({ status: 200, text: expect.stringContaining("Acknowledged by") });
    expect((await alertOf(await ownAlert("posted"))).acknowledgedBy).toBe("link to night shift");
    // The form without its button, and a form of another type, say nothing here: the answer says how to.
    const whole = new FormData();
    whole.set("act", "acknowledge");
    for (const body of ["", whole]) {
      const unsaid = await fetch(shown.href.split("?")[0]!, { method: "POST", body });
      expect([unsaid.status, await unsaid.text()]).toEqual([400, expect.stringContaining(FORM_TYPE)]);
    }
  });

  test("a silence is of this alert alone, and one however often it is asked for", async () => {
    const url = await told("loud");
    // As ntfy posts it: what to do is in the address.
    await fetch(`${url}?act=silence_1h`, { method: "POST" });
    await Promise.all([post(url, "silence_1h"), post(url, "silence_8h"), post(url, "silence_1h")]);
    const [silence, ...more] = await silencesBy("link to night shift");
    expect(more).toEqual([]);
    expect(silence!.matchers.map(({ name, value }) => [name, value])).toEqual([
      ["alertname", "anomaly_detection"],
      ["sensor_id", "loud"],
      ["sensor_type", "temperature"],
    ]);
    const hours = Number(silence!.endsAt!.seconds - silence!.createdAt!.seconds) / 3_600;
    expect(hours).toBeCloseTo(8, 1);
  });

  test("an alert of another program is acknowledged and silenced, and not labelled", async () => {
    const url = await told("DiskFull", { alertname: "DiskFull", instance: "db-1" });
    expect(await (await fetch(url)).text()).not.toContain('value="right"');
    expect(await post(url, "right")).toMatchObject({ status: 409, text: expect.stringContaining("Another program") });
    expect((await post(url, "acknowledge")).text).toContain("Acknowledged by link to night shift.");
    const { alerts } = await client(NotificationService).listNotifiedAlerts({});
    expect(alerts.find(({ labels }) => labels.alertname === "DiskFull")).toMatchObject({
      acknowledgedBy: "link to night shift",
    });
  });

  test("where nothing can be done it says why, with a status of its own", async () => {
    await told("ended");
    const id = await ownAlert("ended");
    await client(AlertService).resolveAlert({ alertId: id });
    const over = signed(id);
    expect(await post(over, "acknowledge")).toMatchObject({ status: 409, text: expect.stringContaining("is over") });
    expect(await post(over, "silence_1h")).toMatchObject({ status: 409 });
    expect(await (await fetch(over)).text()).toMatch(/The alert is over\..*value="right"/s);
    expect(await post(over, "right")).toMatchObject({ status: 200, text: expect.stringContaining("Labelled right.") });

    expect(await post(signed(id, { inS: -1 }), "right")).toMatchObject({
      ...{ status: 410, text: expect.stringContaining("could be used until") },
    });
    expect(
      await post(
        over.replace(/.$/, (last) => (last === "A" ? "B" : "A")),
        "right",
      ),
    ).toMatchObject({
      ...{ status: 403, text: expect.stringContaining("none of ours") },
    });
    expect(await post(over, "explode")).toMatchObject({ status: 400, text: expect.stringContaining("acknowledge") });
    expect((await fetch(over, { method: "PUT" })).status).toBe(405);
    // A key that only counts still: links of before a change of keys.
    expect((await fetch(signed(id, { key: 1 }))).status).toBe(200);
    const { deletion } = await client(RegistryService).deleteSensor({ sensorId: "ended", whileSending: true });
    expect(deletion).toBeDefined();
    await expect.poll(async () => (await post(over, "right")).status).toBe(410);
  });

  test("a link is used only so often, and keys of the environment are not revoked here", async () => {
    const url = signed(await ownAlert("press"));
    const statuses: number[] = [];
    for (let i = 0; i < 25; i++) statuses.push((await post(url, "acknowledge")).status);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0);
    expect((await fetch(url)).status).toBe(200);
    await expect(client(NotificationService).revokeLinks({})).rejects.toThrow(/NOTIFY_LINK_KEYS/);
  });

  test("a sign of life is given by its own token, or by a token that may write", async () => {
    const signs = `${platform.http}/api/v1/heartbeats/backup`;
    expect((await fetch(signs)).status).toBe(401);
    expect((await fetch(`${signs}/${"x".repeat(20)}`)).status).toBe(401);
    expect((await fetch(`${platform.http}/api/v1/heartbeats/nobody/${TOKEN}`)).status).toBe(401);
    expect((await fetch(`${signs}/${TOKEN}`)).status).toBe(200);
    const bearer = async (scope: Scope, prefix = "") => {
      const { secret } = await platform.mint([scope], prefix);
      return (await fetch(signs, { method: "POST", headers: { authorization: `Bearer ${secret}` } })).status;
    };
    expect(await bearer(Scope.INGEST)).toBe(200);
    expect(await bearer(Scope.READ)).toBe(403);
    // It is of no sensor: a token for some does not see it.
    expect(await bearer(Scope.INGEST, "line-3/")).toBe(404);
    const { heartbeats } = await client(NotificationService).listHeartbeats({});
    expect(heartbeats).toMatchObject([{ name: "backup", count: 2n }]);
    const { config } = await client(NotificationService).getNotificationConfig({});
    expect(config!.text).not.toContain(TOKEN);
  });

  describeWith(["chromium"], "in a browser", () => {
    test("the page works on a phone, by day and by night, without a script, at any gateway", async () => {
      const [browser, apart] = await Promise.all([
        launchBrowser(),
        startPlatform({ ROLE: "gateway", GRPC_URL: platform.grpc, AUTH: "on" }),
      ]);
      ends.push(
        () => browser.close(),
        () => apart.stop(),
      );
      const url = (await told("pumped")).replace(platform.http, apart.http);
      const { context, page, wrong } = await openPage(browser, apart.http);
      await page.setViewportSize(PHONE);
      await page.goto(url);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
      }
      expect(await page.locator("script").count()).toBe(0);
      await page.getByRole("button", { name: "Acknowledge" }).click();
      await page.getByRole("status").getByText("Acknowledged by link to night shift.").waitFor();
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
      await page.getByRole("button", { name: "The alert was wrong" }).click();
      await page.getByText("Labelled wrong by link to night shift.").waitFor();
      expect((await alertOf(await ownAlert("pumped"))).acknowledgedBy).toBe("link to night shift");
      expect(wrong).toEqual([]);
      await context.close();
    });
  });
});
