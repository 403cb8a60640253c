/** The thread of maintenance: packing blocks must not delay the thread that answers devices. */
import { parentPort, workerData } from "node:worker_threads";
import { lowerThreadPriority } from "../lib/thread-priority.ts";
import { createLogger } from "../observe/logger.ts";
import { startMaintenance } from "./maintenance.ts";
import type { MaintenanceData } from "./maintenance-thread.ts";

/** Behind scoring too: what it does can wait for minutes. */
const NICE = 10;

lowerThreadPriority(NICE);
const data = workerData as MaintenanceData;
const logger = createLogger({ level: data.logLevel }).child({ part: "maintenance" });
const maintenance = startMaintenance({
  sql: data.sql,
  logger,
  retentionDays: data.retentionDays,
  onLooked: (facts) => parentPort!.postMessage(facts),
});
parentPort!.once("message", () => {
  maintenance.close().then(
    () => parentPort!.close(),
    (error: unknown) => {
      logger.error({ err: error }, "maintenance did not stop cleanly");
      process.exit(1); // of this thread
    },
  );
});
