/** What people look at a plant with: stretches, views, files, time zones, and the plan of maintenance. */
import { readFile } from "node:fs/promises";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { findingsOf, launchBrowser, misfitsOf, openPage, SCREENS } from "../../testing/browser.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** Steady readings, one a minute, that a sensor is judged by; the one after them is far away. */
const STEADY = 180;
/** When the last reading of the past was observed. */
const PAST_MS = Math.floor(Date.now() / DAY_MS - 20) * DAY_MS;

describeWith(["chromium"], "views of the console", () => {
  let platform: Platform;
  let browser: Browser;
  beforeAll(async () => {
    [platform, browser] = await Promise.all([startPlatform(), launchBrowser()]);
    await send("press-1", PAST_MS, 1);
    await send("press-2", PAST_MS - DAY_MS, 1);
    // So that the newest reading is of now, as where a plant of the past was played in beside one that runs.
    await send("boiler-1", Date.now(), 0);
  });
  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
  });

  async function send(sensorId: string, untilMs: number, far: number) {
    const values = Array.from({ length: STEADY + far }, (_, i) => (i < STEADY ? 20 + Math.sin(i) / 10 : 500));
    const timeDeltasUs = values.map(() => MINUTE_MS * 1_000);
    const block = { sensorId, sensorType: "temperature", unit: "C", location: "hall 1", attributes: {} };
    const transport = createConnectTransport({ baseUrl: platform.http, httpVersion: "1.1" });
    await createClient(IngestService, transport).submitReadings({
      blocks: [{ ...block, values, timeDeltasUs, baseTimeUs: BigInt(untilMs - values.length * MINUTE_MS) * 1_000n }],
    });
  }

  it("leads from an empty range to the last alerts, and a drag over a stretch ranks what was in it", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/?range=7d`);
    await page.getByText("No sensor was anomalous in this range.").waitFor();
    await page.getByRole("link", { name: "Look at that time" }).click();
    const lanes = page.getByRole("list", { name: /^Anomalies by sensor/ });
    await lanes.getByRole("link", { name: /^press-1 ?,/ }).waitFor();
    expect(await lanes.getByRole("link", { name: /^press-[12] ?,/ }).count()).toBe(2);
    // The end alone, where the last of them was.
    const lane = (await lanes.locator(".lane").first().boundingBox())!;
    const middle = lane.y + lane.height / 2;
    await page.mouse.move(lane.x + lane.width * 0.86, middle);
    await page.mouse.down();
    await page.mouse.move(lane.x + lane.width * 0.95, middle, { steps: 4 });
    await page.mouse.up();
    await lanes.getByRole("link", { name: /^press-2 ?,/ }).waitFor({ state: "detached" });
    expect(await lanes.getByRole("link", { name: /^press-1 ?,/ }).count()).toBe(1);
    const { searchParams } = new URL(page.url());
    const [from, to] = ["from", "to"].map((name) => Date.parse(searchParams.get(name)!));
    expect(to! - from!).toBeLessThan(DAY_MS);
    expect([from! < PAST_MS, PAST_MS < to!]).toEqual([true, true]);
    // By keyboard too, and back.
    const narrow = page.url();
    await page.getByRole("button", { name: "Zoom out" }).press("Enter");
    expect(page.url()).not.toBe(narrow);
    await page.goBack();
    expect(page.url()).toBe(narrow);
    expect(await findingsOf(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("keeps views by name, silences by a key, and gives what a chart shows as a file", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/alerts?show=all&q=press-2`);
    await page.getByRole("link", { name: "press-2", exact: true }).waitFor();
    await page.getByRole("button", { name: "Views" }).click();
    await page.getByLabel("Name of what is shown now").fill("Second press");
    expect(await findingsOf(page)).toEqual([]);
    await page.keyboard.press("Enter");
    await page.goto(`${platform.http}/ui/alerts`);
    await page.getByRole("button", { name: "Views" }).click();
    await page.getByRole("button", { name: "Second press", exact: true }).click();
    await page.getByRole("button", { name: "Second press", exact: true }).waitFor();
    expect(new URL(page.url()).search).toBe("?show=all&q=press-2");

    await page.keyboard.press("j");
    await page.keyboard.press("s");
    await page.getByRole("heading", { level: 1, name: "New silence" }).waitFor();
    expect(new URL(page.url()).searchParams.get("sensor")).toBe("press-2");

    await page.goto(`${platform.http}/ui/sensors/press-1?range=24h`);
    await page.getByText("The same as a table").click();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download as CSV" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("press-1.csv");
    const lines = (await readFile(await download.path(), "utf8")).trimEnd().split("\n");
    expect(lines[0]).toMatch(/^time,sensor_id,unit,value,expected,lower,upper,anomalies,score$/);
    expect(lines).toHaveLength(STEADY + 2);
    expect(lines.at(-1)).toMatch(new RegExp(`^${new Date(PAST_MS).toISOString()},press-1,C,500,.*,1,[\\d.]+$`));
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("shows times in the zone of the plant, and keeps it", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/sensors/press-1?range=24h`);
    await page.locator("main canvas").waitFor();
    await page.getByRole("button", { name: /^Time zone/ }).click();
    await page.getByLabel("Another, such as the plant's").fill("Mars/Olympus");
    await page.getByRole("button", { name: "Show times in it" }).click();
    await page.getByText("No zone is called that").waitFor();
    expect(await findingsOf(page)).toEqual([]);
    await page.getByLabel("Another, such as the plant's").fill("Asia/Kathmandu");
    await page.keyboard.press("Enter");
    const day = new Date(PAST_MS).toISOString().slice(0, 10);
    await page.getByText(`to ${day} 05:45:00`).first().waitFor();
    await page.reload();
    await page.getByRole("button", { name: /^Time zone: Asia\/Kathmandu \(UTC\+05:45\)/ }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("plans maintenance, shows it in the month, and removes it", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/maintenance`);
    await page.getByText("No maintenance is planned.").waitFor();
    await page.getByRole("link", { name: "New window" }).click();
    await page.getByRole("button", { name: "Plan it" }).click();
    await page.getByText("Write the id of the sensor.").waitFor();
    expect(await findingsOf(page)).toEqual([]);
    await page.getByLabel("Sensor", { exact: true }).fill("press-1");
    await page.getByLabel("From").fill("2099-02-27T22:00");
    await page.getByLabel("To").fill("2099-03-02T06:00");
    await page.getByLabel("Comment").fill("bearing change");
    await page.getByRole("button", { name: "Plan it" }).click();
    await page.getByRole("heading", { name: "February 2099" }).waitFor();
    const entry = page.getByRole("link", {
      name: /^maintenance, press-1, from 2099-02-27 22:00:00 to 2099-03-02 06:00:00/,
    });
    await expect.poll(() => entry.count()).toBe(3);
    for (const size of SCREENS) {
      await page.setViewportSize(size);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect([size.width, colorScheme, await findingsOf(page), await misfitsOf(page)]).toEqual([
          ...[size.width, colorScheme, [], []],
        ]);
      }
    }
    await page.getByRole("button", { name: "Next month" }).click();
    await expect.poll(() => entry.count()).toBe(4);
    await page.getByRole("button", { name: "Remove press-1" }).click();
    await page.getByText("No maintenance is planned.").waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });
});
