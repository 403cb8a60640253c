/** Signing in to the console, on a platform that asks who calls. */
import { createClient } from "@connectrpc/connect";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { findingsOf, launchBrowser, openPage, signIn } from "../../testing/browser.ts";
import { describeWith } from "../../testing/needs.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";

/** Browsers write each refusal to their console. */
const REFUSED = [/status of 401/];

describeWith(["chromium"], "signing in to the console", () => {
  let platform: Secured;
  let browser: Browser;
  beforeAll(async () => {
    [platform, browser] = await Promise.all([startSecured(), launchBrowser()]);
    await fill(platform.as(platform.adminToken), "line-3/boiler");
    await fill(platform.as(platform.adminToken), "line-4/boiler");
  });
  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
  });

  it("asks for a token, keeps it where no page reads it, and shows what it may see and do", async () => {
    const { secret } = await platform.mint([Scope.READ], "line-3/");
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    const refused: string[] = [];
    page.on("response", (answer) => answer.status() === 401 && refused.push(new URL(answer.url()).pathname));
    await page.goto(`${platform.http}/ui/alerts`);
    await page.getByRole("heading", { name: "Sign in to Telltale" }).waitFor();
    expect(await findingsOf(page)).toEqual([]);
    // Nothing is asked for on behalf of nobody.
    expect(refused).toEqual(["/telltale.v1.AdminService/GetCaller"]);
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await findingsOf(page, ["color-contrast"])).toEqual([]);
    await page.getByLabel("Token").fill("not a token".replaceAll(" ", "-"));
    await page.keyboard.press("Enter");
    await page
      .getByRole("alert")
      .filter({ hasText: "No token of this platform is that" })
      .waitFor({ state: "attached" });
    await page.getByLabel("Token").fill(secret);
    await page.keyboard.press("Enter");

    // Where the address said, with the alerts that the token may see and nothing that it may not do.
    await page.getByRole("link", { name: "line-3/boiler", exact: true }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    expect(await page.getByRole("link", { name: "line-4/boiler", exact: true }).count()).toBe(0);
    expect(await page.getByRole("button", { name: /Resolve/ }).count()).toBe(0);
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ name: "telltale-session", httpOnly: true, sameSite: "Strict" });
    expect(
      await page.evaluate("document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)"),
    ).not.toContain(secret);

    // The overview does without what concerns all sensors.
    await page.goto(`${platform.http}/ui/`);
    await page.getByRole("heading", { name: "Where anomalies were" }).waitFor();
    await page.getByRole("link", { name: "Sensors", exact: true }).first().click();
    await page.getByRole("checkbox", { name: "Choose line-3/boiler" }).check();
    await page.getByText("1 sensor chosen").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in to Telltale" }).waitFor();
    // A stream may end with the session before the answer comes that removes the cookie.
    await expect.poll(() => context.cookies()).toEqual([]);

    // Who signs in next finds nothing of what the one before has chosen.
    await signIn(page, platform.adminToken);
    await page.getByRole("checkbox", { name: "Choose line-4/boiler" }).waitFor();
    expect(await page.getByText("sensor chosen").count()).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("tells whoever signs in next nothing of a file that is on its way", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/import`);
    await signIn(page, platform.adminToken);
    const lines = Array.from({ length: 5 }, (_, i) => `2026-11-04T00:00:0${i}Z,kiln,temperature,C,${i}`);
    const text = ["observed_at,sensor_id,sensor_type,unit,value", ...lines, ""].join("\n");
    const file = { name: "kiln.csv", mimeType: "text/csv", buffer: Buffer.from(text) };
    await page.getByLabel("Drop a CSV file").setInputFiles(file);
    await page.getByText("5 readings of 1 sensor: kiln.").waitFor();
    const { promise: isNext, resolve: goOn } = Promise.withResolvers<void>();
    await page.route(/\/data\/bulk/, async (route) => {
      await isNext;
      await route.continue();
    });
    await page.getByRole("button", { name: "Store it" }).click();
    await page.getByRole("progressbar").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn(page, platform.adminToken);
    await page.getByLabel("Drop a CSV file").waitFor({ state: "attached" });
    const answer = page.waitForResponse(/\/data\/bulk/);
    goOn();
    await (await answer).finished();
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    expect(new URL(page.url()).pathname).toBe("/ui/import");
    expect(await page.getByLabel("Drop a CSV file").count()).toBe(1);
    expect(await page.getByText(/kiln/).count()).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("does nothing in the name of whoever signs in beside it in another tab, and is theirs at once", async () => {
    const [one, two] = [await platform.mint([Scope.READ, Scope.OPERATE]), await platform.mint([Scope.READ])];
    const sensorId = "line-5/boiler";
    await fill(platform.as(platform.adminToken), sensorId);
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/alerts`);
    await signIn(page, one.secret);
    const other = await context.newPage();
    await other.goto(`${platform.http}/ui/sensors`);
    await other.getByRole("button", { name: "Sign out" }).waitFor();
    await page.getByRole("button", { name: `Acknowledge ${sensorId}` }).click();
    await page.getByText(`Acknowledge: ${sensorId}, in a moment`).waitFor();
    // Signed in as somebody else without a word to the tab, as by the identity provider: what the tab does is refused, and it finds out.
    await other.evaluate(`fetch("/ui/session", { method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: ${JSON.stringify(two.secret)} }) })`);
    // At the latest when the act that waits goes out.
    await expect.poll(() => page.getByRole("button", { name: `Acknowledge ${sensorId}` }).count()).toBe(0);
    const { alerts } = await createClient(AlertService, platform.as(platform.adminToken)).listAlerts({ sensorId });
    expect(alerts).toMatchObject([{ acknowledgedBy: "" }]);

    // By the console itself every tab knows at once.
    await other.reload();
    await other.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in to Telltale" }).waitFor();
    await signIn(other, one.secret);
    await page.getByRole("button", { name: `Acknowledge ${sensorId}` }).click();
    // What is pointed at waits, however long the other tab takes.
    await page.getByText(`Acknowledge: ${sensorId}, in a moment`).hover();
    await other.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("was not done, since the session had ended").waitFor();
    await signIn(other, two.secret);
    await page.getByRole("link", { name: sensorId, exact: true }).waitFor();
    expect(await page.getByRole("button", { name: `Acknowledge ${sensorId}` }).count()).toBe(0);
    const after = await createClient(AlertService, platform.as(platform.adminToken)).listAlerts({ sensorId });
    expect(after.alerts).toMatchObject([{ acknowledgedBy: "" }]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("signs out whom the tab shows, and nobody who has signed in meanwhile", async () => {
    const [one, two] = [await platform.mint([Scope.READ], "line-3/"), await platform.mint([Scope.READ], "line-4/")];
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/alerts`);
    await signIn(page, one.secret);
    await page.getByRole("link", { name: "line-3/boiler", exact: true }).waitFor();
    // At once, before the page has found out by a call of its own: then it would be the other's session that it shows and ends.
    const signOut = await page.getByRole("button", { name: "Sign out" }).elementHandle();
    await signOut!.evaluate(async (button, token) => {
      const headers = { "content-type": "application/json" };
      await fetch("/ui/session", { method: "POST", headers, body: JSON.stringify({ token }) });
      (button as unknown as { click(): void }).click();
    }, two.secret);
    // Whoever is signed in is shown what is theirs.
    await page.getByRole("link", { name: "line-4/boiler", exact: true }).waitFor();
    expect(await page.getByRole("link", { name: "line-3/boiler", exact: true }).count()).toBe(0);
    await page.reload();
    await page.getByRole("link", { name: "line-4/boiler", exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("asks for a token where calls are refused in a session that the platform has just named", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/alerts`);
    await signIn(page, platform.adminToken);
    await page.getByRole("link", { name: "line-3/boiler", exact: true }).waitFor();
    // As by a gateway that cannot read the cookie.
    await page.route("**/telltale.v1.AlertService/*", (route, request) =>
      route.continue({ headers: { ...request.headers(), "telltale-session-id": "another" } }),
    );
    await page.reload();
    await page.getByRole("heading", { name: "Sign in to Telltale" }).waitFor();
    await page.unroute("**/telltale.v1.AlertService/*");
    await signIn(page, platform.adminToken);
    await page.getByRole("link", { name: "line-3/boiler", exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("has the first answers in its page also where the service worker hands the page on", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/alerts`);
    await signIn(page, platform.adminToken);
    await page.evaluate("navigator.serviceWorker.ready.then(() => undefined)");
    // A page does not wait for long where the services are slow.
    const found = async () => {
      await page.reload();
      return [
        await page.evaluate("navigator.serviceWorker.controller !== null"),
        await page.locator("#first-answers").count(),
      ];
    };
    await expect.poll(found).toEqual([true, 1]);
    await page.getByRole("link", { name: "line-3/boiler", exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("offers an operator what an operator may do, and asks again when the session is over", async () => {
    const { secret } = await platform.mint([Scope.READ, Scope.OPERATE]);
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/alerts`);
    await page.getByLabel("Token").fill(secret);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Acknowledge line-4/boiler" }).waitFor();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await page.reload();
    await page.getByRole("button", { name: "Acknowledge line-4/boiler" }).click();
    // Who this is, and what the inbox shows, has come with the page; and so have the names of its files.
    const isWithPage = await page.evaluate(
      "document.querySelector('#first-answers')?.textContent.includes('GetCaller') ?? false",
    );
    expect(asked.filter((path) => path.endsWith("/GetCaller"))).toHaveLength(isWithPage ? 0 : 1);
    expect(await page.locator('link[rel="modulepreload"][href*="/Alerts-"]').count()).toBe(1);
    await page.getByText("seen by").waitFor();
    await context.clearCookies();
    // A call of the page itself may have found it out by then, and the link is gone.
    await page.evaluate("document.querySelector('a[href=\"/ui/alerts\"]')?.click()");
    await page.getByRole("heading", { name: "Sign in to Telltale" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });
});
