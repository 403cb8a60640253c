import type { LogEntry } from "./log.ts";

/**
 * The newest records, kept in memory until the consumer takes them, so that a consumer that keeps up costs no reading. Of each
 * partition it holds a run without a gap that ends with the newest record; when the bytes are too many, the longest run loses
 * its oldest records, which are then read from the table.
 */
export class Tail {
  readonly #runs = new Map<number, LogEntry[]>();
  readonly #bytes = new Map<number, number>();
  readonly #maxBytes: number;
  #total = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(partition: number, entry: LogEntry): void {
    const run = this.#runs.get(partition);
    if (run) run.push(entry);
    else this.#runs.set(partition, [entry]);
    this.#count(partition, entry.bytes.length);
    while (this.#total > this.#maxBytes) this.#dropOldest();
  }

  /** Forgets what is before the offset and hands out (and forgets) what begins there; undefined when that is not here. */
  take(partition: number, from: number, maxBytes: number): LogEntry[] | undefined {
    const run = this.#runs.get(partition);
    if (!run) return undefined;
    let past = 0;
    while (past < run.length && run[past]!.offset < from) past++;
    this.#remove(partition, run, past);
    if (run[0]?.offset !== from) return undefined;
    let bytes = run[0].bytes.length;
    let count = 1;
    while (count < run.length && bytes + run[count]!.bytes.length <= maxBytes) bytes += run[count++]!.bytes.length;
    return this.#remove(partition, run, count);
  }

  /** Forgets a partition (it is read from the table until the consumer has caught up), or all of them. */
  clear(partition?: number): void {
    for (const each of partition === undefined ? [...this.#runs.keys()] : [partition]) {
      const run = this.#runs.get(each);
      if (run) this.#remove(each, run, run.length);
    }
  }

  #dropOldest(): void {
    let largest = -1;
    for (const [partition, bytes] of this.#bytes) {
      if (largest < 0 || bytes > this.#bytes.get(largest)!) largest = partition;
    }
    const run = this.#runs.get(largest)!;
    this.#remove(largest, run, Math.ceil(run.length / 4)); // a quarter at once: moving the rest for each would cost its square
  }

  #remove(partition: number, run: LogEntry[], count: number): LogEntry[] {
    if (count === 0) return [];
    const removed = run.splice(0, count);
    for (const entry of removed) this.#count(partition, -entry.bytes.length);
    return removed;
  }

  #count(partition: number, bytes: number): void {
    this.#total += bytes;
    this.#bytes.set(partition, (this.#bytes.get(partition) ?? 0) + bytes);
  }
}
