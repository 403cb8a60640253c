/**
 * Readings of a file in the order of their times, however many: a sensor's reading is judged only where it is newer than the one
 * before, and files come newest first as often as not. What does not fit into memory goes to disk in pieces, which are sorted and merged
 * unless the file is in that order already.
 */
import type { FileHandle } from "node:fs/promises";
import { append, openUnnamed } from "../unnamed.ts";

/** Readings sorted in memory at once: 24 bytes each, and 4 for their order. */
const PIECE_READINGS = 1_000_000;
/** Readings of each piece in memory while the pieces are merged. */
const WINDOW_READINGS = 8_192;
const BYTES = 24;

export interface Reading {
  readonly timeUs: number;
  readonly value: number;
  /** Number of its series in the file. */
  readonly series: number;
  readonly line: number;
}

/** Columns of readings. */
class Piece {
  readonly bytes: Buffer;
  readonly timeUs: Float64Array;
  readonly value: Float64Array;
  readonly series: Uint32Array;
  readonly line: Uint32Array;
  length = 0;

  constructor(most: number) {
    this.bytes = Buffer.alloc(most * BYTES);
    const { buffer, byteOffset } = this.bytes;
    this.timeUs = new Float64Array(buffer, byteOffset, most);
    this.value = new Float64Array(buffer, byteOffset + most * 8, most);
    this.series = new Uint32Array(buffer, byteOffset + most * 16, most);
    this.line = new Uint32Array(buffer, byteOffset + most * 20, most);
  }

  put(timeUs: number, value: number, series: number, line: number): void {
    const at = this.length++;
    this.timeUs[at] = timeUs;
    this.value[at] = value;
    this.series[at] = series;
    this.line[at] = line;
  }

  copy(from: Piece, i: number): void {
    this.put(from.timeUs[i]!, from.value[i]!, from.series[i]!, from.line[i]!);
  }

  at(i: number): Reading {
    return { timeUs: this.timeUs[i]!, value: this.value[i]!, series: this.series[i]!, line: this.line[i]! };
  }

  get inOrder(): boolean {
    for (let i = 1; i < this.length; i++) if (this.timeUs[i]! < this.timeUs[i - 1]!) return false;
    return true;
  }

  /** Places of the readings in the order of time; those of equal time keep theirs. */
  order(): Uint32Array {
    const { timeUs } = this;
    const order = new Uint32Array(this.length);
    for (let i = 0; i < order.length; i++) order[i] = i;
    return this.inOrder ? order : order.sort((a, b) => timeUs[a]! - timeUs[b]! || a - b);
  }
}

export class SortedReadings implements AsyncIterable<Reading> {
  readonly #pieceReadings: number;
  readonly #files: { file: FileHandle; length: number }[] = [];
  #piece: Piece;
  /** One that went to disk, to be filled again. */
  #spare: Piece | undefined;
  #newestUs = Number.NEGATIVE_INFINITY;
  count = 0;
  /** Whether they came in the order of time. */
  inOrder = true;
  firstUs = Number.POSITIVE_INFINITY;
  lastUs = Number.NEGATIVE_INFINITY;

  constructor(pieceReadings = PIECE_READINGS) {
    this.#pieceReadings = pieceReadings;
    this.#piece = new Piece(pieceReadings);
  }

  /** Resolves at once unless a piece goes to disk. */
  add(timeUs: number, value: number, series: number, line: number): Promise<void> | undefined {
    if (timeUs < this.#newestUs) this.inOrder = false;
    this.#newestUs = timeUs;
    this.firstUs = Math.min(this.firstUs, timeUs);
    this.lastUs = Math.max(this.lastUs, timeUs);
    this.count++;
    const full = this.#piece.length === this.#pieceReadings ? this.#spill() : undefined;
    if (full === undefined) this.#piece.put(timeUs, value, series, line);
    return full?.then(() => this.#piece.put(timeUs, value, series, line));
  }

  async #spill(): Promise<void> {
    const piece = this.#piece;
    this.#piece = this.#spare ?? new Piece(this.#pieceReadings);
    this.#spare = undefined;
    const file = await openUnnamed("telltale-csv-");
    this.#files.push({ file, length: piece.length });
    const order = piece.order();
    for (let from = 0; from < order.length; from += WINDOW_READINGS) {
      const window = new Piece(Math.min(WINDOW_READINGS, order.length - from));
      for (const i of order.subarray(from, from + WINDOW_READINGS)) {
        window.copy(piece, i);
      }
      await append(file, window.bytes);
    }
    piece.length = 0;
    this.#spare = piece;
  }

  /** Once all are added; may be walked more than once. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Reading> {
    if (this.#files.length === 0) {
      for (const i of this.#piece.order()) yield this.#piece.at(i);
      return;
    }
    if (this.#piece.length > 0) await this.#spill();
    const cursors = this.#files.map(({ file, length }) => new Cursor(file, length));
    // Pieces of a file in order are one behind the other.
    if (this.inOrder) for (const cursor of cursors) yield* merge([cursor]);
    else yield* merge(cursors);
  }

  async dispose(): Promise<void> {
    for (const { file } of this.#files.splice(0)) await file.close();
  }
}

/** A place in a piece on disk, with the readings around it in memory. */
class Cursor {
  readonly #file: FileHandle;
  readonly #length: number;
  #from = 0;
  #at = 0;
  #window = new Piece(0);

  constructor(file: FileHandle, length: number) {
    this.#file = file;
    this.#length = length;
  }

  get timeUs(): number {
    return this.#at < this.#window.length ? this.#window.timeUs[this.#at]! : Number.POSITIVE_INFINITY;
  }

  take(): Reading {
    return this.#window.at(this.#at++);
  }

  /** Whether the next reading has to be loaded first. */
  get isEmpty(): boolean {
    return this.#at === this.#window.length && this.#from < this.#length;
  }

  async load(): Promise<void> {
    const window = new Piece(Math.min(WINDOW_READINGS, this.#length - this.#from));
    await this.#file.read(window.bytes, 0, window.bytes.length, this.#from * BYTES);
    window.length = window.bytes.length / BYTES;
    this.#from += window.length;
    this.#window = window;
    this.#at = 0;
  }
}

/** The pieces are few (a hundred for 100 million readings): looking at each head is as good as a heap. Ties go to the older piece. */
async function* merge(cursors: readonly Cursor[]): AsyncGenerator<Reading> {
  for (const cursor of cursors) await cursor.load();
  for (;;) {
    let first: Cursor | undefined;
    for (const cursor of cursors) if (cursor.timeUs < (first?.timeUs ?? Number.POSITIVE_INFINITY)) first = cursor;
    if (first === undefined) return;
    yield first.take();
    if (first.isEmpty) await first.load();
  }
}
