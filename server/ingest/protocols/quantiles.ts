/** Quantiles of histograms. Readings are single numbers: of a histogram these are kept, with its count and sum. */

export interface Bucket {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/** By the name of the label that gives them. */
export const QUANTILES: readonly (readonly [name: string, share: number])[] = [
  ["0.5", 0.5],
  ["0.9", 0.9],
  ["0.99", 0.99],
];

/**
 * The value below which a share of what was counted lies, as if the counts were spread evenly within their buckets; undefined where
 * nothing was counted.
 *
 * @param buckets from the lowest to the highest
 */
export function quantile(share: number, buckets: readonly Bucket[]): number | undefined {
  let total = 0;
  for (const { count } of buckets) total += count;
  if (!(total > 0 && Number.isFinite(total))) return undefined;
  let left = share * total;
  let last: Bucket | undefined;
  for (const bucket of buckets) {
    if (bucket.count <= 0) continue;
    last = bucket;
    if (left <= bucket.count) break;
    left -= bucket.count;
  }
  const { lower, upper, count } = last!;
  if (lower === Number.NEGATIVE_INFINITY) return upper;
  if (upper === Number.POSITIVE_INFINITY) return lower;
  return lower + (upper - lower) * Math.min(1, left / count);
}
