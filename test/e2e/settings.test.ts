/** The detector's settings as users set them: by sensor and by type, with sources, tried before they count; over every endpoint. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDeviceClient } from "../../client/index.ts";
import { AdminService } from "../../gen/es/telltale/v1/admin_pb.ts";
import {
  type DetectorConfigOrigin,
  DetectorConfigSchema,
  DetectorConfigSource,
  DetectorService,
  Direction,
  SignalKind,
  Weekday,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import { runCli } from "../../testing/cli.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { allAlerts } from "../../testing/readings.ts";

const START_MS = Date.UTC(2026, 0, 5);
const READINGS = 2000;
const SENSORS = ["pump-1", "pump-2", "pump-3"];
let platform: Platform;
const detector = () => createClient(DetectorService, createGrpcTransport({ baseUrl: platform.grpc }));

beforeAll(async () => {
  platform = await startPlatform({ TIME_ZONE: "America/New_York" });
  const device = createDeviceClient({ url: platform.grpc, producer: "plant" });
  await send(device, 0, READINGS);
  await device.close();
}, 120_000);
afterAll(() => platform?.stop());

/** A reading a minute of each sensor: noise, a fall now and then, and a rise. */
async function send(device: ReturnType<typeof createDeviceClient>, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    for (const [s, sensorId] of SENSORS.entries()) {
      const noise = ((Math.imul((n * 3 + s) ^ 0x5bd1, 0x9e3779b1) >>> 8) % 1000) / 500 - 1;
      const fall = n < READINGS ? -15 : -60;
      const jump = n % 300 === 200 ? fall : n % 900 === 650 ? 60 : 0;
      const observedAtUs = (START_MS + n * 60_000) * 1000;
      await device.send({ sensorId, sensorType: "pressure", unit: "bar", value: 20 + noise + jump, observedAtUs });
    }
  }
  await device.flush();
}

/** Sources by field, without defaults. */
const sources = (origins: readonly DetectorConfigOrigin[]) =>
  Object.fromEntries(
    origins
      .map(({ field, source }) => [field, enumName(DetectorConfigSource, source)] as const)
      .filter(([, source]) => source !== "platform" && source !== "learnt"),
  );

test("a sensor's own value counts, else its type's, else that for all types, else the platform's, and each says so", async () => {
  const service = detector();
  await service.setDetectorConfig({ config: { rangeMin: -50, rangeMax: 50, silenceSeconds: 900 } });
  await service.setDetectorConfig({ config: { sensorType: "pressure", rangeMax: 45, counter: false } });
  const set = await service.setDetectorConfig({
    config: { sensorId: "pump-1", rangeMax: 40, direction: Direction.HIGH },
  });
  const got = await service.getDetectorConfig({ sensorId: "pump-1" });
  expect(set.config).toEqual(got.config);
  expect(set.effect).toBeUndefined();
  expect(got.config).toMatchObject({
    ...{ sensorId: "pump-1", sensorType: "", rangeMin: -50, rangeMax: 40, silenceSeconds: 900, counter: false },
    ...{ alarmsPerSensorDay: 0.1, reorderHoldMs: 0, direction: Direction.HIGH, off: false },
  });
  expect(sources(got.origins)).toEqual({
    range_min: "all_types",
    range_max: "sensor",
    silence_seconds: "all_types",
    counter: "sensor_type",
    direction: "sensor",
  });
  expect(got.origins.find(({ field }) => field === "stuck_seconds")!.source).toBe(DetectorConfigSource.LEARNT);
  expect(got.origins.find(({ field }) => field === "off")!.source).toBe(DetectorConfigSource.PLATFORM);
  const other = await service.getDetectorConfig({ sensorId: "pump-2" });
  expect(other.config).toMatchObject({ rangeMax: 45, direction: Direction.BOTH });
  const type = await service.getDetectorConfig({ sensorType: "pressure" });
  expect(sources(type.origins)).toMatchObject({ range_min: "all_types", range_max: "sensor_type" });
  expect(sources((await service.getDetectorConfig({})).origins)).toMatchObject({ range_max: "all_types" });
  // Without any field the scope has no settings of its own.
  for (const scope of [{ sensorId: "pump-1" }, { sensorType: "pressure" }, {}]) {
    const { origins } = await service.setDetectorConfig({ config: scope });
    if (!("sensorId" in scope)) continue;
    expect(sources(origins)).toMatchObject({ range_max: "sensor_type", range_min: "all_types" });
  }
  expect(sources((await service.getDetectorConfig({ sensorId: "pump-1" })).origins)).toEqual({});
});

test("what cannot be set is refused by its name, and a sensor may have settings before its first reading", async () => {
  const service = detector();
  await service.setDetectorConfig({ config: { sensorType: "pressure", rangeMax: 45 } });
  const both = { sensorId: "pump-1", sensorType: "pressure" };
  const refusals = [
    [
      () => service.setDetectorConfig({ config: both }),
      Code.InvalidArgument,
      /config\.sensor_id: .*"pump-1".*"pressure"/,
    ],
    [() => service.getDetectorConfig(both), Code.InvalidArgument, /^[^.]*\bsensor_id: .*not both/],
    [
      () => service.setDetectorConfig({ config: { rangeMin: 2, rangeMax: 1 } }),
      Code.InvalidArgument,
      /2 is not below range_max 1/,
    ],
    [
      () => service.setDetectorConfig({ config: { sensorId: "pump-1", rangeMin: 60 } }),
      Code.InvalidArgument,
      /60 \(of the sensor's own settings\) is not below range_max 45 \(of the settings of the type\)/,
    ],
    [() => service.setDetectorConfig({ config: { direction: 9 as Direction } }), Code.InvalidArgument, /direction/],
    [
      () => service.getDetectorConfig({ sensorId: "nobody" }),
      Code.NotFound,
      /"nobody" has neither readings nor settings/,
    ],
  ] as const;
  for (const [call, code, message] of refusals) {
    await expect(call()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  }
  for (const [config, message] of [
    [create(DetectorConfigSchema, { timeZone: "Mars/Olympus" }), /config\.time_zone: "Mars\/Olympus" is no time zone/],
    [
      create(DetectorConfigSchema, { holidays: { dates: ["2026-02-30"] } }),
      /config\.holidays\.dates: "2026-02-30" is no date/,
    ],
    [create(DetectorConfigSchema, { holidays: { dates: ["Easter"] } }), /holidays/],
  ] as const) {
    const refused = { code: Code.InvalidArgument, message: expect.stringMatching(message) };
    await expect(service.setDetectorConfig({ config })).rejects.toMatchObject(refused);
  }
  await service.setDetectorConfig({ config: { sensorId: "pump-9", off: true } });
  expect((await service.getDetectorConfig({ sensorId: "pump-9" })).config!.off).toBe(true);
  await service.setDetectorConfig({ config: { sensorId: "pump-9" } });
  await service.setDetectorConfig({ config: { sensorType: "pressure" } });
});

test("a dry run names the alerts that a change would have avoided and added, and changes nothing", async () => {
  const service = detector();
  const before = await allAlerts(platform.grpc, "pump-1");
  expect(before.length).toBeGreaterThan(2);
  const config = { sensorId: "pump-1", off: true };
  const { effect, origins, config: would } = await service.setDetectorConfig({ config, dryRun: true });
  expect(would!.off).toBe(true);
  expect(sources(origins)).toEqual({ off: "sensor" });
  expect(effect).toMatchObject({ sensors: 1n, sensorsConcerned: 1n, alertsAdded30d: 0n, readings: BigInt(READINGS) });
  expect(effect!.avoided.map(({ id }) => id).sort()).toEqual(before.map(({ id }) => id).sort());
  expect(effect!.summary).toMatch(
    /^Over their last 30 days, the 1 sensor concerned would have raised \d+ fewer and 0 more/,
  );
  const type = { sensorType: "pressure", direction: Direction.HIGH };
  const high = await service.setDetectorConfig({ config: type, dryRun: true }, { timeoutMs: 60_000 });
  expect(high.effect).toMatchObject({ sensors: 3n, sensorsConcerned: 3n });
  expect(high.effect!.alertsAvoided30d).toBeGreaterThan(3n);
  expect(high.effect!.avoided.every(({ sensorValue, expected }) => sensorValue < expected!)).toBe(true);
  const none = await service.setDetectorConfig({ config: { sensorType: "nothing", off: true }, dryRun: true });
  expect(none.effect).toMatchObject({ sensors: 0n, summary: "No sensor that the settings concern has a reading." });
  expect((await service.getDetectorConfig({ sensorId: "pump-1" })).config!.off).toBe(false);
  expect(await allAlerts(platform.grpc, "pump-1")).toEqual(before);
  const { events } = await createClient(AdminService, createGrpcTransport({ baseUrl: platform.grpc })).listAuditEvents(
    {},
  );
  const changes = events.filter(({ action }) => action === "detector.configure");
  expect(changes.some(({ target }) => target === 'sensor "pump-9"')).toBe(true);
  expect(changes.some(({ detail }) => detail.includes('"off":true') && detail.includes("pump-1"))).toBe(false);
});

test("a sensor is judged by its own settings from then on, and an explanation says why a reading was not flagged", async () => {
  const service = detector();
  await service.setDetectorConfig({ config: { sensorId: "pump-2", direction: Direction.HIGH } });
  await service.setDetectorConfig({ config: { sensorId: "pump-3", rangeMax: 20.5 } });
  const before = await Promise.all(SENSORS.map((sensor) => allAlerts(platform.grpc, sensor)));
  const device = createDeviceClient({ url: platform.grpc, producer: "plant" });
  // Falls at 2,000 and 2,300 among them.
  await send(device, READINGS, READINGS + 350);
  await device.close();
  const after = await Promise.all(SENSORS.map((sensor) => allAlerts(platform.grpc, sensor)));
  const more = after.map((alerts, s) => alerts.length - before[s]!.length);
  expect(more[0]).toBeGreaterThan(0);
  expect(more[1]).toBe(0);
  expect(after[2]!.some(({ detector }) => detector === "impossible range")).toBe(true);
  const observedAt = timestampFromMs(START_MS + 2300 * 60_000);
  const fall = await service.explainReading({ sensorId: "pump-2", observedAt });
  expect(fall.summary).toMatch(/^Not flagged: .* only the other side matters/);
  expect(fall.reproduced).toBe(true);
  const played = service.backtest({ sensorIds: [...SENSORS] });
  for await (const { summary } of played) if (summary !== undefined) expect(summary.readingsChanged).toBe(0n);
  for (const sensorId of ["pump-2", "pump-3"]) await service.setDetectorConfig({ config: { sensorId } });
});

test("the platform's time zone is logged, a sensor may have its own, and of a calendar file the days are kept", async () => {
  const service = detector();
  const zone = async (scope: { sensorId?: string }) => (await service.getDetectorConfig(scope)).config!.timeZone;
  await expect.poll(() => zone({})).toBe("America/New_York");
  const holidays = { dates: ["2026-01-06"], like: Weekday.SATURDAY };
  const config = create(DetectorConfigSchema, { sensorId: "pump-1", timeZone: "Europe/Berlin", holidays });
  const event = ["BEGIN:VEVENT", "SUMMARY:Christmas", "DTSTART;VALUE=DATE:20261225", "DTEND;VALUE=DATE:20261227"];
  const holidaysIcalendar = ["BEGIN:VCALENDAR", ...event, "END:VEVENT", "END:VCALENDAR"].join("\r\n");
  const dry = await service.setDetectorConfig({ config, holidaysIcalendar, dryRun: true });
  expect(dry.effect).toMatchObject({ sensors: 1n });
  const set = await service.setDetectorConfig({ config, holidaysIcalendar });
  expect(set.config!.holidays).toMatchObject({
    dates: ["2026-01-06", "2026-12-25", "2026-12-26"],
    like: Weekday.SATURDAY,
  });
  expect(sources(set.origins)).toMatchObject({ time_zone: "sensor", holidays: "sensor" });
  expect([await zone({ sensorId: "pump-1" }), await zone({ sensorId: "pump-2" })]).toEqual([
    "Europe/Berlin",
    "America/New_York",
  ]);
  const refused = { code: Code.InvalidArgument, message: expect.stringMatching(/holidays_icalendar: it has no event/) };
  await expect(service.setDetectorConfig({ config, holidaysIcalendar: "BEGIN:VCALENDAR" })).rejects.toMatchObject(
    refused,
  );
  const explained = await service.explainReading({ sensorId: "pump-1" });
  expect(explained.reproduced).toBe(true);
  // It has been seen for less than two days.
  expect(explained.calibrationDays).toBeGreaterThan(12);
  expect(explained.calibration).toMatch(/^It needs 13 more days of readings to keep its alarm budget/);
  expect(explained.signal).toMatchObject({
    kind: SignalKind.CONTINUOUS,
    set: false,
    detail: expect.stringMatching(/any value/),
  });
  await service.setDetectorConfig({ config: { sensorId: "pump-1", signalKind: SignalKind.STEPS } });
  const said = { kind: SignalKind.STEPS, set: true, detail: expect.stringMatching(/^By its settings; recognised as/) };
  expect((await service.explainReading({ sensorId: "pump-1" })).signal).toMatchObject(said);
  await service.setDetectorConfig({ config: { sensorId: "pump-1" } });
});

test("GraphQL and REST offer the same", async () => {
  const ask = async (query: string) => {
    const headers = { "content-type": "application/json", accept: "application/json" };
    const body = JSON.stringify({ query });
    const response = await fetch(`${platform.http}/api/v1/graphql`, { method: "POST", headers, body });
    const { data, errors } = await response.json();
    expect(errors).toBeUndefined();
    return data;
  };
  const tried =
    await ask(`mutation { changeDetectorSettings(config: {sensorId: "pump-1", direction: "high"}, dryRun: true) {
    config { direction } origins { field source } effect { alertsAvoided30d avoided { sensorValue } summary } } }`);
  expect(tried.changeDetectorSettings.config.direction).toBe("high");
  expect(tried.changeDetectorSettings.origins).toContainEqual({ field: "direction", source: "sensor" });
  expect(tried.changeDetectorSettings.effect.alertsAvoided30d).toBeGreaterThan(0);
  const zoned = await ask(`mutation { changeDetectorSettings(config: {sensorId: "pump-1", timeZone: "Asia/Tokyo",
    holidays: {dates: ["2027-01-01"]}}) { config { timeZone holidays { dates like } } } }`);
  expect(zoned.changeDetectorSettings.config).toMatchObject({
    timeZone: "Asia/Tokyo",
    holidays: { dates: ["2027-01-01"] },
  });
  await ask(`mutation { setDetectorConfig(sensorId: "pump-1", off: true) { sensorId off direction } }`);
  const asked = await ask(`{ detectorSettings(sensorId: "pump-1") { config { off direction } origins { field source } }
    nobody: detectorSettings(sensorId: "nobody") { config { off } } detectorConfig(sensorId: "pump-1") { off } }`);
  expect(asked.detectorSettings.config).toEqual({ off: true, direction: "both" });
  expect(asked.detectorSettings.origins).toContainEqual({ field: "off", source: "sensor" });
  expect([asked.nobody, asked.detectorConfig.off]).toEqual([null, true]);

  const url = `${platform.http}/api/v1/detector/settings`;
  const post = async (path: string, body: object) => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: response.status, body: await response.json() };
  };
  const rest = await fetch(`${url}?sensor_id=pump-1`);
  expect(await rest.json()).toMatchObject({ config: { sensor_id: "pump-1", off: true, range_max: null } });
  expect((await fetch(`${url}?sensor_id=nobody`)).status).toBe(404);
  const high = { sensor_id: "pump-1", direction: "high" };
  const dry = await post("/dry-run", { ...high, off: false });
  expect(dry).toMatchObject({ status: 200, body: { config: high, effect: { alerts_avoided_30d: 0 } } });
  expect(dry.body.effect.alerts_added_30d).toBeGreaterThan(0);
  const local = { sensor_id: "pump-1", time_zone: "Europe/Berlin", holidays: { dates: ["2026-12-25"] } };
  expect(await post("", local)).toMatchObject({ status: 200, body: { config: local } });
  const set = await post("", high);
  expect(set).toMatchObject({ status: 200, body: { config: { ...high, off: false }, effect: null } });
  expect(set.body.origins).toContainEqual({ field: "direction", source: "sensor", asset: "" });
  for (const [body, field] of [
    [{ sensor_id: "pump-1", sensor_type: "pressure" }, "sensor_id"],
    [{ sensor_id: "pump-1", range_min: 2, range_max: 1 }, "range_min"],
    [{ stuck_seconds: -1 }, "stuck_seconds"],
    [{ off: 0 }, "off"],
    [{ direction: "sideways" }, "direction"],
    [{ time_zone: "Mars/Olympus" }, "time_zone"],
  ] as const) {
    const refused = await post("", body);
    expect(refused.status).toBe(422);
    expect(refused.body.detail[0].loc).toEqual(["body", field]);
  }
  expect((await post("", { sensor_id: "pump-1" })).status).toBe(200);
});

test("telltale config shows, changes, tries and removes them", async () => {
  const run = async (...args: string[]) => {
    const cli = runCli("config", ...args, "--url", platform.grpc);
    return { code: await cli.ended, out: cli.stdout(), error: cli.stderr() };
  };
  const set = await run("set", "-s", "pump-1", "--range-max", "40", "--direction", "high", "--counter", "no");
  expect(set).toMatchObject({ code: 0 });
  expect(set.out).toMatch(/^Settings of sensor pump-1:\n.*\n(.*\n)* {2}range_max {14}40 {11}set for the sensor\n/);
  expect(set.out).toMatch(/ {2}stuck_seconds {10}learnt {7}from the sensor's readings\n/);
  const changed = await run("set", "-s", "pump-1", "--off", "yes", "--unset", "counter");
  expect(changed.out).toMatch(
    /range_max +40 +set for the sensor\n(.*\n)* {2}counter +recognised +from the sensor's readings\n(.*\n)* {2}off +yes +set for the sensor/,
  );
  const days = [
    "--time-zone",
    "Europe/Berlin",
    "--holiday-dates",
    "2026-12-25,2027-01-01",
    "--holidays-like",
    "friday",
  ];
  const local = await run("set", "-s", "pump-1", ...days);
  expect(local.out).toMatch(/time_zone +Europe\/Berlin set for the sensor\n/);
  expect(local.out).toMatch(/holidays +2 days like friday, 2026-12-25 to 2027-01-01 set for the sensor/);
  const tried = await run("clear", "-s", "pump-1", "--dry-run");
  expect(tried.code).toBe(0);
  expect(tried.out).toMatch(/Nothing was changed\. Over their last 30 days, the 1 sensor concerned .*\n\+ 2026-/);
  expect((await run("show", "-s", "pump-1")).out).toMatch(/off +yes/);
  expect((await run("clear", "-s", "pump-1")).out).toMatch(/off +no +default/);
  expect((await run("show", "--sensor-type", "pressure")).out).toMatch(/^Settings of type pressure:/);
  const early = await run("set", "-s", "pump-77", "--silence-seconds", "60");
  expect(early.out).toMatch(/silence_seconds +60 +set for the sensor/);
  for (const [args, message] of [
    [["set", "-s", "a", "--sensor-type", "b", "--off", "yes"], /cannot be used with/],
    [["set", "--unset", "nothing"], /There is no setting nothing\. Wanted some of alarms_per_sensor_day/],
    [["set", "-s", "a", "--direction", "up"], /Wanted both, high or low/],
    [["show", "-s", "nobody"], /"nobody" has neither readings nor settings/],
  ] as const) {
    const refused = await run(...args);
    expect(refused.code).not.toBe(0);
    expect(refused.error).toMatch(message);
  }
});
