import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { credentials, Client as GrpcJsClient, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BadRequestSchema, RetryInfoSchema } from "../../gen/es/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/es/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/es/grpc/reflection/v1/reflection_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import {
  ListReadingsRequestSchema,
  ListReadingsResponseSchema,
  QueryService,
} from "../../gen/es/telltale/v1/query_pb.ts";
import { WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { createMetrics } from "../../server/observe/metrics.ts";
import { innerText, type Listener, openListener } from "../../testing/rpc.ts";

let listener: Listener;
beforeAll(async () => {
  listener = await openListener();
});
afterAll(() => listener.close(0));

const transports: [string, () => Transport][] = [
  ["Connect over HTTP/1.1", () => createConnectTransport({ baseUrl: listener.url, httpVersion: "1.1" })],
  ["Connect over HTTP/2", () => createConnectTransport({ baseUrl: listener.url, httpVersion: "2" })],
  ["gRPC", () => createGrpcTransport({ baseUrl: listener.url })],
  ["gRPC-Web over HTTP/1.1", () => createGrpcWebTransport({ baseUrl: listener.url, httpVersion: "1.1" })],
];

describe.each(transports)("a client by %s", (_, transport) => {
  it("gets answers to unary calls", async () => {
    const { readings } = await createClient(QueryService, transport()).listReadings({ sensorId: "a" });
    expect(readings.map(({ sensorId }) => sensorId)).toEqual(["a"]);
  });

  it("watches, and ends its watch", async () => {
    const stop = new AbortController();
    const tokens: string[] = [];
    const watch = createClient(WatchService, transport()).watchReadings({}, { signal: stop.signal });
    await expect(async () => {
      for await (const { resumeToken } of watch) {
        tokens.push(resumeToken);
        stop.abort();
      }
    }).rejects.toMatchObject({ name: "ConnectError" });
    expect(tokens).toEqual(["first"]);
  });

  it("is told the field and the value that break a rule", async () => {
    const error = await failure(createClient(QueryService, transport()).listReadings({ limit: 1_001 }));
    expect(error).toMatchObject({
      code: status.INVALID_ARGUMENT,
      rawMessage: expect.stringMatching(/^limit: .*1001$/),
    });
    const [details] = error.findDetails(BadRequestSchema);
    expect(details?.fieldViolations.map(({ field }) => field)).toEqual(["limit"]);
  });

  it("is told of a broken rule on a watch too", async () => {
    const watch = createClient(WatchService, transport()).watchReadings({ resumeToken: "x".repeat(2_001) });
    const error = await failure(watch[Symbol.asyncIterator]().next());
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(error.rawMessage).toMatch(/^resume_token: .*… \(2001 characters\)$/);
  });

  it("is told when to try again", async () => {
    const error = await failure(createClient(QueryService, transport()).getSensorStats({ sensorId: "a" }));
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
    expect(error.metadata.get("retry-after")).toBe("2");
  });

  it("learns nothing of an inner failure, while the log has it", async () => {
    const lines = listener.lines.length;
    const calls = [
      () => createClient(QueryService, transport()).getPlatformStats({}),
      () => createClient(WatchService, transport()).watchAlerts({})[Symbol.asyncIterator]().next(),
    ];
    for (const call of calls) {
      const error = await failure(call());
      expect(error).toMatchObject({ code: status.INTERNAL, rawMessage: "Internal server error", details: [] });
    }
    const logged = listener.lines.slice(lines).filter((line) => line.includes(innerText));
    expect(logged.map((line) => JSON.parse(line).method)).toEqual([
      "telltale.v1.QueryService/GetPlatformStats",
      "telltale.v1.WatchService/WatchAlerts",
    ]);
  });

  it("is answered UNIMPLEMENTED for what is still to come", async () => {
    const error = await failure(createClient(QueryService, transport()).listSensors({}));
    expect(error.code).toBe(status.UNIMPLEMENTED);
  });

  it("is let go at its deadline", async () => {
    const call = createClient(QueryService, transport()).getPlatformHealth({}, { timeoutMs: 50 });
    expect((await failure(call)).code).toBe(status.DEADLINE_EXCEEDED);
  });
});

describe("the gRPC listener", () => {
  it("streams both ways at once", async () => {
    const client = createClient(IngestService, createGrpcTransport({ baseUrl: listener.url }));
    const answered: bigint[] = [];
    let next = () => {};
    async function* batches() {
      for (const sequence of [1n, 2n, 3n]) {
        yield { producer: "p", sequence };
        await new Promise<void>((resolve) => {
          next = resolve;
        });
      }
    }
    for await (const { durableSequence } of client.streamReadings(batches())) {
      answered.push(durableSequence);
      next();
    }
    expect(answered).toEqual([1n, 2n, 3n]);
  });

  it("serves grpc-js", async () => {
    const client = new GrpcJsClient(`127.0.0.1:${listener.port}`, credentials.createInsecure());
    const answer = await new Promise((resolve, reject) =>
      client.makeUnaryRequest(
        "/telltale.v1.QueryService/ListReadings",
        (message) => Buffer.from(toBinary(ListReadingsRequestSchema, message)),
        (bytes) => fromBinary(ListReadingsResponseSchema, bytes),
        create(ListReadingsRequestSchema, { sensorId: "js" }),
        (error, response) => (error ? reject(error) : resolve(response)),
      ),
    );
    expect(answer).toMatchObject({ readings: [{ sensorId: "js" }] });
    client.close();
  });

  it("answers GET /health over HTTP/1.1, and 404 or 405 where nothing is", async () => {
    const health = await fetch(`${listener.url}/health`);
    expect([health.status, await health.json()]).toEqual([
      200,
      { status: "healthy", platform: "intelligent-detection-monitoring" },
    ]);
    const unknown = await fetch(`${listener.url}/nowhere`);
    expect([unknown.status, await unknown.json()]).toEqual([404, { detail: "Not Found" }]);
    const ofRest = await fetch(`${listener.url}/api/v1/sensors/data`);
    expect(ofRest.status).toBe(404);
    expect(await ofRest.json()).toEqual({
      detail: expect.stringMatching(/^Not Found: this is the gRPC port\. .*PORT/),
    });
    const posted = await fetch(`${listener.url}/health`, { method: "POST" });
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  it("answers the gRPC health protocol, for the process and each service", async () => {
    const health = createClient(Health, createGrpcTransport({ baseUrl: listener.url }));
    expect((await health.check({})).status).toBe(1);
    expect((await health.check({ service: "telltale.v1.QueryService" })).status).toBe(1);
    expect((await failure(health.check({ service: "nix" }))).code).toBe(status.NOT_FOUND);
    expect(Object.keys((await health.list({})).statuses)).toContain("telltale.v1.IngestService");
  });

  it("describes itself: services by name, files by symbol, unknown ones as errors", async () => {
    const reflection = createClient(ServerReflection, createGrpcTransport({ baseUrl: listener.url }));
    const questions = [
      { case: "listServices" as const, value: "" },
      { case: "fileContainingSymbol" as const, value: "telltale.v1.QueryService.ListReadings" },
      { case: "fileByFilename" as const, value: "google/rpc/error_details.proto" },
      {
        case: "fileContainingExtension" as const,
        value: { containingType: "google.protobuf.FieldOptions", extensionNumber: 1159 },
      },
      { case: "allExtensionNumbersOfType" as const, value: "google.protobuf.FieldOptions" },
      { case: "fileContainingSymbol" as const, value: "no.such.Thing" },
    ];
    async function* ask() {
      for (const messageRequest of questions) yield { messageRequest };
    }
    const answers = [];
    for await (const { messageResponse } of reflection.serverReflectionInfo(ask())) answers.push(messageResponse);
    const [list, symbol, file, extension, numbers, unknown] = answers;
    expect(list?.value).toMatchObject({
      service: expect.arrayContaining(
        ["telltale.v1.QueryService", "grpc.health.v1.Health"].map((name) => expect.objectContaining({ name })),
      ),
    });
    for (const found of [symbol, file, extension]) expect(found?.case).toBe("fileDescriptorResponse");
    expect(numbers?.value).toMatchObject({ extensionNumber: expect.arrayContaining([1159]) });
    expect(unknown?.value).toMatchObject({ errorCode: status.NOT_FOUND });
  });

  it("counts calls by method and code", async () => {
    const metrics = createMetrics({ processMetrics: false });
    const counted = await openListener({ metrics });
    const client = createClient(QueryService, createGrpcTransport({ baseUrl: counted.url }));
    await client.listReadings({});
    await failure(client.getLatestReading({ sensorId: "a" }));
    await counted.close(1_000);
    const text = await metrics.text();
    expect(text).toContain(
      'telltale_rpcs_total{method="telltale.v1.QueryService/ListReadings",code="OK",kind="unary"} 1',
    );
    expect(text).toContain(
      'telltale_rpcs_total{method="telltale.v1.QueryService/GetLatestReading",code="NOT_FOUND",kind="unary"} 1',
    );
  });
});

describe("a server that is told to stop", () => {
  it("says so to health watchers, ends watches with UNAVAILABLE, and takes no new connection", async () => {
    const leaving = await openListener();
    const transport = createGrpcTransport({ baseUrl: leaving.url });
    const watch = createClient(WatchService, transport).watchReadings({})[Symbol.asyncIterator]();
    const health = createClient(Health, transport).watch({})[Symbol.asyncIterator]();
    await watch.next();
    expect((await health.next()).value.status).toBe(1);
    const closed = leaving.close(10_000);
    expect((await health.next()).value.status).toBe(2);
    expect(await failure(watch.next())).toMatchObject({ code: status.UNAVAILABLE });
    expect(await failure(health.next())).toMatchObject({ code: status.UNAVAILABLE });
    await closed;
    await expect(fetch(`${leaving.url}/health`)).rejects.toThrow();
  });

  it("lets a call under way end", async () => {
    let finish = () => {};
    let started = () => {};
    const running = new Promise<void>((resolve) => {
      started = resolve;
    });
    const slow = await openListener({
      services: [QueryService],
      routes: (router) =>
        router.service(QueryService, {
          async listReadings() {
            started();
            await new Promise<void>((resolve) => {
              finish = resolve;
            });
            return { nextPageToken: "done" };
          },
        }),
    });
    const call = createClient(QueryService, createGrpcTransport({ baseUrl: slow.url })).listReadings({});
    await running;
    const closed = slow.close(10_000);
    finish();
    expect((await call).nextPageToken).toBe("done");
    await closed;
  });

  it("tells streams first, and still answers calls, of which those under way are not given up", async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    const finish = Promise.withResolvers<void>();
    const told = await openListener({
      services: [QueryService, WatchService],
      routes: (router) => {
        router.service(WatchService, {
          async *watchReadings(_, { signal }) {
            yield {};
            await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
          },
        });
        router.service(QueryService, {
          async listReadings(_, { signal }) {
            begun.resolve(signal);
            await finish.promise;
            return { nextPageToken: "done" };
          },
        });
      },
    });
    const transport = createGrpcTransport({ baseUrl: told.url });
    const watch = createClient(WatchService, transport).watchReadings({})[Symbol.asyncIterator]();
    await watch.next();
    const call = createClient(QueryService, transport).listReadings({});
    const signal = await begun.promise;
    told.announceClose();
    expect(await failure(watch.next())).toMatchObject({ code: status.UNAVAILABLE });
    expect((await createClient(Health, transport).check({})).status).toBe(2);
    expect(signal.aborted).toBe(false);
    finish.resolve();
    expect((await call).nextPageToken).toBe("done");
    await told.close(10_000);
  });

  it("does not wait for connections that have said nothing yet", { timeout: 20_000 }, async () => {
    const leaving = await openListener({ limits: { prefaceTimeoutMs: 60_000 } });
    const silent = net.connect(leaving.port, "127.0.0.1");
    await once(silent, "connect");
    // Answered behind it: the server has accepted both.
    expect((await fetch(`${leaving.url}/health`)).status).toBe(200);
    const gone = once(silent.resume(), "close");
    await leaving.close(60_000);
    await gone;
  });

  it("does not wait for senders that go on after the end of their stream", { timeout: 20_000 }, async () => {
    const leaving = await openListener({
      services: [IngestService],
      routes: (router) =>
        router.service(IngestService, {
          async *streamReadings(requests, { signal }) {
            for await (const { sequence } of requests) {
              signal.throwIfAborted();
              yield { durableSequence: sequence };
            }
          },
        }),
    });
    const client = createClient(IngestService, createGrpcTransport({ baseUrl: leaving.url }));
    async function* endless() {
      for (let sequence = 1n; ; sequence++) {
        yield { producer: "p", sequence };
        await new Promise(setImmediate);
      }
    }
    const stream = client.streamReadings(endless())[Symbol.asyncIterator]();
    await stream.next();
    const closed = leaving.close(60_000);
    const ended = failure((async () => void (await Array.fromAsync({ [Symbol.asyncIterator]: () => stream })))());
    expect(await ended).toMatchObject({ code: status.UNAVAILABLE });
    await closed;
  });

  it("keeps nothing of what senders sent and nobody read", { timeout: 20_000 }, async () => {
    const leaving = await openListener({
      services: [IngestService],
      routes: (router) =>
        router.service(IngestService, {
          async *streamReadings(requests, { signal }) {
            await requests[Symbol.asyncIterator]().next();
            yield { durableSequence: 1n };
            await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
          },
        }),
    });
    const session = http2.connect(leaving.url);
    const path = "/telltale.v1.IngestService/StreamReadings";
    const type = { "content-type": "application/grpc", te: "trailers" };
    const stream = session.request({ ":method": "POST", ":path": path, ...type });
    // Empty messages, and more of them than the server takes in for a call: the sender waits to go on.
    stream.write(Buffer.alloc(2 << 20));
    await once(stream, "data");
    const closed = leaving.close(60_000);
    stream.resume();
    const [trailers] = await once(stream, "trailers");
    expect(trailers["grpc-status"]).toBe(String(status.UNAVAILABLE));
    await closed;
  });

  it("cuts off what does not end within the grace time", async () => {
    const stuck = await openListener({
      services: [QueryService],
      routes: (router) => router.service(QueryService, { listReadings: () => new Promise(() => {}) }),
    });
    const transport = createGrpcTransport({ baseUrl: stuck.url });
    const failed = failure(createClient(QueryService, transport).listReadings({}));
    await createClient(Health, transport).check({}); // on the same connection: the call before has arrived too
    const started = performance.now();
    await stuck.close(100);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect((await failed).name).toBe("ConnectError");
  });
});

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    return error as ConnectError;
  }
  throw new Error("the call succeeded");
}
