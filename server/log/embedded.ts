import type { Logger } from "pino";
import { StartupError, TelltaleError } from "../errors.ts";
import { type Client, openClient, type SqlAddress } from "../postgres/connection.ts";
import { Appender } from "./appender.ts";
import { Delivery } from "./delivery.ts";
import {
  type Log,
  type LogConsumer,
  type LogEntry,
  type LogStats,
  type LogSubscription,
  maxRecordBytes,
} from "./log.ts";
import type { Row } from "./rows.ts";
import { dropSegment, readEntries } from "./segments.ts";
import { AppendSession } from "./session.ts";
import { Tail } from "./tail.ts";

export interface EmbeddedLogOptions {
  /** The database; the log keeps to its own schema, `telltale_log`. */
  readonly sql: SqlAddress;
  readonly partitions: number;
  readonly logger: Logger;
  /** Hears of appends that the database refuses. */
  readonly onRefused?: (error: unknown) => void;
  /** Shortest time between commits, in milliseconds; default 2. */
  readonly gatherMs?: number;
  /** Bytes of appends that may wait; default 32 MiB. More is refused as "exhausted". */
  readonly maxPendingBytes?: number;
  /** An append without an answer for so long is rejected as "unavailable"; default 30,000 ms. */
  readonly appendTimeoutMs?: number;
  /** Bytes of new records kept in memory for a consumer that keeps up; default 32 MiB. */
  readonly tailBytes?: number;
  /** Bytes after which a new segment begins; default 64 MiB. What is released is dropped by segments. */
  readonly segmentBytes?: number;
}

const MiB = 1024 * 1024;
/** Bytes handed to the consumer at once, unless one record alone is larger. */
const deliverBytes = MiB;
/** What a shutdown waits for appends under way. */
const closeTimeoutMs = 10_000;

/** The log in a table of PostgreSQL, for installations without Kafka: one process appends, and the same process consumes. */
export async function createEmbeddedLog(options: EmbeddedLogOptions): Promise<Log> {
  const { sql, partitions, logger, segmentBytes = 64 * MiB } = options;
  const session = new AppendSession(sql, partitions, segmentBytes, logger);
  try {
    await session.open();
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw new StartupError(`The log cannot be opened in the database: ${(error as Error).message}`, { cause: error });
  }
  const reader = openClient(sql, { max: 2, connection: { application_name: "telltale-log-reader" } });
  return new EmbeddedLog(options, session, reader);
}

class EmbeddedLog implements Log {
  readonly partitions: number;
  readonly #logger: Logger;
  readonly #session: AppendSession;
  readonly #reader: Client;
  readonly #appender: Appender;
  readonly #tail: Tail;
  readonly #released: number[];
  #deliveries: Delivery[] = [];
  #dropping: Promise<void> | undefined;

  constructor(options: EmbeddedLogOptions, session: AppendSession, reader: Client) {
    const { partitions, gatherMs = 2, maxPendingBytes = 32 * MiB, appendTimeoutMs: timeoutMs = 30_000 } = options;
    this.partitions = partitions;
    this.#logger = options.logger;
    this.#session = session;
    this.#reader = reader;
    this.#tail = new Tail(options.tailBytes ?? 32 * MiB);
    this.#released = new Array<number>(partitions).fill(0);
    const sink = {
      next: () => session.layout.next,
      commit: (rows: readonly Row[]) => session.commit(rows),
      recover: (cause: unknown) => session.reopen(cause),
      committed: (rows: readonly Row[]) => this.#committed(rows),
      onRefused: options.onRefused ?? (() => undefined),
    };
    const limits = { partitions, maxPendingBytes, maxRecordBytes, timeoutMs };
    this.#appender = new Appender(limits, gatherMs, sink, options.logger);
  }

  append(partition: number, record: Uint8Array | (() => Uint8Array)): Promise<number> {
    return this.#appender.append(partition, record);
  }

  async consume(consumer: LogConsumer): Promise<LogSubscription> {
    if (this.#deliveries.length > 0) throw new TelltaleError("conflict", "This process consumes the log already.");
    const source = {
      oldest: async (partition: number) => this.#session.layout.segments[0]?.first[partition] ?? 0,
      read: (partition: number, from: number) => this.#read(partition, from),
    };
    this.#deliveries = Array.from(
      { length: this.partitions },
      (_, partition) => new Delivery(partition, source, consumer, this.#logger),
    );
    return {
      restart: (partition) => this.#deliveries[partition]?.restart(),
      close: () => this.#stopDelivery(),
    };
  }

  release(partition: number, offset: number): void {
    this.#released[partition] = Math.max(this.#released[partition] ?? 0, offset);
    this.#dropping ??= this.#dropReleased().finally(() => {
      this.#dropping = undefined;
    });
  }

  async ping(timeoutMs: number): Promise<void> {
    const broken = this.#session.failure ?? this.#deliveries.find(({ failure }) => failure)?.failure;
    if (broken) throw new TelltaleError("unavailable", `The log stands still: ${broken.message}`, { cause: broken });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new TelltaleError("unavailable", `No answer in ${timeoutMs} ms.`)),
      timeoutMs,
    );
    try {
      await Promise.race([this.#reader.sql`select 1`, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  stats(): LogStats {
    const lag = new Map<number, number>();
    for (const [partition, delivery] of this.#deliveries.entries()) {
      lag.set(partition, Math.max(0, this.#session.layout.next[partition]! - delivery.cursor));
    }
    return { ...this.#appender.pending.counts, lag };
  }

  async close(): Promise<void> {
    await this.#appender.pending.close(closeTimeoutMs);
    await this.#stopDelivery();
    await this.#dropping;
    await this.#reader.sql.end({ timeout: 1 });
    this.#reader.destroy();
    await this.#session.close();
  }

  #committed(rows: readonly Row[]): void {
    if (this.#deliveries.length === 0) return;
    for (const { partition, offset, bytes } of rows) this.#tail.push(partition, { offset, bytes });
    for (const partition of new Set(rows.map((row) => row.partition))) this.#deliveries[partition]!.wake();
  }

  async #read(partition: number, from: number): Promise<readonly LogEntry[]> {
    const { layout } = this.#session;
    if (from === layout.next[partition]) return [];
    return (
      this.#tail.take(partition, from, deliverBytes) ??
      (await readEntries(this.#reader.sql, layout, partition, from, deliverBytes))
    );
  }

  async #stopDelivery(): Promise<void> {
    await Promise.all(this.#deliveries.map((delivery) => delivery.close()));
    this.#deliveries = [];
    this.#tail.clear();
  }

  async #dropReleased(): Promise<void> {
    const isReleased = (first: number, partition: number) => first <= this.#released[partition]!;
    try {
      for (let { segments } = this.#session.layout; segments[1]?.first.every(isReleased); ) {
        await dropSegment(this.#reader.sql, segments[0]!.id);
        segments.shift();
        segments = this.#session.layout.segments; // a reconnect makes another list, in which the dropped one may still be
      }
    } catch (error) {
      this.#logger.warn({ err: error }, "a released segment of the log was not dropped; the next release tries again");
    }
  }
}
