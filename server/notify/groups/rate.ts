/** Receivers that get at most so many messages a minute: groups wait, and those that wait are told together. Pure. */
import { INCIDENT_KINDS, type ReceiverConfig } from "../config/config.ts";
import type { KnownAlert } from "../known-alert.ts";
import { type Group, isWorse } from "./group.ts";
import { mergedMessage } from "./message-of.ts";
import type { Planned } from "./planned.ts";

/** Messages of the last minute count. */
export const RATE_WINDOW_US = 60_000_000;
/** Where nothing says when there is room again. */
const LOOK_AGAIN_US = 1_000_000;

/** How many messages a receiver may get now. */
export interface Room {
  readonly left: number;
  /** When there is room for one more. */
  readonly moreAtUs: number;
}

/** What receivers got within the last window, by name; none: nothing. */
export type Lately = ReadonlyMap<string, { readonly count: number; readonly firstUs: number }>;

/** Of the receivers with a limit. */
export function roomsOf(receivers: readonly ReceiverConfig[], lately: Lately, nowUs: number): Map<string, Room> {
  return new Map(
    receivers.flatMap(({ name, maxMessagesPerMinute: most }): [string, Room][] => {
      if (most === undefined) return [];
      const { count, firstUs } = lately.get(name) ?? { count: 0, firstUs: nowUs };
      return [[name, { left: Math.max(0, most - count), moreAtUs: firstUs + RATE_WINDOW_US }]];
    }),
  );
}

interface Told {
  readonly room: Room;
  readonly channels: ReceiverConfig["channels"];
  readonly alertOf: (id: string) => KnownAlert;
  /** Messages of the group now, to each channel: none where there is no news. */
  readonly flush: (group: Group) => Planned[];
  /** It is looked at again then. */
  readonly postpone: (group: Group, untilUs: number) => void;
  readonly nowUs: number;
}

/** The worst groups get messages of their own while there is room; the last message tells of all the others. */
export function flushWithin(groups: readonly Group[], told: Told): Planned[] {
  const { room, channels, alertOf, flush, postpone, nowUs } = told;
  const waiting = groups.toSorted((a, b) => compare(worstOf(a, alertOf), worstOf(b, alertOf)) || a.nextUs - b.nextUs);
  // An incident is a group: one of another key would never be resolved.
  const mayMerge = channels.every(({ kind }) => !INCIDENT_KINDS.has(kind));
  const planned: Planned[] = [];
  for (let left = room.left; left > 0 && waiting.length > 0; ) {
    const isLast = left === 1 && waiting.length > 1 && mayMerge;
    const taken = waiting.splice(0, isLast ? waiting.length : 1).flatMap(flush);
    planned.push(...(isLast ? merged(taken, nowUs) : taken));
    if (taken.length > 0) left -= 1;
  }
  for (const group of waiting) postpone(group, Math.max(room.moreAtUs, nowUs + LOOK_AGAIN_US));
  return planned;
}

/** For each channel one message of all. */
function merged(planned: readonly Planned[], nowUs: number): Planned[] {
  const byChannel = Map.groupBy(planned, ({ channelKey }) => channelKey);
  return [...byChannel.values()].map((own) => {
    const [first, ...more] = own;
    if (more.length === 0) return first!;
    const messages = own.map(({ message }) => message);
    const message = mergedMessage(messages, planned[0]!.message, first!.kind);
    return { ...first!, message, groupKey: message.groupKey, sequence: nowUs, isMerged: true };
  });
}

function worstOf({ members }: Group, alertOf: (id: string) => KnownAlert): string {
  let worst = "";
  for (const id of members) {
    const { status, severity } = alertOf(id);
    if (status === "firing" && isWorse(severity, worst)) worst = severity;
  }
  return worst;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return isWorse(a, b) ? -1 : 1;
}
