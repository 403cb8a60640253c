import { MINUTE_US } from "../../lib/time.ts";
import { Turns } from "../../lib/turns.ts";
import type { Schedule } from "../config/config.ts";
import { type Duties, type OnCall, onCall } from "./oncall.ts";

/** A time in which one receiver is on call without a break. */
export interface Shift extends OnCall {
  readonly startsUs: number;
  readonly endsUs: number;
}

/**
 * Who is on call from one time to another, to the minute, in the order in which shifts begin. The first begin and the last end with the range,
 * whatever their turns do. Takes some 5 µs a minute.
 */
export async function shiftsOf(
  schedule: Schedule,
  duties: Duties,
  { fromUs, toUs, signal }: { readonly fromUs: number; readonly toUs: number; readonly signal: AbortSignal },
): Promise<Shift[]> {
  const done: Shift[] = [];
  let open = new Map<string, Shift>();
  const turns = new Turns();
  for (let us = fromUs; us < toUs; us = Math.floor(us / MINUTE_US + 1) * MINUTE_US) {
    const now = new Map<string, Shift>();
    for (const { receiver, overrideId } of onCall(schedule, duties, us)) {
      const key = JSON.stringify([receiver, overrideId]);
      now.set(key, open.get(key) ?? { receiver, overrideId, startsUs: us, endsUs: toUs });
    }
    for (const [key, shift] of open) if (!now.has(key)) done.push({ ...shift, endsUs: us });
    open = now;
    if (!turns.isLong()) continue;
    await turns.take();
    signal.throwIfAborted();
  }
  return [...done, ...open.values()].sort((a, b) => a.startsUs - b.startsUs);
}
