import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";

/** What was revoked works for at most so long at a process that has just seen it. */
const FRESH_MS = 2_000;
/** While the database is away, what was seen before goes on working for so long: devices keep sending. */
const STALE_MS = 300_000;
/** Ids remembered, known or not: 1 MB. */
const MAX_REMEMBERED = 10_000;
/** Look-ups under way; whoever guesses ids must not fill the database's queue. */
const MAX_LOOK_UPS = 8;

interface Remembered<T> {
  readonly known: T | undefined;
  readonly atMs: number;
}

export interface ShortMemoryOptions<T> {
  readonly clock: Clock;
  /** In the plural, for errors: "tokens". */
  readonly what: string;
  /** Asks the database; undefined: there is none. */
  readonly read: (id: string) => Promise<T | undefined>;
}

/** Credentials of the database by id, asked for with each call and read every few seconds. */
export class ShortMemory<T> {
  readonly #o: ShortMemoryOptions<T>;
  readonly #memory = new Map<string, Remembered<T>>();
  /** By id: many calls that begin at once wait for one look-up. */
  readonly #underway = new Map<string, Promise<T | undefined>>();

  constructor(options: ShortMemoryOptions<T>) {
    this.#o = options;
  }

  /** Throws TelltaleError "unavailable" or "exhausted" where it cannot be found out now. */
  async look(id: string): Promise<T | undefined> {
    const { clock, what } = this.#o;
    const remembered = this.#memory.get(id);
    const ageMs = remembered === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() - remembered.atMs;
    if (remembered !== undefined && ageMs < FRESH_MS) return remembered.known;
    if (this.#underway.size >= MAX_LOOK_UPS && remembered === undefined && !this.#underway.has(id)) {
      throw new TelltaleError("exhausted", `Too many unknown ${what} at once`, { retryAfterMs: 1_000 });
    }
    try {
      return await this.#readOnce(id);
    } catch (error) {
      if (remembered?.known !== undefined && ageMs < STALE_MS) return remembered.known;
      const sentence = `${what[0]!.toUpperCase()}${what.slice(1)} cannot be checked now`;
      throw new TelltaleError("unavailable", sentence, { cause: error, retryAfterMs: 1_000 });
    }
  }

  /** The next look asks the database. */
  forget(id: string): void {
    this.#memory.delete(id);
  }

  #readOnce(id: string): Promise<T | undefined> {
    const reading =
      this.#underway.get(id) ??
      this.#o
        .read(id)
        .then((known) => this.#remember(id, known))
        .finally(() => this.#underway.delete(id));
    this.#underway.set(id, reading);
    return reading;
  }

  #remember(id: string, known: T | undefined): T | undefined {
    this.#memory.delete(id);
    this.#memory.set(id, { known, atMs: this.#o.clock.monotonicMs() });
    if (this.#memory.size > MAX_REMEMBERED) {
      const [oldest] = this.#memory.keys();
      if (oldest !== undefined) this.#memory.delete(oldest);
    }
    return known;
  }
}
