/**
 * The console in a real browser: what it loads, when it shows something, and whether it stays smooth. One row a figure, with what it
 * should be at most or at least; fails where one is not met only with --strict, since a busy machine says nothing of the console.
 *
 * npm run -s bench:web [-- --readings 30000000 --sensors 200000 --minutes 2 --only load,chart,live,memory,scroll --json FILE]
 */
import { writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pino } from "pino";
import type { Browser, BrowserContext, CDPSession, Page } from "playwright-core";
import { createDeviceClient } from "../client/index.ts";
import { migrate } from "../server/postgres/migrate.ts";
import { startMaintenance } from "../server/store/maintenance.ts";
import { openStoreSql } from "../server/store/postgres.ts";
import { launchBrowser } from "../testing/browser.ts";
import { type Platform, startPlatform } from "../testing/platform.ts";
import { startPostgres } from "../testing/postgres.ts";
import { runScript } from "../testing/script.ts";
import { fillSensor } from "./charts.ts";
import { sendJumps, watchHeaps } from "./web-memory.ts";

const PARTS = ["load", "chart", "live", "memory", "scroll"];
const { values: options } = parseArgs({
  options: {
    readings: { type: "string", default: "30000000" },
    sensors: { type: "string", default: "200000" },
    minutes: { type: "string", default: "2" },
    only: { type: "string", default: PARTS.join(",") },
    json: { type: "string" },
    strict: { type: "boolean", default: false },
  },
});
const parts = new Set(options.only.split(","));
const RUNS = 5;
const SLOWER = 4;
const LIVE_PER_SECOND = 1_000;
const LIVE_MS = 20_000;
const SCROLL_MS = 8_000;
/** Batches a second of the readings on screen. */
const BATCHES = 10;

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly wanted: string;
  readonly isMet: boolean;
  readonly beside: object;
}
const rows: Row[] = [];

function add(name: string, value: number, unit: string, most: number, beside: object = {}): void {
  const row = { name, value: Math.round(value * 100) / 100, unit, wanted: `≤ ${most}`, isMet: value <= most, beside };
  rows.push(row);
  const { value: shown, wanted, isMet } = row;
  console.log(
    `${name.padEnd(26)} ${String(shown).padStart(9)} ${unit.padEnd(8)} ${wanted.padEnd(8)} ${isMet ? "met    " : "NOT MET"} ${JSON.stringify(beside)}`,
  );
}

/** What a page notes of itself from its very beginning: its largest paint, and long tasks. */
const NOTES = `
  globalThis.bench = { lcp: 0, long: 0, tasks: 0 };
  new PerformanceObserver((list) => { for (const e of list.getEntries()) bench.lcp = e.startTime; })
    .observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver((list) => { for (const e of list.getEntries()) { bench.tasks++; bench.long = Math.max(bench.long, e.duration); } })
    .observe({ type: "longtask", buffered: true });
`;
/** Calls \`step\` in each frame for so long, and answers with the times between frames, sorted. */
const framesOf = (step: string, ms: number) => `new Promise((done) => {
  const gaps = []; const began = performance.now(); let before = began; let n = 0;
  const frame = (now) => {
    gaps.push(now - before); before = now;
    if (now - began > ${ms}) return done(gaps.slice(1).sort((a, b) => a - b));
    (${step})(n++);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})`;
const at = (sorted: readonly number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
const spread = (sorted: readonly number[]) => ({
  p50: tenths(at(sorted, 0.5)),
  p95: tenths(at(sorted, 0.95)),
  frames: sorted.length,
});
const tenths = (value: number) => Math.round(value * 10) / 10;

async function opened(browser: Browser): Promise<{ context: BrowserContext; page: Page; cdp: CDPSession }> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.addInitScript(NOTES);
  return { context, page, cdp: await context.newCDPSession(page) };
}

async function load(browser: Browser, http: string): Promise<void> {
  for (const [name, path, shown] of [
    ["alerts", "/ui/alerts", "main h1"],
    ["sensor", "/ui/sensors/long?range=1y", "canvas"],
  ] as const) {
    const times: number[] = [];
    let bytes = 0;
    let cpuMs = 0;
    for (let run = 0; run <= RUNS; run++) {
      const { context, page, cdp } = await opened(browser);
      await cdp.send("Network.enable");
      // The first run is for the CPU that the page takes, which other work on the machine hardly changes.
      if (run === 0) await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
      else await cdp.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
      const files = new Set<string>();
      bytes = 0;
      cdp.on("Network.responseReceived", ({ requestId, response }) => {
        if (new URL(response.url).pathname.startsWith("/ui/")) files.add(requestId);
      });
      cdp.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
        if (files.has(requestId)) bytes += encodedDataLength;
      });
      await page.goto(http + path);
      await page.locator(shown).first().waitFor();
      await page.waitForLoadState("load");
      await delay(500);
      if (run > 0) times.push((await page.evaluate("bench.lcp")) as number);
      else {
        const { metrics } = await cdp.send("Performance.getMetrics");
        cpuMs = 1_000 * (metrics.find((each) => each.name === "TaskDuration")?.value ?? 0);
      }
      await context.close();
    }
    times.sort((a, b) => a - b);
    add(`web_first_load_${name}_kb`, bytes / 1_000, "kB", 150, { headers: "included" });
    add(`web_lcp_${name}_ms`, at(times, 0.5), "ms", 1_000, {
      cpu: `${SLOWER}x slower`,
      main_thread_cpu_ms: Math.round(cpuMs),
      worst: tenths(times.at(-1)!),
    });
  }
}

/** From the click that opens a sensor to the frame with its chart, its page and the platform's queries loaded before. */
const FIRST_PICTURE = `new Promise((done) => {
  const began = performance.now();
  const look = () => {
    const summary = [...document.querySelectorAll("main figure p")].find((p) => /^long: .* readings? from/.test(p.textContent));
    if (summary && document.querySelector("main canvas")) return requestAnimationFrame(() => done(performance.now() - began));
    requestAnimationFrame(look);
  };
  document.querySelector('a[href="/ui/sensors/long"]').click();
  requestAnimationFrame(look);
})`;

async function chart(browser: Browser, http: string): Promise<void> {
  const { context, page } = await opened(browser);
  const times: number[] = [];
  for (let run = 0; run <= RUNS; run++) {
    await page.goto(`${http}/ui/sensors?q=long&sort=id`);
    await page.locator('a[href="/ui/sensors/long"]').waitFor();
    const ms = (await page.evaluate(FIRST_PICTURE)) as number;
    // The first of them loads and compiles the page's code.
    if (run > 0) times.push(ms);
  }
  times.sort((a, b) => a - b);
  add("web_chart_first_ms", at(times, 0.5), "ms", 300, {
    readings: Number(options.readings),
    worst: tenths(times.at(-1)!),
  });
  await page.goto(`${http}/ui/sensors/long?range=1y`);
  await page.locator("canvas").waitFor();
  await page.getByText(/^long: .* readings/).waitFor();
  const idle = (await page.evaluate(framesOf("() => {}", 1_500))) as number[];
  const zoom = `(n) => { const over = document.querySelector(".u-over"); const box = over.getBoundingClientRect();
    over.dispatchEvent(new WheelEvent("wheel", { bubbles: true, cancelable: true, ctrlKey: true, deltaY: n % 120 < 60 ? -20 : 20,
      clientX: box.left + box.width / 2, clientY: box.top + 20 })); }`;
  const zoomed = (await page.evaluate(framesOf(zoom, 6_000))) as number[];
  add("web_zoom_frame_ms", at(zoomed, 0.95), "ms", 50, { ...spread(zoomed), idle: spread(idle) });
  await context.close();
}

/** Readings of one sensor, as fast as asked, until the signal. */
async function stream(grpc: string, signal: AbortSignal): Promise<void> {
  const client = createDeviceClient({ url: grpc, producer: "bench-web" });
  const kind = { sensorId: "live", sensorType: "vibration", unit: "mm/s" };
  const each = LIVE_PER_SECOND / BATCHES;
  let sent = 0;
  let dueMs = Date.now();
  while (!signal.aborted) {
    for (let i = 0; i < each; i++, sent++)
      await client.send({
        ...kind,
        value: 20 + Math.sin(sent / 300),
        observedAtUs: Math.round((dueMs + (i * 1_000) / LIVE_PER_SECOND) * 1_000),
      });
    dueMs += 1_000 / BATCHES;
    await delay(Math.max(0, dueMs - Date.now()));
  }
  await client.flush();
  await client.close();
}

/** With a stretch of the newest readings of one sensor on screen. */
async function live(browser: Browser, http: string): Promise<void> {
  const { context, page } = await openLive(browser, http);
  await delay(3_000);
  await page.evaluate("bench.long = 0; bench.tasks = 0");
  const frames = (await page.evaluate(framesOf("() => {}", LIVE_MS))) as number[];
  const { long, tasks } = (await page.evaluate("bench")) as { long: number; tasks: number };
  add("web_live_long_task_ms", long, "ms", 100, {
    per_second: LIVE_PER_SECOND,
    tasks_over_50_ms: tasks,
    ...spread(frames),
  });
  await context.close();
}

/** While a thousand readings a second come. */
async function withStream({ http, grpc }: Platform, browser: Browser): Promise<void> {
  const ending = new AbortController();
  const sending = stream(grpc, ending.signal);
  await delay(1_000);
  if (parts.has("live")) await live(browser, http);
  if (parts.has("memory")) await memory(browser, http, grpc);
  ending.abort();
  await sending;
}

async function openLive(browser: Browser, http: string) {
  const made = await opened(browser);
  await made.page.goto(`${http}/ui/sensors/live?range=5m`);
  await made.page.getByText("follows now").waitFor();
  await made.page.locator("canvas").waitFor();
  return made;
}

/** Of pages that stay open while readings and alerts come: what is in use after each collection, and how the line through these rises. */
async function memory(browser: Browser, http: string, grpc: string): Promise<void> {
  const ending = new AbortController();
  const alerting = sendJumps(grpc, ending.signal);
  const inbox = await opened(browser);
  await inbox.page.goto(`${http}/ui/alerts?show=all`);
  await inbox.page.getByText("Live", { exact: true }).waitFor();
  const sensor = await openLive(browser, http);
  const minutes = Number(options.minutes);
  const slopes = await watchHeaps({ sensor: sensor.cdp, alerts: inbox.cdp }, minutes);
  for (const [name, { rise, first, last }] of Object.entries(slopes))
    add(`web_memory_${name}_mb_min`, rise, "MB/min", 0.1, { first, last, minutes });
  await Promise.all([sensor.context.close(), inbox.context.close()]);
  ending.abort();
  await alerting;
}

async function scroll(browser: Browser, http: string): Promise<void> {
  const { context, page } = await opened(browser);
  await page.goto(`${http}/ui/sensors?sort=id`);
  const list = page.getByRole("region", { name: "Sensors" });
  await list.getByRole("link").first().waitFor();
  const idle = (await page.evaluate(framesOf("() => {}", 1_500))) as number[];
  const step = `() => { document.querySelector('[aria-label="Sensors"][role="region"]').scrollTop += 150; }`;
  const frames = (await page.evaluate(framesOf(step, SCROLL_MS))) as number[];
  const shown = await list.getByRole("link").count();
  // 60 frames a second, and a little for the clock.
  add("web_scroll_frame_ms", at(frames, 0.95), "ms", 17.5, {
    sensors: Number(options.sensors),
    ...spread(frames),
    rows_drawn: shown,
    idle: spread(idle),
  });
  await context.close();
}

await runScript({ name: "bench:web", needs: ["chromium"], otherwise: "" }, async () => {
  const postgres = await startPostgres();
  const sql = openStoreSql(postgres.url, 4, 0);
  const maintenance = startMaintenance({
    sql: postgres.url,
    logger: pino({ level: "silent" }),
    retentionDays: 0,
    manual: true,
  });
  try {
    await migrate(sql);
    const endUs = await fillSensor(sql, Number(options.readings));
    await maintenance.compactNow();
    await sql`insert into series (partition, sensor_id, sensor_type, unit, readings, first_us, newest_us, last_us)
      select 0, 'sensor-' || lpad(i::text, 6, '0'), 'temperature', 'C', 1, ${endUs}, ${endUs}, ${endUs} from generate_series(1, ${Number(options.sensors)}) i`;
    await sql`vacuum analyze`;
  } finally {
    await maintenance.close();
    await sql.end();
  }
  const platform = await startPlatform({ DATABASE_URL: postgres.url, PARTITIONS: "1" });
  const browser = await launchBrowser();
  console.log(
    `${cpus()[0]?.model ?? "?"}, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}; Chromium ${browser.version()}`,
  );
  try {
    if (parts.has("load")) await load(browser, platform.http);
    if (parts.has("chart")) await chart(browser, platform.http);
    if (parts.has("live") || parts.has("memory")) await withStream(platform, browser);
    if (parts.has("scroll")) await scroll(browser, platform.http);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  } finally {
    await browser.close();
    await platform.stop();
    await postgres.stop();
  }
  return options.strict && rows.some(({ isMet }) => !isMet) ? 1 : 0;
});
