import { create, toBinary } from "@bufbuild/protobuf";
import type { Sql } from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type AlertEvent, AlertEventSchema, AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import { openKafka } from "../../server/log/kafka-client.ts";
import { createKafkaReceiver } from "../../server/outbox/kafka.ts";
import { Outbox } from "../../server/outbox/outbox.ts";
import type { Delivery, DeliveryCounts, Receiver } from "../../server/outbox/receiver.ts";
import { migrate } from "../../server/postgres/migrate.ts";
import { openStoreSql } from "../../server/store/postgres.ts";
import { kafkaNeeds, startKafka, type TestKafka } from "../../testing/kafka.ts";
import { testLogger } from "../../testing/logger.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

let postgres: TestPostgres;
let sql: Sql;
let open: Outbox[] = [];
const counts: DeliveryCounts[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  sql = openStoreSql(postgres.url, 4);
  await migrate(sql);
}, 60_000);
beforeEach(async () => {
  await sql`truncate alert_event, outbox_progress, outbox_dropped`;
  await sql`delete from log_partition`;
  await sql`insert into log_partition (partition) values (0), (1)`;
  counts.length = 0;
});
afterEach(async () => {
  await Promise.all(open.map((outbox) => outbox.close()));
  open = [];
});
afterAll(async () => {
  await sql.end();
  await postgres.stop();
});

/** Stores events as a commit does: `sizes` gives the length of each alert's sentence. */
async function store(partition: number, sizes: readonly number[]): Promise<void> {
  for (const size of sizes) {
    const [row] = await sql`update log_partition set next_event = next_event + 1 where partition = ${partition}
      returning next_event - 1 as number`;
    const number = row!.number as number;
    const event = create(AlertEventSchema, {
      id: `${partition}-${number}`,
      partition,
      number: BigInt(number),
      type: AlertEventType.OPENED,
      alert: {
        id: BigInt(number),
        sensorId: `s-${number}`,
        message: "m".repeat(size),
        openedAt: { seconds: 1_800_000_000n, nanos: 0 },
      },
    });
    await sql`insert into alert_event (partition, number, alert_id, event)
      values (${partition}, ${number}, ${number}, ${Buffer.from(toBinary(AlertEventSchema, event))})`;
  }
}

type Answer = (events: readonly AlertEvent[], signal: AbortSignal) => Delivery | Promise<Delivery>;

/** Remembers what it was given; `answer` decides about each portion. */
class Listener implements Receiver {
  readonly heard: string[] = [];
  readonly portions: number[] = [];
  readonly name: string;
  readonly startsAt: "oldest" | "newest";
  readonly answer: Answer;
  constructor(name: string, answer: Answer = () => ({ kind: "ok" }), startsAt: "oldest" | "newest" = "oldest") {
    this.name = name;
    this.answer = answer;
    this.startsAt = startsAt;
  }
  async deliver(events: readonly AlertEvent[], signal: AbortSignal): Promise<Delivery> {
    this.portions.push(events.length);
    const delivery = await this.answer(events, signal);
    const taken = delivery.kind === "ok" ? events.length : delivery.delivered;
    this.heard.push(...events.slice(0, taken).map(({ id }) => id));
    return delivery;
  }
  async close() {}
}

function start(...receivers: Receiver[]): Outbox {
  const outbox = new Outbox({ sql, receivers, logger: testLogger, onPortion: (c) => counts.push(c) });
  open.push(outbox);
  return outbox;
}

const ids = (partition: number, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${partition}-${from + i}`);
const cursor = async (name: string, partition = 0) =>
  (await sql`select next_number from outbox_progress where sink = ${name} and partition = ${partition}`)[0]
    ?.next_number;

describe("the outbox", () => {
  test("gives each receiver every event, a partition's in their order, in portions of at most 500", async () => {
    await store(0, new Array(1201).fill(1));
    await store(1, [1, 1]);
    const [a, b] = [new Listener("a"), new Listener("b")];
    const outbox = start(a, b);
    outbox.committed(0, 1201);
    outbox.committed(1, 2);
    for (const each of [a, b]) {
      await vi.waitFor(() => expect(each.heard).toHaveLength(1203), { timeout: 20_000 });
      expect(each.heard.filter((id) => id.startsWith("0-"))).toEqual(ids(0, 1, 1201));
      expect(each.heard.filter((id) => id.startsWith("1-"))).toEqual(ids(1, 1, 2));
      expect(Math.max(...each.portions)).toBe(500);
    }
    // The short partition did not wait for the long one's backlog.
    expect(a.heard.indexOf("1-2")).toBeLessThan(a.heard.indexOf("0-1201"));
  });

  test("lets a receiver that hangs, and one that always fails, delay no other", async () => {
    const hung = new Listener("hung", (_, signal) => {
      const { promise, reject } = Promise.withResolvers<Delivery>();
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      return promise;
    });
    const broken = new Listener("broken", () => Promise.reject(new Error("out of order")));
    const well = new Listener("well");
    await store(0, [1, 1, 1]);
    start(hung, broken, well).committed(0, 3);
    await vi.waitFor(() => expect(well.heard).toEqual(ids(0, 1, 3)));
    expect(await cursor("well")).toBe(4);
    expect([await cursor("hung"), await cursor("broken")]).toEqual([1, 1]);
  });

  test("tries a partition again after the time that the receiver names, and another partition meanwhile", async () => {
    const after: number[] = [];
    let begun = 0;
    const slow = new Listener("slow", ([first]) => {
      if (first!.partition === 1) return { kind: "ok" };
      after.push(performance.now());
      begun++;
      return begun === 1 ? { kind: "retry", delivered: 1, afterMs: 700, reason: "429" } : { kind: "ok" };
    });
    await store(0, [1, 1, 1]);
    const outbox = start(slow);
    outbox.committed(0, 3);
    await vi.waitFor(() => expect(slow.heard).toEqual(["0-1"]));
    await store(1, [1]);
    outbox.committed(1, 1);
    await vi.waitFor(() => expect(slow.heard).toContain("1-1"));
    expect(slow.heard).not.toContain("0-2");
    await vi.waitFor(() => expect(slow.heard).toEqual(["0-1", "1-1", "0-2", "0-3"]), { timeout: 5000 });
    expect(after[1]! - after[0]!).toBeGreaterThanOrEqual(690);
    expect(counts.filter((c) => c.retried > 0)).toEqual([{ receiver: "slow", delivered: 1, dropped: 0, retried: 2 }]);
  });

  test("skips what a receiver can never take, keeps the reason, and goes on behind it", async () => {
    const choosy = new Listener("choosy", (events) => {
      const bad = events.findIndex(({ number }) => number === 2n);
      return bad < 0 ? { kind: "ok" } : { kind: "drop", delivered: bad, reason: "no such address" };
    });
    await store(0, [1, 1, 1, 1]);
    start(choosy).committed(0, 4);
    await vi.waitFor(() => expect(choosy.heard).toEqual(["0-1", "0-3", "0-4"]));
    const dropped = await sql`select sink, partition, number, alert_id, reason from outbox_dropped`;
    expect([...dropped]).toEqual([{ sink: "choosy", partition: 0, number: 2, alert_id: 2, reason: "no such address" }]);
    expect(await cursor("choosy")).toBe(5);
  });

  test("goes on where each receiver was after the process has ended, and repeats only what was not confirmed", async () => {
    let ill = true;
    const first = [
      new Listener("a"),
      new Listener("b", () => (ill ? Promise.reject(new Error("ill")) : { kind: "ok" })),
    ];
    await store(0, [1, 1]);
    const before = start(...first);
    before.committed(0, 2);
    await vi.waitFor(() => expect(first[0]!.heard).toEqual(ids(0, 1, 2)));
    await before.close();
    ill = false;
    await store(0, [1]);
    const second = [new Listener("a"), new Listener("b")];
    // Nothing new has to happen: the first commit of any kind makes it look.
    start(...second).committed(0, 0);
    await vi.waitFor(() => expect(second.map(({ heard }) => heard)).toEqual([["0-3"], ids(0, 1, 3)]));
  });

  test("lets a new receiver begin at the newest event where it asks for that, and keeps to it", async () => {
    await store(0, [1, 1]);
    const late = new Listener("late", undefined, "newest");
    const outbox = start(late);
    outbox.committed(0, 0);
    await vi.waitFor(async () => expect(await cursor("late")).toBe(3));
    await store(0, [1]);
    outbox.committed(0, 1);
    await vi.waitFor(() => expect(late.heard).toEqual(["0-3"]));
  });

  test("delivers no more of a partition that has another owner", async () => {
    const listener = new Listener("a", () => ({ kind: "retry", delivered: 0, afterMs: 50, reason: "busy" }));
    await store(0, [1]);
    const outbox = start(listener);
    outbox.committed(0, 1);
    await vi.waitFor(() => expect(listener.portions.length).toBeGreaterThan(1));
    outbox.released(0);
    await store(1, [1]);
    const tries = listener.portions.length;
    outbox.committed(1, 1);
    // Tries of the other partition show that time has passed.
    await vi.waitFor(() => expect(listener.portions.length).toBeGreaterThan(tries + 5), { timeout: 5000 });
    expect(await cursor("a", 0)).toBe(1);
    outbox.released(1);
  });

  test("refuses two receivers of one name", () => {
    expect(
      () => new Outbox({ sql, receivers: [new Listener("a"), new Listener("a")], logger: testLogger, onPortion() {} }),
    ).toThrow(/two receivers are named "a"/);
  });
});

describeWith(kafkaNeeds, "Kafka as a receiver of the outbox", () => {
  let kafka: TestKafka;
  beforeAll(async () => {
    kafka = await startKafka(1);
  }, 120_000);
  afterAll(() => kafka.stop(), 30_000);

  test("drops an event that the broker refuses for its size, with the reason, and delivers those around it", async () => {
    const admin = openKafka({ brokers: kafka.brokers }, testLogger).admin();
    await admin.connect();
    await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic: "events", numPartitions: 1, configEntries: [{ name: "max.message.bytes", value: "5000" }] }],
    });
    const receiver = createKafkaReceiver({
      brokers: kafka.brokers,
      anomalyTopic: "anomalies",
      eventsTopic: "events",
      replication: 1,
      logger: testLogger,
    });
    await store(0, [10, 8000, 10]);
    start(receiver).committed(0, 3);
    await vi.waitFor(async () => expect(await cursor("kafka")).toBe(4), { timeout: 30_000 });
    const dropped = await sql`select number, reason from outbox_dropped`;
    expect(dropped.map((r) => r.number)).toEqual([2]);
    expect(dropped[0]!.reason).toMatch(/size/);
    const offsets = await admin.fetchTopicOffsets("events");
    expect(offsets[0]!.high).toBe("2");
    await admin.disconnect();
  }, 60_000);
});
