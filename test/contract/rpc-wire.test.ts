import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ListReadingsRequestSchema, QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { type Door, openDoor } from "../support/rpc.ts";

const listReadings = "/telltale.v1.QueryService/ListReadings";
const prefaceTimeoutMs = 300;
const requestTimeoutMs = 600;

let door: Door;
beforeAll(async () => {
  door = await openDoor({ limits: { prefaceTimeoutMs, requestTimeoutMs, pingIntervalMs: 200, idleTimeoutMs: 400 } });
});
afterAll(() => door.close(0));

// Whatever came in, the next honest caller is served.
afterEach(async () => {
  const { readings } = await createClient(QueryService, createGrpcTransport({ baseUrl: door.url })).listReadings({
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
    const socket = net.connect(door.port, "127.0.0.1");
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
    const socket = net.connect(door.port, "127.0.0.1");
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings]));
    await once(socket.resume(), "close"); // read, but never answered
  });

  it("closes a connection that has been idle for long", async () => {
    const session = http2.connect(door.url);
    await once(session, "close");
  });

  it("allows no more calls at once on a connection than stated", async () => {
    const narrow = await openDoor({ limits: { maxConcurrentStreams: 3 } });
    const session = http2.connect(narrow.url);
    const [settings] = await once(session, "remoteSettings");
    expect(settings.maxConcurrentStreams).toBe(3);
    session.destroy();
    await narrow.close(0);
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
    expect([status.INVALID_ARGUMENT, status.INTERNAL]).toContain(answer.code);
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

  it("answers 415 to a content type that is no RPC", async () => {
    const answer = await fetch(`${door.url}${listReadings}`, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "hello",
    });
    expect(answer.status).toBe(415);
  });

  it("answers 405 to a method that a call does not have", async () => {
    expect((await fetch(`${door.url}${listReadings}`, { method: "DELETE" })).status).toBe(405);
  });

  it.each([
    ["broken JSON", "{"],
    ["JSON of another shape", '{"sensorId": 5}'],
    ["a number that is none", '{"limit": "NaN"}'],
    ["no object", "[]"],
  ])("answers %s with invalid_argument", async (_, body) => {
    const answer = await fetch(`${door.url}${listReadings}`, {
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
    const session = http2.connect(door.url);
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
  const socket = net.connect(door.port, "127.0.0.1");
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
  readonly body: Buffer;
  /** Leaves the call open after the body. */
  readonly hold?: boolean;
}

/** A gRPC call made by hand; resolves with the status that came back, rejects where the call was reset. */
async function unary({ header, body, hold }: RawCall): Promise<{ http: number; code?: number; message?: string }> {
  const session = http2.connect(door.url);
  try {
    return await new Promise((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({
        ":method": "POST",
        ":path": listReadings,
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
