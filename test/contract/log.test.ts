import { createHash, randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { StartupError, type TelltaleError } from "../../server/errors.ts";
import { createEmbeddedLog, type EmbeddedLogOptions } from "../../server/log/embedded.ts";
import { createKafkaLog } from "../../server/log/kafka.ts";
import type { Log } from "../../server/log/log.ts";
import { openClient } from "../../server/postgres/connection.ts";
import { Collector } from "../../testing/collector.ts";
import { kafkaNeeds, startKafka, type TestKafka } from "../../testing/kafka.ts";
import { testLogger } from "../../testing/logger.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

type Limits = Partial<Pick<EmbeddedLogOptions, "partitions" | "maxPendingBytes" | "appendTimeoutMs" | "tailBytes">>;

/** One of the logs with a real server behind it. */
interface Subject {
  readonly name: string;
  /** Programs that must be installed. */
  readonly needs: readonly string[];
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Opens the log of an installation (a database or a topic of this name). */
  open(installation: string, limits?: Limits): Promise<Log>;
  readonly server: { kill(): Promise<void>; start(): Promise<void>; pause(): void; resume(): void };
}

let postgres: TestPostgres;

const embedded: Subject = {
  name: "embedded",
  needs: [],
  start: async () => {
    postgres = await startPostgres();
  },
  stop: () => postgres.stop(),
  open: async (installation, limits = {}) => {
    const sql = await database(installation);
    return await createEmbeddedLog({ sql, partitions: 3, logger: testLogger, ...limits });
  },
  get server() {
    return postgres;
  },
};

let broker: TestKafka;

const kafka: Subject = {
  name: "Kafka",
  needs: kafkaNeeds,
  start: async () => {
    broker = await startKafka();
  },
  stop: () => broker.stop(),
  open: (installation, limits = {}) =>
    createKafkaLog({
      brokers: broker.brokers,
      topic: installation,
      groupId: installation,
      partitions: 3,
      replication: 1,
      logger: testLogger,
      ...limits,
    }),
  get server() {
    return broker.nodes[0]!;
  },
};

const databases = new Set<string>();

async function database(name: string): Promise<string> {
  if (!databases.has(name)) {
    const client = openClient(postgres.url, { max: 1 });
    await client.sql.unsafe(`create database ${name}`);
    await client.sql.end();
    databases.add(name);
  }
  return postgres.url.replace(/postgres$/, name);
}

/** Plain arrays of bytes, as the encoder makes them: Buffer is not the same to every library. */
const text = (value: string) => Uint8Array.from(Buffer.from(value));
const range = (count: number, prefix = "r") => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
let installations = 0;
const newInstallation = () => `log_${process.pid}_${++installations}`;

for (const subject of [embedded, kafka])
  describeWith(subject.needs, `the ${subject.name} log`, () => {
    const opened: Log[] = [];
    const open = async (installation: string, limits?: Limits) => {
      const log = await subject.open(installation, limits);
      opened.push(log);
      return log;
    };

    beforeAll(() => subject.start(), 120_000);
    afterAll(() => subject.stop(), 60_000);
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((log) => log.close()));
    }, 60_000);

    it("delivers what was appended, in order, each partition by itself, before and after consume", async () => {
      const log = await open(newInstallation());
      for (const record of range(20, "early")) await log.append(1, text(record));
      const consumer = new Collector();
      await log.consume(consumer);
      await Promise.all(range(20, "late").map((record) => log.append(1, text(record))));
      await log.append(2, text("other"));
      await consumer.until(() => consumer.of(1).length >= 40 && consumer.of(2).length >= 1);
      expect(consumer.texts(1)).toEqual([...range(20, "early"), ...range(20, "late")]);
      expect(consumer.texts(2)).toEqual(["other"]);
      expect(consumer.of(0)).toEqual([]);
    });

    it("answers an append with the offset under which the record is read", async () => {
      const log = await open(newInstallation());
      const offsets = await Promise.all(range(50).map((record) => log.append(0, text(record))));
      const consumer = new Collector();
      consumer.from.set(0, offsets[30]!);
      await log.consume(consumer);
      await consumer.until(() => consumer.of(0).length >= 20);
      expect(consumer.of(0).map(({ offset }) => offset)).toEqual(offsets.slice(30));
      expect(consumer.texts(0)).toEqual(range(50).slice(30));
      expect([...offsets].sort((a, b) => a - b)).toEqual(offsets);
    });

    it("puts a record together when its turn comes, once, with what has gathered until then", async () => {
      const log = await open(newInstallation());
      const gathered = ["first"];
      const calls: number[] = [];
      const lazily = log.append(0, () => {
        calls.push(gathered.length);
        return text(gathered.join());
      });
      gathered.push("second");
      const after = log.append(0, text("after"));
      await Promise.all([lazily, after]);
      const consumer = new Collector();
      await log.consume(consumer);
      await consumer.until(() => consumer.of(0).length >= 2);
      expect(consumer.texts(0)).toEqual(["first,second", "after"]);
      expect(calls).toEqual([2]);
    });

    it("gives records back to the bit, from an empty one to a large one", async () => {
      const log = await open(newInstallation());
      const records = [0, 1, 100, 70_000, 3_000_000].map((size) => Uint8Array.from(randomBytes(size)));
      const wanted = records.map(digest);
      for (const record of records) await log.append(0, record);
      const consumer = new Collector();
      await log.consume(consumer);
      await consumer.until(() => consumer.of(0).length >= records.length);
      expect(consumer.of(0).map(({ bytes }) => digest(bytes))).toEqual(wanted);
    });

    it("delivers again from the offset that the consumer names after restart", async () => {
      const log = await open(newInstallation());
      const offsets = await Promise.all(range(10).map((record) => log.append(0, text(record))));
      const consumer = new Collector();
      const subscription = await log.consume(consumer);
      await consumer.until(() => consumer.of(0).length >= 10);
      consumer.from.set(0, offsets[7]!);
      subscription.restart(0);
      await consumer.until(() => consumer.of(0).length >= 13);
      expect(consumer.texts(0).slice(10)).toEqual(["r7", "r8", "r9"]);
    });

    it("asks where to begin and delivers again when the consumer rejects", async () => {
      const log = await open(newInstallation());
      const consumer = new Collector();
      let failures = 0;
      consumer.before = async (partition) => {
        if (partition === 0 && failures++ < 2) throw new Error("commit lost");
      };
      await log.consume(consumer);
      await log.append(0, text("a"));
      await log.append(0, text("b"));
      await consumer.until(() => consumer.of(0).length >= 2);
      expect(consumer.texts(0)).toEqual(["a", "b"]);
      expect(consumer.assignments.filter((partition) => partition === 0).length).toBeGreaterThanOrEqual(3);
    });

    it("waits for a slow consumer, and lets the other partitions go on", async () => {
      const log = await open(newInstallation());
      const consumer = new Collector();
      const slow = Promise.withResolvers<void>();
      let calls = 0;
      consumer.before = async (partition) => {
        if (partition === 0) calls++;
        if (partition === 0) await slow.promise;
      };
      await log.consume(consumer);
      await log.append(0, text("first"));
      await Promise.all(range(20).map((record) => log.append(1, text(record))));
      await consumer.until(() => consumer.of(1).length >= 20 && calls === 1);
      await log.append(0, text("second"));
      expect(calls).toBe(1);
      slow.resolve();
      await consumer.until(() => consumer.of(0).length >= 2);
      expect(consumer.texts(0)).toEqual(["first", "second"]);
    });

    it("has every acknowledged record after the server was killed, and goes on by itself", async () => {
      const log = await open(newInstallation());
      const consumer = new Collector();
      await log.consume(consumer);
      const saved: string[] = [];
      const appends = range(400).map(async (record, index) => {
        if (index >= 100) await consumer.until(() => consumer.of(0).length >= 20); // some before, some during, some after
        await log.append(0, text(record));
        saved.push(record);
      });
      await consumer.until(() => consumer.of(0).length >= 20);
      await subject.server.kill();
      await subject.server.start();
      await Promise.all(appends);
      await consumer.until(() => new Set(consumer.texts(0)).size >= 400);
      expect(saved.length).toBe(400);
      expect(firstTimes(consumer.texts(0).slice(0, 100))).toEqual(range(100));
    }, 90_000);

    it("reads the same after the process was replaced", async () => {
      const installation = newInstallation();
      const first = await open(installation);
      const offsets = await Promise.all(range(30).map((record) => first.append(2, text(record))));
      await first.close();
      const second = await open(installation);
      const later = await second.append(2, text("later"));
      expect(later).toBeGreaterThan(offsets.at(-1)!);
      const consumer = new Collector();
      await second.consume(consumer);
      await consumer.until(() => consumer.of(2).length >= 31);
      expect(consumer.texts(2)).toEqual([...range(30), "later"]);
    });

    it("waits for appends under way when it is closed, and refuses later ones", async () => {
      const installation = newInstallation();
      const log = await open(installation);
      const appends = Promise.all(range(50).map((record) => log.append(0, text(record))));
      await log.close();
      expect(new Set(await appends).size).toBe(50);
      await expect(log.append(0, text("late"))).rejects.toMatchObject({ kind: "unavailable" });
    });

    it("refuses appends past its bound of waiting bytes, rejects those that wait too long, and recovers", async () => {
      const log = await open(newInstallation(), { maxPendingBytes: 1_000_000, appendTimeoutMs: 1_500 });
      await log.append(0, text("before"));
      subject.server.pause();
      try {
        const waiting = Promise.allSettled(range(9).map(() => log.append(0, randomBytes(100_000))));
        await expect(log.append(0, randomBytes(200_000))).rejects.toMatchObject({ kind: "exhausted" });
        const kinds = (await waiting).map((result) => (result as { reason?: TelltaleError }).reason?.kind);
        expect(kinds).toEqual(new Array(9).fill("unavailable"));
        await expect(log.ping(300)).rejects.toMatchObject({ kind: "unavailable" });
      } finally {
        subject.server.resume();
      }
      await untilAppended(log, "after");
      await log.ping(5_000);
    }, 60_000);

    it("refuses to open with another number of partitions", async () => {
      const installation = newInstallation();
      await (await open(installation, { partitions: 4 })).close();
      const other = open(installation, { partitions: 5 });
      await expect(other).rejects.toThrow(StartupError);
      await expect(other).rejects.toThrow(/4 partitions.*5/);
    });

    it("stands still and says so when the store is ahead of the log", async () => {
      const log = await open(newInstallation());
      await log.append(0, text("a"));
      const consumer = new Collector();
      consumer.from.set(0, 1_000);
      await log.consume(consumer);
      await consumer.until(() => consumer.assignments.filter((partition) => partition === 0).length >= 2);
      expect(consumer.of(0)).toEqual([]);
      await expect(log.ping(2_000)).rejects.toThrow(/partition 0.*1000/);
    });

    it("counts what it appended and how far the consumer is behind", async () => {
      const log = await open(newInstallation());
      const consumer = new Collector();
      const held = Promise.withResolvers<void>();
      consumer.before = () => held.promise;
      await log.consume(consumer);
      await Promise.all(range(10).map((record) => log.append(1, text(record))));
      expect(log.stats()).toMatchObject({ appendedRecords: 10, appendedBytes: 20, pendingBytes: 0 });
      expect(log.stats().lag.get(1)).toBe(10);
      held.resolve();
      await consumer.until(() => consumer.of(1).length >= 10);
      await log.append(0, text("x"));
      await consumer.until(() => consumer.of(0).length >= 1);
      expect(log.stats().lag.get(1)).toBe(0);
    });
  });

/** In the order of their first arrival: "at least once" may repeat. */
function firstTimes(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

async function untilAppended(log: Log, record: string): Promise<void> {
  for (;;) {
    try {
      await log.append(0, text(record));
      return;
    } catch (error) {
      if ((error as TelltaleError).kind !== "unavailable") throw error;
    }
  }
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
