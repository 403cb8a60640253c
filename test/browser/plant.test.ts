/** A plant as people see it: where its sensors belong, what was said of them, where they are heading, and what can be taken back. */
import { fromBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { DetectorService, ForecastRequestSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { IncidentService } from "../../gen/es/telltale/v1/incident_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { findingsOf, launchBrowser, misfitsOf, openPage, SCREENS } from "../../testing/browser.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { Random } from "../../testing/random.ts";

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** Readings, one a minute, that a sensor is judged by; the one after them is far away. */
const STEADY = 180;
/** An alert that has just opened is in no incident yet, and the page asks again. */
const NOT_YET = /status of 404 .*GetIncident/;
const PLACES: Readonly<Record<string, string>> = {
  "pump-1": "works (1)/line-1/pump",
  "press-1": "works (1)/line-1/press",
  "pump-2": "works (1)/line-2/pump",
  "fan-1": "works (1)/line-10",
};

describeWith(["chromium"], "a plant in the console", () => {
  let platform: Platform;
  let browser: Browser;
  const transport = () => createConnectTransport({ baseUrl: platform.http, httpVersion: "1.1" });
  beforeAll(async () => {
    [platform, browser] = await Promise.all([startPlatform(), launchBrowser()]);
    const changes = Object.entries(PLACES).map(([sensorId, asset]) => ({ profile: { sensorId, asset } }));
    await createClient(RegistryService, transport()).applySensors({ changes });
    for (const [sensorId, far] of [
      ["pump-1", 1],
      ["press-1", 0],
      ["pump-2", 1],
      ["fan-1", 0],
      ["alone-1", 0],
    ] as const)
      await send(sensorId, [...Array.from({ length: STEADY }, (_, i) => 20 + Math.sin(i) / 10), ...(far ? [500] : [])]);
  });
  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
  });

  /** One a minute up to now. */
  async function send(sensorId: string, values: number[]) {
    const block = { sensorId, sensorType: "temperature", unit: "C", location: "hall 1", attributes: {} };
    const baseTimeUs = BigInt(Date.now() - values.length * MINUTE_MS) * 1_000n;
    const timeDeltasUs = values.map(() => MINUTE_MS * 1_000);
    await createClient(IngestService, transport()).submitReadings({
      blocks: [{ ...block, values, timeDeltasUs, baseTimeUs }],
    });
  }

  /** On both screens, and in the dark. */
  async function faultsOf(page: Page) {
    const faults: string[] = [];
    for (const screen of [SCREENS[1], SCREENS[0]]) {
      await page.setViewportSize(screen);
      faults.push(...(await misfitsOf(page)), ...(await findingsOf(page)));
    }
    await page.emulateMedia({ colorScheme: "dark" });
    faults.push(...(await findingsOf(page, ["color-contrast"])));
    await page.emulateMedia({ colorScheme: "light" });
    return faults;
  }

  it("leads from the overview through the tree of places to the sensors of one, by keyboard", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/`);
    await page.getByRole("heading", { name: "Open alerts by asset" }).waitFor();
    await page.getByRole("link", { name: "works (1)/line-1/pump" }).click();
    const list = page.getByRole("region", { name: "Sensors" });
    const ids = async () => (await list.getByRole("link").allTextContents()).map((text) => text.trim()).sort();
    await expect.poll(ids).toEqual(["pump-1"]);
    const tree = page.getByRole("tree", { name: "Assets" });
    // What is chosen is in sight.
    await tree.getByRole("treeitem", { name: /^pump 1 sensor, 1 alerting/, selected: true }).focus();
    await page.goto(`${platform.http}/ui/sensors`);
    const works = tree.getByRole("treeitem", { name: /^works \(1\) 4 sensors, 2 alerting/ });
    await works.focus();
    expect(await works.getAttribute("aria-expanded")).toBe("false");
    await page.keyboard.press("ArrowRight");
    await tree.getByRole("treeitem", { name: /^line-1 / }).waitFor();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    // Not those of line-10.
    await expect.poll(ids).toEqual(["press-1", "pump-1"]);
    expect(new URL(page.url()).searchParams.get("asset")).toBe("works (1)/line-1");
    expect(await faultsOf(page)).toEqual([]);
    await page.goto(page.url());
    await expect.poll(ids).toEqual(["press-1", "pump-1"]);
    // What a person closes stays closed when alerts come.
    await works.focus();
    await page.keyboard.press("ArrowLeft");
    await send("press-1", [500]);
    await tree.getByRole("treeitem", { name: /^works \(1\) 4 sensors, 3 alerting/, expanded: false }).waitFor();
    await tree.getByRole("treeitem", { name: "without an asset 1 sensor" }).click();
    await expect.poll(ids).toEqual(["alone-1"]);
    await page.getByRole("button", { name: "Sensors of all assets" }).click();
    await expect.poll(ids).toHaveLength(5);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("draws maintenance and labels into the chart of a sensor, and says them", async () => {
    const detector = createClient(DetectorService, transport());
    const { alerts } = await createClient(AlertService, transport()).listAlerts({ sensorId: "pump-2" });
    await detector.labelAlert({ alertId: alerts[0]!.id, correct: false, comment: "cleaning" });
    const [startTime, endTime] = [90, 60].map((minutes) => timestampFromMs(Date.now() - minutes * MINUTE_MS));
    await detector.createMaintenanceWindow({
      window: { sensorId: "pump-2", startTime: startTime!, endTime: endTime!, comment: "a new seal" },
    });
    await detector.createMaintenanceWindow({
      window: { location: "hall 2", startTime: startTime!, endTime: endTime!, comment: "elsewhere" },
    });
    const { context, page, wrong } = await openPage(browser, platform.http);
    await page.goto(`${platform.http}/ui/sensors/pump-2?range=6h`);
    const marks = page.getByRole("list", { name: "What people said of this range" });
    await marks.getByText(/^Maintenance: .* to .*, a new seal$/).waitFor();
    await marks.getByText(/^Labelled wrong: .*, cleaning$/).waitFor();
    expect(await marks.getByRole("listitem").count()).toBe(2);
    expect(await faultsOf(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("says of a part of a page whose code does not come that it is missing, and what to do", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: [/SensorMore.*\.js/] });
    await page.route("**/SensorMore-*.js", (route) => route.abort());
    await page.goto(`${platform.http}/ui/sensors/pump-2?range=6h`);
    await page.getByText("The rest of this page could not be loaded.").waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.unroute("**/SensorMore-*.js");
    await page.getByRole("button", { name: "Load anew" }).click();
    await page.getByRole("heading", { name: "Detector settings" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("shows what an early alert is about: the limit, and where the readings are heading", async () => {
    const random = new Random(3);
    await createClient(DetectorService, transport()).setDetectorConfig({
      config: { sensorId: "oven-1", rangeMax: 60, earlyAlertHours: 30 },
    });
    const from = 6 * DAY_MINUTES;
    // As steep and as long, it is found at whatever time of day: a little flatter, the steps of some minutes leave it open.
    const rising = Array.from(
      { length: from + 840 },
      (_, n) => 50 + random.next() - 0.5 + Math.max(0, (n - from) / 105),
    );
    await send("oven-1", rising);
    const alerts = createClient(AlertService, transport());
    const early = async () =>
      (await alerts.listAlerts({ sensorId: "oven-1", resolved: false })).alerts.find(
        ({ alertType }) => alertType === "limit_forecast",
      );
    // A look comes up to a minute after the step has ended.
    await expect.poll(early, { timeout: 90_000 }).toBeDefined();
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: [NOT_YET] });
    const asked = page.waitForRequest(/\/Forecast$/);
    await page.goto(`${platform.http}/ui/alerts/${(await early())!.id}`);
    // As far as the early alert looks.
    expect(fromBinary(ForecastRequestSchema, (await asked).postDataBuffer()!)).toMatchObject({ hours: 30 });
    await page.getByText(/^The line across is the limit of 60\s?C\./).waitFor();
    await page.getByText(/It will be above the limit of 60\s?C/).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("takes back what was just done to alerts, where somebody wants to", async () => {
    const alerts = createClient(AlertService, transport());
    const of = async (sensorId: string) => (await alerts.listAlerts({ sensorId })).alerts[0]!;
    const { context, page, wrong } = await openPage(browser, platform.http);
    const calls: string[] = [];
    page.on("request", (request) => {
      const name = new URL(request.url()).pathname.split("/").at(-1)!;
      if (/^(?:Acknowledge|Resolve|Label)Alert$/.test(name)) calls.push(name);
    });
    await page.goto(`${platform.http}/ui/alerts`);
    await page.getByRole("button", { name: "Acknowledge pump-1" }).click();
    const told = page.getByText("Acknowledge: pump-1, in a moment");
    await told.waitFor();
    await page.getByText("in a moment", { exact: true }).waitFor();
    // Nothing goes while somebody reads it, so the check may take as long as it does.
    await told.hover();
    expect(await faultsOf(page)).toEqual([]);
    await page.keyboard.press("z");
    await told.waitFor({ state: "detached" });
    expect(calls).toEqual([]);
    expect(await page.getByRole("button", { name: "Acknowledge pump-1" }).isDisabled()).toBe(false);
    // Who has read it need not wait.
    await page.getByRole("button", { name: "Resolve pump-1" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Resolve" }).click();
    await page.getByText("Resolve: pump-1, in a moment").hover();
    await page.getByRole("button", { name: "Dismiss" }).click();
    await page.getByText("Resolved: pump-1").waitFor();
    expect(calls).toEqual(["ResolveAlert"]);
    expect((await of("pump-1")).resolvedBy).toBe("anonymous");

    // A label is given at once, and withdrawn again.
    const before = (await of("pump-2")).labelCorrect;
    await page.getByRole("button", { name: "Label pump-2" }).click();
    await page.getByRole("button", { name: "Right: this mattered" }).click();
    await page.getByRole("button", { name: "Label it right" }).click();
    await page.getByText("Labelled right: pump-2").waitFor();
    expect((await of("pump-2")).labelCorrect).toBe(true);
    await page.getByRole("button", { name: "Undo" }).click();
    await expect.poll(async () => (await of("pump-2")).labelCorrect).toBe(before);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("does what waits where the page goes, and one act after another where they are many", async () => {
    const alerts = createClient(AlertService, transport());
    const open = async () => (await alerts.listAlerts({ resolved: false })).alerts.map(({ sensorId }) => sensorId);
    const sensors = ["pump-2", "press-1", "fan-1", "alone-1"];
    for (const sensorId of ["fan-1", "alone-1"]) await send(sensorId, [500]);
    await expect.poll(open).toEqual(expect.arrayContaining(sensors));
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: [/net::ERR_FAILED/] });
    let asked = 0;
    page.on("request", (request) => (asked += request.url().endsWith("/AcknowledgeAlert") ? 1 : 0));
    await page.goto(`${platform.http}/ui/alerts`);
    const begin = (sensorId: string) => page.getByRole("button", { name: `Acknowledge ${sensorId}` }).click();
    const waiting = page.getByText(", in a moment");
    for (const sensorId of sensors) await begin(sensorId);
    await waiting.first().hover();
    // There is room for three. What tells that the first is done leaves the others alone.
    await page.getByText("Acknowledged: pump-2").waitFor();
    expect(await waiting.count()).toBe(3);
    for (const _ of sensors.slice(1)) await page.keyboard.press("z");
    await waiting.first().waitFor({ state: "detached" });
    expect(asked).toBe(1);

    // What has failed is said until it is read, whatever is done meanwhile.
    await page.route("**/telltale.v1.AlertService/AcknowledgeAlert", (route) => route.abort(), { times: 1 });
    for (const sensorId of ["press-1", "fan-1"]) {
      await begin(sensorId);
      await page.getByText("1 alert is as before.").waitFor();
    }
    await page.getByText("Acknowledged: fan-1").waitFor();
    expect(await page.getByText("1 alert is as before. The others are done.").count()).toBe(1);

    await page.getByRole("button", { name: /^Choose all/ }).click();
    await page.keyboard.press("r");
    await page.getByRole("dialog").getByRole("button", { name: "Resolve" }).click();
    await waiting.waitFor();
    await page.close({ runBeforeUnload: true });
    await expect.poll(open).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("tells how an alert was raised, and takes back what is done beside the inbox", async () => {
    const steady = Array.from({ length: STEADY }, (_, i) => 20 + Math.sin(i) / 10);
    await send("step-1", [...steady, 20.6, 20.8, 500]);
    const alerts = createClient(AlertService, transport());
    const of = async () => (await alerts.listAlerts({ sensorId: "step-1" })).alerts[0]!;
    const { id } = await of();
    const incidents = createClient(IncidentService, transport());
    const incidentOf = async () => (await incidents.getIncident({ incidentId: id }).catch(() => undefined))?.incident;
    await expect.poll(incidentOf).toBeDefined();
    const { context, page, wrong } = await openPage(browser, platform.http);
    const calls: string[] = [];
    page.on("request", (request) => {
      const name = new URL(request.url()).pathname.split("/").at(-1)!;
      if (/^(?:AcknowledgeAlert|AcknowledgeIncident|ResolveAlert)$/.test(name)) calls.push(name);
    });

    await page.goto(`${platform.http}/ui/alerts/${id}`);
    const steps = page.getByRole("list", { name: "What happened, in order" }).getByRole("listitem");
    await expect.poll(() => steps.count()).toBe(2);
    expect(await steps.nth(0).textContent()).toMatch(/Opened\s+(?:low|medium)/);
    expect(await steps.nth(1).textContent()).toMatch(/Raised to\s+critical/);
    expect(await faultsOf(page)).toEqual([]);
    await page.keyboard.press("a");
    // It waits for as long as the pointer is on it.
    await page.getByText("Acknowledge: step-1, in a moment").hover();
    expect(await page.getByRole("button", { name: "Acknowledge" }).isDisabled()).toBe(true);
    await page.keyboard.press("z");
    await expect.poll(() => page.getByRole("button", { name: "Acknowledge" }).isDisabled()).toBe(false);

    await page.goto(`${platform.http}/ui/incidents/${(await incidentOf())!.id}`);
    const all = page.getByRole("button", { name: "Acknowledge all" });
    await all.click();
    await page.getByText("Acknowledge the incident, in a moment").hover();
    // What waits is marked also for who leaves the page and comes back.
    await page.getByRole("navigation").getByRole("link", { name: "Incidents" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Incidents" }).waitFor();
    await page.goBack();
    await all.waitFor();
    expect(await all.isDisabled()).toBe(true);
    await page.getByRole("button", { name: "Undo" }).click();
    await expect.poll(() => all.isDisabled()).toBe(false);
    expect(calls).toEqual([]);
    await all.click();
    await page.getByText(/^Acknowledged: \d+ alerts?$/).waitFor();
    expect(calls).toEqual(["AcknowledgeIncident"]);

    // What waits on the page of an alert goes on when it is left; a silence that was made is ended.
    await page.goto(`${platform.http}/ui/alerts/${id}`);
    await steps.filter({ hasText: "Acknowledged by anonymous" }).waitFor();
    await page.keyboard.press("r");
    await page.getByRole("dialog").getByRole("button", { name: "Resolve" }).click();
    await page.getByText("Resolve: step-1, in a moment").waitFor();
    await page.getByRole("link", { name: "Silence", exact: true }).click();
    await page.getByRole("textbox", { name: "Why" }).fill("a mistake");
    await page.getByRole("button", { name: "Silence", exact: true }).click();
    await page.getByText("Silenced for 2 h").hover();
    await page.getByText("a mistake").waitFor();
    await page.keyboard.press("z");
    await page.getByText("The silence is taken back").waitFor();
    await page.getByText("a mistake").waitFor({ state: "detached" });
    await page.close({ runBeforeUnload: true });
    await expect.poll(async () => (await of()).resolvedBy).toBe("anonymous");
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("keeps what was written about an alert that was not resolved, and says that it had ended", async () => {
    await send("over-1", [...Array.from({ length: STEADY }, (_, i) => 20 + Math.sin(i) / 10), 500]);
    const alerts = createClient(AlertService, transport());
    const of = async () => (await alerts.listAlerts({ sensorId: "over-1" })).alerts[0];
    await expect.poll(of).toBeDefined();
    const { id } = (await of())!;
    const { context, page, wrong } = await openPage(browser, platform.http, { expected: [/net::ERR_FAILED/] });
    await page.goto(`${platform.http}/ui/alerts/${id}`);
    await page.getByRole("heading", { level: 1, name: "over-1" }).waitFor();
    const dialog = page.getByRole("dialog");
    const why = dialog.getByRole("textbox", { name: "Why" });
    await page.route("**/telltale.v1.AlertService/ResolveAlert", (route) => route.abort(), { times: 1 });
    await page.keyboard.press("r");
    await why.fill("worn bearing");
    await dialog.getByRole("button", { name: "Resolve" }).click();
    await page.getByText(/^over-1: Resolve: the platform did not answer/).waitFor();
    // The inbox has nothing to do with it.
    await page.keyboard.press("u");
    await page.getByRole("button", { name: "Resolve over-1" }).waitFor();
    expect(await page.getByRole("region", { name: "Chosen alerts" }).count()).toBe(0);
    expect(await page.getByText("1 alert is as before.").count()).toBe(0);
    await page.goBack();
    await page.getByRole("heading", { level: 1, name: "over-1" }).waitFor();
    await page.keyboard.press("r");
    expect(await why.inputValue()).toBe("worn bearing");

    await alerts.resolveAlert({ alertId: id, comment: "by somebody else" });
    await page.getByText("Closed", { exact: true }).first().waitFor();
    await dialog.getByRole("button", { name: "Resolve" }).click();
    await page.getByText("over-1: it had already ended. What you wrote is kept for its label").waitFor();
    expect(await why.inputValue()).toBe("worn bearing");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await page.keyboard.press("l");
    await dialog.getByRole("button", { name: "Right: this mattered" }).click();
    expect(await why.inputValue()).toBe("worn bearing");
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("does not ask again what people said with each reading that comes", async () => {
    const { context, page, wrong } = await openPage(browser, platform.http);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname.split("/").at(-1)!));
    const count = (name: string) => asked.filter((each) => each === name).length;
    await page.goto(`${platform.http}/ui/sensors/oven-1?range=7d`);
    await page.getByText("follows now").waitFor();
    await expect.poll(() => count("ListMaintenanceWindows")).toBeGreaterThan(0);
    for (let turn = count("GetSeries"); count("GetSeries") < turn + 4; ) {
      const before = count("GetSeries");
      await send("oven-1", [50]);
      await expect.poll(() => count("GetSeries")).toBeGreaterThan(before);
    }
    // Once more when the page begins to follow, and where a minute has ended meanwhile.
    expect(count("ListMaintenanceWindows")).toBeLessThan(4);
    expect(wrong).toEqual([]);
    await context.close();
  });
});
