/** Texts remembered; those past it are left as they came. */
const MAX_TEXTS = 10_000;

/** Types, units and places are the same few texts for many sensors: each message brings a copy of its own, and one is kept. */
export class SharedTexts {
  readonly #known = new Map<string, string>();

  of(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size < MAX_TEXTS) this.#known.set(text, text);
    return text;
  }
}
