/** The pauses between two tries: growing, partly random, so that many collectors do not come back in the same instant. */
import { backoffMs } from "../client/backoff.ts";
import { delay } from "../server/lib/signals.ts";

const LONGEST_MS = 30_000;

export class Pauses {
  #attempt = 0;

  /** Waits; rejects with the signal's reason. */
  async next(signal: AbortSignal): Promise<void> {
    // The first of the client's is a tenth of a second; a device that restarts needs a little more.
    await delay(backoffMs(2 + this.#attempt++, LONGEST_MS), signal);
  }

  /** It works: the next pause is a short one. */
  reset(): void {
    this.#attempt = 0;
  }
}
