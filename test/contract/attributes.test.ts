/** What is known of a sensor: given with readings, kept where it changes, and found with the sensor. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDeviceClient, type DeviceReading } from "../../client/index.ts";
import { IngestService, RefusalReason } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";

const T0 = 1_760_000_000;
let platform: Platform;
let sql: postgres.Sql;
const transport = () => createGrpcTransport({ baseUrl: platform.grpc });
const ingest = () => createClient(IngestService, transport());
const openSql = () =>
  postgres({ path: `${platform.dataDir}/postgres/.s.PGSQL.5432`, database: "telltale", username: "telltale", max: 1 });

beforeAll(async () => {
  platform = await startPlatform();
  sql = openSql();
});
afterAll(async () => {
  await sql?.end();
  await platform?.stop();
});

const at = (second: number) => ({ observedAt: { seconds: BigInt(T0 + second), nanos: 0 } });
const reading = (sensorId: string, second: number, attributes: Record<string, string> = {}) => ({
  ...{ sensorId, sensorType: "temperature", unit: "C", value: second, attributes },
  ...at(second),
});
const send = (...readings: ReturnType<typeof reading>[]) => ingest().submitReadings({ readings });

/** The attributes that hold now. */
async function found(sensorId: string): Promise<unknown> {
  const { sensors } = await createClient(QueryService, transport()).listSensors({});
  return sensors.find((sensor) => sensor.sensorId === sensorId)?.attributes;
}
/** All changes, with their seconds. */
async function changes(sensorId: string): Promise<unknown[]> {
  const rows =
    await sql`select since_us, attributes from sensor_attributes where sensor_id = ${sensorId} order by since_us`;
  return rows.map((r) => [Number(r.since_us) / 1e6 - T0, r.attributes]);
}

test("a change is kept with the time of its reading; what is repeated, or empty, is none", async () => {
  const [first, second] = [{ line: "3", machine: "press" }, { line: "4" }];
  await send(reading("a", 1, first), reading("a", 2, first), reading("a", 3));
  await send(reading("a", 4, first));
  await send(reading("a", 5, second), reading("a", 6, first), reading("a", 7, second));
  expect(await changes("a")).toEqual([
    [1, first],
    [5, second],
    [6, first],
    [7, second],
  ]);
  expect(await found("a")).toEqual(second);
});

test("a late reading tells what held then, and changes nothing of what holds now", async () => {
  await send(reading("late", 10, { owner: "now" }));
  await send(reading("late", 5, { owner: "then" }));
  expect(await changes("late")).toEqual([
    [5, { owner: "then" }],
    [10, { owner: "now" }],
  ]);
  expect(await found("late")).toEqual({ owner: "now" });
});

test("blocks bring them as readings do, from their first good point on", async () => {
  const columns = { baseTimeUs: BigInt(T0) * 1_000_000n, timeDeltasUs: [1e6, 1e6], values: [Number.NaN, 2] };
  const block = { sensorId: "block", sensorType: "t", unit: "C", attributes: { site: "é/1" }, ...columns };
  const { counts } = await ingest().submitReadings({ blocks: [block] });
  expect(counts).toMatchObject({ accepted: 1n, rejected: 1n });
  expect(await changes("block")).toEqual([[2, { site: "é/1" }]]);
});

test("a device's stream sends them, and GraphQL gives them back", async () => {
  const device = createDeviceClient({ url: platform.grpc, producer: "attributes" });
  const one: DeviceReading = { sensorId: "streamed", sensorType: "t", unit: "C", value: 1, observedAtUs: T0 * 1e6 };
  await device.send({ ...one, attributes: { rack: "7" } });
  await device.send({ ...one, observedAtUs: T0 * 1e6 + 1, attributes: { rack: "8" } });
  await device.flush();
  await device.close();
  const query = "{ sensors { sensors { sensorId attributes } } }";
  const response = await fetch(`${platform.http}/api/v1/graphql?query=${encodeURIComponent(query)}`);
  const { data } = (await response.json()) as { data: { sensors: { sensors: { sensorId: string }[] } } };
  expect(data.sensors.sensors.find(({ sensorId }) => sensorId === "streamed")).toEqual({
    sensorId: "streamed",
    attributes: { rack: "8" },
  });
});

test("a GraphQL mutation takes them; one that is no object of texts is named", async () => {
  const submit = async (attributes: unknown) => {
    const query = `mutation ($a: JSON) { submitSensorData(sensorId: "mutated", sensorType: "t", unit: "C", value: 1, attributes: $a) { value } }`;
    const body = JSON.stringify({ query, variables: { a: attributes } });
    const headers = { "content-type": "application/json" };
    return (await fetch(`${platform.http}/api/v1/graphql`, { method: "POST", headers, body })).text();
  };
  expect(await submit({ floor: "2" })).toContain('"value":1');
  expect(await found("mutated")).toEqual({ floor: "2" });
  expect(await submit({ floor: 2 })).toContain("attributes.floor is 2, but must be a text");
  expect(await submit(["floor"])).toContain("must be an object");
});

test.each([
  [
    "33 of them",
    Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, ""])),
    /has 33 entries: give at most 32/,
  ],
  ["an empty key", { "": "x" }, /has an empty key/],
  ["a key of 65 characters", { ["ü".repeat(65)]: "" }, /longer than 64 characters/],
  ["a value of 257 characters", { a: "ü".repeat(257) }, /has a value of "a" that is longer than 256 characters/],
  ["a line break in a value", { a: "b\nc" }, /has a control character in "a" or its value/],
])("%s is refused with the field's name, by readings and blocks", async (_, attributes, message) => {
  const columns = { baseTimeUs: 1n, timeDeltasUs: [0], values: [1] };
  const { counts, refusals } = await ingest().submitReadings({
    readings: [reading("refused", 1, attributes), reading("not refused", 1)],
    blocks: [{ sensorId: "refused", sensorType: "t", unit: "C", attributes, ...columns }],
  });
  expect(counts).toMatchObject({ accepted: expect.any(BigInt), rejected: 2n });
  const wanted = { reason: RefusalReason.INVALID, field: "attributes", message: expect.stringMatching(message) };
  expect(refusals).toMatchObject([
    { index: 0, ...wanted },
    { index: 2, ...wanted },
  ]);
  expect(await changes("refused")).toEqual([]);
});

test("the largest attributes there are fit, and the newest hundred changes of a sensor are kept", async () => {
  const largest = Object.fromEntries(
    Array.from({ length: 32 }, (_, i) => [`${"🔥".repeat(62)}${10 + i}`, "🔥".repeat(256)]),
  );
  await send(reading("large", 1, largest));
  expect(await found("large")).toEqual(largest);
  await send(...Array.from({ length: 150 }, (_, i) => reading("restless", i, { n: String(i) })));
  const kept = await changes("restless");
  expect(kept).toHaveLength(100);
  expect(kept.at(-1)).toEqual([149, { n: "149" }]);
  // At the time of the oldest that is kept, and before it.
  await send(reading("restless", 50, { n: "other" }), reading("restless", 10, { n: "older" }));
  expect(await changes("restless")).toEqual([[50, { n: "other" }], ...kept.slice(1)]);
});

test("what was acknowledged is there after kill -9 of the platform, and is not stored twice", async () => {
  await Promise.all([1, 2, 3].map((second) => send(reading("killed", second, { n: String(second) }))));
  await sql.end();
  const { dataDir } = platform;
  await end(platform.process, "SIGKILL");
  platform = await startPlatform({ DATA_DIR: dataDir });
  sql = openSql();
  await send(reading("killed", 3, { n: "3" }));
  expect(await changes("killed")).toEqual([1, 2, 3].map((second) => [second, { n: String(second) }]));
});
