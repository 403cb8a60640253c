import { EventEmitter, once } from "node:events";
import type { LogConsumer, LogEntry } from "../server/log/log.ts";

/** A consumer that keeps what it is given, and where it was told to begin. */
export class Collector implements LogConsumer {
  /** Offset that `assigned` answers with: the store's, here a number that the test sets. */
  readonly from = new Map<number, number>();
  readonly entries = new Map<number, LogEntry[]>();
  readonly assignments: number[] = [];
  /** First record that the log had of each partition when it was assigned last. */
  readonly oldest = new Map<number, number>();
  readonly revocations: number[] = [];
  /** Called before records are kept; a rejection is the consumer's. */
  before: (partition: number, entries: readonly LogEntry[]) => Promise<void> = async () => {};
  readonly #changes = new EventEmitter().setMaxListeners(0);

  async assigned(partition: number, oldest: number): Promise<number> {
    this.assignments.push(partition);
    this.oldest.set(partition, oldest);
    this.#changes.emit("change");
    return this.from.get(partition) ?? 0;
  }

  async records(partition: number, entries: readonly LogEntry[]): Promise<void> {
    await this.before(partition, entries);
    this.entries.set(partition, [...this.of(partition), ...entries]);
    this.#changes.emit("change");
  }

  async revoked(partition: number): Promise<void> {
    this.revocations.push(partition);
    this.#changes.emit("change");
  }

  of(partition: number): LogEntry[] {
    return this.entries.get(partition) ?? [];
  }

  /** The records of a partition as text, in the order in which they came. */
  texts(partition: number): string[] {
    return this.of(partition).map(({ bytes }) => Buffer.from(bytes).toString());
  }

  /** Resolves once the condition holds; it is looked at after each change. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.#changes, "change");
  }
}
