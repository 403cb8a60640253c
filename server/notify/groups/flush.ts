/**
 * Whether a channel is to be told of a group now, and of which alerts. The rules are Alertmanager's: news is told at once, the same again
 * after the repeat interval, and that an alert is over to whoever heard of it. Two are ours: an alert that became worse is news, and one that
 * somebody acknowledged is no reason to repeat.
 */
import type { KnownAlert } from "../known-alert.ts";
import { isWorse, type Told } from "./group.ts";

export interface FlushInput {
  /** The group's alerts, but for those that are open and suppressed. */
  readonly alerts: readonly KnownAlert[];
  readonly told: Told | undefined;
  readonly sendsResolved: boolean;
  readonly repeatUs: number;
  readonly nowUs: number;
}

/** What is to be sent; undefined: nothing. */
export interface Flush {
  readonly alerts: readonly KnownAlert[];
  readonly told: Told;
  /** In Alertmanager's words, which its templates know. */
  readonly why: string;
}

export function flush({ alerts, told, sendsResolved, repeatUs, nowUs }: FlushInput): Flush | undefined {
  const before = told?.alerts ?? {};
  const firing = alerts.filter(({ status }) => status === "firing");
  // "" is what is left of one that was told to be over.
  const over = alerts.filter(({ id, status }) => status === "resolved" && (before[id] ?? "") !== "");
  const hasNews = firing.some(({ id, severity }) => before[id] === undefined || isWorse(severity, before[id]));
  const isDue = told !== undefined && nowUs - told.atUs >= repeatUs && firing.some((alert) => !alert.isAcknowledged);
  const tellsOver = sendsResolved && over.length > 0;
  if (!hasNews && !isDue && !tellsOver) return undefined;
  const shown = sendsResolved ? [...firing, ...over] : firing;
  const now = Object.fromEntries(shown.map(({ id, status, severity }) => [id, status === "firing" ? severity : ""]));
  // What is suppressed meanwhile stays known: it is told to be over, and not told again when it is suppressed no longer.
  const isFirst = Object.values(before).every((severity) => severity === "");
  const news = isFirst ? "first notification" : "new alerts added";
  const ends = firing.length === 0 ? "all alerts resolved" : "some alerts resolved";
  const why = hasNews ? news : tellsOver ? ends : "repeat interval elapsed";
  return { alerts: shown, told: { atUs: nowUs, alerts: { ...before, ...now } }, why };
}

/** Whether nobody is left who has to hear of an alert that is over. */
export function isSettled(id: string, told: readonly (Told | undefined)[], sendsResolved: readonly boolean[]): boolean {
  return told.every((each, i) => !sendsResolved[i] || (each?.alerts[id] ?? "") === "");
}
