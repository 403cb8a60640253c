import type { Clock } from "../clock.ts";

const EVERY_MS = 60_000;
/** The oldest are forgotten all at once: they are noted once more. */
const MAX_REMEMBERED = 10_000;

/** Whether a use is to be noted: of each id one a minute. */
export class LastUse {
  readonly #clock: Clock;
  readonly #noted = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isDue(id: string): boolean {
    const now = this.#clock.monotonicMs();
    const before = this.#noted.get(id);
    if (before !== undefined && now - before < EVERY_MS) return false;
    if (this.#noted.size >= MAX_REMEMBERED) this.#noted.clear();
    this.#noted.set(id, now);
    return true;
  }
}
