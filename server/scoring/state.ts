import { type Detector, REASON_SILENCE, type ScoreBatch, type Transition } from "../detect/index.ts";
import { receivedUsOf } from "../log/id-clock.ts";
import type { PartitionRow, StateChunk } from "../store/store.ts";
import type { EarlyChange } from "./outlooks.ts";
import { Producers } from "./producers.ts";
import { Quarantine } from "./quarantine.ts";
import { ReorderBuffer } from "./reorder-buffer.ts";
import { CHUNK_LAYOUT, FORMER_LAYOUTS, type ReplayPoint, Sensors } from "./sensors.ts";
import { SeriesBook } from "./series.ts";
import { PartitionSettings } from "./settings.ts";
import { Shown } from "./shown.ts";

/**
 * Bytes of state saved for each reading taken: a replay after a crash then takes seconds. Not for each commit, of which there are ever
 * more the less there is to do. A small state is saved as a whole every ten seconds of the log's time as well, so that a partition that is
 * taken over goes on at once.
 */
const SAVE_BYTES_PER_READING = 32;
const SAVE_ALL_US = 10_000_000;
/** What that may write for a large state: a few percent of what readings at full speed write. */
const SAVE_BYTES_PER_US = 0.256;
/** The pseudo-chunk that holds the senders' windows. */
export const PRODUCERS_CHUNK = -1;
/** It does not depend on the model. Before it had a version of its own it carried that of the first layout. */
const PRODUCERS_VERSION = "producers/1";
const isProducersVersion = (version: string) => version === PRODUCERS_VERSION || version.startsWith("1/");
/** Anomaly score of a silent sensor, in steps of 1e-4: medium, since nothing is known of how far it is from normal. */
const SILENCE_SCORE = 7000;

/** What a partition's decisions follow from beside the records themselves, and how it is saved. */
export class PartitionState {
  readonly sensors: Sensors;
  readonly producers = new Producers();
  readonly settings = new PartitionSettings();
  readonly series: SeriesBook;
  readonly shown: Shown;
  readonly buffer = new ReorderBuffer();
  /** Early alerts that the reading observed last has ended. */
  earlyEnded: readonly EarlyChange[] = [];
  /** What of the records is left out. */
  readonly quarantine: Quarantine;
  /** Offset after the last record taken (scored, perhaps not yet stored). */
  next = 0;
  /** The id clock and the newest received_at after that record. */
  tick = 0;
  receivedUs = 0;
  /** The log's time at the newest time record before the record being taken; 0: there was none. */
  #tickedUs = 0;
  /** The store's row as of the last run taken. */
  row!: PartitionRow;
  /** True while records before the store's offset are read again to rebuild the state. */
  rebuilding = false;
  #producersDirty: ReplayPoint | undefined;
  #saveCredit = 0;
  /** The log's time when chunks were last looked for. What is saved when changes no result. */
  #lookedUs: number | undefined;

  /** When the reading with the id arrived, by the log's time. */
  readonly receivedUsOf: (readingId: number) => number;

  constructor(
    detector: Detector,
    quarantine: Quarantine = new Quarantine(),
    receivedOf: (readingId: number) => number = receivedUsOf,
    shown: Shown = new Shown(),
  ) {
    this.quarantine = quarantine;
    this.receivedUsOf = receivedOf;
    this.sensors = new Sensors(detector, receivedOf);
    this.shown = shown;
    this.series = new SeriesBook(this.sensors, this.settings, shown);
  }

  /** Layout, detector and model of a chunk of sensors. */
  get version(): string {
    return this.#versionOf(CHUNK_LAYOUT);
  }

  #versionOf(layout: number): string {
    const { stateVersion, modelVersion } = this.sensors.detector;
    return `${layout}/${stateVersion}/${modelVersion}`;
  }

  /** Whether `load` can read the chunk, and gives what this version would have saved. */
  canRead({ chunk, version }: Pick<StateChunk, "chunk" | "version">): boolean {
    if (chunk === PRODUCERS_CHUNK) return isProducersVersion(version);
    return version === this.#versionOf(CHUNK_LAYOUT);
  }

  /** Whether `load` can read the chunk of a former version: what it had learnt goes on under this version's rules. */
  canMigrate({ chunk, version }: Pick<StateChunk, "chunk" | "version">): boolean {
    if (chunk === PRODUCERS_CHUNK) return isProducersVersion(version);
    const { migratedStates, formerModels } = this.sensors.detector;
    const [layout, state, model = ""] = version.split("/");
    const readable = [...FORMER_LAYOUTS, CHUNK_LAYOUT].includes(Number(layout));
    return readable && migratedStates.includes(Number(state)) && formerModels.includes(model);
  }

  load({ chunk, asOf, version, bytes }: StateChunk): void {
    if (chunk === PRODUCERS_CHUNK) this.producers.load(bytes);
    else {
      const [layout, stateVersion] = version.split("/").map(Number);
      this.sensors.load(chunk, asOf, bytes, { layout: layout!, stateVersion: stateVersion! });
    }
  }

  /** A place to begin a rebuilding at: before the record at the offset. */
  at(offset: number): ReplayPoint {
    return { offset, tick: this.tick, receivedUs: this.receivedUs, tickedUs: this.#tickedUs };
  }

  /** Behind the loading of chunks: they are of several places of the log, and what is read again begins here. */
  startAt({ offset, tick, receivedUs, tickedUs }: ReplayPoint): void {
    this.next = offset;
    this.tick = tick;
    this.receivedUs = receivedUs;
    this.#tickedUs = tickedUs;
    this.sensors.detector.resume(tickedUs);
    this.rebuilding = offset < this.row.nextOffset;
  }

  /** Whether what the record did to the slot is in the loaded state already. */
  has(slot: number, offset: number): boolean {
    return this.rebuilding && this.sensors.holds(slot, offset);
  }

  touchProducers(at: ReplayPoint): void {
    this.#producersDirty ??= at;
  }

  /** A reading is about to be taken into the episodes: whether it ends a silence. When it arrived follows from its id, which a backtest has too. */
  returned(slot: number, readingId: number): boolean {
    const { episodes } = this.sensors;
    return episodes.isSilent(slot) && episodes.heard(slot, this.receivedUsOf(readingId));
  }

  /**
   * Takes a scored reading into its sensor's episodes. `returned` as of `returned()`. What it means for early alerts is in `earlyEnded`
   * afterwards.
   */
  observe(batch: ScoreBatch, i: number, readingId: number, returned: boolean): Transition {
    const { episodes, outlooks } = this.sensors;
    const transition = episodes.observe(batch, i, readingId, returned);
    this.earlyEnded = outlooks.reading(batch.slot[i]!, batch.timeUs[i]!, batch.value[i]!, readingId);
    return transition;
  }

  /**
   * The record at the offset says that time has passed: answers with the slots of sensors that have become silent, and with what changes
   * of early alerts.
   */
  passed(offset: number): { silent: number[]; early: EarlyChange[] } {
    const silent = this.#silence(offset);
    const early = this.#lookAhead(offset);
    this.#tickedUs = this.receivedUs;
    return { silent, early };
  }

  /** Looks where sensors are heading, and ends early alerts of those of which nothing is heard any more. */
  #lookAhead(offset: number): EarlyChange[] {
    const { receivedUs: nowUs, sensors } = this;
    const { outlooks, ids, lastId, lastUs, lastValue } = sensors;
    const at = this.at(offset);
    const newestOf = (slot: number) => ({ id: lastId[slot]!, timeUs: lastUs[slot]!, value: lastValue[slot]! });
    // By their newest readings: which slot a sensor has may differ after a restart.
    const inOrder = (slots: readonly number[]) =>
      slots.filter((slot) => !this.has(slot, offset)).sort((a, b) => lastId[a]! - lastId[b]!);
    const looked = inOrder(outlooks.due(nowUs)).flatMap((slot) => {
      sensors.touch(slot, at);
      return outlooks.look(slot, newestOf(slot), nowUs, this.settings.isRetired(ids[slot]!));
    });
    const ended = inOrder(outlooks.heading).flatMap((slot) => {
      const changes = outlooks.wait(slot, newestOf(slot), nowUs);
      if (changes.length > 0) sensors.touch(slot, at);
      return changes;
    });
    return [...looked, ...ended];
  }

  /** Opens episodes of the sensors that have become silent, and answers with their slots. */
  #silence(offset: number): number[] {
    const at = this.at(offset);
    const { detector, episodes, ids, lastId, lastUs, lastValue } = this.sensors;
    const slots = detector.tick(this.receivedUs, {
      skip: (slot) => this.has(slot, offset),
      changes: (slot) => this.sensors.touch(slot, at),
    });
    // By their newest readings and not by slots: which slot a sensor has may differ after a restart, where sensors were deleted.
    slots.sort((a, b) => lastId[a]! - lastId[b]!);
    return slots.filter((slot) => {
      if (this.settings.isRetired(ids[slot]!)) return false;
      const last = { id: lastId[slot]!, timeUs: lastUs[slot]!, value: lastValue[slot]! };
      return episodes.silent(slot, this.receivedUs, last, SILENCE_SCORE, REASON_SILENCE) === "opened";
    });
  }

  /** Where a rebuilding of what is saved would have to begin. */
  replayPoint(): ReplayPoint {
    const a = this.sensors.oldestDirty();
    const b = this.#producersDirty;
    if (a === undefined || b === undefined) return a ?? b ?? this.at(this.next);
    return a.offset <= b.offset ? a : b;
  }

  /** Chunks whose turn it is, within what the readings taken so far have paid for. */
  chunksToSave(readings: number): StateChunk[] {
    const elapsedUs = Math.min(this.receivedUs - (this.#lookedUs ?? this.receivedUs), SAVE_ALL_US);
    this.#lookedUs = this.receivedUs;
    const { ids, outlooks } = this.sensors;
    const perUs = Math.min(this.#bytes(ids.length, outlooks.size) / SAVE_ALL_US, SAVE_BYTES_PER_US);
    const due = readings * SAVE_BYTES_PER_READING + elapsedUs * perUs;
    this.#saveCredit = Math.min(this.#saveCredit + due, 64 * this.#bytes(this.sensors.chunkSensors));
    return this.#save();
  }

  /** Of so many sensors, of which some have limits for early alerts. */
  #bytes(sensors: number, withLimits = 0): number {
    const { detector, episodes, outlooks } = this.sensors;
    return sensors * (detector.bytesPerSensor + episodes.bytesPerSensor) + withLimits * outlooks.bytesPerSensor;
  }

  /** Chunks for the credit that there is. */
  #save(): StateChunk[] {
    const { sensors, version } = this;
    const chunks: StateChunk[] = [];
    const waiting = this.buffer.byChunk(sensors.chunkSensors);
    for (;;) {
      const chunk = sensors.nextToSave(this.next);
      const oldest = chunk === undefined ? undefined : sensors.oldestDirty();
      const p = this.#producersDirty;
      const producers = p !== undefined && (oldest === undefined || p.offset <= oldest.offset);
      if (!producers && chunk === undefined) break;
      // The windows of senders are small, but not nothing.
      const cost = producers ? this.#bytes(1) : this.#bytes(sensors.sizeOf(chunk!), sensors.withLimits(chunk!));
      if (cost > this.#saveCredit) break;
      this.#saveCredit -= cost;
      if (producers) chunks.push(this.#saveProducers());
      else
        chunks.push({
          chunk: chunk!,
          asOf: this.next,
          version,
          bytes: sensors.save(chunk!, this.next, waiting.get(chunk!)),
        });
    }
    return chunks;
  }

  /** What is not saved as of now, up to so many bytes, the oldest first. */
  chunksLeft(maxBytes: number): StateChunk[] {
    this.#saveCredit = maxBytes;
    return this.#save();
  }

  /** All of the state as of now, piece by piece: it may be larger than what memory has room for twice. */
  *saveAll(): Generator<StateChunk> {
    const { sensors, version, next: asOf } = this;
    yield this.#saveProducers();
    const waiting = this.buffer.byChunk(sensors.chunkSensors);
    for (const [chunk, bytes] of sensors.saveAll(asOf, waiting)) yield { chunk, asOf, version, bytes };
  }

  #saveProducers(): StateChunk {
    this.#producersDirty = undefined;
    return { chunk: PRODUCERS_CHUNK, asOf: this.next, version: PRODUCERS_VERSION, bytes: this.producers.save() };
  }
}
