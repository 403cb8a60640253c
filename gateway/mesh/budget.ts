/**
 * How many calls of one HTTP/2 connection may be cancelled. The services end a connection whose calls are cancelled faster than
 * they bear (server/api/limits.ts: a burst of 300, then 33 a second), and with it the calls of everybody on it.
 */

/** Fewer than the services bear, for what they end themselves and what meets its deadline counts there too. */
const BURST = 200;
const PER_SECOND = 25;
/** Calls with a deadline end by it as well: 256 of them every 10 s are most of what the services bear. */
const UNARY_BURST = 40;
const UNARY_PER_SECOND = 7;

/** A token bucket on the monotonic clock. */
export class Bucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #at = performance.now();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#tokens = burst;
  }

  /** Whether there was one to take. */
  take(): boolean {
    this.#fill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Milliseconds until there is one to take. */
  get waitMs(): number {
    this.#fill();
    return Math.max(0, ((1 - this.#tokens) / this.#perSecond) * 1_000);
  }

  #fill(): void {
    const now = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1_000) * this.#perSecond);
    this.#at = now;
  }
}

/** Cancels calls of one connection, at once or as soon as the connection bears it. */
export class Cancels {
  readonly #bucket: Bucket;
  /** In the order in which they were given up; bounded by the streams that a connection carries. */
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(burst = BURST, perSecond = PER_SECOND) {
    this.#bucket = new Bucket(burst, perSecond);
  }

  /** @returns takes the cancel back: the call ended by itself */
  cancel(now: () => void): () => void {
    if (this.#waiting.size === 0 && this.#bucket.take()) {
      now();
      return () => {};
    }
    this.#waiting.add(now);
    this.#timer ??= setTimeout(() => this.#drain(), this.#bucket.waitMs).unref();
    return () => this.#waiting.delete(now);
  }

  #drain(): void {
    this.#timer = undefined;
    for (const cancel of this.#waiting) {
      if (!this.#bucket.take()) break;
      this.#waiting.delete(cancel);
      cancel();
    }
    if (this.#waiting.size > 0) this.#timer = setTimeout(() => this.#drain(), this.#bucket.waitMs).unref();
  }
}

/** Of a connection whose calls have one response and a deadline. */
export function unaryCancels(): Cancels {
  return new Cancels(UNARY_BURST, UNARY_PER_SECOND);
}
