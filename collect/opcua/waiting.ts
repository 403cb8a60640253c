/** Values that have come and wait for history to be read, and how they are put together with it. No I/O. */
import type { NodeSettings } from "./config.ts";
import type { Found } from "./values.ts";

/** Of a node: so many of the newest values of history are kept to be recognised when the server sends them too. */
const MAX_RECOGNISED = 100;
/** They are no older than two publishing intervals, and this: what comes later was sampled later. */
const UNDERWAY_US = 1_000_000;

export class Waiting {
  readonly #values = new Map<NodeSettings, Found[]>();
  /** What history has brought last of each node. */
  readonly #brought = new Map<NodeSettings, Recognised>();
  /** Of the newest value of each node that has come since the last interruption. */
  readonly #heardUs = new Map<NodeSettings, number>();
  readonly #underwayUs: number;
  #count = 0;

  constructor(publishingMs: number) {
    this.#underwayUs = 2 * publishingMs * 1_000 + UNDERWAY_US;
  }

  get count(): number {
    return this.#count;
  }

  /** Nobody listens: what comes next is not what follows. */
  interrupt(): void {
    this.#heardUs.clear();
  }

  add(node: NodeSettings, found: Found): void {
    this.#count++;
    this.#heardUs.set(node, Math.max(found.observedAtUs, this.#heardUs.get(node) ?? Number.NEGATIVE_INFINITY));
    const values = this.#values.get(node);
    if (values === undefined) this.#values.set(node, [found]);
    else values.push(found);
  }

  /**
   * What history has brought of a node, and of those that wait the ones up to its newest that it lacks: a historian may keep fewer
   * values than the server sends. They wait no more. What is newer than the newest that has come is left to the server, which sends it
   * with what lies before it.
   *
   * @param all of history, in the order of the times
   * @returns all of them in the order of the times
   */
  merge(node: NodeSettings, all: readonly Found[]): readonly Found[] {
    const heardUs = this.#heardUs.get(node) ?? Number.POSITIVE_INFINITY;
    const history = all.filter(({ observedAtUs }) => observedAtUs <= heardUs);
    const newestUs = history.at(-1)?.observedAtUs;
    if (newestUs === undefined) return history;
    const values = this.#values.get(node) ?? [];
    const later = values.filter(({ observedAtUs }) => observedAtUs > newestUs);
    this.#count -= values.length - later.length;
    this.#values.set(node, later);
    const recent = history.filter(({ observedAtUs }) => observedAtUs >= newestUs - this.#underwayUs);
    this.#brought.set(node, new Recognised(recent.slice(-MAX_RECOGNISED)));
    const brought = new Recognised(history);
    const lacking = values.filter((found) => found.observedAtUs <= newestUs && !brought.has(found));
    if (lacking.length === 0) return history;
    return [...history, ...lacking].sort((a, b) => a.observedAtUs - b.observedAtUs);
  }

  /** All that wait still, of each node in the order in which they came, without what history has brought meanwhile. */
  *rest(): Generator<{ readonly node: NodeSettings; readonly found: Found }> {
    for (const [node, values] of this.#values) {
      const brought = this.#brought.get(node);
      for (const found of values) if (!brought?.has(found)) yield { node, found };
    }
  }
}

/** Values by their times. */
class Recognised {
  /** By whole milliseconds: many historians keep no more of a time. */
  readonly #byMs = new Map<number, Found[]>();

  constructor(values: readonly Found[]) {
    for (const found of values) {
      const ms = msOf(found);
      const same = this.#byMs.get(ms);
      if (same === undefined) this.#byMs.set(ms, [found]);
      else same.push(found);
    }
  }

  /** Of the same time; of the same millisecond where the value is the same. */
  has(found: Found): boolean {
    const same = this.#byMs.get(msOf(found)) ?? [];
    return same.some((each) => each.observedAtUs === found.observedAtUs || readingValue(each) === readingValue(found));
  }
}

function msOf({ observedAtUs }: Found): number {
  return Math.floor(observedAtUs / 1_000);
}

/** Undefined for all that are no readings. */
function readingValue(found: Found): number | undefined {
  return "reason" in found ? undefined : found.value;
}
