/** Wrong input at every endpoint of the real platform: each is answered with what is wrong, and the log has no stack of it. */
import { request } from "node:http";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

let platform: Platform;
let transport: ReturnType<typeof createGrpcTransport>;
beforeAll(async () => {
  platform = await startPlatform();
  transport = createGrpcTransport({ baseUrl: platform.grpc });
});
afterAll(() => platform?.stop());

const graphql = () => `${platform.http}/api/v1/graphql`;

interface Told {
  status: number;
  code: unknown;
  message: string;
}

async function told(response: Response): Promise<Told> {
  const { errors } = (await response.json()) as {
    errors?: { message: string; extensions?: { code?: unknown } }[];
  };
  return { status: response.status, code: errors?.[0]?.extensions?.code, message: errors?.[0]?.message ?? "" };
}

async function ask(query: string, variables?: unknown): Promise<Told> {
  const headers = { "content-type": "application/json" };
  return told(await fetch(graphql(), { method: "POST", headers, body: JSON.stringify({ query, variables }) }));
}

const submit = (more: string) =>
  `mutation { submitSensorData(sensorId: "w", sensorType: "refused", value: 1, unit: "C", ${more}) { id } }`;

describe("GraphQL names the argument, its value and what to do, and stores nothing", () => {
  test.each([
    ["a negative limit", "{ sensorData(limit: -1) { id } }", "limit is -1, but must be 0 or more."],
    ["a negative offset", "{ sensorData(offset: -5) { id } }", "offset is -5, but must be 0 or more."],
    [
      "a limit past the bound",
      "{ sensorData(limit: 1001) { id } }",
      "limit: must be less than or equal to 1000, but it is 1001",
    ],
    ["a number for a time", "{ sensorData(startTime: 5) { id } }", "DateTime is 5, but must be an ISO 8601 time"],
    ["no time at all", '{ sensorData(startTime: "") { id } }', 'DateTime is "", but must be an ISO 8601 time'],
    ["a text for an id", 'mutation { resolveAlert(alertId: "1") }', 'SafeInt is "1", but must be an integer'],
    ["a fraction for an id", "mutation { resolveAlert(alertId: 1.5) }", "SafeInt is 1.5, but must be an integer"],
    ["an empty id", submit('location: "x"').replace('"w"', '""'), "sensorId is empty: give 1 to 200 characters"],
    ["a time before 1970", submit('observedAt: "1969-01-01"'), "observedAt is not a time between 1970 and 9999"],
    ["a list for metadata", submit("metadata: [1]"), "metadata is [1], but must be an object."],
    ["a text for metadata", submit('metadata: "x"'), 'metadata is "x", but must be an object.'],
    ["NUL in metadata", submit('metadata: { a: "\\u0000" }'), "contains a NUL|NUL character: leave it out"],
    ["a number past a double", submit("metadata: { n: 1e400 }"), "1e400 is larger than any number that can be stored"],
  ])("%s", async (_name, query, sentence) => {
    const answer = await ask(query);
    expect(answer.message).toMatch(new RegExp(sentence.replace(/[.()[\]]/g, "\\$&")));
    expect(answer.code).toMatch(/^(BAD_USER_INPUT|GRAPHQL_VALIDATION_FAILED)$/);
    const left = await fetch(`${platform.http}/api/v1/sensors/data?sensor_type=refused`);
    expect(await left.json()).toEqual([]);
  });

  const withVariable = (type: string) =>
    `mutation($v: ${type}) { submitSensorData(sensorId: "w", sensorType: "refused", value: 1, unit: "C", location: $v) { id } }`;

  test("variables that are missing, of another type, or half a character", async () => {
    const missing = await ask("mutation($i: SafeInt!) { resolveAlert(alertId: $i) }");
    expect(missing).toMatchObject({ code: "BAD_USER_INPUT", message: expect.stringContaining('"$i"') });
    const number = await ask(withVariable("String"), { v: 5 });
    expect(number).toMatchObject({ code: "BAD_USER_INPUT", message: expect.stringContaining("5") });
    const half = await ask(withVariable("String"), { v: "\ud800" });
    expect(half).toMatchObject({ code: "BAD_USER_INPUT", message: expect.stringContaining("surrogate") });
  });

  test("variables of a query string that are no JSON, and other content types", async () => {
    const broken = await told(await fetch(`${graphql()}?query=%7B__typename%7D&variables=%7B`));
    expect(broken).toMatchObject({ status: 400, code: "BAD_REQUEST", message: expect.stringContaining("not JSON") });
    const plain = await told(await fetch(graphql(), { method: "POST", body: "{ __typename }" }));
    expect(plain).toMatchObject({ status: 415, message: expect.stringContaining('"text/plain;charset=UTF-8"') });
  });
});

/** Sends a body piece by piece, without saying how long it will be. */
function sendChunked(url: string, pieces: readonly string[]): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sending = request(url, { method: "POST", headers: { "content-type": "application/json" } });
    sending.once("error", reject).once("response", async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      resolve({ status: response.statusCode ?? 0, text });
    });
    for (const piece of pieces) sending.write(piece);
    sending.end();
  });
}

describe("a body that does not say how long it is", () => {
  const endpoints = [
    ["GraphQL", "/api/v1/graphql", '{"query":"{ __typename }"', "OPERATION_TOO_LARGE"],
    ["REST", "/api/v1/sensors/data", '{"sensor_id":"chunks","sensor_type":"t","value":1,"unit":"C"', "larger than"],
  ] as const;

  test.each(endpoints)("is taken by %s", async (_name, path, start) => {
    expect(await sendChunked(platform.http + path, [start, "}"])).toMatchObject({ status: 200 });
  });

  test.each(endpoints)("is refused past 1 MiB by %s, with a sentence", async (_name, path, start, said) => {
    const blanks = Array.from({ length: 20 }, () => " ".repeat(100_000));
    const answer = await sendChunked(platform.http + path, [start, ...blanks, "}"]);
    expect(answer).toMatchObject({ status: 413, text: expect.stringContaining(said) });
  });

  test("and one that does is refused by what it says", async () => {
    const body = `{"query":"{ __typename }"${" ".repeat(2_000_000)}}`;
    const headers = { "content-type": "application/json" };
    const answer = await told(await fetch(graphql(), { method: "POST", headers, body }));
    expect(answer).toMatchObject({ status: 413, code: "OPERATION_TOO_LARGE" });
  });
});

describe("gRPC", () => {
  const reading = { sensorId: "grpc", sensorType: "t", value: 1, unit: "C" };

  test("metadata that could not be given back is refused, its neighbours are stored, and lists go on", async () => {
    const ingest = createClient(IngestService, transport);
    const { counts, refusals } = await ingest.submitReadings({
      readings: [
        { ...reading, metadata: { deep: [{ n: Number.POSITIVE_INFINITY }] } },
        { ...reading, metadata: { text: "a\0b" } },
        { ...reading, metadata: { fine: true } },
      ],
    });
    expect(counts).toMatchObject({ accepted: 1n, rejected: 2n });
    expect(refusals.map(({ field, message }) => [field, message])).toEqual([
      ["metadata", "metadata holds Infinity: give finite numbers"],
      ["metadata", 'metadata holds "a\\u0000b" with a NUL character: leave it out'],
    ]);
    const { readings } = await createClient(QueryService, transport).listReadings({ sensorId: "grpc" });
    expect(readings.map(({ metadata }) => metadata)).toEqual([{ fine: true }]);
  });

  test("more single readings than the contract allows are refused", async () => {
    const readings = Array.from({ length: 10_001 }, () => reading);
    await expect(createClient(IngestService, transport).submitReadings({ readings })).rejects.toThrow(
      "readings has 10001 entries: give at most 10000",
    );
  });

  test("NUL is refused in every text of a request, also in lists", async () => {
    const query = createClient(QueryService, transport);
    const nul = (field: string) => `${field}: contains a NUL character, leave it out: it is "a`;
    await expect(query.batchGetLatestReadings({ sensorIds: ["b", "a\0"] })).rejects.toThrow(nul("sensor_ids[1]"));
    await expect(query.listSensors({ sensorType: "a\0" })).rejects.toThrow(nul("sensor_type"));
    await expect(query.listSensors({ afterSensorId: "a\0" })).rejects.toThrow(nul("after_sensor_id"));
    const alerts = createClient(AlertService, transport);
    await expect(alerts.resolveAlert({ alertId: 1n, comment: "a\0" })).rejects.toThrow(nul("comment"));
  });

  test("a watch of alerts does not wait in silence for a number that is still to come", async () => {
    const watch = createClient(WatchService, transport).watchAlerts({ resumeToken: "0:99999999" });
    await expect(watch[Symbol.asyncIterator]().next()).rejects.toThrow('"0:99999999" is not valid');
  });
});

test("a watcher is given what was sent, metadata too", async () => {
  const end = new AbortController();
  const watch = createClient(WatchService, transport).watchReadings({ sensorId: "seen" }, { signal: end.signal });
  const responses = watch[Symbol.asyncIterator]();
  await responses.next(); // the watch is in place
  const metadata = { line: 3, tags: ["a", null] };
  const sent = { sensorId: "seen", sensorType: "t", value: 1, unit: "C", metadata };
  await createClient(IngestService, transport).submitReadings({ readings: [sent] });
  const { value } = await responses.next();
  expect(value?.readings).toMatchObject([{ sensorId: "seen", metadata }]);
  end.abort();
});

test("none of it was the platform's fault: its log is empty", () => {
  expect(platform.output()).not.toMatch(/"level":"(warn|error)"/);
});
