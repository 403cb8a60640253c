import type { Metrics } from "../observe/metrics.ts";
import type { Sent } from "./channel.ts";
import type { Delivery } from "./deliveries/store.ts";
import type { Step } from "./planner.ts";

/** Shows what the process that notifies has in hand; the others show that they stand by. */
export function countStep(metrics: Metrics, step: Step | undefined): void {
  metrics.notifyActive.set(step === undefined ? 0 : 1);
  metrics.notifyAlerts.set(step?.alerts ?? 0);
  metrics.notifyGroups.set(step?.groups ?? 0);
  metrics.notifyConfigProblems.set(step?.problems ?? 0);
  metrics.notifyBroken.set(step?.broken ?? 0);
  metrics.heartbeatsMissing.set(step?.missing ?? 0);
}

/** Counts an attempt to send a message. */
export function countAttempt(metrics: Metrics, { kind, createdUs }: Delivery, sent: Sent, nowUs: number): void {
  metrics.notifyAttempts.inc({ channel: kind, outcome: sent.kind });
  if (sent.kind === "ok") metrics.notifyDelay.observe({ channel: kind }, (nowUs - createdUs) / 1e6);
}
