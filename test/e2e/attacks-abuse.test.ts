/** Attacks on what the platform can bear, and on what it believes. The platform is the real one, as it starts by default. */
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { gzipSync } from "node:zlib";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { status } from "@grpc/grpc-js";
import { createClient as createGraphqlClient } from "graphql-ws";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { RetryInfoSchema } from "../../gen/es/google/rpc/error_details_pb.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { frame } from "../../testing/http2-frame.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({ LOG_LEVEL: "DEBUG" });
  await ingest().submitReadings({ readings: [reading("honest")] });
});
afterAll(() => platform?.stop());

const ingest = () => createClient(IngestService, createGrpcTransport({ baseUrl: platform.grpc }));
const query = () => createClient(QueryService, createGrpcTransport({ baseUrl: platform.grpc }));
const reading = (sensorId: string, more: object = {}) => ({ sensorId, sensorType: "t", unit: "u", value: 1, ...more });
const ports = () => [platform.grpc, platform.http].map((url) => Number(new URL(url).port));

describe("an attack by load", () => {
  it("of a thousand connections that send a byte now and then leaves honest callers undisturbed", {
    timeout: 60_000,
  }, async () => {
    const [grpcPort, httpPort] = ports() as [number, number];
    const sockets = Array.from({ length: 1_000 }, (_, i) => slow(i % 2 === 0 ? grpcPort : httpPort));
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    const drip = setInterval(() => {
      for (const socket of sockets) if (!socket.destroyed) socket.write("x");
    }, 500);
    const answered = await honestCalls(200);
    clearInterval(drip);
    for (const socket of sockets) socket.destroy();
    // How much slower they are is measured by bench/attacks.ts; here, that none waits for the others.
    expect(Math.max(...answered)).toBeLessThan(5_000);
  });

  it("of subscriptions, more than a connection to the services carries, leaves everybody else served", async () => {
    const clients = Array.from({ length: 4 }, () => createSubscriber(platform.http));
    const ended = Promise.withResolvers<never>();
    const streams = clients.flatMap((client) =>
      Array.from({ length: 90 }, () =>
        client.iterate({ query: 'subscription { sensorDataStream(sensorId: "honest") { value } }' }),
      ),
    );
    const firsts = streams.map((stream) => stream.next());
    for (const first of firsts) first.catch(ended.reject);
    // All are in place once each has seen a reading; readings are sent until then.
    const send = setInterval(() => void ingest().submitReadings({ readings: [reading("honest")] }), 200);
    await Promise.race([Promise.all(firsts), ended.promise]);
    clearInterval(send);
    // Within the gateway's deadline, past which it would be 504.
    expect((await fetch(`${platform.http}/api/v1/sensors/data?sensor_id=honest`)).status).toBe(200);
    expect((await fetch(`${platform.http}/api/v1/monitoring/stats`)).status).toBe(200);
    await Promise.all(clients.map((client) => client.dispose()));
    await stillServes();
  });

  it("of streams opened and reset as fast as can be ends its own connection alone", async () => {
    const session = http2.connect(platform.grpc);
    session.on("error", () => undefined); // the server ends it: what is wanted
    const ended = closing(session);
    const flood = setInterval(() => {
      for (let i = 0; i < 500 && !session.closed && !session.destroyed; i++) {
        const stream = session.request({
          ":method": "POST",
          ":path": "/telltale.v1.QueryService/ListSensors",
          "content-type": "application/grpc",
        });
        stream.on("error", () => undefined);
        stream.close(http2.constants.NGHTTP2_CANCEL);
      }
    }, 1);
    await ended;
    clearInterval(flood);
    await stillServes();
  });

  it("of headers without end (HTTP/2 CONTINUATION frames) is cut off", async () => {
    const socket = net.connect(ports()[0]!, "127.0.0.1");
    socket.on("error", () => undefined); // a reset is what is wanted
    socket.resume();
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(frame({ type: 4, payload: Buffer.alloc(0) }));
    // Literal header fields, never indexed: name "a", value of 1,000 bytes; END_HEADERS never comes.
    const header = Buffer.concat([Buffer.from([0x10, 1, 0x61, 0x7f, 0xe9, 0x06]), Buffer.alloc(1_000, 0x62)]);
    socket.write(frame({ type: 1, stream: 1, payload: header }));
    let sent = 0;
    const closed = closing(socket);
    while (!socket.destroyed && sent < 64 * 1024 * 1024) {
      const bytes = frame({ type: 9, stream: 1, payload: Buffer.concat(Array(15).fill(header)) });
      sent += bytes.length;
      if (!socket.write(bytes)) await Promise.race([drained(socket), closed]);
    }
    await closed;
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    await stillServes();
  });

  it("of headers without end over HTTP/1.1 is cut off at both listeners", async () => {
    for (const port of ports()) {
      const socket = net.connect(port, "127.0.0.1");
      socket.on("error", () => undefined); // a reset is what is wanted
      socket.resume();
      const closed = closing(socket);
      socket.write("GET /health HTTP/1.1\r\nHost: localhost\r\n");
      let sent = 0;
      while (!socket.destroyed && sent < 64 * 1024 * 1024) {
        const line = `x-${sent}: ${"y".repeat(8_000)}\r\n`;
        sent += line.length;
        if (!socket.write(line)) await Promise.race([drained(socket), closed]);
      }
      await closed;
      expect(sent).toBeLessThan(16 * 1024 * 1024);
    }
    await stillServes();
  });

  it("of compressed bombs is refused before they are unpacked", async () => {
    const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024));
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        fetch(`${platform.grpc}/telltale.v1.IngestService/SubmitReadings`, {
          method: "POST",
          headers: { "content-type": "application/json", "content-encoding": "gzip" },
          body: bomb,
        }),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(8).fill(429));
    const rest = await fetch(`${platform.http}/api/v1/sensors/data`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: bomb,
    });
    expect(rest.status).toBeGreaterThanOrEqual(400);
    expect(rest.status).toBeLessThan(500);
    await stillServes();
  });

  it("of a message that announces four gigabytes is refused by its announcement", async () => {
    const session = http2.connect(platform.grpc);
    const stream = session.request({
      ":method": "POST",
      ":path": "/telltale.v1.IngestService/SubmitReadings",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
    const [headers] = await Promise.race([
      once(stream, "trailers"),
      once(stream, "response").then(([all]) => (all["grpc-status"] ? [all] : once(stream, "trailers"))),
    ]);
    expect(headers["grpc-status"]).toBe(String(status.RESOURCE_EXHAUSTED));
    session.destroy();
  });

  it.each([
    ["a query nested a thousand deep", `{ sensorData ${"{ id ".repeat(1_000)}${"}".repeat(1_001)}`],
    [
      "the same field ten thousand times",
      `{ ${Array.from({ length: 10_000 }, (_, i) => `a${i}: sensorData { id }`).join(" ")} }`,
    ],
    ["a fragment that contains itself", "{ ...f } fragment f on Query { ...f }"],
    ["a batch of a thousand", JSON.stringify(Array(1_000).fill({ query: "{ __typename }" }))],
  ])("of GraphQL by %s is refused", async (_, text) => {
    const started = performance.now();
    const answer = await fetch(`${platform.http}/api/v1/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: text.startsWith("[") ? text : JSON.stringify({ query: text }),
    });
    const body = (await answer.json()) as { errors?: unknown[] };
    expect(body.errors ?? []).not.toEqual([]);
    expect(performance.now() - started).toBeLessThan(3_000);
    await stillServes();
  });
});

describe("a caller over its quota", () => {
  it("is told so and when to come back, by gRPC, REST and GraphQL", async () => {
    const limited = await startPlatform({ LIMIT_CALLS_PER_SECOND: "5" });
    try {
      const call = createClient(QueryService, createGrpcTransport({ baseUrl: limited.grpc }));
      const results = await Promise.allSettled(Array.from({ length: 40 }, () => call.listSensors({})));
      const refused = results.filter((each) => each.status === "rejected").map((each) => each.reason);
      // The calls may fall into two seconds, each with its five.
      expect(refused.length).toBeGreaterThanOrEqual(30);
      for (const error of refused) {
        expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
        expect(error.findDetails(RetryInfoSchema)).toHaveLength(1);
      }
      const asked = Array.from({ length: 40 }, () => fetch(`${limited.http}/api/v1/sensors/data`));
      const answers = (await Promise.all(asked)).filter(({ status: code }) => code === 429);
      expect(answers.length).toBeGreaterThanOrEqual(30);
      for (const answer of answers) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      const posted = await Promise.all(
        Array.from({ length: 40 }, async () => {
          const answer = await fetch(`${limited.http}/api/v1/graphql`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ query: "{ sensorData { id } }" }),
          });
          return ((await answer.json()) as { errors?: { extensions: { code: string } }[] }).errors?.[0]?.extensions
            .code;
        }),
      );
      expect(posted.filter((code) => code === "RATE_LIMITED").length).toBeGreaterThanOrEqual(30);
      // Callers of the gateway are counted each by their own address, whatever they say of it themselves.
      const [crowd, other] = await Promise.all([
        Promise.all(
          Array.from({ length: 40 }, (_, i) => from("127.0.0.1", limited.http, { "telltale-client": `10.0.0.${i}` })),
        ),
        Promise.all(Array.from({ length: 3 }, () => from("127.0.0.2", limited.http))),
      ]);
      expect(crowd.filter((code) => code === 429).length).toBeGreaterThanOrEqual(30);
      expect(other).toEqual([200, 200, 200]);
      const forged = await Promise.allSettled(
        Array.from({ length: 40 }, (_, i) =>
          call.listSensors({}, { headers: { "telltale-client": `10.0.0.${i};${"A".repeat(43)}` } }),
        ),
      );
      expect(forged.filter((each) => each.status === "rejected").length).toBeGreaterThanOrEqual(30);
      // Probes are not counted: a full house is not an ill one.
      expect((await fetch(`${limited.http}/health`)).status).toBe(200);
    } finally {
      await limited.stop();
    }
  });
});

describe("an attack by input", () => {
  const injections = [
    "' or '1'='1",
    "'; drop table series; --",
    "\\'; select pg_sleep(10); --",
    "%",
    "_",
    "x' union select secret_hash from api_token --",
  ];

  it("of SQL in every filter finds nothing, changes nothing and does not wait", async () => {
    const started = performance.now();
    for (const text of injections) {
      const { readings } = await query().listReadings({ sensorId: text, sensorType: text, location: text });
      expect(readings).toEqual([]);
      expect((await query().listSensors({ sensorType: text, location: text })).sensors).toEqual([]);
      expect(
        (
          await createClient(AlertService, createGrpcTransport({ baseUrl: platform.grpc })).listAlerts({
            sensorId: text,
          })
        ).alerts,
      ).toEqual([]);
      const rest = await fetch(
        `${platform.http}/api/v1/sensors/data?sensor_id=${encodeURIComponent(text)}&location=${encodeURIComponent(text)}`,
      );
      expect([rest.status, await rest.json()]).toEqual([200, []]);
    }
    expect(performance.now() - started).toBeLessThan(8_000);
    await stillServes();
  });

  it("of SQL in a sensor's name is stored and found as the name that it is", async () => {
    for (const text of injections.slice(0, 3)) {
      const name = text.slice(0, 50);
      await ingest().submitReadings({ readings: [reading(name)] });
      expect((await query().getLatestReading({ sensorId: name })).reading?.sensorId).toBe(name);
    }
  });

  it("of GraphQL through a variable stays a value", async () => {
    const answer = await fetch(`${platform.http}/api/v1/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        query: "query ($id: String) { sensorData(sensorId: $id) { id } }",
        variables: { id: '") { id } __schema { types { name } } x: sensorData(sensorId: "' },
      }),
    });
    expect(await answer.json()).toEqual({ data: { sensorData: [] } });
  });

  it("of keys named like parts of every object is kept as data", async () => {
    const body = `{"sensor_id":"proto","sensor_type":"t","unit":"u","value":1,"metadata":{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}}`;
    const stored = await fetch(`${platform.http}/api/v1/sensors/data`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    expect(stored.status).toBe(200);
    const after = await fetch(`${platform.http}/api/v1/sensors/data`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"__proto__":{"sensor_id":"x"},"constructor":1}`,
    });
    expect(after.status).toBe(422);
    await stillServes();
  });

  it("of line breaks and terminal codes in names writes no line of its own into the log", async () => {
    const forged = 'x\n{"level":"fatal","msg":"forged"}\u001b[2J';
    const answer = await ingest()
      .submitReadings({ readings: [reading(forged, { value: Number.NaN })] })
      .catch((error) => error);
    expect(answer.code).toBe(status.INVALID_ARGUMENT);
    await fetch(`${platform.http}/api/v1/sensors/data/${encodeURIComponent(forged)}/latest`);
    const names = { sensorType: forged.slice(0, 50), unit: forged.slice(0, 20), location: forged };
    const { counts } = await ingest().submitReadings({ readings: [reading("forged", names)] });
    expect(counts?.accepted).toBe(1n);
    const refused = await ingest()
      .submitReadings({ readings: [reading(forged.slice(0, 50))] })
      .catch((error) => error);
    expect(refused.code).toBe(status.INVALID_ARGUMENT);
    const lines = platform.output().split("\n");
    expect(lines.filter((line) => line.startsWith('{"level":"fatal"'))).toEqual([]);
    expect(platform.output()).not.toContain("\u001b[2J");
  });

  it("of files beside the documents finds none", async () => {
    for (const path of [
      "/docs/../../../etc/passwd",
      "/docs/..%2f..%2fpackage.json",
      "/redoc/%2e%2e/%2e%2e/package.json",
      "//etc/passwd",
      "/docs/%00",
    ]) {
      const answer = await raw(ports()[1]!, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1.1 (404|400|307)/);
      expect(answer).not.toMatch(/root:|"dependencies"/);
    }
  });

  it("of two lengths in one request (smuggling) is refused at both listeners", async () => {
    for (const port of ports()) {
      const head =
        "POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n";
      expect(await raw(port, `${head}0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n`)).toMatch(
        /^HTTP\/1.1 400/,
      );
      const twice = "POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n";
      expect(await raw(port, twice)).toMatch(/^HTTP\/1.1 400/);
    }
  });

  it("of a page of another site that made its name point here (DNS rebinding) is refused at both listeners", async () => {
    const [grpcPort, httpPort] = ports() as [number, number];
    const attempts: [number, string][] = [
      [httpPort, "GET /api/v1/sensors/data"],
      [httpPort, "GET /api/v1/monitoring/metrics"],
      [httpPort, "POST /api/v1/graphql"],
      [grpcPort, "POST /telltale.v1.QueryService/ListReadings"],
      [grpcPort, "GET /health"],
    ];
    for (const [port, call] of attempts) {
      const answer = await raw(
        port,
        `${call} HTTP/1.1\r\nHost: evil.example:${port}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      );
      expect([call, answer.slice(0, 12)]).toEqual([call, "HTTP/1.1 421"]);
    }
    const upgrade = await raw(
      httpPort,
      `GET /api/v1/graphql HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`,
    );
    expect(upgrade).not.toMatch(/^HTTP\/1.1 101/);
  });

  it("of a page of another site is kept from calling the gRPC listener: its preflight gets no leave", async () => {
    const answer = await fetch(`${platform.grpc}/telltale.v1.AlertService/ResolveAlert`, {
      method: "OPTIONS",
      headers: {
        origin: "https://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
      },
    });
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    // What needs no preflight is no call: a form can send only these three types.
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      const form = await fetch(`${platform.grpc}/telltale.v1.AlertService/ResolveAlert`, {
        method: "POST",
        headers: { "content-type": type },
        body: "{}",
      });
      expect(form.status).toBe(415);
    }
  });

  it("of a process that is to listen to everybody without asking who calls does not start", async () => {
    await expect(startPlatform({ BIND_ADDRESS: "0.0.0.0" })).rejects.toThrow(/AUTH is off/);
  });
});

/** A connection that begins a request and never gets on with it. */
function slow(port: number): net.Socket {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => undefined); // it is cut off some time
  socket.write("POST /api/v1/sensors/data HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
  return socket.resume();
}

/** Status of a question that comes from the address. */
function from(localAddress: string, url: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get(`${url}/api/v1/sensors/data`, { localAddress, headers, agent: false }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
    });
    request.once("error", reject);
  });
}

/** What came back on a bare socket by the time that it was closed. */
async function raw(port: number, request: string): Promise<string> {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => undefined); // a reset is an answer too
  const parts: string[] = [];
  socket.setEncoding("latin1").on("data", (part: string) => parts.push(part));
  socket.end(request);
  await closing(socket);
  return parts.join("");
}

/** Resolves when it is closed, also by an error. */
function closing(connection: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => connection.once("close", () => resolve()));
}

function drained(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once("drain", () => resolve()));
}

/** Milliseconds of each of so many calls, one after another, by a client of their own. */
async function honestCalls(count: number): Promise<number[]> {
  const client = query();
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    await client.getLatestReading({ sensorId: "honest" });
    times.push(performance.now() - started);
  }
  return times;
}

function createSubscriber(http: string) {
  return createGraphqlClient({
    url: `${http.replace("http", "ws")}/api/v1/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
}

async function stillServes(): Promise<void> {
  expect((await query().getLatestReading({ sensorId: "honest" })).reading?.value).toBe(1);
  expect((await fetch(`${platform.http}/health`)).status).toBe(200);
}
