/** Texts that are searched for parts in any case: a block of them at a time, many times as fast as one by one. */

const BLOCK = 1_024;
/** No text that may be stored has it. */
const END = "\0";

interface Block {
  readonly text: string;
  /** Where each text of the block begins. */
  readonly starts: readonly number[];
}

export class FoldedTexts {
  /** In lower case. */
  readonly #texts: string[] = [];
  readonly #blocks: (Block | undefined)[] = [];

  push(text: string): void {
    this.#texts.push(text.toLowerCase());
    // The last block has changed.
    this.#blocks[(this.#texts.length - 1) >>> 10] = undefined;
  }

  at(index: number): string {
    return this.#texts[index]!;
  }

  /** Marks by 1 the index of each text that has the part in it. */
  *search(part: string, found: Uint8Array): Generator<void> {
    const wanted = part.toLowerCase();
    for (let b = 0; b * BLOCK < Math.min(this.#texts.length, found.length); b++) {
      const { text, starts } = this.#block(b);
      for (let at = text.indexOf(wanted); at >= 0; ) {
        const index = textAt(starts, at);
        if (b * BLOCK + index < found.length) found[b * BLOCK + index] = 1;
        const next = starts[index + 1];
        at = next === undefined ? -1 : text.indexOf(wanted, next);
      }
      yield;
    }
  }

  #block(b: number): Block {
    const known = this.#blocks[b];
    if (known !== undefined) return known;
    const texts = this.#texts.slice(b * BLOCK, (b + 1) * BLOCK);
    const starts: number[] = [];
    let length = 0;
    for (const text of texts) {
      starts.push(length);
      length += text.length + END.length;
    }
    const block = { text: texts.join(END), starts };
    this.#blocks[b] = block;
    return block;
  }
}

/** The last text that begins at or before the place. */
function textAt(starts: readonly number[], place: number): number {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= place) low = middle;
    else high = middle;
  }
  return low;
}
