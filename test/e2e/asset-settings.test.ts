/** Settings of assets on the real platform: they count for the sensors in them, over every endpoint, and through a kill in the middle. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AdminService, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { DetectorConfigSource, DetectorService, Direction } from "../../gen/es/telltale/v1/detector_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { runCli } from "../../testing/cli.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";
import { allAlerts } from "../../testing/readings.ts";
import { type Secured, startSecured } from "../../testing/secured.ts";

const MINUTE = 60_000;
const startMs = Math.floor(Date.now() / MINUTE - 400) * MINUTE;

function clientsOf(transport: ReturnType<typeof createGrpcTransport>) {
  return {
    detector: createClient(DetectorService, transport),
    ingest: createClient(IngestService, transport),
    registry: createClient(RegistryService, transport),
  };
}
type Clients = ReturnType<typeof clientsOf>;

const put = ({ registry }: Clients, sensorId: string, asset: string) =>
  registry.updateSensor({ profile: { sensorId, asset }, updateFields: ["asset"] });

/** Readings of these minutes, the last of them at `last`. */
async function send({ ingest }: Clients, sensorId: string, from: number, to: number, last = 22): Promise<void> {
  const readings = Array.from({ length: to - from }, (_, k) => {
    const i = from + k;
    const value = i === to - 1 ? last : 20 + ((i * 7919) % 13) / 10;
    return {
      ...{ sensorId, sensorType: "flow", unit: "l", value },
      observedAt: timestampFromMs(startMs + i * MINUTE),
    };
  });
  await ingest.submitReadings({ readings });
}

const originOf = async ({ detector }: Clients, scope: { sensorId?: string; asset?: string }, field: string) => {
  const { origins } = await detector.getDetectorConfig(scope);
  const { source, asset } = origins.find((each) => each.field === field)!;
  return source === DetectorConfigSource.ASSET ? asset : source;
};

describe("on one platform", () => {
  let platform: Platform;
  let it: Clients;
  beforeAll(async () => {
    platform = await startPlatform();
    it = clientsOf(createGrpcTransport({ baseUrl: platform.grpc }));
    for (const sensorId of ["pump-1", "pump-2", "valve-1"]) await send(it, sensorId, 0, 60, 20);
  }, 120_000);
  afterAll(() => platform?.stop());

  const reasons = async (sensorId: string) =>
    (await allAlerts(platform.grpc, sensorId)).map(({ detector }) => detector);

  test("they count for the sensors in the asset from then on, and a sensor that leaves it is rid of them", async () => {
    await put(it, "pump-1", "site/boiler house");
    await put(it, "pump-2", "site/boiler");
    const set = await it.detector.setDetectorConfig({ config: { asset: "site/boiler house", rangeMax: 21.5 } });
    expect(set.pending).toBe(0n);
    await it.detector.setDetectorConfig({ config: { asset: "site", timeZone: "Europe/Berlin" } });
    expect(await originOf(it, { sensorId: "pump-1" }, "range_max")).toBe("site/boiler house");
    expect(await originOf(it, { sensorId: "pump-1" }, "time_zone")).toBe("site");
    expect(await originOf(it, { asset: "site/boiler house" }, "time_zone")).toBe("site");
    expect(await originOf(it, { sensorId: "pump-2" }, "range_max")).toBe(DetectorConfigSource.PLATFORM);
    expect((await it.detector.getDetectorConfig({ sensorId: "pump-2" })).config!.timeZone).toBe("Europe/Berlin");
    expect((await it.detector.getDetectorConfig({ sensorId: "valve-1" })).config!.timeZone).toBe("UTC");
    await send(it, "pump-1", 60, 80);
    await send(it, "pump-2", 60, 80);
    expect(await reasons("pump-1")).toContain("impossible range");
    expect(await reasons("pump-2")).not.toContain("impossible range");

    await put(it, "pump-2", "site/boiler house");
    await put(it, "pump-1", "elsewhere");
    expect(await originOf(it, { sensorId: "pump-1" }, "range_max")).toBe(DetectorConfigSource.PLATFORM);
    expect(await originOf(it, { sensorId: "pump-2" }, "range_max")).toBe("site/boiler house");
    await send(it, "pump-2", 80, 100);
    expect(await reasons("pump-2")).toContain("impossible range");
  });

  test("the command line, REST and GraphQL set them, say where a value comes from, and try them first", async () => {
    const tried = runCli(
      ...["config", "set", "--url", platform.grpc, "--asset", "site/boiler house", "--off", "yes", "--dry-run"],
    );
    expect(await tried.ended, tried.stderr()).toBe(0);
    expect(tried.stdout()).toContain("Nothing was changed. Over their last 30 days, the 1 sensor concerned");
    const fewer = Number(/would have raised (\d+) fewer/.exec(tried.stdout())![1]);
    expect(fewer).toBeGreaterThan(0);
    const set = runCli("config", "set", "--url", platform.grpc, "--asset", "site", "--direction", "high");
    expect(await set.ended, set.stderr()).toBe(0);
    expect(set.stdout()).toMatch(/Settings of asset site:[\s\S]*time_zone +Europe\/Berlin +set for asset site/);
    const shown = runCli("config", "show", "--url", platform.grpc, "--sensor-id", "pump-2");
    expect(await shown.ended, shown.stderr()).toBe(0);
    expect(shown.stdout()).toMatch(/range_max +21\.5 +set for asset site\/boiler house\n/);
    expect(shown.stdout()).toMatch(/direction +high +set for asset site\n/);

    const rest = await fetch(`${platform.http}/api/v1/detector/settings?asset=site%2Fboiler%20house`);
    expect(await rest.json()).toMatchObject({ config: { asset: "site/boiler house", range_max: 21.5 } });
    const query = `mutation { changeDetectorSettings(config: { asset: "site/boiler", rangeMax: 70 }) { config { asset rangeMax timeZone } origins { field source asset } } }`;
    const graphql = await fetch(`${platform.http}/api/v1/graphql`, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ query }) },
    });
    const { data } = (await graphql.json()) as {
      data: { changeDetectorSettings: { config: object; origins: object[] } };
    };
    expect(data.changeDetectorSettings.config).toEqual({
      ...{ asset: "site/boiler", rangeMax: 70, timeZone: "Europe/Berlin" },
    });
    expect(data.changeDetectorSettings.origins).toContainEqual({ field: "time_zone", source: "asset", asset: "site" });
    const audit = createClient(AdminService, createGrpcTransport({ baseUrl: platform.grpc }));
    const targets = (await audit.listAuditEvents({})).events.map(({ target }) => target);
    expect(targets).toContain('asset "site/boiler house"');
  });

  test("a backtest takes settings of an asset for the sensors that are in it now", async () => {
    await put(it, "valve-1", "yard");
    const alerts = async (rangeMax: number) => {
      const found: string[] = [];
      const request = { sensorIds: ["valve-1", "pump-1"], config: { asset: "yard", rangeMax } };
      for await (const response of it.detector.backtest(request)) {
        found.push(...response.alerts.map(({ sensorId, detector }) => `${sensorId} ${detector}`));
      }
      return found;
    };
    expect(await alerts(15)).toContain("valve-1 impossible range");
    expect(await alerts(15)).not.toContain("pump-1 impossible range");
    expect(await alerts(1e6)).not.toContain("valve-1 impossible range");
  });

  test("an asset that is no path, and one beside a type, are refused", async () => {
    const call = (config: object) => it.detector.setDetectorConfig({ config });
    for (const [config, message] of [
      [{ asset: "a//b" }, /config\.asset: it is "a\/\/b": give names with one slash/],
      [{ asset: "a", sensorType: "flow" }, /config\.asset: it is "a", and sensor_type is "flow"/],
    ] as const)
      await expect(call(config)).rejects.toMatchObject({
        code: Code.InvalidArgument,
        message: expect.stringMatching(message),
      });
  });
});

describe("with rights", () => {
  let platform: Secured;
  beforeAll(async () => {
    platform = await startSecured();
  }, 120_000);
  afterAll(() => platform?.stop());

  test("whoever is limited to some sensors sees settings of their assets, changes none, and moves only his own", async () => {
    const admin = clientsOf(platform.as(platform.adminToken));
    await put(admin, "a/1", "site/hall");
    await put(admin, "b/1", "site/yard");
    await admin.detector.setDetectorConfig({ config: { asset: "site", direction: Direction.LOW } });
    await admin.detector.setDetectorConfig({ config: { asset: "site/hall", rangeMax: 5 } });
    const tokens = createClient(AdminService, platform.as(platform.adminToken));
    const scopes = [Scope.READ, Scope.OPERATE];
    const { secret } = await tokens.createToken({ token: { name: "hall", scopes, sensorPrefix: "a/" } });
    const some = clientsOf(platform.as(secret));
    expect((await some.detector.getDetectorConfig({ asset: "site/hall" })).config).toMatchObject({
      ...{ rangeMax: 5, direction: Direction.LOW },
    });
    await expect(some.detector.getDetectorConfig({ asset: "site/yard" })).rejects.toMatchObject({
      ...{ code: Code.NotFound, message: expect.stringContaining('there is no asset "site/yard" with sensors "a/…"') },
    });
    await expect(
      some.detector.setDetectorConfig({ config: { asset: "site/hall", rangeMax: 9 } }),
    ).rejects.toMatchObject({ code: Code.PermissionDenied });
    await expect(put(some, "b/1", "site/hall")).rejects.toMatchObject({ code: Code.PermissionDenied });
  });
});

test("killed in the middle, it goes on at the next start, until all of the asset's sensors have the settings", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "telltale-assets-"));
  const SENSORS = 12_000;
  let platform = await startPlatform({ DATA_DIR: dataDir });
  try {
    const first = clientsOf(createGrpcTransport({ baseUrl: platform.grpc }));
    const name = (i: number) => `s-${String(i).padStart(5, "0")}`;
    const changes = Array.from({ length: SENSORS }, (_, i) => ({
      ...{ profile: { sensorId: name(i), asset: `big/line ${i % 7}` }, updateFields: ["asset"] },
    }));
    await first.registry.applySensors({ changes: changes.slice(0, 6_000) });
    await first.registry.applySensors({ changes: changes.slice(6_000) });
    const config = { asset: "big", rangeMax: 70 };
    const set = first.detector.setDetectorConfig({ config }).then(
      () => "answered",
      () => "killed",
    );
    let pending = 0n;
    while (pending === 0n || pending > BigInt(SENSORS)) {
      ({ pending } = await first.detector.getDetectorConfig({ asset: "big" }));
    }
    await end(platform.process, "SIGKILL");
    expect(await set).toBe("killed");
    platform = await startPlatform({ DATA_DIR: dataDir });
    const again = clientsOf(createGrpcTransport({ baseUrl: platform.grpc }));
    while ((await again.detector.getDetectorConfig({ asset: "big" })).pending > 0n);
    for (const i of [0, 1_999, 2_000, 7_777, SENSORS - 1]) {
      await again.ingest.submitReadings({ readings: [{ sensorId: name(i), sensorType: "t", unit: "l", value: 1 }] });
      expect(await originOf(again, { sensorId: name(i) }, "range_max")).toBe("big");
    }
  } finally {
    await platform.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}, 240_000);
