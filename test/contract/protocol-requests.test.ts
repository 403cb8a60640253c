/** How the listener serves a request of an ingest protocol, whatever the protocol does with it. */
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { ProtocolOptions } from "../../server/api/protocol-routes.ts";
import { TelltaleError } from "../../server/errors.ts";
import type { Ingestor, Submission } from "../../server/ingest/ingestor.ts";
import type { IngestProtocol } from "../../server/ingest/protocol.ts";
import { protocolMemory } from "../../server/ingest/protocols/limits.ts";
import { createMetrics } from "../../server/observe/metrics.ts";
import { anonymous } from "../../server/security/principal.ts";
import type { AccessRequest } from "../../server/security/security.ts";
import { TEST_DOCUMENT } from "../../testing/endpoint.ts";
import { type Listener, openListener } from "../../testing/rpc.ts";

const PATH = "/test/steps";
const ORIGIN = "https://ours.example";
const FOREIGN = "https://foreign.example";
const limits = { requestTimeoutMs: 600, answerTimeoutMs: 300 };
/** Of all requests together. */
const MEMORY_BYTES = 100_000;
const echo: IngestProtocol["handle"] = async ({ body }) => ({ status: 200, body });

/** What the protocol does. */
let handle = echo;
/** The last request for access. */
let asked: AccessRequest;
/** Resolves when access is asked for. */
let arrived = Promise.withResolvers<void>();
const steps: IngestProtocol = {
  name: "steps",
  method: "PUT",
  path: PATH,
  document: TEST_DOCUMENT,
  handle: (request) => handle(request),
};
const metrics = createMetrics({ processMetrics: false });
const submit = vi.fn<Ingestor["submit"]>();
const onStored = vi.fn(async () => {});

function served(...protocols: IngestProtocol[]): ProtocolOptions {
  const authorize = async (request: AccessRequest) => {
    asked = request;
    arrived.resolve();
    if (request.credential === "Bearer wrong") throw new TelltaleError("unauthenticated", "Nobody");
    return anonymous;
  };
  const access = { authorize, forwarding: { read: () => undefined } };
  const memory = protocolMemory(MEMORY_BYTES);
  const ingestor = { submit, checkRoom: () => {}, room: async () => {} };
  return { protocols, access, ingestor, quota: undefined, memory, onStored };
}

const open = () =>
  openListener({
    ...{ limits, metrics, protocols: served(steps) },
    allowsOrigin: (origin) => (origin === ORIGIN ? "yes" : "no"),
  });

let listener: Listener;
beforeAll(async () => {
  listener = await open();
});
afterAll(() => listener.close(0));
beforeEach(() => {
  handle = echo;
});

const put = (body: string, headers: Record<string, string> = {}, { url } = listener) =>
  fetch(url + PATH, { method: "PUT", body, headers });

/** Over HTTP/2, with a body that stays open. */
function half(headers: http2.OutgoingHttpHeaders = {}): http2.ClientHttp2Stream {
  const session = http2.connect(listener.url);
  const request = session.request({ ":method": "PUT", ":path": PATH, ...headers });
  request.on("error", () => undefined).once("close", () => session.destroy());
  request.write("half");
  return request;
}

function halfOnASocket(): () => void {
  const socket = net.connect(listener.port, "127.0.0.1");
  socket.write(`PUT ${PATH} HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf`);
  return () => socket.end();
}

/** Its connection is cut: Node's client ends the body of a request that it cancels, as if it were whole. */
function halfOfAConnection(): () => void {
  const socket = net.connect(listener.port, "127.0.0.1");
  const session = http2.connect(listener.url, { createConnection: () => socket });
  session.on("error", () => undefined);
  const stream = session.request({ ":method": "PUT", ":path": PATH });
  stream.on("error", () => undefined).write("half");
  return () => socket.destroy();
}

async function counted(code: string): Promise<number> {
  const { values } = await metrics.rpcs.get();
  return values.find(({ labels }) => labels.method === `PUT ${PATH}` && labels.code === code)?.value ?? 0;
}

const timed = async () => (await metrics.text()).match(/rpc_seconds_count\{method="PUT \/test\/steps"\} (\d+)/)?.[1];

test.each<[string, IngestProtocol[]]>([
  ["the path of another", [steps, { ...steps, name: "other" }]],
  ["the path of a call", [{ ...steps, path: "/telltale.v1.IngestService/SubmitReadings" }]],
  ["a path of the listener", [{ ...steps, path: "/metrics" }]],
  ["no path", [{ ...steps, path: "write" }]],
])("a protocol that has %s fails the start", async (_, own) => {
  await expect(openListener({ protocols: served(...own) })).rejects.toThrow(own[0]!.path);
});

describe("a request", () => {
  test("is answered over HTTP/2 too", async () => {
    const stream = half();
    stream.end(" and half");
    const [head] = await once(stream, "response");
    const body = Buffer.concat(await Array.fromAsync(stream)).toString();
    expect([head[":status"], body]).toEqual([200, "half and half"]);
  });

  test("that is refused and never ended does not keep its stream", async () => {
    const stream = half({ authorization: "Bearer wrong" });
    expect((await once(stream, "response"))[0][":status"]).toBe(401);
    await once(stream.resume(), "close");
  });

  test("of another method is refused, counted, and not timed", async () => {
    const before = [await counted("UNIMPLEMENTED"), await timed()];
    expect((await fetch(listener.url + PATH)).status).toBe(405);
    expect([await counted("UNIMPLEMENTED"), await timed()]).toEqual([Number(before[0]) + 1, before[1]]);
  });

  test("that does not arrive whole in time is answered so", async () => {
    const stream = half();
    expect((await once(stream, "response"))[0][":status"]).toBe(504);
    await once(stream.resume(), "close");
  });

  test.each<[string, () => () => void]>([
    ["HTTP/1.1", () => halfOnASocket()],
    ["HTTP/2", () => halfOfAConnection()],
  ])("whose caller goes in the middle of its body is cancelled: %s", async (_, begin) => {
    const before = await counted("CANCELED");
    handle = async () => expect.unreachable();
    arrived = Promise.withResolvers();
    const leave = begin();
    await arrived.promise;
    leave();
    await expect.poll(() => counted("CANCELED")).toBe(before + 1);
    expect(listener.lines.filter((line) => line.includes("call failed"))).toEqual([]);
  });

  test("that the protocol never answers ends at a deadline, for the protocol too", async () => {
    const reason = Promise.withResolvers<unknown>();
    handle = ({ signal }) => {
      signal.addEventListener("abort", () => reason.resolve(signal.reason));
      return new Promise(() => {});
    };
    const answer = await put("waits");
    expect([answer.status, (await answer.json()).code]).toEqual([504, "deadline_exceeded"]);
    expect(await reason.promise).toMatchObject({ message: "[deadline_exceeded] the operation timed out" });
  });

  test("under way is answered when the server stops", async () => {
    const leaving = await open();
    const begun = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    handle = async () => {
      begun.resolve();
      await finish.promise;
      return { status: 204 };
    };
    const answer = put("under way", {}, leaving);
    await begun.promise;
    const closed = leaving.close(10_000);
    finish.resolve();
    expect((await answer).status).toBe(204);
    await closed;
  });

  test("of a content encoding that is a name of JavaScript's is the protocol's own", async () => {
    expect(await (await put("plain", { "content-encoding": "constructor" })).text()).toBe("plain");
  });
});

describe("pages of other origins", () => {
  const preflight = async (origin: string) => {
    const headers = { origin, "access-control-request-method": "PUT" };
    const answer = await fetch(listener.url + PATH, { method: "OPTIONS", headers });
    return [answer.status, answer.headers.get("access-control-allow-methods")?.includes("PUT")];
  };

  test("may use the protocol's method where they may call", async () => {
    expect(await preflight(ORIGIN)).toEqual([204, true]);
    expect((await put("x", { origin: ORIGIN })).headers.get("access-control-allow-origin")).toBe(ORIGIN);
  });

  test("learn nothing where they may not, and access is asked for with their names", async () => {
    expect((await preflight(FOREIGN))[0]).toBe(403);
    expect((await put("x", { origin: FOREIGN })).headers.get("access-control-allow-origin")).toBeNull();
    expect(asked.page?.origin).toBe(FOREIGN);
  });
});

describe("readings", () => {
  const settled = { counts: { accepted: 1 } } as unknown as Awaited<Submission["settled"]>;
  const submission = (rejected: number): Submission => ({
    ...{ readings: 1, rejected, refusals: [], durable: Promise.resolve(), settled: Promise.resolve(settled) },
  });
  const readings = [create(ReadingSchema, { sensorId: "a" })];
  const header = "00-11111111111111111111111111111111-1111111111111111-01";

  test.each([
    ["what is cached is answered anew once they are stored", 0, 1],
    ["what is cached stays where all are refused", 1, 0],
  ])("%s", async (_, rejected, times) => {
    onStored.mockClear();
    submit.mockReturnValue(submission(rejected));
    handle = async (request) => {
      await (await request.submit({ readings })).settled;
      return { status: 204, headers: { stored: String(onStored.mock.calls.length) } };
    };
    expect((await put("r")).headers.get("stored")).toBe(String(times));
  });

  test("carry on the trace of their batch, else that of the request", async () => {
    submit.mockReturnValue(submission(0));
    const traceparent = header.replaceAll("1", "2");
    handle = async (request) => {
      await request.submit({ readings });
      await request.submit({ readings, traceparent });
      return { status: 204 };
    };
    submit.mockClear();
    await put("r", { traceparent: header });
    expect(submit.mock.calls.map(([batch]) => batch.callTraceparent)).toEqual([header, traceparent]);
  });
});

/** On a loaded machine too. */
const PATIENCE = { timeout: 30_000 };

describe("the memory that all requests share", () => {
  const large = "x".repeat(MEMORY_BYTES * 0.6);
  /** Answers once it is told to. */
  function held() {
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const { promise: taken, resolve: take } = Promise.withResolvers<void>();
    handle = async () => {
      take();
      await answered;
      return { status: 204 };
    };
    return { taken, answer };
  }

  test("is taken by bodies until they are answered; what finds no room is to come again, and a small one goes on", async () => {
    const { taken, answer } = held();
    const first = put(large);
    await taken;
    handle = echo;
    const second = await put(large);
    expect([second.status, second.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await second.json()).message).toMatch(/take all the memory/);
    expect((await put("small")).status).toBe(200);
    answer();
    expect((await first).status).toBe(204);
    await vi.waitFor(async () => expect((await put(large)).status).toBe(200), PATIENCE);
  });

  test("is taken by what a body unpacks to, and by what a protocol makes of it", async () => {
    for (const [encoding, pack] of [
      ["gzip", gzipSync],
      ["br", brotliCompressSync],
      ["deflate", deflateSync],
    ] as const) {
      const packed = pack("x".repeat(MEMORY_BYTES * 2));
      const headers = { "content-encoding": encoding };
      const answer = await fetch(listener.url + PATH, { method: "PUT", body: packed, headers });
      expect([encoding, answer.status]).toEqual([encoding, 503]);
    }
    handle = async ({ hold }) => {
      hold(MEMORY_BYTES);
      return { status: 204 };
    };
    expect((await put("small")).status).toBe(503);
    // All of it is given back.
    handle = echo;
    expect((await put(large)).status).toBe(200);
  });

  test("is given back by a body whose sender leaves", async () => {
    const socket = net.connect(listener.port, "127.0.0.1");
    arrived = Promise.withResolvers();
    socket.write(`PUT ${PATH} HTTP/1.1\r\nhost: a\r\ncontent-length: ${MEMORY_BYTES}\r\n\r\n${large}`);
    await arrived.promise;
    await vi.waitFor(async () => expect((await put(large)).status).toBe(503), PATIENCE);
    socket.destroy();
    await vi.waitFor(async () => expect((await put(large)).status).toBe(200), PATIENCE);
  });
});
