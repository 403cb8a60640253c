/** What the other sensors of an alert's asset did, by every endpoint, and told to whom it is allowed. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { AlertPeerState, AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { runCliWith } from "../../testing/cli.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";

const ASSET = "site/line/press";
/** More sensors than are compared, by their order behind the others. */
const SPARE = Array.from({ length: 7 }, (_, i) => `z/${i}`);

let platform: Secured;
const as = (token = platform.adminToken) => createClient(AlertService, platform.as(token));
const alertOf = async (sensorId: string) => (await as().listAlerts({ sensorId })).alerts[0]!.id;

beforeAll(async () => {
  platform = await startSecured();
  const transport = platform.as(platform.adminToken);
  const registry = createClient(RegistryService, transport);
  const members = ["a/1", "a/2", "b/1", ...SPARE];
  await registry.applySensors({ changes: members.map((sensorId) => ({ profile: { sensorId, asset: ASSET } })) });
  for (const sensorId of ["a/1", "a/2", "alone"]) await fill(transport, sensorId);
  const readings = Array.from({ length: 120 }, (_, i) => ({
    ...{ sensorId: "b/1", sensorType: "temperature", unit: "C", value: 20 + Math.sin(i) / 10 },
    observedAt: { seconds: BigInt(Math.floor(Date.now() / 1000) - 120 + i), nanos: 0 },
  }));
  await createClient(IngestService, transport).submitReadings({ readings });
}, 120_000);
afterAll(() => platform?.stop());

test("the other sensors of the asset are told as they were when the alert opened, at most eight", async () => {
  const answer = await as().getAlertPeers({ alertId: await alertOf("a/1") });
  expect(answer).toMatchObject({ asset: ASSET, leftOut: 1n });
  expect(answer.peers.map(({ sensorId }) => sensorId)).toEqual(["a/2", "b/1", ...SPARE.slice(0, 6)]);
  expect(answer.peers.slice(0, 3)).toMatchObject([
    { state: AlertPeerState.ABOVE, value: 500 },
    { state: AlertPeerState.AS_USUAL, expected: expect.closeTo(20, 0) },
    { state: AlertPeerState.NO_READING },
  ]);
  expect(answer.peers[2]!.value).toBeUndefined();
  expect(answer.summary).toBe(
    `1 of 2 other sensors of ${ASSET} was abnormal at the same time (1 above what was expected), 1 as usual.`,
  );
});

test("what was abnormal is found among many readings that were not", async () => {
  const registry = createClient(RegistryService, platform.as(platform.adminToken));
  await registry.applySensors({
    changes: ["f/1", "f/2"].map((sensorId) => ({ profile: { sensorId, asset: "fast" } })),
  });
  for (const sensorId of ["f/1", "f/2"]) await fill(platform.as(platform.adminToken), sensorId);
  const count = 2_500;
  const block = {
    ...{ sensorId: "f/2", sensorType: "temperature", unit: "C", baseTimeUs: BigInt(Date.now()) * 1_000n },
    ...{
      timeDeltasUs: Array(count).fill(1_000),
      values: Array.from({ length: count }, (_, i) => 20 + Math.sin(i) / 10),
    },
  };
  await createClient(IngestService, platform.as(platform.adminToken)).submitReadings({ blocks: [block] });
  const { peers } = await as().getAlertPeers({ alertId: await alertOf("f/1") });
  expect(peers).toMatchObject([{ sensorId: "f/2", state: AlertPeerState.ABOVE, value: 500 }]);
});

test("a sensor without an asset has no peers, and an alert that there is not is not found", async () => {
  expect(await as().getAlertPeers({ alertId: await alertOf("alone") })).toMatchObject({ asset: "", peers: [] });
  const missing = as().getAlertPeers({ alertId: 1n });
  await expect(missing).rejects.toSatisfy((error) => ConnectError.from(error).code === Code.NotFound);
});

test("who may see some sensors is told of these alone", async () => {
  const { secret } = await platform.mint([Scope.READ], "a/");
  const answer = await as(secret).getAlertPeers({ alertId: await alertOf("a/1") });
  expect(answer.peers.map(({ sensorId }) => sensorId)).toEqual(["a/2"]);
  expect(answer.leftOut).toBe(0n);
  expect(answer.summary).toMatch(/^1 of 1 other sensor /);
});

test("the command prints them", async () => {
  const env = { TELLTALE_URL: platform.grpc, TELLTALE_TOKEN: platform.adminToken };
  const run = runCliWith(env, "incident", "peers", String(await alertOf("a/1")));
  expect([await run.ended, run.stderr()]).toEqual([0, ""]);
  expect(run.stdout()).toMatch(/^1 of 2 other sensors of site\/line\/press was abnormal/);
  expect(run.stdout()).toMatch(/ {2}above {6} .* a\/2 {2}500 where \d+(\.\d+)? was expected/);
  expect(run.stdout()).toContain("Not looked at: 1 more sensor.");
});

test("a sensor that is retired is still none of its peers, and retired ones are not counted", async () => {
  const registry = createClient(RegistryService, platform.as(platform.adminToken));
  await registry.retireSensors({ sensorIds: ["a/1"] });
  const of = async (sensorId: string) => as().getAlertPeers({ alertId: await alertOf(sensorId) });
  await expect.poll(async () => (await of("a/2")).leftOut).toBe(0n);
  expect(await of("a/1")).toMatchObject({ leftOut: 1n, peers: [{ sensorId: "a/2" }, ...Array(7).fill({})] });
});
