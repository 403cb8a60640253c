/**
 * Places that callers share: nobody holds more of them than are left free (Choudhury and Hahne, 1998: dynamic thresholds). One caller
 * takes half at the most, and one that comes later half of what is left; n that take by turns get 1/(n + 1) each.
 */
export class Shares {
  readonly #places: number;
  readonly #held = new Map<string, number>();
  #taken = 0;

  constructor(places: number) {
    this.#places = places;
  }

  get taken(): number {
    return this.#taken;
  }

  /** How many places the caller holds. */
  heldBy(caller: string): number {
    return this.#held.get(caller) ?? 0;
  }

  /** The function gives the place back and may be called again; undefined where the caller has its share. */
  enter(caller: string): (() => void) | undefined {
    const held = this.heldBy(caller);
    if (held >= this.#places - this.#taken) return undefined;
    this.#held.set(caller, held + 1);
    this.#taken++;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.#leave(caller);
    };
  }

  #leave(caller: string): void {
    this.#taken--;
    const left = this.heldBy(caller) - 1;
    if (left > 0) this.#held.set(caller, left);
    else this.#held.delete(caller);
  }
}
