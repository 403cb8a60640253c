import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import http2, { type Http2ServerResponse } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { testLogger } from "../../testing/logger.ts";
import { startProxy } from "../../testing/proxy.ts";
import { type AdapterOptions, createAdapter } from "./adapter.ts";
import { protocolServer } from "./protocol-server.ts";

/** More than what the sockets on the way hold. */
const LARGE = 48 * 1024 * 1024;
const UNAUTHENTICATED = "16";

async function listen(fallback: AdapterOptions["fallback"]) {
  const adapter = createAdapter({
    ...{
      routes: () => {},
      fallback,
      protocols: protocolServer(undefined, undefined, 10_000, testLogger),
      shortPath: () => false,
    },
    ...{ onUnknownMethod: () => {}, requestTimeoutMs: 10_000, maxHeaderBytes: 10_000, maxStreamingCalls: 10 },
    ...{ allowsHost: () => true, allowsOrigin: () => "no", logger: testLogger },
  });
  const server = http2.createServer(adapter).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

/** Resolves when the server has ended the stream from its side, whether or not the other one knows. */
function closedByServer(path: string): Promise<void> {
  return new Promise((resolve) => {
    const hear = (message: unknown) => {
      if ((message as { stream: { path?: string } }).stream.path !== path) return;
      unsubscribe("http2.server.stream.close", hear);
      resolve();
    };
    subscribe("http2.server.stream.close", hear);
  });
}

test("a caller that is still sending hears how its call ended, however long it has read nothing", async () => {
  const held = Promise.withResolvers<Http2ServerResponse>();
  const { server, port } = await listen((request, response) => {
    const answer = response as Http2ServerResponse;
    Object.assign(answer.stream, { path: request.url });
    if (request.url === "/held") {
      // Reads no more of it than that, so that some is left.
      request.once("data", () => {
        request.pause();
        answer.writeHead(200, { trailer: "grpc-status" }).write("x");
        held.resolve(answer);
      });
      return;
    }
    // What is ended in the same turn is written behind the large answer, its trailers a turn later.
    void held.promise.then((other) => {
      answer.writeHead(200).write(Buffer.alloc(LARGE));
      other.addTrailers({ "grpc-status": UNAUTHENTICATED });
      other.end();
    });
  });
  const proxy = await startProxy(() => [port]);
  const settings = { initialWindowSize: 2 * LARGE };
  const session = http2.connect(`http://127.0.0.1:${proxy.port}`, { settings });
  await once(session, "connect");
  session.setLocalWindowSize(2 * LARGE);
  const sending = session.request({ ":path": "/held", ":method": "POST" });
  sending.write(Buffer.alloc(60_000));
  await once(sending, "data");
  let status: unknown;
  sending.on("trailers", (trailers) => {
    status = trailers["grpc-status"];
  });
  const ended = once(sending.resume(), "close");
  const closing = closedByServer("/held");
  const large = session.request({ ":path": "/large" });
  large.on("error", () => {}); // it is given up at the end
  await once(large, "response");
  proxy.swallow(true);
  large.resume();
  await closing;
  proxy.swallow(false);
  await ended;
  expect(status).toBe(UNAUTHENTICATED);
  session.destroy();
  await proxy.stop();
  server.close();
  await once(server, "close");
});
