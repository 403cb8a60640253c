/** Decides what of a partition's records is set aside when they cannot be scored or stored. */

import type { Control } from "../../gen/es/telltale/v1/log_pb.ts";
import { TelltaleError } from "../errors.ts";
import type { LoggedRecord } from "../log/record/decode.ts";
import { decodeRecord, emptyRecord, NewerRecordError } from "../log/record/decode.ts";
import { CONTROL_PLACE, FencedError, type QuarantinedRow, RefusedError, type Store } from "../store/store.ts";
import { type Attempt, type Fault, narrow } from "./narrow.ts";
import { controlRow, type Quarantine, readingPayload, recordRow, type Why } from "./quarantine.ts";
import { type Rows, rowOf } from "./rows.ts";
import type { PartitionState } from "./state.ts";

/** Readings of one record at which the detector fails that are set aside by themselves: each costs an opening of the partition. */
const MAX_UNSCORABLE = 8;

/** Something is set aside: the partition is to be opened again, and goes on without it. */
export class SetAsideError extends Error {
  constructor(readings: number, controls: number, cause: Error) {
    super(`${readings} readings and ${controls} controls are set aside: ${cause.message}`, { cause });
    this.name = "SetAsideError";
  }
}

/** A record with the controls that are not set aside, each with its index. */
export interface ReadRecord extends LoggedRecord {
  readonly left: readonly { readonly index: number; readonly control: Control }[];
}

/** A record, or nothing in place of one that cannot be read. Throws NewerRecordError: that one is not this program's to judge. */
export function readRecord(offset: number, bytes: Uint8Array, state: PartitionState): ReadRecord {
  let record: LoggedRecord;
  try {
    record = decodeRecord(bytes);
  } catch (error) {
    if (error instanceof NewerRecordError || !(error instanceof Error)) throw error;
    const why = { reason: `the record cannot be read: ${error.message}`, sqlstate: "", receivedUs: state.receivedUs };
    state.quarantine.addRecord(recordRow(offset, bytes, undefined, why));
    return { ...emptyRecord(bytes, 0), left: [] };
  }
  if (state.quarantine.isWhole(offset)) {
    const fragments = record.fragments.map((f) => ({ ...f, runs: [] }));
    return { ...record, fragments, controls: [], tick: false, left: [] };
  }
  const setAside = state.quarantine.of(offset);
  const controls = record.controls.map((control, index) => ({ index, control }));
  return { ...record, left: controls.filter(({ index }) => !setAside?.has(CONTROL_PLACE, index)) };
}

/** The records of a run, with the controls that they had in the log. */
export interface RunFacts {
  readonly lastOffset: number;
  readonly receivedUs: number;
  /** Controls of the last record that are not set aside, with their index in it. */
  readonly controls: ReadRecord["left"];
}

/** The store has refused a commit: finds out why, and sets that aside. Undefined where neither a reading nor a control is at fault. */
export async function setAsideRefused(
  refused: RefusedError,
  attempt: Attempt,
  run: RunFacts,
  store: Store,
  quarantine: Quarantine,
): Promise<SetAsideError | undefined> {
  const fault = await narrow(attempt, store);
  const rows = [...readingRows(fault, attempt.rows, run.receivedUs), ...controlRows(fault, run)];
  for (const row of rows) quarantine.add(row);
  if (rows.length === 0) return undefined;
  return new SetAsideError(fault.rows.size, rows.length - fault.rows.size, refused);
}

/** The detector has failed at one reading, and not at those before it. */
class UnscorableError extends Error {
  readonly reading: QuarantinedRow;

  constructor(reading: QuarantinedRow, cause: Error) {
    super(cause.message, { cause });
    this.name = "UnscorableError";
    this.reading = reading;
  }
}

/**
 * Scores the rows of a run, one by one where its record is suspected: the results are the same, and it is known at which reading the
 * detector fails.
 */
export function scoreRows(
  rows: Rows,
  { sensors, quarantine, receivedUs }: PartitionState,
  run: readonly Unscored[],
): void {
  const { detector } = sensors;
  const [only] = run;
  rows.batch.length = rows.points.length;
  if (only === undefined || run.length > 1 || !quarantine.suspects.has(only.offset)) {
    detector.score(rows.batch);
    return;
  }
  for (let row = 0; row < rows.batch.length; row++) {
    try {
      detector.score(rowOf(rows.batch, row));
    } catch (error) {
      if (!isOwnMistake(error)) throw error;
      const why = { reason: `the reading cannot be scored: ${error.message}`, sqlstate: "", receivedUs };
      throw new UnscorableError(readingRow(rows, row, why), error);
    }
  }
}

/**
 * A run of records could not be scored, which is a mistake of ours. The records are taken each by itself from then on; of one that fails by
 * itself again the reading is set aside at which the detector fails, or the whole where it is not one of a few. Answers with the error to
 * go on with.
 */
export function setAsideUnscored(error: unknown, run: readonly Unscored[], quarantine: Quarantine): unknown {
  if (!isOwnMistake(error)) return error;
  const [only] = run;
  if (run.length > 1 || only === undefined || !quarantine.suspects.has(only.offset)) {
    for (const { offset } of run) quarantine.suspects.set(offset, quarantine.suspects.get(offset) ?? 0);
    return error;
  }
  const { offset, record } = only;
  const found = quarantine.suspects.get(offset)!;
  if (error instanceof UnscorableError && found < MAX_UNSCORABLE) {
    quarantine.add(error.reading);
    quarantine.suspects.set(offset, found + 1);
    return new SetAsideError(1, 0, error);
  }
  const why = {
    reason: `the record cannot be scored: ${error.message}`,
    sqlstate: "",
    receivedUs: record.receivedAtUs,
  };
  quarantine.addRecord(recordRow(offset, record.bytes, record, why));
  quarantine.suspects.delete(offset);
  return new SetAsideError(record.readings, record.controls.length, error);
}

interface Unscored {
  readonly offset: number;
  readonly record: LoggedRecord;
}

/** Not one of the database, the log or the system, nor want of memory. Those have a code; Node's about values have one too. */
function isOwnMistake(error: unknown): error is Error {
  if (!(error instanceof Error) || error instanceof FencedError || error instanceof RefusedError) return false;
  if (error instanceof SetAsideError || error instanceof TelltaleError) return false;
  // "memory access out of bounds" is the kernel's, and no want of it.
  if (error instanceof WebAssembly.RuntimeError) return true;
  const isAboutValues = error instanceof TypeError || error instanceof RangeError;
  if ("code" in error && !isAboutValues) return false;
  return !/memory|allocation/i.test(error.message);
}

function readingRows({ rows: found }: Fault, rows: Rows, receivedUs: number): QuarantinedRow[] {
  return [...found].map(([row, { message, sqlstate }]) =>
    readingRow(rows, row, { reason: message, sqlstate, receivedUs }),
  );
}

export function readingRow(rows: Rows, row: number, why: Why): QuarantinedRow {
  const { offset, place } = rows.outcomes[row]!;
  const series = rows.series[row]!;
  const { timeUs, value } = rows.points;
  const taken = { series, timeUs: timeUs[row]!, value: value[row]!, struct: rows.metadata.get(row) };
  const payload = readingPayload(taken);
  const { sensorId } = series;
  return { offset, fragment: place, index: rows.indices[row]!, readings: 1, sensorId, ...why, payload };
}

function controlRows({ controls: refused }: Fault, run: RunFacts): QuarantinedRow[] {
  if (refused === undefined) return [];
  const why = { reason: refused.message, sqlstate: refused.sqlstate, receivedUs: run.receivedUs };
  return run.controls.map(({ index, control }) => controlRow(run.lastOffset, index, control, why));
}
