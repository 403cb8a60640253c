/** The page of administration: tokens, the audit record, health. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { AdminService, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { findingsOf, launchBrowser, misfitsOf, openPage, SCREENS, signIn } from "../../testing/browser.ts";
import { describeWith } from "../../testing/needs.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";

const REFUSED = [/status of 401/];

describeWith(["chromium"], "the page of administration", () => {
  let platform: Secured;
  let browser: Browser;
  beforeAll(async () => {
    [platform, browser] = await Promise.all([startSecured(), launchBrowser()]);
    await fill(platform.as(platform.adminToken), "line-3/boiler");
  });
  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
  });
  const callerOf = (secret: string) => createClient(AdminService, platform.as(secret)).getCaller({});

  it("makes a token that is shown once, and revokes it", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/administration`);
    await signIn(page, platform.adminToken);
    await page.getByRole("button", { name: "New token" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Make the token" }).click();
    await dialog.getByText("Give it a name.").waitFor();
    await dialog.getByText("Choose at least one.").waitFor();
    for (const screen of SCREENS) {
      await page.setViewportSize(screen);
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    }
    await dialog.getByLabel("Name").fill("night shift");
    await dialog.getByRole("checkbox", { name: /^read/ }).check();
    await dialog.getByRole("checkbox", { name: /^operate/ }).check();
    await dialog.getByLabel(/Only sensors/).fill("line-3/");
    await dialog.getByLabel("It ends").selectOption("in 30 days");
    await page.keyboard.press("Tab");
    await dialog.getByRole("button", { name: "Make the token" }).click();
    await dialog.getByText("This is shown once.").waitFor();
    const secret = (await dialog.getByLabel("Secret of the token").textContent())!;
    expect(await callerOf(secret)).toMatchObject({
      ...{ name: "token:night shift", sensorPrefix: "line-3/", scopes: [Scope.READ, Scope.OPERATE] },
    });
    await dialog.getByRole("button", { name: "I have kept it" }).click();
    await dialog.waitFor({ state: "detached" });
    expect(await page.content()).not.toContain(secret);

    const browsers = page.getByRole("list", { name: "Signed-in browsers, the newest first" });
    await browsers.getByText("this browser").waitFor();
    const other = await openPage(browser, platform.http, { expected: REFUSED });
    await other.page.goto(`${platform.http}/ui/administration`);
    await signIn(other.page, secret);
    await other.page.getByRole("heading", { name: "Where you are signed in" }).waitFor();
    await page.reload();
    await browsers.getByRole("button", { name: "Sign out token:night shift" }).click();
    await page.getByText("Signed out: token:night shift").waitFor();
    await other.page.getByRole("heading", { name: "Sign in to Telltale" }).waitFor();
    expect(other.wrong).toEqual([]);
    await other.context.close();

    const tokens = page.getByRole("list", { name: "Tokens, the newest first" });
    await tokens.getByText('read, operate, only sensors "line-3/…"').waitFor();
    await tokens.getByRole("button", { name: "Revoke night shift" }).click();
    await dialog.getByRole("button", { name: "Revoke", exact: true }).click();
    await tokens.getByText("revoked", { exact: true }).waitFor();
    expect(await callerOf(secret).catch((error: unknown) => ConnectError.from(error).code)).toBe(Code.Unauthenticated);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("shows who did what, page by page, and how the platform is", async () => {
    const alerts = createClient(AlertService, platform.as(platform.adminToken));
    const [alert] = (await alerts.listAlerts({})).alerts;
    await alerts.resolveAlert({ alertId: alert!.id, comment: "a test" });
    // More than a page of entries, each a token that was made.
    for (let i = 0; i < 60; i++) await platform.mint([Scope.INGEST]);
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/administration`);
    await signIn(page, platform.adminToken);
    const record = page.getByRole("list", { name: "Who did what, the newest first" });
    await record.getByRole("listitem").first().waitFor();
    expect(await record.getByRole("listitem").count()).toBe(50);
    await page.getByRole("button", { name: "Load older entries" }).click();
    await record.getByRole("link", { name: `alert ${alert!.id}` }).waitFor();
    const components = page.getByRole("list", { name: "Components of the platform" });
    for (const name of ["Database", "Log", "Cache", "Scoring"])
      await components.getByRole("listitem").filter({ hasText: name }).getByText("healthy", { exact: true }).waitFor();
    for (const screen of SCREENS) {
      await page.setViewportSize(screen);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
      }
    }
    await record.getByRole("link", { name: `alert ${alert!.id}` }).click();
    await page.getByRole("heading", { level: 1, name: "line-3/boiler" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("shows whoever may read how the platform is, and nothing of tokens", async () => {
    const { secret } = await platform.mint([Scope.READ, Scope.OPERATE, Scope.ADMIN], "line-3/");
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/administration`);
    await signIn(page, secret);
    await page.getByText("healthy", { exact: true }).first().waitFor();
    await page.getByText("Tokens and the audit record are shown to").waitFor();
    expect(await page.getByRole("button", { name: "New token" }).count()).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });
});
