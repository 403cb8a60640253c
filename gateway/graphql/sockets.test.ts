import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { GatewayRuntime } from "@graphql-hive/gateway-runtime";
import pino from "pino";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { GatewayMetrics } from "../metrics.ts";
import { graphqlSockets } from "./sockets.ts";

const PLACES = 1_000;
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function start() {
  const live = { ending: new AbortController().signal, requests: new WeakSet<Request>() };
  const sockets = graphqlSockets({} as GatewayRuntime, live, new GatewayMetrics(), pino({ level: "silent" }));
  const server = createServer();
  server.on("upgrade", (request, socket, head) => sockets.upgrade(request, socket, head));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stops.push(async () => {
    await sockets.close("the test is over", 0);
    server.closeAllConnections();
    server.close();
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  /** The socket, or the status of the refusal. */
  return (localAddress: string) =>
    new Promise<WebSocket | number>((resolve) => {
      const socket = new WebSocket(url, "graphql-transport-ws", { localAddress });
      socket.once("open", () => {
        // One that says nothing is closed after three seconds.
        socket.send('{"type":"connection_init"}');
        resolve(socket);
      });
      socket.once("unexpected-response", (request, { statusCode }) => {
        request.destroy();
        resolve(statusCode ?? 0);
      });
      socket.on("error", () => resolve(0));
    });
}

test("one address takes half of the websockets, another finds room, and a place comes back with its socket", async () => {
  const connect = await start();
  const open: WebSocket[] = [];
  while (open.length < PLACES / 2) {
    const more = await Promise.all(Array.from({ length: 50 }, () => connect("127.0.0.1")));
    open.push(...more.filter((one) => one instanceof WebSocket));
  }
  expect(open).toHaveLength(PLACES / 2);
  expect(await connect("127.0.0.1")).toBe(429);
  expect(await connect("127.0.0.2")).toBeInstanceOf(WebSocket);
  expect(await connect("127.0.0.1"), "a place of another gives none").toBe(429);
  for (const socket of open.slice(0, 10)) {
    socket.close();
    await once(socket, "close");
  }
  await expect.poll(() => connect("127.0.0.1")).toBeInstanceOf(WebSocket);
}, 60_000);
