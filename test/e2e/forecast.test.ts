/** Forecasts as users ask for them: over every endpoint, with limits, and where there can be none. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDeviceClient } from "../../client/index.ts";
import { DetectorService, type ForecastPoint } from "../../gen/es/telltale/v1/detector_pb.ts";
import { toMicros as timestampUs } from "../../server/lib/time.ts";
import { runCli } from "../../testing/cli.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

const START_MS = Date.UTC(2026, 0, 5);
const STEP_MS = 600_000;
const PER_DAY = 144;
const DAYS = 21;
const FUTURE = PER_DAY;
let platform: Platform;
const detector = () => createClient(DetectorService, createGrpcTransport({ baseUrl: platform.grpc }));

const noise = (n: number) => ((Math.imul(n ^ 0x5bd1e995, 0x9e3779b1) >>> 8) % 2000) / 1000 - 1;
/** A daily course with noise. */
const boiler = (n: number) => 60 + 8 * Math.sin((2 * Math.PI * n) / PER_DAY) + noise(n);
const timeUs = (n: number) => (START_MS + n * STEP_MS) * 1000;

beforeAll(async () => {
  platform = await startPlatform();
  const device = createDeviceClient({ url: platform.grpc, producer: "plant" });
  for (let n = 0; n < DAYS * PER_DAY; n++) {
    const about = { sensorType: "temperature", unit: "C", observedAtUs: timeUs(n) };
    await device.send({ ...about, sensorId: "boiler", value: boiler(n) });
    await device.send({ ...about, sensorId: "meter", value: n });
  }
  await device.send({ sensorId: "new", sensorType: "temperature", unit: "C", value: 1, observedAtUs: timeUs(0) });
  await device.flush();
  await device.close();
}, 120_000);
afterAll(() => platform?.stop());

test("what comes later is within the intervals as often as they say, and follows the course of the day", async () => {
  const answer = await detector().forecast({ sensorId: "boiler", hours: 24, points: FUTURE });
  expect(answer).toMatchObject({ sensorId: "boiler", unit: "C", crossings: [] });
  expect(answer.points).toHaveLength(FUTURE);
  const last = DAYS * PER_DAY - 1;
  expect(timestampUs(answer.points[0]!.time!)).toBe(timeUs(last + 1));
  const share = (within: (p: ForecastPoint, value: number) => boolean) =>
    answer.points.filter((p, k) => within(p, boiler(last + 1 + k))).length / FUTURE;
  expect(share((p, v) => v >= p.lower50 && v <= p.upper50)).toBeGreaterThan(0.35);
  expect(share((p, v) => v >= p.lower80 && v <= p.upper80)).toBeGreaterThan(0.7);
  expect(share((p, v) => v >= p.lower95 && v <= p.upper95)).toBeGreaterThan(0.88);
  expect(share((p, v) => Math.abs(p.expected - v) < 2.5)).toBeGreaterThan(0.9);
  for (const p of answer.points) {
    const ends = [p.lower95, p.lower80, p.lower50, p.upper50, p.upper80, p.upper95];
    expect([...ends].sort((a, b) => a - b)).toEqual(ends);
    expect(p.upper80 - p.lower80).toBeLessThan(8);
  }
  expect(answer.basis).toMatch(/^Computed from its newest 3000 readings; intervals follow from \d+ and more earlier/);
});

test("a limit of the settings that it is heading for is named with its time", async () => {
  const service = detector();
  await service.setDetectorConfig({ config: { sensorId: "boiler", rangeMax: 66, rangeMin: 20 } });
  const { crossings, from } = await service.forecast({ sensorId: "boiler", hours: 24, points: 96 });
  expect(crossings.map(({ setting, limit }) => [setting, limit])).toEqual([["range_max", 66]]);
  const [crossing] = crossings;
  const hours = (timestampUs(crossing!.expected!) - timestampUs(from!)) / 3600e6;
  // The course passes 66 about 3.2 hours after the day's begin.
  expect(hours).toBeGreaterThan(2);
  expect(hours).toBeLessThan(4.5);
  expect(crossing!.probability).toBeGreaterThan(0.8);
  await service.setDetectorConfig({ config: { sensorId: "boiler" } });
});

test("what a sensor says in a maintenance window counts for no forecast", async () => {
  const service = detector();
  const device = createDeviceClient({ url: platform.grpc, producer: "workshop" });
  const send = async (from: number, to: number, value: (n: number) => number) => {
    for (let n = from; n < to; n++)
      await device.send({
        sensorId: "oven",
        sensorType: "temperature",
        unit: "C",
        value: value(n),
        observedAtUs: timeUs(n),
      });
    await device.flush();
  };
  const [opened, closed, end] = [8 * PER_DAY, 9 * PER_DAY, 10 * PER_DAY];
  await send(0, opened, boiler);
  const at = (n: number) => timestampFromMs(START_MS + n * STEP_MS);
  const window = { sensorId: "oven", startTime: at(opened), endTime: at(closed), comment: "taken apart" };
  await service.createMaintenanceWindow({ window });
  await send(opened, closed, () => -500);
  // The newest readings are in the window: what is expected follows from those before it, and reaches a day less far.
  const { points: amid } = await service.forecast({ sensorId: "oven", hours: 36, points: 4 });
  await send(closed, end, boiler);
  const { points: after } = await service.forecast({ sensorId: "oven", hours: 12, points: 4 });
  await device.close();
  expect([amid.length, after.length]).toEqual([4, 4]);
  for (const point of [...amid, ...after]) expect(point.lower95).toBeGreaterThan(40);
});

test("of a counter, of a new sensor and of none there is no forecast, and each says why", async () => {
  const service = detector();
  const short = await service.forecast({ sensorId: "new" });
  expect(short).toMatchObject({ points: [], basis: expect.stringMatching(/^None: .* too few/) });
  const far = await service.forecast({ sensorId: "boiler", hours: 700 });
  expect(far.points).toHaveLength(48);
  const hours = (timestampUs(far.points.at(-1)!.time!) - timestampUs(far.from!)) / 3600e6;
  expect(hours).toBeGreaterThan(48);
  expect(hours).toBeLessThanOrEqual((DAYS * 24) / 4);
  expect(far.basis).toMatch(/has to be four times as long/);
  await service.setDetectorConfig({ config: { sensorId: "meter", counter: true } });
  for (const [request, code, message] of [
    [{ sensorId: "meter" }, Code.InvalidArgument, /"meter" is a counter/],
    [{ sensorId: "nobody" }, Code.NotFound, /"nobody" has no reading/],
    [{ sensorId: "boiler", hours: 0 }, Code.InvalidArgument, /hours/],
  ] as const) {
    await expect(service.forecast(request)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  }
});

test("GraphQL, REST and the command line give the same", async () => {
  const grpc = await detector().forecast({ sensorId: "boiler", hours: 2, points: 2 });
  const query = `{ forecast(sensorId: "boiler", hours: 2, points: 2) { unit points { time expected lower95 upper95 } basis } 
    nobody: forecast(sensorId: "nobody") { unit } }`;
  const headers = { "content-type": "application/json", accept: "application/json" };
  const body = JSON.stringify({ query });
  const response = await fetch(`${platform.http}/api/v1/graphql`, { method: "POST", headers, body });
  const { data, errors } = await response.json();
  expect(errors).toBeUndefined();
  expect(data.nobody).toBeNull();
  expect(data.forecast.points.map((p: { expected: number }) => p.expected)).toEqual(grpc.points.map((p) => p.expected));
  const url = `${platform.http}/api/v1/detector/forecast`;
  const rest = await (await fetch(`${url}?sensor_id=boiler&hours=2&points=2`)).json();
  expect(rest.points.map((p: { upper_95: number }) => p.upper_95)).toEqual(grpc.points.map((p) => p.upper95));
  expect((await fetch(`${url}?sensor_id=nobody`)).status).toBe(404);
  const cli = runCli("forecast", "boiler", "--hours", "2", "--points", "2", "--url", platform.grpc);
  expect(await cli.ended).toBe(0);
  expect(cli.stdout()).toMatch(/^boiler in C, after its newest reading at 2026-01-25T23:50:00/);
  expect(
    cli
      .stdout()
      .split("\n")
      .filter((line) => line.startsWith("2026-01-26T")),
  ).toHaveLength(2);
});
