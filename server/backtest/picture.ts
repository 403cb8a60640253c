/** A series thinned to columns, as it is replayed: what a picture needs, in memory that does not grow with the series. */
export class PictureColumns {
  readonly #fromUs: number;
  readonly #widthUs: number;
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  readonly #expectedLow: Float64Array;
  readonly #expectedHigh: Float64Array;

  constructor(fromUs: number, toUs: number, columns: number) {
    this.#fromUs = fromUs;
    this.#widthUs = Math.max(1, (toUs - fromUs + 1) / columns);
    this.#low = new Float64Array(columns).fill(Number.POSITIVE_INFINITY);
    this.#high = new Float64Array(columns).fill(Number.NEGATIVE_INFINITY);
    this.#expectedLow = new Float64Array(columns).fill(Number.POSITIVE_INFINITY);
    this.#expectedHigh = new Float64Array(columns).fill(Number.NEGATIVE_INFINITY);
  }

  /** A reading of the range; `expected` and `band` NaN where it was not judged. */
  add(timeUs: number, value: number, expected: number, band: number): void {
    const k = Math.floor((timeUs - this.#fromUs) / this.#widthUs);
    if (k < 0 || k >= this.#low.length) return;
    this.#low[k] = Math.min(this.#low[k]!, value);
    this.#high[k] = Math.max(this.#high[k]!, value);
    if (Number.isNaN(expected) || Number.isNaN(band)) return;
    this.#expectedLow[k] = Math.min(this.#expectedLow[k]!, expected - band);
    this.#expectedHigh[k] = Math.max(this.#expectedHigh[k]!, expected + band);
  }

  /** The columns that have readings. */
  columns() {
    const found = {
      timesUs: [] as number[],
      low: [] as number[],
      high: [] as number[],
      expectedLow: [] as number[],
      expectedHigh: [] as number[],
    };
    for (let k = 0; k < this.#low.length; k++) {
      if (this.#low[k] === Number.POSITIVE_INFINITY) continue;
      found.timesUs.push(Math.round(this.#fromUs + (k + 0.5) * this.#widthUs));
      found.low.push(this.#low[k]!);
      found.high.push(this.#high[k]!);
      const known = Number.isFinite(this.#expectedLow[k]!);
      found.expectedLow.push(known ? this.#expectedLow[k]! : Number.NaN);
      found.expectedHigh.push(known ? this.#expectedHigh[k]! : Number.NaN);
    }
    return found;
  }
}
