const FIRST_MS = 100;

/**
 * Pause before try `attempt` (from 0): doubling, with "equal jitter" (half fixed, half random), so that a thousand devices that
 * lost the same server do not come back in the same instant.
 */
export function backoffMs(attempt: number, mostMs: number, random: () => number = Math.random): number {
  const ceiling = Math.min(mostMs, FIRST_MS * 2 ** Math.min(attempt, 30));
  return ceiling / 2 + (random() * ceiling) / 2;
}
