/** Quantiles of classic histograms: series of cumulative counts with the upper bound in the label `le`. */
import { type Labels, METRIC_NAME } from "./labels.ts";
import { emptyRow, type Grid, type Row, type Steps } from "./values.ts";

interface Bucket {
  readonly bound: number;
  count: number;
}

const NOT_OF_A_HISTOGRAM: ReadonlySet<string> = new Set(["le", METRIC_NAME]);

/** @param q by step */
export function* histogramQuantile(q: Float64Array, rows: readonly Row[], grid: Grid): Steps<Row[]> {
  const histograms = Map.groupBy(rows.filter(isBucket), ({ labels }) => labels.without(NOT_OF_A_HISTOGRAM).key);
  const found: Row[] = [];
  for (const all of histograms.values()) {
    const buckets = all.map((row) => ({ ...row, bound: boundOf(row.labels) }));
    const row = emptyRow(withoutBound(buckets[0]!.labels), grid);
    found.push(row);
    for (let step = 0; step < grid.count; step++) {
      const here = buckets.filter(({ has }) => has[step] === 1);
      yield buckets.length;
      if (here.length === 0) continue;
      row.has[step] = 1;
      row.values[step] = quantile(
        q[step]!,
        here.map(({ bound, values }) => ({ bound, count: values[step]! })),
      );
    }
  }
  return found;
}

function withoutBound(labels: Labels): Labels {
  return labels.without(NOT_OF_A_HISTOGRAM);
}

function boundOf(labels: Labels): number {
  const text = labels.get("le");
  if (/^[+]?inf(inity)?$/i.test(text)) return Number.POSITIVE_INFINITY;
  if (/^-inf(inity)?$/i.test(text)) return Number.NEGATIVE_INFINITY;
  return text.trim() === "" ? Number.NaN : Number(text);
}

function isBucket({ labels }: Row): boolean {
  return !Number.isNaN(boundOf(labels));
}

function quantile(q: number, given: Bucket[]): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const buckets = coalesced(given.sort((a, b) => a.bound - b.bound));
  if (buckets.at(-1)!.bound !== Number.POSITIVE_INFINITY || buckets.length < 2) return Number.NaN;
  // Counts that were scraped while they grew.
  for (let i = 1; i < buckets.length; i++) buckets[i]!.count = Math.max(buckets[i]!.count, buckets[i - 1]!.count);
  const total = buckets.at(-1)!.count;
  if (total === 0) return Number.NaN;
  const rank = q * total;
  const found = buckets.slice(0, -1).findIndex(({ count }) => count >= rank);
  if (found < 0) return buckets.at(-2)!.bound;
  const { bound, count } = buckets[found]!;
  if (found === 0 && bound <= 0) return bound;
  const before = found === 0 ? { bound: 0, count: 0 } : buckets[found - 1]!;
  return before.bound + (bound - before.bound) * ((rank - before.count) / (count - before.count));
}

function coalesced(buckets: readonly Bucket[]): Bucket[] {
  const all: Bucket[] = [];
  for (const { bound, count } of buckets) {
    const last = all.at(-1);
    if (last?.bound === bound) last.count += count;
    else all.push({ bound, count });
  }
  return all;
}
