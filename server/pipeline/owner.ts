/**
 * The owner of one partition: takes its log records in order, sorts out what is new, scores it, keeps the alerts, and stores the
 * result with the offset in one transaction. While one run of records is being stored the next is being scored.
 *
 * Everything decided here follows from the records alone, so that reading them again, after a crash or by another process, gives
 * the same rows, alerts and numbers.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { AlertState } from "../../gen/es/telltale/v1/alert_pb.ts";
import { type Control, ControlSchema, SeriesKeySchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { RecordOutcomeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { AlertEventSchema, AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import { alertMessage, type Detector, REASON_SILENCE, REASONS } from "../detect/index.ts";
import { shown } from "../ingest/check.ts";
import type { LogEntry } from "../log/log.ts";
import { decodeRecord, type LoggedFragment, type LoggedRecord, type LoggedRun, readInt64 } from "../record/decode.ts";
import { MARK_LATE, MARK_SERVER_TIME } from "../store/points.ts";
import type { AlertEventRow, AlertRow, PartitionRow, SeriesRow, StateChunk, Store } from "../store/store.ts";
import { toAlert } from "./alert.ts";
import { type Held, ReorderHold } from "./hold.ts";
import { firstTick, idOf } from "./ids.ts";
import { toNotice } from "./notices.ts";
import type { Conflict, FragmentOutcome, RecordOutcome } from "./outcome.ts";
import { Producers, type Tally } from "./producers.ts";
import { type Packed, pack, Rows } from "./rows.ts";
import { toScored } from "./scored.ts";
import { type ReplayPoint, Sensors, type Series } from "./sensors.ts";
import { PartitionSettings } from "./settings.ts";

/** Bytes of state saved for each reading taken, and for each commit at least: a replay after a crash then takes seconds. */
const SAVE_BYTES_PER_READING = 32;
const SAVE_BYTES_PER_COMMIT = 24_000;
/** The pseudo-chunk that holds the senders' windows. */
const PRODUCERS_CHUNK = -1;
/** Layout of a chunk of ours around the detector's. */
const CHUNK_LAYOUT = 1;

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

/** A record's outcome while it is being found. */
interface OpenRecord {
  readonly offset: number;
  readonly fragments: OpenOutcome[];
}

interface Taken {
  readonly offset: number;
  readonly record: LoggedRecord;
}

interface LateReading {
  readonly struct: Uint8Array | undefined;
  readonly series: Series;
  readonly timeUs: number;
  readonly value: number;
  readonly id: number;
  readonly index: number;
  readonly outcome: OpenOutcome;
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

/** Anomaly score of a silent sensor, in steps of 1e-4: medium, since nothing is known of how far it is from normal. */
const SILENCE_SCORE = 7000;
/** Conflicts described one by one for each fragment; counts are always complete. */
const MAX_CONFLICTS = 1000;

export class PartitionOwner {
  readonly #o: OwnerOptions;
  #sensors: Sensors;
  #producers = new Producers();
  readonly #settings = new PartitionSettings();
  readonly #series = new Map<string, Series>();
  /** Series that the store knows and the saved state does not yet: they are met again in the log. */
  readonly #unmet = new Map<string, number>();
  /** Series met that the store has not numbered yet. */
  #unnamed: Series[] = [];
  readonly #seriesOfSensor = new Map<number, Series[]>();
  #model = 0;
  /** Two sets of columns: one is stored while the other is filled. */
  readonly #rows = [new Rows(4096), new Rows(4096)];
  #turn = 0;
  #row!: PartitionRow;
  /** Offset after the last record taken (scored, perhaps not yet stored). */
  #next = 0;
  #tick = 0;
  #receivedUs = 0;
  #producersDirty: ReplayPoint | undefined;
  #saveCredit = 0;
  /** Alerts that are open, by slot, as the store will have them. */
  readonly #open = new Map<number, AlertRow>();
  readonly #hold = new ReorderHold();
  /** Records of which the reorder hold has readings. */
  #unfinished: OpenRecord[] = [];
  #inFlight: Promise<void> = Promise.resolve();
  #failure: unknown;
  /** True while records before the store's offset are read again to rebuild the state. */
  #rebuilding = false;

  constructor(options: OwnerOptions) {
    this.#o = options;
    this.#sensors = new Sensors(options.createDetector());
  }

  get sensors(): number {
    return this.#sensors.ids.length;
  }

  /** Loads the state from the store and answers with the first record wanted. */
  async open(): Promise<number> {
    const { store, partition, logger } = this.#o;
    this.#row = await store.readPartition(partition);
    this.#model = await store.modelNumber(this.#sensors.detector.modelVersion);
    const chunks = await store.readChunks(partition);
    const version = this.#chunkVersion();
    const foreign = chunks.find((c) => c.version !== version);
    let from = this.#row.replayOffset;
    let point: ReplayPoint = { offset: from, tick: this.#row.replayTick, receivedUs: this.#row.replayReceivedUs };
    if (foreign === undefined) {
      for (const c of chunks) {
        if (c.chunk === PRODUCERS_CHUNK) this.#producers.load(c.bytes);
        else this.#sensors.load(c.chunk, c.asOf, c.bytes);
      }
    } else {
      logger.warn(
        { partition, found: foreign.version, wanted: version },
        "saved state is of another version: rebuilding it",
      );
      from = 0;
      point = { offset: 0, tick: 0, receivedUs: 0 };
    }
    for (const control of await store.readSettings(partition, from)) {
      this.#settings.apply(fromBinary(ControlSchema, control), this.#sensors, () => true);
    }
    for (const s of await store.readSeries(partition)) this.#remember(s, s.id);
    this.#tick = point.tick;
    this.#receivedUs = point.receivedUs;
    this.#next = from;
    this.#rebuilding = from < this.#row.nextOffset;
    if (!this.#rebuilding) await this.#live();
    logger.info({ partition, from, stored: this.#row.nextOffset, sensors: this.sensors }, "partition opened");
    return from;
  }

  #chunkVersion(): string {
    const d = this.#sensors.detector;
    return `${CHUNK_LAYOUT}/${d.stateVersion}/${d.modelVersion}`;
  }

  /** The state is as of the store's offset: from here on, results count. */
  async #live(): Promise<void> {
    this.#rebuilding = false;
    this.#tick = Math.max(this.#tick, this.#row.tick);
    this.#receivedUs = Math.max(this.#receivedUs, this.#row.receivedUs);
    for (let slot = 0; slot < this.#sensors.ids.length; slot++) {
      if (!this.#sensors.episodes.isOpen(slot)) continue;
      const row = await this.#o.store.readAlert(this.#sensors.episodes.get(slot)!.id);
      if (row !== undefined) this.#open.set(slot, row);
    }
  }

  #remember(s: SeriesRow, id: number): Series | undefined {
    const slot = this.#sensors.find(s.sensorId);
    if (slot === undefined) {
      this.#unmet.set(keyText(s), id);
      return undefined;
    }
    this.#settings.place(slot, s.location);
    const series: Series = { id, slot, ...s };
    this.#series.set(keyText(s), series);
    const list = this.#seriesOfSensor.get(slot);
    if (list === undefined) this.#seriesOfSensor.set(slot, [series]);
    else list.push(series);
    return series;
  }

  /** Takes records in rising order of offset. Resolves once the next may come; rejects when a commit has failed. */
  async take(entries: readonly LogEntry[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    let run: Taken[] = [];
    for (const { offset, bytes } of entries) {
      if (offset < this.#next) continue;
      const record = decodeRecord(bytes);
      if (this.#rebuilding && offset < this.#row.nextOffset) {
        this.#rebuild({ offset, record });
        continue;
      }
      if (this.#rebuilding) await this.#live();
      run.push({ offset, record });
      // What people did comes after all readings logged before it: it ends the run, so that the cut changes nothing.
      if (record.controls.length === 0 && !record.tick) continue;
      await this.#advance(run);
      run = [];
    }
    if (run.length > 0) await this.#advance(run);
  }

  /** Waits for what is under way. */
  async settle(): Promise<void> {
    await this.#inFlight;
    if (this.#failure !== undefined) throw this.#failure;
  }

  #rebuild({ offset, record }: Taken): void {
    const rows = this.#rows[0]!;
    rows.clear(record.readings + this.#hold.size);
    const fragments: OpenOutcome[] = [];
    const late: LateReading[] = [];
    this.#takeRecord(record, offset, rows, fragments, late);
    // Whether a late reading was new then is not asked again: a resent copy of it is a duplicate now.
    for (const l of late) l.outcome.tally.duplicate++;
    // What waits at the end of the rebuilding is told when it goes on.
    if (fragments.some((f) => f.tally.held > 0)) this.#unfinished.push({ offset, fragments });
    rows.batch.length = rows.points.length;
    const { detector, episodes } = this.#sensors;
    detector.score(rows.batch);
    for (let i = 0; i < rows.points.length; i++) episodes.observe(rows.batch, i, rows.points.id[i]!);
    for (const control of record.controls) {
      if (!this.#set(control, offset)) this.#control(control, offset);
    }
    if (record.tick) for (const slot of this.#silentSlots(offset)) this.#silence(slot);
  }

  /** Applies a setting; false where the control is none. */
  #set(control: Control, offset: number): boolean {
    const at = { offset, tick: this.#tick, receivedUs: this.#receivedUs };
    return this.#settings.apply(control, this.#sensors, (slot) => {
      if (this.#rebuilding && this.#sensors.holds(slot, offset)) return false;
      this.#sensors.touch(slot, at);
      return true;
    });
  }

  /** Time has passed: the slots that have become silent. */
  #silentSlots(offset: number): number[] {
    const at = { offset, tick: this.#tick, receivedUs: this.#receivedUs };
    return this.#sensors.detector.tick(this.#receivedUs, {
      skip: (slot) => this.#rebuilding && this.#sensors.holds(slot, offset),
      changes: (slot) => this.#sensors.touch(slot, at),
    });
  }

  #silence(slot: number): boolean {
    const { episodes, lastId } = this.#sensors;
    return episodes.silent(slot, this.#receivedUs, lastId[slot]!, SILENCE_SCORE, REASON_SILENCE) === "opened";
  }

  async #advance(run: readonly Taken[]): Promise<void> {
    const started = performance.now();
    const rows = this.#rows[this.#turn]!;
    this.#turn = 1 - this.#turn;
    rows.clear(run.reduce((n, { record }) => n + record.readings, this.#hold.size));
    const outcomes: OpenRecord[] = this.#unfinished;
    const late: LateReading[] = [];
    for (const { offset, record } of run) {
      const fragments: OpenOutcome[] = [];
      this.#takeRecord(record, offset, rows, fragments, late);
      outcomes.push({ offset, fragments });
    }
    rows.batch.length = rows.points.length;
    this.#sensors.detector.score(rows.batch);
    const changed = new Map<number, AlertRow>();
    const events: AlertEventRow[] = [];
    this.#observe(rows, changed, events);
    // Only the last record of a run has any.
    const last = run[run.length - 1]!;
    const settings: { offset: number; control: Uint8Array }[] = [];
    for (const control of last.record.controls) {
      if (this.#set(control, last.offset)) {
        settings.push({ offset: last.offset, control: toBinary(ControlSchema, control) });
      } else await this.#controlLive(control, changed, events);
    }
    if (last.record.tick) {
      for (const slot of this.#silentSlots(last.offset)) {
        if (!this.#silence(slot)) continue;
        const row = this.#alertRow(slot, this.#seriesOfSensor.get(slot)!.at(-1)!);
        changed.set(row.id, row);
        this.#open.set(slot, row);
        this.#event(events, row, AlertEventType.OPENED);
      }
    }
    const scoreMs = performance.now() - started;

    await this.#nameSeries();
    const firstLate = rows.points.length;
    if (late.length > 0) {
      // Late readings are compared with what is stored: what is under way must be in first.
      await this.settle();
      await this.#placeLate(late, rows, firstLate);
    }
    const packed = pack(rows, firstLate, this.#model);
    const chunks = this.#chunksToSave(rows.points.length);
    const oldest = this.#oldestDirty();
    const next: PartitionRow = {
      nextOffset: this.#next,
      replayOffset: oldest?.offset ?? this.#next,
      replayTick: oldest?.tick ?? this.#tick,
      replayReceivedUs: oldest?.receivedUs ?? this.#receivedUs,
      tick: this.#tick,
      receivedUs: this.#receivedUs,
      nextEvent: this.#row.nextEvent + events.length,
    };
    const expectedOffset = this.#row.nextOffset;
    this.#row = next;
    const finished = this.#finishOutcomes(outcomes, rows);
    const metadata = [...rows.metadata].map(([row, struct]) => ({
      series: rows.series[row]!.id,
      observedUs: rows.points.timeUs[row]!,
      struct,
    }));
    await this.#inFlight;
    if (this.#failure !== undefined) throw this.#failure;
    const commitStarted = performance.now();
    this.#inFlight = this.#o.store
      .commit({
        partition: this.#o.partition,
        expectedOffset,
        next,
        readings: rows.points.length,
        anomalies: packed.anomalies,
        late: rows.points.length - firstLate,
        blocks: packed.blocks,
        changes: packed.changes,
        alerts: [...changed.values()],
        events,
        metadata,
        settings,
        chunks,
        outcomes: this.#o.keepOutcomes ? finished.map(encodeOutcome) : [],
      })
      .then(() =>
        this.#o.onCommitted({
          partition: this.#o.partition,
          nextOffset: next.nextOffset,
          outcomes: finished,
          events,
          rows,
          firstLate,
          byType: countByType(packed),
          modelVersion: this.#sensors.detector.modelVersion,
          readings: rows.points.length,
          anomalies: packed.anomalies,
          replayOffset: next.replayOffset,
          commitMs: performance.now() - commitStarted,
          scoreMs,
          oldestReceivedUs: run[0]!.record.receivedAtUs,
        }),
      )
      .catch((error: unknown) => {
        this.#failure = error;
      });
  }

  /** Sorts a record's readings into rows to score, late ones to place, and those that change nothing. */
  #takeRecord(record: LoggedRecord, offset: number, rows: Rows, outcomes: OpenOutcome[], late: LateReading[]): void {
    const before: ReplayPoint = { offset, tick: this.#tick, receivedUs: this.#receivedUs };
    this.#receivedUs = Math.max(this.#receivedUs, record.receivedAtUs);
    let tick = firstTick(this.#tick, this.#receivedUs);
    this.#tick = tick + record.readings;
    this.#next = offset + 1;
    for (const h of this.#hold.release(this.#receivedUs)) this.#takeHeld(h, before, rows, late);
    for (const [place, fragment] of record.fragments.entries()) {
      const outcome: OpenOutcome = {
        fragment,
        tally: { accepted: 0, duplicate: 0, conflicting: 0, late: 0, held: 0 },
        conflicts: [],
        echo: [],
        stored: [],
      };
      outcomes.push(outcome);
      const firstOfFragment = tick;
      tick += fragment.readings;
      if (fragment.sequence > 0 && fragment.producer !== "") {
        this.#producersDirty ??= before;
        const at = { offset, place, receivedUs: this.#receivedUs };
        const replayFrom = this.#row.replayOffset;
        const { producer, epoch, sequence } = fragment;
        const verdict = this.#producers.see(producer, epoch, sequence, at, replayFrom, outcome.tally);
        if (verdict.kind === "seen") {
          const forgotten = { accepted: 0, duplicate: fragment.readings, conflicting: 0, late: 0, held: 0 };
          outcome.tally = verdict.tally ?? forgotten;
          continue;
        }
      }
      let t = firstOfFragment;
      for (const run of fragment.runs) {
        this.#takeRun(record, run, t, before, rows, outcome, late);
        t += run.count;
      }
    }
  }

  #takeRun(
    record: LoggedRecord,
    run: LoggedRun,
    tick: number,
    before: ReplayPoint,
    rows: Rows,
    outcome: OpenOutcome,
    late: LateReading[],
  ): void {
    const series = this.#series.get(run.key) ?? this.#meet(run.key);
    const sensors = this.#sensors;
    const { slot } = series;
    if (this.#rebuilding && sensors.holds(slot, before.offset)) {
      // In the state already; whoever sends them again hears that they are stored.
      outcome.tally.duplicate += run.count;
      return;
    }
    sensors.touch(slot, before);
    const { view } = record;
    const { partition } = this.#o;
    const timed = run.timesAt >= 0;
    const holdUs = this.#settings.holdUs(series.sensorType);
    for (let i = 0; i < run.count; i++) {
      const value = view.getFloat64(run.valuesAt + 8 * i, true);
      const timeUs = timed ? readInt64(view, run.timesAt + 8 * i) : Number.NaN;
      const id = idOf(tick + i, partition);
      const struct = run.metadata?.get(i);
      const index = run.firstIndex + i;
      if (holdUs > 0) {
        outcome.tally.held++;
        const receivedUs = this.#receivedUs;
        this.#hold.add({ series, timeUs, value, id, index, outcome, struct, receivedUs, dueUs: receivedUs + holdUs });
      } else this.#place(series, timeUs, this.#receivedUs, value, id, index, struct, outcome, rows, late);
    }
  }

  #takeHeld(h: Held, at: ReplayPoint, rows: Rows, late: LateReading[]): void {
    this.#sensors.touch(h.series.slot, at);
    h.outcome.tally.held--;
    this.#place(h.series, h.timeUs, h.receivedUs, h.value, h.id, h.index, h.struct, h.outcome, rows, late);
  }

  /** One reading: new, known, or late. A `timeUs` of NaN stands for the server's time, distinct from the one before. */
  #place(
    series: Series,
    timeUs: number,
    receivedUs: number,
    value: number,
    id: number,
    index: number,
    struct: Uint8Array | undefined,
    outcome: OpenOutcome,
    rows: Rows,
    late: LateReading[],
  ): void {
    const { lastUs, lastValue, lastId } = this.#sensors;
    const { slot } = series;
    const last = lastUs[slot]!;
    const t = Number.isNaN(timeUs) ? Math.max(receivedUs, last + 1) : timeUs;
    if (t > last) {
      const row = rows.add(series, t, value, id, t === timeUs ? 0 : MARK_SERVER_TIME);
      lastUs[slot] = t;
      lastValue[slot] = value;
      lastId[slot] = id;
      outcome.tally.accepted++;
      if (struct !== undefined) rows.metadata.set(row, struct);
      if (outcome.fragment.echo) outcome.echo.push({ row, index });
    } else if (t === last) compare(outcome, index, series.sensorId, t, value, lastValue[slot]!);
    else late.push({ series, timeUs: t, value, id, index, outcome, struct });
  }

  /** A series met for the first time. */
  #meet(key: string): Series {
    const k = fromBinary(SeriesKeySchema, Buffer.from(key, "latin1"));
    const fields: SeriesRow = { sensorId: k.sensorId, sensorType: k.sensorType, unit: k.unit, location: k.location };
    if (this.#sensors.find(k.sensorId) === undefined) {
      const slot = this.#sensors.add(k.sensorId, k.sensorType, k.unit);
      this.#settings.met(slot, k.sensorId, k.location, this.#sensors);
    }
    const known = this.#unmet.get(key);
    const series = this.#remember(fields, known ?? -1) as Series;
    if (known === undefined) this.#unnamed.push(series);
    return series;
  }

  async #nameSeries(): Promise<void> {
    if (this.#unnamed.length === 0) return;
    const ids = await this.#o.store.addSeries(this.#o.partition, this.#unnamed);
    this.#unnamed.forEach((s, i) => {
      s.id = ids[i]!;
    });
    this.#unnamed = [];
  }

  #observe(rows: Rows, changed: Map<number, AlertRow>, events: AlertEventRow[]): void {
    const { batch, points } = rows;
    const { episodes } = this.#sensors;
    for (let i = 0; i < points.length; i++) {
      const slot = batch.slot[i]!;
      const transition = episodes.observe(batch, i, points.id[i]!);
      if (transition === "none") continue;
      const series = rows.series[i]!;
      const row = this.#alertRow(slot, series);
      changed.set(row.id, row);
      if (transition === "opened") this.#event(events, row, AlertEventType.OPENED);
      else if (transition === "raised") this.#event(events, row, AlertEventType.RAISED);
      else if (transition === "recovered") this.#event(events, row, AlertEventType.RECOVERED);
      if (transition === "recovered") this.#open.delete(slot);
      else this.#open.set(slot, row);
    }
  }

  /** The slot's episode in the form of the store. */
  #alertRow(slot: number, series: Series): AlertRow {
    const e = this.#sensors.episodes.get(slot)!;
    const before = this.#open.get(slot);
    const kept = before?.id === e.id ? before : undefined;
    const known = Number.isFinite(e.expected) && Number.isFinite(e.band);
    const number = (x: number) => (Number.isFinite(x) ? x : null);
    return {
      id: e.id,
      sensorId: series.sensorId,
      sensorType: series.sensorType,
      alertType: REASONS[e.openingReason] === "silence" ? "silence" : "anomaly_detection",
      severity: e.severity,
      message: alertMessage({
        score: e.peakScore,
        value: e.peakValue,
        unit: series.unit,
        expected: e.expected,
        band: e.band,
        reason: e.reason,
      }),
      score: e.peakScore / 10000,
      value: number(e.peakValue) ?? 0,
      threshold: known ? (e.peakValue >= e.expected ? e.expected + e.band : e.expected - e.band) : null,
      openedUs: e.openedAtUs,
      lastSeenUs: e.lastSeenAtUs,
      closedUs: number(e.closedAtUs),
      acknowledgedUs: kept?.acknowledgedUs ?? null,
      acknowledgedBy: kept?.acknowledgedBy ?? "",
      resolvedBy: kept?.resolvedBy ?? "",
      state:
        e.state === "open" ? AlertState.OPEN : e.state === "recovered" ? AlertState.RECOVERED : AlertState.RESOLVED,
      readings: e.count,
      detector: REASONS[e.openingReason] ?? "",
      confidence: e.peakConfidence / 10000,
      expected: number(e.expected),
      modelVersion: kept?.modelVersion ?? this.#sensors.detector.modelVersion,
    };
  }

  #event(events: AlertEventRow[], alert: AlertRow, type: AlertEventType): void {
    const { partition } = this.#o;
    const number = this.#row.nextEvent + events.length;
    const event = create(AlertEventSchema, {
      id: `${partition}-${number}`,
      type,
      alert: toAlert(alert),
      partition,
      number: BigInt(number),
    });
    events.push({ number, alertId: alert.id, event: toBinary(AlertEventSchema, event) });
  }

  /** Applies a control to the state; answers with the slot it closed or marked, if it changed anything. */
  #control(control: Control, offset: number): number | undefined {
    const { action } = control;
    if (action.case !== "acknowledge" && action.case !== "resolve") return undefined;
    const slot = this.#sensors.find(action.value.sensorId);
    if (slot === undefined || (this.#rebuilding && this.#sensors.holds(slot, offset))) return undefined;
    this.#sensors.touch(slot, { offset, tick: this.#tick, receivedUs: this.#receivedUs });
    const id = Number(action.value.alertId);
    const { episodes } = this.#sensors;
    const done =
      action.case === "resolve"
        ? episodes.resolve(slot, id, this.#receivedUs)
        : episodes.acknowledge(slot, id, this.#receivedUs);
    return done ? slot : undefined;
  }

  async #controlLive(control: Control, changed: Map<number, AlertRow>, events: AlertEventRow[]): Promise<void> {
    const { action } = control;
    if (action.case !== "acknowledge" && action.case !== "resolve") return;
    const id = Number(action.value.alertId);
    const slot = this.#control(control, this.#next - 1);
    const open = slot === undefined ? undefined : this.#open.get(slot);
    if (slot !== undefined && open !== undefined) {
      const row: AlertRow =
        action.case === "resolve"
          ? { ...open, state: AlertState.RESOLVED, closedUs: this.#receivedUs, resolvedBy: control.principal }
          : { ...open, acknowledgedUs: this.#receivedUs, acknowledgedBy: control.principal };
      changed.set(id, row);
      if (action.case === "resolve") this.#open.delete(slot);
      else this.#open.set(slot, row);
      this.#event(events, row, action.case === "resolve" ? AlertEventType.RESOLVED : AlertEventType.ACKNOWLEDGED);
      return;
    }
    // An episode that is over may still be acknowledged, once; resolving it again changes nothing.
    if (action.case !== "acknowledge") return;
    await this.settle();
    const stored = changed.get(id) ?? (await this.#o.store.readAlert(id));
    if (stored === undefined || stored.acknowledgedUs !== null) return;
    const row = { ...stored, acknowledgedUs: this.#receivedUs, acknowledgedBy: control.principal };
    changed.set(id, row);
    this.#event(events, row, AlertEventType.ACKNOWLEDGED);
  }

  /** Late readings: those that the sensor does not have yet become rows, flagged; the others change nothing. */
  async #placeLate(late: readonly LateReading[], rows: Rows, firstLate: number): Promise<void> {
    const bySlot = new Map<number, LateReading[]>();
    for (const l of late) {
      const list = bySlot.get(l.series.slot);
      if (list === undefined) bySlot.set(l.series.slot, [l]);
      else list.push(l);
    }
    for (const [slot, list] of bySlot) {
      const wanted = list.map((l) => l.timeUs);
      const series = this.#seriesOfSensor.get(slot)!.map((s) => s.id);
      const known = await this.#o.store.valuesAt(series, wanted);
      // Rows of this very batch are not stored yet.
      for (let i = 0; i < firstLate; i++) {
        if (rows.batch.slot[i] === slot) known.set(rows.points.timeUs[i]!, rows.points.value[i]!);
      }
      for (const l of list) {
        const there = known.get(l.timeUs);
        if (there !== undefined) {
          compare(l.outcome, l.index, l.series.sensorId, l.timeUs, l.value, there);
          continue;
        }
        known.set(l.timeUs, l.value);
        const row = rows.add(l.series, l.timeUs, l.value, l.id, MARK_LATE);
        unscored(rows, row);
        if (l.struct !== undefined) rows.metadata.set(row, l.struct);
        l.outcome.tally.accepted++;
        l.outcome.tally.late++;
        if (l.outcome.fragment.echo) l.outcome.echo.push({ row, index: l.index });
      }
    }
  }

  /** Outcomes of records of which nothing waits any more. */
  #finishOutcomes(open: readonly OpenRecord[], rows: Rows): RecordOutcome[] {
    const version = this.#sensors.detector.modelVersion;
    const waits = (r: OpenRecord) => r.fragments.some((f) => f.tally.held > 0);
    for (const { fragments } of open) {
      for (const o of fragments) {
        for (const { row, index } of o.echo.splice(0)) o.stored.push({ index, reading: toScored(rows, row, version) });
      }
    }
    this.#unfinished = open.filter(waits);
    return open.filter((r) => !waits(r)).map(({ offset, fragments }) => ({ offset, fragments: fragments.map(finish) }));
  }

  #oldestDirty(): ReplayPoint | undefined {
    const a = this.#sensors.oldestDirty();
    const b = this.#producersDirty;
    if (a === undefined || b === undefined) return a ?? b;
    return a.offset <= b.offset ? a : b;
  }

  /** Chunks whose turn it is, within what the readings taken so far have paid for. */
  #chunksToSave(readings: number): StateChunk[] {
    const sensors = this.#sensors;
    const version = this.#chunkVersion();
    const chunkBytes = sensors.chunkSensors * (sensors.detector.bytesPerSensor + sensors.episodes.bytesPerSensor);
    this.#saveCredit = Math.min(
      this.#saveCredit + SAVE_BYTES_PER_COMMIT + readings * SAVE_BYTES_PER_READING,
      64 * chunkBytes,
    );
    const chunks: StateChunk[] = [];
    const waiting = new Set<number>();
    for (const slot of this.#hold.slots()) waiting.add(Math.floor(slot / sensors.chunkSensors));
    while (this.#saveCredit >= chunkBytes) {
      this.#saveCredit -= chunkBytes;
      const chunk = sensors.nextToSave(waiting);
      const oldest = chunk === undefined ? undefined : sensors.oldestDirty();
      const p = this.#producersDirty;
      if (p !== undefined && (oldest === undefined || p.offset <= oldest.offset)) {
        chunks.push({ chunk: PRODUCERS_CHUNK, asOf: this.#next, version, bytes: this.#producers.save() });
        this.#producersDirty = undefined;
      } else if (chunk !== undefined) {
        chunks.push({ chunk, asOf: this.#next, version, bytes: sensors.save(chunk, this.#next) });
      } else break;
    }
    return chunks;
  }
}

function finish({ tally: t, conflicts, stored }: OpenOutcome): FragmentOutcome {
  return { counts: [t.accepted, t.duplicate, t.conflicting, t.late], conflicts, stored };
}

function compare(o: OpenOutcome, index: number, sensorId: string, timeUs: number, value: number, there: number): void {
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

function unscored(rows: Rows, i: number): void {
  const p = rows.points;
  p.confidence[i] = 0;
  p.score[i] = 0;
  p.anomaly[i] = 0;
  p.reason[i] = 0;
  p.expected[i] = Number.NaN;
  p.band[i] = Number.NaN;
}

function keyText(s: SeriesRow): string {
  const key = create(SeriesKeySchema, {
    sensorId: s.sensorId,
    sensorType: s.sensorType,
    unit: s.unit,
    ...(s.location === undefined ? {} : { location: s.location }),
  });
  return Buffer.from(toBinary(SeriesKeySchema, key)).toString("latin1");
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
