/** The wall clock, for whoever may look at it: never for a decision of the detector, which takes its times from the log. */
export interface Clock {
  /** Whole microseconds since 1970-01-01T00:00:00Z. */
  nowUs(): number;
  /** Milliseconds that only rise, from an arbitrary start: for durations. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  // Node's wall clock has milliseconds; the monotonic one, anchored at the start of the process, would drift from it.
  nowUs: () => Date.now() * 1_000,
  monotonicMs: () => performance.now(),
};

/** A clock that stands still until it is moved, for tests. */
export function manualClock(startUs = 0): Clock & { advanceMs(milliseconds: number): void } {
  let us = startUs;
  return {
    nowUs: () => us,
    monotonicMs: () => us / 1_000,
    advanceMs: (milliseconds) => {
      us += Math.round(milliseconds * 1_000);
    },
  };
}
