/** One partition's owner on a database of its own, fed with log records: what is stored is what a platform would have stored. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { pino } from "pino";
import { ControlSchema, type TimeZoneRulesSchema } from "../gen/es/telltale/v1/log_pb.ts";
import { ReadingSchema } from "../gen/es/telltale/v1/reading_pb.ts";
import { createDetector } from "../server/detect/index.ts";
import { Acceptor } from "../server/ingest/accept.ts";
import { SeriesTable } from "../server/ingest/series.ts";
import type { LogEntry } from "../server/log/log.ts";
import { encodeField, encodeRecord } from "../server/log/record/encode.ts";
import { PartitionOwner } from "../server/scoring/owner.ts";
import { createPostgresStore, openStoreSql } from "../server/store/postgres.ts";
import { createMigrated } from "./database-template.ts";

export interface SentReading {
  readonly sensor: string;
  /** Seconds after the beginning; absent: the server's time. */
  readonly at?: number;
  readonly value: number;
  readonly type?: string;
  readonly unit?: string;
  readonly location?: string;
}

const logger = pino({ level: "silent" });
const acceptor = new Acceptor(new SeriesTable(1));
const rules = { nowUs: 8e15, maxAheadUs: 0, oldestUs: 0, mayWrite: () => true };

/** A log record with these readings in one batch, received so many seconds after `startUs`. */
export function recordOf(startUs: number, receivedAt: number, readings: readonly SentReading[]): Uint8Array {
  const messages = readings.map((r) => {
    const us = startUs + (r.at ?? 0) * 1e6;
    const observedAt = { seconds: BigInt(Math.floor(us / 1e6)), nanos: (us % 1e6) * 1000 };
    return create(ReadingSchema, {
      sensorId: r.sensor,
      sensorType: r.type ?? "temperature",
      unit: r.unit ?? "C",
      value: r.value,
      ...(r.location === undefined ? {} : { location: r.location }),
      ...(r.at === undefined ? {} : { observedAt }),
    });
  });
  const batch = { producer: "", epoch: 1n, sequence: 0n, traceparent: "", readings: messages, blocks: [], echo: false };
  return encodeRecord(Math.round(startUs + receivedAt * 1e6), [acceptor.accept(batch, rules).fragments.get(0)!.bytes]);
}

export const tickOf = (startUs: number, at: number): Uint8Array =>
  encodeRecord(Math.round(startUs + at * 1e6), [encodeField(4, new Uint8Array())]);

export function controlOf(
  startUs: number,
  at: number,
  action: NonNullable<MessageInitShape<typeof ControlSchema>["action"]>,
  timeZoneRules?: MessageInitShape<typeof TimeZoneRulesSchema>,
): Uint8Array {
  const zone = timeZoneRules === undefined ? {} : { timeZoneRules };
  const control = create(ControlSchema, { id: `${at}`, principal: "tester", action, ...zone });
  return encodeRecord(Math.round(startUs + at * 1e6), [encodeField(5, toBinary(ControlSchema, control))]);
}

export class TestPartition {
  readonly url: string;
  readonly sql;
  readonly store;
  readonly #keepOutcomes: boolean;
  #owner!: PartitionOwner;
  readonly #log: LogEntry[] = [];

  private constructor(url: string, keepOutcomes: boolean) {
    this.url = url;
    this.#keepOutcomes = keepOutcomes;
    this.sql = openStoreSql(url, 3);
    this.store = createPostgresStore(url, logger);
  }

  /** On an empty database of the server at `url`. `keepOutcomes`: as where several processes share the log. */
  static async open(url: string, name: string, keepOutcomes = false): Promise<TestPartition> {
    const partition = new TestPartition(await createMigrated(url, name), keepOutcomes);
    await partition.crash();
    return partition;
  }

  /** A new owner with nothing but the store and the log. */
  async crash(): Promise<void> {
    this.#owner = new PartitionOwner({
      partition: 0,
      store: this.store,
      createDetector: () => createDetector(),
      logger,
      keepOutcomes: this.#keepOutcomes,
      onCommitted: () => {},
    });
    const { from } = await this.#owner.open(0);
    await this.#owner.take(this.#log.slice(from));
    await this.#owner.settle();
  }

  /** Logs the records and has them taken in runs of `cut`. */
  async append(records: readonly Uint8Array[], cut: number = records.length): Promise<void> {
    const entries = records.map((bytes, i) => ({ offset: this.#log.length + i, bytes }));
    this.#log.push(...entries);
    for (let i = 0; i < entries.length; i += cut) await this.#owner.take(entries.slice(i, i + cut));
    await this.#owner.settle();
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.sql.end();
  }
}
