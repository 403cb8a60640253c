/**
 * Ends for those who heard of a beginning in place of a receiver that is told no ends itself. (Where it is told them, they follow from what
 * becomes of them: see `record.ts`.)
 */
import type { Sql } from "postgres";
import { channelKeys } from "../config/channel-keys.ts";
import type { ReceiverConfig } from "../config/config.ts";
import { endedAlerts } from "../groups/store.ts";
import { endsInstead } from "./fallback.ts";
import { type Delivery, queueInstead, toldInstead } from "./store.ts";

/** Any constant of our own. */
const LOCK = 7_351_909_415;

export interface EndsContext {
  /** Undefined where the configuration has none of this name. */
  readonly receiverOf: (name: string) => ReceiverConfig | undefined;
  readonly nowUs: number;
}

/**
 * One at a time: who takes an alert for over tells those who heard of it instead, and who tells somebody instead looks whether it is over.
 * Taken last in a transaction, so that nobody waits in a circle.
 */
export async function takeTurn(tx: Sql): Promise<void> {
  await tx`select pg_advisory_xact_lock(${LOCK})`;
}

/** Whether the receiver is told that alerts are over, by any of its channels. */
export function isToldEnds(receiver: ReceiverConfig | undefined): boolean {
  return receiver?.channels.some(({ sendResolved }) => sendResolved) ?? false;
}

/** @param ended ids of alerts that are over, with the time of their end */
export async function tellEndsInstead(tx: Sql, ended: ReadonlyMap<string, number>, context: EndsContext) {
  await takeTurn(tx);
  const told = await toldInstead(tx, [...ended.keys()]);
  await queueEnds(tx, ended, told, context);
}

/** Of a message that was queued instead of another: the ends of what is over already. */
export async function tellPastEnds(tx: Sql, of: number, ids: readonly string[], context: EndsContext): Promise<void> {
  const ended = await endedAlerts(tx, ids, context.nowUs);
  if (ended.size === 0) return;
  const told = await toldInstead(tx, [...ended.keys()]);
  await queueEnds(
    tx,
    ended,
    told.filter(({ fallbackOf }) => fallbackOf === of),
    context,
  );
}

async function queueEnds(
  tx: Sql,
  ended: ReadonlyMap<string, number>,
  told: readonly Delivery[],
  { receiverOf, nowUs }: EndsContext,
): Promise<void> {
  const unheard = told.filter(({ message: { fallback } }) => !isToldEnds(receiverOf(fallback!.path[0]!)));
  for (const { of, ...end } of endsInstead(ended, wanting(unheard, receiverOf), nowUs)) {
    await queueInstead(tx, of, [end], nowUs);
  }
}

/** Those to channels that are told ends. */
export function wanting(told: readonly Delivery[], receiverOf: EndsContext["receiverOf"]): Delivery[] {
  return told.filter(({ receiver, channelKey }) => {
    const { channels = [] } = receiverOf(receiver) ?? {};
    const at = channelKeys(channels).indexOf(channelKey);
    return channels[at]?.sendResolved ?? false;
  });
}
