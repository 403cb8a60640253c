/**
 * The owner of one partition: takes its log records in order, sorts out what is new, scores it, keeps the alerts, and stores the
 * result with the offset in one transaction. While one run of records is being stored the next is being scored.
 *
 * Everything decided here follows from the records alone, so that reading them again, after a crash or by another process, gives
 * the same rows, alerts and numbers.
 */
import { toBinary } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { RecordOutcomeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import type { Detector } from "../detect/index.ts";
import type { LogEntry } from "../log/log.ts";
import type { TracedBatch } from "../observe/batch-spans.ts";
import { decodeRecord, type LoggedRecord } from "../record/decode.ts";
import type { AlertEventRow, Commit, LabelRow, LoggedControl, PartitionRow, Store } from "../store/store.ts";
import { AlertChanges, Alerts } from "./alerts.ts";
import { type LateReading, placeLate } from "./late.ts";
import { toNotice } from "./notices.ts";
import { finish, keepEchoes, type OpenRecord, tracedBatches, waits } from "./open-outcome.ts";
import type { RecordOutcome } from "./outcome.ts";
import { catchUp, type Recovery, type RecoveryKind, recover } from "./recover.ts";
import { type Packed, pack, Rows } from "./rows.ts";
import type { ReplayPoint } from "./sensors.ts";
import { type Sorted, Sorter } from "./sort.ts";
import { PartitionState } from "./state.ts";

/** State saved when a partition is given up, at most: memory for all partitions of a process at once, and well under a second of writing. */
const SAVE_AT_CLOSE_BYTES = 16 * 1024 * 1024;

/** What a commit did, told once it is in. */
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
  /** Batches of these records that have a trace context. */
  readonly traced: readonly TracedBatch[];
}

export interface OwnerOptions {
  readonly partition: number;
  readonly store: Store;
  readonly createDetector: () => Detector;
  readonly logger: Logger;
  readonly onCommitted: (committed: Committed) => void;
  /** Whether other processes append to the log and may ask the store for outcomes. */
  readonly keepOutcomes: boolean;
}

interface Taken {
  readonly offset: number;
  readonly record: LoggedRecord;
}

/** A run of records that is scored and not yet stored. */
interface Scored extends Sorted {
  readonly records: readonly OpenRecord[];
  readonly changes: AlertChanges;
  readonly settings: readonly LoggedControl[];
  readonly labels: readonly LabelRow[];
  readonly ticked: Commit["ticked"];
  readonly scoreMs: number;
  readonly oldestReceivedUs: number;
}

export class PartitionOwner {
  readonly #o: OwnerOptions;
  readonly #state: PartitionState;
  readonly #sorter: Sorter;
  readonly #alerts: Alerts;
  #model = 0;
  #recovery!: Recovery;
  /** Two sets of columns: one is stored while the other is filled. */
  readonly #rows = [new Rows(4096), new Rows(4096)];
  #turn = 0;
  /** Records of which the reorder hold has readings. */
  #unfinished: OpenRecord[] = [];
  #inFlight: Promise<void> = Promise.resolve();
  #failure: unknown;
  #abandoned = false;

  constructor(options: OwnerOptions) {
    this.#o = options;
    this.#state = new PartitionState(options.createDetector());
    this.#sorter = new Sorter(this.#state, options.partition);
    this.#alerts = new Alerts(this.#state);
  }

  get sensors(): number {
    return this.#state.sensors.ids.length;
  }

  /**
   * Loads the state from the store and answers with the first record wanted. `oldest` is the first that the log still has. Rejects
   * with TelltaleError "conflict" where records that were never stored are gone.
   */
  async open(oldest: number): Promise<{ from: number; recovery: RecoveryKind }> {
    const { store, partition, logger } = this.#o;
    const state = this.#state;
    this.#recovery = await recover(state, partition, oldest, store, logger);
    const recovery = this.#recovery.kind;
    this.#model = await store.modelNumber(state.sensors.detector.modelVersion);
    const { next: from, row } = state;
    if (!state.rebuilding) await this.#live();
    logger.info({ partition, from, stored: row.nextOffset, sensors: this.sensors, recovery }, "partition opened");
    return { from, recovery };
  }

  /** The state is as of the store's offset: from here on, results count. */
  async #live(): Promise<void> {
    const { store, partition, logger } = this.#o;
    const state = this.#state;
    state.rebuilding = false;
    // The others were told when they were stored.
    this.#unfinished = this.#unfinished.filter(waits);
    state.tick = Math.max(state.tick, state.row.tick);
    state.receivedUs = Math.max(state.receivedUs, state.row.receivedUs);
    const { kind } = this.#recovery;
    if (kind === "warmed" || kind === "patched") await catchUp(state, partition, this.#recovery, store, logger);
    await this.#alerts.load(store);
    if (kind !== "loaded") await this.#replace();
  }

  /** Saves all of the state in place of what is saved, before the first commit: versions are never mixed. */
  async #replace(): Promise<void> {
    const { store, partition, logger } = this.#o;
    const state = this.#state;
    const before = state.row;
    const changes = new AlertChanges(partition, before.nextEvent);
    this.#alerts.reconcile(await store.readOpenAlerts(partition), changes);
    const { alerts, events } = changes;
    const after: PartitionRow = {
      ...before,
      ...replayOf(state.hold.oldest ?? state.at(state.next)),
      nextEvent: before.nextEvent + events.length,
      stateEpoch: before.stateEpoch + 1,
    };
    const chunks = () => state.saveAll();
    await store.replaceState({ partition, before, after, chunks, alerts: [...alerts.values()], events });
    state.row = after;
    logger.info({ partition, at: state.next, sensors: this.sensors, alerts: alerts.size }, "saved state replaced");
  }

  /** Takes records in rising order of offset. Resolves once the next may come; rejects when a commit has failed. */
  async take(entries: readonly LogEntry[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const state = this.#state;
    let run: Taken[] = [];
    for (const { offset, bytes } of entries) {
      if (this.#abandoned) return;
      if (offset < state.next) continue;
      const record = decodeRecord(bytes);
      if (state.rebuilding && offset < state.row.nextOffset) {
        this.#rebuild({ offset, record });
        continue;
      }
      if (state.rebuilding) await this.#live();
      run.push({ offset, record });
      // What people did comes after all readings logged before it: it ends the run, so that the cut changes nothing.
      if (record.controls.length === 0 && !record.tick) continue;
      await this.#advance(run);
      run = [];
    }
    if (this.#abandoned) return;
    if (run.length > 0) await this.#advance(run);
    // Not only when the next record comes: what is replaced must not wait for one.
    else if (state.rebuilding && state.next >= state.row.nextOffset) await this.#live();
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    await this.#inFlight;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Takes no more: what is not under way is another owner's. */
  abandon(): void {
    this.#abandoned = true;
  }

  /**
   * Waits for what is under way and saves what is left of the state, so that whoever opens the partition next need not read the log
   * again for it. Where that fails nothing is lost but time.
   */
  async close(): Promise<void> {
    this.abandon();
    await this.settle();
    const { store, partition, logger } = this.#o;
    const state = this.#state;
    if (state.row === undefined || state.rebuilding) return;
    const chunks = state.chunksLeft(SAVE_AT_CLOSE_BYTES);
    if (chunks.length === 0) return;
    const after = { ...state.row, ...replayOf(state.replayPoint()) };
    await store.saveState({ partition, before: state.row, after, chunks: () => chunks }).catch((error: unknown) => {
      logger.info({ err: error, partition }, "the state was not saved at the end: it is read again from the log");
    });
  }

  /** Brings the state past a record that is stored already. */
  #rebuild({ offset, record }: Taken): void {
    const state = this.#state;
    const rows = this.#rows[0]!;
    rows.clear(record.readings + state.hold.size);
    const late: LateReading[] = [];
    const receivedUs = record.receivedAtUs;
    const open = { offset, receivedUs, fragments: this.#sorter.take(record, offset, { rows, late }) };
    // Whether a late reading was new then is not asked again: a resent copy of it is a duplicate now.
    for (const l of late) l.outcome.tally.duplicate++;
    // What waits at the end of the rebuilding is told when it goes on.
    if (waits(open)) this.#unfinished.push(open);
    rows.batch.length = rows.points.length;
    const { detector, episodes } = state.sensors;
    detector.score(rows.batch);
    for (let i = 0; i < rows.points.length; i++) episodes.observe(rows.batch, i, rows.points.id[i]!);
    keepEchoes(this.#unfinished, rows, detector.modelVersion);
    for (const control of record.controls) if (!state.set(control, offset)) this.#alerts.apply(control, offset);
    if (record.tick) state.silence(offset);
  }

  async #advance(run: readonly Taken[]): Promise<void> {
    const scored = await this.#score(run);
    const { rows, late } = scored;
    await this.#state.series.name(this.#o.store, this.#o.partition);
    const firstLate = rows.points.length;
    if (late.length > 0) {
      // Late readings are compared with what is stored: what is under way must be in first.
      await this.settle();
      await placeLate(late, rows, this.#o.store, this.#state.series);
    }
    await this.#store(scored, firstLate);
  }

  async #score(run: readonly Taken[]): Promise<Scored> {
    const started = performance.now();
    const { partition, store } = this.#o;
    const state = this.#state;
    const rows = this.#rows[this.#turn]!;
    this.#turn = 1 - this.#turn;
    rows.clear(run.reduce((n, { record }) => n + record.readings, state.hold.size));
    const late: LateReading[] = [];
    const records = this.#unfinished;
    for (const { offset, record } of run) {
      const fragments = this.#sorter.take(record, offset, { rows, late });
      records.push({ offset, receivedUs: record.receivedAtUs, fragments });
    }
    rows.batch.length = rows.points.length;
    state.sensors.detector.score(rows.batch);
    const changes = new AlertChanges(partition, state.row.nextEvent);
    this.#alerts.observe(rows, changes);
    // Only the last record of a run has any.
    const { offset, record: last } = run[run.length - 1]!;
    const settings: LoggedControl[] = [];
    const stored = async (id: number) => {
      await this.settle();
      return store.readAlert(id);
    };
    const { tick, receivedUs } = state;
    for (const control of last.controls) {
      if (!state.set(control, offset)) await this.#alerts.control(control, offset, changes, stored);
      // That somebody has seen an alert changes no result.
      if (control.action.case === "acknowledge") continue;
      settings.push({ offset, tick, receivedUs, control: toBinary(ControlSchema, control) });
    }
    if (last.tick) this.#alerts.silent(state.silence(offset), changes);
    const labels = last.controls.flatMap((control) => labelOf(control, receivedUs) ?? []);
    const ticked = last.tick ? { tick, receivedUs } : undefined;
    const scoreMs = performance.now() - started;
    const oldestReceivedUs = run[0]!.record.receivedAtUs;
    return { rows, late, records, changes, settings, labels, ticked, scoreMs, oldestReceivedUs };
  }

  /** Waits for the commit before, and starts this one. */
  async #store(scored: Scored, firstLate: number): Promise<void> {
    const { rows, records, changes, settings, labels, ticked, scoreMs, oldestReceivedUs } = scored;
    const { partition, store, keepOutcomes } = this.#o;
    const state = this.#state;
    const { modelVersion } = state.sensors.detector;
    const packed = pack(rows, firstLate, this.#model);
    const chunks = state.chunksToSave(rows.points.length);
    const expectedOffset = state.row.nextOffset;
    const next: PartitionRow = {
      nextOffset: state.next,
      ...replayOf(state.replayPoint()),
      tick: state.tick,
      receivedUs: state.receivedUs,
      nextEvent: state.row.nextEvent + changes.events.length,
      stateEpoch: state.row.stateEpoch,
    };
    state.row = next;
    keepEchoes(records, rows, modelVersion);
    this.#unfinished = records.filter(waits);
    const done = records.filter((r) => !waits(r));
    const outcomes = done.map(finish);
    const traced = tracedBatches(done);
    const { events } = changes;
    const commit: Commit = {
      partition,
      expectedOffset,
      next,
      readings: rows.points.length,
      anomalies: packed.anomalies,
      late: rows.points.length - firstLate,
      blocks: packed.blocks,
      changes: packed.changes,
      alerts: [...changes.alerts.values()],
      events,
      metadata: [...rows.metadata].map(([row, struct]) => ({
        series: rows.series[row]!.id,
        observedUs: rows.points.timeUs[row]!,
        struct,
      })),
      settings,
      labels,
      ticked,
      chunks,
      outcomes: keepOutcomes ? outcomes.map(encodeOutcome) : [],
    };
    await this.#inFlight;
    if (this.#failure !== undefined) throw this.#failure;
    const started = performance.now();
    const committed = () =>
      this.#o.onCommitted({
        partition,
        nextOffset: next.nextOffset,
        outcomes,
        events,
        rows,
        firstLate,
        byType: countByType(packed),
        modelVersion,
        readings: rows.points.length,
        anomalies: packed.anomalies,
        replayOffset: next.replayOffset,
        commitMs: performance.now() - started,
        scoreMs,
        oldestReceivedUs,
        traced,
      });
    this.#inFlight = store
      .commit(commit)
      .then(committed)
      .catch((error: unknown) => {
        this.#failure = error;
      });
  }
}

/** What the store is to have of a label. */
function labelOf({ action, principal }: Control, labelledUs: number): LabelRow | undefined {
  if (action.case !== "label") return undefined;
  const { alertId, correct, comment, withdrawn } = action.value;
  return { alertId: Number(alertId), correct: withdrawn ? null : correct, labelledUs, labelledBy: principal, comment };
}

function replayOf({ offset, tick, receivedUs }: ReplayPoint) {
  return { replayOffset: offset, replayTick: tick, replayReceivedUs: receivedUs };
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
