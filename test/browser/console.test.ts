/** The console in a real browser, on a platform that asks nobody for a credential. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Browser, Page, Request, Route } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { DetectorService, Direction } from "../../gen/es/telltale/v1/detector_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { MatcherType, NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { findingsOf, launchBrowser, misfitsOf, openPage, SCREENS } from "../../testing/browser.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

/** Steady readings, one a second, that a sensor is judged by. */
const STEADY = 120;
/** An alert that has just opened is in no incident yet, and the page asks again. */
const NOT_YET = /status of 404 .*GetIncident/;
/** What a page gives up when it is left. */
const ABORTED = /net::ERR_ABORTED/;

describeWith(["chromium"], "the console", () => {
  let platform: Platform;
  let browser: Browser;
  const transport = () => createConnectTransport({ baseUrl: platform.http, httpVersion: "1.1" });

  beforeAll(async () => {
    [platform, browser] = await Promise.all([startPlatform(), launchBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
  });

  /** Readings of a sensor up to `untilMs`; those after the steady ones are far away. */
  async function send(sensorId: string, steady: number, far: number, untilMs = Date.now(), unit = "C") {
    const values = Array.from({ length: steady + far }, (_, i) => (i < steady ? 20 + Math.sin(i) / 10 : 500 + i));
    const block = { sensorId, sensorType: "temperature", unit, location: "hall 1", attributes: { line: "3" } };
    const baseTimeUs = BigInt(untilMs - values.length * 1_000) * 1_000n;
    const timeDeltasUs = values.map(() => 1_000_000);
    await createClient(IngestService, transport()).submitReadings({
      blocks: [{ ...block, baseTimeUs, timeDeltasUs, values }],
    });
  }

  /** Keeps the answers of a call back. `answer` lets them go, and ends when the page has seen them. */
  async function held(page: Page, pattern: string) {
    const routes: Route[] = [];
    let tell = () => {};
    const asked = new Promise<void>((resolve) => {
      tell = resolve;
    });
    await page.route(pattern, (route) => {
      routes.push(route);
      tell();
    });
    const answer = async () => {
      await page.unroute(pattern);
      const seen = routes.map(async (route) => {
        const request = route.request();
        const wanted = { predicate: (each: Request) => each === request };
        // One that the page gave up has failed already.
        const ended = request.failure()
          ? undefined
          : Promise.any([page.waitForEvent("requestfinished", wanted), page.waitForEvent("requestfailed", wanted)]);
        await route.continue().catch(() => {});
        await ended;
      });
      await Promise.all(seen);
      await frames(page);
    };
    return { asked, answer };
  }

  /** A chart follows the pointer frame by frame. */
  const frames = (page: Page) =>
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
  /** Who has read what is about to be done need not wait for it. */
  const dismiss = (page: Page) =>
    page.getByText(", in a moment").locator("..").getByRole("button", { name: "Dismiss" }).click();
  const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name }).waitFor();

  it("leads from an empty database to the first readings", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(platform.http);
    await page.getByText("No reading has come yet.").waitFor();
    expect(new URL(page.url()).pathname).toBe("/ui/");
    await page.getByRole("link", { name: "Send the first readings" }).click();
    await heading(page, "Send readings");
    expect(await page.getByLabel("Command that sends readings by Connect").textContent()).toContain(platform.http);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("shows an alert as it opens, explains it, and it is labelled and resolved, all by keyboard", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: [NOT_YET] });
    await page.goto(`${platform.http}/ui/alerts`);
    await page.getByText("No alert is open.").waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    await send("boiler-1", STEADY, 1);
    const row = page.getByRole("link", { name: "boiler-1", exact: true });
    await row.waitFor();

    await page.keyboard.press("j");
    await expect.poll(() => page.evaluate("document.activeElement.textContent")).toBe("boiler-1");
    // Whoever is at work in the list is not disturbed: the next one waits.
    await send("boiler-2", STEADY, 1);
    await page.getByRole("button", { name: "Show 1 new alert" }).waitFor();
    expect(await page.getByRole("link", { name: "boiler-2", exact: true }).count()).toBe(0);
    await page.keyboard.press("n");
    await page.getByRole("link", { name: "boiler-2", exact: true }).waitFor();

    await page.keyboard.press("a");
    await page.getByText("Acknowledge: boiler-1, in a moment").waitFor();
    await page.getByText("seen by").waitFor();
    await page.keyboard.press("Enter");
    await heading(page, "boiler-1");
    await page.getByText("reproduced bit by bit").waitFor();
    await page.getByRole("application").locator("canvas").waitFor();
    await page.getByText(/^boiler-1: 121 readings/).waitFor();

    await page.keyboard.press("l");
    await page.getByRole("button", { name: "Wrong: a false alarm" }).click();
    await page.getByText("What the label would do").waitFor();
    const before = await createClient(AlertService, transport()).listAlerts({ sensorId: "boiler-1" });
    expect(before.alerts[0]?.labelCorrect).toBeUndefined();
    for (const screen of [SCREENS[1], SCREENS[0]]) {
      await page.setViewportSize(screen);
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    }
    await page.getByRole("button", { name: "Label it wrong" }).click();
    await page.getByText("What the label does").waitFor();
    await page.getByText("labelled wrong", { exact: true }).waitFor();
    await page.keyboard.press("r");
    await page.getByLabel("Why (optional)").fill("a test");
    await page.getByRole("dialog").getByRole("button", { name: "Resolve" }).click();
    await page.getByText("resolved", { exact: true }).waitFor();

    const { alerts } = await createClient(AlertService, transport()).listAlerts({ sensorId: "boiler-1" });
    expect(alerts[0]).toMatchObject({ labelCorrect: false, resolvedBy: "anonymous", acknowledgedBy: "anonymous" });
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("finds sensors by text and matcher, and its address brings the same list back", async () => {
    await send("pump-7", 3, 0);
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/sensors`);
    const list = page.getByRole("region", { name: "Sensors" });
    const ids = async () => (await list.getByRole("link").allTextContents()).map((text) => text.trim()).sort();
    await list.getByRole("link").first().waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("pump");
    await expect.poll(ids).toEqual(["pump-7"]);
    await page.goto(page.url());
    await expect.poll(ids).toEqual(["pump-7"]);
    await page.getByRole("searchbox").fill("");
    await page.getByLabel("Matcher", { exact: true }).fill('sensor_id=~"boiler-.*"');
    await page.keyboard.press("Enter");
    await expect.poll(ids).toEqual(["boiler-1", "boiler-2"]);
    await page.getByLabel("Matcher", { exact: true }).fill("nonsense");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "nonsense" }).waitFor();
    expect(wrong.filter((text) => !/status of 400/.test(text))).toEqual([]);
    await context.close();
  });

  it("zooms and pans a chart by keyboard, reads points out, and explains the one that is chosen", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    const series: string[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/GetSeries")) series.push(request.url());
    });
    await page.goto(`${platform.http}/ui/sensors/boiler-2?range=5m`);
    const chart = page.getByRole("application");
    await page.getByText(/^boiler-2: 121 readings/).waitFor();
    await chart.locator("canvas").waitFor();
    // Once, and not again when the width of the chart is known.
    expect(series).toHaveLength(1);
    await chart.focus();
    await page.keyboard.press("n");
    const spoken = page.getByRole("status").filter({ hasText: "anomalous, score" });
    await spoken.waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(/[?&]at=\d+/);
    await page.getByText("Flagged by").waitFor();
    await page.keyboard.press("+");
    await page.waitForURL(/[?&]from=/);
    const width = () => {
      const query = new URL(page.url()).searchParams;
      return Date.parse(query.get("to")!) - Date.parse(query.get("from")!);
    };
    const before = width();
    await page.keyboard.press("-");
    await expect.poll(width).toBeGreaterThan(1.9 * before);
    // A live reading is drawn where the range ends now.
    await page.goto(`${platform.http}/ui/sensors/boiler-2?range=5m`);
    await page.getByText(/^boiler-2: 121 readings/).waitFor();
    await page.getByText("follows now").waitFor();
    const canvas = await chart.locator("canvas").elementHandle();
    await send("boiler-2", 2, 0, Date.now() + 3_000);
    await page.getByText(/^boiler-2: 12[23] readings/).waitFor();
    // Into the same chart: what a person is doing with it goes on.
    expect(await canvas!.isVisible()).toBe(true);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("does the same to several alerts, by keyboard, and tells which of them failed", async () => {
    const sensors = ["bulk-1", "bulk-2", "bulk-3"];
    for (const sensor of sensors) await send(sensor, STEADY, 1);
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: [/net::ERR_FAILED/] });
    await page.goto(`${platform.http}/ui/alerts?q=bulk-`);
    for (const name of sensors) await page.getByRole("link", { name, exact: true }).waitFor();
    for (const key of ["j", "x", "j", "x", "j", "x", "x"]) await page.keyboard.press(key);
    await page.getByText("2 alerts chosen").waitFor();
    await page.getByRole("button", { name: "Choose all 3" }).click();
    for (const screen of SCREENS) {
      await page.setViewportSize(screen);
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    }
    // The network fails for one of them.
    await page.route("**/telltale.v1.AlertService/AcknowledgeAlert", (route) => route.abort(), { times: 1 });
    await page.keyboard.press("a");
    await dismiss(page);
    await page.getByText("1 alert is as before. The others are done.").waitFor();
    await page.getByText("Acknowledged: 2 alerts").waitFor();
    await page.getByText("1 alert chosen").waitFor();
    await page.keyboard.press("a");
    await dismiss(page);
    await page.getByText("as before").waitFor({ state: "detached" });
    await expect.poll(() => page.getByText("seen by").count()).toBe(3);

    // Their sensors are silenced by one matcher, and the form says which alerts it hides.
    await page.getByRole("checkbox", { name: "Choose bulk-1" }).check();
    await page.getByRole("checkbox", { name: "Choose bulk-2" }).check();
    await page.getByRole("link", { name: "Silence their sensors" }).click();
    await page.getByText("2 open alerts match now").waitFor();
    await page.goBack();
    await page.getByRole("checkbox", { name: "Choose bulk-1" }).check();
    await page.getByRole("checkbox", { name: "Choose bulk-3" }).check();
    await page.keyboard.press("r");
    await page.getByRole("dialog", { name: "Resolve 2 alerts" }).getByLabel("Why (optional)").fill("a test");
    await page.getByRole("dialog").getByRole("button", { name: "Resolve" }).click();
    await dismiss(page);
    await page.getByText("Resolved: 2 alerts").waitFor();
    const { alerts } = await createClient(AlertService, transport()).listAlerts({ resolved: false });
    expect(alerts.map(({ sensorId }) => sensorId).filter((id) => id.startsWith("bulk-"))).toEqual(["bulk-2"]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("changes settings of a sensor once it has shown what they would have done", async () => {
    await send("settings-1", STEADY, 1);
    const { context, page, wrong } = await openPage(browser, platform.http);
    const dialog = page.getByRole("dialog");
    for (const screen of SCREENS) {
      await page.setViewportSize(screen);
      await page.goto(`${platform.http}/ui/sensors/settings-1`);
      await page.getByRole("button", { name: "Change" }).click();
      expect(await dialog.getByRole("button", { name: "Preview" }).isDisabled()).toBe(true);
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    }
    await dialog.getByLabel(/^Impossible below/).fill("cold");
    await dialog.getByRole("button", { name: "Preview" }).click();
    await dialog.getByText("This is no number").waitFor();
    await dialog.getByLabel(/^Impossible below/).fill("600");
    await dialog.getByLabel(/^Impossible above/).fill("100");
    await dialog.getByRole("button", { name: "Preview" }).click();
    await dialog.getByRole("alert").filter({ hasText: "refused" }).waitFor();
    for (const name of [/^Impossible below/, /^Impossible above/]) await dialog.getByLabel(name).fill("");
    await dialog.getByLabel("Abnormal").selectOption("below only");
    await dialog.getByRole("button", { name: "Preview" }).click();
    await dialog.getByText("1 alert fewer in the last 30 days").waitFor();
    // What is written after it was shown is not what was shown.
    await dialog.getByLabel("Abnormal").selectOption("above only");
    expect(await dialog.getByRole("button", { name: "Put in force" }).count()).toBe(0);
    await dialog.getByLabel("Abnormal").selectOption("below only");
    expect(await findingsOf(page)).toEqual([]);
    await dialog.getByRole("button", { name: "Put in force" }).click();
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("row", { name: "Abnormal below this sensor" }).waitFor();
    const { config } = await createClient(DetectorService, transport()).getDetectorConfig({ sensorId: "settings-1" });
    expect(config?.direction).toBe(Direction.LOW);
    expect(wrong.filter((text) => !/status of 400/.test(text))).toEqual([]);
    await context.close();
  });

  it("shows where a sensor is heading, and what kind of signal it sends", async () => {
    await send("forecast-1", 10 * STEADY, 0);
    const { context, page, wrong } = await openPage(browser, platform.http);
    for (const screen of SCREENS) {
      await page.setViewportSize(screen);
      await page.goto(`${platform.http}/ui/sensors/forecast-1`);
      await page.getByText("Its signal: ").waitFor();
      await page.getByRole("button", { name: "Next 24 hours" }).click();
      await page.getByRole("img", { name: /^Expected from / }).waitFor();
      await page.getByText(/^Computed from its newest \d+ readings/).waitFor();
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    }
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("tries other settings on a stretch that was dragged over, and shows what becomes of each alert", async () => {
    await send("tried-1", STEADY, 1);
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/sensors/tried-1?range=5m`);
    await page.getByText(/^tried-1: 121 readings/).waitFor();
    await page.getByRole("button", { name: "Backtest" }).click();
    await page.getByText("Drag over a stretch of the chart.").waitFor();
    const over = await page.locator(".u-over").boundingBox();
    await page.mouse.move(over!.x + 20, over!.y + 100);
    await page.mouse.down();
    await page.mouse.move(over!.x + over!.width - 2, over!.y + 100, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/[?&]try=\d{4}-/);
    // The chart shows what it showed.
    expect(new URL(page.url()).searchParams.get("range")).toBe("5m");
    const run = page.getByRole("button", { name: "Run the backtest" });
    expect(await run.isDisabled()).toBe(true);
    await page.getByLabel("Abnormal").selectOption("below only");
    await run.click();
    const verdict = page.getByText("Live there was 1 alert: 0 kept, 1 gone; 0 would have been raised in addition.");
    await verdict.waitFor();
    const alerts = page.getByRole("list", { name: "Alerts, and what becomes of each" });
    await alerts.getByText(/^−\s*gone$/).waitFor();
    // The band of these settings is drawn beside the one in force, and said at the cursor.
    await page.getByText("dotted lines are the edges of the band").waitFor();
    await page.getByRole("application", { name: /^Chart of tried-1/ }).focus();
    for (const key of ["End", "ArrowLeft", "ArrowLeft"]) await page.keyboard.press(key);
    await page
      .getByText(/; with the other settings .* to .* would be normal$/)
      .first()
      .waitFor();
    // A link to it shows the same, and the sensor is judged as before.
    await page.goto(page.url());
    await verdict.waitFor();
    expect(await page.getByLabel("Abnormal").inputValue()).toBe(String(Direction.LOW));
    for (const screen of [SCREENS[1], SCREENS[0]]) {
      await page.setViewportSize(screen);
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await findingsOf(page, ["color-contrast"])).toEqual([]);
    const { config } = await createClient(DetectorService, transport()).getDetectorConfig({ sensorId: "tried-1" });
    expect(config?.direction).not.toBe(Direction.LOW);
    await page.getByRole("button", { name: "Put them in force" }).click();
    expect(await page.getByRole("dialog").getByLabel("Abnormal").inputValue()).toBe(String(Direction.LOW));
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("compares sensors that were chosen in the list, on a scale for each unit, with one cursor", async () => {
    const [one, two, three] = ["both-1", "both-2", "both-3"] as const;
    await send(one, 60, 0);
    await send(two, 60, 0);
    await send(three, 60, 0, Date.now(), "bar");
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/sensors?q=both-&sort=id`);
    await page.getByRole("link", { name: three, exact: true }).waitFor();
    for (const key of ["j", "x", "j", "x"]) await page.keyboard.press(key);
    await page.getByRole("checkbox", { name: `Choose ${three}` }).check();
    await page.getByText("3 sensors chosen").waitFor();
    await page.getByRole("link", { name: "Compare" }).click();
    await page.waitForURL(/\/compare\?s=both-1&s=both-2&s=both-3$/);
    await page.getByRole("application", { name: "Chart of both-1, both-2, C." }).locator("canvas").waitFor();
    const chart = page.getByRole("application", { name: "Chart of both-3, bar." });
    await page.getByText("5m", { exact: true }).click();
    await page.waitForURL(/range=5m/);
    await expect.poll(() => page.getByRole("cell", { name: "60", exact: true }).count()).toBe(3);
    // The last readings are close to the end; the cursor of one chart is that of all.
    await chart.focus();
    await page.keyboard.press("End");
    for (let step = 0; step < 20; step++) await page.keyboard.press("ArrowLeft");
    const value = (id: string) => page.getByRole("row", { name: id }).getByRole("cell").nth(1);
    await expect.poll(() => value(three).textContent()).toMatch(/^(19|20)(\.\d+)?\u202fbar$/);
    expect(await value(one).textContent()).toMatch(/\u202fC$/);
    for (const screen of [SCREENS[1], SCREENS[0]]) {
      await page.setViewportSize(screen);
      expect([...(await misfitsOf(page)), ...(await findingsOf(page))]).toEqual([]);
    }
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await findingsOf(page, ["color-contrast"])).toEqual([]);
    await page.getByRole("button", { name: `Remove ${two}` }).click();
    await page.getByRole("application", { name: "Chart of both-1, C." }).waitFor();
    expect(new URL(page.url()).searchParams.getAll("s")).toEqual([one, three]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("shows any range that the address asks for, and says so where it cannot", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    for (const path of ["/sensors/boiler-2", "/"]) {
      await page.goto(`${platform.http}/ui${path}?range=3d`);
      await page.getByRole("radio", { name: "3d" }).waitFor({ state: "attached" });
      expect(await page.getByRole("radio", { name: "3d" }).isChecked()).toBe(true);
      expect(await page.getByText("does not know").count()).toBe(0);
    }
    await page.getByRole("heading", { name: "Where anomalies were" }).waitFor();
    const unknown = ["/sensors/boiler-2?range=3x", "/sensors/boiler-2?from=today", "/?range=0d", "/alerts?show=some"];
    for (const path of [...unknown, "/alerts?severity=worst", "/sensors?sort=size", "/incidents?min=worst"]) {
      await page.goto(`${platform.http}/ui${path}`);
      const asked = path.slice(path.indexOf("?") + 1);
      await page.getByText(`The address asks for ${asked}`).waitFor();
    }
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("does nothing to a page that was gone to after a question was asked", async () => {
    // So many that a column of the chart is several readings: which of them is asked of the platform.
    await send("many-1", 12_000, 0);
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: [ABORTED] });
    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(`${platform.http}/ui/sensors/many-1?range=6h`);
    await page.getByText(/^many-1: .* readings/).waitFor();
    const reading = await held(page, "**/telltale.v1.QueryService/ListReadings");
    await page.getByRole("application").focus();
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await reading.asked;
    await page.getByRole("navigation").getByRole("link", { name: "Alerts" }).click();
    await heading(page, "Alerts");
    await reading.answer();
    expect(page.url()).toBe(`${platform.http}/ui/alerts`);

    await page.goto(`${platform.http}/ui/silences/new?sensor=many-1`);
    // A narrow screen has a label above each field as a wide one has.
    for (const name of ["Label", "Is", "Value"]) await page.getByText(name, { exact: true }).waitFor();
    await page.getByRole("textbox", { name: "Why" }).fill("a test");
    await page.getByText("No open alert matches now").waitFor();
    const silence = await held(page, "**/telltale.v1.NotificationService/CreateSilence");
    await page.getByRole("button", { name: "Silence", exact: true }).click();
    await silence.asked;
    await page.getByRole("navigation").getByRole("link", { name: "Sensors" }).click();
    await heading(page, "Sensors");
    await silence.answer();
    await page.getByText("Silenced for").waitFor();
    await heading(page, "Sensors");
    expect(new URL(page.url()).pathname).toBe("/ui/sensors");
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("says beside an alert what the other sensors of its asset did", async () => {
    const changes = ["press-1", "press-2"].map((sensorId) => ({ profile: { sensorId, asset: "hall/press" } }));
    await createClient(RegistryService, transport()).applySensors({ changes });
    await send("press-2", STEADY, 0);
    await send("press-1", STEADY, 1);
    const { alerts } = await createClient(AlertService, transport()).listAlerts({ sensorId: "press-1" });
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/alerts/${alerts[0]!.id}`);
    await page.getByText("1 of 1 other sensor of hall/press was as usual").waitFor();
    await page.getByRole("link", { name: "press-2", exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("says that the connection is lost, and goes on when it is back", async () => {
    const { context, page } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/alerts`);
    await page.getByText("Live", { exact: true }).waitFor();
    await page.route("**/telltale.v1.WatchService/WatchAlerts", (route) => route.abort());
    await page.reload();
    await page.getByText("Connection lost").waitFor();
    await page.unroute("**/telltale.v1.WatchService/WatchAlerts");
    await page.getByText("Live", { exact: true }).waitFor();
    await context.close();
  });

  it("shows what happened after the page was loaded and before the first event could come", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    const watches: Route[] = [];
    await page.route("**/telltale.v1.WatchService/WatchAlerts", (route) => void watches.push(route));
    await page.goto(`${platform.http}/ui/alerts?q=between`);
    await page.getByText("No alert matches these filters.").waitFor();
    await expect.poll(() => watches.length).toBe(1);
    await send("between-1", STEADY, 1);
    await expect
      .poll(async () => (await createClient(AlertService, transport()).listAlerts({ sensorId: "between-1" })).alerts)
      .toHaveLength(1);
    await watches[0]!.continue();
    await page.getByRole("link", { name: "between-1", exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("shows the newer of two lists, whichever comes last", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    const watches: Route[] = [];
    await page.route("**/telltale.v1.WatchService/WatchAlerts", (route) => void watches.push(route));
    // Of the inbox, not of the number beside its name: that asks for 1000.
    const isInbox = (request: Request) => request.postDataBuffer()?.includes(Buffer.of(0xc8, 0x01)) === true;
    const { promise: isNewer, resolve: goOn } = Promise.withResolvers<void>();
    const { promise: isOlder, resolve: older } = Promise.withResolvers<Request>();
    const lists: Request[] = [];
    await page.route("**/telltale.v1.AlertService/ListAlerts", async (route, request) => {
      if (!isInbox(request)) return route.continue();
      if (lists.push(request) > 1) return route.continue();
      const response = await route.fetch();
      older(request);
      await isNewer;
      await route.fulfill({ response });
    });
    await page.goto(`${platform.http}/ui/alerts?show=all&q=overtaken`);
    const first = await isOlder;
    await expect.poll(() => watches.length).toBe(1);
    await send("overtaken-1", STEADY, 1);
    await expect
      .poll(async () => (await createClient(AlertService, transport()).listAlerts({ sensorId: "overtaken-1" })).alerts)
      .toHaveLength(1);
    await watches[0]!.continue();
    const link = page.getByRole("link", { name: "overtaken-1", exact: true });
    await link.waitFor();
    expect(lists).toHaveLength(2);
    const answer = page.waitForResponse((response) => response.request() === first);
    goOn();
    await (await answer).finished();
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    expect(await link.count()).toBe(1);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("keeps what waits when the inbox is left, and asks before a tab cuts an act of very many off", async () => {
    const ids = Array.from({ length: 16 }, (_, i) => `many-${String.fromCharCode(97 + i)}`);
    for (const id of ids) await send(id, STEADY, 1);
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/alerts?q=many-`);
    await page.getByRole("checkbox", { name: `Choose ${ids[0]}` }).check();
    await page.getByRole("button", { name: "Choose all 16" }).click();
    await page.getByRole("checkbox", { name: `Choose ${ids[0]}` }).uncheck();
    await page.getByRole("button", { name: "Acknowledge 15" }).click();
    // Whoever points at a message has as long as it takes.
    await page.getByText("Acknowledge: 15 alerts, in a moment").hover();
    await page.getByRole("button", { name: `Acknowledge ${ids[0]}` }).focus();
    await page.keyboard.press("Enter");
    await page.getByText(`Acknowledge: ${ids[0]}, in a moment`).waitFor();
    await page.getByRole("navigation").getByRole("link", { name: "Sensors" }).focus();
    await page.keyboard.press("Enter");
    await heading(page, "Sensors");
    await page.goBack();
    await expect.poll(() => page.getByText("in a moment", { exact: true }).count()).toBe(16);
    const asked = page.waitForEvent("dialog");
    await page.close({ runBeforeUnload: true });
    const dialog = await asked;
    expect(dialog.type()).toBe("beforeunload");
    await dialog.dismiss();
    // Who stays finds it as it was, and is not asked once it is done.
    expect(await page.getByText("in a moment", { exact: true }).count()).toBe(16);
    for (const what of ["15 alerts", ids[0]]) {
      await page
        .getByText(`Acknowledge: ${what}, in a moment`)
        .locator("..")
        .getByRole("button", { name: "Dismiss" })
        .click();
      await page.getByText(`Acknowledged: ${what}`).waitFor();
    }
    await expect.poll(() => page.getByText("in a moment", { exact: true }).count()).toBe(0);
    const closed = page.waitForEvent("close");
    await page.close({ runBeforeUnload: true });
    await closed;
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("keeps a list on the page that cannot be loaded again, and says so", async () => {
    await createClient(NotificationService, transport()).createSilence({
      matchers: [{ name: "sensor_id", type: MatcherType.EQUAL, value: "nobody" }],
      ...{ comment: "kept on the page", startsAt: timestampFromMs(Date.now()), durationSeconds: 3_600 },
    });
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: [/net::ERR_FAILED/] });
    await page.goto(`${platform.http}/ui/silences`);
    await page.getByText("kept on the page").waitFor();
    await page.route("**/telltale.v1.NotificationService/ListSilences", (route) => route.abort(), { times: 1 });
    await page.getByRole("checkbox", { name: "Also those that are over" }).check();
    const again = page.getByRole("button", { name: "Try again" });
    await again.waitFor();
    expect(await page.getByText("kept on the page").count()).toBe(1);
    await again.click();
    await again.waitFor({ state: "detached" });
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("reads one stream for all tabs, and another tab reads on when that one is closed", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    const streams: string[] = [];
    context.on("request", (request) => {
      if (request.url().endsWith("/WatchAlerts")) streams.push(request.url());
    });
    const second = await context.newPage();
    for (const tab of [page, second]) {
      await tab.goto(`${platform.http}/ui/alerts`);
      await tab.getByText("Live", { exact: true }).waitFor();
    }
    expect(streams).toHaveLength(1);
    await send("shared-1", STEADY, 1);
    for (const tab of [page, second]) await tab.getByRole("link", { name: "shared-1", exact: true }).waitFor();
    await page.close();
    await expect.poll(() => streams.length).toBe(2);
    await send("shared-2", STEADY, 1);
    await second.getByRole("link", { name: "shared-2", exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("has no fault that axe finds, on any page, in both themes, and fits on each screen", async () => {
    await createClient(NotificationService, transport()).createSilence({
      matchers: [{ name: "sensor_id", type: MatcherType.EQUAL, value: "pump-7" }],
      ...{ comment: "a test", startsAt: timestampFromMs(Date.now()), durationSeconds: 3_600 },
    });
    const { alerts } = await createClient(AlertService, transport()).listAlerts({});
    const { context, page, wrong } = await openPage(browser, platform.http);
    const [alert] = alerts;
    const pages: readonly [path: string, shown: string][] = [
      ["/", "text=Where anomalies were"],
      ["/alerts?show=all", "ol li"],
      [`/alerts/${alert!.id}`, "text=reproduced"],
      ["/sensors?q=pump", "text=pump-7"],
      ["/sensors/boiler-2", "text=reproduced"],
      ["/incidents?show=all", "main ul li"],
      [`/incidents/${alert!.id}`, "text=How it spread"],
      ["/silences", "text=a test"],
      ["/silences/new?sensor=pump-7", "text=open alert"],
      ["/maintenance", "text=No maintenance is planned"],
      ["/maintenance/new", "text=What is worked on"],
      ["/reports", "text=Alarms"],
      ["/notifications", "text=Nobody is notified"],
      ["/administration", "text=Audit record"],
      ["/start", "text=A simulated plant"],
      ["/import", "text=Drop a CSV file here"],
      ["/compare", "text=No sensor is chosen"],
      ["/design", "text=Notices"],
      ["/nowhere", "text=no page of the console"],
    ];
    const findings: string[] = [];
    for (const [path, shown] of pages) {
      await page.emulateMedia({ colorScheme: "light" });
      await page.goto(`${platform.http}/ui${path}`);
      await page.locator(shown).first().waitFor();
      const light = await findingsOf(page);
      await page.emulateMedia({ colorScheme: "dark" });
      // The other theme has the same elements in other colours.
      const dark = await findingsOf(page, ["color-contrast"]);
      await page.setViewportSize(SCREENS[1]);
      const narrow = [
        ...(await misfitsOf(page)),
        ...(await findingsOf(page, ["target-size", "scrollable-region-focusable"])),
      ];
      await page.setViewportSize(SCREENS[0]);
      findings.push(...[...light, ...dark, ...narrow].map((finding) => `${path} ${finding}`));
    }
    expect(findings).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });
});
