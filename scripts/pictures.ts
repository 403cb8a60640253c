/**
 * Pictures of every page of the console, on a desk's screen and on a phone's, light and dark, with the readings of a simulated plant: to be looked at
 * after a change of the design. They are kept out of git.
 *
 * npm run -s pictures [-- --only sensor,alerts --screens 390 --schemes dark --to DIR]
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Browser } from "playwright-core";
import { type Alert, AlertService } from "../gen/es/telltale/v1/alert_pb.ts";
import { DetectorService } from "../gen/es/telltale/v1/detector_pb.ts";
import { IncidentService } from "../gen/es/telltale/v1/incident_pb.ts";
import { IngestService } from "../gen/es/telltale/v1/ingest_pb.ts";
import { MatcherType, NotificationService } from "../gen/es/telltale/v1/notification_pb.ts";
import { type RegisteredSensor, RegistryService } from "../gen/es/telltale/v1/registry_pb.ts";
import { WatchService } from "../gen/es/telltale/v1/watch_pb.ts";
import { launchBrowser, SCREENS } from "../testing/browser.ts";
import { type Platform, startPlatform } from "../testing/platform.ts";
import { runScript, ScriptError } from "../testing/script.ts";
import { plantFile } from "../web/app/demo-plant.ts";
import { folder } from "./console.mjs";

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    screens: { type: "string" },
    schemes: { type: "string", default: "light,dark" },
    to: { type: "string", default: join(folder, "..", "pictures") },
  },
});
const HOUR_MS = 3_600_000;
/** How long a page may still be moving after it has loaded. */
const SETTLE_MS = 1_500;

/** Addresses below /ui, by the names of the pictures. */
function pagesOf({ over, overMs, open, incident }: Seeded): Readonly<Record<string, string>> {
  const sensor = `/sensors/${encodeURIComponent(over.sensorId)}`;
  const around = (hours: number) => new Date(overMs + hours * HOUR_MS).toISOString();
  return {
    overview: "/?range=7d",
    alerts: "/alerts",
    "alerts-all": "/alerts?show=all",
    alert: `/alerts/${open.id}`,
    "alert-closed": `/alerts/${over.id}`,
    sensors: "/sensors",
    sensor,
    "sensor-alert": `${sensor}?from=${around(-6)}&to=${around(6)}`,
    backtest: `${sensor}?range=7d&try=${around(-12)}/${around(12)}`,
    compare: "/compare?s=temperature-001&s=temperature-002&s=vibration-001&range=24h",
    incidents: "/incidents?show=all",
    ...(incident === undefined ? {} : { incident: `/incidents/${incident}` }),
    reports: "/reports",
    silences: "/silences",
    "new-silence": "/silences/new?sensor=flow-001",
    maintenance: "/maintenance",
    "new-maintenance": "/maintenance/new?sensor=flow-001",
    notifications: "/notifications",
    administration: "/administration",
    start: "/start",
    import: "/import",
    design: "/design",
    "not-found": "/nothing-here",
  };
}

interface Seeded {
  /** The newest that is over, and when it opened. */
  readonly over: Alert;
  readonly overMs: number;
  readonly open: Alert;
  readonly incident: bigint | undefined;
}

/** A plant of two lines with faults behind it, alerts that are open, a label, a silence and a window. */
async function seed({ http }: Platform): Promise<Seeded> {
  const transport = createConnectTransport({ baseUrl: http, httpVersion: "1.1" });
  const headers = { "content-type": "text/csv" };
  const body = plantFile("", Date.now());
  const sent = await fetch(`${http}/api/v1/sensors/data/bulk`, { method: "POST", headers, body });
  if (!sent.ok) throw new Error(`The plant was not stored: ${sent.status} ${await sent.text()}`);
  const registry = createClient(RegistryService, transport);
  const { sensors } = await registry.listSensors({ limit: 100 });
  await registry.applySensors({ changes: sensors.map(({ sensorId }) => ({ profile: profileOf(sensorId) })) });
  const open = await opened(transport, sensors);
  const { alerts } = await createClient(AlertService, transport).listAlerts({ resolved: true, limit: 1 });
  const [over] = alerts;
  if (over?.openedAt === undefined) throw new Error("The plant has had no alert: it was not judged.");
  await decide(transport, over);
  const { incidents } = await createClient(IncidentService, transport).listIncidents({ limit: 1 });
  return { over, overMs: timestampMs(over.openedAt), open, incident: incidents[0]?.id };
}

function profileOf(sensorId: string) {
  const [kind, number] = sensorId.split("-");
  const machine = kind === "flow" || kind === "pressure" ? "pump" : "press";
  return { sensorId, asset: `works-1/line-${Number(number)}/${machine}`, owner: "operations" };
}

/** Three readings far away: the alert of the last of them. */
async function opened(transport: Transport, sensors: readonly RegisteredSensor[]): Promise<Alert> {
  const ending = new AbortController();
  const events = createClient(WatchService, transport).watchAlerts({}, { signal: ending.signal });
  const blocks = ["flow-001", "pressure-002", "power-001"].map((sensorId) => {
    const { sensorType, unit, location } = sensors.find((each) => each.sensorId === sensorId)!.series[0]!;
    const baseTimeUs = BigInt(Date.now()) * 1_000n;
    return { sensorId, sensorType, unit, location, baseTimeUs, timeDeltasUs: [0], values: [900] };
  });
  let isSent = false;
  try {
    for await (const { event } of events) {
      // The first word says that it listens.
      if (!isSent) await createClient(IngestService, transport).submitReadings({ blocks });
      isSent = true;
      if (event?.alert?.sensorId === blocks.at(-1)!.sensorId) return event.alert;
    }
  } finally {
    ending.abort();
  }
  throw new Error("The stream of alerts ended before the alert came.");
}

/** What people do. */
async function decide(transport: Transport, { id, sensorId }: Alert): Promise<void> {
  const detector = createClient(DetectorService, transport);
  await detector.labelAlert({ alertId: id, correct: false, comment: "cleaning" });
  const nowMs = Date.now();
  const [startTime, endTime] = [timestampFromMs(nowMs - 8 * HOUR_MS), timestampFromMs(nowMs - 6 * HOUR_MS)];
  await detector.createMaintenanceWindow({ window: { sensorId, startTime, endTime, comment: "a new bearing" } });
  await createClient(NotificationService, transport).createSilence({
    matchers: [{ name: "sensor_id", type: MatcherType.EQUAL, value: "power-002" }],
    durationSeconds: 86_400,
    comment: "the meter is being changed",
  });
}

async function take(browser: Browser, http: string, pages: Readonly<Record<string, string>>): Promise<void> {
  const screens = SCREENS.filter(({ width }) => options.screens?.split(",").includes(String(width)) ?? true);
  for (const scheme of options.schemes.split(",") as ("light" | "dark")[])
    for (const viewport of screens) {
      const context = await browser.newContext({ viewport, colorScheme: scheme });
      const page = await context.newPage();
      for (const [name, path] of Object.entries(pages)) {
        await page.goto(`${http}/ui${path}`);
        await page.locator("main h1").first().waitFor();
        await page.waitForTimeout(SETTLE_MS);
        const file = join(options.to, `${name}-${viewport.width}-${scheme}.png`);
        await page.screenshot({ path: file, fullPage: true });
        console.log(file);
      }
      await context.close();
    }
}

await runScript({ name: "pictures", needs: ["chromium"] }, async () => {
  const platform = await startPlatform();
  const browser = await launchBrowser();
  try {
    const all = pagesOf(await seed(platform));
    const names = options.only?.split(",") ?? Object.keys(all);
    for (const name of names)
      if (all[name] === undefined) throw new ScriptError(`There is no page "${name}": ${Object.keys(all).join(", ")}.`);
    await mkdir(options.to, { recursive: true });
    await take(browser, platform.http, Object.fromEntries(names.map((name) => [name, all[name]!])));
  } finally {
    await browser.close();
    await platform.stop();
  }
  return 0;
});
