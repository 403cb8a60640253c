/**
 * Small calls, from a client that costs little: frames are made by hand, and of an answer only its status and counts are read. What
 * is measured is the platform.
 */
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { SubmitReadingsRequestSchema, SubmitReadingsResponseSchema } from "../gen/es/telltale/v1/ingest_pb.ts";
import { cpuOf, difference, sum } from "./cpu.ts";
import { quantile } from "./load.ts";

/** Compiled code and open connections, before anything is counted. */
const WARM_MS = 1_000;
/** Length and flag before a gRPC message. */
const FRAME_HEAD = 5;

/** Stores a reading and resolves when it is settled. */
export type Call = (i: number) => Promise<void>;

export interface Caller {
  readonly call: Call;
  close(): void;
}

export interface CallCosts {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of all processes but the load. */
  readonly cpuUs: number;
  readonly loadCpuUs: number;
}

/** Callers that each make one call after the other. */
export async function measureCalls(
  pids: readonly number[],
  callers: readonly Caller[],
  ms: number,
): Promise<CallCosts> {
  try {
    await rounds(callers, WARM_MS);
    const before = cpuOf(pids);
    const ownBefore = process.cpuUsage();
    const started = performance.now();
    const times = await rounds(callers, ms);
    const seconds = (performance.now() - started) / 1000;
    const own = process.cpuUsage(ownBefore);
    const cpu = sum(difference(before, cpuOf(pids)));
    return {
      perSecond: times.length / seconds,
      p50Ms: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
      cpuUs: (cpu * 1e6) / times.length,
      loadCpuUs: (own.user + own.system) / times.length,
    };
  } finally {
    for (const caller of callers) caller.close();
  }
}

/** Calls until the time is up; answers with the milliseconds of each. */
async function rounds(callers: readonly Caller[], ms: number): Promise<number[]> {
  const times: number[] = [];
  const until = performance.now() + ms;
  const go = async ({ call }: Caller) => {
    for (let i = 0, at = performance.now(); at < until; i++) {
      await call(i);
      const now = performance.now();
      times.push(now - at);
      at = now;
    }
  };
  await Promise.all(callers.map(go));
  return times;
}

const valueAt = (i: number) => 21 + (i % 10) / 100;

/** SubmitReadings over gRPC, on a connection of its own. */
export async function grpcCaller(url: string, sensorId: string): Promise<Caller> {
  const session = connect(url);
  await once(session, "connect");
  const head = {
    ":method": "POST",
    ":path": "/telltale.v1.IngestService/SubmitReadings",
    "content-type": "application/grpc",
    te: "trailers",
  };
  const call = async (i: number) => {
    const readings = [{ sensorId, sensorType: "temperature", unit: "C", value: valueAt(i) }];
    const message = toBinary(SubmitReadingsRequestSchema, create(SubmitReadingsRequestSchema, { readings }));
    const frame = Buffer.alloc(FRAME_HEAD + message.length);
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, FRAME_HEAD);
    const stream = session.request(head);
    const chunks: Buffer[] = [];
    let status: unknown;
    stream.on("trailers", (trailers) => {
      status = trailers["grpc-status"];
    });
    stream.on("response", (headers) => {
      status ??= headers["grpc-status"];
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.end(frame);
    await once(stream, "end");
    if (status !== "0") throw new Error(`SubmitReadings of ${sensorId} ended with grpc-status ${status}`);
    const { counts } = fromBinary(SubmitReadingsResponseSchema, Buffer.concat(chunks).subarray(FRAME_HEAD));
    if (counts?.accepted !== 1n) throw new Error(`a reading of ${sensorId} was not accepted`);
  };
  return { call, close: () => session.destroy() };
}

/** The REST POST, on a connection of its own. */
export function restCaller(url: string, sensorId: string): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const target = new URL("/api/v1/sensors/data", url);
  const options = { agent, method: "POST", headers: { "content-type": "application/json" } };
  const call = async (i: number) => {
    const sent = request(target, options);
    sent.end(JSON.stringify({ sensor_id: sensorId, sensor_type: "temperature", unit: "C", value: valueAt(i) }));
    const [response] = await once(sent, "response");
    response.resume();
    await once(response, "end");
    if (response.statusCode !== 200) throw new Error(`a POST of ${sensorId} ended with status ${response.statusCode}`);
  };
  return { call, close: () => agent.destroy() };
}
