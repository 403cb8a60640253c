/** A group of alerts of one route: what is told together, and what was told last. */

import type { StepPlace } from "./membership.ts";

/** Alerts that a channel heard of, by id: the severity that it was told while they were open, or "" once it was told that they are over. */
export interface Told {
  readonly atUs: number;
  readonly alerts: Readonly<Record<string, string>>;
}

/** Of the channel with the key: see `channelKeys`. */
export interface ChannelTold extends Told {
  readonly channel: string;
}

export interface Group {
  readonly key: string;
  /** The route's place in the tree. */
  readonly route: string;
  readonly receiver: string;
  /** Undefined: the receiver is the route's own. */
  readonly escalation: StepPlace | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Microseconds since the epoch: when it is looked at next. */
  nextUs: number;
  /** Of its last message: a part of the message's key. It begins at the time in microseconds, so that no later life of the group repeats one. */
  sequence: number;
  /** By the channel's place in its receiver. */
  told: (ChannelTold | undefined)[];
  readonly members: Set<string>;
}

/** The level after which a repetition is news: an alert that became worse is told again at once. */
const SEVERITIES = ["", "low", "medium", "high", "critical"];

export function isWorse(severity: string, than: string): boolean {
  return SEVERITIES.indexOf(severity) > SEVERITIES.indexOf(than);
}
