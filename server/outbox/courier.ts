import type { Logger } from "../observe/logger.ts";
import type { Cursors } from "./cursors.ts";
import type { Delivery, DeliveryCounts, Receiver } from "./receiver.ts";

/** Events given to a receiver at once: bounds memory, and what is repeated after a crash. */
const EVENTS_AT_ONCE = 500;
/** A receiver that fails is retried after this long, then after twice as long each time, up to the longest. */
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 60_000;

export interface CourierOptions {
  readonly receiver: Receiver;
  readonly cursors: Cursors;
  readonly logger: Logger;
  readonly onPortion: (counts: DeliveryCounts) => void;
  /** Whether this process delivers the partition's events. */
  readonly owns: (partition: number) => boolean;
}

/**
 * Brings one receiver its events. It has its own progress, its own waits and its own failures in every partition: nothing that
 * happens here delays another receiver, and a partition that waits delays no other.
 */
export class Courier {
  readonly #o: CourierOptions;
  readonly #due = new Set<number>();
  /** Failures in a row and the timer of the next try, by partition. */
  readonly #waiting = new Map<number, { failures: number; timer: NodeJS.Timeout | undefined }>();
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: CourierOptions) {
    this.#o = options;
  }

  /** There may be events in the partition. A partition that waits for its next try goes on waiting. */
  look(partition: number): void {
    if (this.#closing.signal.aborted || this.#waiting.get(partition)?.timer !== undefined) return;
    this.#due.add(partition);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // A call between the last look at the set and this line.
      for (const missed of this.#due) this.look(missed);
    });
  }

  /** The partition has another owner. */
  forget(partition: number): void {
    this.#due.delete(partition);
    clearTimeout(this.#waiting.get(partition)?.timer);
    this.#waiting.delete(partition);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the process ends"));
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    await this.#running;
    await this.#o.receiver.close();
  }

  /** One portion of each partition in turn, so that a long backlog in one does not delay the others. */
  async #run(): Promise<void> {
    for (const partition of this.#due) {
      if (this.#closing.signal.aborted) return;
      this.#due.delete(partition);
      if (!this.#o.owns(partition)) continue;
      try {
        if (await this.#portion(partition)) this.#due.add(partition);
      } catch (error) {
        this.#retryLater(partition, { err: error });
      }
    }
  }

  /** True where there may be more to deliver at once. */
  async #portion(partition: number): Promise<boolean> {
    const { receiver, cursors } = this.#o;
    const next = await cursors.next(receiver, partition);
    const events = await cursors.events(partition, next, EVENTS_AT_ONCE);
    if (events.length === 0) return false;
    const delivery = await receiver.deliver(events, this.#closing.signal);
    const delivered = delivery.kind === "ok" ? events.length : delivery.delivered;
    const dropped = delivery.kind === "drop" ? { event: events[delivered]!, reason: delivery.reason } : undefined;
    const passed = delivered + (dropped === undefined ? 0 : 1);
    if (passed > 0) await cursors.advance(receiver, partition, numberAfter(events[passed - 1]!), dropped);
    this.#count(delivery, delivered, events.length);
    if (dropped !== undefined) this.#logDrop(partition, events[delivered]!.id, dropped.reason);
    if (delivery.kind === "retry") {
      this.#retryLater(partition, { reason: delivery.reason }, delivery.afterMs);
      return false;
    }
    this.#waiting.delete(partition);
    return passed < events.length || events.length === EVENTS_AT_ONCE;
  }

  #retryLater(partition: number, cause: object, afterMs?: number): void {
    if (this.#closing.signal.aborted) return;
    const failures = (this.#waiting.get(partition)?.failures ?? 0) + 1;
    const waitMs = afterMs ?? Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
    const timer = setTimeout(() => {
      this.#waiting.set(partition, { failures, timer: undefined });
      this.look(partition);
    }, waitMs);
    this.#waiting.set(partition, { failures, timer });
    const receiver = this.#o.receiver.name;
    this.#o.logger.warn({ ...cause, receiver, partition, failures, waitMs }, "alert events wait for their receiver");
  }

  #count(delivery: Delivery, delivered: number, given: number): void {
    const dropped = delivery.kind === "drop" ? 1 : 0;
    const retried = delivery.kind === "retry" ? given - delivered : 0;
    this.#o.onPortion({ receiver: this.#o.receiver.name, delivered, dropped, retried });
  }

  #logDrop(partition: number, id: string, reason: string): void {
    const receiver = this.#o.receiver.name;
    this.#o.logger.error({ receiver, partition, event: id, reason }, "alert event dropped: its receiver refuses it");
  }
}

function numberAfter({ number }: { readonly number: bigint }): number {
  return Number(number) + 1;
}
