/** What authors of devices and clients build on, against the real platform: pages, bounds of a connection, ids in paths. */
import { request } from "node:http";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { Client, credentials, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import {
  ListReadingsRequestSchema,
  ListReadingsResponseSchema,
  QueryService,
} from "../../gen/es/telltale/v1/query_pb.ts";
import { WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform?.stop());

const START_MS = Date.UTC(2026, 0, 1);

describe("a page", () => {
  const COUNT = 400;
  const sensors = Array.from({ length: COUNT }, (_, i) => `large-${i}`);

  beforeAll(async () => {
    const ingest = createClient(IngestService, createGrpcTransport({ baseUrl: platform.grpc }));
    const note = "x".repeat(16_000);
    for (let from = 0; from < COUNT; from += 100) {
      const readings = sensors.slice(from, from + 100).map((sensorId, i) => ({
        sensorId,
        sensorType: "large",
        unit: "C",
        value: from + i,
        metadata: { note },
        observedAt: timestampFromMs(START_MS + 1000 * (from + i)),
      }));
      expect((await ingest.submitReadings({ readings })).counts?.accepted).toBe(100n);
    }
  }, 60_000);

  it("never exceeds the 4 MiB that a client takes by default, and its token goes on with the rest", async () => {
    const client = new Client(platform.grpc.replace("http://", ""), credentials.createInsecure());
    const list = (pageToken: string) =>
      new Promise<{ values: number[]; token: string; bytes: number }>((resolve, reject) =>
        client.makeUnaryRequest(
          "/telltale.v1.QueryService/ListReadings",
          (bytes: Buffer) => bytes,
          (bytes: Buffer) => bytes,
          Buffer.from(
            toBinary(
              ListReadingsRequestSchema,
              create(ListReadingsRequestSchema, { sensorType: "large", limit: 1000, pageToken }),
            ),
          ),
          (error, bytes) => {
            if (error) return reject(error);
            const { readings, nextPageToken } = fromBinary(ListReadingsResponseSchema, bytes!);
            resolve({ values: readings.map(({ value }) => value), token: nextPageToken, bytes: bytes!.length });
          },
        ),
      );
    const values: number[] = [];
    let pages = 0;
    for (let token = ""; pages === 0 || token !== ""; pages++) {
      const page = await list(token);
      expect(page.bytes).toBeLessThanOrEqual(4 * 1024 * 1024);
      values.push(...page.values);
      token = page.token;
    }
    client.close();
    expect(pages).toBe(2);
    expect(values).toEqual(Array.from({ length: COUNT }, (_, i) => COUNT - 1 - i));
  });

  it("of newest readings names the sensors that did not fit", async () => {
    const query = createClient(
      QueryService,
      createGrpcTransport({ baseUrl: platform.grpc, readMaxBytes: 4 * 1024 * 1024 }),
    );
    const seen: string[] = [];
    for (let left = sensors; left.length > 0; ) {
      const { readings, sensorIdsLeft } = await query.batchGetLatestReadings({ sensorIds: left });
      seen.push(...readings.map(({ sensorId }) => sensorId));
      left = sensorIdsLeft;
    }
    expect(seen).toEqual(sensors);
  });

  it("is whole by REST and GraphQL, which have no such bound", async () => {
    const rest = await fetch(`${platform.http}/api/v1/sensors/data?sensor_type=large&limit=1000`);
    expect(await rest.json()).toHaveLength(COUNT);
    const query = '{ sensorData(sensorType: "large", limit: 1000) { value metadata } }';
    const answer = await fetch(`${platform.http}/api/v1/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query }),
    });
    expect(((await answer.json()) as { data: { sensorData: unknown[] } }).data.sensorData).toHaveLength(COUNT);
  });
});

describe("a batch that is sent again", () => {
  const reading = (i: number, value: number) => ({
    sensorId: "again",
    sensorType: "t",
    unit: "C",
    value,
    observedAt: timestampFromMs(START_MS + 1000 * i),
  });

  it.each([
    ["under the same producer, epoch and sequence", { producer: "p", epoch: 1n, sequence: 1n }],
    ["without any", {}],
  ])("by SubmitReadings, %s, gets the same readings and refusals", async (_, name) => {
    const ingest = createClient(IngestService, createGrpcTransport({ baseUrl: platform.grpc }));
    const sensorId = `again-${Object.keys(name).length}`;
    await ingest.submitReadings({ readings: [{ ...reading(1, 1), sensorId }] });
    const request = {
      ...name,
      readings: [1, 2, 3]
        .map((i) => ({ ...reading(i, 10 * i), sensorId, metadata: { i } }))
        .concat({ ...reading(4, Number.NaN), sensorId, metadata: { i: 4 } }),
      blocks: [
        {
          sensorId: `${sensorId}-b`,
          sensorType: "t",
          unit: "C",
          baseTimeUs: BigInt(START_MS) * 1000n,
          timeDeltasUs: [0, 5],
          values: [7, 8],
        },
      ],
    };
    const first = await ingest.submitReadings(request);
    expect(first.stored.map(({ value, metadata }) => [value, metadata?.i])).toEqual([
      [20, 2],
      [30, 3],
      [7, undefined],
      [8, undefined],
    ]);
    expect(first.refusals.map(({ index, field }) => [index, field])).toEqual([
      [0, "value"],
      [3, "value"],
    ]);
    const again = await ingest.submitReadings(request);
    expect(again.stored).toEqual(first.stored);
    expect(again.refusals).toEqual(first.refusals);
    const { accepted = 0n, duplicate = 0n, conflicting, rejected } = again.counts!;
    expect([accepted + duplicate, conflicting, rejected]).toEqual([4n, 1n, 1n]);
  });

  it("on a new stream gets the same counts and refusals", async () => {
    const ingest = createClient(IngestService, createGrpcTransport({ baseUrl: platform.grpc }));
    await ingest.submitReadings({ readings: [reading(1, 1)] });
    const readings = [reading(1, 2), { ...reading(2, 5), unit: "", sensorType: "" }, reading(3, 3)];
    const send = async () => {
      async function* once() {
        yield { producer: "device", epoch: 7n, sequence: 1n, readings };
      }
      const refusals: [number, string, number][] = [];
      let counts = {};
      for await (const response of ingest.streamReadings(once())) {
        if (response.settledSequence === 1n && response.counts) counts = { ...response.counts, $typeName: "" };
        refusals.push(
          ...response.refusals.map(({ index, field, reason }): [number, string, number] => [index, field, reason]),
        );
      }
      return { counts, refusals };
    };
    const first = await send();
    expect(first.counts).toMatchObject({ accepted: 1n, conflicting: 1n, rejected: 1n });
    expect(first.refusals.map(([index, field]) => [index, field])).toEqual([
      [0, "value"],
      [1, "sensor_type"],
      [1, "unit"],
    ]);
    expect(await send()).toEqual(first);
  });
});

describe("calls on one connection", () => {
  it.each([
    ["gRPC", createGrpcTransport],
    ["Connect", (o: { baseUrl: string }) => createConnectTransport({ ...o, httpVersion: "2" as const })],
  ])(
    "by %s: more than 256 at once queue and are all answered",
    async (_, transport) => {
      const query = createClient(QueryService, transport({ baseUrl: platform.grpc }));
      const calls = Array.from({ length: 600 }, () => query.getPlatformHealth({}));
      expect((await Promise.all(calls)).every(({ components }) => components.length > 0)).toBe(true);
    },
    60_000,
  );

  it("a stream too many is refused with a reason, and calls that are answered at once go on", async () => {
    const transport = createGrpcTransport({ baseUrl: platform.grpc });
    const watch = createClient(WatchService, transport);
    const over = new AbortController();
    const refused: ConnectError[] = [];
    let open = 0;
    const watches = Array.from({ length: 230 }, async () => {
      try {
        for await (const _ of watch.watchReadings({ sensorId: "nobody" }, { signal: over.signal })) open++;
      } catch (error) {
        if (!over.signal.aborted) refused.push(ConnectError.from(error));
      }
    });
    await expect.poll(() => [open, refused.length]).toEqual([224, 6]);
    for (const error of refused) {
      expect(error.code).toBe(Code.ResourceExhausted);
      expect(error.rawMessage).toBe(
        "This connection has 224 streams open, the most for one: open another connection, or end some",
      );
    }
    await createClient(QueryService, transport).getPlatformHealth({}, { timeoutMs: 10_000 });
    over.abort();
    await Promise.all(watches);
    // Ended streams make room again, once the server has heard of their end.
    const again = async () => {
      for await (const _ of watch.watchReadings({ sensorId: "nobody" })) return "open";
    };
    await expect.poll(() => again().catch(() => "refused")).toBe("open");
  }, 60_000);

  it("a method that there is not is UNIMPLEMENTED to a stock client", async () => {
    const client = new Client(platform.grpc.replace("http://", ""), credentials.createInsecure());
    const error = await new Promise<{ code: number; details: string } | null>((resolve) =>
      client.makeUnaryRequest(
        "/telltale.v1.IngestService/SubmitReading",
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        Buffer.alloc(0),
        resolve as never,
      ),
    );
    client.close();
    expect([error?.code, error?.details]).toEqual([
      status.UNIMPLEMENTED,
      "telltale.v1.IngestService has no method SubmitReading; did you mean SubmitReadings?",
    ]);
  });
});

/** As sent: fetch would resolve dots itself. */
function rawGet(path: string): Promise<{ status: number; body: unknown }> {
  const { hostname, port } = new URL(platform.http);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode!, body: JSON.parse(Buffer.concat(chunks).toString()) }),
      );
    })
      .on("error", reject)
      .end();
  });
}

describe("an id in a path", () => {
  const LATEST = (encoded: string) => `/api/v1/sensors/data/${encoded}/latest`;

  it.each([
    ".",
    "..",
    "...",
    "a/b",
    "/",
    "//",
    "a/../b",
    "%",
    "%2F",
    "%2e%2e",
    "a b",
    " ",
    "a;b",
    "?x=1",
    "#x",
    "&",
    "+",
    "ä ö",
    "🔥",
    "{sensor_id}",
    ":id",
    "latest",
    "\\",
    "\u00ad",
  ])("%j is found as it was stored", async (id) => {
    const posted = await fetch(`${platform.http}/api/v1/sensors/data`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sensor_id: id, sensor_type: "t", value: 1, unit: "C" }),
    });
    const stored = await posted.json();
    expect([posted.status, (stored as { sensor_id: string }).sensor_id]).toEqual([200, id]);
    expect(await rawGet(LATEST(encodeURIComponent(id)))).toEqual({ status: 200, body: stored });
    // Every character as its bytes, as some generated clients send it.
    const bytes = [...Buffer.from(id)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    expect(await rawGet(LATEST(bytes))).toEqual({ status: 200, body: stored });
    const listed = await rawGet(`/api/v1/sensors/data?sensor_id=${encodeURIComponent(id)}`);
    expect(listed).toEqual({ status: 200, body: [stored] });
  });

  it.each([".none", "%2e%2e%2e%2e", "%00", "%ff", "%C3%28", "%", "%zz", "x%", "%2F%2F%2F"])(
    "%s, which nobody has, is a 4xx",
    async (encoded) => {
      const { status: answered } = await rawGet(LATEST(encoded));
      expect([404, 422]).toContain(answered);
    },
  );

  it("an alert's id is an integer, whatever stands there", async () => {
    for (const id of [".", "..", "%2e%2e", "a%2Fb", "1;x", "%20", "1%3F"]) {
      const { hostname, port } = new URL(platform.http);
      const code = await new Promise((resolve, reject) =>
        request({ hostname, port, method: "POST", path: `/api/v1/sensors/alerts/${id}/resolve` }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on("error", reject)
          .end(),
      );
      expect([id, code]).toEqual([id, 422]);
    }
  });
});
