import type { LogEntry } from "./log.ts";

/** Bytes fetched ahead of a partition's consumer. Past this the partition is not fetched until half of it is taken. */
const maxAheadBytes = 4 * 1024 * 1024;

/** Offsets of a partition's first record and of the next one to come. */
export interface LogRange {
  readonly first: number;
  readonly next: number;
}

/** What was fetched of one partition and waits for the consumer. */
export class Feed {
  /** "new": no start offset yet. "open": being fetched. "full": enough is here. */
  state: "new" | "open" | "full" = "new";
  /** What the partition contained when the consumer was asked where to begin. */
  range: LogRange | undefined;
  /** Offset of the next fetch. */
  fetchFrom = 0;
  /** Offset from which the consumer reads next. */
  next = 0;
  /** Offset after the last record of the partition, as far as is known. */
  end = 0;
  #entries: LogEntry[] = [];
  #bytes = 0;

  startAt(offset: number): void {
    this.#entries = [];
    this.#bytes = 0;
    this.fetchFrom = offset;
    this.next = offset;
    this.state = "open";
  }

  push(entries: readonly LogEntry[], end: number): void {
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += entry.bytes.length;
    }
    const last = entries.at(-1);
    if (last) this.fetchFrom = last.offset + 1;
    this.end = Math.max(this.end, end);
    if (this.#bytes >= maxAheadBytes) this.state = "full";
  }

  /** The oldest records, one at least if there is one, and no more than the bytes. */
  take(maxBytes: number): LogEntry[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#entries.length && (count === 0 || bytes + this.#entries[count]!.bytes.length <= maxBytes)) {
      bytes += this.#entries[count++]!.bytes.length;
    }
    this.#bytes -= bytes;
    if (this.state === "full" && this.#bytes <= maxAheadBytes / 2) this.state = "open";
    const taken = this.#entries.splice(0, count);
    const last = taken.at(-1);
    if (last) this.next = last.offset + 1;
    return taken;
  }
}
