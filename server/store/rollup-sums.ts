/** What is stored of the readings in a bucket of time, computed from points. */
import type { Sql } from "postgres";
import { MINUTE_US } from "../lib/time.ts";
import { list } from "../postgres/literal.ts";
import type { Points } from "./points.ts";
import { saturatedSum } from "./sums.ts";

/** Widths of the stored aggregates, seconds; each divides the next. */
export const ROLLUP_WIDTHS = [60, 3600, 86_400] as const;

/** A run of readings put together. Where `readings` is 0 the others mean nothing. */
export class Aggregate {
  readings = 0;
  total = 0;
  smallest = 0;
  largest = 0;
  anomalies = 0;
  /** Readings with an expected value, and the sum of those. */
  forecast = 0;
  expectedTotal = 0;
  firstUs = 0;
  first = 0;
  lastUs = 0;
  last = 0;
  /** Bounds; infinite: none has one. */
  lowest = 0;
  highest = 0;
  /** Highest anomaly score, steps of 1e-4. */
  worst = 0;

  constructor() {
    this.clear();
  }

  clear(): void {
    this.readings = this.total = this.anomalies = this.forecast = this.expectedTotal = this.worst = 0;
    this.first = this.last = 0;
    this.smallest = this.firstUs = this.lowest = Number.POSITIVE_INFINITY;
    this.largest = this.lastUs = this.highest = Number.NEGATIVE_INFINITY;
  }

  /** Adds a point, whatever its place in time. */
  addPoint(p: Points, i: number): void {
    const value = p.value[i]!;
    this.readings++;
    this.total = saturatedSum(this.total, value);
    if (value < this.smallest) this.smallest = value;
    if (value > this.largest) this.largest = value;
    this.#addEnd(p.timeUs[i]!, value);
    const expected = p.expected[i]!;
    if (Number.isFinite(expected)) {
      this.forecast++;
      this.expectedTotal += expected;
      this.#addBand(expected, p.band[i]!);
    }
    if (p.anomaly[i] === 0) return;
    this.anomalies++;
    if (p.score[i]! > this.worst) this.worst = p.score[i]!;
  }

  #addEnd(us: number, value: number): void {
    if (us < this.firstUs) {
      this.firstUs = us;
      this.first = value;
    }
    if (us > this.lastUs) {
      this.lastUs = us;
      this.last = value;
    }
  }

  #addBand(expected: number, band: number): void {
    if (!Number.isFinite(band)) return;
    if (expected - band < this.lowest) this.lowest = expected - band;
    if (expected + band > this.highest) this.highest = expected + band;
  }

  /**
   * The points from `from` on, in rising order of time, that lie before `endUs`, in the place of what it was; answers with the first one behind them.
   * At least the first one counts.
   */
  takeRun(p: Points, from: number, to: number, endUs: number): number {
    const { timeUs, value, expected, band, anomaly, score } = p;
    // In variables of the loop: this is done for each reading that is compacted.
    let [total, smallest, largest] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    let [lowest, highest] = [smallest, largest];
    let [anomalies, forecast, expectedTotal, worst] = [0, 0, 0, 0];
    let i = from;
    do {
      const v = value[i]!;
      total = saturatedSum(total, v);
      if (v < smallest) smallest = v;
      if (v > largest) largest = v;
      const e = expected[i]!;
      if (Math.abs(e) < Number.POSITIVE_INFINITY) {
        forecast++;
        expectedTotal += e;
        const b = band[i]!;
        if (Math.abs(b) < Number.POSITIVE_INFINITY) {
          if (e - b < lowest) lowest = e - b;
          if (e + b > highest) highest = e + b;
        }
      }
      if (anomaly[i] !== 0) {
        anomalies++;
        if (score[i]! > worst) worst = score[i]!;
      }
      i++;
    } while (i < to && timeUs[i]! < endUs);
    this.readings = i - from;
    this.total = total;
    this.smallest = smallest;
    this.largest = largest;
    this.anomalies = anomalies;
    this.forecast = forecast;
    this.expectedTotal = expectedTotal;
    this.lowest = lowest;
    this.highest = highest;
    this.worst = worst;
    this.firstUs = timeUs[from]!;
    this.first = value[from]!;
    this.lastUs = timeUs[i - 1]!;
    this.last = value[i - 1]!;
    return i;
  }

  /** Adds another run of readings. */
  add(other: Aggregate): void {
    this.readings += other.readings;
    this.total = saturatedSum(this.total, other.total);
    if (other.smallest < this.smallest) this.smallest = other.smallest;
    if (other.largest > this.largest) this.largest = other.largest;
    this.anomalies += other.anomalies;
    this.#addEnd(other.firstUs, other.first);
    this.#addEnd(other.lastUs, other.last);
    this.forecast += other.forecast;
    this.expectedTotal += other.expectedTotal;
    if (other.lowest < this.lowest) this.lowest = other.lowest;
    if (other.highest > this.highest) this.highest = other.highest;
    if (other.worst > this.worst) this.worst = other.worst;
  }
}

type Take = (width: number, bucketUs: number, aggregate: Aggregate) => void;

/**
 * Calls back with each bucket of each width that the points [from, to), in rising order of time, lie in: minutes are put together to hours and
 * these to days, so that each point is looked at once. The aggregate is valid during the call.
 */
function forEachBucket(points: Points, from: number, to: number, take: Take): void {
  const levels = ROLLUP_WIDTHS.map((width) => ({ width, bucketUs: -1, sum: new Aggregate() }));
  const end = (k: number): void => {
    const { width, bucketUs, sum } = levels[k]!;
    if (sum.readings === 0) return;
    take(width, bucketUs, sum);
    const next = levels[k + 1];
    if (next !== undefined) {
      const above = floorTo(bucketUs, next.width * 1e6);
      if (above !== next.bucketUs) end(k + 1);
      next.bucketUs = above;
      next.sum.add(sum);
    }
    sum.clear();
  };
  const minute = levels[0]!;
  for (let i = from; i < to; ) {
    end(0);
    minute.bucketUs = floorTo(points.timeUs[i]!, MINUTE_US);
    i = minute.sum.takeRun(points, i, to, minute.bucketUs + MINUTE_US);
  }
  for (const k of levels.keys()) end(k);
}

function floorTo(us: number, widthUs: number): number {
  return Math.floor(us / widthUs) * widthUs;
}

/** Names of the columns of `rollup` after its key, with their types. */
const VALUES = {
  readings: "int",
  total: "float8",
  smallest: "float8",
  largest: "float8",
  anomalies: "int",
  charted: "int",
  forecast: "int",
  expected_total: "float8",
  first_us: "bigint",
  first_value: "float8",
  last_us: "bigint",
  last_value: "float8",
  lowest: "float8",
  highest: "float8",
  worst: "int",
} as const;
type Value = keyof typeof VALUES;
const NAMES = Object.keys(VALUES) as Value[];

/**
 * Rows for `rollup`. Minutes of series that are too sparse for them are kept where they have an anomaly, for maps of anomalies: such a row counts
 * the anomalous readings alone and has their highest score, and 0 or null for the rest.
 */
export class RollupRows {
  readonly #key = { width: [] as number[], series: [] as number[], bucket_us: [] as number[] };
  readonly #values = Object.fromEntries(NAMES.map((name) => [name, [] as number[]])) as Record<Value, number[]>;

  get length(): number {
    return this.#key.series.length;
  }

  /** Buckets of the points [from, to) of a series, in rising order of time, of which minutes are kept from a time on. */
  addPoints(series: number, points: Points, range: { from: number; to: number; minutesFromUs: number }): void {
    forEachBucket(points, range.from, range.to, (width, bucketUs, sum) => {
      if (width > 60 || bucketUs >= range.minutesFromUs) this.#add(width, series, bucketUs, sum);
      else if (sum.anomalies > 0) this.#add(width, series, bucketUs, anomaliesOf(sum));
    });
  }

  #add(width: number, series: number, bucketUs: number, a: Aggregate): void {
    const { width: widths, series: ids, bucket_us: buckets } = this.#key;
    widths.push(width);
    ids.push(series);
    buckets.push(bucketUs);
    const v = this.#values;
    v.readings.push(a.readings);
    v.total.push(a.total);
    v.smallest.push(a.smallest);
    v.largest.push(a.largest);
    v.anomalies.push(a.anomalies);
    v.charted.push(a.readings);
    v.forecast.push(a.forecast);
    v.expected_total.push(a.forecast === 0 ? Number.NaN : a.expectedTotal);
    v.first_us.push(a.firstUs);
    v.first_value.push(a.first);
    v.last_us.push(a.lastUs);
    v.last_value.push(a.last);
    v.lowest.push(a.lowest);
    v.highest.push(a.highest);
    v.worst.push(a.anomalies === 0 ? Number.NaN : a.worst);
  }

  /** Adds the rows to what is stored. */
  async add(tx: Sql): Promise<void> {
    if (this.length === 0) return;
    await tx.unsafe(`insert into rollup as r (${COLUMNS}) select ${COLUMNS} from ${this.#rows()}
      on conflict (series, width, bucket_us) do update set ${ADDED}`);
  }

  /**
   * Puts the rows in the place of what is stored of the same readings by the other columns, and all of a row of anomalies alone.
   */
  async complete(tx: Sql): Promise<void> {
    if (this.length === 0) return;
    await tx.unsafe(`insert into rollup as r (${COLUMNS}) select ${COLUMNS} from ${this.#rows()}
      on conflict (series, width, bucket_us) do update set ${NAMES.map((name) => `${name} = excluded.${name}`).join(", ")}
      where r.readings = excluded.readings and r.charted <> r.readings or excluded.first_us is null`);
  }

  /** As a table of a statement. */
  #rows(): string {
    const { width, series, bucket_us } = this.#key;
    const arrays = [
      ...[width, series].map((values) => `'${list(values)}'::int[]`),
      `'${list(bucket_us)}'::bigint[]`,
      ...NAMES.map(
        (name) => `'${this.#values[name].length === 0 ? "{}" : nullable(this.#values[name])}'::${VALUES[name]}[]`,
      ),
    ];
    return `unnest(${arrays.join(", ")}) u(${COLUMNS})`;
  }
}

const COLUMNS = ["width", "series", "bucket_us", ...NAMES].join(", ");

/** Sums of disjoint sets of readings. What one of both has not is null, which `least` and `greatest` leave out. */
const ADDED = `readings = r.readings + excluded.readings, total = saturated_sum(r.total, excluded.total),
  smallest = least(r.smallest, excluded.smallest), largest = greatest(r.largest, excluded.largest),
  anomalies = r.anomalies + excluded.anomalies, charted = r.charted + excluded.charted, forecast = r.forecast + excluded.forecast,
  expected_total = coalesce(r.expected_total, 0) + coalesce(excluded.expected_total, 0),
  first_value = case when excluded.first_us < r.first_us or r.first_us is null then excluded.first_value else r.first_value end,
  first_us = least(r.first_us, excluded.first_us),
  last_value = case when excluded.last_us > r.last_us or r.last_us is null then excluded.last_value else r.last_value end,
  last_us = greatest(r.last_us, excluded.last_us),
  lowest = least(r.lowest, excluded.lowest), highest = greatest(r.highest, excluded.highest), worst = greatest(r.worst, excluded.worst)`;

/** Numbers as an array literal; what is not finite is null. */
function nullable(values: readonly number[]): string {
  return `{${values.map((x) => (Number.isFinite(x) ? x : "NULL")).join(",")}}`;
}

const anomalous = new Aggregate();

/** The anomalous readings of an aggregate by number and score alone. */
function anomaliesOf({ anomalies, worst }: Aggregate): Aggregate {
  anomalous.clear();
  anomalous.readings = anomalous.anomalies = anomalies;
  anomalous.smallest = anomalous.largest = 0;
  anomalous.worst = worst;
  return anomalous;
}
