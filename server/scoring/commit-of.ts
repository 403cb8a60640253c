/** From a scored run of records to the commit that stores it, and to what is reported of it once it is in. */
import { toBinary } from "@bufbuild/protobuf";
import { RecordOutcomeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import type { RecordOutcome } from "../log/outcome.ts";
import { toNotice } from "../log/outcome-notice.ts";
import type { TracedBatch } from "../observe/batch-spans.ts";
import type { AlertEventRow, Commit, LoggedControl, PartitionRow, QuarantinedRow } from "../store/store.ts";
import type { AlertChanges } from "./alerts.ts";
import type { ControlRows } from "./controls.ts";
import type { Sorted } from "./deduplicate.ts";
import { finish, type OpenRecord, tracedBatches } from "./open-outcome.ts";
import { type Packed, pack, type Rows } from "./rows.ts";
import type { ReplayPoint } from "./sensors.ts";
import type { RunFacts } from "./set-aside.ts";
import type { PartitionState } from "./state.ts";

/** The result of a commit, published once it is in. */
export interface Committed {
  readonly partition: number;
  readonly nextOffset: number;
  readonly outcomes: readonly RecordOutcome[];
  readonly events: readonly AlertEventRow[];
  readonly rows: Rows;
  /** Rows from here on are late. */
  readonly firstLate: number;
  /** Readings stored by sensor type. */
  readonly byType: ReadonlyMap<string, number>;
  readonly modelVersion: string;
  readonly readings: number;
  readonly anomalies: number;
  /** First record that a rebuilding needs: the log may drop what is before. */
  readonly replayOffset: number;
  readonly commitMs: number;
  readonly scoreMs: number;
  readonly oldestReceivedUs: number;
  /** By how much the last record's arrival is before the newest arrival of the partition's log, microseconds; 0 where it is the newest. */
  readonly clockBehindUs: number;
  /** Batches of these records that have a trace context. */
  readonly traced: readonly TracedBatch[];
  /** What was set aside of these records. */
  readonly quarantined: readonly QuarantinedRow[];
  /** Sensors that sent in another unit than before for the first time. */
  readonly unitChanges: number;
}

/** A run of records that is scored and not yet stored. */
export interface Scored extends Sorted {
  readonly facts: RunFacts;
  readonly records: readonly OpenRecord[];
  readonly changes: AlertChanges;
  readonly settings: readonly LoggedControl[];
  readonly controlRows: ControlRows;
  readonly ticked: Commit["ticked"];
  readonly scoreMs: number;
  readonly oldestReceivedUs: number;
  /** By how much the last record's arrival is before the newest arrival of the partition's log, microseconds; 0 where it is the newest. */
  readonly clockBehindUs: number;
}

/** What is reported of a commit, but for what is known only once it is in. */
type Report = Omit<Committed, "commitMs" | "unitChanges">;

/**
 * Packs a run, moves `state.row` to where the store will be, and takes the chunks of state whose turn it is.
 *
 * @param about.firstLate rows from here on are late
 * @param about.done records of which nothing waits any more
 */
export function commitOf(
  scored: Scored,
  about: {
    readonly partition: number;
    readonly state: PartitionState;
    readonly model: number;
    readonly firstLate: number;
    readonly done: readonly OpenRecord[];
    readonly keepOutcomes: boolean;
  },
): { readonly commit: Commit; readonly report: Report; readonly quarantined: readonly QuarantinedRow[] } {
  const { rows, changes, settings, controlRows, ticked, scoreMs, oldestReceivedUs, clockBehindUs } = scored;
  const { partition, state, model, firstLate, done, keepOutcomes } = about;
  const packed = pack(rows, firstLate, model);
  const readings = rows.points.length;
  const chunks = state.chunksToSave(readings);
  const expectedOffset = state.row.nextOffset;
  const { events } = changes;
  const next = nextRow(state, events.length);
  state.row = next;
  const outcomes = done.map(finish);
  const quarantined = state.quarantine.takeBefore(next.nextOffset);
  const sums = { readings, anomalies: packed.anomalies };
  const commit: Commit = {
    ...{ partition, expectedOffset, next, ...sums, late: readings - firstLate },
    ...{ blocks: packed.blocks, changes: packed.changes, alerts: [...changes.alerts.values()], events },
    ...{ metadata: metadataRows(rows), attributes: [...rows.attributes] },
    ...{ settings, ...controlRows, ticked, chunks, quarantined },
    outcomes: keepOutcomes ? outcomes.map(encodeOutcome) : [],
  };
  const report: Report = {
    ...{ partition, nextOffset: next.nextOffset, replayOffset: next.replayOffset, outcomes, events, rows, firstLate },
    ...{ ...sums, byType: countByType(packed), modelVersion: state.sensors.detector.modelVersion },
    ...{ scoreMs, oldestReceivedUs, clockBehindUs, traced: tracedBatches(done), quarantined },
  };
  return { commit, report, quarantined };
}

function nextRow(state: PartitionState, events: number): PartitionRow {
  const { next, tick, receivedUs, row } = state;
  return {
    ...{ nextOffset: next, ...replayOf(state.replayPoint()), tick, receivedUs },
    ...{ nextEvent: row.nextEvent + events, stateEpoch: row.stateEpoch },
  };
}

function metadataRows({ metadata, series, points }: Rows): Commit["metadata"] {
  return [...metadata].map(([row, struct]) => ({
    series: series[row]!.id,
    observedUs: points.timeUs[row]!,
    struct,
  }));
}

/** A replay point in the form of the store. */
export function replayOf({ offset, tick, receivedUs, tickedUs }: ReplayPoint) {
  return { replayOffset: offset, replayTick: tick, replayReceivedUs: receivedUs, replayTickedUs: tickedUs };
}

function countByType({ series, changes }: Packed): Map<string, number> {
  const counts = new Map<string, number>();
  series.forEach((s, i) => {
    counts.set(s.sensorType, (counts.get(s.sensorType) ?? 0) + changes.readings[i]!);
  });
  return counts;
}

function encodeOutcome(o: RecordOutcome): { offset: number; outcome: Uint8Array } {
  return { offset: o.offset, outcome: toBinary(RecordOutcomeSchema, toNotice(o)) };
}
