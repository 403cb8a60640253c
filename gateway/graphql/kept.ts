/** What is remembered by its text, and which of it was used last: forgotten where the texts together are too large. */

/** An entry's own cost beside its text. */
const ENTRY_BYTES = 512;

export class KeptByText<T> {
  readonly #maxBytes: number;
  /** The one used last is the last. */
  readonly #entries = new Map<string, T>();
  #bytes = 0;

  /** @param maxBytes of all texts in UTF-8, and 512 for each */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(text: string): boolean {
    return this.#entries.has(text);
  }

  get(text: string): T | undefined {
    const value = this.#entries.get(text);
    if (value === undefined) return undefined;
    this.#entries.delete(text);
    this.#entries.set(text, value);
    return value;
  }

  set(text: string, value: T): void {
    this.#forget(text);
    this.#entries.set(text, value);
    this.#bytes += bytesOf(text);
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#forget(oldest);
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #forget(text: string): void {
    if (this.#entries.delete(text)) this.#bytes -= bytesOf(text);
  }
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text) + ENTRY_BYTES;
}
