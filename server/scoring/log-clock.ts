/** Logs when the clock that stamps the log has gone back: what comes without a time then may be late, and silence is not judged. */

import type { Logger } from "../observe/logger.ts";
import type { CommitNotice } from "./messages.ts";

/** Clocks of several writers differ by less. */
const NOTICED_MS = 10_000;
/** Interval of the log line while it lasts. */
const EVERY_MS = 60_000;

export class LogClock {
  readonly #logger: Pick<Logger, "warn" | "info">;
  readonly #nowMs: () => number;
  /** When it was logged last, by partition. */
  readonly #loggedMs = new Map<number, number>();

  constructor(logger: Pick<Logger, "warn" | "info">, nowMs = () => performance.now()) {
    this.#logger = logger;
    this.#nowMs = nowMs;
  }

  committed({ partition, clockBehindMs }: Pick<CommitNotice, "partition" | "clockBehindMs">): void {
    const behindSeconds = Math.round(clockBehindMs / 1000);
    const loggedMs = this.#loggedMs.get(partition);
    if (clockBehindMs < NOTICED_MS) {
      if (!this.#loggedMs.delete(partition)) return;
      this.#logger.info({ partition }, "the clock has caught up with the log");
      return;
    }
    if (loggedMs !== undefined && this.#nowMs() - loggedMs < EVERY_MS) return;
    this.#loggedMs.set(partition, this.#nowMs());
    this.#logger.warn(
      { partition, behindSeconds },
      "the clock is behind the newest time in the log: it was ahead, or is wrong now; sensors that were heard meanwhile are late until it catches up",
    );
  }
}
