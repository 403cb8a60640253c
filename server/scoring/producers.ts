/**
 * Which batches of each sender this partition has seen, so that a resent one changes nothing and is answered as it was the first
 * time. A sliding window, not "up to the last": where 6 landed and 5 failed, both are resent and only 5 is new.
 */
/** What has become of a batch's readings so far. */
export interface Tally {
  accepted: number;
  duplicate: number;
  conflicting: number;
  late: number;
  /** Readings that the reorder buffer has. */
  buffered: number;
}

/** Sequences remembered behind a sender's newest. The server takes at most half as many unsettled batches on a stream. */
const WINDOW = 512;
/** A sender unheard of for this long by the log's own clock is forgotten, in microseconds (a day). */
const FORGET_AFTER_US = 86_400_000_000;
/** Looking for senders to forget costs a pass over all; once in so many fragments. */
const SWEEP_EVERY = 100_000;

interface Entry {
  /** Offset of the record in which it came first, and its place there. */
  readonly offset: number;
  readonly place: number;
  readonly tally: Tally;
}

interface Producer {
  newest: number;
  heardUs: number;
  readonly entries: Map<number, Entry>;
}

export type Verdict =
  | { readonly kind: "new" }
  /** Seen before; what became of it then, where still remembered. It may still be changing. */
  | { readonly kind: "seen"; readonly tally: Tally | undefined };

export class Producers {
  readonly #producers = new Map<string, Producer>();
  #untilSweep = SWEEP_EVERY;

  /**
   * Answers whether a batch is new, and remembers it with its tally if so. `replayFrom` is the first offset that a rebuilding may read again:
   * entries from there on are kept even outside the window, so that a rebuilding finds which copy came first.
   */
  see(
    producer: string,
    epoch: bigint,
    sequence: number,
    at: { offset: number; place: number; receivedUs: number },
    replayFrom: number,
    tally: Tally,
  ): Verdict {
    const name = `${epoch}/${producer}`;
    if (--this.#untilSweep <= 0) this.#sweep(at.receivedUs);
    let known = this.#producers.get(name);
    if (known === undefined || at.receivedUs - known.heardUs > FORGET_AFTER_US) {
      known = { newest: 0, heardUs: at.receivedUs, entries: new Map() };
      this.#producers.set(name, known);
    }
    known.heardUs = Math.max(known.heardUs, at.receivedUs);
    const entry = known.entries.get(sequence);
    // In a rebuilding the window may already hold this very copy: it is the first one.
    if (entry !== undefined && entry.offset === at.offset && entry.place === at.place) return { kind: "new" };
    if (entry !== undefined) return { kind: "seen", tally: entry.tally };
    if (sequence <= known.newest - WINDOW) return { kind: "seen", tally: undefined };
    known.entries.set(sequence, { offset: at.offset, place: at.place, tally });
    if (sequence > known.newest) {
      known.newest = sequence;
      for (const [old, e] of known.entries) {
        // Entries stand in the order of arrival, nearly that of their sequences: the old ones come first.
        if (old > known.newest - WINDOW || e.offset >= replayFrom) break;
        known.entries.delete(old);
      }
    }
    return { kind: "new" };
  }

  #sweep(nowUs: number): void {
    this.#untilSweep = SWEEP_EVERY;
    for (const [name, p] of this.#producers) {
      if (nowUs - p.heardUs > FORGET_AFTER_US) this.#producers.delete(name);
    }
  }

  save(): Uint8Array {
    const list = [...this.#producers].map(([name, p]) => [
      name,
      p.newest,
      p.heardUs,
      [...p.entries].map(([s, { offset, place, tally: t }]) => [
        s,
        offset,
        place,
        t.accepted,
        // What the buffer has is stored by the time that the batch is answered again.
        t.duplicate + t.buffered,
        t.conflicting,
        t.late,
      ]),
    ]);
    return Buffer.from(JSON.stringify(list));
  }

  /** Adds what was saved to what is here. Of two copies of a batch, the one that came first counts. */
  load(bytes: Uint8Array): void {
    type Saved = [string, number, number, [number, number, number, number, number, number, number][]][];
    for (const [name, newest, heardUs, entries] of JSON.parse(Buffer.from(bytes).toString()) as Saved) {
      const map = new Map<number, Entry>();
      for (const [s, offset, place, accepted, duplicate, conflicting, late] of entries) {
        map.set(s, { offset, place, tally: { accepted, duplicate, conflicting, late, buffered: 0 } });
      }
      const here = this.#producers.get(name);
      for (const [s, entry] of here?.entries ?? []) if (isFirst(entry, map.get(s))) map.set(s, entry);
      this.#producers.set(name, {
        newest: Math.max(newest, here?.newest ?? 0),
        heardUs: Math.max(heardUs, here?.heardUs ?? 0),
        entries: map,
      });
    }
  }

  get size(): number {
    return this.#producers.size;
  }
}

function isFirst(a: Entry, b: Entry | undefined): boolean {
  return b === undefined || a.offset < b.offset || (a.offset === b.offset && a.place <= b.place);
}
