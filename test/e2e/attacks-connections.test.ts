/** Attacks by how a connection is used: upgrades, requests that are broken off, odd frames. The platform is the real one. */
import { once } from "node:events";
import net from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform?.stop());

const httpPort = () => Number(new URL(platform.http).port);
const grpcPort = () => Number(new URL(platform.grpc).port);
const UPGRADE =
  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

describe("a connection that asks for a websocket", () => {
  it.each([
    ["where there is none", "/nope", ""],
    ["for a page that may not", "/api/v1/graphql", "Origin: https://evil.example\r\n"],
    ["with a credential that is none", "/api/v1/graphql", "Authorization: Bearer \u00e9\r\n"],
    ["of GraphQL", "/api/v1/graphql", "Sec-WebSocket-Protocol: graphql-transport-ws\r\n"],
  ])("%s and is reset at once ends alone", async (_, path, headers) => {
    for (const port of [httpPort(), grpcPort()]) {
      for (let i = 0; i < 50; i++) {
        const socket = await connected(port);
        const written = new Promise((resolve) =>
          socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}${UPGRADE}\r\n`, "latin1", resolve),
        );
        await written;
        // At different moments of the answer.
        for (let turn = 0; turn < i % 5; turn++) await new Promise((resolve) => setImmediate(resolve));
        socket.resetAndDestroy();
      }
    }
    await stillServes();
  });

  it("and is refused is let go, also where the caller keeps its side open", async () => {
    const socket = net.connect({ port: httpPort(), host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => undefined); // the reset that is wanted
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(`GET /nope HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}\r\n`);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1.1 404/);
    // What is sent to a socket that nobody has any more is answered with a reset.
    const more = setInterval(() => socket.write("x"), 50);
    await closed;
    clearInterval(more);
  });
});

it("a request that offers another protocol beside HTTP/1.1 is answered as one that does not", async () => {
  const offers = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
  for (const port of [httpPort(), grpcPort()]) {
    const socket = await connected(port);
    socket.write(`GET /health HTTP/1.1\r\nHost: localhost\r\n${offers}\r\n`);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1.1 200/);
    socket.destroy();
  }
});

it("bodies that are broken off write no line into the log", async () => {
  for (const [path, port] of [
    ["/api/v1/sensors/data", httpPort()],
    ["/api/v1/graphql", httpPort()],
    ["/telltale.v1.IngestService/SubmitReadings", grpcPort()],
  ] as const) {
    for (const length of ["Transfer-Encoding: chunked\r\n\r\n5\r\n{", "Content-Length: 100\r\n\r\n{"]) {
      const socket = await connected(port);
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${length}`);
      await stillServes();
      socket.resetAndDestroy();
      await closed;
    }
  }
  await stillServes();
  expect(platform.output()).not.toContain('"level":"error"');
});

describe("a subscription", () => {
  it.each([
    ["skipped", "subscription { sensorDataStream @skip(if: true) { value } }"],
    ["not included", "subscription { ... @include(if: false) { sensorDataStream { value } } }"],
    [
      "skipped in a fragment",
      "subscription { ...f } fragment f on Subscription { alertEvents @skip(if: true) { id } }",
    ],
    ["skipped by a variable", "subscription ($no: Boolean = true) { sensorDataStream @skip(if: $no) { value } }"],
  ])("whose only field is %s is told so", async (_, query) => {
    for (const accept of ["application/json", "text/event-stream"]) {
      const answer = await fetch(`${platform.http}/api/v1/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json", accept },
        body: JSON.stringify({ query }),
      });
      expect(await answer.text()).toMatch(/cannot stand under @skip or @include.*GRAPHQL_VALIDATION_FAILED/);
    }
    const socket = new WebSocket(`${platform.http.replace("http", "ws")}/api/v1/graphql`, "graphql-transport-ws");
    await once(socket, "open");
    socket.send(JSON.stringify({ type: "connection_init" }));
    await once(socket, "message");
    socket.send(JSON.stringify({ type: "subscribe", id: "1", payload: { query } }));
    const [told] = await once(socket, "message");
    expect(String(told)).toMatch(/cannot stand under @skip or @include.*GRAPHQL_VALIDATION_FAILED/);
    socket.terminate();
    expect(platform.output()).not.toContain('"level":"error"');
  });
});

it("pings whose answers nobody takes are not read without end", async () => {
  const socket = new WebSocket(`${platform.http.replace("http", "ws")}/api/v1/graphql`, "graphql-transport-ws");
  socket.on("error", () => undefined); // it is cut off
  await once(socket, "open");
  socket.send(JSON.stringify({ type: "connection_init" }));
  await once(socket, "message");
  socket.pause();
  const closed = once(socket, "close");
  const ping = JSON.stringify({ type: "ping", payload: { x: "y".repeat(10_000) } });
  const PINGS = 8_000;
  let taken = 0;
  for (let i = 0; i < PINGS; i++)
    socket.send(ping, (error) => {
      if (error == null) taken++;
    });
  await closed;
  expect(taken).toBeLessThan(PINGS / 2);
  await stillServes();
});

it("watches with filters of megabytes are refused: all scorers would have to know them", async () => {
  const client = createClient(WatchService, createGrpcTransport({ baseUrl: platform.grpc }));
  const long = "x".repeat(1_000_000);
  for (const filter of [{ sensorId: long }, { sensorType: long }, { location: long }]) {
    const first = client.watchReadings(filter)[Symbol.asyncIterator]().next();
    await expect(first).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  }
  const alerts = client.watchAlerts({ sensorId: long })[Symbol.asyncIterator]().next();
  await expect(alerts).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});

async function connected(port: number): Promise<net.Socket> {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => undefined); // a reset is what is wanted
  await once(socket, "connect");
  return socket;
}

async function stillServes(): Promise<void> {
  expect((await fetch(`${platform.http}/health`)).status).toBe(200);
  expect((await fetch(`${platform.grpc}/health`)).status).toBe(200);
}
