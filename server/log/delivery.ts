import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { LogConsumer, LogEntry } from "./log.ts";

/** Where the records of one partition come from. */
export interface Source {
  /** Offset of the first record that can be read, or of the next one to come where there is none. */
  oldest(partition: number): Promise<number>;
  /** Records from the offset on, oldest first; an empty list when there are none yet. */
  read(partition: number, from: number): Promise<readonly LogEntry[]>;
}

/** Between a failure of the consumer or of reading and the next attempt; doubles up to the second. */
const retryMs = { first: 100, most: 5_000 };

/**
 * Delivers one partition: asks the consumer where to begin, hands it what is there, waits for more. Whatever fails, it begins
 * again from `assigned`.
 */
export class Delivery {
  readonly done: Promise<void>;
  /** Why nothing is delivered at present. */
  failure: Error | undefined;
  /** Offset of the next record to hand out. */
  cursor = 0;
  readonly #partition: number;
  readonly #source: Source;
  readonly #consumer: LogConsumer;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  #restart = false;
  #woken = false;
  #wake: () => void = () => {};

  constructor(partition: number, source: Source, consumer: LogConsumer, logger: Logger) {
    this.#partition = partition;
    this.#source = source;
    this.#consumer = consumer;
    this.#logger = logger;
    this.done = this.#run();
  }

  /** There may be more to read. */
  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  restart(): void {
    this.#restart = true;
    this.wake();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.wake();
    await this.done;
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #run(): Promise<void> {
    let delayMs = retryMs.first;
    while (!this.#closed) {
      try {
        await this.#deliver(() => {
          delayMs = retryMs.first;
          this.failure = undefined;
        });
      } catch (error) {
        this.failure = error as Error;
        this.#logger.warn({ err: error, partition: this.#partition, retryMs: delayMs }, "delivery of the log failed");
        await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => undefined); // closing ends the wait
        delayMs = Math.min(delayMs * 2, retryMs.most);
      }
    }
    await this.#consumer.revoked(this.#partition).catch((error: unknown) => {
      this.#logger.warn({ err: error, partition: this.#partition }, "giving up a partition failed");
    });
  }

  async #deliver(progress: () => void): Promise<void> {
    this.#restart = false;
    const oldest = await this.#source.oldest(this.#partition);
    this.cursor = await this.#consumer.assigned(this.#partition, oldest);
    while (!this.#closed && !this.#restart) {
      this.#woken = false;
      const entries = await this.#source.read(this.#partition, this.cursor);
      if (this.#closed || this.#restart) return;
      progress();
      if (entries.length === 0) {
        await this.#sleepUntilWoken();
        continue;
      }
      await this.#consumer.records(this.#partition, entries);
      this.cursor = entries.at(-1)!.offset + 1;
    }
  }

  #sleepUntilWoken(): Promise<void> {
    if (this.#woken) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
