/** One partition's owner on a real database: what it stores follows from the log alone. */
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { createDetector } from "../../server/detect/index.ts";
import { Acceptor } from "../../server/ingest/accept.ts";
import { SeriesTable } from "../../server/ingest/series.ts";
import type { LogEntry } from "../../server/log/log.ts";
import type { RecordOutcome } from "../../server/pipeline/outcome.ts";
import { PartitionOwner } from "../../server/pipeline/owner.ts";
import { encodeField, encodeRecord } from "../../server/record/encode.ts";
import { migrate } from "../../server/store/migrate.ts";
import { createPostgresStore, openStoreSql } from "../../server/store/postgres.ts";
import { Queries } from "../../server/store/queries.ts";
import { FencedError } from "../../server/store/store.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";

const logger = pino({ level: "silent" });
const START = Date.UTC(2026, 0, 5) * 1000;
let postgres: TestPostgres;
let databases = 0;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

interface Sent {
  readonly sensor: string;
  /** Seconds after START; undefined: no time given. */
  readonly at?: number;
  readonly value: number;
  readonly type?: string;
  readonly metadata?: Record<string, string>;
}

interface Batch {
  readonly producer?: string;
  readonly sequence?: number;
  readonly readings: readonly Sent[];
}

const acceptor = new Acceptor(new SeriesTable(1));

/** A log record with these batches, received so many seconds after START. */
function record(receivedAt: number, batches: readonly Batch[]): Uint8Array {
  const fields = batches.map(({ producer = "", sequence = 0, readings }) => {
    const messages = readings.map((r) =>
      create(ReadingSchema, {
        sensorId: r.sensor,
        sensorType: r.type ?? "temperature",
        unit: "C",
        value: r.value,
        ...(r.metadata === undefined ? {} : { metadata: r.metadata }),
        ...(r.at === undefined ? {} : { observedAt: { seconds: BigInt(START / 1e6 + r.at), nanos: 0 } }),
      }),
    );
    const batch = {
      producer,
      epoch: 1n,
      sequence: BigInt(sequence),
      traceparent: "",
      readings: messages,
      blocks: [],
      echo: false,
    };
    const rules = { nowUs: START + 1e15, maxAheadUs: 0, oldestUs: 0, mayWrite: () => true };
    return acceptor.accept(batch, rules).fragments.get(0)!.bytes;
  });
  return encodeRecord(START + receivedAt * 1e6, fields);
}

const tick = (at: number) => encodeRecord(START + at * 1e6, [encodeField(4, new Uint8Array())]);

class Bench {
  readonly url: string;
  readonly sql;
  readonly store;
  readonly outcomes: RecordOutcome[] = [];
  owner!: PartitionOwner;
  log: LogEntry[] = [];

  private constructor(url: string) {
    this.url = url;
    this.sql = openStoreSql(url, 2);
    this.store = createPostgresStore(url, logger);
  }

  static async open(): Promise<Bench> {
    const name = `owner_${++databases}`;
    const admin = openStoreSql(postgres.url, 1);
    await admin.unsafe(`create database ${name}`);
    await admin.end();
    const bench = new Bench(postgres.url.replace(/\/[^/]*$/, `/${name}`));
    await migrate(bench.sql);
    await bench.restart();
    return bench;
  }

  /** A new owner with nothing but the store and the log, as after a crash. Answers with the first record that it asks for. */
  async restart(): Promise<number> {
    this.owner = new PartitionOwner({
      partition: 0,
      store: this.store,
      createDetector: () => createDetector(),
      logger,
      keepOutcomes: false,
      onCommitted: ({ outcomes }) => this.outcomes.push(...outcomes),
    });
    return this.owner.open();
  }

  /** Logs the records and has them taken, cut after every `cut`. */
  async append(records: readonly Uint8Array[], cut = records.length): Promise<void> {
    const entries = records.map((bytes, i) => ({ offset: this.log.length + i, bytes }));
    this.log.push(...entries);
    for (let i = 0; i < entries.length; i += cut) await this.owner.take(entries.slice(i, i + cut));
    await this.owner.settle();
  }

  async readAgainFrom(offset: number): Promise<void> {
    await this.owner.take(this.log.slice(offset));
    await this.owner.settle();
  }

  /** Everything that a query could see, without the numbers that the database gives out. */
  async everything() {
    const queries = new Queries(this.sql);
    const all = {
      sensorId: undefined,
      sensorPrefix: "",
      sensorType: undefined,
      location: undefined,
      anomaliesOnly: false,
      after: undefined,
    };
    const {
      points: p,
      series,
      order,
      metadata,
    } = await queries.readings({ ...all, fromUs: 0, toUs: 9e15 }, 100_000, 0);
    const readings = order.map((i) => [
      series[i]!.sensorId,
      p.timeUs[i],
      p.id[i],
      p.value[i],
      p.confidence[i],
      p.score[i],
      p.anomaly[i],
      p.anomaly[i] ? p.reason[i] : 0,
      p.mark[i],
      String(p.expected[i]),
      String(p.band[i]),
    ]);
    const alerts = await this.sql`select * from alert order by id`;
    const events = await this
      .sql`select number, alert_id, encode(event, 'hex') as event from alert_event order by number`;
    // A sum of doubles depends on its order in the last digit.
    const sums = await this
      .sql`select sensor_id, readings, round(total::numeric, 6) as total, smallest, largest, anomalies, late, first_us, newest_us,
      last_us, last_id, last_value from series order by sensor_id`;
    const [partition] = await this
      .sql`select next_offset, tick, received_us, next_event, readings, anomalies, late from log_partition`;
    return JSON.stringify({ readings, alerts, events, sums, partition, metadata: [...metadata.keys()].sort() });
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.sql.end();
  }
}

/** A small plant with noise, jumps, late and doubled readings, resent batches, silence and readings without a time. */
function story(seed: number, hours: number): Uint8Array[] {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
  const records: Uint8Array[] = [];
  const resend: Batch[] = [];
  for (let minute = 0; minute < hours * 60; minute++) {
    const batches: Batch[] = [];
    for (let producer = 0; producer < 2; producer++) {
      const readings: Sent[] = [];
      for (let s = 0; s < 40; s++) {
        // One sensor falls silent half way.
        if (s === 7 && minute > hours * 30) continue;
        const sensor = `p${producer}-s${s}`;
        const jump = s === 3 && minute % 97 > 90 ? 40 : 0;
        const value = Math.round((20 + 3 * Math.sin(minute / 60) + jump + random()) * 100) / 100;
        const late = random() < 0.02 ? -90 : 0;
        const at = s === 11 ? undefined : minute * 60 + s + late;
        readings.push({ sensor, value, ...(at === undefined ? {} : { at }) });
        if (random() < 0.01)
          readings.push({ sensor, value: value + (random() < 0.5 ? 0 : 1), ...(at === undefined ? {} : { at }) });
      }
      const batch = { producer: `p${producer}`, sequence: minute + 1, readings };
      batches.push(batch);
      if (random() < 0.05) resend.push(batch);
    }
    if (random() < 0.05) batches.push(...resend.splice(0));
    records.push(record(minute * 60 + 50, batches));
    if (minute % 3 === 0) records.push(tick(minute * 60 + 55));
  }
  return records;
}

test("the same log gives the same rows, scores, alerts and sums, however it is cut and however often the owner dies", async () => {
  const records = story(1, 6);
  const undisturbed = await Bench.open();
  await undisturbed.append(records);
  const wanted = await undisturbed.everything();
  await undisturbed.close();
  expect(wanted).toContain("temperature");

  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.nat(records.length), { maxLength: 6 }),
      async (cut, deaths) => {
        const bench = await Bench.open();
        try {
          let done = 0;
          for (const death of [...deaths.sort((a, b) => a - b), records.length]) {
            await bench.append(records.slice(done, Math.max(done, death)), cut);
            done = Math.max(done, death);
            await bench.readAgainFrom(await bench.restart());
          }
          expect(await bench.everything()).toBe(wanted);
        } finally {
          await bench.close();
        }
      },
    ),
    { numRuns: 8 },
  );
}, 180_000);

test("a resent batch is answered as it was the first time and changes nothing, also where a later one came first", async () => {
  const bench = await Bench.open();
  const batch = (sequence: number): Batch => ({
    producer: "device",
    sequence,
    readings: [
      { sensor: "a", value: sequence },
      { sensor: "b", value: sequence, at: sequence },
    ],
  });
  await bench.append([
    record(1, [batch(1)]),
    record(2, [batch(3)]),
    record(3, [batch(3), batch(2)]),
    record(4, [batch(1)]),
  ]);
  const counts = bench.outcomes.map((o) => o.fragments.map((f) => f.counts));
  // b's second reading comes late the second time: sequence 2 is of an earlier second than 3.
  expect(counts).toEqual([
    [[2, 0, 0, 0]],
    [[2, 0, 0, 0]],
    [
      [2, 0, 0, 0],
      [2, 0, 0, 1],
    ],
    [[2, 0, 0, 0]],
  ]);
  // Also after a crash what is answered adds up, whatever the state that was left.
  await bench.readAgainFrom(await bench.restart());
  await bench.append([record(5, [batch(1), batch(2), batch(3)])]);
  for (const { counts } of bench.outcomes.at(-1)!.fragments) expect(counts[0] + counts[1] + counts[2]).toBe(2);
  expect((await new Queries(bench.sql).sensorStats("a"))?.readings).toBe(3);
  expect((await new Queries(bench.sql).sensorStats("b"))?.readings).toBe(3);
  await bench.close();
});

test("a late reading is stored and counted once, and a known or a conflicting one changes nothing", async () => {
  const bench = await Bench.open();
  await bench.append([record(10, [{ readings: [1, 2, 4, 5].map((at) => ({ sensor: "a", at, value: at })) }])]);
  await bench.append([
    record(11, [{ readings: [3, 2, 4, 3].map((at, i) => ({ sensor: "a", at, value: i === 2 ? 9 : at })) }]),
  ]);
  expect(bench.outcomes[1]!.fragments[0]!.counts).toEqual([1, 2, 1, 1]);
  expect(bench.outcomes[1]!.fragments[0]!.conflicts.map((c) => c.index)).toEqual([2]);
  const stats = await new Queries(bench.sql).sensorStats("a");
  expect(stats).toMatchObject({ readings: 5, late: 1, smallest: 1, largest: 5 });
  await bench.close();
});

test("an owner that was replaced cannot commit any more", async () => {
  const bench = await Bench.open();
  await bench.append([record(1, [{ readings: [{ sensor: "a", at: 1, value: 1 }] }])]);
  const former = bench.owner;
  await bench.restart();
  await bench.append([record(2, [{ readings: [{ sensor: "a", at: 2, value: 2 }] }])]);
  await former.take([{ offset: 1, bytes: record(2, [{ readings: [{ sensor: "a", at: 2, value: 2 }] }]) }]);
  await expect(former.settle()).rejects.toBeInstanceOf(FencedError);
  expect((await new Queries(bench.sql).sensorStats("a"))?.readings).toBe(2);
  await bench.close();
});

test("with a reorder hold, small disorder is not late, and a crash in the middle of it changes nothing", async () => {
  const hold = toBinary(
    ControlSchema,
    create(ControlSchema, { id: "1", action: { case: "config", value: { sensorType: "held", reorderHoldMs: 5000 } } }),
  );
  const config = encodeRecord(START, [encodeField(5, hold)]);
  const disorder = [3, 1, 2, 6, 5, 4].map((at, i) =>
    record(at === 3 ? 1 : i + 1, [
      { readings: [{ sensor: "h", type: "held", at, value: at, metadata: { n: String(at) } }] },
    ]),
  );
  const records = [config, ...disorder, tick(7), tick(20)];
  const whole = await Bench.open();
  await whole.append(records);
  const wanted = await whole.everything();
  expect(await new Queries(whole.sql).sensorStats("h")).toMatchObject({ readings: 6, late: 0 });
  expect(whole.outcomes.length).toBe(records.length);
  await whole.close();

  const torn = await Bench.open();
  for (const one of records) {
    await torn.append([one]);
    await torn.readAgainFrom(await torn.restart());
  }
  expect(await torn.everything()).toBe(wanted);
  await torn.close();
});
