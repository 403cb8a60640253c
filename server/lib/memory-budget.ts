/** What many pieces of work at once may keep in memory together. */
export class MemoryBudget {
  readonly #refusal: () => Error;
  #left: number;

  /** @param refusal makes the error of whoever finds no room */
  constructor(bytes: number, refusal: () => Error) {
    this.#left = bytes;
    this.#refusal = refusal;
  }

  /** For one piece of work, which ends with `release`. */
  open(): MemoryShare {
    let held = 0;
    return {
      hold: (bytes) => {
        if (bytes > this.#left) throw this.#refusal();
        this.#left -= bytes;
        held += bytes;
      },
      release: () => {
        this.#left += held;
        held = 0;
      },
    };
  }
}

export interface MemoryShare {
  /** Takes so many bytes more. @throws the refusal where there is no room; what was taken before stays taken */
  readonly hold: (bytes: number) => void;
  /** Gives all back. */
  readonly release: () => void;
}
