import { TelltaleError } from "../errors.ts";
import type { Log } from "./log.ts";

type Record = Parameters<Log["append"]>[1];

const NOTHING = new Uint8Array();

/** An append that waits for its answer. */
export interface Pending {
  readonly partition: number;
  /** Empty until its turn has come, where `gather` puts it together then. */
  bytes: Uint8Array;
  gather: (() => Uint8Array) | undefined;
  readonly deadline: number;
  readonly answer: Promise<number>;
  /** Answered, or given up: not to be sent any more. */
  settled: boolean;
  resolve(offset: number): void;
  reject(error: Error): void;
}

export interface PendingLimits {
  readonly partitions: number;
  /** Bytes that may wait for their commit; more is refused as "exhausted". */
  readonly maxPendingBytes: number;
  /** Largest record. */
  readonly maxRecordBytes: number;
  /** An append that has waited so long is rejected as "unavailable", in milliseconds. */
  readonly timeoutMs: number;
}

/** Who waits for an answer: admits within the bounds, gives up after the time, counts. */
export class PendingAppends {
  readonly counts = { appendedRecords: 0, appendedBytes: 0, rejectedRecords: 0, pendingBytes: 0 };
  closed = false;
  readonly #limits: PendingLimits;
  /** Oldest first. */
  readonly #waiting = new Set<Pending>();
  #expiry: NodeJS.Timeout | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(limits: PendingLimits) {
    this.#limits = limits;
  }

  /** Throws TelltaleError when the record is not admitted. */
  admit(partition: number, record: Record): Pending {
    const [bytes, gather] = typeof record === "function" ? [NOTHING, record] : [record, undefined];
    const refusal = this.#refusal(partition, bytes);
    if (refusal) {
      this.counts.rejectedRecords++;
      throw refusal;
    }
    this.counts.pendingBytes += bytes.length;
    const { promise: answer, resolve, reject } = Promise.withResolvers<number>();
    const deadline = performance.now() + this.#limits.timeoutMs;
    const item = { partition, bytes, gather, deadline, answer, settled: false, resolve, reject };
    this.#waiting.add(item);
    this.#armExpiry();
    return item;
  }

  /**
   * Takes from the head of a queue what may go together, without what has been given up. A record that is put together here may bring
   * the next one of its partition into the queue.
   */
  takeBatch(queue: Pending[], maxBytes: number): Pending[] {
    const batch: Pending[] = [];
    let bytes = 0;
    let count = 0;
    for (; count < queue.length; count++) {
      const item = queue[count]!;
      if (!item.settled) this.#putTogether(item);
      if (item.settled) continue;
      bytes += item.bytes.length;
      if (batch.length > 0 && bytes > maxBytes) break;
      batch.push(item);
    }
    queue.splice(0, count);
    return batch;
  }

  #putTogether(item: Pending): void {
    if (item.gather === undefined) return;
    item.bytes = item.gather();
    item.gather = undefined;
    this.counts.pendingBytes += item.bytes.length;
    const refusal = this.#tooLarge(item.bytes);
    if (refusal) this.fail(item, refusal);
  }

  succeed(item: Pending, offset: number): void {
    this.counts.appendedRecords++;
    this.counts.appendedBytes += item.bytes.length;
    if (this.#settle(item)) item.resolve(offset);
  }

  fail(item: Pending, error: Error): void {
    if (!this.#settle(item)) return;
    this.counts.rejectedRecords++;
    item.reject(error);
  }

  /** Admits no more, waits for those that wait, and rejects those that are left after the time. */
  async close(timeoutMs: number): Promise<void> {
    this.closed = true;
    if (this.#waiting.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, timeoutMs);
      this.#whenIdle = resolve;
      await promise;
      clearTimeout(timer);
    }
    for (const item of [...this.#waiting]) this.fail(item, unavailable("the log is closed"));
    clearTimeout(this.#expiry);
  }

  #refusal(partition: number, bytes: Uint8Array): TelltaleError | undefined {
    const { partitions, maxPendingBytes } = this.#limits;
    if (this.closed) return unavailable("the log is closed");
    if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
      return new TelltaleError("internal", `The log has no partition ${partition}, only 0 to ${partitions - 1}.`);
    }
    const tooLarge = this.#tooLarge(bytes);
    if (tooLarge) return tooLarge;
    if (this.counts.pendingBytes + bytes.length > maxPendingBytes) {
      const waiting = `${this.counts.pendingBytes} of ${maxPendingBytes} bytes wait already`;
      return new TelltaleError("exhausted", `The log is behind: ${waiting}.`, { retryAfterMs: 200 });
    }
    return undefined;
  }

  #tooLarge({ length }: Uint8Array): TelltaleError | undefined {
    const { maxRecordBytes } = this.#limits;
    if (length <= maxRecordBytes) return undefined;
    return new TelltaleError(
      "invalid",
      `A record of ${length} bytes is larger than the log takes (${maxRecordBytes}).`,
    );
  }

  #settle(item: Pending): boolean {
    if (item.settled) return false;
    item.settled = true;
    this.counts.pendingBytes -= item.bytes.length;
    this.#waiting.delete(item);
    if (this.#waiting.size === 0) this.#whenIdle?.();
    return true;
  }

  /** One timer for the oldest (all have the same time to wait). */
  #armExpiry(): void {
    const oldest = this.#waiting.values().next().value;
    if (this.#expiry || !oldest) return;
    const waitMs = Math.max(1, oldest.deadline - performance.now());
    this.#expiry = setTimeout(() => {
      this.#expiry = undefined;
      this.#expire();
      this.#armExpiry();
    }, waitMs).unref();
  }

  #expire(): void {
    const now = performance.now();
    for (const item of [...this.#waiting]) {
      if (item.deadline > now) return;
      this.fail(item, unavailable(`no commit within ${this.#limits.timeoutMs} ms`));
    }
  }
}

export function unavailable(why: string, cause?: unknown): TelltaleError {
  return new TelltaleError("unavailable", `The record may not be saved: ${why}.`, { retryAfterMs: 1_000, cause });
}
