import type { Row } from "postgres";
import { DAY_US } from "../lib/time.ts";
import type { Findings } from "./fsck-findings.ts";
import { MARK_LATE, type Points } from "./points.ts";
import { Aggregate, ROLLUP_WIDTHS } from "./rollup-sums.ts";
import { saturatedSum } from "./sums.ts";

/** Sums in another order differ in their last digits. */
const TOLERANCE = 1e-9;
/** Seconds of a bucket that outlives its readings. */
const DAY = 86_400;
const MINUTE = 60;

/** Readings put together, with the sum of their magnitudes: what rounding is measured by. */
interface Tally {
  readonly sum: Aggregate;
  weight: number;
}

const empty = (): Tally => ({ sum: new Aggregate(), weight: 0 });

function take(tally: Tally, p: Points, i: number): void {
  tally.sum.addPoint(p, i);
  tally.weight = saturatedSum(tally.weight, Math.abs(p.value[i]!));
}

/** Where a sum may have saturated on the way, its order decides what it is: only that it is finite can be checked. */
function near(a: number, b: number, weight: number): boolean {
  if (weight === Number.MAX_VALUE) return Number.isFinite(a);
  return a === b || Math.abs(a - b) <= TOLERANCE * weight;
}

/** What the blocks of one series add up to, to be compared with the sums and aggregates that are stored of it. */
export class SeriesTally {
  readonly #retainedFromUs: number;
  readonly #sums = empty();
  #late = 0;
  #firstUs = Number.POSITIVE_INFINITY;
  #newestUs = 0;
  /** By width and bucket, from compacted blocks. */
  readonly #buckets: ReadonlyMap<number, Map<number, Tally>>;
  /** End of its last compacted block, microseconds. */
  endUs = -1;

  /** @param retainedFromUs past it, aggregates stand for what was compacted, whether it is deleted by now or not */
  constructor(retainedFromUs: number) {
    this.#retainedFromUs = retainedFromUs;
    this.#buckets = new Map(ROLLUP_WIDTHS.map((w) => [w as number, new Map<number, Tally>()]));
  }

  add(p: Points, i: number, compacted: boolean): void {
    const t = p.timeUs[i]!;
    if (compacted && t < this.#retainedFromUs) return;
    take(this.#sums, p, i);
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
      take(a, p, i);
    }
  }

  /** Compares the stored aggregates with the blocks, and adds those of deleted days to the sums. */
  checkRollups(s: Row, rollups: readonly Row[], findings: Findings): void {
    const which = (width: number, us: number) => `series ${s.id}, ${width} s from ${timeText(us)}`;
    // Of days that an earlier version stored, minutes with anomalies may be missing until they are completed.
    const whole = new Set(rollups.filter((r) => r.width === DAY && isCompleted(r)).map((r) => r.bucket_us as number));
    const anomaliesAlone = (width: number, us: number) =>
      width === MINUTE && us < (s.minutes_from_us ?? Number.POSITIVE_INFINITY);
    const unknown = (width: number, us: number) => anomaliesAlone(width, us) && !whole.has(dayOf(us));
    for (const r of rollups) {
      if (r.bucket_us < this.#retainedFromUs) {
        if (r.width === DAY) this.#addDeleted(r);
        continue;
      }
      const buckets = this.#buckets.get(r.width);
      const a = buckets?.get(r.bucket_us);
      buckets?.delete(r.bucket_us);
      if (unknown(r.width, r.bucket_us)) continue;
      if (anomaliesAlone(r.width, r.bucket_us) ? hasAnomalies(a, r) : a !== undefined && isSame(a, r)) continue;
      const has = a === undefined ? "no readings" : tallyText(a.sum);
      findings.add("aggregate", `${which(r.width, r.bucket_us)} says ${rowText(r)}; blocks have ${has}`);
    }
    for (const [width, buckets] of this.#buckets) {
      for (const [bucket, { sum }] of buckets) {
        if (anomaliesAlone(width, bucket) && (sum.anomalies === 0 || unknown(width, bucket))) continue;
        findings.add("aggregate", `${which(width, bucket)} is missing; blocks have ${sum.readings} readings`);
      }
    }
  }

  #addDeleted(r: Row): void {
    const { sum } = this.#sums;
    sum.readings += r.readings;
    sum.total = saturatedSum(sum.total, r.total);
    this.#sums.weight = saturatedSum(this.#sums.weight, Math.abs(r.total));
    sum.smallest = Math.min(sum.smallest, r.smallest);
    sum.largest = Math.max(sum.largest, r.largest);
    sum.anomalies += r.anomalies;
  }

  /** Compares the sums of the series' row. After `checkRollups`. */
  checkSums(s: Row, findings: Findings): void {
    const { sum: sums, weight } = this.#sums;
    const wrong: string[] = [];
    const compare = (name: string, said: unknown, found: number, same = said === found) => {
      if (!same) wrong.push(`${name} ${said}, found ${found}`);
    };
    compare("readings", s.readings, sums.readings);
    compare("total", s.total, sums.total, near(s.total, sums.total, weight));
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

function isSame({ sum, weight }: Tally, r: Row): boolean {
  const same =
    sum.readings === r.readings &&
    sum.anomalies === r.anomalies &&
    sum.smallest === r.smallest &&
    sum.largest === r.largest &&
    near(sum.total, r.total, weight);
  if (!same || r.charted > r.readings) return false;
  // What an earlier version stored is not completed yet.
  return !isCompleted(r) || isChartSame(sum, r);
}

function isCompleted(r: Row): boolean {
  return r.charted === r.readings;
}

function isChartSame(sum: Aggregate, r: Row): boolean {
  const bound = Math.max(Math.abs(sum.lowest), Math.abs(sum.highest));
  const weight = Number.isFinite(bound) ? sum.forecast * bound : Math.abs(sum.expectedTotal);
  return (
    sum.firstUs === r.first_us &&
    sum.first === r.first_value &&
    sum.lastUs === r.last_us &&
    sum.last === r.last_value &&
    sum.forecast === r.forecast &&
    near(r.expected_total ?? 0, sum.expectedTotal, weight) &&
    (r.lowest ?? Number.POSITIVE_INFINITY) === sum.lowest &&
    (r.highest ?? Number.NEGATIVE_INFINITY) === sum.highest &&
    (r.worst ?? 0) === sum.worst
  );
}

/** Of a minute that is kept for its anomalies alone. */
function hasAnomalies(a: Tally | undefined, r: Row): boolean {
  const { anomalies = 0, worst = 0 } = a?.sum ?? {};
  return anomalies > 0 && r.readings === anomalies && r.anomalies === anomalies && r.worst === worst;
}

function dayOf(us: number): number {
  return Math.floor(us / DAY_US) * DAY_US;
}

function rowText(r: Row): string {
  const chart = isCompleted(r)
    ? `, first ${r.first_value}, last ${r.last_value}, bounds ${r.lowest} to ${r.highest}`
    : "";
  return `${r.readings} readings, total ${r.total}, ${r.anomalies} anomalies of up to ${r.worst ?? 0}${chart}`;
}

function tallyText(a: Aggregate): string {
  const of = `${a.readings} readings, total ${a.total}, ${a.anomalies} anomalies of up to ${a.worst}`;
  return `${of}, first ${a.first}, last ${a.last}, bounds ${a.lowest} to ${a.highest}`;
}

/** ISO 8601 with microseconds; a number of microseconds where it is no time. */
export function timeText(us: number): string {
  const ms = new Date(Math.floor(us / 1000));
  if (Number.isNaN(ms.getTime())) return `${us} µs`;
  return `${ms.toISOString().slice(0, -1)}${String(((us % 1000) + 1000) % 1000).padStart(3, "0")}Z`;
}
