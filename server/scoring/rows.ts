import type { ScoreBatch } from "../detect/index.ts";
import type { AttributeChange } from "../store/attributes.ts";
import { BlockRows } from "../store/blocks.ts";
import { copyPoint, createPoints, type Points } from "../store/points.ts";
import type { SeriesChanges } from "../store/store.ts";
import { saturatedSum } from "../store/sums.ts";
import type { OpenOutcome } from "./open-outcome.ts";
import type { Series } from "./sensors.ts";

/** Readings of the batch that are to be stored, in the order of the log: columns that scoring fills in place. */
export class Rows {
  points: Points;
  batch: ScoreBatch;
  /** Series of each row. */
  series: Series[] = [];
  /** Metadata by row, Struct messages in binary form. */
  readonly metadata = new Map<number, Uint8Array>();
  /** Trace context of the batch that a row came in, by row, where it has one. */
  readonly traces = new Map<number, string>();
  /** What the records say of sensors, in the order of the log. */
  readonly attributes: AttributeChange[] = [];
  /** The batch that each row came in and its index there, where it is a reading of the log. */
  readonly outcomes: OpenOutcome[] = [];
  readonly indices: number[] = [];
  /** Rows of the points that wait for scoring begin here; late ones are behind them, unscored. */
  #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.points = createPoints(capacity);
    this.batch = asBatch(this.points, capacity);
  }

  clear(room: number): void {
    if (room > this.#capacity) {
      this.#capacity = Math.max(room, 2 * this.#capacity);
      this.points = createPoints(this.#capacity);
      this.batch = asBatch(this.points, this.#capacity);
    }
    this.points.length = 0;
    this.batch.length = 0;
    this.series.length = 0;
    this.metadata.clear();
    this.traces.clear();
    this.attributes.length = 0;
    this.outcomes.length = 0;
    this.indices.length = 0;
  }

  add(series: Series, timeUs: number, value: number, id: number, mark: number): number {
    const p = this.points;
    const i = p.length++;
    this.series[i] = series;
    this.batch.slot[i] = series.slot;
    p.timeUs[i] = timeUs;
    p.value[i] = value;
    p.id[i] = id;
    p.mark[i] = mark;
    return i;
  }

  /** Identifies the reading of the log that a row is. */
  from(row: number, outcome: OpenOutcome, index: number): void {
    this.outcomes[row] = outcome;
    this.indices[row] = index;
  }
}

/** The scorer's view of the same columns. */
function asBatch(p: Points, capacity: number): ScoreBatch {
  return {
    length: 0,
    slot: new Int32Array(capacity),
    timeUs: p.timeUs,
    value: p.value,
    confidence: p.confidence,
    score: p.score,
    anomaly: p.anomaly,
    reason: p.reason,
    expected: p.expected,
    band: p.band,
    signal: new Float32Array(capacity),
  };
}

/** One row of the batch as a batch of its own, over the same columns. */
export function rowOf(b: ScoreBatch, row: number): ScoreBatch {
  const [from, to] = [row, row + 1];
  return {
    length: 1,
    slot: b.slot.subarray(from, to),
    timeUs: b.timeUs.subarray(from, to),
    value: b.value.subarray(from, to),
    confidence: b.confidence.subarray(from, to),
    score: b.score.subarray(from, to),
    anomaly: b.anomaly.subarray(from, to),
    reason: b.reason.subarray(from, to),
    expected: b.expected.subarray(from, to),
    band: b.band.subarray(from, to),
    signal: b.signal.subarray(from, to),
  };
}

export interface Packed {
  /** Series of each line of `changes`. */
  readonly series: readonly Series[];
  readonly blocks: Uint8Array | undefined;
  readonly changes: SeriesChanges;
  readonly anomalies: number;
}

/** Columns that are sorted into, the same from call to call: the collector of garbage counts them each time they are made. */
let sortedPoints = createPoints(4096);
let sortedCapacity = 4096;

function scratch(room: number): Points {
  if (room > sortedCapacity) {
    sortedCapacity = 2 * room;
    sortedPoints = createPoints(sortedCapacity);
  }
  sortedPoints.length = 0;
  return sortedPoints;
}

/** Changes of no series, to be added to. */
export function noChanges(): SeriesChanges {
  return {
    series: [],
    readings: [],
    total: [],
    smallest: [],
    largest: [],
    anomalies: [],
    late: [],
    firstUs: [],
    newestUs: [],
    lastUs: [],
    lastId: [],
    lastValue: [],
    lastScore: [],
    lastAnomaly: [],
  };
}

/** Columns of that length: a list that grows is copied again and again. */
function roomFor(lines: number): SeriesChanges {
  const numbers = () => new Array<number>(lines);
  return {
    ...{ series: numbers(), readings: numbers(), total: numbers(), smallest: numbers(), largest: numbers() },
    ...{ anomalies: numbers(), late: numbers(), firstUs: numbers(), newestUs: numbers(), lastUs: numbers() },
    ...{ lastId: numbers(), lastValue: numbers(), lastScore: numbers(), lastAnomaly: new Array<boolean>(lines) },
  };
}

/** Series of either. */
function lineCount(groups: ReadonlyMap<Series, unknown>, lateGroups: ReadonlyMap<Series, unknown>): number {
  let count = groups.size;
  for (const s of lateGroups.keys()) if (!groups.has(s)) count++;
  return count;
}

/**
 * Sorts the rows by series (keeping their order within one) and packs them into blocks. Rows from `late` on are late ones: they
 * may lie anywhere in time, are sorted by it, and go into blocks of their own.
 */
export function pack(rows: Rows, late: number, model: number): Packed {
  const { points, series } = rows;
  if (points.length === 0) return { series: [], blocks: undefined, changes: noChanges(), anomalies: 0 };
  const groups = new Map<Series, number[]>();
  const lateGroups = new Map<Series, number[]>();
  for (let i = 0; i < points.length; i++) {
    const target = i < late ? groups : lateGroups;
    const group = target.get(series[i]!);
    if (group === undefined) target.set(series[i]!, [i]);
    else group.push(i);
  }
  for (const group of lateGroups.values()) group.sort((a, b) => points.timeUs[a]! - points.timeUs[b]!);

  const blocks = new BlockRows(points.length);
  const sorted = scratch(points.length);
  const lines: Series[] = [];
  const changes = roomFor(lineCount(groups, lateGroups));
  let anomalies = 0;
  const emit = (s: Series, group: readonly number[]) => {
    const from = sorted.length;
    let total = 0;
    let smallest = Number.POSITIVE_INFINITY;
    let largest = Number.NEGATIVE_INFINITY;
    let flagged = 0;
    for (const i of group) {
      copyPoint(points, i, sorted);
      const v = points.value[i]!;
      total = saturatedSum(total, v);
      if (v < smallest) smallest = v;
      if (v > largest) largest = v;
      flagged += points.anomaly[i]!;
    }
    const to = sorted.length;
    blocks.add(s.id, model, sorted, from, to);
    anomalies += flagged;
    const k = lines.push(s) - 1;
    changes.series[k] = s.id;
    changes.readings[k] = group.length;
    changes.total[k] = total;
    changes.smallest[k] = smallest;
    changes.largest[k] = largest;
    changes.anomalies[k] = flagged;
    changes.late[k] = 0;
    changes.firstUs[k] = sorted.timeUs[from]!;
    changes.newestUs[k] = sorted.timeUs[to - 1]!;
    changes.lastUs[k] = sorted.timeUs[to - 1]!;
    changes.lastId[k] = sorted.id[to - 1]!;
    changes.lastValue[k] = sorted.value[to - 1]!;
    changes.lastScore[k] = sorted.score[to - 1]!;
    changes.lastAnomaly[k] = sorted.anomaly[to - 1] === 1;
  };
  for (const [s, group] of groups) emit(s, group);
  for (const [s, group] of lateGroups) {
    if (groups.has(s)) mergeLate(changes, s, group, points);
    else emitSumsOnly(changes, lines.push(s) - 1, s, group, points);
    const from = sorted.length;
    for (const i of group) copyPoint(points, i, sorted);
    blocks.add(s.id, model, sorted, from, sorted.length);
  }
  return { series: lines, blocks: blocks.finish(), changes, anomalies };
}

/** An UPDATE … FROM meets each series once: late rows are added to the series' own line. */
function mergeLate(c: SeriesChanges, s: Series, group: readonly number[], points: Points): void {
  const k = c.series.indexOf(s.id);
  for (const i of group) {
    const v = points.value[i]!;
    c.total[k] = saturatedSum(c.total[k]!, v);
    if (v < c.smallest[k]!) c.smallest[k] = v;
    if (v > c.largest[k]!) c.largest[k] = v;
  }
  c.readings[k] = c.readings[k]! + group.length;
  c.late[k] = group.length;
  c.newestUs[k] = Math.max(c.newestUs[k]!, points.timeUs[group[group.length - 1]!]!);
  c.firstUs[k] = Math.min(c.firstUs[k]!, points.timeUs[group[0]!]!);
}

function emitSumsOnly(c: SeriesChanges, k: number, s: Series, group: readonly number[], points: Points): void {
  c.series[k] = s.id;
  c.readings[k] = 0;
  c.total[k] = 0;
  c.smallest[k] = Number.POSITIVE_INFINITY;
  c.largest[k] = Number.NEGATIVE_INFINITY;
  c.anomalies[k] = 0;
  c.late[k] = 0;
  c.firstUs[k] = Number.MAX_SAFE_INTEGER;
  c.newestUs[k] = -1;
  c.lastUs[k] = -1;
  c.lastId[k] = 0;
  c.lastValue[k] = 0;
  c.lastScore[k] = 0;
  c.lastAnomaly[k] = false;
  mergeLate(c, s, group, points);
}
