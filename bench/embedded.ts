/** The whole platform as one process with its embedded parts, under load. */
import { once } from "node:events";
import { startPlatform } from "../testing/platform.ts";
import { cpuOf, difference, memoryOf, sum } from "./cpu.ts";
import { temporaryFolder } from "./database.ts";
import { type LoadResult, type Request, runStreams } from "./load.ts";
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
  const { path: dataDir, remove } = await temporaryFolder();
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
    await remove();
  }
}
