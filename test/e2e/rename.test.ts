/** A sensor gets another id, on the real platform: by REST, GraphQL and the command line, while it sends and when the process is killed. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import { IncidentService } from "../../gen/es/telltale/v1/incident_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { runCli } from "../../testing/cli.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
}, 120_000);
afterAll(() => platform?.stop());

function clientsOf({ grpc }: Platform) {
  const transport = createGrpcTransport({ baseUrl: grpc });
  return {
    alerts: createClient(AlertService, transport),
    detector: createClient(DetectorService, transport),
    incidents: createClient(IncidentService, transport),
    ingest: createClient(IngestService, transport),
    query: createClient(QueryService, transport),
    registry: createClient(RegistryService, transport),
    watch: createClient(WatchService, transport),
  };
}
type Clients = ReturnType<typeof clientsOf>;

const MINUTE = 60_000;
/** Whole minutes, some days ago. */
const startMs = Math.floor(Date.now() / MINUTE - 4000) * MINUTE;

/** Readings of minutes `from` to `to`, with a fault at 600. */
function readings(sensorId: string, from: number, to: number) {
  return Array.from({ length: to - from }, (_, k) => {
    const i = from + k;
    const value = i === 600 || i === 601 ? 500 : 20 + Math.sin(i / 7) + ((i * 7919) % 13) / 10;
    return {
      ...{ sensorId, sensorType: "flow", unit: "l", value },
      observedAt: timestampFromMs(startMs + i * MINUTE),
    };
  });
}

async function send({ ingest }: Clients, sensorId: string, from: number, to: number) {
  const { counts } = await ingest.submitReadings({ readings: readings(sensorId, from, to) });
  return counts!;
}

async function history({ query }: Clients, sensorId: string) {
  const { readings: found } = await query.listReadings({ sensorId, limit: 1000 });
  return found.map(({ sensorId: shown, observedAt, value, anomalyScore, confidence, expected }) => ({
    ...{ shown, at: Number(observedAt!.seconds), value, anomalyScore, confidence, expected },
  }));
}

const scores = (found: Awaited<ReturnType<typeof history>>) => found.map(({ shown, ...rest }) => rest);

describe("a sensor that is renamed", () => {
  let c: Clients;
  beforeAll(() => {
    c = clientsOf(platform);
  });

  test("goes on under the new id with its history, settings, alerts and scores, and its former id leads to it", async () => {
    for (const id of ["same", "old"]) {
      await send(c, id, 0, 300);
      await c.detector.setDetectorConfig({ config: { sensorId: id, alarmsPerSensorDay: 20 } });
    }
    await c.registry.updateSensor({ profile: { sensorId: "old", owner: "Ann", tags: ["hot"] }, updateFields: [] });
    const { sensor } = await c.registry.renameSensor({ sensorId: "old", newSensorId: "new" });
    expect(sensor).toMatchObject({ sensorId: "new", otherIds: ["old"], owner: "Ann", tags: ["hot"] });
    await send(c, "same", 300, 700);
    expect(await send(c, "new", 300, 500)).toMatchObject({ accepted: 200n });
    expect(await send(c, "old", 500, 700)).toMatchObject({ accepted: 200n });

    const under = await history(c, "new");
    expect(new Set(under.map(({ shown }) => shown))).toEqual(new Set(["new"]));
    expect(under).toHaveLength(700);
    // To the bit: the other sensor was never renamed.
    expect(scores(under)).toEqual(scores(await history(c, "same")));
    expect(await history(c, "old")).toEqual(under);

    const { sensors } = await c.registry.listSensors({ matchers: ['sensor_id=~"new|old"'] });
    expect(sensors.map(({ sensorId }) => sensorId)).toEqual(["new"]);
    const { config } = await c.detector.getDetectorConfig({ sensorId: "new" });
    expect(config).toMatchObject({ sensorId: "new", alarmsPerSensorDay: 20 });
    await c.detector.setDetectorConfig({ config: { sensorId: "old", alarmsPerSensorDay: 30 } });
    expect((await c.detector.getDetectorConfig({ sensorId: "new" })).config).toMatchObject({ alarmsPerSensorDay: 30 });
    const stats = await c.query.getSensorStats({ sensorId: "old" });
    expect(stats).toMatchObject({ sensorId: "new", totalReadings: 700n });
    expect(await c.detector.explainReading({ sensorId: "new" })).toMatchObject({ reproduced: true });

    const { alerts } = await c.alerts.listAlerts({ sensorId: "old" });
    expect(alerts.length).toBeGreaterThan(0);
    expect(new Set(alerts.map(({ sensorId }) => sensorId))).toEqual(new Set(["new"]));
    const { alert } = await c.detector.labelAlert({ alertId: alerts[0]!.id, correct: false, comment: "a test" });
    expect(alert).toMatchObject({ sensorId: "new", labelCorrect: false });
  });

  test("is found again by a backtest, reading by reading, with the settings that were made under each id", async () => {
    let summary: { readings: bigint; changed: bigint } | undefined;
    for await (const { summary: end, readingsTotal } of c.detector.backtest({ sensorIds: ["old"] }))
      if (end !== undefined) summary = { readings: readingsTotal, changed: end.readingsChanged };
    expect(summary).toEqual({ readings: 700n, changed: 0n });
  });

  test("is watched on: readings and alert events come under the new id, in watches of the one id and the other", async () => {
    await send(c, "seen", 0, 590);
    const ends = new AbortController();
    const options = { signal: ends.signal };
    const reading = c.watch.watchReadings({ sensorId: "seen" }, options)[Symbol.asyncIterator]();
    const events = c.watch.watchAlerts({ sensorId: "seen" }, options)[Symbol.asyncIterator]();
    const all = c.watch.watchAlerts({}, options)[Symbol.asyncIterator]();
    await Promise.all([reading.next(), events.next(), all.next()]);
    await c.registry.renameSensor({ sensorId: "seen", newSensorId: "shown" });
    await send(c, "seen", 590, 602);
    const live: string[] = [];
    while (live.length < 12) {
      const { readings: found } = (await reading.next()).value as { readings: { sensorId: string }[] };
      live.push(...found.map(({ sensorId }) => sensorId));
    }
    expect(new Set(live)).toEqual(new Set(["shown"]));
    const told = await Promise.all([events, all].map(async (watch) => (await watch.next()).value!.event!.alert!));
    for (const alert of told) {
      expect(alert.sensorId).toBe("shown");
      expect(alert.message).toMatch(/shown/);
    }
    const resumed = c.watch.watchAlerts({ sensorId: "shown" }, options)[Symbol.asyncIterator]();
    await resumed.next();
    ends.abort();
    const { incidents } = await c.incidents.listIncidents({ sensorId: "seen" });
    expect(incidents.every(({ originSensorId }) => originSensorId === "shown")).toBe(true);
  });

  test("loses nothing and gets nothing twice while its device changes the id under which it sends", async () => {
    let renamed = false;
    const first = await send(c, "before", 0, 10);
    const sending = (async () => {
      let [accepted, from] = [first.accepted, 10];
      for (; from < 600 || !renamed; from += 10) {
        const counts = await send(c, renamed ? "after" : "before", from, from + 10);
        accepted += counts.accepted;
      }
      return { accepted, sent: from };
    })();
    await send(c, "before-twin", 0, 600);
    await c.registry.renameSensor({ sensorId: "before", newSensorId: "after" });
    renamed = true;
    const { accepted, sent } = await sending;
    expect(accepted).toBe(BigInt(sent));
    const found = await history(c, "after");
    expect(found).toHaveLength(sent);
    expect(scores(found).slice(-600)).toEqual(scores(await history(c, "before-twin")));
  });
});

describe("by each way in", () => {
  async function rest(method: string, path: string, body?: unknown) {
    const response = await fetch(`${platform.http}/api/v1/sensors${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  }
  const post = (id: string) => rest("POST", "/data", { sensor_id: id, sensor_type: "flow", value: 1, unit: "l" });

  test("REST", async () => {
    await post("r/1");
    await post("r/other");
    expect(await rest("POST", "/r%2F1/rename", { new_sensor_id: "r/2" })).toMatchObject({
      status: 200,
      body: { sensor_id: "r/2", other_ids: ["r/1"] },
    });
    expect(await post("r/1")).toMatchObject({ status: 200, body: { sensor_id: "r/2" } });
    expect(await rest("GET", "/data/r%2F1/latest")).toMatchObject({ status: 200, body: { sensor_id: "r/2" } });
    expect((await rest("GET", "/data?sensor_id=r%2F1")).body).toHaveLength(2);
    expect(await rest("POST", "/nobody/rename", { new_sensor_id: "x" })).toMatchObject({ status: 404 });
    expect(await rest("POST", "/r%2F2/rename", { new_sensor_id: "r/other" })).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/there is a sensor "r\/other"/) },
    });
    const missing = await rest("POST", "/r%2F2/rename", {});
    expect(missing).toMatchObject({ status: 422, body: { detail: [{ loc: ["body", "new_sensor_id"] }] } });
    const empty = await rest("POST", "/r%2F2/rename", { new_sensor_id: "" });
    expect(empty).toMatchObject({ status: 422, body: { detail: [{ loc: ["body", "new_sensor_id"] }] } });
    const document = (await (await fetch(`${platform.http}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    expect(document.paths["/api/v1/sensors/{sensor_id}/rename"]).toHaveProperty("post");
  });

  test("GraphQL", async () => {
    await post("g1");
    await post("g/other");
    const graphql = async (query: string) => {
      const response = await fetch(`${platform.http}/api/v1/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query }),
      });
      return (await response.json()) as { data: unknown; errors?: { extensions: { code: string } }[] };
    };
    const { data } = await graphql(
      `mutation { renameSensor(sensorId: "g1", newSensorId: "g2") { sensorId otherIds series { totalReadings } } }`,
    );
    expect(data).toEqual({ renameSensor: { sensorId: "g2", otherIds: ["g1"], series: [{ totalReadings: 1 }] } });
    expect((await graphql(`{ sensorData(sensorId: "g1") { sensorId } }`)).data).toEqual({
      sensorData: [{ sensorId: "g2" }],
    });
    const taken = await graphql(`mutation { renameSensor(sensorId: "g2", newSensorId: "g/other") { sensorId } }`);
    expect(taken.errors?.[0]?.extensions.code).toBe("CONFLICT");
  });

  test("the command line", async () => {
    await post("c1");
    const cli = async (...args: string[]) => {
      const run = runCli("sensor", ...args, "--url", platform.grpc);
      return { code: await run.ended, stdout: run.stdout(), stderr: run.stderr() };
    };
    const { code, stdout } = await cli("rename", "c1", "c2");
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^c2 {2}ok[^\n]*\nother ids: c1\n/)]);
    expect((await cli("show", "c1")).stdout).toMatch(/^c2 {2}ok/);
    const again = await cli("rename", "c2", "c2");
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/"c2" is the id that the sensor has/)]);
  });
});

test("whatever is killed in the middle, a sensor is under one id or the other, whole, and the call can be repeated", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "telltale-rename-"));
  try {
    let victim = await startPlatform({ DATA_DIR: dataDir });
    let total = 0;
    for (let round = 0; round < 3; round++) {
      const c = clientsOf(victim);
      await send(c, "k0", total, total + 50);
      total += 50;
      const calls = Array.from({ length: 20 }, (_, i) =>
        c.registry.renameSensor({ sensorId: "k0", newSensorId: `k${round}${i}` }).catch(() => undefined),
      );
      // Some of them are answered, others under way or not begun.
      await Promise.race(calls.slice(round));
      await end(victim.process, "SIGKILL");
      await Promise.all(calls);
      victim = await startPlatform({ DATA_DIR: dataDir });
      const after = clientsOf(victim);
      const { sensors } = await after.registry.listSensors({});
      expect(sensors).toHaveLength(1);
      const { sensorId, otherIds } = sensors[0]!;
      const found = await history(after, "k0");
      expect(found).toHaveLength(total);
      expect(new Set(found.map(({ shown }) => shown))).toEqual(new Set([sensorId]));
      for (const id of otherIds) await send(after, id, total, ++total);
      expect(await history(after, sensorId)).toHaveLength(total);
      if (sensorId === "k0") continue;
      expect((await after.registry.renameSensor({ sensorId, newSensorId: "k0" })).sensor?.sensorId).toBe("k0");
    }
    await victim.stop();
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}, 300_000);
