/**
 * A unary call is answered alike by whichever path it comes: the short path of gRPC, Connect's generic one, and within the process.
 * One table of cases, run over each.
 */
import http2 from "node:http2";
import { gzipSync } from "node:zlib";
import { create, type DescMethodUnary, type Message, toBinary } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BadRequestSchema, RetryInfoSchema } from "../../gen/es/google/rpc/error_details_pb.ts";
import { IngestService, SubmitReadingsRequestSchema } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { TelltaleError } from "../../server/errors.ts";
import { onAbort } from "../../server/lib/signals.ts";
import { createMetrics } from "../../server/observe/metrics.ts";
import { innerText, type Listener, openListener } from "../../testing/rpc.ts";

const metrics = createMetrics({ processMetrics: false });
/** How calls that wait ended, in their order. */
const ends: unknown[] = [];
/** Resolves when a call begins to wait, in the gate or the service. */
let began = Promise.withResolvers<void>();
/** Calls that the service has begun. */
let runs = 0;
let listener: Listener;

/** The first reading's id says what the service does. */
beforeAll(async () => {
  listener = await openListener({
    metrics,
    unvalidated: new Set(["telltale.v1.IngestService/SubmitReadings"]),
    gate: ({ requestHeader, signal }) => {
      if (requestHeader.get("authorization") === "Bearer wrong") throw new TelltaleError("unauthenticated", "Nobody");
      if (requestHeader.get("authorization") === "Bearer slow") return new Promise(() => {});
      if (requestHeader.get("authorization") === "Bearer held") {
        began.resolve();
        return new Promise((resolve) => onAbort(signal, () => setImmediate(resolve)));
      }
      return undefined;
    },
    routes: (router) =>
      router.service(IngestService, {
        async submitReadings({ readings }, { signal }) {
          runs++;
          const what = readings[0]?.sensorId ?? "";
          if (what === "invalid")
            throw new TelltaleError("invalid", 'value: "x"', {
              violations: [{ field: "value", description: "bad é" }],
            });
          if (what === "exhausted") throw new TelltaleError("exhausted", "Over the limit", { retryAfterMs: 1_500 });
          if (what === "internal") throw new Error(innerText);
          if (what === "waits") {
            began.resolve();
            await new Promise<never>((_, reject) => onAbort(signal, () => reject(signal.reason))).finally(() =>
              ends.push(signal.reason),
            );
          }
          if (what === "unencodable") return { counts: { accepted: "many" as never } };
          const stored =
            what === "large" ? readings.map((_, index) => ({ id: BigInt(index), sensorId: "s".repeat(50) })) : [];
          return { counts: { accepted: BigInt(readings.length) }, stored };
        },
      }),
  });
});
afterAll(() => listener.close(0));

const own = (): Transport => ({
  async unary(method, signal, timeoutMs, header, input) {
    const options = { headers: new Headers(header), signal: signal ?? new AbortController().signal, timeoutMs };
    const message = await listener.call(method, create(method.input, input) as Message, options);
    const empty = { header: new Headers(), trailer: new Headers() };
    return { stream: false, service: method.parent, method, message: message as never, ...empty };
  },
  stream: () => expect.unreachable("nothing streams here"),
});

const PATHS: [string, () => Transport][] = [
  ["gRPC, the short path", () => createGrpcTransport({ baseUrl: listener.url })],
  // JSON is left to Connect.
  ["gRPC, the generic path", () => createGrpcTransport({ baseUrl: listener.url, useBinaryFormat: false })],
  ["Connect, the generic path", () => createConnectTransport({ baseUrl: listener.url, httpVersion: "2" })],
  ["a call within the process", own],
];

describe.each(PATHS)("%s", (_, transport) => {
  const client = (): Client<typeof IngestService> => createClient(IngestService, transport());
  const submit = (sensorId: string, options = {}, count = 1) =>
    client().submitReadings({ readings: Array.from({ length: count }, () => ({ sensorId })) }, options);
  const refusal = (call: Promise<unknown>) =>
    call.then(
      () => expect.unreachable(),
      (error) => ConnectError.from(error),
    );
  const counted = async (code: string) => {
    const line = new RegExp(
      `telltale_rpcs_total\\{method="telltale.v1.IngestService/SubmitReadings",code="${code}".*\\} (\\d+)`,
    );
    return Number(line.exec(await metrics.text())?.[1] ?? 0);
  };

  test("answers, and is counted", async () => {
    const before = await counted("OK");
    expect((await submit("fine")).counts?.accepted).toBe(1n);
    expect(await counted("OK")).toBe(before + 1);
  });

  test("gives a large answer whole", async () => {
    const { stored } = await submit("large", {}, 100);
    expect(stored.map(({ id }) => Number(id))).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test("says which field is wrong", async () => {
    const error = await refusal(submit("invalid"));
    expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, 'value: "x"']);
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]).toMatchObject({
      field: "value",
      description: "bad é",
    });
  });

  test("says when to come again", async () => {
    const error = await refusal(submit("exhausted"));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
  });

  test("tells nothing of what failed inside, but the id by which the log names it", async () => {
    const error = await refusal(submit("internal", { headers: { "x-request-id": "mine-1" } }));
    expect([error.code, error.rawMessage]).toEqual([Code.Internal, "Internal server error"]);
    expect(error.metadata.get("x-request-id")).toBe("mine-1");
  });

  test("is refused by the gate, and counted", async () => {
    const before = await counted("UNAUTHENTICATED");
    const error = await refusal(submit("fine", { headers: { authorization: "Bearer wrong" } }));
    expect([error.code, error.rawMessage]).toEqual([Code.Unauthenticated, "Nobody"]);
    expect(await counted("UNAUTHENTICATED")).toBe(before + 1);
  });

  test("ends at its deadline, for the service too", async () => {
    const before = ends.length;
    const error = await refusal(submit("waits", { timeoutMs: 300 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    await expect.poll(() => ends.length).toBe(before + 1);
  });

  test("ends at its deadline in the gate too", async () => {
    const error = await refusal(submit("fine", { timeoutMs: 100, headers: { authorization: "Bearer slow" } }));
    expect(error.code).toBe(Code.DeadlineExceeded);
  });

  test("is never begun where its caller goes while the gate decides", async () => {
    const before = [runs, await counted("CANCELED")] as const;
    began = Promise.withResolvers();
    const caller = new AbortController();
    const call = refusal(submit("fine", { signal: caller.signal, headers: { authorization: "Bearer held" } }));
    await began.promise;
    caller.abort();
    await call;
    await expect.poll(() => counted("CANCELED")).toBe(before[1] + 1);
    await submit("fine");
    expect(runs).toBe(before[0] + 1);
  });

  test("ends with its caller, for the service too", async () => {
    const before = ends.length;
    began = Promise.withResolvers();
    const caller = new AbortController();
    const call = refusal(submit("waits", { signal: caller.signal }));
    await began.promise;
    caller.abort();
    expect((await call).code).toBe(Code.Canceled);
    await expect.poll(() => ends.length).toBe(before + 1);
  });
});

test("a call within the process finds methods that are served one by one, and is told of those that are not", async () => {
  const { listReadings, getSensorStats } = QueryService.method;
  const one = await openListener({
    services: [QueryService],
    routes: (router) => router.rpc(listReadings, () => ({ nextPageToken: "here" })),
  });
  const options = { headers: new Headers(), signal: new AbortController().signal, timeoutMs: undefined };
  const call = (method: DescMethodUnary) => one.call(method, create(method.input) as Message, options);
  expect(await call(listReadings)).toMatchObject({ nextPageToken: "here" });
  await expect(call(getSensorStats)).rejects.toMatchObject({ code: Code.Unimplemented });
  await one.close(0);
});

test("an answer that cannot be encoded is a failure of ours, of which the log has the reason", async () => {
  const client = createClient(IngestService, createGrpcTransport({ baseUrl: listener.url }));
  const failed = client.submitReadings({ readings: [{ sensorId: "unencodable" }] });
  await expect(failed).rejects.toMatchObject({ code: Code.Internal, rawMessage: "Internal server error" });
  const line = listener.lines.find((each) => each.includes("answer not encoded"));
  expect(line).toContain("telltale.v1.IngestService/SubmitReadings");
});

/** As clients write it, and in a way that only Connect's generic path knows. */
const TYPES: [string, string][] = [
  ["the short path", "application/grpc"],
  ["the generic path", "application/gRPC"],
];

describe.each(TYPES)("on %s, a frame that is no message", (path, type) => {
  const bytes = toBinary(
    SubmitReadingsRequestSchema,
    create(SubmitReadingsRequestSchema, { readings: [{ sensorId: "s" }] }),
  );
  const framed = (body: Uint8Array, flags = 0, length = body.length) => {
    const frame = Buffer.alloc(5 + body.length);
    frame.writeUInt8(flags, 0);
    frame.writeUInt32BE(length, 1);
    frame.set(body, 5);
    return frame;
  };
  const send = (body: Uint8Array, headers: http2.OutgoingHttpHeaders = {}) =>
    new Promise<{ status: string; message: string; encoding: string | undefined }>((resolve, reject) => {
      const session = http2.connect(listener.url);
      const stream = session.request({
        ":method": "POST",
        ":path": "/telltale.v1.IngestService/SubmitReadings",
        "content-type": type,
        te: "trailers",
        ...headers,
      });
      let encoding: string | undefined;
      stream.on("response", (head) => {
        encoding = head["grpc-encoding"] as string | undefined;
      });
      stream.on("trailers", ({ "grpc-status": status, "grpc-message": message }) => {
        session.close();
        resolve({ status: String(status), message: String(message ?? ""), encoding });
      });
      stream.on("error", reject);
      stream.resume();
      stream.end(body);
    });

  test.each<[string, Uint8Array, http2.OutgoingHttpHeaders, string]>([
    ["nothing at all", Buffer.alloc(0), {}, "12"],
    ["less than a frame's head", framed(bytes).subarray(0, 3), {}, "3"],
    ["less than it says", framed(bytes, 0, bytes.length + 10), {}, "3"],
    ["two messages", Buffer.concat([framed(bytes), framed(bytes)]), {}, "12"],
    ["a message and half of another", Buffer.concat([framed(bytes), framed(bytes).subarray(0, 8)]), {}, "3"],
    ["no protobuf", framed(Buffer.from([0xff, 0xff, 0xff])), {}, "3"],
    ["unknown flags", framed(bytes, 7), {}, "13"],
    ["compressed without saying how", framed(gzipSync(bytes), 1), {}, "13"],
    ["not what it says it is compressed by", framed(bytes, 1), { "grpc-encoding": "gzip" }, "3"],
    ["compressed and cut off", framed(gzipSync(bytes).subarray(0, -9), 1), { "grpc-encoding": "gzip" }, "3"],
    ["small and unpacks to a large one", framed(gzipSync(Buffer.alloc(8 << 20)), 1), { "grpc-encoding": "gzip" }, "8"],
    ["announced as larger than there is", framed(bytes, 0, 0xffff_ffff), {}, "8"],
    ["too large", framed(Buffer.alloc(5 << 20)), {}, "8"],
    ["a timeout that is none", framed(bytes), { "grpc-timeout": "soon" }, "3"],
  ])("%s is refused", async (_, body, headers, status) => {
    const { status: code, message } = await send(body, headers);
    expect([code, message.length > 0], message).toEqual([status, true]);
  });

  test("is one where it is compressed as it says", async () => {
    const answer = await send(framed(gzipSync(bytes), 1), { "grpc-encoding": "gzip" });
    expect(answer).toMatchObject({ status: "0", message: "" });
  });

  test("is told apart from others by this path, and a large answer is compressed", async () => {
    const large = { readings: Array.from({ length: 100 }, () => ({ sensorId: "large" })) };
    const many = framed(toBinary(SubmitReadingsRequestSchema, create(SubmitReadingsRequestSchema, large)));
    const accepts = { "grpc-accept-encoding": "gzip" };
    expect(await send(many, accepts)).toMatchObject({ status: "0", encoding: "gzip" });
    // Connect says how it would compress, the short path how it did.
    const small = path === "the short path" ? undefined : "gzip";
    expect(await send(framed(bytes), accepts)).toMatchObject({ status: "0", encoding: small });
  });
});
