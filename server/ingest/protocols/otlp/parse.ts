/**
 * `ExportMetricsServiceRequest` in binary form to metrics and their points. Pure. By hand: nothing is made of attributes here, since most
 * sets of them are known already, and objects for each of them would take most of the time.
 */
import type { Bucket } from "../quantiles.ts";
import { type Place, WireReader } from "../wire.ts";
import { AttributeBytes } from "./attributes.ts";

export type MetricType = "gauge" | "sum" | "histogram" | "exponential" | "summary";

/** Of an aggregation: since the point before, or since the start. 0: not said. */
export const DELTA = 1;

export interface Metric {
  /** Attributes of the resource: see `labelsOf`. */
  readonly resource: string;
  readonly scope: string;
  readonly name: string;
  readonly unit: string;
  readonly type: MetricType;
  readonly temporality: number;
  readonly monotonic: boolean;
  readonly numbers: readonly NumberPoint[];
  readonly distributions: readonly Distribution[];
}

interface Point {
  /** Attributes: see `labelsOf`. */
  readonly attributes: string;
  /** 0 where it has none. */
  readonly timeUs: number;
  /** As it was sent, exact up to 2^53: what is most likely in another unit is less. */
  readonly timeNs: number;
  /** The sender says that it has no value. */
  readonly isAbsent: boolean;
}

export interface NumberPoint extends Point {
  /** NaN where it has none. */
  readonly value: number;
}

/** A point of a histogram or a summary. */
export interface Distribution extends Point {
  readonly count: number;
  readonly sum: number | undefined;
  readonly min: number | undefined;
  readonly max: number | undefined;
  /** From the lowest to the highest. */
  readonly buckets: () => readonly Bucket[];
  /** Of a summary: share and value. */
  readonly quantiles: readonly (readonly [number, number])[];
}

export interface ParsedExport {
  readonly metrics: readonly Metric[];
  readonly points: number;
  readonly exemplars: number;
}

/** What is counted on the way. */
interface Counts {
  points: number;
  exemplars: number;
}

/** @throws TelltaleError "invalid" */
export function parseExport(body: Uint8Array): ParsedExport {
  const r = new WireReader(body);
  const metrics: Metric[] = [];
  const counts: Counts = { points: 0, exemplars: 0 };
  for (let tag = r.tag(); tag !== 0; tag = r.tag()) {
    if (tag === 0x0a) readResource(r, metrics, counts);
    else r.skip(tag);
  }
  return { metrics, ...counts };
}

/** Places of the parts are noted and read when all that concerns them is known: fields may come in any order. */
function readResource(r: WireReader, to: Metric[], counts: Counts): void {
  const scopes: Place[] = [];
  const attributes = new AttributeBytes();
  r.message((tag) => {
    if (tag === 0x0a)
      r.message((field) => {
        if (field === 0x0a) attributes.add(r, 1);
        else r.skip(field);
      });
    else if (tag === 0x12) scopes.push(r.place());
    else r.skip(tag);
  });
  const after = r.at;
  const resource = attributes.key(r);
  for (const place of scopes) readScope(r, place, { resource, to, counts });
  r.at = after;
}

interface Context {
  readonly resource: string;
  readonly to: Metric[];
  readonly counts: Counts;
}

function readScope(r: WireReader, [from, end]: Place, context: Context): void {
  const metrics: Place[] = [];
  let scope = "";
  r.inside(from, end, (tag) => {
    if (tag === 0x0a)
      r.message((field) => {
        if (field === 0x0a) scope = r.text();
        else r.skip(field);
      });
    else if (tag === 0x12) metrics.push(r.place());
    else r.skip(tag);
  });
  for (const place of metrics) readMetric(r, place, scope, context);
}

const TYPES: ReadonlyMap<number, MetricType> = new Map([
  [0x2a, "gauge"],
  [0x3a, "sum"],
  [0x4a, "histogram"],
  [0x52, "exponential"],
  [0x5a, "summary"],
]);

function readMetric(r: WireReader, [from, end]: Place, scope: string, { resource, to, counts }: Context): void {
  let name = "";
  let unit = "";
  let type: MetricType | undefined;
  let data = NO_DATA;
  r.inside(from, end, (tag) => {
    if (tag === 0x0a) name = r.text();
    else if (tag === 0x1a) unit = r.text();
    else if (TYPES.has(tag)) {
      type = TYPES.get(tag)!;
      data = readData(r, type, counts);
    } else r.skip(tag);
  });
  if (type !== undefined) to.push({ resource, scope, name, unit, type, ...data });
}

type Data = Pick<Metric, "temporality" | "monotonic" | "numbers" | "distributions">;

const NO_DATA: Data = { temporality: 0, monotonic: false, numbers: [], distributions: [] };

function readData(r: WireReader, type: MetricType, counts: Counts): Data {
  const numbers: NumberPoint[] = [];
  const distributions: Distribution[] = [];
  let temporality = 0;
  let monotonic = false;
  r.message((tag) => {
    if (tag === 0x0a) {
      counts.points++;
      if (type === "gauge" || type === "sum") numbers.push(readNumber(r, counts));
      else if (type === "histogram") distributions.push(readHistogram(r, counts));
      else if (type === "exponential") distributions.push(readExponential(r, counts));
      else distributions.push(readSummary(r));
    } else if (tag === 0x10) temporality = r.varint();
    else if (tag === 0x18) monotonic = r.varint() !== 0;
    else r.skip(tag);
  });
  return { temporality, monotonic, numbers, distributions };
}

const NO_RECORDED_VALUE = 1;

function readNumber(r: WireReader, counts: Counts): NumberPoint {
  const attributes = new AttributeBytes();
  let timeUs = 0;
  let timeNs = 0;
  let value = Number.NaN;
  let flags = 0;
  const end = r.enter();
  for (let tag = r.tag(); tag !== 0; tag = r.tag()) {
    if (tag === 0x19) {
      timeUs = r.nanosAsMicros();
      timeNs = r.fixed64Before();
    } else if (tag === 0x21) value = r.double();
    else if (tag === 0x31) value = r.sfixed64();
    else if (tag === 0x3a) attributes.add(r, 1);
    else if (tag === 0x40) flags = r.varint();
    else {
      if (tag === 0x2a) counts.exemplars++;
      r.skip(tag);
    }
  }
  r.leave(end);
  return { attributes: attributes.key(r), timeUs, timeNs, isAbsent: flags % 2 === NO_RECORDED_VALUE, value };
}

/** With everything that the kinds of distributions have in common. */
class DistributionFields {
  readonly attributes = new AttributeBytes();
  timeUs = 0;
  timeNs = 0;
  flags = 0;
  count = 0;
  sum: number | undefined;
  min: number | undefined;
  max: number | undefined;

  time(r: WireReader): void {
    this.timeUs = r.nanosAsMicros();
    this.timeNs = r.fixed64Before();
  }

  done(r: WireReader, buckets: Distribution["buckets"], quantiles: Distribution["quantiles"] = []): Distribution {
    const { timeUs, timeNs, count, sum, min, max } = this;
    const isAbsent = this.flags % 2 === NO_RECORDED_VALUE;
    return { attributes: this.attributes.key(r), timeUs, timeNs, isAbsent, count, sum, min, max, buckets, quantiles };
  }
}

function readHistogram(r: WireReader, counts: Counts): Distribution {
  const d = new DistributionFields();
  const bucketCounts: number[] = [];
  const bounds: number[] = [];
  r.message((tag) => {
    if (tag === 0x19) d.time(r);
    else if (tag === 0x21) d.count = r.fixed64();
    else if (tag === 0x29) d.sum = r.double();
    else if (tag >>> 3 === 6) r.repeated(tag, () => bucketCounts.push(r.fixed64()));
    else if (tag >>> 3 === 7) r.repeated(tag, () => bounds.push(r.double()));
    else if (tag === 0x4a) d.attributes.add(r, 1);
    else if (tag === 0x50) d.flags = r.varint();
    else if (tag === 0x59) d.min = r.double();
    else if (tag === 0x61) d.max = r.double();
    else {
      if (tag === 0x42) counts.exemplars++;
      r.skip(tag);
    }
  });
  return d.done(r, () => explicitBuckets(bucketCounts, bounds, d));
}

/** The first and the last have no bounds of their own: what was measured has. */
function explicitBuckets(
  counts: readonly number[],
  bounds: readonly number[],
  { min, max }: Pick<Distribution, "min" | "max">,
): readonly Bucket[] {
  if (counts.length !== bounds.length + 1) return [];
  const first = bounds[0] ?? 0;
  const lowest = min ?? (first > 0 ? 0 : Number.NEGATIVE_INFINITY);
  const highest = max ?? Number.POSITIVE_INFINITY;
  return counts.map((count, i) => ({ lower: bounds[i - 1] ?? lowest, upper: bounds[i] ?? highest, count }));
}

function readExponential(r: WireReader, counts: Counts): Distribution {
  const d = new DistributionFields();
  const e = { scale: 0, zeroCount: 0, zeroThreshold: 0 };
  const positive: Side = { offset: 0, counts: [] };
  const negative: Side = { offset: 0, counts: [] };
  r.message((tag) => {
    if (tag === 0x0a) d.attributes.add(r, 1);
    else if (tag === 0x19) d.time(r);
    else if (tag === 0x21) d.count = r.fixed64();
    else if (tag === 0x29) d.sum = r.double();
    else if (tag === 0x30) e.scale = r.sint64();
    else if (tag === 0x39) e.zeroCount = r.fixed64();
    else if (tag === 0x42) readSide(r, positive);
    else if (tag === 0x4a) readSide(r, negative);
    else if (tag === 0x50) d.flags = r.varint();
    else if (tag === 0x61) d.min = r.double();
    else if (tag === 0x69) d.max = r.double();
    else if (tag === 0x71) e.zeroThreshold = r.double();
    else {
      if (tag === 0x5a) counts.exemplars++;
      r.skip(tag);
    }
  });
  return d.done(r, () => {
    const up = exponentialBuckets(positive, e.scale);
    const down = exponentialBuckets(negative, e.scale).map(({ lower, upper, count }) => {
      return { lower: -upper, upper: -lower, count };
    });
    return [...down.reverse(), { lower: -e.zeroThreshold, upper: e.zeroThreshold, count: e.zeroCount }, ...up];
  });
}

interface Side {
  offset: number;
  readonly counts: number[];
}

function readSide(r: WireReader, side: Side): void {
  r.message((tag) => {
    if (tag === 0x08) side.offset = r.sint64();
    else if (tag >>> 3 === 2) r.repeated(tag, () => side.counts.push(r.varint()));
    else r.skip(tag);
  });
}

/** Bucket 0 begins behind 1; each power of two is cut into 2^scale. */
function exponentialBuckets({ offset, counts }: Side, scale: number): Bucket[] {
  const step = 2 ** -scale;
  return counts.map((count, i) => ({
    lower: 2 ** ((offset + i) * step),
    upper: 2 ** ((offset + i + 1) * step),
    count,
  }));
}

function readSummary(r: WireReader): Distribution {
  const d = new DistributionFields();
  const quantiles: [number, number][] = [];
  r.message((tag) => {
    if (tag === 0x19) d.time(r);
    else if (tag === 0x21) d.count = r.fixed64();
    else if (tag === 0x29) d.sum = r.double();
    else if (tag === 0x32) quantiles.push(readQuantile(r));
    else if (tag === 0x3a) d.attributes.add(r, 1);
    else if (tag === 0x40) d.flags = r.varint();
    else r.skip(tag);
  });
  d.sum ??= 0;
  return d.done(r, () => [], quantiles);
}

function readQuantile(r: WireReader): [number, number] {
  let share = 0;
  let value = 0;
  r.message((tag) => {
    if (tag === 0x09) share = r.double();
    else if (tag === 0x11) value = r.double();
    else r.skip(tag);
  });
  return [share, value];
}
