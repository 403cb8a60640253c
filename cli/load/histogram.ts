/** Counts durations in buckets that each are 5 % wider than the one before: a percentile is right within 5 %, in constant memory. */
const STEP = Math.log(1.05);
/** Milliseconds at the lower end of the first bucket, and above the last. */
const FIRST_MS = 0.1;
const MOST_MS = 3_600_000;
const BUCKETS = Math.ceil(Math.log(MOST_MS / FIRST_MS) / STEP);

export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  count = 0;
  maxMs = 0;

  /** @param times how often it happened */
  add(ms: number, times = 1): void {
    const index = Math.floor(Math.log(Math.max(ms, FIRST_MS) / FIRST_MS) / STEP);
    this.#counts[Math.min(index, BUCKETS - 1)]! += times;
    this.count += times;
    this.maxMs = Math.max(this.maxMs, ms);
  }

  merge(other: Histogram): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i]! += other.#counts[i]!;
    this.count += other.count;
    this.maxMs = Math.max(this.maxMs, other.maxMs);
  }

  /** Milliseconds below which this share lies; NaN where there is nothing. */
  quantile(share: number): number {
    if (this.count === 0) return Number.NaN;
    let left = share * this.count;
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.#counts[i]!;
      if (left <= 0) return Math.min(this.maxMs, upperMs(i));
    }
    return this.maxMs;
  }

  /** Buckets that hold something, with all between them. */
  buckets(): { readonly fromMs: number; readonly toMs: number; readonly count: number }[] {
    const first = this.#counts.findIndex((count) => count > 0);
    const last = this.#counts.findLastIndex((count) => count > 0);
    if (first < 0) return [];
    return Array.from({ length: last - first + 1 }, (_, i) => ({
      fromMs: upperMs(first + i - 1),
      toMs: upperMs(first + i),
      count: this.#counts[first + i]!,
    }));
  }
}

function upperMs(index: number): number {
  return FIRST_MS * Math.exp((index + 1) * STEP);
}
