/** What a configuration would have sent of alerts of the past: the pure middle of notifications, run over their events. */
import { setImmediate as turn } from "node:timers/promises";
import type { NotifyConfig } from "../config/config.ts";
import { flushDue, put } from "../groups/plan.ts";
import { State } from "../groups/state.ts";
import { Inhibitor } from "../inhibit.ts";
import type { Message } from "../message.ts";
import { routesById } from "../route.ts";
import type { PastEvent } from "./history.ts";

/** Other calls have a turn after this long. */
const SLICE_MS = 10;

export interface SentMessage {
  readonly atUs: number;
  readonly receiver: string;
  readonly status: Message["status"];
}

export interface ReplayOptions {
  readonly untilUs: number;
  readonly signal: AbortSignal;
}

/**
 * Messages in the order in which they would have been sent, each once however many channels its receiver has. Silences are left out, since
 * those of the past are not known for all of the time.
 *
 * @param events in the order of time
 */
export async function replay(
  events: readonly PastEvent[],
  config: NotifyConfig,
  { untilUs, signal }: ReplayOptions,
): Promise<SentMessage[]> {
  const state = new State();
  const inhibitor = new Inhibitor(config.inhibitRules);
  const routes = routesById(config.route);
  const sent = new Map<string, SentMessage>();
  let next = 0;
  let sliceMs = performance.now();
  for (;;) {
    const nowUs = Math.min(events[next]?.atUs ?? Number.POSITIVE_INFINITY, dueUs(state));
    if (nowUs >= untilUs) return [...sent.values()];
    for (; events[next]?.atUs === nowUs; next++) {
      const { alert } = events[next]!;
      put(state, alert, { config, overrides: [], nowUs });
      if (alert.status === "firing") inhibitor.open(alert);
      else inhibitor.close(alert.id);
    }
    const planned = flushDue(state, {
      ...{ config, overrides: [], routes, nowUs, externalUrl: "" },
      isSuppressed: ({ labels }) => inhibitor.inhibitedBy(labels) !== undefined,
    });
    for (const { message } of planned) {
      sent.set(message.key, { atUs: nowUs, receiver: message.receiver, status: message.status });
    }
    state.changedAlerts.clear();
    state.changedGroups.clear();
    if (performance.now() - sliceMs < SLICE_MS) continue;
    await turn();
    signal.throwIfAborted();
    sliceMs = performance.now();
  }
}

function dueUs({ groups }: State): number {
  let earliestUs = Number.POSITIVE_INFINITY;
  for (const { nextUs } of groups.values()) earliestUs = Math.min(earliestUs, nextUs);
  return earliestUs;
}
