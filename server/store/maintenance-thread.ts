import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { LogLevel } from "../config.ts";
import type { Logger } from "../observe/logger.ts";
import type { SqlAddress } from "../postgres/connection.ts";
import type { MaintenanceFacts } from "./maintenance.ts";

export interface MaintenanceData {
  readonly sql: SqlAddress;
  readonly logLevel: LogLevel;
  readonly retentionDays: number;
}

/** Pause before a thread that failed is started again; nothing is urgent about it. */
const RESTART_MS = 30_000;
/** A portion takes about a second; past this the thread is ended, and the database undoes what was not committed. */
const STOP_MS = 10_000;

/** Compaction and retention in a thread of their own, brought back when it fails. */
export function startMaintenanceThread(
  data: MaintenanceData,
  logger: Logger,
  onLooked: (facts: MaintenanceFacts) => void = () => {},
): { close(): Promise<void> } {
  const stop = new AbortController();
  let worker: Worker | undefined;

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      worker = new Worker(new URL("./maintenance-worker.ts", import.meta.url), {
        workerData: data,
        name: "maintenance",
      });
      worker.on("message", onLooked);
      worker.on("error", (error) => logger.error({ err: error }, "maintenance failed; it starts again"));
      await new Promise((resolve) => worker!.once("exit", resolve));
      if (stop.signal.aborted) return;
      await delay(RESTART_MS, undefined, { signal: stop.signal }).catch(() => undefined); // stopped
    }
  }

  const running = run();
  return {
    close: async () => {
      stop.abort();
      const ending = worker;
      if (ending !== undefined && ending.threadId !== -1) {
        const ended = once(ending, "exit");
        ending.postMessage("close");
        const timer = setTimeout(() => void ending.terminate(), STOP_MS);
        await ended;
        clearTimeout(timer);
      }
      await running;
    },
  };
}
