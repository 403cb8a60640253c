/** The whole platform as one process with its embedded parts, under load. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IngestService } from "../gen/es/telltale/v1/ingest_pb.ts";
import { startPlatform } from "../test/support/platform.ts";
import { cpuOf, difference, memoryOf, sum } from "./cpu.ts";
import { type LoadResult, quantile, type Request, runStreams } from "./load.ts";
import { SingleLoad } from "./workload.ts";

export interface Run {
  readonly perSecond: number;
  /** All processes but the load. */
  readonly cpuUs: number;
  readonly cpu: Record<string, number>;
  readonly loadCpuUs: number;
  readonly load: LoadResult;
}

/** Runs a load against the platform `pid` and its children. */
export async function measure(
  url: string,
  pids: readonly number[],
  streams: (() => Generator<Request>)[],
): Promise<Run> {
  const before = cpuOf(pids);
  const load = await runStreams(url, streams);
  const cpu = difference(before, cpuOf(pids));
  if (load.accepted !== load.sent) throw new Error(`${load.sent} readings were sent, ${load.accepted} accepted`);
  return {
    perSecond: load.sent / load.seconds,
    cpuUs: (sum(cpu) * 1e6) / load.sent,
    cpu,
    loadCpuUs: (load.cpuSeconds * 1e6) / load.sent,
    load,
  };
}

/** One reading a call, one after another over `callers` connections. */
export async function measureUnary(url: string, pids: readonly number[], callers: number, calls: number) {
  const before = cpuOf(pids);
  const started = performance.now();
  const ms: number[] = [];
  await Promise.all(
    Array.from({ length: callers }, async (_, c) => {
      const client = createClient(IngestService, createGrpcTransport({ baseUrl: url }));
      for (let i = 0; i < calls; i++) {
        const at = performance.now();
        const readings = [{ sensorId: `unary-${c}`, sensorType: "temperature", unit: "C", value: 21 + (i % 10) / 100 }];
        await client.submitReadings({ readings });
        ms.push(performance.now() - at);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const cpu = difference(before, cpuOf(pids));
  return {
    perSecond: (callers * calls) / seconds,
    p99Ms: quantile(ms, 0.99),
    cpuUs: (sum(cpu) * 1e6) / (callers * calls),
    cpu,
  };
}

/** Memory a sensor as the slope between two numbers of sensors, and the time to be ready again with all of them. */
export async function measureSensors(few: number, many: number) {
  const platform = await startPlatform();
  const pid = platform.process.pid!;
  try {
    await runStreams(platform.grpc, new SingleLoad(few).next(3));
    const small = memoryOf(pid);
    await runStreams(platform.grpc, new SingleLoad(many).next(3));
    const large = memoryOf(pid);
    return { bytesPerSensor: (large - small) / (many - few) };
  } finally {
    await platform.stop();
  }
}

/** Seconds from the start to ready, after a kill -9 with so many sensors. */
export async function measureRecovery(sensors: number): Promise<number> {
  const dataDir = await mkdtemp("/tmp/telltale-bench-");
  try {
    const first = await startPlatform({ DATA_DIR: dataDir });
    await runStreams(first.grpc, new SingleLoad(sensors).next(3));
    const gone = once(first.process, "exit");
    first.process.kill("SIGKILL");
    await gone;
    const started = performance.now();
    const second = await startPlatform({ DATA_DIR: dataDir });
    const seconds = (performance.now() - started) / 1000;
    await second.stop();
    return seconds;
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}
