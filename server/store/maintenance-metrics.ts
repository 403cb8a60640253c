import type { Metrics } from "../observe/metrics.ts";
import type { MaintenanceFacts } from "./maintenance.ts";

/** Counts what a look after the stored blocks did; `nowMs` is when. */
export function countMaintenance(metrics: Metrics, facts: MaintenanceFacts, nowMs: number): void {
  metrics.maintained.set(nowMs / 1000);
  metrics.maintainedBefore.set(nowMs / 1000);
  metrics.waitingGenerations.set(facts.waitingGenerations);
  metrics.waitingDeletions.set(facts.waitingDeletions);
  metrics.finishedDeletions.inc(facts.finishedDeletions);
  metrics.compactedReadings.inc(facts.compactedReadings);
  if (facts.expiredBlocks > 0) metrics.expired.inc({ unit: "block" }, facts.expiredBlocks);
  if (facts.expiredMonths > 0) metrics.expired.inc({ unit: "month" }, facts.expiredMonths);
}
