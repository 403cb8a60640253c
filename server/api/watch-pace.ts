import { TelltaleError } from "../errors.ts";
import { FairQueue } from "../lib/fair-queue.ts";
import { delay } from "../lib/signals.ts";
import { TokenBucket } from "../lib/token-bucket.ts";

/** More than there are watches: each waits for one turn at a time. */
const MAX_WAITING = 10_000;

/** Readings a second of all watches together. Callers take turns, so that one who watches everything delays mostly himself. */
export class WatchPace {
  readonly #perSecond: number;
  readonly #budget: TokenBucket;
  readonly #turns: FairQueue;

  constructor(perSecond: number) {
    const nowMs = () => performance.now();
    this.#perSecond = perSecond;
    this.#budget = new TokenBucket(perSecond, nowMs);
    const refusal = () => new TelltaleError("exhausted", `${MAX_WAITING} watches wait for their turn: end some`);
    this.#turns = new FairQueue({ atOnce: 1, maxWaiting: MAX_WAITING, refusal, nowMs });
  }

  /** Resolves when so many readings may be sent; rejects with the signal's reason as soon as it aborts. */
  take(caller: string, readings: number, signal: AbortSignal): Promise<void> {
    const costMs = (readings / this.#perSecond) * 1000;
    return this.#turns.run(caller, costMs, signal, async () => {
      this.#budget.use(readings);
      const { owedMs } = this.#budget;
      if (owedMs > 0) await delay(owedMs, signal);
    });
  }
}
