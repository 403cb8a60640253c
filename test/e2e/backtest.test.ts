/** What the detector did and would have done, asked as users ask: by gRPC, GraphQL and the command line, on the real platform. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDeviceClient } from "../../client/index.ts";
import { Plant } from "../../formats/plant.ts";
import { AdminService } from "../../gen/es/telltale/v1/admin_pb.ts";
import { type Alert, AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { type BacktestResponse, DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import { REASONS } from "../../server/detect/index.ts";
import { runCli } from "../../testing/cli.ts";
import { until } from "../../testing/metric.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { allAlerts, allReadings } from "../../testing/readings.ts";

const START_US = Date.UTC(2026, 0, 5) * 1000;
const MINUTE_US = 60e6;
const READINGS = 3000;
const SENSORS = ["temperature-001", "pressure-001", "vibration-001", "flow-001"];
const FAULT = 700;
let platform: Platform;
let folder: string;

const service = <S extends Parameters<typeof createClient>[0]>(of: S) =>
  createClient(of, createGrpcTransport({ baseUrl: platform.grpc }));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "telltale-backtest-"));
  platform = await startPlatform();
  const device = createDeviceClient({ url: platform.grpc, producer: "plant" });
  const plant = new Plant({ seed: 3, sensors: SENSORS.length, intervalUs: MINUTE_US, faultRate: 0.001 });
  for (let n = 0; n < READINGS; n++) {
    const readings = plant.step(START_US + n * MINUTE_US).readings;
    for (const reading of readings) await device.send(n === FAULT ? { ...reading, value: reading.value * 2 } : reading);
    if (n !== READINGS / 2) continue;
    // In the middle of the story somebody changes something.
    await device.flush();
    const detector = service(DetectorService);
    await detector.setDetectorConfig({ config: { sensorType: "flow", alarmsPerSensorDay: 2 } });
    const window = { sensorId: "pressure-001", startTime: at(1600), endTime: at(1700), comment: "a new valve" };
    await detector.createMaintenanceWindow({ window });
  }
  await device.flush();
  await device.close();
}, 120_000);

afterAll(async () => {
  await platform?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const at = (n: number) => timestampFromMs((START_US + n * MINUTE_US) / 1000);

async function gather(responses: AsyncIterable<BacktestResponse>) {
  const all: BacktestResponse[] = [];
  for await (const response of responses) all.push(response);
  return {
    all,
    alerts: all.flatMap((r) => r.alerts),
    readings: all.flatMap((r) => r.readings),
    summary: all.at(-1)!.summary!,
  };
}

const byId = (a: { id: bigint }, b: { id: bigint }) => Number(a.id - b.id);
const storedAlerts = async () => (await Promise.all(SENSORS.map((s) => allAlerts(platform.grpc, s)))).flat().sort(byId);

test("played with the settings of then, the history gives the stored readings and alerts, to the bit, with progress", async () => {
  const { all, alerts, readings, summary } = await gather(service(DetectorService).backtest({ includeReadings: true }));
  const stored = (await Promise.all(SENSORS.map((s) => allReadings(platform.grpc, s)))).flat();
  expect(readings.sort(byId)).toEqual(stored.sort(byId));
  expect(alerts.sort(byId)).toEqual(await storedAlerts());
  expect(alerts.length).toBeGreaterThan(3);
  expect(summary).toMatchObject({ readingsChanged: 0n, alertsAvoided: 0n, alertsAdded: 0n, sensors: 4n });
  expect(summary.notes).toEqual([]);
  expect(all[0]!.readingsTotal).toBe(BigInt(stored.length));
  expect(all.at(-1)!.readingsDone).toBe(BigInt(stored.length));
  const done = all.map((r) => r.readingsDone);
  expect(done).toEqual([...done].sort((a, b) => Number(a - b)));
});

test("other settings are tried without a trace: what they avoid and add, in a range, against labels", async () => {
  const detector = service(DetectorService);
  const before = await storedAlerts();
  const { alerts, summary } = await gather(
    detector.backtest({ config: { alarmsPerSensorDay: 1000 }, startTime: at(100), endTime: at(2000) }),
  );
  const inRange = (a: Alert) =>
    timestampMs(a.openedAt!) >= timestampMs(at(100)) && timestampMs(a.openedAt!) <= timestampMs(at(2000));
  expect(alerts.every(inRange)).toBe(true);
  expect(summary.alertsStored).toBe(BigInt(before.filter(inRange).length));
  expect(summary.alertsAdded).toBeGreaterThan(0n);
  expect(summary.alertsAdded).toBeLessThanOrEqual(summary.alerts);
  expect(summary.alertsAvoided).toBeLessThanOrEqual(summary.alertsStored);
  expect(summary.notifications).toBeGreaterThanOrEqual(summary.alerts);
  expect(await storedAlerts()).toEqual(before);

  const labels = [
    { sensorId: "flow-001", startTime: at(FAULT - 5), endTime: at(FAULT + 5) },
    { sensorId: "flow-001", startTime: at(5), endTime: at(6) },
  ];
  const judged = await gather(detector.backtest({ sensorIds: ["flow-001"], labels }));
  expect(judged.summary).toMatchObject({ labelsMet: 1n, labelsTotal: 2n, sensors: 1n });
  expect(judged.summary.precision).toBeCloseTo(Number(judged.summary.alertsRight) / judged.alerts.length);
});

test("what cannot be played is refused with a sentence, and a backtest that is left makes room for others", async () => {
  const detector = service(DetectorService);
  const refusals = [
    [{ sensorIds: ["nobody"] }, /sensor "nobody" has no reading/],
    [{ startTime: at(2), endTime: at(1) }, /the range ends before it begins/],
    [{ config: { rangeMin: 2, rangeMax: 1 } }, /2 is not below range_max 1/],
    [{ labels: [{ sensorId: "a", startTime: at(2), endTime: at(1) }] }, /labels\[0\]\.end_time/],
    [{ accuracyThreshold: 0.2 }, /accuracy_threshold/],
  ] as const;
  for (const [request, sentence] of refusals) {
    const played = gather(detector.backtest(request as never));
    await expect(played).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringMatching(sentence),
    });
  }
  for (let round = 0; round < 3; round++) {
    const stop = new AbortController();
    const play = () => gather(detector.backtest({ includeReadings: true }, { signal: stop.signal }));
    const left = Promise.allSettled([play(), play(), play()]);
    setTimeout(() => stop.abort(), 50);
    for (const each of await left) {
      if (each.status === "rejected") expect([Code.Canceled, Code.ResourceExhausted]).toContain(each.reason.code);
    }
  }
  await until(async () => {
    try {
      return (await gather(detector.backtest({}))).summary.sensors === 4n;
    } catch (error) {
      if (ConnectError.from(error).code !== Code.ResourceExhausted) throw error;
      return false; // those that were left have not ended yet
    }
  });
});

test("a label is kept with the alert and on record, may be replaced and taken back, and the past stays as it was judged", async () => {
  const detector = service(DetectorService);
  const alert = async (id: bigint) => (await service(AlertService).getAlert({ alertId: id })).alert!;
  const [first] = await storedAlerts();
  const { id } = first!;
  const tried = await detector.labelAlert({ alertId: id, correct: false, comment: "tried", dryRun: true });
  expect(tried.alert?.labelCorrect).toBeUndefined();
  expect(tried.summary).toMatch(/^Nothing is changed\. Over the last 30 days .* with the label/);
  expect((await alert(id)).labelCorrect).toBeUndefined();
  const wrong = await detector.labelAlert({ alertId: id, correct: false, comment: "a test of the valve" });
  expect(wrong).toMatchObject({ alertsAvoided30d: tried.alertsAvoided30d, alertsAdded30d: tried.alertsAdded30d });
  expect(wrong.alert).toMatchObject({
    labelCorrect: false,
    labelledBy: "anonymous",
    labelComment: "a test of the valve",
  });
  expect(wrong.summary).toMatch(
    /^The alert is labelled wrong\. Over the last 30 days .* fewer and .* more alerts? with the label/,
  );
  const again = await detector.labelAlert({ alertId: id, correct: false, comment: "a test of the valve" });
  expect(again.alert).toEqual(wrong.alert);
  expect(again.summary).toMatch(/labelled wrong before; nothing changed/);
  const right = await detector.labelAlert({ alertId: id, correct: true });
  expect(right.alert).toMatchObject({ labelCorrect: true, labelComment: "" });
  const judged = await gather(detector.backtest({}));
  expect(judged.summary).toMatchObject({ labelsTotal: 1n, labelsMet: 1n, precision: 1, readingsChanged: 0n });
  expect((await detector.labelAlert({ alertId: id, withdraw: true })).alert!.labelCorrect).toBeUndefined();
  expect((await alert(id)).labelCorrect).toBeUndefined();
  await expect(detector.labelAlert({ alertId: 5n, correct: true })).rejects.toMatchObject({ code: Code.NotFound });
  const { events } = await service(AdminService).listAuditEvents({});
  expect(events.filter((e) => e.action === "alert.label").map((e) => e.detail.trim())).toContain(
    "wrong a test of the valve",
  );
  expect(events.filter(({ detail }) => detail.includes("tried"))).toEqual([]);
});

test("a reading is explained whether it was flagged or not: the votes, the bar, and how far from it", async () => {
  const detector = service(DetectorService);
  const readings = await allReadings(platform.grpc, "flow-001");
  const quiet = readings.find((r) => !r.isAnomaly && r.confidence > 0.01) ?? readings[100]!;
  const calm = await detector.explainReading({ sensorId: "flow-001", observedAt: quiet.observedAt! });
  expect(calm.reading).toEqual(quiet);
  expect(calm.summary).toMatch(
    /^Not flagged: value [\d.]+ m3\/h, expected [\d.]+ \(.*\).* of the alarm threshold.*; confidence/,
  );
  expect(calm.reproduced).toBe(true);
  expect(calm.votes.length).toBeGreaterThan(5);
  for (const v of calm.votes) {
    expect(REASONS).toContain(v.detector);
    expect(v.shareOfBar).toBeCloseTo(v.surprise / calm.surpriseBar!);
    expect(v.detail).not.toBe("");
  }
  expect(calm.history).toMatch(
    /^Computed again from all \d+ readings before it; the result is bit-identical to the stored score\.$/,
  );
  for (const flagged of readings.filter((r) => r.isAnomaly).slice(0, 5)) {
    const loud = await detector.explainReading({ sensorId: "flow-001", observedAt: flagged.observedAt! });
    expect(loud.summary).toMatch(new RegExp(`^Flagged by ${flagged.reason} with score`));
    expect(loud.surprise).toBeGreaterThanOrEqual(loud.surpriseBar!);
    expect(loud.votes[0]!.shareOfBar).toBeGreaterThanOrEqual(1);
    expect(loud.reproduced).toBe(true);
  }
  const young = await detector.explainReading({ sensorId: "flow-001", observedAt: at(10) });
  expect(young.summary).toMatch(/reading 11, and judging begins with the 24th/);
  const cold = await detector.explainReading({ sensorId: "flow-001", observedAt: at(40) });
  expect(cold).toMatchObject({ young: true, reproduced: true, votes: [{ detector: "young sensor" }] });
  expect(cold.summary).toMatch(
    /cold start \(reading 41\): .* usual for sensors .* threshold is [\d.]+ times the later one\.$/,
  );
  const window = await detector.explainReading({ sensorId: "pressure-001", observedAt: at(1650) });
  expect(window.summary).toMatch(/a maintenance window covered it/);
  const missing = detector.explainReading({ sensorId: "flow-001", observedAt: timestampFromMs(5) });
  await expect(missing).rejects.toMatchObject({ code: Code.NotFound });
});

test("GraphQL has the same: explanations, labels, settings, windows, backtests", async () => {
  const ask = async (query: string) => {
    const body = JSON.stringify({ query });
    const headers = { "content-type": "application/json", accept: "application/json" };
    const response = await fetch(`${platform.http}/api/v1/graphql`, { method: "POST", headers, body });
    const { data, errors } = (await response.json()) as { data: Record<string, never>; errors?: unknown };
    expect(errors).toBeUndefined();
    return data as never as Record<string, Record<string, unknown> & Record<string, unknown>[]>;
  };
  const [first] = await storedAlerts();
  const label = await ask(`mutation { labelAlert(alertId: ${first!.id}, correct: true, comment: "bearing") {
    alert { labelCorrect labelComment labelledBy } alertsAvoided30d alertsAdded30d summary } }`);
  expect(label.labelAlert!.alert).toEqual({ labelCorrect: true, labelComment: "bearing", labelledBy: "anonymous" });
  const asked = await ask(`{ explainReading(sensorId: "flow-001") { summary votes { detector surprise shareOfBar } }
    detectorConfig(sensorType: "flow") { alarmsPerSensorDay counter } maintenanceWindows { id } auditEvents(limit: 1) { action } }`);
  expect(asked.detectorConfig).toEqual({ alarmsPerSensorDay: 2, counter: null });
  expect(asked.auditEvents![0]!.action).toBe("alert.label");
  const window = await ask(`mutation { createMaintenanceWindow(location: "hall 9", comment: "paint",
    startTime: "2030-01-01T00:00:00Z", endTime: "2030-01-02T00:00:00Z") { id comment } }`);
  expect(window.createMaintenanceWindow!.comment).toBe("paint");
  const { id } = window.createMaintenanceWindow!;
  expect((await ask("{ maintenanceWindows { id } }")).maintenanceWindows).toContainEqual({ id });
  expect((await ask(`mutation { deleteMaintenanceWindow(id: "${id}") }`)).deleteMaintenanceWindow).toBe(true);
  const set = await ask(
    `mutation { setDetectorConfig(sensorType: "lamp", counter: true) { counter alarmsPerSensorDay } }`,
  );
  expect(set.setDetectorConfig).toEqual({ counter: true, alarmsPerSensorDay: 0.1 });
  const query = `subscription { backtest(sensorIds: ["flow-001"]) { readingsDone summary { readingsChanged } } }`;
  const stream = await fetch(`${platform.http}/api/v1/graphql?query=${encodeURIComponent(query)}`, {
    headers: { accept: "text/event-stream" },
  });
  expect(await stream.text()).toContain('"summary":{"readingsChanged":0}');
});

test("telltale backtest draws its picture, telltale label and explain answer in sentences", async () => {
  const html = join(folder, "plant.html");
  const csv = join(folder, "plant.csv");
  const labels = join(folder, "labels.csv");
  const time = (n: number) => new Date(timestampMs(at(n))).toISOString();
  writeFileSync(labels, `sensor_id,kind,start,end\nflow-001,spike,${time(FAULT)},${time(FAULT)}\n`);
  const files = ["--labels", labels, "--html", html, "--out", csv];
  const run = runCli("backtest", "-s", "flow-001", ...files, "--url", platform.grpc);
  expect(await run.ended).toBe(0);
  expect(run.stdout()).toMatch(
    /Every score is bit-identical to the stored one\.\n1 of (1 labelled event|2 labelled events) met/,
  );
  const page = readFileSync(html, "utf8");
  expect(page).toContain("<h2>flow-001</h2>");
  expect(page).not.toContain("NaN");
  expect(readFileSync(csv, "utf8").trim().split("\n")).toHaveLength(
    1 + (await allReadings(platform.grpc, "flow-001")).length,
  );
  const [first] = await storedAlerts();
  const label = runCli("label", `#${first!.id}`, "none", "--url", platform.grpc);
  expect(await label.ended).toBe(0);
  expect(label.stdout()).toMatch(/^The label is removed\. Over the last 30 days/);
  const explain = runCli("explain", "flow-001", time(FAULT), "--url", platform.grpc);
  expect(await explain.ended).toBe(0);
  expect(explain.stdout()).toMatch(/^Flagged by .*\n.* {2}\d+\.\d{3} {2}.*% of the alarm threshold/);
  const refused = runCli("label", "5", "right", "--url", platform.grpc);
  expect(await refused.ended).toBe(1);
  expect(refused.stderr()).toMatch(/there is no alert 5/);
});
