/** What may be used a second, with what was not used in the second before. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #nowMs: () => number;
  #tokens: number;
  #at: number;

  /** `nowMs`: milliseconds; only differences count. It begins full. */
  constructor(perSecond: number, nowMs: () => number) {
    this.#perSecond = perSecond;
    this.#nowMs = nowMs;
    this.#tokens = perSecond;
    this.#at = nowMs();
  }

  /** How much is there: a second's worth where nothing was used, below 0 where more was used than there was. */
  get left(): number {
    const now = this.#nowMs();
    this.#tokens = Math.min(this.#perSecond, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    return this.#tokens;
  }

  /** Uses so much, also where there is less. */
  use(amount: number): void {
    this.#tokens -= amount;
  }

  /** Milliseconds until what was used beyond is there again. */
  get owedMs(): number {
    return Math.max(0, (-this.left / this.#perSecond) * 1000);
  }
}
