import { setTimeout as sleep } from "node:timers/promises";
import type { Producer } from "kafkajs";
import type { Logger } from "pino";
import { TelltaleError } from "../errors.ts";
import { requestTimeoutMs } from "./kafka-client.ts";
import type { Log } from "./log.ts";
import { type Pending, PendingAppends, type PendingLimits } from "./pending.ts";

export interface SenderOptions extends PendingLimits {
  readonly topic: string;
  /** Shortest time between requests, in milliseconds: what arrives meanwhile shares one. */
  readonly gatherMs: number;
  /** As kafkajs numbers them. */
  readonly compression: number;
  /** Largest batch for one partition, in bytes. */
  readonly maxBatchBytes: number;
}

type Batches = ReadonlyMap<number, readonly Pending[]>;

/** Between attempts for a partition that fails; doubles up to the second. */
const retryMs = { first: 50, most: 1_000 };

/**
 * Sends what waits, all partitions in one request, but never a partition's next records before the answer to its last: so
 * records stay in order, and a resend has nothing to overtake. A request that fails is repeated partition by partition, the
 * same bytes each time, until the records have waited too long: one leader that is gone does not delay the others.
 */
export class KafkaSender {
  readonly pending: PendingAppends;
  readonly #producer: Producer;
  readonly #options: SenderOptions;
  readonly #logger: Logger;
  readonly #queues: Pending[][];
  readonly #busy = new Set<number>();
  /** Highest offset known to be taken, for each partition. */
  readonly ends: number[];
  #scheduled = false;
  #lastDispatchAt = 0;

  constructor(producer: Producer, options: SenderOptions, logger: Logger) {
    this.pending = new PendingAppends(options);
    this.#producer = producer;
    this.#options = options;
    this.#logger = logger;
    this.#queues = Array.from({ length: options.partitions }, () => []);
    this.ends = new Array<number>(options.partitions).fill(0);
  }

  async append(...[partition, record]: Parameters<Log["append"]>): Promise<number> {
    const item = this.pending.admit(partition, record);
    this.#queues[partition]!.push(item);
    this.#schedule();
    return await item.answer;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const waitMs = this.#lastDispatchAt + this.#options.gatherMs - performance.now();
    if (waitMs > 0.5 && !this.pending.closed) setTimeout(() => this.#dispatch(), waitMs);
    else setImmediate(() => this.#dispatch()); // what this turn of the loop appends goes along
  }

  #dispatch(): void {
    this.#scheduled = false;
    const batches = new Map<number, Pending[]>();
    for (const [partition, queue] of this.#queues.entries()) {
      if (queue.length === 0 || this.#busy.has(partition)) continue;
      const batch = this.pending.takeBatch(queue, this.#options.maxBatchBytes);
      if (batch.length > 0) batches.set(partition, batch);
    }
    if (batches.size === 0) return;
    this.#lastDispatchAt = performance.now();
    for (const partition of batches.keys()) this.#busy.add(partition);
    void this.#deliver(batches);
  }

  async #deliver(batches: Batches): Promise<void> {
    try {
      await this.#send(batches);
    } catch (error) {
      this.#logger.warn({ err: error, partitions: [...batches.keys()] }, "sending to Kafka failed: retrying");
      await Promise.all([...batches].map(([partition, batch]) => this.#resend(partition, batch, error)));
    }
    for (const partition of batches.keys()) this.#busy.delete(partition);
    if (this.#queues.some((queue) => queue.length > 0)) this.#schedule();
  }

  async #resend(partition: number, batch: readonly Pending[], failure: unknown): Promise<void> {
    for (let delayMs = retryMs.first, error = failure; ; delayMs = Math.min(delayMs * 2, retryMs.most)) {
      if (isTooLarge(error) && batch.length > 1) {
        for (const item of batch) await this.#resend(partition, [item], undefined);
        return;
      }
      if (isTooLarge(error)) {
        const { length } = batch[0]!.bytes;
        this.pending.fail(
          batch[0]!,
          new TelltaleError("invalid", `Kafka refuses a record of ${length} bytes as too large.`),
        );
      }
      if (batch.every(({ settled }) => settled)) return;
      if (error !== undefined) await sleep(delayMs);
      try {
        await this.#send(new Map([[partition, batch]]));
        return;
      } catch (again) {
        error = again;
        this.#logger.warn({ err: again, partition, delayMs }, "sending to Kafka failed again");
      }
    }
  }

  async #send(batches: Batches): Promise<void> {
    const messages = [...batches].flatMap(([partition, batch]) =>
      batch.map(({ bytes }) => ({ partition, value: asBuffer(bytes), key: null })),
    );
    const { topic, compression } = this.#options;
    const results = await this.#producer.send({ topic, acks: -1, timeout: requestTimeoutMs, compression, messages });
    for (const { partition, baseOffset } of results) {
      const batch = batches.get(partition) ?? [];
      const first = Number(baseOffset);
      this.ends[partition] = Math.max(this.ends[partition]!, first + batch.length);
      for (const [index, item] of batch.entries()) this.pending.succeed(item, first + index);
    }
  }
}

/** The library writes any other array of bytes as text. */
function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function isTooLarge(error: unknown): boolean {
  const { type, cause } = (error ?? {}) as { type?: string; cause?: unknown };
  return type === "MESSAGE_TOO_LARGE" || (cause !== undefined && isTooLarge(cause));
}
