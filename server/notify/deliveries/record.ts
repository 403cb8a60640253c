/** What became of an attempt, and what follows from it, in one transaction. */
import type { Sql } from "postgres";
import { transaction } from "../../postgres/transaction.ts";
import type { Sent } from "../channel.ts";
import type { ReceiverConfig } from "../config/config.ts";
import { DEFAULT_GIVE_UP_MS } from "../config/limits.ts";
import { nextAttemptMs } from "./backoff.ts";
import { markBroken } from "./broken.ts";
import { isToldEnds, takeTurn, tellPastEnds, wanting } from "./ends.ts";
import { endsOf, fallbackOf } from "./fallback.ts";
import {
  type Delivery,
  FAILED,
  finish,
  finishSent,
  type Instead,
  postpone,
  queueInstead,
  toldInstead,
} from "./store.ts";
import { isTest } from "./test-message.ts";

/** A channel that takes nothing for so long is broken, whether what waits is given up yet or not. */
const BROKEN_AFTER_US = 300_000_000;

export interface RecordContext {
  readonly nowUs: number;
  /** Undefined where the configuration has none of this name. */
  readonly receiverOf: (name: string) => ReceiverConfig | undefined;
  /** 0 to 1. */
  readonly random: number;
}

/** What became of the message: it was taken, waits, or failed; and whom it went to instead. */
export type Recorded =
  | { readonly kind: "sent" }
  | { readonly kind: "waits" }
  | { readonly kind: "failed"; readonly fallbackTo: string };

export async function record(sql: Sql, delivery: Delivery, sent: Sent, context: RecordContext): Promise<Recorded> {
  if (sent.kind === "ok" && endsIn(delivery).length === 0) {
    await finishSent(sql, delivery, { nowUs: context.nowUs, note: sent.note });
    return { kind: "sent" };
  }
  return transaction(sql, (tx) => recordIn(tx, delivery, sent, context));
}

/** Alerts that are over, of which others may have heard instead. */
function endsIn({ message }: Delivery): string[] {
  if (isTest(message)) return [];
  return message.alerts.filter(({ status }) => status === "resolved").map((alert) => alert.id);
}

async function recordIn(tx: Sql, delivery: Delivery, sent: Sent, context: RecordContext): Promise<Recorded> {
  if (sent.kind === "ok") {
    await recordSent(tx, delivery, { ...context, note: sent.note });
    return { kind: "sent" };
  }
  const { nowUs, receiverOf } = context;
  const { id, attempts, createdUs, receiver } = delivery;
  const { giveUpAfterMs = DEFAULT_GIVE_UP_MS, fallback } = receiverOf(receiver) ?? {};
  const untilMs = (createdUs - nowUs) / 1_000 + giveUpAfterMs;
  const afterMs = sent.kind === "retry" ? nextAttemptMs(attempts + 1, { ...sent, untilMs }, context.random) : undefined;
  if (afterMs !== undefined) {
    await postpone(tx, { id, nextUs: Math.round(nowUs + afterMs * 1_000), reason: sent.reason });
    if (nowUs - createdUs >= BROKEN_AFTER_US) await markBroken(tx, { ...delivery, reason: sent.reason }, nowUs);
    return { kind: "waits" };
  }
  const to = fallback === undefined ? undefined : receiverOf(fallback);
  const instead = to === undefined ? [] : fallbackOf(delivery, sent.reason, to);
  const fallbackTo = instead.length === 0 ? "" : to!.name;
  // Meanwhile a configuration without the channel may have ended it.
  const isFirst = await finish(tx, { id, state: FAILED, reason: sent.reason, fallbackTo }, nowUs);
  if (!isFirst) return { kind: "failed", fallbackTo: "" };
  // Nobody waits for a test, and a channel that is gone does not come back.
  if (!isTest(delivery.message) && receiverOf(receiver) !== undefined) {
    await markBroken(tx, { ...delivery, reason: sent.reason }, nowUs);
  }
  await tellInstead(tx, delivery, instead, context);
  return { kind: "failed", fallbackTo };
}

async function tellInstead(
  tx: Sql,
  { id, message }: Delivery,
  instead: readonly Instead[],
  context: RecordContext,
): Promise<void> {
  if (instead.length === 0) return;
  const { nowUs, receiverOf } = context;
  const isToldLater = isToldEnds(receiverOf(message.fallback?.path[0] ?? message.receiver));
  if (!isToldLater) await takeTurn(tx);
  await queueInstead(tx, id, instead, nowUs);
  const open = message.alerts.filter(({ status }) => status === "firing").map((alert) => alert.id);
  if (!isToldLater) await tellPastEnds(tx, id, open, context);
}

async function recordSent(
  tx: Sql,
  delivery: Delivery,
  { nowUs, receiverOf, note }: RecordContext & { readonly note: string | undefined },
): Promise<void> {
  const told = await toldInstead(tx, endsIn(delivery), delivery.receiver);
  await queueInstead(tx, delivery.id, endsOf(delivery, wanting(told, receiverOf)), nowUs);
  await finishSent(tx, delivery, { nowUs, note });
}
