/** Sensors as people know them: shown, found, sorted and changed, by whom it is allowed. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AdminService, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import {
  RegistryService,
  SensorDifferenceKind,
  SensorSort,
  SensorState,
} from "../../gen/es/telltale/v1/registry_pb.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";

let platform: Secured;
const now = () => ({ seconds: BigInt(Math.floor(Date.now() / 1_000)), nanos: 0 });
const as = (token = platform.adminToken) => createClient(RegistryService, platform.as(token));
const ids = ({ sensors }: { sensors: { sensorId: string }[] }) => sensors.map(({ sensorId }) => sensorId);
const found = async (...matchers: string[]) => ids(await as().listSensors({ matchers }));

async function refusal(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("the call was not refused");
}

beforeAll(async () => {
  platform = await startSecured();
  const ingest = createClient(IngestService, platform.as(platform.adminToken));
  const of = (sensorId: string, attributes: Record<string, string>, more = {}) => ({
    ...{ sensorId, sensorType: "temperature", unit: "C", value: 1, attributes, observedAt: now() },
    ...more,
  });
  await ingest.submitReadings({
    readings: [
      of("a/1", { line: "3", maker: "Ölwerk" }),
      of("a/2", { line: "4" }, { location: "hall 2" }),
      of("b/1", {}, { sensorType: "pressure", unit: "bar" }),
      of("b/old", {}, { observedAt: { seconds: now().seconds - 4_000n, nanos: 0 } }),
    ],
  });
  await fill(platform.as(platform.adminToken), "c/loud");
}, 120_000);
afterAll(() => platform?.stop());

test("a sensor is shown with what it sent before anybody says anything of it", async () => {
  const { sensor } = await as().getSensor({ sensorId: "a/1" });
  expect(sensor).toMatchObject({
    ...{ sensorId: "a/1", displayName: "", revision: 0n, state: SensorState.OK, openAlerts: 0n, tags: [] },
    attributes: { line: "3", maker: "Ölwerk" },
    sentAttributes: { line: "3", maker: "Ölwerk" },
    editedAttributes: {},
    series: [{ sensorType: "temperature", unit: "C", totalReadings: 1n }],
  });
  expect(sensor?.updatedAt).toBeUndefined();
  expect(sensor?.firstReading).toEqual(sensor?.lastReading);
});

test("what people say overlays what was sent, field by field, and an empty attribute hides one", async () => {
  const profile = {
    ...{
      sensorId: "a/1",
      displayName: "Press 3",
      owner: "Ann",
      asset: "site-1/line-3/press",
      tags: ["hot", "cold", "hot"],
    },
    ...{ runbookUrl: "https://wiki.example/press", attributes: { line: "3b", maker: "", room: "7" } },
  };
  const { sensor } = await as().updateSensor({ profile });
  expect(sensor).toMatchObject({
    ...profile,
    tags: ["cold", "hot"],
    attributes: { line: "3b", room: "7" },
    sentAttributes: { line: "3", maker: "Ölwerk" },
    editedAttributes: profile.attributes,
    ...{ revision: 1n, updatedBy: "admin" },
  });
  expect((await as().getSensor({ sensorId: "a/1" })).sensor).toEqual(sensor);
  const next = await as().updateSensor({ profile: { sensorId: "a/1", description: "hot\nand loud" } });
  expect(next.sensor).toMatchObject({ owner: "Ann", description: "hot\nand loud", revision: 2n });
  const emptied = await as().updateSensor({ profile: { sensorId: "a/1" }, updateFields: ["owner", "description"] });
  expect(emptied.sensor).toMatchObject({ owner: "", description: "", displayName: "Press 3", revision: 3n });
});

test("a change that changes nothing leaves the revision, and one of another revision is refused", async () => {
  const change = (revision: bigint, owner: string) =>
    as().updateSensor({ profile: { sensorId: "a/2", revision, owner } });
  expect((await change(0n, "Bob")).sensor?.revision).toBe(1n);
  expect((await change(1n, "Bob")).sensor?.revision).toBe(1n);
  const error = await refusal(change(0n, "Cid"));
  expect(error.code).toBe(Code.FailedPrecondition);
  expect(error.rawMessage).toMatch(/"a\/2" is at revision 1, not 0: .*read it again/);
  expect((await as().getSensor({ sensorId: "a/2" })).sensor?.owner).toBe("Bob");
});

test("a profile may come before the first reading; what nobody knows is not found", async () => {
  const { sensor } = await as().updateSensor({ profile: { sensorId: "planned", displayName: "Soon" } });
  expect(sensor).toMatchObject({ state: SensorState.STALE, series: [] });
  expect(sensor?.lastReading).toBeUndefined();
  expect(await found('display_name="Soon"')).toEqual(["planned"]);
  const error = await refusal(as().getSensor({ sensorId: "nobody" }));
  expect([error.code, error.rawMessage]).toEqual([Code.NotFound, 'there is no sensor "nobody"']);
});

test("states follow open alerts and the newest reading", async () => {
  const { sensor: loud } = await as().getSensor({ sensorId: "c/loud" });
  expect(loud).toMatchObject({ state: SensorState.ALERTING, openAlerts: 1n });
  expect(loud?.worstSeverity).toBeGreaterThanOrEqual(Severity.LOW);
  expect(await found('state="alerting"')).toEqual(["c/loud"]);
  expect(await found("state=stale")).toEqual(["b/old", "planned"]);
  const { counts } = await as().listSensors({ withCounts: true, limit: 1, matchers: ['sensor_id=~"[abc]/.*"'] });
  expect(counts).toMatchObject({ total: 5n, alerting: 1n, stale: 1n, ok: 3n });
  // Closed by a person: the next list knows.
  const alerts = createClient(AlertService, platform.as(platform.adminToken));
  const open = (await alerts.listAlerts({ sensorId: "c/loud", resolved: false })).alerts;
  for (const { id } of open) await alerts.resolveAlert({ alertId: id });
  expect(await found('state="alerting"')).toEqual([]);
});

test.each([
  [['line="3b"'], ["a/1"]],
  [['line!=""'], ["a/1", "a/2"]],
  [
    ['line=""', 'sensor_id=~"[ab]/.*"'],
    ["b/1", "b/old"],
  ],
  [
    ['line=~"3.|4"', 'sensor_type="temperature"'],
    ["a/1", "a/2"],
  ],
  [['location=~"hall.*"'], ["a/2"]],
  [["unit=bar"], ["b/1"]],
  [['tag="hot"'], ["a/1"]],
  [['tag!="hot"', "tag!=x", 'sensor_id=~"a/."'], ["a/2"]],
  [['asset=~"site-1/.*"'], ["a/1"]],
  [['owner="Bob"'], ["a/2"]],
  [['{sensor_id=~"a/.",line!~"3.*"}'], ["a/2"]],
  [['nothing="x"'], []],
])("matchers %j find %j", async (matchers, wanted) => {
  expect(await found(...matchers)).toEqual(wanted);
});

test("a search finds parts of ids, names and attributes in force, in any case", async () => {
  const search = async (text: string) => ids(await as().listSensors({ search: text }));
  expect(await search("PRESS")).toEqual(["a/1"]);
  expect(await search("a/")).toEqual(["a/1", "a/2"]);
  expect(await search("3B")).toEqual(["a/1"]);
  expect(await search("ölwerk")).toEqual([]); // hidden by an edit
  expect(await search("temperature")).toEqual([]);
});

test("each sort goes on by its token, both ways, and a token of another list is refused by what differs", async () => {
  const all = await found();
  for (const sort of [SensorSort.ID, SensorSort.NAME, SensorSort.LAST_READING, SensorSort.SEVERITY]) {
    for (const descending of [false, true]) {
      const seen: string[] = [];
      const whole = ids(await as().listSensors({ sort, descending }));
      for (let pageToken = "", more = true; more; more = pageToken !== "") {
        const page = await as().listSensors({ sort, descending, limit: 2, pageToken, withCounts: pageToken !== "" });
        seen.push(...ids(page));
        pageToken = page.nextPageToken;
      }
      expect([sort, descending, seen]).toEqual([sort, descending, whole]);
      expect([...seen].sort()).toEqual(all);
    }
  }
  expect(ids(await as().listSensors({ sort: SensorSort.NAME })).slice(-2)).toEqual(["a/1", "planned"]); // Press 3, Soon
  expect(ids(await as().listSensors({ sort: SensorSort.LAST_READING }))[0]).toBe("planned");
  const { nextPageToken: pageToken } = await as().listSensors({ limit: 1 });
  const error = await refusal(as().listSensors({ limit: 1, pageToken, search: "a", descending: true }));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage).toContain("made with another search and descending");
});

test.each([
  ["(", /matchers\[1\]: the matcher line=~"\(" is no regular expression of RE2/],
  ["(?=x)", /is no regular expression of RE2/],
])("the regular expression %s is refused, and its matcher named", async (expression, message) => {
  const error = await refusal(as().listSensors({ matchers: ["a=b", `line=~"${expression}"`] }));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage).toMatch(message);
});

test("many profiles are applied in one transaction, or none; a dry run only tells the difference", async () => {
  const changes = [
    { profile: { sensorId: "d/1", displayName: "One", tags: ["x"], attributes: { line: "9" } } },
    { profile: { sensorId: "a/2", owner: "Dora" } },
    { profile: { sensorId: "planned", displayName: "Soon" } },
  ];
  const wanted = {
    ...{ created: 1n, changed: 1n, unchanged: 1n },
    differences: [
      {
        ...{ sensorId: "d/1", kind: SensorDifferenceKind.CREATED },
        fields: [
          { field: "display_name", from: "", to: "One" },
          { field: "tags", from: "", to: "x" },
          { field: "attributes.line", from: "", to: "9" },
        ],
      },
      {
        ...{ sensorId: "a/2", kind: SensorDifferenceKind.CHANGED },
        fields: [{ field: "owner", from: "Bob", to: "Dora" }],
      },
    ],
  };
  expect(await as().applySensors({ changes, dryRun: true })).toMatchObject(wanted);
  expect((await refusal(as().getSensor({ sensorId: "d/1" }))).code).toBe(Code.NotFound);
  const stale = [...changes, { profile: { sensorId: "a/1", revision: 99n, owner: "Eve" } }];
  expect((await refusal(as().applySensors({ changes: stale }))).code).toBe(Code.FailedPrecondition);
  expect((await refusal(as().getSensor({ sensorId: "d/1" }))).code).toBe(Code.NotFound);
  expect(await as().applySensors({ changes })).toMatchObject(wanted);
  expect(await as().applySensors({ changes })).toMatchObject({ created: 0n, changed: 0n, unchanged: 3n });
  expect((await as().getSensor({ sensorId: "d/1" })).sensor).toMatchObject({ displayName: "One", revision: 1n });
});

test("each wrong field of a change is named", async () => {
  const error = await refusal(
    as().applySensors({
      changes: [
        { profile: { sensorId: "e", runbookUrl: "javascript:alert(1)" } },
        { profile: { sensorId: "e", asset: "a//b" } },
        { profile: { sensorId: "f", asset: "a/b" }, updateFields: ["aset"] },
      ],
    }),
  );
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage).toMatch(/^changes\[0\]\.profile\.runbook_url: is "javascript:alert\(1\)": give an address/);
  expect(error.rawMessage).toContain("(and 3 more)");
  for (const [profile, message] of [
    [{ sensorId: "e", asset: "a//b" }, /profile\.asset: is "a\/\/b": give names with one slash between/],
    [{ sensorId: "e", asset: "1/2/3/4/5/6/7/8/9/10/11" }, /at most 10 names/],
    [{ sensorId: "e\n" }, /profile\.sensor_id/],
    [{ sensorId: "e", displayName: "a\u0085b" }, /profile\.display_name/],
    [{ sensorId: "e", tags: [""] }, /profile\.tags\[0\]/],
  ] as const) {
    const one = await refusal(
      as().updateSensor({ profile: { ...profile, tags: [...("tags" in profile ? profile.tags : [])] } }),
    );
    expect([one.code, one.rawMessage]).toEqual([Code.InvalidArgument, expect.stringMatching(message)]);
  }
});

test("places are a tree with what is in them and below", async () => {
  const put = (sensorId: string, asset: string) => ({ profile: { sensorId, asset }, updateFields: ["asset"] });
  await as().applySensors({
    changes: [
      put("a/2", "site-1/line-3"),
      put("b/1", "site-1/line-10"),
      put("b/old", "site-1"),
      put("planned", "site-10"),
    ],
  });
  const tree = await as().getAssetTree({});
  const shape = (nodes: typeof tree.nodes) => nodes.map((n) => [n.path, n.depth, n.counts?.total, n.hasChildren]);
  expect(shape(tree.nodes)).toEqual([
    ["", 0, 7n, true],
    ["site-1", 1, 4n, true],
    ["site-1/line-10", 2, 1n, false],
    ["site-1/line-3", 2, 2n, true],
    ["site-1/line-3/press", 3, 1n, false],
    ["site-10", 1, 1n, false],
  ]);
  expect(tree.withoutAsset?.total).toBe(2n);
  const part = await as().getAssetTree({ prefix: "site-1", depth: 1 });
  expect(shape(part.nodes)).toEqual([
    ["site-1", 0, 4n, true],
    ["site-1/line-10", 1, 1n, false],
    ["site-1/line-3", 1, 2n, true],
  ]);
  expect(part.nodes[0]).toMatchObject({ name: "site-1", counts: { ok: 3n, stale: 1n } });
  expect(part.withoutAsset).toBeUndefined();
});

test("the worst severity of open alerts is rolled up", async () => {
  await as().updateSensor({ profile: { sensorId: "c/again", asset: "site-2/line-1" } });
  await fill(platform.as(platform.adminToken), "c/again");
  const { nodes } = await as().getAssetTree({ prefix: "site-2" });
  const { sensor } = await as().getSensor({ sensorId: "c/again" });
  expect(nodes.map(({ path, worstSeverity, counts }) => [path, worstSeverity, counts?.alerting])).toEqual([
    ["site-2", sensor?.worstSeverity, 1n],
    ["site-2/line-1", sensor?.worstSeverity, 1n],
  ]);
  const worst = await as().listSensors({ sort: SensorSort.SEVERITY, descending: true, limit: 1 });
  expect(ids(worst)).toEqual(["c/again"]);
});

test("a token with a prefix sees and changes only its sensors, and each change needs its scope", async () => {
  const limited = as((await platform.mint([Scope.READ, Scope.OPERATE], "a/")).secret);
  expect(ids(await limited.listSensors({}))).toEqual(["a/1", "a/2"]);
  expect((await limited.listSensors({ withCounts: true, descending: true })).counts?.total).toBe(2n);
  expect((await limited.getAssetTree({})).nodes[0]?.counts?.total).toBe(2n);
  expect((await refusal(limited.getSensor({ sensorId: "b/1" }))).code).toBe(Code.NotFound);
  for (const sensorId of ["b/1", "no such sensor"]) {
    const error = await refusal(limited.updateSensor({ profile: { sensorId, owner: "me" } }));
    expect(error.code).toBe(Code.PermissionDenied);
    expect(error.rawMessage).toContain('is limited to sensors "a/…"');
  }
  const changes = [{ profile: { sensorId: "a/2", owner: "me" } }, { profile: { sensorId: "b/1", owner: "me" } }];
  expect((await refusal(limited.applySensors({ changes, dryRun: true }))).code).toBe(Code.PermissionDenied);
  const reader = as((await platform.mint([Scope.READ])).secret);
  expect((await refusal(reader.updateSensor({ profile: { sensorId: "a/2", owner: "me" } }))).code).toBe(
    Code.PermissionDenied,
  );
  expect((await reader.getSensor({ sensorId: "a/2" })).sensor?.owner).toBe("Dora");
});

test("changes are on record, dry runs are not", async () => {
  const admin = createClient(AdminService, platform.as(platform.adminToken));
  const { events } = await admin.listAuditEvents({});
  const ours = events.filter(({ action }) => action.startsWith("sensor."));
  expect(ours.map(({ action, target }) => `${action} ${target}`)).toEqual([
    'sensor.update sensor "c/again"',
    "sensor.apply 4 sensors",
    "sensor.apply 3 sensors",
    "sensor.apply 3 sensors",
    'sensor.update sensor "planned"',
    'sensor.update sensor "a/2"',
    'sensor.update sensor "a/2"',
    'sensor.update sensor "a/1"',
    'sensor.update sensor "a/1"',
    'sensor.update sensor "a/1"',
  ]);
  expect(ours[3]!.detail).toContain('1 created, 1 changed, 1 unchanged: "d/1" (display_name, tags, attributes.line)');
  expect(ours.at(-1)!.detail).toContain('"displayName":"Press 3"');
});

test("a sensor that is new, and attributes that change, are found by the next list", async () => {
  const ingest = createClient(IngestService, platform.as(platform.adminToken));
  for (let i = 0; i < 20; i++) {
    const reading = { sensorId: `new/${i}`, sensorType: "flow", unit: "l", value: i, attributes: { n: String(i) } };
    await ingest.submitReadings({ readings: [reading] });
    expect(await found(`n="${i}"`, "sensor_type=flow")).toEqual([`new/${i}`]);
  }
});

test("a retired sensor is in no health count, its alerts are resolved, and its readings are stored on, until it is restored", async () => {
  const status = async () =>
    (await createClient(QueryService, platform.as(platform.adminToken)).listSensors({})).sensors;
  await as().updateSensor({ profile: { sensorId: "c/loud", asset: "site-3" } });
  const before = (await as().listSensors({ withCounts: true })).counts!;
  const { sensors } = await as().retireSensors({ sensorIds: ["c/loud", "b/old"] });
  expect(sensors.map(({ sensorId, state, openAlerts, retiredBy }) => [sensorId, state, openAlerts, retiredBy])).toEqual(
    [
      ["c/loud", SensorState.RETIRED, 0n, "admin"],
      ["b/old", SensorState.RETIRED, 0n, "admin"],
    ],
  );
  const after = (await as().listSensors({ withCounts: true })).counts!;
  expect([after.total, after.retired]).toEqual([before.total - 2n, 2n]);
  expect(await found('state="retired"')).toEqual(["b/old", "c/loud"]);
  expect((await as().getAssetTree({ prefix: "site-3" })).nodes[0]?.counts).toMatchObject({ total: 0n, retired: 1n });
  expect((await status()).map(({ sensorId }) => sensorId)).not.toContain("c/loud");
  const alerts = createClient(AlertService, platform.as(platform.adminToken));
  expect((await alerts.listAlerts({ sensorId: "c/loud", resolved: false })).alerts).toEqual([]);

  const ingest = createClient(IngestService, platform.as(platform.adminToken));
  const reading = { sensorId: "b/old", sensorType: "temperature", unit: "C", value: 2 };
  expect((await ingest.submitReadings({ readings: [reading] })).counts?.accepted).toBe(1n);
  expect((await as().getSensor({ sensorId: "b/old" })).sensor).toMatchObject({
    state: SensorState.RETIRED,
    series: [{ totalReadings: 2n }],
  });
  // Again is as good as once, also for who did it.
  await as().retireSensors({ sensorIds: ["b/old"] });
  const restored = await as().restoreSensors({ sensorIds: ["b/old", "c/loud"] });
  expect(restored.sensors.map(({ state, retiredAt }) => [state, retiredAt])).toEqual([
    [SensorState.OK, undefined],
    [SensorState.OK, undefined],
  ]);
  expect((await status()).map(({ sensorId }) => sensorId)).toContain("c/loud");
});

test("a sensor is deleted with all that was stored of it, on record, and what comes after begins it anew", async () => {
  const transport = platform.as(platform.adminToken);
  const sensorId = "life/1";
  const detector = createClient(DetectorService, transport);
  await fill(transport, sensorId);
  await as().updateSensor({ profile: { sensorId, owner: "Ann", attributes: { room: "7" } } });
  await detector.setDetectorConfig({ config: { sensorId, rangeMax: 90 } });
  await as().listSensors({});
  const sending = await refusal(as().deleteSensor({ sensorId }));
  expect(sending.code).toBe(Code.FailedPrecondition);
  expect(sending.rawMessage).toContain('"life/1" sent a reading within the last 5 minutes');
  const planned = await as().deleteSensor({ sensorId, whileSending: true, dryRun: true });
  expect(planned.deletion).toMatchObject({ sensorId, readings: 120n, alerts: 1n });
  expect((await as().getSensor({ sensorId })).sensor?.owner).toBe("Ann");
  const stats = async () =>
    (await createClient(QueryService, transport).getPlatformStats({}, { headers: { "cache-control": "no-cache" } }))
      .totalDataPoints;
  const readingsBefore = await stats();

  const { deletion } = await as().deleteSensor({ sensorId, whileSending: true });
  expect(deletion).toMatchObject({ sensorId, readings: 120n, alerts: 1n, deletedBy: "admin" });
  expect((await refusal(as().getSensor({ sensorId }))).code).toBe(Code.NotFound);
  expect(await found('sensor_id=~"life/.*"')).toEqual([]);
  expect(await stats()).toBe(readingsBefore - 120n);
  const query = createClient(QueryService, transport);
  expect((await query.listReadings({ sensorId })).readings).toEqual([]);
  expect((await refusal(detector.getDetectorConfig({ sensorId }))).code).toBe(Code.NotFound);
  expect((await refusal(as().deleteSensor({ sensorId }))).code).toBe(Code.NotFound);

  // Of long before what was deleted: a new sensor's first reading is not late.
  const observedAt = { seconds: now().seconds - 86_400n, nanos: 0 };
  const reading = { sensorId, sensorType: "flow", unit: "l", value: 3, observedAt };
  const ingest = createClient(IngestService, transport);
  const { counts } = await ingest.submitReadings({ readings: [reading] });
  expect([counts?.accepted, counts?.late]).toEqual([1n, 0n]);
  expect((await as().getSensor({ sensorId })).sensor).toMatchObject({
    ...{ owner: "", revision: 0n, attributes: {} },
    series: [{ sensorType: "flow", totalReadings: 1n }],
  });
  expect(await found('sensor_id="life/1"')).toEqual([sensorId]);

  const isDone = async () => (await as().listSensorDeletions({ unfinished: true })).deletions.length === 0;
  await expect.poll(isDone, { interval: 200 }).toBe(true);
  const [done] = (await as().listSensorDeletions({ limit: 1 })).deletions;
  expect(done).toMatchObject({ sensorId, readings: 120n, removedReadings: 120n, alerts: 0n });
  expect(done?.finishedAt).toBeDefined();
  const alerts = createClient(AlertService, transport);
  expect((await alerts.listAlerts({ sensorId })).alerts).toEqual([]);
  expect((await query.listReadings({ sensorId })).readings.map(({ value }) => value)).toEqual([3]);
  // Judged again, what is stored comes out as it was.
  for await (const { summary } of detector.backtest({ sensorIds: [sensorId, "c/loud"] }))
    if (summary !== undefined) expect(summary).toMatchObject({ sensors: 2n, readingsChanged: 0n });
  const { events } = await createClient(AdminService, transport).listAuditEvents({});
  const ours = events.filter(({ action }) => action === "sensor.delete");
  expect(ours.map(({ target, detail }) => [target, detail])).toEqual([
    ['sensor "life/1"', '"life/1" (120 readings, 1 alert)'],
  ]);
}, 60_000);

test("of other callers' sensors nobody learns by retiring or deleting, and each needs its scope", async () => {
  const limited = as((await platform.mint([Scope.READ, Scope.OPERATE], "a/")).secret);
  for (const sensorId of ["b/1", "no such sensor"]) {
    const error = await refusal(limited.retireSensors({ sensorIds: ["a/1", sensorId] }));
    expect([error.code, error.rawMessage]).toEqual([
      Code.NotFound,
      `there is no sensor "${sensorId}": nothing was changed`,
    ]);
  }
  expect((await limited.getSensor({ sensorId: "a/1" })).sensor?.retiredAt).toBeUndefined();
  expect((await limited.listSensorDeletions({})).deletions).toEqual([]);
  expect((await refusal(limited.deleteSensor({ sensorId: "a/1" }))).code).toBe(Code.PermissionDenied);
  const reader = as((await platform.mint([Scope.READ])).secret);
  expect((await refusal(reader.retireSensors({ sensorIds: ["a/1"] }))).code).toBe(Code.PermissionDenied);
  const error = await refusal(as().deleteSensors({ sensorIds: ["a/1", "a/1"] }));
  expect([error.code, error.rawMessage.includes("sensor_ids")]).toEqual([Code.InvalidArgument, true]);
});
