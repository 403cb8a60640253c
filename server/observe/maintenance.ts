import type { MaintenanceFacts } from "../store/maintenance.ts";
import type { Metrics } from "./metrics.ts";

/** Counts what a look after the stored blocks did; `nowMs` is when. */
export function countMaintenance(metrics: Metrics, facts: MaintenanceFacts, nowMs: number): void {
  metrics.maintained.set(nowMs / 1000);
  metrics.waitingGenerations.set(facts.waitingGenerations);
  metrics.compactedReadings.inc(facts.compactedReadings);
  if (facts.expiredBlocks > 0) metrics.expired.inc({ unit: "block" }, facts.expiredBlocks);
  if (facts.expiredMonths > 0) metrics.expired.inc({ unit: "month" }, facts.expiredMonths);
}
