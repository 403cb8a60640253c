/** Signing in to the console, on a platform that asks who calls. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { findingsOf, launchBrowser, openPage, signIn } from "../../testing/browser.ts";
import { describeWith } from "../../testing/needs.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";

/** Browsers write each refusal to their console. */
const REFUSED = [/status of 401/];
const SERVICES: Readonly<Record<string, string>> = {
  GetCaller: "AdminService",
  GetSensor: "RegistryService",
  GetSeries: "QueryService",
};

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
    await page.goto(`${platform.http}/ui/alerts`);
    await page.getByRole("heading", { name: "Sign in to Telltale" }).waitFor();
    expect(await findingsOf(page)).toEqual([]);
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
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in to Telltale" }).waitFor();
    // A stream may end with the session before the answer comes that removes the cookie.
    await expect.poll(() => context.cookies()).toEqual([]);

    // An answer that this person's page did not take is not the next one's.
    await page.evaluate("void telltaleEarly.answers.set('left', Promise.resolve(new Response()))");
    await signIn(page, platform.adminToken);
    expect(await page.evaluate("telltaleEarly.answers.size")).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("offers an operator what an operator may do, and asks again when the session is over", async () => {
    const { secret } = await platform.mint([Scope.READ, Scope.OPERATE]);
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/alerts`);
    await page.getByLabel("Token").fill(secret);
    await page.keyboard.press("Enter");
    // Who this is, and the page's own code, are asked for before the code of the console has come, and once.
    await page.getByRole("button", { name: "Acknowledge line-4/boiler" }).waitFor();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await page.reload();
    await page.getByRole("button", { name: "Acknowledge line-4/boiler" }).click();
    const whoIs = asked.filter((path) => path.endsWith("/GetCaller"));
    expect(whoIs).toHaveLength(1);
    const code = `[...document.querySelectorAll('head > link[rel="modulepreload"]')].map(({ href }) => new URL(href).pathname)`;
    const [early] = ((await page.evaluate(code)) as string[]).filter((path) => path.includes("/Alerts-"));
    expect(asked.indexOf(early!)).toBeGreaterThan(-1);
    expect(asked.findIndex((path) => path.endsWith("/ListAlerts"))).toBeLessThan(asked.indexOf(early!));
    await page.getByText("seen by").waitFor();
    expect(asked.filter((path) => path.endsWith("/ListAlerts"))).toHaveLength(2); // the inbox, and the number of open ones
    // A sensor's page asks for the sensor and its series before its own code.
    asked.length = 0;
    await page.goto(`${platform.http}/ui/sensors/line-4%2Fboiler`);
    await page.locator("main canvas").waitFor();
    const first = ["GetCaller", "GetSensor", "GetSeries"].map((name) => `/telltale.v1.${SERVICES[name]}/${name}`);
    expect(asked.filter((path) => path.startsWith("/telltale.v1.")).slice(0, 3)).toEqual(first);
    expect(asked.indexOf(first[2]!)).toBeLessThan(asked.findIndex((path) => path.includes("/Sensor-")));
    expect(asked.filter((path) => path === first[1])).toHaveLength(1);
    await context.clearCookies();
    // A call of the page itself may have found it out by then, and the link is gone.
    await page.evaluate("document.querySelector('a[href=\"/ui/alerts\"]')?.click()");
    await page.getByRole("heading", { name: "Sign in to Telltale" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });
});
