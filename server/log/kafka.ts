import kafkajs, { type Admin, type Kafka, type Producer } from "kafkajs";
import type { Logger } from "pino";
import { StartupError, TelltaleError } from "../errors.ts";
import { type KafkaAddress, openKafka } from "./kafka-client.ts";
import { KafkaConsumption } from "./kafka-consumption.ts";
import type { LogRange } from "./kafka-feed.ts";
import { KafkaSender } from "./kafka-sender.ts";
import { countPartitions, ensureTopic, type TopicWanted } from "./kafka-topic.ts";
import { type Log, type LogConsumer, type LogStats, type LogSubscription, maxRecordBytes } from "./log.ts";

export interface KafkaLogOptions extends KafkaAddress, Pick<TopicWanted, "topic" | "partitions" | "replication"> {
  readonly logger: Logger;
  /** Processes with the same group share the partitions among them; default "telltale". */
  readonly groupId?: string;
  /** Retention of a topic that is created, in milliseconds; default 7 days. An existing topic keeps its own. */
  readonly retentionMs?: number;
  readonly extraPartitions?: TopicWanted["extraPartitions"];
  readonly compression?: "zstd" | "gzip" | "none";
  /** Shortest time between requests, in milliseconds; default 2. */
  readonly gatherMs?: number;
  /** Bytes of appends that may wait; default 32 MiB. More is refused as "exhausted". */
  readonly maxPendingBytes?: number;
  /** An append without an answer for so long is rejected as "unavailable"; default 30,000 ms. */
  readonly appendTimeoutMs?: number;
}

const MiB = 1024 * 1024;
const weekMs = 7 * 24 * 3_600_000;
/** What a shutdown waits for appends under way. */
const closeTimeoutMs = 10_000;
/** How often the ends of the partitions (for the lag) and their number are looked up. */
const watchMs = 5_000;
const { CompressionTypes, Partitioners } = kafkajs;
const compressions = { zstd: CompressionTypes.ZSTD, gzip: CompressionTypes.GZIP, none: CompressionTypes.None };

/**
 * The log in a Kafka topic. Appends wait for all replicas in sync. `release` does nothing: the topic's retention drops old
 * records, and must be longer than a store is ever behind; a store that asks for records that are gone gets an error, never the rest.
 */
export async function createKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const { logger, retentionMs = weekMs, extraPartitions = "refuse" } = options;
  const kafka = openKafka(options, logger);
  const admin = kafka.admin({ retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8 } });
  // Its own idempotence takes back a sequence number after a failure and can lose what was acknowledged: ours is by content.
  const producer = kafka.producer({
    idempotent: false,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { initialRetryTime: 50, retries: 0 },
  });
  try {
    await admin.connect();
    const maxBatchBytes = await ensureTopic(admin, { ...options, retentionMs, extraPartitions }, logger);
    await producer.connect();
    return new KafkaLog(options, kafka, admin, producer, maxBatchBytes);
  } catch (error) {
    await Promise.all([admin.disconnect(), producer.disconnect()]);
    if (error instanceof StartupError) throw error;
    throw new StartupError(`Kafka at ${options.brokers.join(", ")} does not answer: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

class KafkaLog implements Log {
  readonly partitions: number;
  readonly #options: KafkaLogOptions;
  readonly #kafka: Kafka;
  readonly #admin: Admin;
  readonly #producer: Producer;
  readonly #sender: KafkaSender;
  readonly #watch: NodeJS.Timeout;
  #consumption: KafkaConsumption | undefined;
  #watching: Promise<void> | undefined;
  #ranges: Promise<Map<number, LogRange>> | undefined;
  #partitionsFound: number;

  constructor(options: KafkaLogOptions, kafka: Kafka, admin: Admin, producer: Producer, maxBatchBytes: number) {
    const {
      partitions,
      gatherMs = 2,
      maxPendingBytes = 32 * MiB,
      appendTimeoutMs = 30_000,
      compression = "zstd",
    } = options;
    this.partitions = partitions;
    this.#options = options;
    this.#kafka = kafka;
    this.#admin = admin;
    this.#producer = producer;
    this.#partitionsFound = partitions;
    const limits = {
      partitions,
      maxPendingBytes,
      timeoutMs: appendTimeoutMs,
      maxRecordBytes: Math.min(maxRecordBytes, maxBatchBytes),
    };
    const sending = { topic: options.topic, gatherMs, compression: compressions[compression], maxBatchBytes };
    this.#sender = new KafkaSender(producer, { ...limits, ...sending }, options.logger);
    this.#watch = setInterval(() => this.#look(), watchMs).unref();
  }

  append(partition: number, record: Uint8Array | (() => Uint8Array)): Promise<number> {
    return this.#sender.append(partition, record);
  }

  async consume(consumer: LogConsumer): Promise<LogSubscription> {
    if (this.#consumption) throw new TelltaleError("conflict", "This process consumes the log already.");
    const { topic, partitions, groupId = "telltale", logger } = this.#options;
    const range = (partition: number) => this.#range(partition);
    const consumption = new KafkaConsumption(
      { kafka: this.#kafka, topic, partitions, groupId, logger, range },
      consumer,
    );
    this.#consumption = consumption;
    await consumption.start();
    return {
      restart: (partition) => consumption.restart(partition),
      close: () => this.#stopConsumption(),
    };
  }

  release(_partition: number, _offset: number): void {}

  async ping(timeoutMs: number): Promise<void> {
    const stalled = [...(this.#consumption?.deliveries.values() ?? [])].find(({ failure }) => failure)?.failure;
    if (stalled) throw new TelltaleError("unavailable", `The log stands still: ${stalled.message}`, { cause: stalled });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new TelltaleError("unavailable", `No answer in ${timeoutMs} ms.`)),
      timeoutMs,
    );
    try {
      await Promise.race([this.#admin.describeCluster(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  stats(): LogStats {
    const lag = this.#consumption?.lag(this.#sender.ends) ?? new Map();
    return { ...this.#sender.pending.counts, lag };
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    await this.#sender.pending.close(closeTimeoutMs);
    await this.#stopConsumption();
    await this.#watching;
    await Promise.all([this.#producer.disconnect(), this.#admin.disconnect()]);
  }

  async #stopConsumption(): Promise<void> {
    await this.#consumption?.close();
    this.#consumption = undefined;
  }

  async #range(partition: number): Promise<LogRange> {
    // Partitions that are taken over together ask once.
    this.#ranges ??= this.#lookUpRanges().finally(() => {
      this.#ranges = undefined;
    });
    const range = (await this.#ranges).get(partition);
    if (range !== undefined) return range;
    throw new TelltaleError(
      "unavailable",
      `The topic ${this.#options.topic} does not show its partition ${partition}.`,
    );
  }

  async #lookUpRanges(): Promise<Map<number, LogRange>> {
    const ranges = new Map<number, LogRange>();
    for (const { partition, low, high } of await this.#admin.fetchTopicOffsets(this.#options.topic)) {
      if (partition >= this.partitions) continue;
      ranges.set(partition, { first: Number(low), next: Number(high) });
      this.#sender.ends[partition] = Math.max(this.#sender.ends[partition]!, Number(high));
    }
    return ranges;
  }

  #look(): void {
    this.#watching ??= this.#lookOnce()
      .catch((error: unknown) => this.#options.logger.debug({ err: error }, "the topic could not be looked at"))
      .finally(() => {
        this.#watching = undefined;
      });
  }

  async #lookOnce(): Promise<void> {
    const { topic, logger } = this.#options;
    await this.#lookUpRanges();
    const found = await countPartitions(this.#admin, topic);
    if (found === this.#partitionsFound) return;
    this.#partitionsFound = found;
    // Records name their partition, so no sensor moves: the new ones stay empty and unread.
    logger.error(
      { topic, found, used: this.partitions },
      "the number of the topic's partitions has changed: the old number is kept",
    );
  }
}
