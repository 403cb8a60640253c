/**
 * The log: what makes an acknowledgement a promise. Records are opaque bytes (a `telltale.v1.LogRecord`); a sensor's readings
 * are always in one partition, and a partition has one order.
 *
 * Both adapters (`embedded.ts`, `kafka.ts`) keep these promises, and `test/contract/log.test.ts` holds them to it:
 * - `append` resolves only when the record survives the death of every process involved, and resolves with its offset.
 * - Records of one partition appended one after another are read in that order; offsets rise, gaps are allowed.
 * - A rejected append may still have been stored: whoever resends must be recognised by its content.
 * - A consumer is given a partition's records from the offset that it asks for, in order, each at least once.
 */
export interface Log {
  /** Number of partitions; fixed for the life of an installation. */
  readonly partitions: number;
  /**
   * Appends one record. The bytes belong to the log from now on. Rejects with TelltaleError "unavailable" when the log is out
   * of reach, "exhausted" when too many bytes are waiting (a bound, see the adapters).
   *
   * A function is called once, when the record's turn has come, in a later turn of the event loop at the earliest, and never where
   * the append is given up before: what gathers until then goes along. It must not throw. What waits for it is bounded by whoever
   * gathers. Records of several partitions that are appended in one turn are stored at once, where the log can.
   */
  append(partition: number, record: Uint8Array | (() => Uint8Array)): Promise<number>;
  /** Starts delivering. One consumer per process. */
  consume(consumer: LogConsumer): Promise<LogSubscription>;
  /**
   * Nothing before `offset` will be read again: it may be dropped (whole segments at a time). Not remembered over a restart: say
   * it again after `assigned`, for idle partitions too, or segments from before the restart stay.
   */
  release(partition: number, offset: number): void;
  /** Rejects with the reason when the log does not answer within the time. */
  ping(timeoutMs: number): Promise<void>;
  /** Numbers for the metrics. */
  stats(): LogStats;
  /** Waits for appends under way, stops delivery, closes connections. */
  close(): Promise<void>;
}

/** Counted since the start of this process. */
export interface LogStats {
  readonly appendedRecords: number;
  readonly appendedBytes: number;
  readonly rejectedRecords: number;
  /** Bytes of appends that wait for their answer. */
  readonly pendingBytes: number;
  /** Records between what the consumer has taken and the end of the log, for each partition that is ours. */
  readonly lag: ReadonlyMap<number, number>;
}

/** Largest record, in bytes: a stream's largest message (4 MiB) in one partition, with room for what the log's record adds. */
export const maxRecordBytes = 6 * 1024 * 1024;

export interface LogConsumer {
  /**
   * This process now owns the partition, of which the log has the records from `oldest` on. Answers with the offset of the first
   * record wanted: the *store's*, never a group's.
   */
  assigned(partition: number, oldest: number): Promise<number>;
  /**
   * Records in rising order of offset. The buffers belong to the consumer. The returned promise is the backpressure: the next
   * call for this partition comes after it has resolved. A rejection makes the log call `assigned` again and deliver from there.
   */
  records(partition: number, records: readonly LogEntry[]): Promise<void>;
  /** Another process owns the partition from now on (or nobody). */
  revoked(partition: number): Promise<void>;
}

export interface LogEntry {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface LogSubscription {
  /** Makes the log call `assigned` again for the partition and deliver from there (after a lost commit). */
  restart(partition: number): void;
  /** Gives up all partitions (calls `revoked`) and stops. */
  close(): Promise<void>;
}
