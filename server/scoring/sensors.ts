import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { type Detector, Episodes } from "../detect/index.ts";
import { receivedUsOf } from "../log/id-clock.ts";
import type { NewestRow } from "../store/store.ts";
import { Outlooks } from "./outlooks.ts";

const FIRST_CAPACITY = 1024;
/** In saved names, between the id of a sensor that was begun anew and the offset of the deletion before. No id has it. */
const ANEW = "\0";

/** Who a series belongs to and where its rows go. */
export interface Series {
  /** Number of the series in the store; −1 until the store has given one. */
  id: number;
  readonly slot: number;
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  readonly location: string | undefined;
}

/** Where a rebuilding would have to begin: a record's offset with the id clock and the times before it. */
export interface ReplayPoint {
  readonly offset: number;
  readonly tick: number;
  readonly receivedUs: number;
  /** The log's time at the newest time record; 0: there was none. */
  readonly tickedUs: number;
}

/** Where a sensor was deleted: the record's offset, and the id clock after it. */
export interface Deletion {
  readonly offset: number;
  readonly tick: number;
}

/** Readings of a chunk that the reorder buffer has. */
export interface Waiting {
  readonly ids: readonly number[];
  /** Before the record of the oldest. */
  readonly oldest: ReplayPoint;
}

/**
 * Layout of a saved chunk around the detector's and the episodes' own. 1 had no list of what waits: it was saved only where
 * nothing did, and is read as that. From 3 on all of it is packed by zstd; from 4 on silence has an episode of its own; from 5 on there are
 * early alerts.
 */
export const CHUNK_LAYOUT = 5;
export const FORMER_LAYOUTS: readonly number[] = [1, 2, 3, 4];
/** Before the names: how many sensors, and how long each part is. Former layouts had fewer parts. */
const HEAD_BYTES = 24;
const HEAD_BYTES_OF: Readonly<Record<number, number>> = { 1: 16, 2: 20, 3: 20, 4: 20 };
/** Ids and columns of a chunk. */
const NAMES_BYTES = 16_384;
/** To two fifths of its size for 2 ms of CPU a MB; a database takes 4 ms to store one. */
const PACKING = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/**
 * The states of a partition's sensors in slots: what deduplication needs here, the detector's and the episodes' beside it. Saved
 * and restored in chunks of slots; each chunk knows the first record since its last saving.
 */
export class Sensors {
  readonly detector: Detector;
  readonly episodes = new Episodes();
  readonly outlooks: Outlooks;
  /** By id; of a sensor that was begun anew after a deletion by its id, `ANEW` and the deletion's offset. */
  readonly #slots = new Map<string, number>();
  /** By slot; empty: the slot is free. */
  readonly ids: string[] = [];
  /** The newest deletion of each id that was ever deleted, as of the record being taken. */
  readonly #deletions = new Map<string, Deletion>();
  /** By slot, the offset of the deletion before the sensor in it, where there is one. */
  readonly #begunAfter = new Map<number, number>();
  /** Free slots, the lowest last. */
  #free: number[] = [];
  /** Offset of the record being taken: a slot of a loaded chunk that is of a later one is not given out. */
  at = Number.POSITIVE_INFINITY;
  /** Newest time of each slot that is not late, microseconds; −1 before the first. */
  lastUs: Float64Array = new Float64Array(FIRST_CAPACITY).fill(-1);
  lastValue: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** Id of that reading. */
  lastId: Float64Array = new Float64Array(FIRST_CAPACITY);
  /** Offset after the last record in a chunk's saved form; 0 where there is none. */
  readonly asOf: number[] = [];
  readonly #dirty: (ReplayPoint | undefined)[] = [];
  /** Ids of readings that waited in the reorder buffer when a loaded chunk was saved: they are not in its state. */
  readonly #waited = new Map<number, Set<number>>();
  /** Chunks below this were saved when full. Later ones wait for their turn, so that slots have no holes after a restart. */
  #settledChunks = 0;

  /** @param receivedOf when the reading with an id arrived, by the log's time */
  constructor(detector: Detector, receivedOf: (readingId: number) => number = receivedUsOf) {
    this.detector = detector;
    this.outlooks = new Outlooks(detector, this.episodes, receivedOf);
  }

  get chunkSensors(): number {
    return this.detector.chunkSensors;
  }

  find(sensorId: string): number | undefined {
    return this.#slots.get(this.#nameOf(sensorId, this.#deletions.get(sensorId)?.offset));
  }

  add(sensorId: string, sensorType: string, unit: string): number {
    const free = this.#takeFree();
    const slot = this.detector.addSensor(sensorType, unit, free);
    if (free === undefined) this.episodes.addSensor();
    if (slot >= this.lastUs.length) this.#grow(slot + 1);
    this.#name(slot, sensorId, this.#deletions.get(sensorId)?.offset);
    return slot;
  }

  /** The sensor was deleted there. Frees its slot and answers with it; undefined where it had none. */
  remove(sensorId: string, deletion: Deletion): number | undefined {
    const slot = this.find(sensorId);
    this.#deletions.set(sensorId, deletion);
    if (slot === undefined) return undefined;
    this.#slots.delete(this.#nameOf(sensorId, this.#begunAfter.get(slot)));
    this.#begunAfter.delete(slot);
    this.ids[slot] = "";
    this.lastUs[slot] = -1;
    this.lastValue[slot] = 0;
    this.lastId[slot] = 0;
    this.detector.removeSensor(slot);
    this.episodes.removeSensor(slot);
    this.outlooks.remove(slot);
    this.#addFree(slot);
    return slot;
  }

  /** The newest deletion of the id. */
  deletionOf(sensorId: string): Deletion | undefined {
    return this.#deletions.get(sensorId);
  }

  #nameOf(sensorId: string, begunAfter: number | undefined): string {
    return begunAfter === undefined ? sensorId : `${sensorId}${ANEW}${begunAfter}`;
  }

  #name(slot: number, sensorId: string, begunAfter: number | undefined): void {
    this.ids[slot] = sensorId;
    this.#slots.set(this.#nameOf(sensorId, begunAfter), slot);
    if (begunAfter !== undefined) this.#begunAfter.set(slot, begunAfter);
  }

  /** The lowest free slot. Those of a chunk that is of a later record may stand for a sensor by then. */
  #takeFree(): number | undefined {
    const at = this.#free.findLastIndex((slot) => !this.holds(slot, this.at));
    return at < 0 ? undefined : this.#free.splice(at, 1)[0];
  }

  #addFree(slot: number): void {
    const place = this.#free.findLastIndex((other) => other > slot);
    this.#free.splice(place + 1, 0, slot);
  }

  /** A sensor's newest reading as the store has it. Answers whether the state was behind it. */
  knowNewest({ sensorId, lastUs, lastValue, lastId }: NewestRow): boolean {
    const slot = this.find(sensorId);
    if (slot === undefined || lastUs < this.lastUs[slot]! || lastId === this.lastId[slot]) return false;
    this.lastUs[slot] = lastUs;
    this.lastValue[slot] = lastValue;
    this.lastId[slot] = lastId;
    return true;
  }

  #grow(atLeast: number): void {
    const capacity = Math.max(atLeast, this.lastUs.length * 2);
    const grow = (old: Float64Array, fill: number) => {
      const larger = new Float64Array(capacity).fill(fill);
      larger.set(old);
      return larger;
    };
    this.lastUs = grow(this.lastUs, -1);
    this.lastValue = grow(this.lastValue, 0);
    this.lastId = grow(this.lastId, 0);
  }

  /** Records that the record at `at` may change the slot's state. */
  touch(slot: number, at: ReplayPoint): void {
    const chunk = Math.floor(slot / this.chunkSensors);
    this.#dirty[chunk] ??= at;
  }

  /** The oldest record that is not in some saved chunk, or undefined where all are saved. */
  oldestDirty(): ReplayPoint | undefined {
    let oldest: ReplayPoint | undefined;
    for (const d of this.#dirty) {
      if (d !== undefined && (oldest === undefined || d.offset < oldest.offset)) oldest = d;
    }
    return oldest;
  }

  /** The chunk that has waited longest and is not saved as of `nextOffset` yet. */
  nextToSave(nextOffset: number): number | undefined {
    let best: number | undefined;
    for (let chunk = 0; chunk <= this.#settledChunks && chunk < this.#dirty.length; chunk++) {
      const d = this.#dirty[chunk];
      if (d === undefined || this.asOf[chunk] === nextOffset) continue;
      if (best === undefined || d.offset < this.#dirty[best]!.offset) best = chunk;
    }
    // New sensors make many chunks at once: go on with their first saving, in order, before saving old ones again.
    const fresh = this.#settledChunks;
    if (this.#dirty[fresh] !== undefined && this.#isFull(fresh) && this.asOf[fresh] !== nextOffset) return fresh;
    return best;
  }

  #isFull(chunk: number): boolean {
    return this.sizeOf(chunk) === this.chunkSensors;
  }

  /** Sensors in the chunk. */
  sizeOf(chunk: number): number {
    return Math.min(this.chunkSensors, this.ids.length - chunk * this.chunkSensors);
  }

  /** Sensors in the chunk that are looked ahead of. */
  withLimits(chunk: number): number {
    return this.outlooks.sizeOf(chunk * this.chunkSensors, this.sizeOf(chunk));
  }

  /**
   * A chunk's state as of now, for the commit that ends before `nextOffset`. It counts as saved from then on; what waits of it is
   * named only, and read again from the log.
   */
  save(chunk: number, nextOffset: number, waiting: Waiting | undefined): Uint8Array {
    const from = chunk * this.chunkSensors;
    const to = Math.min(from + this.chunkSensors, this.ids.length);
    const named = this.ids.slice(from, to).map((id, i) => this.#nameOf(id, this.#begunAfter.get(from + i)));
    const names = Buffer.from(JSON.stringify(named));
    const detector = this.detector.saveChunk(chunk);
    const episodes = this.episodes.saveChunk(chunk);
    const waits = Buffer.from(Float64Array.from(waiting?.ids ?? []).buffer);
    const outlooks = this.outlooks.save(from, to - from);
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(to - from, 0);
    head.writeUInt32LE(names.length, 4);
    head.writeUInt32LE(detector.length, 8);
    head.writeUInt32LE(episodes.length, 12);
    head.writeUInt32LE(waits.length, 16);
    head.writeUInt32LE(outlooks.length, 20);
    const column = (c: Float64Array) => Buffer.from(c.slice(from, to).buffer);
    this.asOf[chunk] = nextOffset;
    this.#dirty[chunk] = waiting?.oldest;
    if (chunk === this.#settledChunks && this.#isFull(chunk)) this.#settledChunks++;
    const columns = [column(this.lastUs), column(this.lastValue), column(this.lastId)];
    return zstdCompressSync(joined([head, names, ...columns, detector, episodes, outlooks, waits]), PACKING);
  }

  /** Restores chunks one by one, in order. */
  load(chunk: number, asOf: number, saved: Uint8Array, of: { layout: number; stateVersion: number }): void {
    const { layout, stateVersion } = of;
    const b = layout < 3 ? Buffer.from(saved) : zstdDecompressSync(saved, { chunkSize: this.#roomOfChunk });
    const count = b.readUInt32LE(0);
    const nameBytes = b.readUInt32LE(4);
    const detectorBytes = b.readUInt32LE(8);
    const episodeBytes = b.readUInt32LE(12);
    const from = chunk * this.chunkSensors;
    if (this.ids.length !== from) throw new RangeError(`state chunk ${chunk} follows ${this.ids.length} sensors`);
    const outlookBytes = layout < 5 ? 0 : b.readUInt32LE(20);
    let p = HEAD_BYTES_OF[layout] ?? HEAD_BYTES;
    for (const name of JSON.parse(b.toString("utf8", p, p + nameBytes)) as string[]) {
      const slot = this.ids.length;
      const [id, begunAfter] = name.split(ANEW) as [string, string?];
      if (id === "") {
        this.ids.push(id);
        this.#addFree(slot);
      } else this.#name(slot, id, begunAfter === undefined ? undefined : Number(begunAfter));
    }
    p += nameBytes;
    if (this.ids.length > this.lastUs.length) this.#grow(this.ids.length);
    for (const column of [this.lastUs, this.lastValue, this.lastId]) {
      for (let i = 0; i < count; i++, p += 8) column[from + i] = b.readDoubleLE(p);
    }
    this.detector.loadChunk(chunk, b.subarray(p, p + detectorBytes), count, stateVersion);
    p += detectorBytes;
    const former = layout < 4 ? "joint" : layout < 5 ? "apart" : undefined;
    this.episodes.loadChunk(chunk, b.subarray(p, p + episodeBytes), count, former);
    p += episodeBytes;
    this.outlooks.load(from, b.subarray(p, p + outlookBytes));
    p += outlookBytes;
    if (layout > 1 && p < b.length) this.#waited.set(chunk, new Set(doublesOf(b.subarray(p))));
    this.asOf[chunk] = asOf;
    if (count === this.chunkSensors) this.#settledChunks = chunk + 1;
  }

  /** Bytes that a chunk has at most, but where ids are long: what is larger is put together from pieces. */
  get #roomOfChunk(): number {
    const { detector, episodes, outlooks } = this;
    const bytes = detector.bytesPerSensor + episodes.bytesPerSensor + outlooks.bytesPerSensor;
    return this.chunkSensors * bytes + NAMES_BYTES;
  }

  /** Whether a record before the chunk's last saving is being read again: it is in the state already. */
  holds(slot: number, offset: number): boolean {
    const asOf = this.asOf[Math.floor(slot / this.chunkSensors)];
    return asOf !== undefined && offset < asOf;
  }

  /** Of a loaded slot: ids of readings that are not in its state although their records were taken, since they waited. */
  waited(slot: number): Set<number> | undefined {
    return this.#waited.get(Math.floor(slot / this.chunkSensors));
  }

  /** How many of those have not been found again. */
  get stillWaited(): number {
    let n = 0;
    for (const ids of this.#waited.values()) n += ids.size;
    return n;
  }

  /** Every chunk as of now, whatever has been saved of it. */
  *saveAll(nextOffset: number, waiting: ReadonlyMap<number, Waiting>): Generator<[chunk: number, bytes: Uint8Array]> {
    for (let chunk = 0; chunk * this.chunkSensors < this.ids.length; chunk++) {
      yield [chunk, this.save(chunk, nextOffset, waiting.get(chunk))];
    }
  }
}

/** An array of its own: those of a Buffer may begin between two of them. */
function doublesOf(bytes: Buffer): Float64Array {
  return new Float64Array(Uint8Array.from(bytes).buffer);
}

/** Where a chunk is put together, the same memory each time: the collector of garbage counts what is made. */
let scratch = Buffer.alloc(0);

/** The parts behind each other, until the next call. */
function joined(parts: readonly Uint8Array[]): Buffer {
  const bytes = parts.reduce((sum, { length }) => sum + length, 0);
  if (scratch.length < bytes) scratch = Buffer.allocUnsafe(2 * bytes);
  let at = 0;
  for (const part of parts) {
    scratch.set(part, at);
    at += part.length;
  }
  return scratch.subarray(0, bytes);
}
