/** When a message that was not taken is tried again. */

const FIRST_MS = 1_000;
const MOST_MS = 300_000;

interface Asked {
  /** What the other side asks for. */
  readonly afterMs?: number;
  /** When the message is given up, from now on. */
  readonly untilMs: number;
}

/**
 * In how many milliseconds it is tried again; undefined: it is given up. Waits double with each attempt, by half to all of it, so that the
 * messages of an outage do not return together; the last attempt is when the time is over. What the other side asks for is kept to; where it
 * asks for more than there is, nobody waits for it.
 *
 * @param attempts so far, this one included
 * @param random 0 to 1
 */
export function nextAttemptMs(attempts: number, { afterMs, untilMs }: Asked, random: number): number | undefined {
  if (untilMs <= 0) return undefined;
  if (afterMs !== undefined) return afterMs > untilMs ? undefined : Math.max(0, afterMs);
  return Math.min(untilMs, Math.min(MOST_MS, FIRST_MS * 2 ** (attempts - 1)) * (0.5 + random / 2));
}
