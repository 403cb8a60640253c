/** How long to wait before another attempt: doubling, bounded, and different for each browser, so that a restart does not meet all at once. */
const FIRST_MS = 500;
const MOST_MS = 10_000;

/** @param failures before, from 0  @param random 0 to 1 */
export function backoffMs(failures: number, random: number): number {
  const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return most * (0.5 + random / 2);
}
