/** Gives others their turn while something long is gone through. */
import { setImmediate as turn } from "node:timers/promises";

/** Others have their turn after so long. */
const SLICE_MS = 5;
/** The clock is looked at once in so many steps. */
const SLICE_STEPS = 2_048;

export class Turns {
  #sinceMs = performance.now();

  /** @param step counted by the caller, from 0 */
  isDue(step: number): boolean {
    return step % SLICE_STEPS === 0 && this.isLong();
  }

  /** Where a step is long enough to look at the clock each time. */
  isLong(): boolean {
    return performance.now() - this.#sinceMs > SLICE_MS;
  }

  async take(): Promise<void> {
    await turn();
    this.#sinceMs = performance.now();
  }
}
