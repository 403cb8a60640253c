/** Bodies that are stored while they are read: as slow as the log and no slower than they must be. */
import { once } from "node:events";
import { type ClientRequest, createServer, type IncomingMessage, request as open } from "node:http";
import http2 from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { passOn } from "../../gateway/ingest.ts";
import type { ProtocolOptions } from "../../server/api/protocol-routes.ts";
import type { StreamedProtocol } from "../../server/ingest/protocol.ts";
import { protocolMemory } from "../../server/ingest/protocols/limits.ts";
import { allowLong, spareLong } from "../../server/lib/long-requests.ts";
import { Changes, orAbort } from "../../server/lib/signals.ts";
import { createMetrics } from "../../server/observe/metrics.ts";
import { anonymous } from "../../server/security/principal.ts";
import { TEST_DOCUMENT } from "../../testing/endpoint.ts";
import { type Listener, openListener } from "../../testing/rpc.ts";

const PATH = "/test/stream";
const REQUEST_TIMEOUT_MS = 1_000;
/** Reads on only as the log has room: one batch for each piece. */
const counting: StreamedProtocol = {
  ...{ name: "counting", method: "POST", path: PATH, document: TEST_DOCUMENT },
  async handleStream({ body, submit, settled }) {
    let bytes = 0;
    for await (const piece of body) {
      bytes += piece.length;
      taken = bytes;
      await settled(await submit({}));
    }
    return { status: 200, body: String(bytes) };
  },
};

let taken = 0;
let hasRoom = true;
const changes = new Changes();
const counts = { accepted: 0, duplicate: 0, conflicting: 0, rejected: 0, late: 0 };
const room = async (signal: AbortSignal) => {
  while (!hasRoom) await orAbort(changes.next, signal);
};
const ingestor = {
  room,
  checkRoom: () => {},
  submit: () => ({
    ...{ readings: 1, rejected: 0, refusals: [], durable: Promise.resolve() },
    settled: Promise.resolve({ counts, refusals: [], stored: [] }),
  }),
};
const protocols: ProtocolOptions = {
  ...{ protocols: [counting], ingestor, quota: undefined, memory: protocolMemory(), onStored: async () => {} },
  access: { authorize: async () => anonymous, forwarding: { read: () => undefined } },
};

let listener: Listener;
beforeEach(async () => {
  taken = 0;
  hasRoom = true;
  const times = { requestTimeoutMs: REQUEST_TIMEOUT_MS, answerTimeoutMs: 30_000, prefaceTimeoutMs: 200 };
  const limits = { ...times, maxStreamedBodies: 8, minStreamedBytes: 100 };
  listener = await openListener({ protocols, limits, metrics: createMetrics({ processMetrics: false }) });
});
afterEach(() => listener.close(0));

function start(port = listener.port): ClientRequest {
  const request = open({ method: "POST", host: "127.0.0.1", port, path: PATH, agent: false });
  // Where it is cut off, what has been answered by then counts.
  request.on("error", () => {});
  return request;
}

async function answerOf(request: ClientRequest) {
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const text = (await response.setEncoding("utf8").toArray()).join("");
  return { status: response.statusCode, headers: response.headers, text };
}

/** Writes so many pieces, one each tenth of the time for a whole body. */
function drip(request: { write(piece: Buffer): unknown; end(): unknown }, pieces: number, bytes: number) {
  let left = pieces;
  const timer = setInterval(() => {
    if (left-- > 0) return request.write(Buffer.alloc(bytes));
    clearInterval(timer);
    request.end();
  }, REQUEST_TIMEOUT_MS / 10);
  return () => clearInterval(timer);
}

it("may take far longer than whole bodies may, as long as they come on", async () => {
  // Node looks for requests that take too long each fifth of a second.
  const request = start();
  drip(request, 25, 100);
  expect(await answerOf(request)).toMatchObject({ status: 200, text: "2500" });
});

it("may take as long through a gateway of another process, and over HTTP/2", async () => {
  const limits = { requestTimeout: 500, headersTimeout: 500, connectionsCheckingInterval: 100 };
  const pass = passOn(listener.url);
  const gateway = createServer(limits, (request, response) => {
    allowLong(request);
    pass(request, response);
  }).listen(0, "127.0.0.1");
  spareLong(gateway);
  await once(gateway, "listening");
  const request = start((gateway.address() as AddressInfo).port);
  drip(request, 25, 100);
  expect(await answerOf(request)).toMatchObject({ status: 200, text: "2500" });
  gateway.close();

  const session = http2.connect(listener.url);
  const stream = session.request({ ":method": "POST", ":path": PATH });
  drip(stream, 25, 100);
  expect((await stream.setEncoding("utf8").toArray()).join("")).toBe("2500");
  session.destroy();
});

it("leave other requests of the connection's server to its limit", async () => {
  const server = createServer(
    { requestTimeout: 300, headersTimeout: 300, connectionsCheckingInterval: 100 },
    (request) => {
      request.resume();
    },
  ).listen(0, "127.0.0.1");
  spareLong(server);
  await once(server, "listening");
  const request = start((server.address() as AddressInfo).port);
  request.write("x");
  expect((await answerOf(request)).status).toBe(408);
  server.close();
});

it.each([
  ["nothing more", 0],
  ["a byte now and then", 1],
])("of which %s comes are answered, and their caller is cut off", async (_, bytes) => {
  const request = start();
  request.write(Buffer.alloc(1_000));
  const stop = bytes === 0 ? () => {} : drip(request, 1_000, bytes);
  const closed = once(request, "close");
  const { status, text } = await answerOf(request);
  expect([status, JSON.parse(text).message]).toEqual([504, "Fewer than 100 bytes came within 1 s"]);
  await closed;
  stop();
});

it("are not read while the log has no room, and go on when it has", async () => {
  hasRoom = false;
  const request = start();
  const size = 64 * 1024 * 1024;
  // More than all buffers between here and there hold.
  request.end(Buffer.alloc(size));
  await expect.poll(() => taken).toBeGreaterThan(0);
  const blocked = taken;
  await new Promise((resolve) => setTimeout(resolve, REQUEST_TIMEOUT_MS * 2));
  expect(taken).toBe(blocked);
  expect(request.socket!.bytesWritten - request.socket!.writableLength).toBeLessThan(size);
  hasRoom = true;
  changes.tell();
  expect(await answerOf(request)).toMatchObject({ status: 200, text: String(size) });
});

it("fail where the log has no room for too long", async () => {
  await listener.close(0);
  listener = await openListener({ protocols, limits: { answerTimeoutMs: 100 } });
  hasRoom = false;
  const request = start();
  request.end("x");
  const { status, text } = await answerOf(request);
  expect([status, JSON.parse(text).message]).toEqual([504, expect.stringContaining("no room")]);
});

it("end with 503 when the server begins to close", async () => {
  const request = start();
  request.write("x");
  await expect.poll(() => taken).toBe(1);
  listener.announceClose();
  expect((await answerOf(request)).status).toBe(503);
});

it("are so many at a time, of one caller a quarter of them", async () => {
  const under = [start(), start()];
  for (const [i, request] of under.entries()) {
    request.write(Buffer.alloc(1_000));
    await expect.poll(() => taken).toBe(1_000);
    if (i === 0) taken = 0;
  }
  const third = start();
  third.end("x");
  const { status, headers } = await answerOf(third);
  expect([status, headers["retry-after"]]).toEqual([429, "1"]);
  for (const request of under) request.end();
  for (const request of under) expect((await answerOf(request)).status).toBe(200);
  const fourth = start();
  fourth.end("x");
  expect((await answerOf(fourth)).status).toBe(200);
});

it.each(["POST", "PUT"])(
  "that go on after %s is refused are read for a while, and their caller is cut off",
  async (method) => {
    const others = method === "POST" ? [start(), start()] : [];
    for (const other of others) {
      taken = 0;
      other.write("x");
      await expect.poll(() => taken).toBe(1);
    }
    // By hand: a client of HTTP would end the connection itself.
    const socket = connect(listener.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(`${method} ${PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const timer = setInterval(() => socket.write("1\r\nx\r\n"), 100);
    const [answer] = await once(socket, "data");
    expect(String(answer)).toContain(method === "POST" ? "429 Too Many Requests" : "405 Method Not Allowed");
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
    clearInterval(timer);
  },
);
