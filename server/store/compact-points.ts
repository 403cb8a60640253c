import { CopyBuffer, putInt16, putInt32, putInt64 } from "../postgres/copy.ts";
import { decodeBlock } from "./block.ts";
import { encodeCold, maxColdBytes } from "./cold.ts";
import { copyPoint, createPoints, decimalsOf, MAX_BLOCK_POINTS, type Points } from "./points.ts";

/** A block as a query gives it. */
export interface BlockRow {
  readonly series: number;
  readonly first_us: number;
  readonly last_us: number;
  readonly first_id: number;
  readonly points: number;
  readonly anomalies: number;
  readonly model: number;
  readonly data: Buffer;
}

/** Points of many blocks one behind the other, each with its model. Grows. */
export class Gathered {
  points: Points;
  model: Uint16Array;
  #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.points = createPoints(capacity);
    this.model = new Uint16Array(capacity);
  }

  get length(): number {
    return this.points.length;
  }

  clear(): void {
    this.points.length = 0;
  }

  add(row: BlockRow): void {
    const from = this.points.length;
    this.#reserve(from + row.points);
    decodeBlock(row.data, row.first_us, row.first_id, this.points);
    this.model.fill(row.model, from, this.points.length);
  }

  #reserve(n: number): void {
    if (n <= this.#capacity) return;
    this.#capacity = Math.max(n, 2 * this.#capacity);
    const points = createPoints(this.#capacity);
    const { length, ...columns } = this.points;
    for (const [name, column] of Object.entries(columns)) points[name as keyof typeof columns].set(column as never);
    points.length = length;
    const model = new Uint16Array(this.#capacity);
    model.set(this.model);
    this.points = points;
    this.model = model;
  }
}

const ROW_HEAD = 2 + 8 + 3 * 12 + 3 * 6 + 4;

/** Rows of `block` for COPY, a buffer for each month. */
export class ColdRows {
  readonly months = new Map<string, CopyBuffer>();
  readonly #scratch = createPoints(MAX_BLOCK_POINTS);
  rows = 0;

  /**
   * Adds the points of one series and day that `order` names, in rising order of time, as full blocks and a rest, or, where `even`
   * is set, as blocks of about one size: what lies between other blocks gets no rest that stays small forever.
   */
  add(series: number, from: Gathered, order: ArrayLike<number>, even: boolean): void {
    const n = order.length;
    const most = even ? Math.ceil(n / Math.ceil(n / MAX_BLOCK_POINTS)) : MAX_BLOCK_POINTS;
    for (let start = 0; start < n; ) {
      const model = from.model[order[start]!]!;
      const scratch = this.#scratch;
      scratch.length = 0;
      let end = start;
      while (end < n && end - start < most && from.model[order[end]!] === model) {
        copyPoint(from.points, order[end++]!, scratch);
      }
      this.#addRow(series, model, scratch);
      start = end;
    }
  }

  #addRow(series: number, model: number, points: Points): void {
    const n = points.length;
    const month = monthOf(points.timeUs[0]!);
    let copy = this.months.get(month);
    if (copy === undefined) {
      copy = new CopyBuffer(65_536);
      this.months.set(month, copy);
    }
    let anomalies = 0;
    for (let i = 0; i < n; i++) anomalies += points.anomaly[i]!;
    const b = copy.reserve(ROW_HEAD + maxColdBytes(n));
    let p = copy.position;
    b.writeInt16BE(8, p);
    p = putInt32(b, p + 2, series);
    p = putInt64(b, p, points.timeUs[0]!);
    p = putInt64(b, p, points.timeUs[n - 1]!);
    p = putInt64(b, p, points.id[0]!);
    p = putInt16(b, p, n);
    p = putInt16(b, p, anomalies);
    p = putInt16(b, p, model);
    const end = encodeCold(points, 0, n, decimalsOf(points.value, 0, n), b, p + 4);
    b.writeInt32BE(end - p - 4, p);
    copy.advance(end);
    this.rows++;
  }
}

/** Name of the month (UTC) of a time, for example "2026_11". */
function monthOf(timeUs: number): string {
  return new Date(Math.floor(timeUs / 1000)).toISOString().slice(0, 7).replace("-", "_");
}

/** First microsecond of a month, and of the one after it. */
export function monthRange(month: string): [number, number] {
  const [year, number] = month.split("_").map(Number) as [number, number];
  return [Date.UTC(year, number - 1) * 1000, Date.UTC(year, number) * 1000];
}
