/** Bounded rings of what was committed lately, for watchers: late ones catch up from here, slow ones are told what they missed. */

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
  #changed = Promise.withResolvers<void>();

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

  /** Items may have been lost before the next one: readers are told. */
  gap(): void {
    this.#entries.length = 0;
    this.#bytes = 0;
    this.#next++;
    this.#oldest = this.#next;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /**
   * What there is from `position` on, and where to go on from. `missed`: items from there on are gone. Empty where there is
   * nothing yet: wait for `changed`.
   */
  read(position: number): { items: T[]; next: number; missed: boolean } {
    if (position < this.#oldest || position > this.#next) {
      return { items: this.#entries.map((e) => e.item), next: this.#next, missed: true };
    }
    const start = this.#entries.length - (this.#next - position);
    return { items: this.#entries.slice(Math.max(0, start)).map((e) => e.item), next: this.#next, missed: false };
  }

  get changed(): Promise<void> {
    return this.#changed.promise;
  }
}
