import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";

/** What became of the readings of a fragment: accepted, duplicate, conflicting, late. Refused ones never reach the log. */
export type Counts = readonly [accepted: number, duplicate: number, conflicting: number, late: number];

export interface Conflict {
  /** Index of the reading in its batch. */
  readonly index: number;
  readonly message: string;
}

export interface FragmentOutcome {
  readonly counts: Counts;
  readonly conflicts: readonly Conflict[];
  /** The stored readings with their index in the batch, where the sender asked for them. */
  readonly stored: readonly { index: number; reading: ScoredReading }[];
}

/** What became of a log record: an outcome for each of its fragments, in order. */
export interface RecordOutcome {
  readonly offset: number;
  readonly fragments: readonly FragmentOutcome[];
}
