/** Bounded rings of what was committed lately, for watchers: late ones catch up from here, slow ones get a declared gap. */

/** Entries and bytes kept for watchers that resume or lag. */
export interface FeedLimits {
  readonly entries: number;
  readonly bytes: number;
}

interface Entry<T> {
  readonly position: number;
  readonly bytes: number;
  readonly item: T;
}

/** A feed of items with rising positions. Any number of readers go through it at their own pace. */
export class Feed<T> {
  readonly #limits: FeedLimits;
  readonly #entries: Entry<T>[] = [];
  #bytes = 0;
  #next: number;
  /** Positions before this are gone. */
  #oldest: number;
  /** Who waits for the next change. Taken out again however a wait ends: a watch leaves nothing behind. */
  readonly #waiting = new Set<() => void>();

  /** Positions begin where no earlier process's do: a resume token of another life is recognised as too old. */
  constructor(limits: FeedLimits, firstPosition: number) {
    this.#limits = limits;
    this.#next = firstPosition;
    this.#oldest = firstPosition;
  }

  /** Position of the item that will come next. */
  get next(): number {
    return this.#next;
  }

  push(item: T, bytes: number): void {
    this.#entries.push({ position: this.#next++, bytes, item });
    this.#bytes += bytes;
    while (
      this.#entries.length > this.#limits.entries ||
      (this.#bytes > this.#limits.bytes && this.#entries.length > 1)
    ) {
      const gone = this.#entries.shift()!;
      this.#bytes -= gone.bytes;
      this.#oldest = gone.position + 1;
    }
    this.#wake();
  }

  /** Items may have been lost before the next one: readers get a gap. */
  gap(): void {
    this.#entries.length = 0;
    this.#bytes = 0;
    this.#next++;
    this.#oldest = this.#next;
    this.#wake();
  }

  #wake(): void {
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /**
   * What there is from `position` on, at most `mostBytes` of it or one item, and where to go on from. `missed`: items from there on are
   * gone, and the first that are left come instead. Empty where there is nothing yet: wait by `changed`.
   */
  read(position: number, mostBytes: number): { items: T[]; next: number; missed: boolean } {
    const missed = position < this.#oldest || position > this.#next;
    const from = missed ? this.#oldest : position;
    const items: T[] = [];
    let bytes = 0;
    for (let i = from - this.#oldest; i < this.#entries.length; i++) {
      const entry = this.#entries[i]!;
      bytes += entry.bytes;
      if (items.length > 0 && bytes > mostBytes) break;
      items.push(entry.item);
    }
    return { items, next: from + items.length, missed };
  }

  /**
   * Resolves with true as soon as there is something at `position` or behind it, with false after `timeoutMs` without.
   *
   * @throws the reason of `signal`
   */
  changed(position: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#next !== position) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      const done = (then: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
        this.#waiting.delete(wake);
        then();
      };
      const wake = () => done(() => resolve(true));
      const abort = () => done(() => reject(signal.reason));
      const timer = setTimeout(() => done(() => resolve(false)), timeoutMs);
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.add(wake);
    });
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }
}
