import type { Row } from "postgres";
import type { Findings } from "./fsck.ts";
import { MARK_LATE, type Points } from "./points.ts";
import { ROLLUP_WIDTHS } from "./rollup.ts";

/** Sums in another order differ in their last digits. */
const TOLERANCE = 1e-9;
/** Seconds of a bucket that outlives its readings. */
const DAY = 86_400;

interface Aggregate {
  readings: number;
  total: number;
  /** Sum of magnitudes: what rounding is measured by. */
  weight: number;
  smallest: number;
  largest: number;
  anomalies: number;
}

const empty = (): Aggregate => ({
  readings: 0,
  total: 0,
  weight: 0,
  smallest: Number.POSITIVE_INFINITY,
  largest: Number.NEGATIVE_INFINITY,
  anomalies: 0,
});

function take(a: Aggregate, value: number, anomaly: number): void {
  a.readings++;
  a.total += value;
  a.weight += Math.abs(value);
  if (value < a.smallest) a.smallest = value;
  if (value > a.largest) a.largest = value;
  a.anomalies += anomaly;
}

const near = (a: number, b: number, weight: number) => a === b || Math.abs(a - b) <= TOLERANCE * weight;

/** What the blocks of one series add up to, to be compared with the sums and aggregates that are stored of it. */
export class SeriesTally {
  readonly #retainedFromUs: number;
  readonly #sums = empty();
  #late = 0;
  #firstUs = Number.POSITIVE_INFINITY;
  #newestUs = 0;
  /** By width and bucket, from compacted blocks. */
  readonly #buckets: ReadonlyMap<number, Map<number, Aggregate>>;
  /** End of its last compacted block, microseconds. */
  endUs = -1;

  /** @param retainedFromUs past it, aggregates stand for what was compacted, whether it is deleted by now or not */
  constructor(retainedFromUs: number) {
    this.#retainedFromUs = retainedFromUs;
    this.#buckets = new Map(ROLLUP_WIDTHS.map((w) => [w as number, new Map<number, Aggregate>()]));
  }

  add(p: Points, i: number, compacted: boolean): void {
    const t = p.timeUs[i]!;
    if (compacted && t < this.#retainedFromUs) return;
    take(this.#sums, p.value[i]!, p.anomaly[i]!);
    if (p.mark[i]! & MARK_LATE) this.#late++;
    this.#firstUs = Math.min(this.#firstUs, t);
    this.#newestUs = Math.max(this.#newestUs, t);
    if (!compacted) return;
    for (const [width, buckets] of this.#buckets) {
      const bucket = Math.floor(t / (width * 1e6)) * width * 1e6;
      let a = buckets.get(bucket);
      if (a === undefined) {
        a = empty();
        buckets.set(bucket, a);
      }
      take(a, p.value[i]!, p.anomaly[i]!);
    }
  }

  /** Compares the stored aggregates with the blocks, and adds those of deleted days to the sums. */
  checkRollups(s: Row, rollups: readonly Row[], findings: Findings): void {
    const which = (width: number, us: number) => `series ${s.id}, ${width} s from ${timeText(us)}`;
    for (const r of rollups) {
      if (r.bucket_us < this.#retainedFromUs) {
        if (r.width === DAY) this.#addDeleted(r);
        continue;
      }
      const buckets = this.#buckets.get(r.width);
      const a = buckets?.get(r.bucket_us);
      buckets?.delete(r.bucket_us);
      if (a !== undefined && isSame(a, r)) continue;
      const has = a === undefined ? "no readings" : `${a.readings} readings, total ${a.total}`;
      const says = `says ${r.readings} readings, total ${r.total}; blocks have ${has}`;
      findings.add("aggregate", `${which(r.width, r.bucket_us)} ${says}`);
    }
    for (const [width, buckets] of this.#buckets) {
      for (const [bucket, a] of buckets) {
        if (width === 60 && bucket < (s.minutes_from_us ?? Number.POSITIVE_INFINITY)) continue;
        findings.add("aggregate", `${which(width, bucket)} is missing; blocks have ${a.readings} readings`);
      }
    }
  }

  #addDeleted(r: Row): void {
    const sums = this.#sums;
    sums.readings += r.readings;
    sums.total += r.total;
    sums.weight += Math.abs(r.total);
    sums.smallest = Math.min(sums.smallest, r.smallest);
    sums.largest = Math.max(sums.largest, r.largest);
    sums.anomalies += r.anomalies;
  }

  /** Compares the sums of the series' row. After `checkRollups`. */
  checkSums(s: Row, findings: Findings): void {
    const sums = this.#sums;
    const wrong: string[] = [];
    const compare = (name: string, said: unknown, found: number, same = said === found) => {
      if (!same) wrong.push(`${name} ${said}, found ${found}`);
    };
    compare("readings", s.readings, sums.readings);
    compare("total", s.total, sums.total, near(s.total, sums.total, sums.weight));
    compare("smallest", s.smallest, sums.smallest);
    compare("largest", s.largest, sums.largest);
    compare("anomalies", s.anomalies, sums.anomalies);
    const deleted = this.#retainedFromUs > 0 && (s.first_us ?? 0) < this.#retainedFromUs;
    if (!deleted) {
      compare("late", s.late, this.#late);
      compare("first", s.first_us, this.#firstUs);
      compare("newest", s.newest_us, this.#newestUs);
    }
    if (wrong.length > 0)
      findings.add("series sums", `series ${s.id} (sensor "${s.sensor_id}") says ${wrong.join("; ")}`);
  }
}

function isSame(a: Aggregate, r: Row): boolean {
  return (
    a.readings === r.readings &&
    a.anomalies === r.anomalies &&
    a.smallest === r.smallest &&
    a.largest === r.largest &&
    near(a.total, r.total, a.weight)
  );
}

/** ISO 8601 with microseconds; a number of microseconds where it is no time. */
export function timeText(us: number): string {
  const ms = new Date(Math.floor(us / 1000));
  if (Number.isNaN(ms.getTime())) return `${us} µs`;
  return `${ms.toISOString().slice(0, -1)}${String(((us % 1000) + 1000) % 1000).padStart(3, "0")}Z`;
}
