import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";

export interface Conflict {
  /** Index of the reading in its batch. */
  readonly index: number;
  readonly message: string;
}

/**
 * What became of the readings of a fragment: one shape from the commit to the answer, with the names that the contract has for it.
 * Refused ones never reach the log.
 */
export interface FragmentOutcome {
  /** Stored; `late` of them older than the sensor's newest. */
  readonly accepted: number;
  readonly duplicate: number;
  readonly conflicting: number;
  readonly late: number;
  /** Set aside. */
  readonly quarantined: number;
  readonly conflicts: readonly Conflict[];
  /** The stored readings with their index in the batch, where the sender asked for them. */
  readonly stored: readonly { index: number; reading: ScoredReading }[];
  /** Indices of what is set aside, in the batch where it came for the first time. */
  readonly quarantinedIndices: readonly number[];
}

/** What became of a log record: an outcome for each of its fragments, in order. */
export interface RecordOutcome {
  readonly offset: number;
  readonly fragments: readonly FragmentOutcome[];
}
