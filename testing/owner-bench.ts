import { create } from "@bufbuild/protobuf";
import { pino } from "pino";
import { ReadingSchema } from "../gen/es/telltale/v1/reading_pb.ts";
import { createDetector, type Detector, defaultModel, KernelTrunk } from "../server/detect/index.ts";
import { Acceptor } from "../server/ingest/accept.ts";
import { SeriesTable } from "../server/ingest/series.ts";
import type { LogEntry } from "../server/log/log.ts";
import type { FragmentOutcome, RecordOutcome } from "../server/log/outcome.ts";
import { encodeField, encodeRecord } from "../server/log/record/encode.ts";
import { PartitionOwner } from "../server/scoring/owner.ts";
import { Quarantine } from "../server/scoring/quarantine.ts";
import type { RecoveryKind } from "../server/scoring/recover.ts";
import { SetAsideError } from "../server/scoring/set-aside.ts";
import { createPostgresStore, openStoreSql } from "../server/store/postgres.ts";
import { Queries } from "../server/store/queries.ts";
import { createMigrated } from "./database-template.ts";
import { controlOf } from "./partition.ts";

const logger = pino({ level: "silent" });
export const START = Date.UTC(2026, 0, 5) * 1000;
let databases = 0;

export interface Sent {
  readonly sensor: string;
  /** Seconds after START; undefined: no time given. */
  readonly at?: number;
  readonly value: number;
  readonly type?: string;
  readonly unit?: string;
  readonly metadata?: Record<string, string>;
}

export interface Batch {
  readonly producer?: string;
  readonly sequence?: number;
  readonly readings: readonly Sent[];
}

/** A log record with what somebody decided, received so many seconds after START. */
export const control = (at: number, action: Parameters<typeof controlOf>[2]): Uint8Array =>
  controlOf(START, at, action);
export const deletion = (at: number, ...sensorIds: string[]): Uint8Array =>
  control(at, { case: "deleteSensors", value: { sensorIds } });

const acceptor = new Acceptor(new SeriesTable(1));

/** A partition that fails more often than this, but for what it sets aside, does not go on. */
const MAX_FAILURES = 3;

/** A log record with these batches, received so many seconds after START. */
export function record(receivedAt: number, batches: readonly Batch[]): Uint8Array {
  const fields = batches.map(({ producer = "", sequence = 0, readings }) => {
    const messages = readings.map((r) =>
      create(ReadingSchema, {
        sensorId: r.sensor,
        sensorType: r.type ?? "temperature",
        unit: r.unit ?? "C",
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

export const tick = (at: number) => encodeRecord(START + at * 1e6, [encodeField(4, new Uint8Array())]);

/** Another model than the committed one. */
const otherModel = { ...defaultModel, name: "other", head: defaultModel.head.map((weight) => weight * 0.5) };
const models = {
  committed: () => createDetector(),
  other: () => createDetector({}, new KernelTrunk(otherModel)),
};

/** One partition's owner on a real database, fed by hand. */
export class Bench {
  readonly url: string;
  readonly sql;
  readonly store;
  readonly outcomes: RecordOutcome[] = [];
  owner!: PartitionOwner;
  log: LogEntry[] = [];
  /** First record that the log still has. */
  oldest = 0;
  model: keyof typeof models = "committed";
  /** In place of the model's. */
  createDetector: (() => Detector) | undefined;
  recovery!: RecoveryKind;
  /** As where several processes share the log: the store keeps the outcomes. */
  keepOutcomes = false;
  /** As a scoring thread keeps it for its partition. */
  quarantine = new Quarantine();
  /** How often something was set aside. */
  setAsides = 0;
  unitChanges = 0;

  private constructor(url: string) {
    this.url = url;
    this.sql = openStoreSql(url, 2);
    this.store = createPostgresStore(url, logger);
  }

  /** Makes a database of its own on the server of `url`. */
  static async open(
    url: string,
    { createDetector, keepOutcomes = false }: { createDetector?: () => Detector; keepOutcomes?: boolean } = {},
  ): Promise<Bench> {
    const bench = new Bench(await createMigrated(url, `owner_${process.pid}_${++databases}`));
    bench.createDetector = createDetector;
    bench.keepOutcomes = keepOutcomes;
    await bench.restart();
    return bench;
  }

  /** A new owner with nothing but the store and the log, as after a crash. Answers with the first record that it asks for. */
  async restart(): Promise<number> {
    this.owner = new PartitionOwner({
      partition: 0,
      store: this.store,
      createDetector: this.createDetector ?? models[this.model],
      logger,
      keepOutcomes: this.keepOutcomes,
      quarantine: this.quarantine,
      onCommitted: ({ outcomes, unitChanges }) => {
        this.outcomes.push(...outcomes);
        this.unitChanges += unitChanges;
      },
    });
    const { from, recovery } = await this.owner.open(this.oldest);
    this.recovery = recovery;
    return from;
  }

  /** Logs the records and has them taken, cut after every `cut`. */
  async append(records: readonly Uint8Array[], cut = records.length): Promise<void> {
    const entries = records.map((bytes, i) => ({ offset: this.log.length + i, bytes }));
    this.log.push(...entries);
    for (let i = 0; i < entries.length; i += cut) await this.owner.take(entries.slice(i, i + cut));
    await this.owner.settle();
  }

  /** A new owner that has read all of the log that it wants. */
  async resume(): Promise<void> {
    await this.readAgainFrom(await this.restart());
  }

  /** A new owner that knows nothing of what the former one found out. */
  async crash(): Promise<void> {
    this.quarantine = new Quarantine();
    await this.resume();
  }

  /** Appends as a scoring thread does: where something is set aside, the partition is opened again and goes on. */
  async appendThrough(records: readonly Uint8Array[], cut = records.length): Promise<void> {
    this.log.push(...records.map((bytes, i) => ({ offset: this.log.length + i, bytes })));
    let [from, failures] = [this.log.length - records.length, 0];
    while (from < this.log.length) {
      try {
        for (; from < this.log.length; from += cut) await this.owner.take(this.log.slice(from, from + cut));
        await this.owner.settle();
      } catch (error) {
        if (error instanceof SetAsideError) this.setAsides++;
        else if (++failures > MAX_FAILURES) throw error;
        from = await this.restart();
      }
    }
  }

  /** The records, in runs of `cut`; at each of the places, and at the end, the owner dies, and another one goes on. */
  async appendThroughDeaths(records: readonly Uint8Array[], cut: number, deaths: readonly number[]): Promise<void> {
    let done = 0;
    for (const death of [...deaths.toSorted((a, b) => a - b), records.length]) {
      await this.append(records.slice(done, Math.max(done, death)), cut);
      done = Math.max(done, death);
      await this.readAgainFrom(await this.restart());
    }
  }

  /** Offset from which the embedded log would still have its records, at best. */
  async released(): Promise<number> {
    const [row] = await this.sql`select replay_offset from log_partition`;
    return row!.replay_offset;
  }

  async readAgainFrom(offset: number): Promise<void> {
    await this.owner.take(this.log.slice(offset));
    await this.owner.settle();
  }

  /** All stored readings. */
  readings() {
    const all = {
      sensorId: undefined,
      sensorPrefix: "",
      sensorType: undefined,
      location: undefined,
      anomaliesOnly: false,
      after: undefined,
    };
    return new Queries(this.sql).readings({ ...all, fromUs: 0, toUs: 9e15 }, 100_000, 0);
  }

  /** Everything that a query could see, without the numbers that the database gives out. */
  async everything() {
    const { points: p, series, order, metadata } = await this.readings();
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
export function story(seed: number, hours: number): Uint8Array[] {
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

/** Accepted, duplicate, conflicting and late readings of a fragment, for short comparisons. */
export function countsOf({ accepted, duplicate, conflicting, late }: FragmentOutcome): number[] {
  return [accepted, duplicate, conflicting, late];
}
