/** The pages for people: with no network beside the platform, and on a phone. */
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith, program } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

const PHONE = { width: 390, height: 844 };
/** GraphiQL brings nine megabytes of editor, which a busy machine takes a while to start. */
const SLOW_MS = 120_000;

describeWith(["chromium"], "a browser", () => {
  let platform: Platform;
  let browser: Browser;

  beforeAll(async () => {
    platform = await startPlatform();
    browser = await chromium.launch({ executablePath: program("chromium")!, args: ["--no-sandbox"] });
  }, SLOW_MS);
  afterAll(async () => {
    await browser.close();
    await platform.stop();
  });

  /** Opens a page; answers with it and with what it asked of others, and what went wrong on it. */
  async function open(path: string, shown: string) {
    const page = await browser.newPage({ viewport: PHONE });
    const elsewhere: string[] = [];
    const wrong: string[] = [];
    const pending = new Map<object, string>();
    page.on("request", (request) => {
      const url = request.url();
      if (/^(data|blob):/.test(url)) return;
      pending.set(request, url);
      if (!url.startsWith(platform.http)) elsewhere.push(url);
    });
    for (const end of ["requestfinished", "requestfailed"] as const) {
      page.on(end as "requestfinished", (request) => void pending.delete(request));
    }
    page.on("pageerror", (error) => wrong.push(error.message));
    page.on("console", (message) => {
      if (/Content Security Policy/.test(message.text())) wrong.push(message.text());
    });
    await page.goto(platform.http + path);
    await page.waitForSelector(shown, { timeout: SLOW_MS });
    await expect.poll(() => [...pending.values()], { timeout: SLOW_MS }).toEqual([]);
    return { page, elsewhere, wrong };
  }

  test.each([
    ["/docs", "#operations-tag-sensors"],
    ["/redoc", "[data-section-id]"],
    ["/api/v1/graphql", ".graphiql-editors .view-lines"],
  ])("shows %s with nothing from elsewhere, no wider than a phone", { timeout: 2 * SLOW_MS }, async (path, shown) => {
    const { page, elsewhere, wrong } = await open(path, shown);
    expect(elsewhere).toEqual([]);
    expect(wrong).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(PHONE.width);
    await page.close();
  });

  test("shows a query and its answer below each other on a phone", { timeout: 2 * SLOW_MS }, async () => {
    const { page } = await open("/api/v1/graphql", ".graphiql-execute-button");
    await page.click(".graphiql-execute-button");
    await page.waitForFunction('document.querySelector(".graphiql-response").innerText.includes("sensorData")');
    const boxes = await Promise.all(
      [".graphiql-editors", ".graphiql-response"].map((selector) => page.locator(selector).first().boundingBox()),
    );
    for (const box of boxes) expect(box!.width).toBeGreaterThan(0.7 * PHONE.width);
    expect(boxes[1]!.y).toBeGreaterThanOrEqual(boxes[0]!.y + boxes[0]!.height - 1);
    await page.close();
  });
});
