/** Who is told where a receiver cannot be. */
import { quoted } from "../../../lib/quoted.ts";
import { didYouMean } from "../../../lib/suggest.ts";
import type { ReceiverConfig } from "../config.ts";
import { DEFAULT_GIVE_UP_MS, DEFAULT_GIVE_UP_WITH_FALLBACK_MS } from "../limits.ts";
import { readDuration } from "./duration.ts";
import type { Fields, Value } from "./value.ts";

export const FALLBACK_NAMES = ["fallback", "give_up_after"];

export type Fallback = Pick<ReceiverConfig, "fallback" | "giveUpAfterMs">;

export function readFallback(fields: Fields): Fallback {
  const fallback = fields.get("fallback")?.name();
  const given = fields.get("give_up_after");
  const usualMs = fields.get("fallback") === undefined ? DEFAULT_GIVE_UP_MS : DEFAULT_GIVE_UP_WITH_FALLBACK_MS;
  const giveUpAfterMs = (given && readDuration(given, { isPositive: true, mostMs: DEFAULT_GIVE_UP_MS })) ?? usualMs;
  return { ...(fallback !== undefined && { fallback }), giveUpAfterMs };
}

/** Reports those that lead nowhere, or in a circle. `places`: where each receiver names its fallback. */
export function checkFallbacks(receivers: readonly ReceiverConfig[], places: ReadonlyMap<string, Value>): void {
  const byName = new Map(receivers.map((receiver) => [receiver.name, receiver]));
  for (const { name, fallback } of receivers) {
    const place = places.get(name);
    if (fallback === undefined || place === undefined) continue;
    const found = byName.get(fallback);
    if (found === undefined) {
      place.problem(
        `there is no receiver ${quoted(fallback)}${didYouMean(fallback, byName.keys()) || ": define it in receivers."}`,
      );
    } else if (found.channels.length === 0) {
      place.problem(`the receiver ${quoted(fallback)} has no channels: nobody would be notified.`);
    } else {
      const circle = circleFrom(name, byName);
      if (circle !== undefined)
        place.problem(`leads back to itself: ${circle.map(quoted).join(" → ")}; end it somewhere.`);
    }
  }
}

/** The names from one back to itself; undefined where there is no such way. */
function circleFrom(name: string, byName: ReadonlyMap<string, ReceiverConfig>): string[] | undefined {
  const way = [name];
  for (let at = byName.get(name)?.fallback; at !== undefined; at = byName.get(at)?.fallback) {
    if (at === name) return [...way, at];
    if (way.includes(at)) return undefined; // another's circle, which is reported there
    way.push(at);
  }
  return undefined;
}
