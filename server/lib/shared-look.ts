/** A look at something outside (a table, a directory) that many callers want at once, each as of its own call or later. */
export class SharedLook<T> {
  readonly #look: () => Promise<T>;
  #running: Promise<T> | undefined;
  /** What begins when `#running` has ended. */
  #next: Promise<T> | undefined;

  constructor(look: () => Promise<T>) {
    this.#look = look;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** The answer of a look that began at this call or after it: one that runs may have missed what was stored since. */
  fresh(): Promise<T> {
    if (this.#running === undefined) {
      this.#running = this.#look().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.ended().then(() => {
      this.#next = undefined;
      return this.fresh();
    });
    return this.#next;
  }

  /** Resolves when the look that runs has ended, however it ends. */
  async ended(): Promise<void> {
    await this.#running?.catch(() => undefined); // whoever asked for it hears of it
  }
}
