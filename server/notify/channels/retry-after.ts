import { MAX_RETRY_AFTER_MS } from "./limits.ts";

/**
 * The milliseconds to wait that a header Retry-After asks for: whole seconds, or a date of HTTP. Undefined where it is absent or neither.
 *
 * @param nowMs since the epoch
 */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? "";
  if (/^\d+$/.test(text)) return secondsToWaitMs(Number(text));
  // Date.parse takes much that is no date: those of HTTP begin with a day of the week.
  const date = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.min(Math.max(0, date - nowMs), MAX_RETRY_AFTER_MS);
}

/** The milliseconds of a time to wait in seconds, which may have a fraction. */
export function secondsToWaitMs(seconds: number): number {
  return Math.min(Math.max(0, Math.ceil(seconds * 1_000)), MAX_RETRY_AFTER_MS);
}
