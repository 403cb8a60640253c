import type { Metrics } from "../observe/metrics.ts";
import type { DeliveryCounts } from "./receiver.ts";

/** Counts what a receiver of alert events made of a portion. */
export function countDelivery(metrics: Metrics, { receiver, delivered, dropped, retried }: DeliveryCounts): void {
  for (const [outcome, events] of Object.entries({ delivered, dropped, retried })) {
    if (events > 0) metrics.outboxEvents.inc({ receiver, outcome }, events);
  }
}
