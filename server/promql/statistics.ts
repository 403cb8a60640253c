/** Statistics of values `lo` to `hi`, of which there is at least one: over time, and over series. */
export function sumOf(values: Float64Array, lo = 0, hi = values.length): number {
  const sum = new Sum();
  for (let i = lo; i < hi; i++) sum.add(values[i]!);
  return sum.value;
}

export function meanOf(values: Float64Array, lo = 0, hi = values.length): number {
  const sum = sumOf(values, lo, hi);
  if (Number.isFinite(sum)) return sum / (hi - lo);
  let mean = 0;
  for (let i = lo; i < hi; i++) {
    const n = i - lo + 1;
    const value = values[i]!;
    if (mean === value && !Number.isFinite(value)) continue;
    mean += value / n - mean / n;
  }
  return mean;
}

/** Of the whole population (Welford, 1962). */
export function varianceOf(values: Float64Array, lo = 0, hi = values.length): number {
  let mean = 0;
  let squares = 0;
  for (let i = lo; i < hi; i++) {
    const delta = values[i]! - mean;
    mean += delta / (i - lo + 1);
    squares += delta * (values[i]! - mean);
  }
  return squares / (hi - lo);
}

/** A number before NaN. */
export function smallestOf(values: Float64Array, lo = 0, hi = values.length): number {
  let found = values[lo]!;
  for (let i = lo + 1; i < hi; i++) if (values[i]! < found || Number.isNaN(found)) found = values[i]!;
  return found;
}

/** A number before NaN. */
export function largestOf(values: Float64Array, lo = 0, hi = values.length): number {
  let found = values[lo]!;
  for (let i = lo + 1; i < hi; i++) if (values[i]! > found || Number.isNaN(found)) found = values[i]!;
  return found;
}

/** Sums with the errors of rounding carried along (Neumaier, 1974). */
export class Sum {
  #total = 0;
  #lost = 0;

  add(value: number): void {
    const next = this.#total + value;
    if (Number.isFinite(next)) {
      this.#lost += Math.abs(this.#total) >= Math.abs(value) ? this.#total - next + value : value - next + this.#total;
    } else this.#lost = 0;
    this.#total = next;
  }

  get value(): number {
    return this.#total + this.#lost;
  }
}

/** The quantile of values, interpolated linearly; NaN counts as the smallest. Sorts them. */
export function quantileOf(q: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  // Typed arrays sort NaN to the end.
  values.sort();
  const nans = values.length - firstNan(values);
  const at = (i: number) => (i < nans ? Number.NaN : values[i - nans]!);
  const rank = q * (values.length - 1);
  const low = Math.floor(rank);
  const high = Math.min(low + 1, values.length - 1);
  const weight = rank - low;
  return at(low) * (1 - weight) + at(high) * weight;
}

function firstNan(sorted: Float64Array): number {
  let i = sorted.length;
  while (i > 0 && Number.isNaN(sorted[i - 1]!)) i--;
  return i;
}
