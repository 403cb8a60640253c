/** Readings put together by column. */
import type { Row } from "postgres";
import type { Points } from "../points.ts";
import type { Grid } from "./grid.ts";

/** An element for each column. Where `count` is 0 the others mean nothing. */
export class ColumnSums {
  readonly grid: Grid;
  readonly count: Float64Array;
  /** Readings of which the columns below have everything; fewer than `count` where stored aggregates are not completed. */
  readonly charted: Float64Array;
  readonly smallest: Float64Array;
  readonly largest: Float64Array;
  readonly anomalies: Float64Array;
  readonly firstUs: Float64Array;
  readonly first: Float64Array;
  readonly lastUs: Float64Array;
  readonly last: Float64Array;
  readonly expectedTotal: Float64Array;
  readonly expectedCount: Float64Array;
  /** Infinity: no reading has a bound. */
  readonly lowest: Float64Array;
  readonly highest: Float64Array;
  /** Steps of 1e-4. */
  readonly worst: Float64Array;
  readings = 0;

  constructor(grid: Grid) {
    const column = (empty: number) => new Float64Array(grid.count).fill(empty);
    this.grid = grid;
    this.count = column(0);
    this.charted = column(0);
    this.smallest = column(Number.POSITIVE_INFINITY);
    this.largest = column(Number.NEGATIVE_INFINITY);
    this.anomalies = column(0);
    this.firstUs = column(Number.POSITIVE_INFINITY);
    this.first = column(0);
    this.lastUs = column(Number.NEGATIVE_INFINITY);
    this.last = column(0);
    this.expectedTotal = column(0);
    this.expectedCount = column(0);
    this.lowest = column(Number.POSITIVE_INFINITY);
    this.highest = column(Number.NEGATIVE_INFINITY);
    this.worst = column(0);
  }

  /** Adds those of the points that lie in [lowUs, highUs), a part of the grid. */
  addPoints(p: Points, lowUs: number, highUs: number): void {
    const { startUs, widthUs } = this.grid;
    for (let i = 0; i < p.length; i++) {
      const t = p.timeUs[i]!;
      if (t < lowUs || t >= highUs) continue;
      this.#addPoint(p, i, Math.floor((t - startUs) / widthUs));
    }
  }

  /** Adds stored aggregates of one column, as `readParts` gives them. */
  addRollup(startUs: number, r: Row): void {
    const c = (startUs - this.grid.startUs) / this.grid.widthUs;
    this.readings += r.readings;
    this.count[c]! += r.readings;
    this.charted[c]! += r.charted;
    this.smallest[c] = Math.min(this.smallest[c]!, r.smallest);
    this.largest[c] = Math.max(this.largest[c]!, r.largest);
    this.anomalies[c]! += r.anomalies;
    // Of what is not completed nothing is shown but the above.
    if (r.charted !== r.readings) return;
    this.#addEnds(c, r.first_us, r.first_value);
    this.#addEnds(c, r.last_us, r.last_value);
    this.expectedTotal[c]! += r.expected_total ?? 0;
    this.expectedCount[c]! += r.forecast;
    this.lowest[c] = Math.min(this.lowest[c]!, r.lowest ?? Number.POSITIVE_INFINITY);
    this.highest[c] = Math.max(this.highest[c]!, r.highest ?? Number.NEGATIVE_INFINITY);
    this.worst[c] = Math.max(this.worst[c]!, r.worst ?? 0);
  }

  #addPoint(p: Points, i: number, c: number): void {
    const value = p.value[i]!;
    this.readings++;
    this.count[c]!++;
    this.charted[c]!++;
    if (value < this.smallest[c]!) this.smallest[c] = value;
    if (value > this.largest[c]!) this.largest[c] = value;
    this.#addEnds(c, p.timeUs[i]!, value);
    const expected = p.expected[i]!;
    if (Number.isFinite(expected)) this.#addExpected(c, expected, p.band[i]!);
    if (p.anomaly[i] === 0) return;
    this.anomalies[c]!++;
    if (p.score[i]! > this.worst[c]!) this.worst[c] = p.score[i]!;
  }

  #addEnds(c: number, timeUs: number, value: number): void {
    if (timeUs < this.firstUs[c]!) {
      this.firstUs[c] = timeUs;
      this.first[c] = value;
    }
    if (timeUs > this.lastUs[c]!) {
      this.lastUs[c] = timeUs;
      this.last[c] = value;
    }
  }

  #addExpected(c: number, expected: number, band: number): void {
    this.expectedTotal[c]! += expected;
    this.expectedCount[c]!++;
    if (!Number.isFinite(band)) return;
    if (expected - band < this.lowest[c]!) this.lowest[c] = expected - band;
    if (expected + band > this.highest[c]!) this.highest[c] = expected + band;
  }
}
