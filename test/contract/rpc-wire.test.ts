import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ListReadingsRequestSchema, QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { TelltaleError } from "../../server/errors.ts";
import { type Listener, openListener } from "../../testing/rpc.ts";

const listReadings = "/telltale.v1.QueryService/ListReadings";
const prefaceTimeoutMs = 300;
const requestTimeoutMs = 600;

let listener: Listener;
beforeAll(async () => {
  listener = await openListener({
    limits: { prefaceTimeoutMs, requestTimeoutMs, pingIntervalMs: 200, idleTimeoutMs: 400 },
    gate: async ({ requestHeader }) => {
      const token = requestHeader.get("authorization");
      if (token === "Bearer slow") await setTimeout(2 * requestTimeoutMs);
      if (token !== null) throw new TelltaleError("unauthenticated", "Nobody");
    },
  });
});
afterAll(() => listener.close(0));

// Whatever came in, the next honest caller is served.
afterEach(async () => {
  const { readings } = await createClient(QueryService, createGrpcTransport({ baseUrl: listener.url })).listReadings({
    sensorId: "honest",
  });
  expect(readings).toHaveLength(1);
});

describe("bad input on a connection", () => {
  it("ends one that sends garbage with 400", async () => {
    expect(await conversation("\x16\x03\x01garbage\r\n\r\n")).toMatch(/^HTTP\/1.1 400 Bad Request/);
  });

  it("ends one that sends random bytes after the preface of HTTP/2", async () => {
    const bytes = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.alloc(4_096, 0xa7)]);
    await conversation(bytes); // resolves when the server has closed
  });

  it("ends one that breaks off in the middle of the preface", async () => {
    const socket = net.connect(listener.port, "127.0.0.1");
    socket.end("PR");
    await once(socket.resume(), "close");
  });

  it.each([
    ["nothing at all", ""],
    ["half a preface", "PR"],
    ["a preface and no settings", "PRI * HTTP/2.0\r\n\r\nSM"],
    ["half a request line", "GE"],
    ["headers that never end", `POST ${listReadings} HTTP/1.1\r\nHost: a\r\nX: y`],
  ])("ends one that sends %s and waits", async (_, bytes) => {
    const started = performance.now();
    await conversation(bytes);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it("refuses headers over the limit with 431", async () => {
    const answer = await conversation(`GET /health HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(17_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
  });

  it("refuses headers over the limit on HTTP/2 too", async () => {
    expect((await unary({ header: { "x-large": "y".repeat(17_000) }, body: enveloped({}) })).http).toBe(431);
  });

  it("ends a peer that no longer answers pings", async () => {
    const socket = net.connect(listener.port, "127.0.0.1");
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings]));
    await once(socket.resume(), "close"); // read, but never answered
  });

  it("closes a connection that has been idle for long", async () => {
    const session = http2.connect(listener.url);
    await once(session, "close");
  });

  it("allows no more calls at once on a connection than stated", async () => {
    const narrow = await openListener({ limits: { maxConcurrentStreams: 3 } });
    const session = http2.connect(narrow.url);
    const [settings] = await once(session, "remoteSettings");
    expect(settings.maxConcurrentStreams).toBe(3);
    session.destroy();
    await narrow.close(0);
  });
});

describe("IPv6", () => {
  it("is served to clients that write its addresses with brackets or without, with a zone or with none", async () => {
    const six = await openListener({ host: "::1", allowsHost: (authority) => authority === `[::1]:${six.port}` });
    const url = `http://[::1]:${six.port}`;
    // Node's HTTP/2 client leaves the brackets out, and Connect's transport stands on it.
    const { readings } = await createClient(QueryService, createGrpcTransport({ baseUrl: url })).listReadings({});
    expect(readings).toHaveLength(1);
    const session = http2.connect(url);
    for (const authority of [`::1:${six.port}`, `[::1]:${six.port}`, `::1%lo:${six.port}`, `[::1%25lo]:${six.port}`]) {
      const stream = session.request({ ":path": "/health", ":authority": authority });
      const [headers] = await once(stream.resume(), "response");
      expect([authority, headers[":status"]]).toEqual([authority, 200]);
    }
    const bad = session.request({ ":path": "/health", ":authority": "[::nonsense]:1" });
    expect((await once(bad.resume(), "response"))[0][":status"]).toBe(400);
    session.destroy();
    await six.close(0);
  });
});

describe("bad input in a call", () => {
  it("refuses a message over 4 MiB, and says how large it may be", async () => {
    const answer = await unary({
      body: Buffer.concat([Buffer.from([0, 0, 0x50, 0, 0]), Buffer.alloc(5 * 1024 * 1024)]),
    });
    expect(answer).toMatchObject({ code: status.RESOURCE_EXHAUSTED, message: expect.stringContaining("4194304") });
  });

  it("refuses a small message that unpacks to a large one", async () => {
    const bomb = gzipSync(Buffer.alloc(512 * 1024 * 1024));
    const before = process.memoryUsage().rss;
    const answer = await unary({ header: { "grpc-encoding": "gzip" }, body: envelope(bomb, 1) });
    expect(answer.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  });

  it("refuses a compression that it does not have", async () => {
    const answer = await unary({ header: { "grpc-encoding": "lzma" }, body: enveloped({}) });
    expect(answer).toMatchObject({ code: status.UNIMPLEMENTED, message: expect.stringContaining("lzma") });
  });

  it("refuses a message that is no protobuf", async () => {
    const answer = await unary({ body: envelope(Buffer.from([0xff, 0xff, 0xff, 0xff])) });
    expect(answer.code).toBe(status.INVALID_ARGUMENT);
    for (const [type, body] of [
      ["application/proto", "\u00ff\u00ff"],
      ["application/json", "{"],
    ] as const) {
      const url = `${listener.url}/telltale.v1.QueryService/ListReadings`;
      const web = await fetch(url, {
        method: "POST",
        headers: { "content-type": type },
        body: Buffer.from(body, "latin1"),
      });
      expect([type, web.status, ((await web.json()) as { code: string }).code]).toEqual([
        type,
        400,
        "invalid_argument",
      ]);
    }
  });

  it("refuses a call without a message, with half of one, and with two", async () => {
    const one = enveloped({ sensorId: "a" });
    for (const body of [Buffer.alloc(0), one.subarray(0, one.length - 1), Buffer.concat([one, one])]) {
      expect((await unary({ body })).code).not.toBe(status.OK);
    }
  });

  it("ends a call whose message does not arrive whole in time", async () => {
    const started = performance.now();
    const call = unary({ body: enveloped({ sensorId: "slow" }).subarray(0, 4), hold: true });
    await call.catch(() => "reset is as good as a code");
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it.each([listReadings, "/telltale.v1.IngestService/SubmitReadings"])(
    "says of %s that its message was late",
    async (path) => {
      const answer = await unary({ path, body: Buffer.from([0, 0, 0, 0]), hold: true });
      expect(answer).toMatchObject({ code: status.DEADLINE_EXCEEDED, message: "The request did not arrive in time" });
    },
  );

  it.each([
    ["a method that there is not", "/telltale.v1.QueryService/Nothing", {}],
    ["a call that the gate refuses", "/telltale.v1.QueryService/ListReadings", { authorization: "Bearer wrong" }],
    ["readings that the gate refuses", "/telltale.v1.IngestService/SubmitReadings", { authorization: "Bearer wrong" }],
    [
      "a call that the gate takes long to refuse",
      "/telltale.v1.QueryService/ListReadings",
      { authorization: "Bearer slow" },
    ],
    [
      "readings that the gate takes long to refuse",
      "/telltale.v1.IngestService/SubmitReadings",
      { authorization: "Bearer slow" },
    ],
    ["readings with a timeout that is none", "/telltale.v1.IngestService/SubmitReadings", { "grpc-timeout": "soon" }],
  ])("outlives the time of a request that is never ended: %s", async (_, path, headers) => {
    const session = http2.connect(listener.url);
    session.on("error", () => undefined);
    const stream = session.request({
      ...{ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" },
      ...headers,
    });
    stream.on("error", () => undefined);
    stream.resume();
    await new Promise((resolve) => stream.once("close", resolve));
    session.destroy();
    expect((await fetch(`${listener.url}/health`)).status).toBe(200);
  });

  it("answers 415 to a content type that is no RPC", async () => {
    const answer = await fetch(`${listener.url}${listReadings}`, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "hello",
    });
    expect(answer.status).toBe(415);
    expect(await answer.json()).toEqual({
      code: "invalid_argument",
      message:
        'content-type is "text/plain": send application/json or application/proto, or call ListReadings by gRPC or gRPC-Web',
    });
  });

  it("answers 405 to a method that a call does not have", async () => {
    expect((await fetch(`${listener.url}${listReadings}`, { method: "DELETE" })).status).toBe(405);
  });

  it("says which verb a call has, and why", async () => {
    for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
      const answer = await fetch(`${listener.url}${listReadings}`, { method });
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
      expect(await answer.json()).toEqual({ code: "unimplemented", message: "ListReadings is called by POST" });
    }
  });

  it.each([
    [
      "/telltale.v1.QueryService/ListReading",
      "telltale.v1.QueryService has no method ListReading; did you mean ListReadings?",
    ],
    [
      "/telltale.v1.QueryServce/ListReadings",
      "There is no service telltale.v1.QueryServce; did you mean telltale.v1.QueryService?",
    ],
    ["/other.v9.Service/Method", "There is no service other.v9.Service"],
  ])("answers UNIMPLEMENTED to %s in every protocol", async (path, message) => {
    for (const type of ["application/grpc", "application/grpc+proto", "application/grpc+json"]) {
      expect(await unary({ path, header: { "content-type": type }, body: enveloped({}) })).toEqual({
        http: 200,
        code: status.UNIMPLEMENTED,
        message,
      });
    }
    for (const type of [
      "application/grpc-web+proto",
      "application/grpc-web+json",
      "application/connect+json",
      "application/connect+proto",
      "application/json",
      "application/proto",
    ]) {
      const answer = await fetch(`${listener.url}${path}`, {
        method: "POST",
        headers: { "content-type": type },
        body: "{}",
      });
      // gRPC-Web's trailers are in the body.
      const text = decodeURIComponent(await answer.text());
      expect([type, text]).toEqual([type, expect.stringContaining(message)]);
      expect(text).toMatch(type.includes("grpc") ? /grpc-status: ?12/ : /"unimplemented"/);
      expect(answer.status).toBe(/^application\/(json|proto)$/.test(type) ? 501 : 200);
    }
  });

  it("answers a path that is no method's with UNIMPLEMENTED to a gRPC client and with 404 to others", async () => {
    expect((await unary({ path: "/nothing", body: enveloped({}) })).code).toBe(status.UNIMPLEMENTED);
    for (const init of [
      { method: "GET" },
      { method: "POST", headers: { "content-type": "application/json" }, body: "{}" },
    ])
      expect((await fetch(`${listener.url}/nothing`, init)).status).toBe(404);
  });

  it.each([
    ["broken JSON", "{"],
    ["JSON of another shape", '{"sensorId": 5}'],
    ["a number that is none", '{"limit": "NaN"}'],
    ["no object", "[]"],
  ])("answers %s with invalid_argument", async (_, body) => {
    const answer = await fetch(`${listener.url}${listReadings}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([400, "invalid_argument"]);
  });

  it.each([
    ["no host", ""],
    ["a host with a blank", "Host: a b\r\n"],
    ["a host that is a path", "Host: a/b?c\r\n"],
  ])("answers 400 to a call with %s", async (_, host) => {
    const head = `POST ${listReadings} HTTP/1.0\r\n${host}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
    expect(await conversation(head)).toMatch(/^HTTP\/1.1 400 /);
  });

  it("refuses a deadline that is no time", async () => {
    const answer = await unary({ header: { "grpc-timeout": "soon" }, body: enveloped({}) });
    expect(answer.code).toBe(status.INVALID_ARGUMENT);
  });

  it("survives calls that are reset as fast as they are opened", async () => {
    const session = http2.connect(listener.url);
    session.on("error", () => undefined); // the server may end the session for it
    for (let call = 0; call < 2_000 && !session.closed && !session.destroyed; call++) {
      const stream = session.request({ ":method": "POST", ":path": listReadings, "content-type": "application/grpc" });
      stream.on("error", () => undefined);
      stream.close(http2.constants.NGHTTP2_CANCEL);
    }
    session.destroy();
  });
});

/** Sends the bytes on a bare socket and resolves with all that came back when the server has closed it. */
async function conversation(bytes: string | Buffer): Promise<string> {
  const socket = net.connect(listener.port, "127.0.0.1");
  const chunks: Uint8Array[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => undefined); // a reset is an answer too
  socket.write(bytes);
  await once(socket, "close");
  return Buffer.concat(chunks).toString("latin1");
}

function envelope(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function enveloped(request: { sensorId?: string }): Buffer {
  return envelope(toBinary(ListReadingsRequestSchema, create(ListReadingsRequestSchema, request)));
}

interface RawCall {
  readonly header?: Record<string, string>;
  readonly path?: string;
  readonly body: Buffer;
  /** Leaves the call open after the body. */
  readonly hold?: boolean;
}

/** A gRPC call made by hand; resolves with the status that came back, rejects where the call was reset. */
async function unary({
  header,
  path = listReadings,
  body,
  hold,
}: RawCall): Promise<{ http: number; code?: number; message?: string }> {
  const session = http2.connect(listener.url);
  try {
    return await new Promise((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc+proto",
        te: "trailers",
        ...header,
      });
      stream.on("error", reject);
      let http = 0;
      const told = (headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader) => {
        http = headers[":status"] ?? http;
        const code = headers["grpc-status"];
        if (code !== undefined) {
          resolve({ http, code: Number(code), message: decodeURIComponent(String(headers["grpc-message"] ?? "")) });
        } else if (http !== 200) {
          resolve({ http });
        }
      };
      stream.on("response", told);
      stream.on("trailers", told);
      stream.on("close", () => reject(new Error("closed without a status")));
      stream.resume();
      if (hold) stream.write(body);
      else stream.end(body);
    });
  } finally {
    session.destroy();
  }
}

describe("a peer that cancels more calls than it may", () => {
  const open = (address: string) =>
    http2.connect(flooded.url, {
      createConnection: () => net.connect({ port: flooded.port, host: "127.0.0.1", localAddress: address }),
    });
  /** Status of the listener's health, over a connection of its own. */
  const ask = async (address: string) => {
    const session = open(address);
    const stream = session.request({ ":path": "/health" });
    const [headers] = await once(stream, "response");
    session.destroy();
    return headers[":status"];
  };
  const flood = async (address: string) => {
    const session = open(address);
    session.on("error", () => undefined); // the server ends it
    const ended = new Promise((resolve) => session.once("close", resolve));
    const headers = { ":method": "POST", ":path": listReadings, "content-type": "application/grpc" };
    while (!session.closed && !session.destroyed) {
      for (let i = 0; i < 100 && !session.closed && !session.destroyed; i++) {
        const stream = session.request(headers);
        stream.on("error", () => undefined);
        stream.close(http2.constants.NGHTTP2_CANCEL);
      }
      await new Promise(setImmediate);
    }
    session.destroy();
    await ended;
  };
  const pauseMs = 2_000;
  let flooded: Listener;
  beforeAll(async () => {
    flooded = await openListener({ limits: { floodPauseMs: pauseMs } });
  });
  afterAll(() => flooded.close(0));

  it("waits with its next connections, and is answered then; another address does not wait", async () => {
    await flood("127.0.0.1");
    const waits = ask("127.0.0.1");
    const first = await Promise.race([waits.then(() => "who flooded"), ask("127.0.0.2").then(() => "another")]);
    expect(first).toBe("another");
    expect(await waits).toBe(200);
    expect(await ask("127.0.0.1")).toBe(200);
  });

  it("may go while its connection waits", async () => {
    await flood("127.0.0.3");
    const gone = net.connect({ port: flooded.port, host: "127.0.0.1", localAddress: "127.0.0.3" });
    await once(gone, "connect");
    gone.resetAndDestroy();
    expect(await ask("127.0.0.3")).toBe(200);
  });
});
