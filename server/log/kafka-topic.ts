import { setTimeout as delay } from "node:timers/promises";
import kafkajs, { type Admin } from "kafkajs";
import type { Logger } from "pino";
import { StartupError } from "../errors.ts";
import { maxRecordBytes } from "./log.ts";

export interface TopicWanted {
  readonly topic: string;
  readonly partitions: number;
  readonly replication: number;
  /** How long records are kept, in milliseconds; must outlast the longest time that a store may be behind. */
  readonly retentionMs: number;
  /**
   * A topic with more partitions than asked for: refused, because a configuration that has shrunk would move sensors to other
   * partitions; "ignore" goes on with the number asked for when it is the topic that has grown.
   */
  readonly extraPartitions: "refuse" | "ignore";
}

/**
 * Every broker learns of a new topic and of its leaders by itself; one that has not yet done so says that there is none, which kafkajs
 * takes as final.
 */
const NOT_YET = new Set(["UNKNOWN_TOPIC_OR_PARTITION", "LEADER_NOT_AVAILABLE"]);
const KNOWN_MS = 15_000;
const ASK_AGAIN_MS = 100;

/** What `ask` answers, once the broker that it asks knows the topic. */
export async function onceKnown<T>(ask: () => Promise<T>): Promise<T> {
  const until = performance.now() + KNOWN_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const { type = "" } = error as { type?: string };
      if (!NOT_YET.has(type) || performance.now() > until) throw error;
    }
    await delay(ASK_AGAIN_MS);
  }
}

/** What Kafka adds to a batch of records: headers of the batch and of each record, generously. */
const batchOverheadBytes = 64 * 1024;

/** Makes the topic if it is missing, and refuses one that does not fit. Resolves with the largest batch that it takes, in bytes. */
export async function ensureTopic(admin: Admin, wanted: TopicWanted, logger: Logger): Promise<number> {
  if (!(await admin.listTopics()).includes(wanted.topic)) await createTopic(admin, wanted, logger);
  const partitions = await onceKnown(() => countPartitions(admin, wanted.topic));
  checkPartitions(wanted, partitions, logger);
  return await onceKnown(() => largestBatch(admin, wanted.topic));
}

export async function countPartitions(admin: Admin, topic: string): Promise<number> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0]?.partitions.length ?? 0;
}

async function createTopic(admin: Admin, wanted: TopicWanted, logger: Logger): Promise<void> {
  const { topic, partitions, replication, retentionMs } = wanted;
  const configEntries = Object.entries({
    "cleanup.policy": "delete",
    "retention.ms": retentionMs,
    "retention.bytes": -1,
    "max.message.bytes": maxRecordBytes + batchOverheadBytes,
    "min.insync.replicas": Math.max(1, replication - 1),
    "unclean.leader.election.enable": "false",
  }).map(([name, value]) => ({ name, value: String(value) }));
  try {
    const topics = [{ topic, numPartitions: partitions, replicationFactor: replication, configEntries }];
    // The library's own wait ends with the first broker that does not know the topic yet: who asks next waits for the leaders.
    const made = await admin.createTopics({ topics, waitForLeaders: false });
    logger.info({ topic, partitions, replication, made }, made ? "topic created" : "another process created the topic");
  } catch (error) {
    throw new StartupError(
      `The Kafka topic ${topic} is missing and cannot be created with ${partitions} partitions on ${replication} brokers: ` +
        `${reasons(error)}. Create it by hand, or change what is asked for.`,
      { cause: error },
    );
  }
}

function checkPartitions({ topic, partitions, extraPartitions }: TopicWanted, found: number, logger: Logger): void {
  if (found === partitions) return;
  if (found > partitions && extraPartitions === "ignore") {
    logger.warn({ topic, found, used: partitions }, "the topic has more partitions than are used");
    return;
  }
  throw new StartupError(
    `The Kafka topic ${topic} has ${found} partitions, but ${partitions} are asked for. The number is fixed for the life of an ` +
      `installation, or sensors would change their partition and lose their order: a new installation may ask for ${found} ` +
      `(KAFKA_PARTITIONS), or use a new topic (KAFKA_SENSOR_TOPIC).`,
  );
}

async function largestBatch(admin: Admin, topic: string): Promise<number> {
  const name = "max.message.bytes";
  const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: [name] }];
  const described = await admin.describeConfigs({ resources, includeSynonyms: false });
  const value = described.resources[0]?.configEntries.find(({ configName }) => configName === name)?.configValue;
  return Number(value ?? 1_048_588) - batchOverheadBytes; // the broker's default where it may not be asked
}

/** createTopics hides what happened in a list. */
function reasons(error: unknown): string {
  const { message, errors } = error as Error & { errors?: Error[] };
  return errors?.map((each) => each.message).join("; ") ?? message;
}
