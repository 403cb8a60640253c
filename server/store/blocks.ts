import { CopyBuffer, putInt16, putInt32, putInt64 } from "../postgres/copy.ts";
import { encodeBlock, maxBlockBytes } from "./block.ts";
import { MAX_BLOCK_POINTS, type Points } from "./points.ts";

export const BLOCK_COLUMNS = "series, first_us, last_us, first_id, points, anomalies, model, data";
const ROW_HEAD = 2 + 8 + 3 * 12 + 3 * 6 + 4;

/** Gathers rows of a block table for one COPY. */
export class BlockRows {
  readonly #copy: CopyBuffer;
  rows = 0;

  constructor(points: number) {
    this.#copy = new CopyBuffer(points * 24);
  }

  /** Adds points [from, to), of one series and in rising order of time, as one row or more. */
  add(series: number, model: number, points: Points, from: number, to: number): void {
    for (let start = from; start < to; start += MAX_BLOCK_POINTS) {
      this.#addRow(series, model, points, start, Math.min(to, start + MAX_BLOCK_POINTS));
    }
  }

  #addRow(series: number, model: number, points: Points, from: number, to: number): void {
    const b = this.#copy.reserve(ROW_HEAD + maxBlockBytes(to - from));
    let p = this.#copy.position;
    let anomalies = 0;
    for (let i = from; i < to; i++) anomalies += points.anomaly[i]!;
    b.writeInt16BE(8, p);
    p = putInt32(b, p + 2, series);
    p = putInt64(b, p, points.timeUs[from]!);
    p = putInt64(b, p, points.timeUs[to - 1]!);
    p = putInt64(b, p, points.id[from]!);
    p = putInt16(b, p, to - from);
    p = putInt16(b, p, anomalies);
    p = putInt16(b, p, model);
    const end = encodeBlock(points, from, to, b, p + 4);
    b.writeInt32BE(end - p - 4, p);
    this.#copy.advance(end);
    this.rows++;
  }

  finish(): Buffer {
    return this.#copy.finish();
  }
}
