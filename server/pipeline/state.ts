import type { Control } from "../../gen/es/telltale/v1/log_pb.ts";
import { type Detector, REASON_SILENCE } from "../detect/index.ts";
import type { PartitionRow, StateChunk } from "../store/store.ts";
import { ReorderHold } from "./hold.ts";
import { Producers } from "./producers.ts";
import { CHUNK_LAYOUT, READABLE_LAYOUTS, type ReplayPoint, Sensors } from "./sensors.ts";
import { SeriesBook } from "./series.ts";
import { PartitionSettings } from "./settings.ts";

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
  readonly hold = new ReorderHold();
  /** Offset after the last record taken (scored, perhaps not yet stored). */
  next = 0;
  /** The id clock and the newest received_at after that record. */
  tick = 0;
  receivedUs = 0;
  /** The store's row as of the last run taken. */
  row!: PartitionRow;
  /** True while records before the store's offset are read again to rebuild the state. */
  rebuilding = false;
  #producersDirty: ReplayPoint | undefined;
  #saveCredit = 0;
  /** The log's time when chunks were last looked for. What is saved when changes no result. */
  #lookedUs: number | undefined;

  constructor(detector: Detector) {
    this.sensors = new Sensors(detector);
    this.series = new SeriesBook(this.sensors, this.settings);
  }

  /** Layout, detector and model of a chunk of sensors. */
  get version(): string {
    return this.#versionOf(CHUNK_LAYOUT);
  }

  #versionOf(layout: number): string {
    const { stateVersion, modelVersion } = this.sensors.detector;
    return `${layout}/${stateVersion}/${modelVersion}`;
  }

  /** Whether `load` can read the chunk. */
  canRead({ chunk, version }: StateChunk): boolean {
    if (chunk === PRODUCERS_CHUNK) return isProducersVersion(version);
    return READABLE_LAYOUTS.some((layout) => version === this.#versionOf(layout));
  }

  load({ chunk, asOf, version, bytes }: StateChunk): void {
    if (chunk === PRODUCERS_CHUNK) this.producers.load(bytes);
    else this.sensors.load(chunk, asOf, bytes, Number.parseInt(version, 10));
  }

  /** A place to begin a rebuilding at: before the record at the offset. */
  at(offset: number): ReplayPoint {
    return { offset, tick: this.tick, receivedUs: this.receivedUs };
  }

  startAt({ offset, tick, receivedUs }: ReplayPoint): void {
    this.next = offset;
    this.tick = tick;
    this.receivedUs = receivedUs;
    this.rebuilding = offset < this.row.nextOffset;
  }

  /** Whether what the record did to the slot is in the loaded state already. */
  has(slot: number, offset: number): boolean {
    return this.rebuilding && this.sensors.holds(slot, offset);
  }

  touchProducers(at: ReplayPoint): void {
    this.#producersDirty ??= at;
  }

  /** Applies a setting; false where the control is none. */
  set(control: Control, offset: number): boolean {
    const at = this.at(offset);
    return this.settings.apply(control, this.sensors, (slot) => {
      if (this.has(slot, offset)) return false;
      this.sensors.touch(slot, at);
      return true;
    });
  }

  /** Time has passed: opens episodes of the sensors that have become silent, and answers with their slots. */
  silence(offset: number): number[] {
    const at = this.at(offset);
    const { detector, episodes, lastId } = this.sensors;
    const slots = detector.tick(this.receivedUs, {
      skip: (slot) => this.has(slot, offset),
      changes: (slot) => this.sensors.touch(slot, at),
    });
    return slots.filter(
      (slot) => episodes.silent(slot, this.receivedUs, lastId[slot]!, SILENCE_SCORE, REASON_SILENCE) === "opened",
    );
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
    const perUs = Math.min(this.#bytes(this.sensors.ids.length) / SAVE_ALL_US, SAVE_BYTES_PER_US);
    const due = readings * SAVE_BYTES_PER_READING + elapsedUs * perUs;
    this.#saveCredit = Math.min(this.#saveCredit + due, 64 * this.#bytes(this.sensors.chunkSensors));
    return this.#save();
  }

  #bytes(sensors: number): number {
    const { detector, episodes } = this.sensors;
    return sensors * (detector.bytesPerSensor + episodes.bytesPerSensor);
  }

  /** Chunks for the credit that there is. */
  #save(): StateChunk[] {
    const { sensors, version } = this;
    const chunks: StateChunk[] = [];
    const waiting = this.hold.byChunk(sensors.chunkSensors);
    for (;;) {
      const chunk = sensors.nextToSave(this.next);
      const oldest = chunk === undefined ? undefined : sensors.oldestDirty();
      const p = this.#producersDirty;
      const producers = p !== undefined && (oldest === undefined || p.offset <= oldest.offset);
      if (!producers && chunk === undefined) break;
      // The windows of senders are small, but not nothing.
      const cost = this.#bytes(producers ? 1 : sensors.sizeOf(chunk!));
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
    const waiting = this.hold.byChunk(sensors.chunkSensors);
    for (const [chunk, bytes] of sensors.saveAll(asOf, waiting)) yield { chunk, asOf, version, bytes };
  }

  #saveProducers(): StateChunk {
    this.#producersDirty = undefined;
    return { chunk: PRODUCERS_CHUNK, asOf: this.next, version: PRODUCERS_VERSION, bytes: this.producers.save() };
  }
}
