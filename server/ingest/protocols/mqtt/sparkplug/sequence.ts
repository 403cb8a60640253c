/** The sequence of an edge node's messages, 0 to 255 and then 0 again: finds those that are missing. Pure. */

/** As the specification's reorder time-out: messages that overtake each other are none that are lost. */
export const REORDER_US = 2_000_000;
const NUMBERS = 256;
/** Behind by at most so many, a message is one that was overtaken. */
const BEHIND = 128;

export class Sequence {
  #next: number;
  /** Those that came before an earlier one. */
  readonly #ahead = new Set<number>();
  #gapSinceUs: number | undefined;

  constructor(birth: number) {
    this.#next = (birth + 1) % NUMBERS;
  }

  /** Takes the number of a message that came at `nowUs`. */
  take(seq: number, nowUs: number): void {
    if (seq === this.#next) {
      this.#next = (seq + 1) % NUMBERS;
      while (this.#ahead.delete(this.#next)) this.#next = (this.#next + 1) % NUMBERS;
      if (this.#ahead.size === 0) this.#gapSinceUs = undefined;
      return;
    }
    if ((seq - this.#next + NUMBERS) % NUMBERS >= BEHIND) return;
    this.#ahead.add(seq);
    this.#gapSinceUs ??= nowUs;
  }

  /** Whether something is missing for longer than messages overtake each other. It is given up then. */
  isBroken(nowUs: number): boolean {
    if (this.#gapSinceUs === undefined || nowUs - this.#gapSinceUs < REORDER_US) return false;
    let last = 0;
    for (const seq of this.#ahead) last = Math.max(last, (seq - this.#next + NUMBERS) % NUMBERS);
    this.#next = (this.#next + last + 1) % NUMBERS;
    this.#ahead.clear();
    this.#gapSinceUs = undefined;
    return true;
  }
}
