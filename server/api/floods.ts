/**
 * Peers whose connections ended since they cancelled too many calls. Opening a connection and a few hundred calls costs a peer nothing, and
 * the next ones of its address wait for their turn: nobody is refused, and what a flood costs everybody else is bounded.
 */

/** Addresses remembered; past it those that wait no more are forgotten, and then all. */
const MAX_ADDRESSES = 10_000;

export class Floods {
  /** Until when new connections of an address wait, on the monotonic clock, milliseconds. */
  readonly #until = new Map<string, number>();
  readonly #pauseMs: number;

  constructor(pauseMs: number) {
    this.#pauseMs = pauseMs;
  }

  /** A connection of the address has ended for what it cancelled. */
  note(address: string, nowMs = performance.now()): void {
    if (this.#until.size >= MAX_ADDRESSES) this.#forget(nowMs);
    this.#until.set(address, nowMs + this.#pauseMs);
  }

  /** How long a new connection of the address is to wait, milliseconds; 0 for all others. */
  waitMs(address: string, nowMs = performance.now()): number {
    if (this.#until.size === 0) return 0;
    return Math.max(0, (this.#until.get(address) ?? 0) - nowMs);
  }

  #forget(nowMs: number): void {
    for (const [address, until] of this.#until) if (until <= nowMs) this.#until.delete(address);
    if (this.#until.size >= MAX_ADDRESSES) this.#until.clear();
  }
}
