/**
 * What the pipeline needs of the database. One transaction carries everything that a run of log records changes, and is a
 * compare-and-set on the partition's offset: a replaced owner's commit fails and changes nothing.
 */
import type { AttributeChange } from "./attributes.ts";

export interface PartitionRow {
  /** The first record not yet stored. */
  readonly nextOffset: number;
  /** The first record that rebuilding the state needs, with the id clock and the time before it. */
  readonly replayOffset: number;
  readonly replayTick: number;
  readonly replayReceivedUs: number;
  /** The log's time at the newest time record before it, microseconds; 0: there was none; undefined: a former version has stored the row. */
  readonly replayTickedUs: number | undefined;
  /** The id clock after the last record stored. */
  readonly tick: number;
  /** The newest received_at stored, microseconds. */
  readonly receivedUs: number;
  /** Number of the next alert event. */
  readonly nextEvent: number;
  /** How often the saved state was replaced as a whole. */
  readonly stateEpoch: number;
}

export interface SeriesRow {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  readonly location: string | undefined;
}

export interface StateChunk {
  readonly chunk: number;
  /** Offset after the last record that is in it. */
  readonly asOf: number;
  /** Layout and model; a chunk of another version is not read. */
  readonly version: string;
  readonly bytes: Uint8Array;
}

/** The newest reading of a series that was not late. */
export interface NewestRow {
  readonly sensorId: string;
  readonly lastUs: number;
  readonly lastValue: number;
  readonly lastId: number;
}

/** Chunks of a partition's state to be saved at the offset where it stands. */
export interface StateSaving {
  readonly partition: number;
  /** As read or committed: it fails where another process has committed or replaced the state since. */
  readonly before: PartitionRow;
  readonly after: PartitionRow;
  /** Gone through once for each try. */
  readonly chunks: () => Iterable<StateChunk>;
}

/** All of a partition's state, in the place of what is saved. */
export interface StateReplacement extends StateSaving {
  /** What the change of state means for alerts. */
  readonly alerts: readonly AlertRow[];
  readonly events: readonly AlertEventRow[];
}

/** Changes of a series' sums, in columns. */
export interface SeriesChanges {
  readonly series: number[];
  readonly readings: number[];
  readonly total: number[];
  readonly smallest: number[];
  readonly largest: number[];
  readonly anomalies: number[];
  readonly late: number[];
  readonly firstUs: number[];
  /** Of all readings of the run, late ones too. */
  readonly newestUs: number[];
  /** Of the newest reading of the run that is not late; −1 where all are. */
  readonly lastUs: number[];
  readonly lastId: number[];
  readonly lastValue: number[];
  readonly lastScore: number[];
  readonly lastAnomaly: boolean[];
}

/** An alert as stored; times in microseconds, numbers as in the contract's enums. */
export interface AlertRow {
  readonly id: number;
  readonly sensorId: string;
  readonly sensorType: string;
  readonly alertType: string;
  readonly severity: number;
  readonly message: string;
  readonly score: number;
  readonly value: number;
  readonly threshold: number | null;
  readonly openedUs: number;
  readonly lastSeenUs: number;
  readonly closedUs: number | null;
  readonly acknowledgedUs: number | null;
  readonly acknowledgedBy: string;
  readonly resolvedBy: string;
  readonly state: number;
  readonly readings: number;
  readonly detector: string;
  readonly confidence: number;
  readonly expected: number | null;
  readonly modelVersion: string;
  /** As stored; absent where nobody has labelled it. */
  readonly label?: Omit<LabelRow, "alertId"> | undefined;
}

export interface AlertEventRow {
  readonly number: number;
  readonly alertId: number;
  /** An `AlertEvent` in binary form. */
  readonly event: Uint8Array;
}

/** A `Control` message in binary form, with its place in the log. */
export interface LoggedControl {
  readonly offset: number;
  /** The id clock and the log's time after its record. */
  readonly tick: number;
  readonly receivedUs: number;
  readonly control: Uint8Array;
}

/** A sensor that was deleted. */
export interface DeletionRow {
  readonly partition: number;
  /** Of its record: all that the log has of the sensor before is deleted. */
  readonly offset: number;
  readonly sensorId: string;
  /** Readings and alerts of the sensor with ids from here on came after. */
  readonly firstId: number;
  /** By the log's time, microseconds. */
  readonly atUs: number;
  readonly by: string;
}

/** A sensor is in another asset than before, as far as the log knows it; "": in none. */
export interface PlacementRow {
  readonly partition: number;
  readonly sensorId: string;
  readonly asset: string;
}

/** A sensor that was retired, or restored. */
export interface RetirementRow {
  readonly partition: number;
  readonly sensorId: string;
  readonly retired: boolean;
  /** By the log's time, microseconds. */
  readonly atUs: number;
  readonly by: string;
}

/** The label of an alert. */
export interface LabelRow {
  readonly alertId: number;
  /** Whether it was right; null removes the label. */
  readonly correct: boolean | null;
  readonly labelledUs: number;
  readonly labelledBy: string;
  readonly comment: string;
}

/** Names what is set aside: a reading by its batch's place in the record and its index there, a control or a whole record. */
export interface QuarantinedKey {
  readonly offset: number;
  readonly fragment: number;
  readonly index: number;
}

/** Places of what is no reading. */
export const CONTROL_PLACE = -1;
export const RECORD_PLACE = -2;

export interface QuarantinedRow extends QuarantinedKey {
  readonly readings: number;
  readonly sensorId: string;
  readonly reason: string;
  readonly sqlstate: string;
  readonly receivedUs: number;
  /** A `Reading`, a `Control` or the record in binary form. */
  readonly payload: Uint8Array;
}

export interface Commit {
  readonly partition: number;
  readonly expectedOffset: number;
  readonly next: PartitionRow;
  /** Sums of this commit. */
  readonly readings: number;
  readonly anomalies: number;
  readonly late: number;
  /** Rows for block_new as binary COPY, or undefined where there are none. */
  readonly blocks: Uint8Array | undefined;
  readonly changes: SeriesChanges;
  readonly alerts: readonly AlertRow[];
  readonly events: readonly AlertEventRow[];
  readonly metadata: readonly { series: number; observedUs: number; struct: Uint8Array }[];
  /** Attributes of sensors that came with these records. */
  readonly attributes?: readonly AttributeChange[];
  readonly chunks: readonly StateChunk[];
  /** What people did in these records that a rebuilding or a backtest needs: `Control` messages in binary form. */
  readonly settings: readonly LoggedControl[];
  /** Labels of alerts that came with these records. */
  readonly labels?: readonly LabelRow[];
  /** Sensors that were deleted or retired in these records. */
  readonly deletions?: readonly DeletionRow[];
  readonly retirements?: readonly RetirementRow[];
  readonly placements?: readonly PlacementRow[];
  /** Set where the last record says that time has passed: the id clock and the log's time after it. */
  readonly ticked?: { readonly tick: number; readonly receivedUs: number } | undefined;
  /** `RecordOutcome` messages in binary form by offset, where other processes may ask for them. */
  readonly outcomes: readonly { offset: number; outcome: Uint8Array }[];
  /** What of these records, or of earlier ones whose readings waited, is set aside. */
  readonly quarantined?: readonly QuarantinedRow[];
}

/** The store refuses a commit for what is in it: a retry would be refused again. */
export class RefusedError extends Error {
  readonly sqlstate: string;

  constructor(cause: Error, sqlstate: string) {
    super(cause.message, { cause });
    this.name = "RefusedError";
    this.sqlstate = sqlstate;
  }
}

/**
 * The partition is not where its owner left it: it is to be opened again. Another process has stored past the expected offset, or has
 * replaced the state; or the database has crashed, and its last commits, which do not wait for the disk, went back to the log.
 */
export class FencedError extends Error {
  constructor(partition: number, expected: number, found: number) {
    super(`partition ${partition} is at offset ${found}, not ${expected}: ${meaning(expected, found)}`);
    this.name = "FencedError";
  }
}

function meaning(expected: number, found: number): string {
  if (found < 0) return "the store does not have the partition any more";
  if (found < expected)
    return "the database has lost its last commits (a crash takes them back), and they are read again from the log";
  if (found === expected) return "its saved state was replaced by another owner";
  return "another process owns it now";
}

export interface Store {
  readPartition(partition: number): Promise<PartitionRow>;
  /** What is saved of a partition's state, in no order. */
  readChunkVersions(partition: number): Promise<Pick<StateChunk, "chunk" | "version">[]>;
  /** The same with its bytes, by number, portion by portion: all of it may be more than there is memory for twice. */
  readChunks(partition: number): AsyncIterable<StateChunk>;
  /** Every series of the partition, in the order of their ids. */
  readSeries(partition: number): Promise<(SeriesRow & { id: number })[]>;
  /** Ids for series seen for the first time (or found to exist), in the order given. */
  addSeries(partition: number, series: readonly SeriesRow[]): Promise<number[]>;
  modelNumber(version: string): Promise<number>;
  /** Of the readings of these series (one sensor's), those stored for the times asked for, by time; perhaps others beside them. */
  valuesAt(series: readonly number[], timesUs: readonly number[]): Promise<Map<number, number>>;
  /** Resolves when the commit is in; retries while the database is unavailable; rejects with FencedError, and RefusedError where it never will be. */
  commit(commit: Commit): Promise<void>;
  /** Whether the store would refuse the commit for its data: all of it is done and taken back. Rejects with FencedError. */
  tryCommit(commit: Commit): Promise<RefusedError | undefined>;
  /** What of the records from the offset on is set aside. */
  readQuarantined(partition: number, from: number): Promise<QuarantinedKey[]>;
  /** Settings that came before the offset, in the order of the log. Those that were made before their places were kept are at the time 0. */
  readSettings(partition: number, beforeOffset: number): Promise<LoggedControl[]>;
  readAlert(id: number): Promise<AlertRow | undefined>;
  /** Those of the alerts that there are, in no order. */
  readAlerts(ids: readonly number[]): Promise<AlertRow[]>;
  /** Alerts of the partition that are open, by id. Looks through all alerts: for rare occasions. */
  readOpenAlerts(partition: number): Promise<AlertRow[]>;
  /** The newest readings of a partition's series, in no order; late ones do not count. */
  readNewest(partition: number): Promise<NewestRow[]>;
  /** Like a commit, for the state alone. */
  replaceState(replacement: StateReplacement): Promise<void>;
  /** The same beside what is saved. Tried once: whoever opens the partition next does without it, too. */
  saveState(saving: StateSaving): Promise<void>;
  close(): Promise<void>;
}
