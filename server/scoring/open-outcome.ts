import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { Conflict, FragmentOutcome, RecordOutcome } from "../log/outcome.ts";
import type { LoggedFragment } from "../log/record/decode.ts";
import type { TracedBatch } from "../observe/batch-spans.ts";
import type { Tally } from "./producers.ts";

/** A record's outcome while it is being found. */
export interface OpenRecord {
  readonly offset: number;
  readonly receivedUs: number;
  readonly fragments: OpenOutcome[];
}

/** A fragment's outcome while it is being found. */
export interface OpenOutcome {
  readonly fragment: LoggedFragment;
  /** Of its record, and its place there. */
  readonly offset: number;
  readonly place: number;
  /** Of a batch seen before, that of its first copy. */
  tally: Tally;
  readonly conflicts: Conflict[];
  /** Rows and indices of stored readings, where the sender wants them. */
  readonly echo: { row: number; index: number }[];
  readonly stored: { index: number; reading: ScoredReading }[];
  /** Indices of readings that are set aside. */
  readonly setAside: number[];
}

/** Conflicts described one by one for each fragment; counts are always complete. */
const MAX_CONFLICTS = 1000;

export function openOutcome(fragment: LoggedFragment, offset: number, place: number): OpenOutcome {
  const tally = { accepted: 0, duplicate: 0, conflicting: 0, late: 0, buffered: 0 };
  return { fragment, offset, place, tally, conflicts: [], echo: [], stored: [], setAside: [] };
}

/** A reading for a time that the sensor has already: the first value stays. 0 and -0 are the same value. */
export function compare(o: OpenOutcome, index: number, timeUs: number, value: number, there: number): void {
  if (value === there) {
    o.tally.duplicate++;
    return;
  }
  o.tally.conflicting++;
  if (!isFull(o)) describeConflict(o, index, timeUs, value, there);
}

/** Whether as many conflicts are described as there may be. */
export function isFull({ conflicts }: OpenOutcome): boolean {
  return conflicts.length >= MAX_CONFLICTS;
}

/** Without the sensor's id: the sender knows by which it sent, and may not see the sensor by another one. */
export function describeConflict(o: OpenOutcome, index: number, timeUs: number, value: number, there: number): void {
  const at = new Date(timeUs / 1000).toISOString();
  const message = `the sensor has the value ${there} at ${at}: ${value} was not stored`;
  o.conflicts.push({ index, message });
}

/** Whether the reorder buffer has readings of the record. */
export function waits({ fragments }: OpenRecord): boolean {
  return fragments.some((f) => f.tally.buffered > 0);
}

/** The batches of the records that were logged with a trace context. */
export function tracedBatches(records: readonly OpenRecord[]): TracedBatch[] {
  return records.flatMap(({ offset, receivedUs, fragments }) =>
    fragments
      .filter(({ fragment }) => fragment.traceparent !== "")
      .map(({ fragment: { traceparent, readings } }) => ({ traceparent, offset, receivedUs, readings })),
  );
}

export function finish({ offset, fragments }: OpenRecord): RecordOutcome {
  return { offset, fragments: fragments.map(finishFragment) };
}

function finishFragment({ fragment, tally: t, conflicts, stored, setAside }: OpenOutcome): FragmentOutcome {
  // What is neither is set aside: also of a resent batch, whose first copy's tally is all that is remembered.
  const quarantined = fragment.readings - t.accepted - t.duplicate - t.conflicting;
  conflicts.sort((a, b) => a.index - b.index);
  const { accepted, duplicate, conflicting, late } = t;
  return { accepted, duplicate, conflicting, late, quarantined, conflicts, stored, quarantinedIndices: setAside };
}
