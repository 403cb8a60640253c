import type { Kafka } from "kafkajs";

export interface PublishedEvent {
  readonly id: string;
  readonly source: string;
  readonly subject: string;
  readonly sequence: number;
}

/** Everything on a topic of CloudEvents, in the order of its partitions. */
export async function readEvents(kafka: Kafka, topic: string): Promise<PublishedEvent[]> {
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]));
  await admin.disconnect();
  const left = new Set([...ends].filter(([, end]) => end > 0).map(([partition]) => partition));
  const events: PublishedEvent[] = [];
  if (left.size === 0) return events;
  const consumer = kafka.consumer({ groupId: `verify-${process.pid}` });
  const { promise: done, resolve } = Promise.withResolvers<void>();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      const { id, source, subject, sequence } = JSON.parse(message.value!.toString());
      events.push({ id, source, subject, sequence: Number(sequence) });
      if (Number(message.offset) + 1 >= ends.get(partition)!) left.delete(partition);
      if (left.size === 0) resolve();
    },
  });
  await done;
  await consumer.disconnect();
  return events;
}
