/** What other receivers are told where a channel failed. Pure. */
import { channelKeys } from "../config/channel-keys.ts";
import type { ReceiverConfig } from "../config/config.ts";
import type { Message, NotifiedAlert } from "../message.ts";
import type { Delivery, Instead } from "./store.ts";
import { isTest } from "./test-message.ts";

/** Receivers that one message may go to one after the other. No configuration has a circle, but one after the other may make one. */
const MAX_DEPTH = 10;

/** What is said to the receiver in whose favour the message is given up: once, however many channels of the first one fail. */
export function fallbackOf(
  { message, kind, groupKey, sequence }: Delivery,
  reason: string,
  to: ReceiverConfig,
): Instead[] {
  const path = [...(message.fallback?.path ?? []), message.receiver];
  if (isTest(message) || path.length > MAX_DEPTH) return [];
  const fallback = { receiver: message.receiver, kind, reason, path };
  const own = { ...message, key: `${message.key}/fallback`, receiver: to.name, fallback };
  return forChannels(own, { groupKey: laneOf(groupKey), sequence }, to);
}

/**
 * The ends that were taken by a channel which had failed before, for those who heard of the beginning in its place.
 *
 * @param told what they were told, or are yet to be told, in its order
 */
export function endsOf({ message, sequence }: Delivery, told: readonly Delivery[]): Instead[] {
  const ends = message.alerts.filter(({ status }) => status === "resolved");
  const byChannel = Map.groupBy(told, ({ receiver, channelKey }) => `${channelKey} ${receiver}`);
  return [...byChannel.values()].flatMap((own) => {
    const open = openAfter(own.map((each) => each.message));
    const alerts = ends.filter(({ id }) => open.has(id));
    const last = own.at(-1)!;
    if (alerts.length === 0) return [];
    const { groupKey, receiver, channel, channelKey, kind } = last;
    const over: Message = {
      ...{
        ...message,
        key: `${message.key}/over/${receiver}`,
        receiver,
        status: "resolved",
        alerts,
        truncatedAlerts: 0,
      },
      ...(last.message.fallback && { fallback: last.message.fallback }),
    };
    return [{ message: over, groupKey, sequence, channel, channelKey, kind }];
  });
}

/**
 * Ends for those who heard of alerts instead of others.
 *
 * @param ended ids of alerts that are over, with the time of their end
 * @param told what they were told, or are yet to be told, in its order
 */
export function endsInstead(
  ended: ReadonlyMap<string, number>,
  told: readonly Delivery[],
  nowUs: number,
): (Instead & { readonly of: number })[] {
  const byChannel = Map.groupBy(told, ({ receiver, channelKey }) => `${channelKey} ${receiver}`);
  return [...byChannel.values()].flatMap((own) => {
    const messages = own.map(({ message }) => message);
    const open = openAfter(messages);
    const known = new Map(messages.flatMap(({ alerts }) => alerts).map((alert) => [alert.id, alert]));
    const alerts = [...known.values()]
      .filter(({ id }) => open.has(id) && ended.has(id))
      .map((alert) => ({
        ...alert,
        status: "resolved" as const,
        endsUs: Math.max(alert.startsUs, ended.get(alert.id)!),
      }));
    const { id: of, message: last, groupKey, channel, channelKey, kind } = own.at(-1)!;
    if (alerts.length === 0) return [];
    const key = `${last.key}/over/${nowUs}`;
    const message: Message = { ...last, key, status: "resolved", alerts, truncatedAlerts: 0 };
    // Behind whatever of it is still to be sent.
    const sequence = Math.max(...own.map((each) => each.sequence)) + 1;
    return [{ of, message, groupKey, sequence, channel, channelKey, kind }];
  });
}

/** Fallbacks of a group have an order of their own. */
function laneOf(groupKey: string): string {
  return `${groupKey}/fallback`;
}

function forChannels(message: Message, place: { groupKey: string; sequence: number }, to: ReceiverConfig): Instead[] {
  const keys = channelKeys(to.channels);
  return to.channels.flatMap(({ kind, sendResolved }, channel) => {
    const wanted = sendResolved ? message.alerts : message.alerts.filter(({ status }) => status === "firing");
    if (wanted.length === 0) return [];
    return [{ message: { ...message, alerts: wanted }, ...place, channel, channelKey: keys[channel]!, kind }];
  });
}

/** Ids of alerts that somebody who got these messages takes for open. */
function openAfter(messages: readonly Message[]): Set<string> {
  const open = new Set<string>();
  const take = ({ id, status }: NotifiedAlert) => (status === "firing" ? open.add(id) : open.delete(id));
  for (const { alerts } of messages) for (const alert of alerts) take(alert);
  return open;
}
