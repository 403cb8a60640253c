/**
 * The owner of one partition: takes its log records in order, sorts out what is new, scores it, keeps the alerts, and stores the
 * result with the offset in one transaction. While one run of records is being stored the next is being scored.
 *
 * Everything decided here follows from the records alone, so that reading them again, after a crash or by another process, gives
 * the same rows, alerts and numbers.
 */

import { toBinary } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import type { Detector } from "../detect/index.ts";
import type { LogEntry } from "../log/log.ts";
import { isRefusal } from "../postgres/unavailable.ts";
import { type LoggedControl, type PartitionRow, RefusedError, type Store } from "../store/store.ts";
import { AlertChanges, Alerts } from "./alerts.ts";
import { type Committed, commitOf, replayOf, type Scored } from "./commit-of.ts";
import { applyControl, controlRows, goesAlone, handleControl, staysInSettings } from "./controls.ts";
import { Sorter } from "./deduplicate.ts";
import { type LateReading, placeLate } from "./late.ts";
import { dropWaiting } from "./life-cycle.ts";
import type { Attempt } from "./narrow.ts";
import { type OpenRecord, waits } from "./open-outcome.ts";
import type { Quarantine } from "./quarantine.ts";
import { catchUp, fallsBehind, type Recovery, type RecoveryKind, recover } from "./recover.ts";
import { describeResent, type Resent } from "./resent.ts";
import { Rows } from "./rows.ts";
import { keepEchoes } from "./scored.ts";
import type { Series } from "./sensors.ts";
import {
  type ReadRecord,
  type RunFacts,
  readingRow,
  readRecord,
  SetAsideError,
  scoreRows,
  setAsideRefused,
  setAsideUnscored,
} from "./set-aside.ts";
import type { Shown } from "./shown.ts";
import { PartitionState } from "./state.ts";

/** State saved when a partition is given up, at most: memory for all partitions of a process at once, and well under a second of writing. */
const SAVE_AT_CLOSE_BYTES = 16 * 1024 * 1024;

export interface OwnerOptions {
  readonly partition: number;
  readonly store: Store;
  readonly createDetector: () => Detector;
  readonly logger: Logger;
  readonly onCommitted: (committed: Committed) => void;
  /** Whether other processes append to the log and may ask the store for outcomes. */
  readonly keepOutcomes: boolean;
  /** What is set aside of the partition, over all its owners in this thread. */
  readonly quarantine?: Quarantine;
  /** What sensors are called; absent: as they are in the log. */
  readonly shown?: Shown;
}

interface Taken {
  readonly offset: number;
  /** Without what is set aside of it as a whole. */
  readonly record: ReadRecord;
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
  /** Records of which the reorder buffer has readings. */
  #unfinished: OpenRecord[] = [];
  #inFlight: Promise<void> = Promise.resolve();
  #failure: unknown;
  /** Sensors that have changed their unit since the last commit. */
  #unitChanges = 0;
  /** The commit that the store has refused for its data. */
  #refused: { readonly attempt: Attempt; readonly facts: RunFacts } | undefined;
  #abandoned = false;

  constructor(options: OwnerOptions) {
    this.#o = options;
    this.#state = new PartitionState(options.createDetector(), options.quarantine, undefined, options.shown);
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
    state.quarantine.begin();
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
    // The others were published when they were stored.
    this.#unfinished = this.#unfinished.filter((r) => waits(r) || state.quarantine.isPending(r.offset));
    state.tick = Math.max(state.tick, state.row.tick);
    state.receivedUs = Math.max(state.receivedUs, state.row.receivedUs);
    const behind =
      fallsBehind(state, this.#recovery) && (await catchUp(state, partition, this.#recovery, store, logger));
    await this.#alerts.load(store);
    if (behind || this.#recovery.kind !== "loaded") await this.#replace();
  }

  /** Saves all of the state in place of what is saved, before the first commit: versions are never mixed. */
  async #replace(): Promise<void> {
    const { store, partition, logger } = this.#o;
    const state = this.#state;
    const before = state.row;
    const changes = new AlertChanges(partition, before.nextEvent, state.shown);
    this.#alerts.reconcile(await store.readOpenAlerts(partition), changes);
    const { alerts, events } = changes;
    const after: PartitionRow = {
      ...before,
      ...replayOf(state.buffer.oldest ?? state.at(state.next)),
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
    await this.#checkFailure();
    const state = this.#state;
    let run: Taken[] = [];
    for (const { offset, bytes } of entries) {
      if (this.#abandoned) return;
      if (offset < state.next) continue;
      const record = readRecord(offset, bytes, state);
      if (state.rebuilding && offset < state.row.nextOffset) {
        this.#rebuild({ offset, record });
        continue;
      }
      if (state.rebuilding) await this.#live();
      const alone = state.quarantine.suspects.has(offset) || record.controls.some(goesAlone);
      if (alone && run.length > 0) {
        await this.#advance(run);
        run = [];
      }
      run.push({ offset, record });
      // What people did comes after all readings logged before it: it ends the run, so that the cut changes nothing.
      if (record.controls.length === 0 && !record.tick && !alone) continue;
      await this.#advance(run);
      run = [];
      // A series that is begun anew must not be given the number of the one that goes.
      if (alone) await this.settle();
    }
    if (this.#abandoned) return;
    if (run.length > 0) await this.#advance(run);
    // Not only when the next record comes: what is replaced must not wait for one.
    else if (state.rebuilding && state.next >= state.row.nextOffset) await this.#live();
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    await this.#inFlight;
    await this.#checkFailure();
  }

  /** Throws what the commit before has failed with; where the store refused it, once what is at fault is found and set aside. */
  async #checkFailure(): Promise<void> {
    const [error, refused] = [this.#failure, this.#refused];
    if (error === undefined) return;
    this.#refused = undefined;
    if (error instanceof RefusedError && refused !== undefined) {
      const { attempt, facts } = refused;
      const { quarantine } = this.#state;
      this.#failure = (await setAsideRefused(error, attempt, facts, this.#o.store, quarantine)) ?? error;
    }
    throw this.#failure;
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
  #rebuild(taken: Taken): void {
    try {
      this.#scoreAgain(taken);
    } catch (error) {
      // A newer program may fail at what a former one has scored: its readings stay stored, and the state goes on without them.
      throw setAsideUnscored(error, [taken], this.#state.quarantine);
    }
  }

  #scoreAgain(taken: Taken): void {
    const { offset, record } = taken;
    const state = this.#state;
    const rows = this.#rows[0]!;
    rows.clear(record.readings + state.buffer.size);
    const late: LateReading[] = [];
    const receivedUs = record.receivedAtUs;
    dropWaiting(record, state);
    const open = { offset, receivedUs, fragments: this.#sorter.take(record, offset, { rows, late, resent: [] }) };
    // Whether a late reading was new then is not asked again: a resent copy of it is a duplicate now.
    for (const l of late) l.outcome.tally.duplicate++;
    // What waits at the end of the rebuilding is published when it continues.
    if (waits(open) || this.#state.quarantine.isPending(offset)) this.#unfinished.push(open);
    scoreRows(rows, state, [taken]);
    const { detector } = state.sensors;
    for (let i = 0; i < rows.points.length; i++) {
      const id = rows.points.id[i]!;
      state.observe(rows.batch, i, id, state.returned(rows.batch.slot[i]!, id));
    }
    keepEchoes(this.#unfinished, rows, detector.modelVersion, this.#state.shown);
    for (const { control } of record.left) applyControl(control, state, offset);
    if (record.tick) state.passed(offset);
  }

  async #advance(run: readonly Taken[]): Promise<void> {
    try {
      await this.#scoreAndStore(run);
    } catch (error) {
      // Whoever opens the partition again must find the commit before in the store, and not take it for another process's.
      await this.#inFlight;
      throw setAsideUnscored(error, run, this.#state.quarantine);
    }
  }

  async #scoreAndStore(run: readonly Taken[]): Promise<void> {
    const scored = await this.#score(run);
    const { rows, late, resent } = scored;
    await this.#nameSeries(rows);
    const firstLate = rows.points.length;
    if (late.length > 0) {
      // Late readings are compared with what is stored: what is under way must be in first.
      await this.settle();
      await placeLate(late, rows, this.#o.store, this.#state.series);
    }
    if (resent.some(({ outcome }) => outcome.tally.conflicting > 0)) {
      await this.settle();
      await describeResent(resent, rows, this.#o.store, this.#state.series);
    }
    await this.#store(scored, firstLate);
  }

  /** A sensor that sends in another unit than before goes on as one sensor; people should know. One line a run. */
  #tellUnits(named: readonly Series[]): void {
    const { series } = this.#state;
    const changed = named.filter((s) => series.unitBefore(s) !== undefined);
    const [first] = changed;
    if (first === undefined) return;
    this.#unitChanges += changed.length;
    const facts = {
      sensor: first.sensorId,
      before: series.unitBefore(first),
      unit: first.unit,
      sensors: changed.length,
    };
    this.#o.logger.warn(facts, "a sensor sends in another unit than before: statistics are given per unit");
  }

  /** A new series that the store refuses is set aside with all its readings of the run. */
  async #nameSeries(rows: Rows): Promise<void> {
    const { store, partition } = this.#o;
    const { series, quarantine, receivedUs } = this.#state;
    try {
      this.#tellUnits(await series.name(store, partition));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const refused = await series.refused(store, partition);
      const why = { reason: (error as Error).message, sqlstate: (error as { code: string }).code, receivedUs };
      const found = rows.series.flatMap((s, row) => (refused.has(s) ? [readingRow(rows, row, why)] : []));
      for (const row of found) quarantine.add(row);
      throw found.length === 0 ? error : new SetAsideError(found.length, 0, error as Error);
    }
  }

  async #score(run: readonly Taken[]): Promise<Scored> {
    const started = performance.now();
    const { partition, store } = this.#o;
    const state = this.#state;
    const rows = this.#rows[this.#turn]!;
    this.#turn = 1 - this.#turn;
    rows.clear(run.reduce((n, { record }) => n + record.readings, state.buffer.size));
    const late: LateReading[] = [];
    const resent: Resent[] = [];
    const records = this.#unfinished;
    for (const { offset, record } of run) {
      dropWaiting(record, state);
      const fragments = this.#sorter.take(record, offset, { rows, late, resent });
      records.push({ offset, receivedUs: record.receivedAtUs, fragments });
    }
    scoreRows(rows, state, run);
    const changes = new AlertChanges(partition, state.row.nextEvent, state.shown);
    this.#alerts.observe(rows, changes);
    // Only the last record of a run has any.
    const { offset, record: last } = run[run.length - 1]!;
    const settings: LoggedControl[] = [];
    const stored = async (id: number) => {
      await this.settle();
      return store.readAlert(id);
    };
    const { tick, receivedUs } = state;
    for (const { control } of last.left) {
      await handleControl(control, { state, offset }, { alerts: this.#alerts, changes, stored });
      if (!staysInSettings(control)) continue;
      settings.push({ offset, tick, receivedUs, control: toBinary(ControlSchema, control) });
    }
    if (last.tick) this.#alerts.passed(offset, changes);
    const rowsOfControls = controlRows(
      last.left.map(({ control }) => control),
      { partition, offset, tick, receivedUs },
    );
    const ticked = last.tick ? { tick, receivedUs } : undefined;
    const scoreMs = performance.now() - started;
    const oldestReceivedUs = run[0]!.record.receivedAtUs;
    const facts = { lastOffset: offset, receivedUs, controls: last.left };
    const clockBehindUs = receivedUs - last.receivedAtUs;
    const times = { scoreMs, oldestReceivedUs, clockBehindUs };
    return { rows, late, resent, records, changes, settings, controlRows: rowsOfControls, ticked, ...times, facts };
  }

  /** Waits for the commit before, and starts this one. */
  async #store(scored: Scored, firstLate: number): Promise<void> {
    const { rows, records, facts } = scored;
    const { store, keepOutcomes } = this.#o;
    const state = this.#state;
    keepEchoes(records, rows, state.sensors.detector.modelVersion, state.shown);
    this.#unfinished = records.filter(waits);
    const done = records.filter((r) => !waits(r));
    const about = { partition: this.#o.partition, state, model: this.#model, firstLate, done, keepOutcomes };
    const { commit, report, quarantined } = commitOf(scored, about);
    const unitChanges = this.#unitChanges;
    this.#unitChanges = 0;
    await this.settle();
    const started = performance.now();
    const committed = () => {
      state.quarantine.stored(quarantined);
      this.#o.onCommitted({ ...report, unitChanges, commitMs: performance.now() - started });
    };
    this.#inFlight = store
      .commit(commit)
      .then(committed)
      .catch((error: unknown) => {
        this.#failure = error;
        this.#refused = { attempt: { commit, rows, firstLate, model: this.#model }, facts };
      });
  }
}
