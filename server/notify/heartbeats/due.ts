/** Whether a program that is expected to give a sign of life is missing. Pure; times are microseconds of one clock. */
import type { HeartbeatConfig } from "../config/config.ts";

export interface Signs {
  /** Since when it is expected. */
  readonly sinceUs: number;
  /** Undefined: none ever came. */
  readonly lastUs: number | undefined;
  /** Whether it is missing so far. */
  readonly isMissing: boolean;
}

/**
 * When it is missing without a further sign.
 *
 * @param watchedUs since when somebody has been there to take signs, without a gap
 */
export function deadlineUs(
  { sinceUs, lastUs, isMissing }: Signs,
  { intervalMs, graceMs }: Pick<HeartbeatConfig, "intervalMs" | "graceMs">,
  watchedUs: number,
): number {
  const dueUs = (lastUs ?? sinceUs) + intervalMs * 1_000;
  // What was due in a gap may have come and been lost: the next one is waited for. Who was missing before stays so.
  const expectedUs = !isMissing && watchedUs > dueUs ? watchedUs + intervalMs * 1_000 : dueUs;
  return expectedUs + graceMs * 1_000;
}
