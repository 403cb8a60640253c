/** GraphQL from outside, on the real platform: the contract's schema, subscriptions over both transports, limits, shutdown. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { buildClientSchema, getIntrospectionQuery, type IntrospectionQuery, printType } from "graphql";
import { createClient as createWsClient, type Client as WsClient } from "graphql-ws";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { until } from "../../testing/metric.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform?.stop());

interface Result {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions?: Record<string, unknown> }[];
}

const url = () => `${platform.http}/api/v1/graphql`;

async function ask(query: string, variables?: Record<string, unknown>): Promise<Result> {
  const response = await fetch(url(), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as Result;
}

async function submit(sensorId: string, value: number, sensorType = "t"): Promise<void> {
  const response = await fetch(`${platform.http}/api/v1/sensors/data`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sensor_id: sensorId, sensor_type: sensorType, value, unit: "C" }),
  });
  expect(response.status).toBe(200);
}

/** A subscription that is in place when this resolves: the server answers a ping only then. */
async function subscribed(
  query: string,
  onValue: (data: Record<string, unknown>) => void,
  onError: (error: unknown) => void,
) {
  const client = createWsClient({
    url: url().replace("http", "ws"),
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    lazy: true,
  });
  const opened = new Promise<WebSocket>((resolve) => client.on("connected", (socket) => resolve(socket as WebSocket)));
  const stop = client.subscribe(
    { query },
    { next: ({ data }) => onValue(data as Record<string, unknown>), error: onError, complete: () => {} },
  );
  const socket = await opened;
  await inPlace(client, socket);
  return { client, stop, socket };
}

async function inPlace(client: WsClient, socket: WebSocket): Promise<void> {
  const pong = new Promise<void>((resolve) => client.on("pong", () => resolve()));
  socket.send(JSON.stringify({ type: "ping" }));
  await pong;
}

test("a field that fails is told of with its own error, wherever it stands among good ones", async () => {
  await submit("among good ones", 1);
  const good = 'good: sensorData(sensorId: "among good ones") { id }';
  const bad = 'bad: sensorDataPage(pageToken: "xx") { readings { id } }';
  for (const query of [`{ ${good} ${bad} }`, `{ ${bad} ${good} }`]) {
    const { data, errors } = await ask(query);
    expect(data).toBeNull();
    expect(errors).toMatchObject([{ path: ["bad"], extensions: { code: "BAD_USER_INPUT" } }]);
  }
});

describe("the schema", () => {
  test("has the names that existing clients use", async () => {
    const { data } = await ask(getIntrospectionQuery());
    const schema = buildClientSchema(data as unknown as IntrospectionQuery);
    const fields = (type: string) =>
      Object.fromEntries(
        printType(schema.getType(type)!)
          .split("\n")
          .map((line) => /^ {2}(\w+)(?:\(.*\))?: (\S+)$/.exec(line))
          .filter((match) => match !== null)
          .map((match) => [match[1], match[2]]),
      );
    expect(fields("SensorDataType")).toMatchObject({
      id: "SafeInt!",
      sensorId: "String!",
      sensorType: "String!",
      timestamp: "DateTime!",
      value: "Float!",
      unit: "String!",
      location: "String",
      isAnomaly: "Boolean!",
      anomalyScore: "Float",
    });
    expect(fields("AnomalyAlertType")).toMatchObject({
      id: "SafeInt!",
      sensorId: "String!",
      alertType: "String!",
      severity: "String!",
      message: "String!",
      anomalyScore: "Float!",
      sensorValue: "Float!",
      timestamp: "DateTime!",
      resolved: "Boolean!",
      resolvedAt: "DateTime",
    });
    expect(fields("SensorStatsType")).toMatchObject({
      sensorId: "String!",
      totalReadings: "SafeInt!",
      avgValue: "Float!",
      minValue: "Float!",
      maxValue: "Float!",
      anomalyCount: "SafeInt!",
      lastReading: "DateTime!",
    });
    const { sensorData, anomalyAlerts, sensorStats } = schema.getQueryType()!.getFields();
    expect(String(sensorData!.type)).toBe("[SensorDataType!]!");
    expect(sensorData!.args.map(({ name, type, defaultValue }) => [name, String(type), defaultValue])).toEqual(
      expect.arrayContaining([
        ["sensorId", "String", undefined],
        ["startTime", "DateTime", undefined],
        ["limit", "Int", 100],
        ["offset", "Int", 0],
      ]),
    );
    expect(String(anomalyAlerts!.type)).toBe("[AnomalyAlertType!]!");
    expect(String(sensorStats!.type)).toBe("SensorStatsType");
    expect(String(schema.getMutationType()!.getFields().resolveAlert!.type)).toBe("Boolean!");
    expect(Object.keys(schema.getSubscriptionType()!.getFields())).toEqual(
      expect.arrayContaining(["sensorDataStream", "anomalyAlertStream"]),
    );
  });
});

describe("queries and mutations", () => {
  test("a reading goes in and comes out with everything that is known of it", async () => {
    const { data, errors } = await ask(
      `mutation { submitSensorData(sensorId: "g1", sensorType: "t", value: 1.5, unit: "C", location: "hall",
         metadata: { line: 3, tags: ["a", null] }, observedAt: "2026-11-01T00:00:00.123456Z") { id timestamp value location metadata isAnomaly anomalyScore } }`,
    );
    expect(errors).toBeUndefined();
    const stored = {
      id: expect.any(Number),
      timestamp: "2026-11-01T00:00:00.123456Z",
      value: 1.5,
      location: "hall",
      metadata: { line: 3, tags: ["a", null] },
      isAnomaly: false,
      anomalyScore: 0,
    };
    expect(data!.submitSensorData).toEqual(stored);
    const found = await ask(
      '{ sensorData(sensorId: "g1", limit: 5) { id timestamp value location metadata isAnomaly anomalyScore } }',
    );
    expect(found.data!.sensorData).toEqual([data!.submitSensorData]);
  });

  test("statistics of a sensor, and null where it has no reading", async () => {
    await ask('mutation { submitSensorData(sensorId: "g2", sensorType: "t", value: 2, unit: "C") { id } }');
    const { data } = await ask(
      '{ a: sensorStats(sensorId: "g2") { totalReadings avgValue minValue maxValue anomalyCount lastReading } b: sensorStats(sensorId: "none") { avgValue } }',
    );
    expect(data).toEqual({
      a: { totalReadings: 1, avgValue: 2, minValue: 2, maxValue: 2, anomalyCount: 0, lastReading: expect.any(String) },
      b: null,
    });
  });

  test("no alert of that number: false, whether the variable is declared Int or SafeInt", async () => {
    for (const type of ["Int!", "SafeInt!"])
      expect((await ask(`mutation R($id: ${type}) { resolveAlert(alertId: $id) }`, { id: 5 })).data).toEqual({
        resolveAlert: false,
      });
    expect((await ask("mutation { resolveAlert(alertId: 9007199254740991) }")).data).toEqual({ resolveAlert: false });
  });

  test("sensors with each one's latest reading", async () => {
    const { data } = await ask(
      "{ sensors(limit: 1000) { totalCount sensors { sensorId latestReading { sensorId value } } } }",
    );
    const { sensors, totalCount } = data!.sensors as {
      totalCount: number;
      sensors: { sensorId: string; latestReading: { sensorId: string } }[];
    };
    expect(sensors).toHaveLength(totalCount);
    expect(sensors.every(({ sensorId, latestReading }) => latestReading.sensorId === sensorId)).toBe(true);
  });

  test("errors say what to mend, by a code", async () => {
    const tooMany = await ask("{ sensorData(limit: 5000) { id } }");
    expect(tooMany.errors).toMatchObject([
      { extensions: { code: "BAD_USER_INPUT", grpc: { status: "INVALID_ARGUMENT" } } },
    ]);
    const noTime = await ask('{ sensorData(startTime: "soon") { id } }');
    expect(noTime.errors).toMatchObject([{ message: expect.stringContaining("ISO 8601") }]);
    const conflict =
      'mutation { submitSensorData(sensorId: "g3", sensorType: "t", value: VALUE, unit: "C", observedAt: "2026-11-01T00:00:00Z") { id } }';
    await ask(conflict.replace("VALUE", "1"));
    expect((await ask(conflict.replace("VALUE", "2"))).errors).toMatchObject([{ extensions: { code: "CONFLICT" } }]);
    expect((await ask('{ anomalyAlerts(severity: "enormous") { id } }')).data).toEqual({ anomalyAlerts: [] });
  });

  test("a query may come by GET, a mutation may not", async () => {
    const byGet = (query: string) => fetch(`${url()}?query=${encodeURIComponent(query)}`);
    expect(await (await byGet("{ sensorData(limit: 0) { id } }")).json()).toEqual({ data: { sensorData: [] } });
    expect((await byGet("mutation { resolveAlert(alertId: 1) }")).status).toBe(405);
  });

  test("operations that ask for too much are refused before anything is called", async () => {
    const code = async (query: string) => (await ask(query)).errors?.[0]?.extensions?.code;
    expect(
      await code(`{ ${Array.from({ length: 21 }, (_, i) => `a${i}: sensorData(limit: 1) { id }`).join(" ")} }`),
    ).toBe("OPERATION_TOO_LARGE");
    const wide = Array.from({ length: 120 }, (_, i) => `f${i}: id`).join(" ");
    expect(await code(`{ sensorData(limit: 1000) { ${wide} } }`)).toBe("OPERATION_TOO_LARGE");
    const fragments = Array.from(
      { length: 12 },
      (_, i) => `fragment F${i} on SensorDataType { ...F${i + 1} ...F${i + 1} }`,
    ).join(" ");
    expect(await code(`query { sensorData { ...F0 } } ${fragments} fragment F12 on SensorDataType { id value }`)).toBe(
      "OPERATION_TOO_LARGE",
    );
    expect((await ask(`{ ${"sensorData(limit: 0) { id } ".repeat(1000)} }`)).errors?.[0]?.message).toMatch(/token/i);
    const batch = await fetch(url(), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(Array.from({ length: 11 }, () => ({ query: "{ sensorData(limit: 0) { id } }" }))),
    });
    expect(batch.status).toBe(413);
  });

  test("a browser gets a playground that carries all it needs", async () => {
    const page = await (await fetch(url(), { headers: { accept: "text/html" } })).text();
    expect(page).toContain("renderYogaGraphiQL");
    expect(page).not.toMatch(/<(?:script|link)[^>]+(?:src|href)="https?:/);
  });
});

describe("subscriptions", () => {
  test("ten subscribers each get each of 1,000 readings, once, in one order", async () => {
    const READINGS = 1000;
    const all = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const ids: number[] = [];
        const done = Promise.withResolvers<void>();
        const { client } = await subscribed(
          'subscription { sensorDataStream(sensorType: "thousand") { id } }',
          (data) => {
            ids.push((data.sensorDataStream as { id: number }).id);
            if (ids.length === READINGS) done.resolve();
          },
          done.reject,
        );
        return { ids, done: done.promise, client };
      }),
    );
    let next = 0;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (next < READINGS) await submit(`thousand-${next % 7}`, next++, "thousand");
      }),
    );
    await Promise.all(all.map(({ done }) => done));
    const stored = (await ask('{ sensorData(sensorType: "thousand", limit: 1000) { id } }')).data!.sensorData as {
      id: number;
    }[];
    const ids = stored.map(({ id }) => id).sort((a, b) => a - b);
    for (const subscriber of all) {
      expect([...subscriber.ids].sort((a, b) => a - b)).toEqual(ids);
      expect(subscriber.ids).toEqual(all[0]!.ids);
    }
    for (const { client } of all) await client.dispose();
  });

  test("an alert reaches its subscriber by SSE", async () => {
    const stream = await fetch(url(), {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream" },
      body: JSON.stringify({
        query: 'subscription { anomalyAlertStream(sensorId: "jumps") { sensorId severity sensorValue resolved } }',
      }),
    });
    expect(stream.headers.get("content-type")).toContain("text/event-stream");
    for (let i = 0; i < 48; i++) await submit("jumps", 20 + 0.1 * Math.sin(i * 2.4));
    await submit("jumps", 30);
    let text = "";
    for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes("sensorValue")) break;
    }
    expect(JSON.parse(/data: (.*)/.exec(text)![1]!)).toMatchObject({
      data: { anomalyAlertStream: { sensorId: "jumps", sensorValue: 30, resolved: false } },
    });
  });

  test("a bad subscription is told why at once", async () => {
    const failed = Promise.withResolvers<unknown>();
    const client = createWsClient({ url: url().replace("http", "ws"), webSocketImpl: WebSocket, retryAttempts: 0 });
    client.subscribe(
      { query: 'subscription { anomalyAlertStream(severity: "enormous") { id } }' },
      {
        next: ({ errors }) => errors && failed.resolve(errors),
        error: failed.resolve,
        complete: () => failed.reject(new Error("completed")),
      },
    );
    expect(await failed.promise).toMatchObject([{ message: expect.stringContaining("low, medium, high, critical") }]);
    await client.dispose();
  });

  test("a subscriber that stops reading is dropped with a reason and hurts nobody", async () => {
    const quick: number[] = [];
    const { client } = await subscribed(
      'subscription { sensorDataStream(sensorType: "flood") { value } }',
      (data) => quick.push((data.sensorDataStream as { value: number }).value),
      (error) => expect.fail(JSON.stringify(error)),
    );
    const deaf = await deafSubscriber(platform.http);
    const dropped = async () =>
      /gateway_websockets_dropped_total\{reason="too_slow"\} 1/.test(
        await (await fetch(`${platform.http}/api/v1/monitoring/metrics`)).text(),
      );
    // Each message to the deaf one is 54 kB: 70 MB are more than the sockets between take in.
    const location = "x".repeat(100);
    let sent = 0;
    const flood = async () => {
      const readings = Array.from({ length: 100 }, (_, i) => ({
        sensorId: `flood-${i}`,
        sensorType: "flood",
        value: sent++,
        unit: "C",
        location,
      }));
      const answer = await fetch(`${platform.grpc}/telltale.v1.IngestService/SubmitReadings`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ readings }),
      });
      expect(answer.status).toBe(200);
      await until(() => quick.length >= sent);
      expect(quick).toHaveLength(sent);
    };
    for (let batch = 0; batch < 13; batch++) await flood();
    await until(dropped);
    await flood();
    expect(new Set(quick).size).toBe(sent);
    deaf.resume();
    expect(await closingOf(deaf)).toContain("took nothing");
    await client.dispose();
  }, 120_000);
});

/** A raw websocket client that subscribes and then never reads. */
async function deafSubscriber(http: string): Promise<Socket> {
  const { hostname, port } = new URL(http);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.write(
    `GET /api/v1/graphql HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`,
  );
  await once(socket, "data");
  socket.write(frame(JSON.stringify({ type: "connection_init" })));
  await once(socket, "data");
  const fields = Array.from({ length: 500 }, (_, i) => `f${i}: location`).join(" ");
  const query = `subscription { sensorDataStream(sensorType: "flood") { ${fields} } }`;
  socket.write(frame(JSON.stringify({ id: "1", type: "subscribe", payload: { query } })));
  socket.write(frame(JSON.stringify({ type: "ping" })));
  await once(socket, "data");
  socket.pause();
  return socket;
}

/** A batch of one reading, and then nothing until the signal. */
async function* oneAndWait(signal: AbortSignal) {
  const readings = [{ sensorId: "device", sensorType: "t", value: 1, unit: "C" }];
  yield { producer: "device", sequence: 1n, readings };
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

/** A masked text frame, as clients must send. */
function frame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head =
    payload.length < 126
      ? Buffer.from([0x81, 0x80 | payload.length])
      : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([head, Buffer.from([0, 0, 0, 0]), payload]);
}

/** All that comes until the end, of which the close frame is the last. */
async function closingOf(socket: Socket): Promise<string> {
  let tail = "";
  for await (const chunk of socket as AsyncIterable<Buffer>) tail = (tail + chunk.toString("latin1")).slice(-300);
  return tail;
}

describe("SIGTERM", () => {
  test("devices are told at once, and an open event stream ends with a last event", async () => {
    const own = await startPlatform({ SHUTDOWN_GRACE_MS: "60000" });
    const query = encodeURIComponent("subscription { sensorDataStream { value } }");
    const stream = await fetch(`${own.http}/api/v1/graphql?query=${query}`, {
      headers: { accept: "text/event-stream" },
    });
    const text = stream.text();
    const requests = new AbortController();
    const device = createClient(IngestService, createGrpcTransport({ baseUrl: own.grpc }));
    const acks = device.streamReadings(oneAndWait(requests.signal))[Symbol.asyncIterator]();
    await acks.next();
    const before = performance.now();
    const stopped = own.stop();
    const told = (async () => {
      for (;;) if ((await acks.next()).done) return undefined;
    })();
    await expect(told).rejects.toMatchObject({ code: Code.Unavailable });
    requests.abort();
    await stopped;
    expect(performance.now() - before).toBeLessThan(45_000);
    expect(await text).toMatch(/event: next\ndata: .*"code":"SERVICE_UNAVAILABLE".*\n\n$/);
  }, 120_000);

  test("closes websockets with a reason, and the process ends", async () => {
    const own = await startPlatform();
    const socket = new WebSocket(`${own.http.replace("http", "ws")}/api/v1/graphql`, "graphql-transport-ws");
    await once(socket, "open");
    socket.send(JSON.stringify({ type: "connection_init" }));
    await once(socket, "message");
    const closed = once(socket, "close");
    await own.stop();
    const [code, reason] = await closed;
    expect([code, String(reason)]).toEqual([1001, "The platform is shutting down; connect again"]);
  });
});
