import { setTimeout as sleep } from "node:timers/promises";
import type { Batch, Consumer, ConsumerGroupJoinEvent, EachBatchPayload, Kafka } from "kafkajs";
import type { Logger } from "pino";
import { TelltaleError } from "../errors.ts";
import { Delivery } from "./delivery.ts";
import { type StickyAssigner, stickyAssigner } from "./kafka-assigner.ts";
import { Feed, type LogRange } from "./kafka-feed.ts";
import type { LogConsumer, LogEntry } from "./log.ts";

export interface ConsumptionOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly partitions: number;
  readonly groupId: string;
  readonly logger: Logger;
  /** What the partition holds at present. */
  readonly range: (partition: number) => Promise<LogRange>;
}

/**
 * The smallest that brokers allow by default: how long a dead process keeps its partitions, in milliseconds. A process that is busy
 * for as long without a pause, for instance with its start, loses them as well.
 */
const sessionTimeoutMs = 6_000;
/** An answer to it is how a member hears that others came or went. */
const heartbeatMs = 500;
/** How long a fetch waits for news. Short, because a partition that was paused joins only the next fetch. */
const maxWaitMs = 50;
const MiB = 1024 * 1024;
/** Bytes handed to the consumer at once, unless one record alone is larger. */
const deliverBytes = MiB;
/** Between attempts to start the library's consumer again; doubles up to the second. */
const restartMs = { first: 200, most: 2_000 };
/** What leaving the group may take at the end. */
const leaveTimeoutMs = 5_000;

/**
 * Reads this process's share of the topic. The group only says which partitions are ours; where to read each, the store says:
 * all partitions are paused when the group was joined, and each is resumed at the offset that the consumer names. The library's
 * own idea of where it reads is checked with each batch.
 */
export class KafkaConsumption {
  readonly deliveries = new Map<number, Delivery>();
  readonly #feeds = new Map<number, Feed>();
  readonly #closing = new Map<number, Promise<void>>();
  readonly #options: ConsumptionOptions;
  readonly #to: LogConsumer;
  readonly #stop = new AbortController();
  readonly #assigner: StickyAssigner;
  readonly #beat: NodeJS.Timeout;
  #library: Consumer | undefined;
  #restarting: Promise<void> | undefined;
  #joined = false;
  #crashed = false;

  constructor(options: ConsumptionOptions, to: LogConsumer) {
    this.#options = options;
    this.#to = to;
    this.#assigner = stickyAssigner(options.topic, options.partitions, () => [...this.#feeds.keys()]);
    this.#beat = setInterval(() => this.#sayAlive(), heartbeatMs).unref();
  }

  async start(): Promise<void> {
    const { kafka, topic, partitions, groupId } = this.#options;
    const library = kafka.consumer({
      groupId,
      partitionAssigners: [() => this.#assigner],
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatMs,
      metadataMaxAge: 60_000,
      maxBytesPerPartition: MiB,
      maxBytes: 4 * MiB, // unpacked without interruption
      maxWaitTimeInMs: maxWaitMs,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 30, restartOnFailure: async () => false },
    });
    this.#library = library;
    this.#crashed = false;
    library.on(library.events.GROUP_JOIN, (event) => this.#onJoin(event));
    library.on(library.events.CRASH, ({ payload }) => this.#onCrash(payload.error));
    await library.connect();
    await library.subscribe({ topic, fromBeginning: true });
    await library.run({
      autoCommit: false,
      partitionsConsumedConcurrently: partitions,
      eachBatch: async (payload) => this.#onBatch(payload),
    });
  }

  restart(partition: number): void {
    this.deliveries.get(partition)?.restart();
  }

  /** Records that were not taken yet, for each partition that is ours. */
  lag(ends: readonly number[]): Map<number, number> {
    const lag = new Map<number, number>();
    for (const [partition, { cursor }] of this.deliveries) {
      const end = Math.max(ends[partition]!, this.#feeds.get(partition)?.end ?? 0);
      lag.set(partition, Math.max(0, end - cursor));
    }
    return lag;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#beat);
    await this.#restarting;
    for (const partition of [...this.deliveries.keys()]) this.#giveUp(partition);
    await Promise.all(this.#closing.values());
    const timeout = sleep(leaveTimeoutMs, undefined, { ref: false });
    await Promise.race([this.#library?.disconnect(), timeout]);
  }

  /** Beside the library's own: unpacking what was fetched from a long backlog may take it past the session on a busy machine. */
  #sayAlive(): void {
    if (!this.#joined) return;
    this.#assigner.heartbeat?.(heartbeatMs).catch((error: unknown) => {
      // The library asks the same after its fetch, and joins again if it must.
      this.#options.logger.debug({ err: error }, "the group has changed");
    });
  }

  /** The partitions are ours or others' from now on; called before anything is fetched. */
  #onJoin({ payload }: ConsumerGroupJoinEvent): void {
    this.#joined = true;
    this.#assigner.memberId = payload.memberId;
    if (this.#stop.signal.aborted) return;
    const ours = new Set(payload.memberAssignment[this.#options.topic] ?? []);
    for (const partition of [...this.#feeds.keys()]) if (!ours.has(partition)) this.#giveUp(partition);
    for (const partition of ours) {
      const feed = this.#feeds.get(partition);
      if (feed) this.#place(partition, feed);
      else this.#takeOver(partition);
    }
    this.#options.logger.info({ partitions: [...ours], member: payload.memberId }, "joined the group of consumers");
  }

  #takeOver(partition: number): void {
    const feed = new Feed();
    this.#feeds.set(partition, feed);
    this.#place(partition, feed);
    const before = this.#closing.get(partition) ?? Promise.resolve();
    const begin = () => {
      if (this.#feeds.get(partition) !== feed) return; // given up again meanwhile
      const source = {
        oldest: (each: number) => this.#oldest(each, feed),
        read: (each: number, from: number) => this.#read(each, feed, from),
      };
      this.deliveries.set(partition, new Delivery(partition, source, this.#to, this.#options.logger));
    };
    if (this.#closing.has(partition)) void before.then(begin);
    else begin();
  }

  #giveUp(partition: number): void {
    this.#feeds.delete(partition);
    const delivery = this.deliveries.get(partition);
    if (!delivery) return;
    this.deliveries.delete(partition);
    const closing = delivery.close().then(() => {
      if (this.#closing.get(partition) === closing) this.#closing.delete(partition);
    });
    this.#closing.set(partition, closing);
  }

  /** Tells the library where the partition stands; after each join it has forgotten. */
  #place(partition: number, feed: Feed): void {
    if (!this.#joined || !this.#library) return;
    const { topic } = this.#options;
    const place = [{ topic, partitions: [partition] }];
    if (feed.state === "open") {
      this.#library.seek({ topic, partition, offset: String(feed.fetchFrom) });
      this.#library.resume(place);
    } else {
      this.#library.pause(place);
    }
  }

  async #oldest(partition: number, feed: Feed): Promise<number> {
    feed.range = await this.#options.range(partition);
    return feed.range.first;
  }

  async #read(partition: number, feed: Feed, from: number): Promise<readonly LogEntry[]> {
    if (feed.state === "new" || feed.next !== from) {
      this.#checkOffset(partition, from, feed.range ?? (await this.#options.range(partition)));
      feed.range = undefined;
      feed.startAt(from);
      this.#place(partition, feed);
      return [];
    }
    const wasFull = feed.state === "full";
    const entries = feed.take(deliverBytes);
    if (wasFull && feed.state === "open") this.#place(partition, feed);
    return entries;
  }

  #checkOffset(partition: number, offset: number, { first, next }: LogRange): void {
    if (offset >= first && offset <= next) return;
    throw new TelltaleError(
      "conflict",
      `The store wants partition ${partition} of the log from offset ${offset} on, but the topic ${this.#options.topic} has ` +
        `${first} to ${next - 1}: store and log are not of the same age, or records outlived the topic's retention.`,
    );
  }

  #onBatch({ batch, isStale }: EachBatchPayload): void {
    const { partition } = batch;
    const feed = this.#feeds.get(partition);
    if (!feed || feed.state === "new" || isStale()) return;
    // Not in the library's types: the offset that this batch was asked with.
    const fetchedFrom = Number((batch as Batch & { fetchedOffset: string }).fetchedOffset);
    if (fetchedFrom !== feed.fetchFrom) {
      this.#options.logger.warn(
        { partition, fetchedFrom, wanted: feed.fetchFrom },
        "read in the wrong place: going back",
      );
      this.#place(partition, feed);
      return;
    }
    const entries = batch.messages.map(({ offset, value }) => ({
      offset: Number(offset),
      bytes: value ?? new Uint8Array(),
    }));
    feed.push(entries, Number(batch.highWatermark));
    if (feed.state === "full") this.#place(partition, feed);
    this.deliveries.get(partition)?.wake();
  }

  #onCrash(error: Error): void {
    this.#joined = false;
    this.#crashed = true;
    if (this.#stop.signal.aborted) return;
    this.#options.logger.warn({ err: error }, "the Kafka consumer stopped: starting it again");
    this.#restarting ??= this.#startAgain().finally(() => {
      this.#restarting = undefined;
    });
  }

  async #startAgain(): Promise<void> {
    for (let delayMs = restartMs.first; !this.#stop.signal.aborted; delayMs = Math.min(delayMs * 2, restartMs.most)) {
      await sleep(delayMs, undefined, { signal: this.#stop.signal }).catch(() => undefined); // closing ends the wait
      if (this.#stop.signal.aborted) return;
      try {
        await this.start();
        if (!this.#crashed) return; // it tells of a failed start by crashing, not by rejecting
      } catch (error) {
        this.#options.logger.warn({ err: error }, "the Kafka consumer cannot start");
      }
    }
  }
}
