/**
 * Partitions whose scorer is of a version that knows nothing of the places of sensors: it commits the record and no places. What is logged
 * there stays in the record of settings for good, so it is asked with a single place, and less and less often.
 */
import type { Clock } from "../clock.ts";
import type { Logger } from "../observe/logger.ts";

const FIRST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 900_000;

interface Outdated {
  readonly againMs: number;
  readonly pauseMs: number;
}

export class OutdatedScorers {
  readonly why = "a scorer of an older version";
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #logger: Logger;
  readonly #outdated = new Map<number, Outdated>();

  constructor(clock: Pick<Clock, "monotonicMs">, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** "paused": nothing is to be logged there now; "probed": a single place is, to see whether its scorer is current by now. */
  stateOf(partition: number): "current" | "paused" | "probed" {
    const outdated = this.#outdated.get(partition);
    if (outdated === undefined) return "current";
    return this.#clock.monotonicMs() < outdated.againMs ? "paused" : "probed";
  }

  /** Records whether places that the partition has committed are known by now, and answers the same. */
  record(partition: number, isKnown: boolean): boolean {
    const before = this.#outdated.get(partition);
    if (isKnown) {
      if (this.#outdated.delete(partition)) this.#logger.info({ partition }, "the scorer knows settings of assets now");
      return true;
    }
    const pauseMs = before === undefined ? FIRST_PAUSE_MS : Math.min(2 * before.pauseMs, LONGEST_PAUSE_MS);
    this.#outdated.set(partition, { againMs: this.#clock.monotonicMs() + pauseMs, pauseMs });
    if (before === undefined) {
      this.#logger.warn(
        { partition },
        "the partition's scorer is of an older version, for which settings of assets do not count: upgrade it",
      );
    }
    return false;
  }
}
