/** Incidents: which alerts belong together, told to whom it is allowed, by every endpoint. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { AdminService, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import {
  IncidentEventType,
  IncidentKind,
  IncidentReasonKind,
  IncidentService,
  IncidentState,
} from "../../gen/es/telltale/v1/incident_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { runCliWith } from "../../testing/cli.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";

/** One more than ISA-18.2 takes a person to deal with. */
const FLOOD = Array.from({ length: 11 }, (_, i) => `flood/${i}`);

let platform: Secured;
let ofB: string;
const as = (token = platform.adminToken) => createClient(IncidentService, platform.as(token));
const withSensor = async (sensorId: string, token?: string) => (await as(token).listIncidents({ sensorId })).incidents;

async function codeOf(call: Promise<unknown>): Promise<Code> {
  return call.then(
    () => expect.fail("the call was not refused"),
    (error: unknown) => ConnectError.from(error).code,
  );
}

beforeAll(async () => {
  platform = await startSecured();
  const registry = createClient(RegistryService, platform.as(platform.adminToken));
  const attributes = { gateway: "7" };
  const profiles = [
    { sensorId: "a/1", owner: "Ann", asset: "site/line/press", attributes },
    { sensorId: "b/1", owner: "Bob", attributes },
    { sensorId: "c/1", owner: "Cem" },
    ...FLOOD.map((sensorId) => ({ sensorId, owner: "Flo" })),
  ];
  await registry.applySensors({ changes: profiles.map((profile) => ({ profile })) });
  const alert = (sensorId: string) => fill(platform.as(platform.adminToken), sensorId);
  // Where each incident begins, and then the others.
  for (const sensorId of ["a/1", FLOOD[0]!]) await alert(sensorId);
  await Promise.all(["b/1", "c/1", ...FLOOD.slice(1)].map(alert));
  const alerts = async () => (await as().listIncidents({})).incidents.reduce((sum, each) => sum + each.alertCount, 0n);
  await vi.waitFor(async () => expect(await alerts()).toBe(BigInt(profiles.length)), { timeout: 20_000 });
  ofB = (await platform.mint([Scope.READ, Scope.OPERATE], "b/")).secret;
}, 120_000);
afterAll(() => platform?.stop());

test("alerts of sensors with a common attribute are one incident, and others are none of it", async () => {
  const [incident] = await withSensor("b/1");
  expect(incident).toMatchObject({
    ...{ kind: IncidentKind.RELATED, state: IncidentState.OPEN, originSensorId: "a/1" },
    ...{ alertCount: 2n, openCount: 2n, acknowledgedCount: 0n, sensorCount: 2n, mergedIncidentIds: [] },
  });
  const { members } = await as().getIncident({ incidentId: incident!.id });
  expect(members).toMatchObject([
    { sensorId: "a/1", owner: "Ann", asset: "site/line/press", reason: { kind: IncidentReasonKind.FIRST } },
    {
      sensorId: "b/1",
      reason: { kind: IncidentReasonKind.ATTRIBUTE, key: "gateway", value: "7", otherSensorId: "a/1" },
    },
  ]);
  expect(await withSensor("c/1")).toMatchObject([
    { alertCount: 1n, summary: expect.stringMatching(/^One .* alert, of c\/1$/) },
  ]);
});

test("more than ten alerts of one owner within ten minutes are one incident that says that it is a flood", async () => {
  const { incidents } = await as().listIncidents({ kind: IncidentKind.FLOOD });
  expect(incidents).toMatchObject([
    {
      ...{ alertCount: 11n, sensorCount: 11n, originSensorId: FLOOD[0] },
      flood: { owner: "Flo", peakAlerts: 11n, limitAlerts: 10, windowSeconds: 600 },
      summary: expect.stringMatching(/^Alarm flood of Flo: 11 alerts of 11 sensors, up to 11 in 10 minutes/),
    },
  ]);
  // The ten that were incidents of their own are known by their ids still.
  expect(incidents[0]!.mergedIncidentIds).toHaveLength(9);
  const { incident } = await as().getIncident({ incidentId: incidents[0]!.mergedIncidentIds[3]! });
  expect(incident?.id).toBe(incidents[0]!.id);
});

test("who may see some sensors is shown their alerts alone, counted and told as if there were no others", async () => {
  const [whole] = await withSensor("b/1");
  const { members } = await as().getIncident({ incidentId: whole!.id });
  const { incidents } = await as(ofB).listIncidents({});
  expect(incidents).toMatchObject([
    {
      id: members[1]!.alertId,
      alertCount: 1n,
      openCount: 1n,
      sensorCount: 1n,
      originSensorId: "b/1",
      mergedIncidentIds: [],
    },
  ]);
  const own = await as(ofB).getIncident({ incidentId: members[1]!.alertId });
  expect(own.members).toMatchObject([
    { sensorId: "b/1", reason: { kind: IncidentReasonKind.FIRST, otherSensorId: "" } },
  ]);
  expect(
    JSON.stringify([incidents, own], (_, value) => (typeof value === "bigint" ? String(value) : value)),
  ).not.toMatch(/a\/1|Ann|press/);
  expect(await codeOf(as(ofB).getIncident({ incidentId: whole!.id }))).toBe(Code.NotFound);
  expect(await withSensor("a/1", ofB)).toEqual([]);
  expect((await as(ofB).listIncidents({ asset: "site" })).incidents).toEqual([]);
  expect((await as(ofB).listIncidents({ minAlerts: 2 })).incidents).toEqual([]);
});

test("a flood is none for whom only a few of its alerts are visible", async () => {
  const { secret } = await platform.mint([Scope.READ], "flood/1");
  const { incidents } = await as(secret).listIncidents({});
  expect(incidents).toMatchObject([{ kind: IncidentKind.RELATED, alertCount: 2n }]);
  expect(incidents[0]!.flood).toBeUndefined();
  expect(incidents[0]!.summary).not.toMatch(/flood of/);
  const { members } = await as(secret).getIncident({ incidentId: incidents[0]!.id });
  // Whose event was taken first is chosen once, by which partition was read first.
  const kinds = members.map(({ reason }) => reason?.kind).sort((a, b) => a! - b!);
  expect(kinds).toEqual([IncidentReasonKind.FIRST, IncidentReasonKind.INDIRECT]);
  expect((await as(secret).listIncidents({ kind: IncidentKind.FLOOD })).incidents).toEqual([]);
});

test("lists go on by page token, filter by state, severity and time, and refuse another list's token", async () => {
  const all = (await as().listIncidents({})).incidents.map(({ id }) => id);
  expect(all).toHaveLength(3);
  const paged: bigint[] = [];
  for (let pageToken = ""; ; ) {
    const { incidents, nextPageToken } = await as().listIncidents({ limit: 1, pageToken });
    paged.push(...incidents.map(({ id }) => id));
    pageToken = nextPageToken;
    if (pageToken === "") break;
  }
  expect(paged).toEqual(all);
  const { nextPageToken } = await as().listIncidents({ limit: 1 });
  expect(await codeOf(as().listIncidents({ limit: 1, pageToken: nextPageToken, minAlerts: 2 }))).toBe(
    Code.InvalidArgument,
  );
  expect((await as().listIncidents({ state: IncidentState.CLOSED })).incidents).toEqual([]);
  expect((await as().listIncidents({ endTime: { seconds: 1_000n, nanos: 0 } })).incidents).toEqual([]);
  expect((await as().listIncidents({ asset: "site/line" })).incidents).toHaveLength(1);
  const [flood] = (await as().listIncidents({ minAlerts: 11 })).incidents;
  const { members, nextPageToken: rest } = await as().getIncident({ incidentId: flood!.id, limit: 4 });
  const more = await as().getIncident({ incidentId: flood!.id, pageToken: rest });
  expect(new Set([...members, ...more.members].map(({ alertId }) => alertId)).size).toBe(11);
});

test("a watch tells of changes of what its caller sees, and of nothing else; a token goes on behind them", async () => {
  const end = new AbortController();
  const watch = (token: string, resumeToken = "") =>
    as(token).watchIncidents({ resumeToken }, { signal: end.signal })[Symbol.asyncIterator]();
  const [all, own] = [watch(platform.adminToken), watch(ofB)];
  const { value: begin } = await all.next();
  await own.next();
  const [whole] = await withSensor("b/1");
  // Of b/ there is nothing to tell: the first that it hears is its own acknowledgement.
  await as().acknowledgeIncident({ incidentId: (await withSensor("c/1"))[0]!.id });
  expect(await as(ofB).acknowledgeIncident({ incidentId: (await withSensor("b/1", ofB))[0]!.id })).toMatchObject({
    ...{ acknowledged: 1n, remaining: 0n },
  });
  const { value: heard } = await own.next();
  expect(heard).toMatchObject({ type: IncidentEventType.CHANGED, incident: { alertCount: 1n, acknowledgedCount: 1n } });
  expect((await all.next()).value).toMatchObject({ incident: { originSensorId: "c/1", acknowledgedCount: 1n } });
  expect((await all.next()).value).toMatchObject({
    incident: { id: whole!.id, alertCount: 2n, acknowledgedCount: 1n },
  });
  const again = watch(platform.adminToken, begin!.resumeToken);
  await again.next();
  expect((await again.next()).value).toMatchObject({ incident: { originSensorId: "c/1" } });
  expect((await again.next()).value).toMatchObject({ incident: { id: whole!.id } });
  expect(await as().acknowledgeIncident({ incidentId: whole!.id })).toMatchObject({ acknowledged: 1n, remaining: 0n });
  const audit = await createClient(AdminService, platform.as(platform.adminToken)).listAuditEvents({ limit: 1 });
  expect(audit.events).toMatchObject([{ action: "incident.acknowledge", target: `incident ${whole!.id}` }]);
  end.abort();
});

test("deriving again gives the same incidents, tells watches that they missed, and is for administrators", async () => {
  await expect.poll(async () => (await withSensor("b/1"))[0]?.acknowledgedCount).toBe(2n);
  const { incidents: before } = await as().listIncidents({});
  const end = new AbortController();
  const watch = as().watchIncidents({}, { signal: end.signal })[Symbol.asyncIterator]();
  await watch.next();
  expect(await codeOf(as(ofB).rebuildIncidents({}))).toBe(Code.PermissionDenied);
  expect(await as().rebuildIncidents({})).toMatchObject({ incidents: 3n });
  expect((await as().listIncidents({})).incidents).toEqual(before);
  expect((await watch.next()).value).toMatchObject({ missed: true });
  end.abort();
});

test("REST and GraphQL answer the same", async () => {
  const headers = { authorization: `Bearer ${platform.adminToken}`, "content-type": "application/json" };
  const rest = async (path: string) => (await fetch(`${platform.http}/api/v1/incidents${path}`, { headers })).json();
  const [incident] = await withSensor("b/1");
  const list = await rest("?sensor_id=b/1&min_severity=low&state=open");
  expect(list).toMatchObject({ incidents: [{ id: Number(incident!.id), kind: "related", alert_count: 2 }] });
  expect(await rest(`/${incident!.id}`)).toMatchObject({
    incident: { id: Number(incident!.id) },
    members: [{ sensor_id: "a/1" }, { reason: { kind: "attribute", other_sensor_id: "a/1" } }],
  });
  expect(await rest("/1")).toEqual({ detail: "Incident not found" });
  const query = `{ incidents(kind: "flood") { incidents { id flood { peakAlerts } } } incident(incidentId: ${incident!.id}) { members { sensorId } } none: incident(incidentId: 1) { incident { id } } }`;
  const answer = await fetch(`${platform.http}/api/v1/graphql`, {
    method: "POST",
    headers,
    body: JSON.stringify({ query }),
  });
  expect(await answer.json()).toMatchObject({
    data: {
      incidents: { incidents: [{ flood: { peakAlerts: 11 } }] },
      incident: { members: [{ sensorId: "a/1" }, { sensorId: "b/1" }] },
      none: null,
    },
  });
});

test("a GraphQL subscription has each incident as it changes, with what goes on behind it", async () => {
  const headers = { authorization: `Bearer ${ofB}`, "content-type": "application/json", accept: "text/event-stream" };
  const query = "subscription { incidentEvents { type resumeToken missed incident { alertCount originSensorId } } }";
  const end = new AbortController();
  const body = JSON.stringify({ query });
  const response = await fetch(`${platform.http}/api/v1/graphql`, {
    method: "POST",
    headers,
    body,
    signal: end.signal,
  });
  // Answered when the watch is in place.
  await Promise.all(["a/later", "b/later"].map((sensorId) => fill(platform.as(platform.adminToken), sensorId)));
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("incidentEvents")) break;
  }
  const event = JSON.parse(/^data: (.*incidentEvents.*)$/m.exec(text)![1]!);
  expect(event.data.incidentEvents).toEqual({
    ...{ type: "opened", resumeToken: expect.stringMatching(/^\d+:\d+$/), missed: false },
    incident: { alertCount: 1, originSensorId: "b/later" },
  });
  end.abort();
});

test("the command line lists, shows, watches and acknowledges", async () => {
  const env = { TELLTALE_URL: platform.grpc, TELLTALE_TOKEN: platform.adminToken };
  const cli = async (...args: string[]) => {
    const run = runCliWith(env, "incident", ...args);
    expect([await run.ended, run.stderr()]).toEqual([0, ""]);
    return run.stdout();
  };
  const [list, [incident]] = await Promise.all([
    cli("list", "--state", "open", "--min-alerts", "3"),
    withSensor(FLOOD[0]!),
  ]);
  expect(list).toMatch(new RegExp(`^\\S+ +critical open +#${incident!.id} +Alarm flood of Flo: 11 alerts .*\n$`));
  // The id as the list prints it.
  const shown = await cli("show", `#${incident!.id}`);
  expect(shown).toMatch(/^incident \d+ \(flood\): Alarm flood of Flo/);
  expect(shown.match(/opened in an alarm flood of Flo$/gm)).toHaveLength(10);
  expect(await cli("acknowledge", String(incident!.id))).toBe("11 alerts acknowledged\n");
  expect(await cli("rebuild")).toMatch(/^5 incidents from \d+ alert events\n$/);
  const watch = runCliWith(env, "incident", "watch", "--min-severity", "low");
  // It is in place at some time, and then it prints what begins.
  let begun = 0;
  const heard = async () => {
    await fill(platform.as(platform.adminToken), `watched/${begun++}`);
    return watch.stdout();
  };
  await expect.poll(heard, { interval: 500 }).toMatch(/ opened +#\d+ +One critical alert, of watched\/\d+\n/);
  watch.process.kill("SIGINT");
  expect(await watch.ended).toBe(0);
}, 60_000);
