/** What is only known by looking, every so often: readiness, and the gauges of the metrics page. */

import { setTimeout as delay } from "node:timers/promises";
import type { HealthRegistry } from "../api/health.ts";
import { waitingEvents } from "../incidents/journal.ts";
import { DAY_US } from "../lib/time.ts";
import type { Progress } from "../observe/progress.ts";
import { stallText } from "../observe/progress.ts";
import type { Live } from "./live.ts";
import type { Storage } from "./storage.ts";
import type { Wiring } from "./wiring.ts";

const PROGRESS_MS = 1000;
const GAUGE_MS = 15_000;
/** A database that does not answer holds the page of metrics up for this long. */
const PAGE_WAITS_MS = 1_000;

interface Looked {
  readonly storage: Storage;
  readonly live: Live;
  readonly progress: Progress;
}

/** Reports NOT_SERVING while a partition stands still or the disk is full, and why, once for each change. */
export function watchReadiness(w: Wiring, { storage, progress }: Looked, health: HealthRegistry): void {
  const { metrics, logger, cleanups } = w;
  let before = "";
  const look = () => {
    progress.look(storage.log.stats().lag);
    metrics.stalledSeconds.reset();
    for (const [partition, ms] of progress.standing()) {
      metrics.stalledSeconds.set({ partition: String(partition) }, ms / 1000);
    }
    const { stalled } = progress;
    const partitions = stalled.map(({ partition }) => partition).join(",");
    const full = storage.room.full !== undefined;
    metrics.diskFull.set(full ? 1 : 0);
    health.setReady(stalled.length === 0 && !full);
    if (partitions === before) return;
    before = partitions;
    if (stalled.length > 0) logger.error({ stalled }, stallText(stalled));
    else logger.info("all partitions go on");
  };
  const timer = setInterval(look, PROGRESS_MS);
  cleanups.add("watch of the partitions", () => clearInterval(timer));
}

/** Keeps the gauges up to date, and fresh whenever the page of metrics is asked for. */
export function lookAtGauges(w: Wiring, { storage, live }: Looked): void {
  const { metrics, clock, logger, cleanups } = w;
  const { sql, queries, quarantine, log } = storage;
  const look = async () => {
    metrics.queueDepth.set({ queue: "log_bytes" }, live.submitter.waitingBytes);
    metrics.queueDepth.set({ queue: "unsettled_readings" }, live.submitter.unsettledReadings);
    metrics.lag.reset(); // a partition that has gone to another process is that one's to tell of
    for (const [partition, records] of log.stats().lag) metrics.lag.set({ partition: String(partition) }, records);
    metrics.quarantineWaiting.set(await quarantine.waiting());
    metrics.incidentsWaiting.set(await waitingEvents(sql));
    metrics.activeSensors.set(await queries.activeSensors(clock.nowUs() - DAY_US));
  };
  const run = () => look().catch((error: unknown) => logger.warn({ err: error }, "gauges could not be read"));
  Object.assign(metrics.activeSensors, {
    collect: () => Promise.race([run(), delay(PAGE_WAITS_MS, null, { ref: false })]),
  });
  const timer = setInterval(run, GAUGE_MS);
  void run();
  cleanups.add("gauges", () => clearInterval(timer));
}
