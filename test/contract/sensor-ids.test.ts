/** What a sensor may be called: the longest ids there are, on every interface, and those that are refused. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { IngestService, RefusalReason } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { askGraphql } from "../../testing/graphql.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { fill } from "../../testing/secured.ts";

/** 200 characters of four bytes: 800 bytes, and 2,400 in a path. */
const LONGEST = "🔥".repeat(200);
/** As a broker's topic path or a label set has it. */
const TOPIC = `plant/line 3/machine="press",side="left"/${"ü".repeat(159)}`;

let platform: Platform;
const transport = () => createGrpcTransport({ baseUrl: platform.grpc });
const ingest = () => createClient(IngestService, transport());
const query = () => createClient(QueryService, transport());
const json = async (path: string) => (await fetch(platform.http + path)).json();
const graphql = (text: string, variables: object) => askGraphql(platform.http, text, variables);

beforeAll(async () => {
  platform = await startPlatform();
  for (const id of [LONGEST, TOPIC]) await fill(transport(), id);
});
afterAll(() => platform?.stop());

test.each([
  ["of 200 characters of four bytes", LONGEST],
  ["of 200 characters with slashes, blanks and quotes", TOPIC],
])("an id %s is stored, scored and found by each interface", async (_, sensorId) => {
  expect([...sensorId]).toHaveLength(200);
  const { readings } = await query().listReadings({ sensorId, limit: 1 });
  expect(readings[0]).toMatchObject({ sensorId, value: 500, isAnomaly: true });
  const { alerts } = await createClient(AlertService, transport()).listAlerts({ sensorId });
  expect(alerts[0]?.sensorId).toBe(sensorId);
  const inPath = encodeURIComponent(sensorId);
  expect(await json(`/api/v1/sensors/data/${inPath}/latest`)).toMatchObject({ sensor_id: sensorId, value: 500 });
  expect(await json(`/api/v1/sensors/alerts?sensor_id=${inPath}`)).toMatchObject([{ sensor_id: sensorId }]);
  const text = "query ($id: String) { sensorData(sensorId: $id, limit: 1) { sensorId value } }";
  expect(await graphql(text, { id: sensorId })).toEqual({ data: { sensorData: [{ sensorId, value: 500 }] } });
});

test("a page of sensors goes on behind the longest id", async () => {
  const first = await query().listSensors({ limit: 1 });
  const second = await query().listSensors({ limit: 1, pageToken: first.nextPageToken });
  expect([...first.sensors, ...second.sensors].map(({ sensorId }) => sensorId)).toEqual([TOPIC, LONGEST]);
});

test.each([
  ["of 201 characters", "🔥".repeat(201), /^sensor_id "🔥.* has 201 characters: give at most 200$/],
  ["with a line break", "a\nb", /^sensor_id "a\\nb" contains the control character U\+000A: leave it out$/],
  ["with DEL", "a\u007f", /contains the control character U\+007F/],
  ["with a C1 control character", "\u009b2J", /contains the control character U\+009B/],
])("an id %s is refused, its neighbours are not", async (_, sensorId, message) => {
  const reading = { sensorType: "temperature", unit: "C", value: 1 };
  const neighbour = { ...reading, sensorId: "neighbour" };
  const block = { ...reading, sensorId, baseTimeUs: 1n, timeDeltasUs: [0], values: [1] };
  const { counts, refusals } = await ingest().submitReadings({
    readings: [{ ...reading, sensorId }, neighbour],
    blocks: [block],
  });
  expect(counts).toMatchObject({ accepted: 1n, rejected: 2n });
  const wanted = { reason: RefusalReason.INVALID, field: "sensor_id", message: expect.stringMatching(message) };
  expect(refusals).toMatchObject([
    { index: 0, ...wanted },
    { index: 2, ...wanted },
  ]);
});
