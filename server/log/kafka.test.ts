import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { Collector } from "../../testing/collector.ts";
import { kafkaNeeds, startKafka, type TestKafka } from "../../testing/kafka.ts";
import { testLogger } from "../../testing/logger.ts";
import { describeWith } from "../../testing/needs.ts";
import { StartupError } from "../errors.ts";
import { createKafkaLog, type KafkaLogOptions } from "./kafka.ts";
import { openKafka } from "./kafka-client.ts";
import { onceKnown } from "./kafka-topic.ts";
import type { Log } from "./log.ts";

const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `r${from + i}`);

describeWith(kafkaNeeds, "the Kafka log's own promises", () => {
  let kafka: TestKafka;
  let logs: Log[] = [];
  let topics = 0;

  beforeAll(async () => {
    kafka = await startKafka(2);
  }, 120_000);
  afterEach(async () => {
    await Promise.all(logs.map((log) => log.close()));
    logs = [];
  }, 30_000);
  afterAll(() => kafka.stop(), 30_000);

  const newTopic = () => `own-${++topics}`;
  const open = async (topic: string, more: Partial<KafkaLogOptions> = {}) => {
    const { brokers } = kafka;
    const options = { brokers, topic, groupId: topic, partitions: 4, replication: 2, logger: testLogger };
    const log = await createKafkaLog({ ...options, ...more });
    logs.push(log);
    return log;
  };
  const admin = async <T>(work: (admin: ReturnType<ReturnType<typeof openKafka>["admin"]>) => Promise<T>) => {
    const client = openKafka({ brokers: kafka.brokers }, testLogger).admin();
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.disconnect();
    }
  };
  /** Two consumers that keep their offsets in one place, as two processes with one store do. */
  const shareStore = (...consumers: Collector[]) => {
    const store = new Map<number, number>();
    for (const consumer of consumers) {
      const assigned = consumer.assigned.bind(consumer);
      consumer.assigned = async (partition, oldest) => {
        await assigned(partition, oldest);
        return store.get(partition) ?? 0;
      };
      consumer.before = async (partition, entries) => {
        if (entries[0]!.offset !== (store.get(partition) ?? 0)) throw new Error("another one has committed this");
        store.set(partition, entries.at(-1)!.offset + 1);
      };
    }
    return store;
  };

  it("creates a missing topic as asked, and keeps a topic that is there", async () => {
    const topic = newTopic();
    await open(topic, { retentionMs: 3_600_000 });
    await open(topic);
    const { topics: found } = await admin((client) => onceKnown(() => client.fetchTopicMetadata({ topics: [topic] })));
    expect(found[0]!.partitions.map(({ replicas }) => replicas.length)).toEqual([2, 2, 2, 2]);
  });

  it("says in one sentence why a topic cannot be created, or that nobody answers", async () => {
    const refused = open(newTopic(), { replication: 3 });
    await expect(refused).rejects.toThrow(StartupError);
    await expect(refused).rejects.toThrow(/missing and cannot be created with 4 partitions on 3 brokers/);
  });

  it("goes on with the old number when a topic grows under it, and refuses to start on it unless told to", async () => {
    const topic = newTopic();
    const log = await open(topic);
    const consumer = new Collector();
    await log.consume(consumer);
    await log.append(3, Buffer.from("before"));
    await admin((client) => client.createPartitions({ topicPartitions: [{ topic, count: 6 }] }));
    await log.append(3, Buffer.from("after"));
    await consumer.until(() => consumer.of(3).length >= 2);
    expect(consumer.texts(3)).toEqual(["before", "after"]);
    await log.close();
    await expect(open(topic)).rejects.toThrow(/has 6 partitions, but 4 are asked for/);
    const again = await open(topic, { extraPartitions: "ignore" });
    await again.append(3, Buffer.from("later"));
    const next = new Collector();
    await again.consume(next);
    await next.until(() => next.of(3).length >= 3);
    expect(new Set(next.assignments)).toEqual(new Set([0, 1, 2, 3]));
  });

  it("shares the partitions with a second process and takes them back, each record taken once", async () => {
    const topic = newTopic();
    const first = await open(topic);
    const second = await open(topic);
    const [one, two] = [new Collector(), new Collector()];
    const store = shareStore(one, two);
    await first.consume(one);
    for (const record of range(40)) await first.append(Number(record.slice(1)) % 4, Buffer.from(record));
    await one.until(() => sum(store) >= 40);
    const subscription = await second.consume(two);
    await vi.waitFor(() => expect(two.assignments.length).toBe(2), { timeout: 20_000 });
    for (const record of range(40, 40)) await first.append(Number(record.slice(1)) % 4, Buffer.from(record));
    await vi.waitFor(() => expect(sum(store)).toBe(80), { timeout: 20_000 });
    expect(one.revocations.length).toBe(2);
    await subscription.close();
    for (const record of range(40, 80)) await first.append(Number(record.slice(1)) % 4, Buffer.from(record));
    await vi.waitFor(() => expect(sum(store)).toBe(120), { timeout: 20_000 });
    const all = [0, 1, 2, 3].flatMap((partition) => [...one.texts(partition), ...two.texts(partition)]);
    expect(all.length).toBe(120);
    expect(new Set(all)).toEqual(new Set(range(120)));
  });

  it("goes on when the leaders of its partitions move, with every acknowledged record in order", async () => {
    const log = await open(newTopic());
    const consumer = new Collector();
    await log.consume(consumer);
    const leaving = kafka.nodes[1]!;
    const appends = [0, 1, 2, 3].map(async (partition) => {
      for (const record of range(150)) await log.append(partition, Buffer.from(record));
    });
    await consumer.until(() => consumer.of(0).length >= 20);
    await leaving.kill();
    await Promise.all(appends);
    await consumer.until(() => [0, 1, 2, 3].every((each) => new Set(consumer.texts(each)).size === 150));
    for (const partition of [0, 1, 2, 3]) expect([...new Set(consumer.texts(partition))]).toEqual(range(150));
    await leaving.start();
  });

  it("says from where on it has records, and refuses a store whose records have passed the topic's retention", async () => {
    const topic = newTopic();
    const log = await open(topic);
    for (const record of range(5)) await log.append(0, Buffer.from(record));
    await admin(async (client) => {
      await onceKnown(() => client.fetchTopicOffsets(topic)); // the library deletes only in topics that it has looked at
      await client.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "3" }] });
    });
    const consumer = new Collector();
    await log.consume(consumer);
    await vi.waitFor(
      () => expect(log.ping(2_000)).rejects.toThrow(/partition 0 .* from offset 0 on, but .* has 3 to 4/),
      {
        timeout: 10_000,
      },
    );
    expect(consumer.of(0)).toEqual([]);
    consumer.from.set(0, 3);
    await consumer.until(() => consumer.of(0).length >= 2);
    expect(consumer.texts(0)).toEqual(["r3", "r4"]);
    expect([...consumer.oldest].sort()).toEqual([
      [0, 3],
      [1, 0],
      [2, 0],
      [3, 0],
    ]);
  });

  it("reads what every compression wrote", async () => {
    const topic = newTopic();
    const record = Buffer.from("temperature 21.5; ".repeat(2_000));
    for (const compression of ["none", "gzip", "zstd"] as const) {
      await (await open(topic, { compression })).append(0, record);
    }
    const consumer = new Collector();
    await logs[0]!.consume(consumer);
    await consumer.until(() => consumer.of(0).length >= 3);
    expect(consumer.of(0).every(({ bytes }) => record.equals(bytes))).toBe(true);
  });
});

function sum(store: ReadonlyMap<number, number>): number {
  return [...store.values()].reduce((total, next) => total + next, 0);
}
