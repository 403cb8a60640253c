/** What a configuration would have sent of alerts of the past: the pure middle of notifications, run over their events. */
import { Turns } from "../../lib/turns.ts";
import type { NotifyConfig } from "../config/config.ts";
import { flushDue, put } from "../groups/plan.ts";
import { type Lately, RATE_WINDOW_US, roomsOf } from "../groups/rate.ts";
import { State } from "../groups/state.ts";
import { Inhibitor } from "../inhibit.ts";
import type { Message } from "../message.ts";
import type { Override } from "../oncall/oncall.ts";
import { routesById } from "../route.ts";
import type { PastEvent } from "./history.ts";

export interface SentMessage {
  readonly atUs: number;
  readonly receiver: string;
  readonly status: Message["status"];
}

export interface ReplayOptions {
  /** In force at any time of the events. */
  readonly overrides: readonly Override[];
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
  { overrides, untilUs, signal }: ReplayOptions,
): Promise<SentMessage[]> {
  const state = new State();
  const inhibitor = new Inhibitor(config.inhibitRules);
  const routes = routesById(config.route);
  const sent = new Map<string, SentMessage>();
  /** When receivers got messages within the last minute. */
  const times = new Map<string, readonly number[]>();
  let next = 0;
  const turns = new Turns();
  for (;;) {
    const nowUs = Math.min(events[next]?.atUs ?? Number.POSITIVE_INFINITY, dueUs(state));
    if (nowUs >= untilUs) return [...sent.values()];
    for (; events[next]?.atUs === nowUs; next++) {
      const { alert } = events[next]!;
      put(state, alert, { config, overrides, nowUs });
      if (alert.status === "firing") inhibitor.open(alert);
      else inhibitor.close(alert.id);
    }
    const planned = flushDue(state, {
      ...{ config, overrides, routes, nowUs, externalUrl: "" },
      rooms: roomsOf(config.receivers, latelyOf(times, nowUs), nowUs),
      isSuppressed: ({ labels }) => inhibitor.inhibitedBy(labels) !== undefined,
    });
    for (const { message } of planned) {
      const { key, receiver, status } = message;
      if (!sent.has(key)) times.set(receiver, [...(times.get(receiver) ?? []), nowUs]);
      sent.set(key, { atUs: nowUs, receiver, status });
    }
    state.changedAlerts.clear();
    state.changedGroups.clear();
    if (!turns.isLong()) continue;
    await turns.take();
    signal.throwIfAborted();
  }
}

/** Forgets what is older. */
function latelyOf(times: Map<string, readonly number[]>, nowUs: number): Lately {
  for (const [receiver, all] of times) {
    const own = all.filter((us) => us > nowUs - RATE_WINDOW_US);
    if (own.length === 0) times.delete(receiver);
    else times.set(receiver, own);
  }
  return new Map([...times].map(([receiver, own]) => [receiver, { count: own.length, firstUs: own[0]! }]));
}

function dueUs({ groups }: State): number {
  let earliestUs = Number.POSITIVE_INFINITY;
  for (const { nextUs } of groups.values()) earliestUs = Math.min(earliestUs, nextUs);
  return earliestUs;
}
