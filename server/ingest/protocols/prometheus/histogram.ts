/** Native histograms, of both versions: their messages have the same fields. */
import type { Bucket } from "../quantiles.ts";
import type { WireReader } from "../wire.ts";

export interface NativeHistogram {
  readonly timeMs: number;
  readonly count: number;
  /** Whether it counts in whole numbers, so that its buckets come to the count exactly. */
  readonly isWhole: boolean;
  /** NaN where it says that the series has ended. */
  readonly sum: number;
  /** From the lowest to the highest. */
  readonly buckets: () => readonly Bucket[];
}

interface Side {
  /** Offsets and lengths, one after another. */
  readonly spans: number[];
  /** Of whole numbers, each to the one before. */
  readonly deltas: number[];
  readonly counts: number[];
}

/** The schema whose bounds are `custom_values`. */
const CUSTOM = -53;

export function readHistogram(r: WireReader): NativeHistogram {
  const h = { timeMs: 0, count: 0, isWhole: true, sum: 0, schema: 0, zeroThreshold: 0, zeroCount: 0 };
  const negative: Side = { spans: [], deltas: [], counts: [] };
  const positive: Side = { spans: [], deltas: [], counts: [] };
  const bounds: number[] = [];
  r.message((tag) => {
    const field = tag >>> 3;
    if (tag === 0x08) h.count = r.varint();
    else if (tag === 0x11) {
      h.count = r.double();
      h.isWhole = false;
    } else if (tag === 0x19) h.sum = r.double();
    else if (tag === 0x20) h.schema = r.sint64();
    else if (tag === 0x29) h.zeroThreshold = r.double();
    else if (tag === 0x30) h.zeroCount = r.varint();
    else if (tag === 0x39) h.zeroCount = r.double();
    else if (tag === 0x42) readSpan(r, negative);
    else if (field === 9) r.repeated(tag, () => negative.deltas.push(r.sint64()));
    else if (field === 10) r.repeated(tag, () => negative.counts.push(r.double()));
    else if (tag === 0x5a) readSpan(r, positive);
    else if (field === 12) r.repeated(tag, () => positive.deltas.push(r.sint64()));
    else if (field === 13) r.repeated(tag, () => positive.counts.push(r.double()));
    else if (tag === 0x78) h.timeMs = r.int64();
    else if (field === 16) r.repeated(tag, () => bounds.push(r.double()));
    else r.skip(tag);
  });
  const { timeMs, count, isWhole, sum, schema, zeroThreshold, zeroCount } = h;
  const buckets = () =>
    schema === CUSTOM
      ? sideOf(positive, (i) => [bounds[i - 1] ?? Number.NEGATIVE_INFINITY, bounds[i] ?? Number.POSITIVE_INFINITY])
      : [
          ...sideOf(negative, (i) => boundsOf(schema, i))
            .map(({ lower, upper, count }) => ({ lower: -upper, upper: -lower, count }))
            .reverse(),
          { lower: negative.spans.length > 0 ? -zeroThreshold : 0, upper: zeroThreshold, count: zeroCount },
          ...sideOf(positive, (i) => boundsOf(schema, i)),
        ];
  return { timeMs, count, isWhole, sum, buckets };
}

function readSpan(r: WireReader, { spans }: Side): void {
  let offset = 0;
  let length = 0;
  r.message((tag) => {
    if (tag === 0x08) offset = r.sint64();
    else if (tag === 0x10) length = r.varint();
    else r.skip(tag);
  });
  spans.push(offset, length);
}

/** Bucket 0 ends at 1; each power of two is cut into 2^schema. */
function boundsOf(schema: number, index: number): readonly [number, number] {
  const step = 2 ** -schema;
  return [2 ** ((index - 1) * step), 2 ** (index * step)];
}

/** As many buckets as there are counts, whatever the spans promise. */
function sideOf({ spans, deltas, counts }: Side, bounds: (index: number) => readonly [number, number]): Bucket[] {
  const buckets: Bucket[] = [];
  const size = Math.max(deltas.length, counts.length);
  let index = 0;
  let count = 0;
  for (let s = 0; s < spans.length && buckets.length < size; s += 2) {
    index += spans[s]!;
    for (let n = spans[s + 1]!; n > 0 && buckets.length < size; n--) {
      count = counts[buckets.length] ?? count + deltas[buckets.length]!;
      const [lower, upper] = bounds(index++);
      buckets.push({ lower, upper, count });
    }
  }
  return buckets;
}
