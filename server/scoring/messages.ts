/** What the main thread and a scoring thread say to each other. Everything in it survives a structured clone. */
import type { LogLevel } from "../config.ts";
import type { LogEntry } from "../log/log.ts";
import type { RecordOutcome } from "../log/outcome.ts";
import type { TracedBatch } from "../observe/batch-spans.ts";
import type { SqlAddress } from "../postgres/connection.ts";
import type { RecoveryKind } from "./recover.ts";

export interface ScorerData {
  readonly address: SqlAddress;
  readonly logLevel: LogLevel;
  readonly threshold: number;
  readonly runtime: string;
  readonly modelPath: string | undefined;
  readonly alarmsPerSensorDay: number;
  /** Whether outcomes are kept in the store for other processes. */
  readonly keepOutcomes: boolean;
  /** Readings that one thread makes messages of for watchers. */
  readonly watchedPerSecond: number;
}

/** Which stored readings somebody is watching: only those are made into messages. */
export interface Interest {
  /** Of all sensors; those named below come besides. */
  readonly all: "nothing" | "anomalies" | "everything";
  readonly sensors: readonly string[];
  readonly types: readonly string[];
}

export type ToScorer =
  /** `oldest`: offset of the first record that the log still has. */
  | { readonly kind: "open"; readonly partition: number; readonly oldest: number }
  | { readonly kind: "records"; readonly partition: number; readonly entries: readonly LogEntry[] }
  | { readonly kind: "close"; readonly partition: number }
  | { readonly kind: "interest"; readonly interest: Interest | undefined }
  /** Ids that are shown of sensors, by their keys. */
  | { readonly kind: "names"; readonly names: ReadonlyMap<string, string> }
  | { readonly kind: "stop" };

export interface CommitNotice {
  readonly kind: "committed";
  readonly partition: number;
  readonly nextOffset: number;
  readonly replayOffset: number;
  readonly outcomes: readonly RecordOutcome[];
  /** `AlertEvent` messages in binary form. */
  readonly events: readonly Uint8Array[];
  /** A `LiveReadingsNotice` in binary form, where somebody is watching. */
  readonly live: Uint8Array | undefined;
  readonly readings: number;
  readonly late: number;
  readonly sensors: number;
  readonly byType: ReadonlyMap<string, number>;
  /** Anomalous readings by severity. */
  readonly bySeverity: readonly number[];
  readonly duplicates: number;
  readonly conflicts: number;
  /** Readings and controls set aside. */
  readonly quarantined: { readonly readings: number; readonly controls: number };
  readonly unitChanges: number;
  readonly commitMs: number;
  readonly scoreMs: number;
  readonly lagMs: number;
  /** By how much the clock that stamped the last record is behind the newest stamp of the partition's log; 0 where it is not. */
  readonly clockBehindMs: number;
  readonly modelVersion: string;
  /** Batches with a trace context that are stored now. */
  readonly traced: readonly TracedBatch[];
}

export type FromScorer =
  | { readonly kind: "ready"; readonly modelVersion: string }
  /** The thread cannot start: a sentence for people. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "opened"; readonly partition: number; readonly from: number; readonly recovery: RecoveryKind }
  /** Everything is stored and closed: the thread may be ended. */
  | { readonly kind: "stopped" }
  | { readonly kind: "taken"; readonly partition: number }
  | { readonly kind: "closed"; readonly partition: number }
  /** `atOnce`: there is no reason to wait before it is opened again. `fenced`: another process owns it. */
  | {
      readonly kind: "failed";
      readonly partition: number;
      readonly message: string;
      readonly atOnce: boolean;
      readonly fenced: boolean;
    }
  /** The database does not take what it is given, and is asked again: SQLSTATE or the system's code, and what it said. */
  | { readonly kind: "unavailable"; readonly code: string; readonly message: string }
  | CommitNotice;
