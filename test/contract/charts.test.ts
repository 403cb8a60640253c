/** Charts as every client asks for them: by gRPC, GraphQL and REST. */
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";

const SENSOR = "line-1/pump";
/** Seconds of the range, which ends a minute from now. */
const SECONDS = 600;

let platform: Secured;
let query: Client<typeof QueryService>;
/** Whole seconds since 1970. */
let end: number;

beforeAll(async () => {
  // A machine that is fast asks for more in a second than a caller may by default: charts count by the rows they may bring.
  platform = await startSecured({ LIMIT_CALLS_PER_SECOND: "0" });
  query = createClient(QueryService, platform.as(platform.adminToken));
  await fill(platform.as(platform.adminToken), SENSOR);
  await fill(platform.as(platform.adminToken), "line-2/pump");
  end = Math.floor(Date.now() / 1000) + 60;
  const other = { sensorId: SENSOR, sensorType: "temperature", unit: "F", value: 70, observedAt: at(end - 500) };
  await createClient(IngestService, platform.as(platform.adminToken)).submitReadings({ readings: [other] });
}, 120_000);
afterAll(() => platform?.stop());

const at = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });
const iso = (seconds: number) => new Date(1000 * seconds).toISOString();
const range = () => ({ startTime: at(end - SECONDS), endTime: at(end) });
const rangeIso = () => ({ start_time: iso(end - SECONDS), end_time: iso(end) });

async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    return `${Code[code]}: ${rawMessage}`;
  }
  throw new Error("the call was not refused");
}

async function rest(path: string, parameters: Record<string, string>, token = platform.adminToken) {
  const response = await fetch(`${platform.http}/api/v1/charts/${path}?${new URLSearchParams(parameters)}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: response.status, body: (await response.json()) as never };
}

async function graphql(text: string, variables: object) {
  const response = await fetch(`${platform.http}/api/v1/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${platform.adminToken}` },
    body: JSON.stringify({ query: text, variables }),
  });
  const { data, errors } = (await response.json()) as { data: never; errors?: unknown };
  expect(errors).toBeUndefined();
  return data as Record<string, never>;
}

test("columns begin at multiples of their width and hold every reading, and the anomaly", async () => {
  const answer = await query.getSeries({ sensorIds: [SENSOR], ...range(), columns: 100 });
  expect(answer).toMatchObject({ columnWidthUs: 10_000_000n, unknownSensorIds: [], completing: false });
  expect(answer.firstColumnTime!.seconds % 10n).toBe(0n);
  expect([60, 61]).toContain(answer.columnCount);
  expect(answer.series.map(({ unit, raw }) => [unit, raw])).toEqual([
    ["C", false],
    ["F", true],
  ]);
  const { columns } = answer.series[0]!;
  expect(columns!.counts.reduce((a, b) => a + b)).toBe(120n);
  expect(columns!.anomalyCounts.at(-1)).toBe(1n);
  expect(columns!.maxAnomalyScores.at(-1)).toBeGreaterThan(0.9);
  expect(columns!.maxValues.at(-1)).toBe(500);
  expect(columns!.lastValues.at(-1)).toBe(500);
  expect(columns!.lowerBounds.at(-1)).toBeLessThan(columns!.expectedValues.at(-1)!);
  expect(columns!.upperBounds.at(-1)).toBeLessThan(500);
  for (const column of Object.values(columns!))
    if (Array.isArray(column)) expect(column).toHaveLength(columns!.counts.length);
});

test("where there are few readings each comes by itself, with the bounds and the verdict that it was stored with", async () => {
  const { series } = await query.getSeries({ sensorIds: [SENSOR], ...range(), columns: 200 });
  const { readings } = await query.listReadings({ sensorId: SENSOR, limit: 1000 });
  const stored = readings.filter(({ unit }) => unit === "C").reverse();
  expect(series[0]).toMatchObject({ raw: true, unit: "C" });
  expect(series[0]!.columns).toBeUndefined();
  const orNaN = (number: number | undefined) => number ?? Number.NaN;
  expect(series[0]!.readings).toMatchObject({
    observedAtUs: stored.map(({ observedAt: t }) => t!.seconds * 1_000_000n + BigInt(t!.nanos / 1000)),
    values: stored.map(({ value }) => value),
    expectedValues: stored.map(({ expected }) => orNaN(expected)),
    lowerBounds: stored.map(({ lower }) => orNaN(lower)),
    upperBounds: stored.map(({ upper }) => orNaN(upper)),
    anomalies: stored.map(({ isAnomaly }) => isAnomaly),
    anomalyScores: stored.map(({ anomalyScore }) => anomalyScore),
    confidences: stored.map(({ confidence }) => confidence),
    reasons: stored.map(({ reason }) => reason),
    late: stored.map(({ late }) => late),
  });
});

test("a sensor without readings in the range has a series without columns, and one that nobody knows has none", async () => {
  const before = { startTime: at(end - 90_000), endTime: at(end - 80_000) };
  const answer = await query.getSeries({ sensorIds: ["nobody", SENSOR, SENSOR], ...before, columns: 10 });
  expect(answer.series).toMatchObject([{ sensorId: SENSOR, unit: "C", raw: false, columns: { counts: [] } }]);
  expect(answer.unknownSensorIds).toEqual(["nobody"]);
});

test("the heat map has the sensors with anomalies, the worst first", async () => {
  const answer = await query.getAnomalyHeatmap({ ...range(), columns: 100 });
  expect(answer).toMatchObject({ columnWidthUs: 60_000_000n, sensorCount: 2n });
  expect(answer.rows.map(({ sensorId }) => sensorId)).toEqual([SENSOR, "line-2/pump"]);
  expect(answer.rows[0]).toMatchObject({ anomalyCount: 1n, anomalyCounts: [1n] });
  expect(answer.rows[0]!.maxAnomalyScores).toEqual([answer.rows[0]!.maxAnomalyScore]);
  const one = await query.getAnomalyHeatmap({ ...range(), columns: 100, matchers: ['sensor_id=~"line-2.*"'], top: 1 });
  expect(one).toMatchObject({ sensorCount: 1n, rows: [{ sensorId: "line-2/pump" }] });
  expect(await query.getAnomalyHeatmap({ ...range(), columns: 100, top: 0 })).toMatchObject({
    sensorCount: 2n,
    rows: [],
  });
});

test("a caller that is limited to a prefix sees its sensors alone", async () => {
  const { secret } = await platform.mint([Scope.READ], "line-2/");
  const limited = createClient(QueryService, platform.as(secret));
  const series = await limited.getSeries({ sensorIds: [SENSOR, "line-2/pump"], ...range(), columns: 100 });
  expect(series.series.map(({ sensorId }) => sensorId)).toEqual(["line-2/pump"]);
  expect(series.unknownSensorIds).toEqual([SENSOR]);
  const { rows, sensorCount } = await limited.getAnomalyHeatmap({ ...range(), columns: 100 });
  expect([rows.map(({ sensorId }) => sensorId), sensorCount]).toEqual([["line-2/pump"], 1n]);
});

test("GraphQL and REST answer the same, with null for what there is not", async () => {
  const { series } = await query.getSeries({ sensorIds: [SENSOR], ...range(), columns: 100 });
  const { columns } = series[0]!;
  const orNull = (numbers: readonly number[]) => numbers.map((n) => (Number.isNaN(n) ? null : n));
  const variables = { ids: [SENSOR], start: iso(end - SECONDS), end: iso(end) };
  const data = await graphql(
    `query ($ids: [String!]!, $start: DateTime!, $end: DateTime!) {
      series(sensorIds: $ids, startTime: $start, endTime: $end, columns: 100) {
        columnWidthUs firstColumnTime series { sensorId unit raw columns { counts lowerBounds } readings { observedAtUs expectedValues } }
      }
      anomalyHeatmap(startTime: $start, endTime: $end, columns: 100) { sensorCount rows { sensorId anomalyCounts maxAnomalyScores } }
    }`,
    variables,
  );
  expect(columns!.lowerBounds.some(Number.isNaN)).toBe(true);
  expect(data.series).toMatchObject({
    columnWidthUs: 10_000_000,
    series: [
      {
        ...{ sensorId: SENSOR, unit: "C", raw: false, readings: null },
        columns: { counts: columns!.counts.map(Number), lowerBounds: orNull(columns!.lowerBounds) },
      },
      { unit: "F", raw: true, columns: null, readings: { observedAtUs: [(end - 500) * 1e6], expectedValues: [null] } },
    ],
  });
  expect(data.anomalyHeatmap).toMatchObject({ sensorCount: 2, rows: [{ anomalyCounts: [1] }, {}] });

  const chart = await rest("series", { sensor_ids: SENSOR, ...rangeIso(), columns: "100" });
  expect(chart).toMatchObject({
    status: 200,
    body: {
      column_width_us: 10_000_000,
      series: [{ unit: "C", columns: { lower_bounds: orNull(columns!.lowerBounds) } }, { unit: "F" }],
    },
  });
  const heatmap = await rest("heatmap", { ...rangeIso(), columns: "100", top: "1" });
  expect(heatmap).toMatchObject({ status: 200, body: { sensor_count: 2, rows: [{ sensor_id: SENSOR }] } });
});

test("wrong input is refused by name", async () => {
  const ids = Array.from({ length: 21 }, (_, i) => `s${i}`);
  const series = (request: object) =>
    refusal(query.getSeries({ sensorIds: [SENSOR], ...range(), columns: 10, ...request }));
  expect(await series({ startTime: at(end) })).toMatch(/InvalidArgument: end_time: the range ends before it begins/);
  expect(await series({ startTime: undefined })).toMatch(/InvalidArgument.*start_time/s);
  expect(await series({ columns: 0 })).toMatch(/InvalidArgument.*columns/s);
  expect(await series({ columns: 2001 })).toMatch(/InvalidArgument.*columns/s);
  expect(await series({ sensorIds: ids })).toMatch(/InvalidArgument.*sensor_ids/s);
  expect(await series({ sensorIds: [] })).toMatch(/InvalidArgument.*sensor_ids/s);
  expect(await series({ sensorIds: [""] })).toMatch(/InvalidArgument.*sensor_ids/s);
  const heatmap = (request: object) => refusal(query.getAnomalyHeatmap({ ...range(), columns: 10, ...request }));
  expect(await heatmap({ endTime: at(end - SECONDS) })).toMatch(/end_time: the range ends before it begins/);
  expect(await heatmap({ columns: 501 })).toMatch(/InvalidArgument.*columns/s);
  expect(await heatmap({ top: 201 })).toMatch(/InvalidArgument.*top/s);
  expect(await heatmap({ matchers: ['line=~"("'] })).toMatch(/InvalidArgument: matchers\[0\]/);
  const answer = await rest("series", { sensor_ids: SENSOR, ...rangeIso(), columns: "0", column: "1" });
  expect(answer.status).toBe(422);
  expect(JSON.stringify(answer.body)).toMatch(/"columns"/);
});

test("a sensor that was deleted is in no chart", async () => {
  const registry = createClient(RegistryService, platform.as(platform.adminToken));
  await registry.deleteSensor({ sensorId: "line-2/pump", whileSending: true });
  const series = await query.getSeries({ sensorIds: ["line-2/pump"], ...range(), columns: 100 });
  expect(series).toMatchObject({ series: [], unknownSensorIds: ["line-2/pump"] });
  const { rows } = await query.getAnomalyHeatmap({ ...range(), columns: 100 });
  expect(rows.map(({ sensorId }) => sensorId)).toEqual([SENSOR]);
});
