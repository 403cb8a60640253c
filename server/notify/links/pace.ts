import type { Clock } from "../../clock.ts";
import { MAX_ACTS_BY_LINK, ACT_BY_LINK_REFILL_MS as REFILL_MS } from "./limits.ts";

/** Links that were used lately; the oldest make room. */
const MAX_REMEMBERED = 10_000;

/** How often a link may be used to act: each act is put on record. */
export class LinkPace {
  readonly #clock: Clock;
  /** By link: when all that was used is there again. */
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 0 where it may be used, and now was; else the milliseconds to wait. */
  take(link: string): number {
    const now = this.#clock.monotonicMs();
    const until = Math.max(now, this.#until.get(link) ?? 0) + REFILL_MS;
    const waitMs = until - now - MAX_ACTS_BY_LINK * REFILL_MS;
    if (waitMs > 0) return waitMs;
    this.#until.delete(link);
    this.#until.set(link, until);
    const [oldest] = this.#until.keys();
    if (this.#until.size > MAX_REMEMBERED && oldest !== undefined) this.#until.delete(oldest);
    return 0;
  }
}
