/** A browser's session in the console: a working day at most; one that was closed over lunch asks again. */
export const SESSION_TIMES = {
  /** It ends after so long without a call. */
  idleMs: 60 * 60_000,
  /** And after so long in any case. */
  absoluteMs: 12 * 60 * 60_000,
} as const;
