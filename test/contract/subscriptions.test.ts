/** Subscriptions of many callers through one gateway: what one of them does, and what happens to the services, ends nobody's for good. */
import { once } from "node:events";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient as createWsClient, type Client as WsClient } from "graphql-ws";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { type ScoredReading, ScoredReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { WatchReadingsResponseSchema, WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import type { RpcServer } from "../../server/api/server.ts";
import { createWatchService } from "../../server/api/watch.ts";
import { WatchShares } from "../../server/api/watch-shares.ts";
import { EncodedReadings } from "../../server/live/encoded-readings.ts";
import { Feed } from "../../server/live/feed.ts";
import { createMetrics } from "../../server/observe/metrics.ts";
import { Names } from "../../server/store/names.ts";
import type { Queries } from "../../server/store/queries.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { openListener } from "../../testing/rpc.ts";

const HOST = "127.0.0.1";
const BYSTANDERS = 20;
/** More cancels than the services bear on one connection: they end it at 300 in a burst. */
const CHURN = 600;
/** Calls that one connection carries at once are 256. */
const AT_ONCE = 200;
const GRACE_MS = 20_000;
/** Of the gateway whose stop is not what is tested. */
const SHORT_GRACE_MS = 1_000;

let readings: Feed<EncodedReadings>;
let services: RpcServer;
let gateway: Platform;
const clients: WsClient[] = [];
/** Calls of the slow question so far; those under way are answered together. */
let asked = 0;
let held = Promise.withResolvers<void>();
function answerAll(): void {
  held.resolve();
  held = Promise.withResolvers();
}

beforeAll(async () => {
  readings = new Feed({ entries: 1_000, bytes: 1_000_000 }, 100);
  services = await openServices(0);
  gateway = await startGateway(SHORT_GRACE_MS);
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.dispose();
  await watchers(0);
});
afterAll(async () => {
  await gateway?.stop();
  await services?.close(100);
});

/** As a process of its own: it has its own copy of everything. */
function startGateway(graceMs = GRACE_MS): Promise<Platform> {
  const grpcUrl = `http://${HOST}:${services.port}`;
  return startPlatform({ ROLE: "gateway", GRPC_URL: grpcUrl, SHUTDOWN_GRACE_MS: String(graceMs) });
}

function openServices(port: number): Promise<RpcServer> {
  const metrics = createMetrics({ processMetrics: false });
  const watch = createWatchService({
    queries: {} as Queries,
    names: { current: Names.NONE },
    metrics,
    shares: new WatchShares(metrics),
    readings,
    alertsChanged: new Feed({ entries: 1, bytes: 1 }, 0),
    readingsPerSecond: 20_000,
    interested: async () => {},
  });
  return openListener({
    port,
    metrics,
    routes: (router) => {
      router.service(WatchService, watch);
      router.service(QueryService, {
        // Answers late, whether or not its caller is still there.
        getPlatformStats: async () => {
          asked++;
          await held.promise;
          return {};
        },
        getLatestReading: ({ sensorId }) => ({ reading: reading(1, sensorId) }),
      });
    },
  });
}

function reading(value: number, sensorId = "s"): ScoredReading {
  const observedAt = { seconds: 1_700_000_000n, nanos: 0 };
  return create(ScoredReadingSchema, { id: BigInt(value), sensorId, sensorType: "t", unit: "C", value, observedAt });
}

const commit = (...values: number[]) => {
  const committed = create(WatchReadingsResponseSchema, { readings: values.map((value) => reading(value)) });
  readings.push(new EncodedReadings(toBinary(WatchReadingsResponseSchema, committed)), 1);
};
const url = (of = gateway) => `${of.http}/api/v1/graphql`;

function wsClient(retryAttempts: number): WsClient {
  const client = createWsClient({
    url: url().replace("http", "ws"),
    webSocketImpl: WebSocket,
    retryAttempts,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 200)),
  });
  clients.push(client);
  return client;
}

interface Seen {
  readonly values: Record<string, unknown>[];
  readonly errors: unknown[];
  ended: boolean;
  stop(): void;
}

function subscribe(client: WsClient, fields = "value", args = 'sensorType: "t"'): Seen {
  const seen: Seen = { values: [], errors: [], ended: false, stop: () => {} };
  seen.stop = client.subscribe<{ sensorDataStream: Record<string, unknown> }>(
    { query: `subscription { sensorDataStream(${args}) { ${fields} } }` },
    {
      next: ({ data, errors }) => {
        if (data) seen.values.push(data.sensorDataStream);
        if (errors) seen.errors.push(...errors);
      },
      error: (error) => {
        seen.errors.push(error);
        seen.ended = true;
      },
      complete: () => {
        seen.ended = true;
      },
    },
  );
  return seen;
}

const watchers = (count: number) => expect.poll(() => readings.waiting).toBe(count);

/** A subscription by SSE: the stream's text so far, and its end. */
async function events(query: string, of = gateway) {
  const response = await fetch(`${url(of)}?query=${encodeURIComponent(query)}`, {
    headers: { accept: "text/event-stream" },
  });
  const seen = { text: "", ended: false };
  const done = (async () => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) seen.text += chunk;
    seen.ended = true;
  })();
  return { seen, done };
}

describe("one caller", () => {
  test("that opens and closes subscriptions without end ends no other's", async () => {
    const client = wsClient(0);
    const bystanders = Array.from({ length: BYSTANDERS }, () => subscribe(client));
    await watchers(BYSTANDERS);
    const refused: unknown[] = [];
    const hostile = wsClient(0);
    for (let round = 0; round < CHURN / 50; round++) {
      const opened = Array.from({ length: 50 }, () => subscribe(hostile));
      await expect.poll(() => readings.waiting > BYSTANDERS || opened.every(({ ended }) => ended)).toBe(true);
      for (const one of opened) {
        one.stop();
        refused.push(...one.errors);
      }
    }
    await watchers(BYSTANDERS);
    commit(7);
    await expect.poll(() => bystanders.map(({ values }) => values.length)).toEqual(bystanders.map(() => 1));
    expect(bystanders.flatMap(({ errors }) => errors)).toEqual([]);
    expect(bystanders.some(({ ended }) => ended)).toBe(false);
  }, 60_000);

  test("that gives up its requests ends no other's", async () => {
    const stats = `${gateway.http}/api/v1/monitoring/stats`;
    const honest: Promise<Response>[] = [];
    for (let round = 0; round < CHURN / AT_ONCE; round++) {
      const before = asked;
      const hostile = Array.from({ length: AT_ONCE }, () => {
        const controller = new AbortController();
        return { controller, gone: fetch(stats, { signal: controller.signal }).catch(() => "gone") };
      });
      await expect.poll(() => asked - before).toBe(AT_ONCE);
      for (const { controller } of hostile) controller.abort();
      honest.push(...Array.from({ length: 5 }, () => fetch(`${gateway.http}/api/v1/sensors/data/s/latest`)));
      await Promise.all(hostile.map(({ gone }) => gone));
      answerAll();
    }
    const answers = await Promise.all(honest);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  }, 60_000);
});

describe("when the services go", () => {
  test("a websocket's subscriber is told to come again, and its client does so by itself", async () => {
    const client = wsClient(100);
    const closed = new Promise<number>((resolve) =>
      client.on("closed", (event) => resolve((event as CloseEvent).code)),
    );
    const seen = subscribe(client);
    await watchers(1);
    const { port } = services;
    await services.close(100);
    expect(await closed).toBe(1013);
    services = await openServices(port);
    await watchers(1);
    commit(1);
    await expect.poll(() => seen.values).toEqual([{ value: 1 }]);
    expect(seen.ended).toBe(false);
  }, 60_000);

  test("an event stream ends with an event that says so, and does not say that it is complete", async () => {
    const { seen, done } = await events('subscription { sensorDataStream(sensorType: "t") { value } }');
    await watchers(1);
    commit(1);
    await expect.poll(() => seen.text).toContain('"value":1');
    const { port } = services;
    await services.close(100);
    services = await openServices(port);
    await done;
    expect(seen.text).toMatch(/event: next\ndata: .*"code":"SERVICE_UNAVAILABLE".*\n\n$/);
    expect(seen.text).not.toContain("complete");
  });
});

describe("when the gateway stops", () => {
  test("an event stream ends with a last event, and the stop does not wait for it", async () => {
    const own = await startGateway();
    const { seen, done } = await events('subscription { sensorDataStream(sensorType: "t") { value } }', own);
    await watchers(1);
    const before = performance.now();
    await own.stop();
    expect(performance.now() - before).toBeLessThan(GRACE_MS / 2);
    await done;
    expect(seen.text).toMatch(/event: next\ndata: .*"code":"SERVICE_UNAVAILABLE".*\n\n$/);
    expect(seen.text).not.toContain("complete");
  });

  test("a websocket that does not answer the close is not waited for", async () => {
    const own = await startGateway();
    const socket = new WebSocket(url(own).replace("http", "ws"), "graphql-transport-ws");
    await once(socket, "open");
    socket.pause();
    const before = performance.now();
    await own.stop();
    expect(performance.now() - before).toBeLessThan(GRACE_MS / 2);
    socket.terminate();
  });
});

describe("a resume token", () => {
  test("goes on behind its value, also in the middle of a commit", async () => {
    const first = subscribe(wsClient(0), "value resumeToken missed");
    await watchers(1);
    commit(1, 2, 3);
    commit(4);
    await expect.poll(() => first.values.map(({ value }) => value)).toEqual([1, 2, 3, 4]);
    expect(new Set(first.values.map(({ missed }) => missed))).toEqual(new Set([false]));
    for (const [index, { resumeToken }] of first.values.slice(0, 4).entries()) {
      const again = subscribe(wsClient(0), "value", `sensorType: "t", resumeToken: "${resumeToken}"`);
      await watchers(2);
      commit(5 + index);
      await expect.poll(() => first.values.length).toBe(5 + index);
      const behind = first.values.map(({ value }) => value).slice(index + 1);
      await expect.poll(() => again.values.map(({ value }) => value)).toEqual(behind);
      again.stop();
      await watchers(1);
    }
  });

  test("that is too old declares the gap: by `missed` where it is asked for, else by an error", async () => {
    const token = String(readings.next);
    commit(1);
    readings.gap();
    const asking = subscribe(wsClient(0), "value missed", `sensorType: "t", resumeToken: "${token}"`);
    await watchers(1);
    commit(2);
    commit(3);
    await expect
      .poll(() => asking.values)
      .toEqual([
        { value: 2, missed: true },
        { value: 3, missed: false },
      ]);
    const silent = subscribe(wsClient(0), "value", `sensorType: "t", resumeToken: "${token}"`);
    await expect.poll(() => silent.errors).toMatchObject([{ extensions: { code: "MISSED" } }]);
  });
});
