import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { shown } from "../ingest/check.ts";
import type { TracedBatch } from "../observe/batch-spans.ts";
import type { LoggedFragment } from "../record/decode.ts";
import type { Conflict, FragmentOutcome, RecordOutcome } from "./outcome.ts";
import type { Tally } from "./producers.ts";
import type { Rows } from "./rows.ts";
import { toScored } from "./scored.ts";

/** A record's outcome while it is being found. */
export interface OpenRecord {
  readonly offset: number;
  readonly receivedUs: number;
  readonly fragments: OpenOutcome[];
}

/** A fragment's outcome while it is being found. */
export interface OpenOutcome {
  readonly fragment: LoggedFragment;
  /** Of a batch seen before, that of its first copy. */
  tally: Tally;
  readonly conflicts: Conflict[];
  /** Rows and indices of stored readings, where the sender wants them. */
  readonly echo: { row: number; index: number }[];
  readonly stored: { index: number; reading: ScoredReading }[];
}

/** Conflicts described one by one for each fragment; counts are always complete. */
const MAX_CONFLICTS = 1000;

export function openOutcome(fragment: LoggedFragment): OpenOutcome {
  const tally = { accepted: 0, duplicate: 0, conflicting: 0, late: 0, held: 0 };
  return { fragment, tally, conflicts: [], echo: [], stored: [] };
}

/** A reading for a time that the sensor has already: the first value stays. */
export function compare(
  o: OpenOutcome,
  index: number,
  sensorId: string,
  timeUs: number,
  value: number,
  there: number,
): void {
  if (Object.is(value, there)) {
    o.tally.duplicate++;
    return;
  }
  o.tally.conflicting++;
  if (o.conflicts.length >= MAX_CONFLICTS) return;
  const at = new Date(timeUs / 1000).toISOString();
  const message = `sensor ${shown(sensorId)} has the value ${there} at ${at}: ${value} was not stored`;
  o.conflicts.push({ index, message });
}

/** Whether the reorder hold has readings of the record. */
export function waits({ fragments }: OpenRecord): boolean {
  return fragments.some((f) => f.tally.held > 0);
}

/** Takes what the senders asked to hear of from the rows, before they are used again. */
export function keepEchoes(open: readonly OpenRecord[], rows: Rows, modelVersion: string): void {
  for (const { fragments } of open) {
    for (const { echo, stored } of fragments) {
      for (const { row, index } of echo.splice(0)) stored.push({ index, reading: toScored(rows, row, modelVersion) });
    }
  }
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

function finishFragment({ tally: t, conflicts, stored }: OpenOutcome): FragmentOutcome {
  return { counts: [t.accepted, t.duplicate, t.conflicting, t.late], conflicts, stored };
}
