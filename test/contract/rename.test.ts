/** Renaming a sensor: what is refused and how, who may, and what the ids of before are good for. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { AdminService, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import { IngestService, RefusalReason } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { MatcherType, NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { AlertEventType, WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";
import { startWebhookSink, type WebhookSink } from "../../testing/webhook-sink.ts";

let platform: Secured;
let sink: WebhookSink;
/** On a loaded machine too. */
const PATIENCE = { timeout: 60_000, interval: 50 };
const transport = (token = platform.adminToken) => platform.as(token);
const registry = (token?: string) => createClient(RegistryService, transport(token));
const ingest = (token?: string) => createClient(IngestService, transport(token));
const query = (token?: string) => createClient(QueryService, transport(token));
const rename = (sensorId: string, newSensorId: string, token?: string) =>
  registry(token).renameSensor({ sensorId, newSensorId });
const send = async (sensorId: string, value: number, token?: string) =>
  (await ingest(token).submitReadings({ readings: [{ sensorId, sensorType: "flow", unit: "l", value }] })).counts;

async function refusal(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ConnectError) return error;
  throw new Error(`the call was not refused: ${error}`);
}

beforeAll(async () => {
  sink = await startWebhookSink();
  platform = await startSecured({ NOTIFY_ALLOWED_HOSTS: "127.0.0.1" });
  for (const id of ["plant/a", "plant/b", "plant/c", "hall/1"]) await send(id, 1);
  await registry().updateSensor({ profile: { sensorId: "planned", displayName: "Soon" } });
}, 120_000);
afterAll(async () => {
  await platform?.stop();
  await sink?.close();
});

describe("is refused", () => {
  test.each([
    ["of a sensor that is not there", "nobody", "x", Code.NotFound, /there is no sensor "nobody": nothing was changed/],
    ["to the id that it has", "plant/a", "plant/a", Code.InvalidArgument, /"plant\/a" is the id that the sensor has/],
    ["to no id", "plant/a", "", Code.InvalidArgument, /^new_sensor_id: .*at least 1/],
    ["to an id that is too long", "plant/a", "x".repeat(201), Code.InvalidArgument, /^new_sensor_id: .*at most 200/],
    ["to an id with a control character", "plant/a", "a\nb", Code.InvalidArgument, /^new_sensor_id: /],
    ["to an id with a NUL", "plant/a", "a\0b", Code.InvalidArgument, /^new_sensor_id: .*NUL/],
    ["to another sensor's id", "plant/a", "plant/b", Code.AlreadyExists, /there is a sensor "plant\/b"/],
    ["to that of a profile without readings", "plant/a", "planned", Code.AlreadyExists, /"planned"/],
    ["without a sensor", "", "x", Code.InvalidArgument, /^sensor_id: .*at least 1/],
  ])("%s", async (_, sensorId, newSensorId, code, message) => {
    const error = await refusal(rename(sensorId, newSensorId));
    expect([Code[error.code], error.rawMessage]).toEqual([Code[code], expect.stringMatching(message)]);
  });

  test("to an id that leads to another sensor, as its own or as one of before", async () => {
    await rename("plant/b", "plant/b2");
    for (const id of ["plant/b", "plant/b2"]) {
      const error = await refusal(rename("plant/a", id));
      expect([error.code, error.rawMessage]).toEqual([Code.AlreadyExists, expect.stringMatching(/leads to another/)]);
    }
    expect((await registry().listSensors({ matchers: ['sensor_id=~"plant/.*"'] })).sensors).toHaveLength(3);
  });

  test("to whoever lacks the scope, and to a token whose prefix does not cover both ids", async () => {
    const operator = (await platform.mint([Scope.OPERATE, Scope.READ])).secret;
    expect((await refusal(rename("plant/a", "plant/a2", operator))).code).toBe(Code.PermissionDenied);
    const plant = (await platform.mint([Scope.ADMIN], "plant/")).secret;
    expect((await refusal(rename("hall/1", "plant/9", plant))).code).toBe(Code.NotFound);
    const error = await refusal(rename("plant/a", "hall/9", plant));
    expect([error.code, error.rawMessage]).toEqual([
      Code.PermissionDenied,
      expect.stringMatching(/limited to sensors "plant\/…", and "hall\/9" is none/),
    ]);
    expect((await rename("plant/a", "plant/a2", plant)).sensor?.sensorId).toBe("plant/a2");
    await rename("plant/a2", "plant/a", plant);
  });
});

describe("what a former id is good for", () => {
  test("readings under it are the sensor's, and calls that name it find the sensor, by the rights on its new id", async () => {
    await rename("hall/1", "roof/1");
    const hall = (await platform.mint([Scope.INGEST, Scope.READ], "hall/")).secret;
    const roof = (await platform.mint([Scope.INGEST, Scope.READ], "roof/")).secret;
    expect(await send("hall/1", 2, hall)).toMatchObject({ accepted: 1n });
    expect(await send("roof/1", 3, roof)).toMatchObject({ accepted: 1n });
    for (const id of ["hall/1", "roof/1"]) {
      const { readings } = await query(roof).listReadings({ sensorId: id });
      expect(readings.map(({ sensorId, value }) => [sensorId, value])).toEqual([
        ["roof/1", 3],
        ["roof/1", 2],
        ["roof/1", 1],
      ]);
      expect((await query(hall).listReadings({ sensorId: id })).readings).toEqual([]);
      expect((await refusal(registry(hall).getSensor({ sensorId: id }))).code).toBe(Code.NotFound);
    }
    expect((await registry(roof).getSensor({ sensorId: "hall/1" })).sensor).toMatchObject({
      ...{ sensorId: "roof/1", otherIds: [] },
    });
    expect((await registry().getSensor({ sensorId: "hall/1" })).sensor?.otherIds).toEqual(["hall/1"]);
    expect((await query(hall).listSensors({})).sensors).toEqual([]);
    // The token may not write the one id though it may write the other.
    const { refusals } = await ingest(hall)
      .submitReadings({
        readings: [
          { sensorId: "roof/1", sensorType: "flow", unit: "l", value: 4 },
          { sensorId: "hall/1", sensorType: "flow", unit: "l", value: 5 },
        ],
      })
      .then((answer) => answer);
    expect(refusals.map(({ index, reason }) => [index, reason])).toEqual([[0, RefusalReason.FORBIDDEN]]);
  });

  test("a batch that was sent under it and is resent under the new one changes nothing", async () => {
    const times = Array.from({ length: 20 }, (_, i) => ({ seconds: 1_700_000_000n + BigInt(i), nanos: 0 }));
    const batch = (sensorId: string, sequence: bigint) => ({
      ...{ producer: "press", epoch: 1n, sequence },
      readings: times.map((observedAt, i) => ({ sensorId, sensorType: "flow", unit: "l", value: i, observedAt })),
    });
    const untimed = (sensorId: string) => ({
      ...{ producer: "press", epoch: 1n, sequence: 2n },
      readings: [{ sensorId, sensorType: "flow", unit: "l", value: 77 }],
    });
    expect((await ingest().submitReadings(batch("twice", 1n))).counts).toMatchObject({ accepted: 20n });
    expect((await ingest().submitReadings(untimed("twice"))).counts).toMatchObject({ accepted: 1n });
    await rename("twice", "once");
    const readings = async () => (await query().listReadings({ sensorId: "once", limit: 100 })).readings;
    const before = await readings();
    expect(before).toHaveLength(21);
    for (const id of ["twice", "once"]) {
      await ingest().submitReadings(batch(id, 1n));
      await ingest().submitReadings(untimed(id));
      // Also without a sequence to know it by.
      const { counts, stored } = await ingest().submitReadings({ readings: batch(id, 0n).readings });
      expect(counts).toMatchObject({ accepted: 0n, duplicate: 20n });
      expect(new Set(stored.map(({ sensorId }) => sensorId))).toEqual(new Set(["once"]));
    }
    expect(await readings()).toEqual(before);
    const conflicting = batch("twice", 0n)
      .readings.slice(0, 1)
      .map((each) => ({ ...each, value: 9 }));
    const { refusals } = await ingest().submitReadings({ readings: conflicting });
    expect(refusals[0]?.message).toMatch(/^the sensor has the value 0 at /);
  });
});

test("a sensor is renamed again and back, and each id stays its own until it is deleted: then all are free", async () => {
  await send("one", 1);
  for (const [from, to] of [
    ["one", "two"],
    ["two", "three"],
    // By an id of before, and to one.
    ["one", "four"],
    ["four", "two"],
    ["three", "one"],
  ] as const)
    expect((await rename(from, to)).sensor?.sensorId).toBe(to);
  expect((await rename("two", "one")).sensor).toMatchObject({ sensorId: "one", otherIds: ["four", "three", "two"] });
  for (const id of ["one", "two", "three", "four"]) await send(id, 2);
  expect(await query().getSensorStats({ sensorId: "three" })).toMatchObject({ sensorId: "one", totalReadings: 5n });
  await rename("one", "three");
  const { deletion } = await registry().deleteSensor({ sensorId: "one", whileSending: true });
  expect(deletion).toMatchObject({ sensorId: "three", readings: 5n });
  for (const id of ["one", "two", "three", "four"]) {
    expect((await refusal(registry().getSensor({ sensorId: id }))).code).toBe(Code.NotFound);
    await send(id, 3);
    expect((await registry().getSensor({ sensorId: id })).sensor).toMatchObject({ sensorId: id, otherIds: [] });
  }
});

test("a profile is one sensor's: the id of before names no second one", async () => {
  await send("p1", 1);
  await registry().updateSensor({ profile: { sensorId: "p1", owner: "Ann" } });
  await rename("p1", "p2");
  expect((await registry().updateSensor({ profile: { sensorId: "p1", tags: ["x"] } })).sensor).toMatchObject({
    ...{ sensorId: "p2", owner: "Ann", tags: ["x"] },
  });
  const twice = { changes: [{ profile: { sensorId: "p1" } }, { profile: { sensorId: "p2" } }] };
  expect((await refusal(registry().applySensors(twice))).code).toBe(Code.InvalidArgument);
  const { sensors } = await registry().listSensors({ matchers: ["owner=Ann"] });
  expect(sensors.map(({ sensorId }) => sensorId)).toEqual(["p2"]);
  expect((await registry().listSensors({ search: "p1" })).sensors).toEqual([]);
});

test("open alerts, their acts and retirement go by the new id", async () => {
  await fill(transport(), "loud");
  await rename("loud", "quiet");
  const alerts = createClient(AlertService, transport());
  const { alerts: open } = await alerts.listAlerts({ sensorId: "quiet", resolved: false });
  expect(open[0]?.sensorId).toBe("quiet");
  const { alert } = await alerts.acknowledgeAlert({ alertId: open[0]!.id });
  expect(alert).toMatchObject({ sensorId: "quiet", acknowledgedBy: "admin" });
  const { sensors } = await registry().retireSensors({ sensorIds: ["loud"] });
  expect(sensors[0]).toMatchObject({ sensorId: "quiet", retiredBy: "admin", openAlerts: 0n });
  expect((await alerts.getAlert({ alertId: open[0]!.id })).alert).toMatchObject({
    sensorId: "quiet",
    resolvedBy: "admin",
  });
  await rename("quiet", "loud");
  expect((await registry().getSensor({ sensorId: "loud" })).sensor?.retiredBy).toBe("admin");
  const { window } = await createClient(DetectorService, transport()).createMaintenanceWindow({
    window: {
      ...{ sensorId: "quiet", reason: "a test" },
      startTime: { seconds: 1_700_000_000n, nanos: 0 },
      endTime: { seconds: 4_000_000_000n, nanos: 0 },
    },
  });
  const { windows } = await createClient(DetectorService, transport()).listMaintenanceWindows({});
  expect(windows).toMatchObject([{ id: window!.id, sensorId: "loud" }]);
});

test("an open alert goes by the new id at once, in lists, watches and notifications, and its message too", async () => {
  const text = `
route: { receiver: plant, group_by: [sensor_id], group_wait: 0s, group_interval: 1s }
receivers: [{ name: plant, webhook_configs: [{ url: "${sink.url}/plant" }] }]`;
  await createClient(NotificationService, transport()).setNotificationConfig({ text });
  const all = [Scope.READ, Scope.OPERATE];
  const cellar = transport((await platform.mint(all, "cellar/")).secret);
  const alerts = createClient(AlertService, cellar);
  const notifications = createClient(NotificationService, cellar);
  const watch = (resumeToken: string) => createClient(WatchService, cellar).watchAlerts({ resumeToken });
  const { value: begun } = await watch("")[Symbol.asyncIterator]().next();
  await fill(transport(), "attic/bell");
  const known = createClient(NotificationService, transport());
  const matchers = [{ name: "sensor_id", value: "attic/bell", type: MatcherType.EQUAL }];
  await vi.waitUntil(async () => (await known.listNotifiedAlerts({ matchers })).alerts.length > 0, PATIENCE);

  await rename("attic/bell", "cellar/bell");
  const { alerts: open } = await alerts.listAlerts({ resolved: false });
  expect(open).toMatchObject([{ sensorId: "cellar/bell", message: expect.stringContaining(" of cellar/bell ") }]);
  const { alerts: notified } = await notifications.listNotifiedAlerts({});
  expect(notified).toMatchObject([
    {
      labels: { sensor_id: "cellar/bell" },
      annotations: { summary: "cellar/bell is not as usual", description: open[0]!.message },
    },
  ]);
  const posted = await sink.find(({ body }) => String(body).includes('"sensor_id":"cellar/bell"'));
  expect(JSON.parse(String(posted.body)).alerts).toMatchObject([{ labels: { sensor_id: "cellar/bell" } }]);

  await alerts.acknowledgeAlert({ alertId: open[0]!.id });
  await vi.waitUntil(
    async () => (await notifications.listNotifiedAlerts({})).alerts.every(({ acknowledged }) => acknowledged),
    PATIENCE,
  );
  const told = [await alerts.listAlerts({}), await notifications.listNotifiedAlerts({})] as object[];
  for await (const { event } of watch(begun!.resumeToken)) {
    if (event === undefined) continue;
    told.push(event);
    if (event.type === AlertEventType.ACKNOWLEDGED) break;
  }
  const json = JSON.stringify(told, (_, value) => (typeof value === "bigint" ? String(value) : value));
  expect(json).toContain("cellar/bell");
  expect(json).not.toContain("attic/");
});

test("who renamed what is on record", async () => {
  const { events } = await createClient(AdminService, transport()).listAuditEvents({ limit: 1000 });
  const renames = events.filter(({ action }) => action === "sensor.rename");
  expect(renames.at(-1)).toMatchObject({ principal: "admin", target: 'sensor "plant/b"', detail: 'to "plant/b2"' });
});
