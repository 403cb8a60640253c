/**
 * Slots of which a look is due, by the second of the log's time: with a million sensors whose steps end at the same moment, a tick goes through
 * its own second alone.
 */
export class DueLooks {
  readonly #bySecond = new Map<number, Set<number>>();

  add(slot: number, dueUs: number): void {
    const second = secondOf(dueUs);
    const slots = this.#bySecond.get(second);
    if (slots === undefined) this.#bySecond.set(second, new Set([slot]));
    else slots.add(slot);
  }

  remove(slot: number, dueUs: number): void {
    const second = secondOf(dueUs);
    const slots = this.#bySecond.get(second);
    if (slots?.delete(slot) && slots.size === 0) this.#bySecond.delete(second);
  }

  /** Those that are due at a time, of which `dueUsOf` says when exactly. */
  at(nowUs: number, dueUsOf: (slot: number) => number): number[] {
    const found: number[] = [];
    for (const [second, slots] of this.#bySecond) {
      if (second > secondOf(nowUs)) continue;
      for (const slot of slots) if (dueUsOf(slot) <= nowUs) found.push(slot);
    }
    return found;
  }
}

function secondOf(us: number): number {
  return Math.floor(us / 1e6);
}

/** A share from 0 to 1 that follows from the id of a reading, which a replay has too, and is another one for the next id. */
export function shareOf(readingId: number): number {
  const mixed = Math.imul((readingId % 2 ** 32) ^ Math.floor(readingId / 2 ** 32), 0x9e3779b1);
  return (mixed >>> 0) / 2 ** 32;
}
