/** From an empty platform to the first chart, in a real browser: by a simulated plant, a file, and the commands that are offered. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { findingsOf, launchBrowser, misfitsOf, openPage, SCREENS } from "../../testing/browser.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { program } from "../../testing/programs.ts";

/** Browsers write each refusal to their console; that of a look says what has to be decided. */
const REFUSED = [/status of 422/];

describeWith(["chromium"], "the first run", () => {
  let platform: Platform;
  let browser: Browser;
  beforeAll(async () => {
    [platform, browser] = await Promise.all([startPlatform(), launchBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
  });

  const query = () =>
    createClient(QueryService, createConnectTransport({ baseUrl: platform.http, httpVersion: "1.1" }));
  const values = async (sensorId: string) =>
    (await query().listReadings({ sensorId, limit: 100 })).readings.map(({ value }) => value).reverse();
  const file = (name: string, text: string) => ({ name, mimeType: "text/csv", buffer: Buffer.from(text) });
  const stored = (page: Page) => page.getByRole("button", { name: "Store it" });

  it("shows the chart of a simulated plant after one press of a button", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/`);
    await page.getByRole("link", { name: "Send the first readings" }).click();
    await page.getByRole("button", { name: "Start it" }).click();
    await page.waitForURL(/\/ui\/sensors\/temperature-001\?from=/);
    await page.getByText(/^temperature-001: .* readings/).waitFor();
    await page.getByRole("application").locator("canvas").waitFor();
    await page.getByRole("navigation").getByRole("link", { name: "Sensors" }).click();
    await page.getByText(/^10 sensors/).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("reports on the fleet, proves what would calm the worst sensor, and prints", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/reports`);
    await page.getByRole("img", { name: /^Alarms in each hour/ }).waitFor();
    await page
      .getByRole("row", { name: /^Alarms a day/ })
      .first()
      .waitFor();
    const actors = page.getByRole("region", { name: "Bad actors" });
    await actors.getByRole("button").first().click();
    const proof = actors.getByText(/^Live there (was|were) \d+ alerts?: \d+ kept, \d+ gone; /).first();
    await proof.waitFor();
    for (const screen of [SCREENS[1], SCREENS[0]]) {
      await page.setViewportSize(screen);
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    }
    await page.emulateMedia({ media: "print" });
    for (const hidden of ["Console", "Range"]) expect(await page.getByLabel(hidden).first().isVisible()).toBe(false);
    expect(await proof.isVisible()).toBe(true);
    await page.emulateMedia({ media: "screen", colorScheme: "dark" });
    expect(await findingsOf(page, ["color-contrast"])).toEqual([]);
    // The proof is a backtest, which a link runs again: it finds the same.
    const said = /^.*? in addition\./.exec((await proof.textContent())!.trim())![0];
    await actors.getByRole("link", { name: "See it in the chart" }).first().click();
    await page.waitForURL(/[?&]try=.*&set=/);
    await page.getByText(said, { exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("reads a file as its preview says, and changes what a person corrects", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/sensors`);
    await page.getByRole("link", { name: "Import CSV" }).click();
    const rows = Array.from(
      { length: 60 },
      (_, i) => `0${1 + (i % 9)}/02/2026 12:${String(i).padStart(2, "0")};${i},5;x`,
    );
    rows.sort();
    await page
      .getByLabel("Drop a CSV file")
      .setInputFiles(file("kiln 4.csv", `Datum;Druck (bar);Notiz\n${rows.join("\n")}\n`));
    // Day and month could be either.
    await page.getByText("can be read in two ways, or in none").waitFor();
    // In the words of the form, which programs have other names for.
    await page.getByText('"01/02/2026 is" decides. (for programs: day_first, month_first)').waitFor();
    expect(await stored(page).isDisabled()).toBe(true);
    for (const screen of [SCREENS[1], SCREENS[0]]) {
      await page.setViewportSize(screen);
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    }
    await page.getByLabel("01/02/2026 is").selectOption("the first of February");
    // The sensor is called as the file is.
    await page.getByText("60 readings of 1 sensor: kiln-4.").waitFor();
    expect(await page.getByLabel("Sensor", { exact: true }).inputValue()).toBe("kiln-4");
    await page.getByText('value "Druck (bar)"').waitFor();
    await page.getByLabel("Zone of times without one").fill("Europe/Berlin");
    await page.getByText("taken as Europe/Berlin").waitFor();
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await findingsOf(page)).toEqual([]);
    expect(await values("kiln-4")).toEqual([]);
    await stored(page).click();
    await page.waitForURL(/\/ui\/sensors\/kiln-4\?from=/);
    await page.getByText(/^kiln-4: 60 readings/).waitFor();
    const { reading } = await query().getLatestReading({ sensorId: "kiln-4" });
    expect(reading).toMatchObject({ unit: "bar" });
    // Noon in Berlin, in winter.
    expect(new Date(Number(reading!.observedAt!.seconds) * 1_000).toISOString()).toMatch(/^2026-02-09T11:/);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("says that a Parquet file is not taken, and what takes it", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/import`);
    await page.getByLabel("Drop a CSV file").setInputFiles(file("history.parquet", "PAR1 and more"));
    await page.getByText("The file is not taken.").waitFor();
    await page.getByText(/is a Parquet file, and not CSV: its readings go by `telltale send`/).waitFor();
    expect(await stored(page).isDisabled()).toBe(true);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("names the lines that are refused, and stores the others", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: REFUSED });
    await page.goto(`${platform.http}/ui/import`);
    const text =
      "sensor_id,time,value\npart,2026-01-05T00:00:00Z,1\npart,2026-02-30T00:00:00Z,2\npart,2026-01-05T00:02:00Z,3\n";
    // Dropped, as from a folder beside the browser.
    const data = await page.evaluateHandle(
      `(() => { const data = new DataTransfer(); data.items.add(new File([${JSON.stringify(text)}], "part.csv")); return data; })()`,
    );
    await page.locator("label", { hasText: "Drop a CSV file" }).dispatchEvent("drop", { dataTransfer: data });
    await page.getByText("2 readings of 1 sensor: part.").waitFor();
    await stored(page).click();
    await page.getByText("Part of it is stored.").waitFor();
    await page.getByRole("row", { name: /^3 .*30/ }).waitFor();
    expect(await findingsOf(page)).toEqual([]);
    expect(await values("part")).toEqual([1, 3]);
    await page.getByRole("link", { name: "Show the chart" }).click();
    await page.getByText(/^part: 2 readings/).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("offers commands that do what they say", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/start?by=Python`);
    const python = await page.getByLabel("Command that sends a reading by Python").textContent();
    await page.getByText("curl", { exact: true }).click();
    await page.waitForURL(/by=curl/);
    const curl = await page.getByLabel("Command that sends readings by Connect").textContent();
    const run = promisify(execFile);
    const sent = [curl, ...(program("python3") ? [python] : [])];
    for (const command of sent) expect((await run("sh", ["-c", command!])).stdout).toContain("61.5");
    expect((await values("boiler-1")).length).toBe(sent.length);
    expect(wrong).toEqual([]);
    await context.close();
  });
});
