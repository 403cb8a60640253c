/** A sensor's readings aggregated by time, from rollups where they are whole and from blocks where they are not. */

import type { Sql } from "postgres";
import { DAY_US } from "../lib/time.ts";
import { decodeBlock } from "./block.ts";
import { createPoints, MAX_BLOCK_POINTS } from "./points.ts";
import { type Piece, piecesOf } from "./rollup.ts";
import { numbers, spanOf } from "./series.ts";
import { saturatedSum } from "./sums.ts";

export interface BucketRow {
  readonly startUs: number;
  count: number;
  total: number;
  smallest: number;
  largest: number;
  anomalies: number;
}

/** Readings of a sensor in [fromUs, toUs), to be aggregated into buckets of `widthUs`, all in microseconds. */
export interface BucketRange {
  readonly sensorId: string;
  /** Only readings in this unit; absent: in whatever unit. */
  readonly unit?: string | undefined;
  readonly fromUs: number;
  readonly toUs: number;
  readonly widthUs: number;
}

/** Every reading of the range, aggregated. */
export async function bucketsOf(
  sql: Sql,
  { sensorId, unit, fromUs, toUs, widthUs }: BucketRange,
): Promise<BucketRow[]> {
  const series = (
    await sql`select * from series where sensor_id = ${sensorId} and readings > 0
      and (${unit ?? null}::text is null or unit = ${unit ?? null})`
  ).map(spanOf);
  const buckets = new Map<number, BucketRow>();
  const add = (startUs: number, n: number, total: number, smallest: number, largest: number, anomalies: number) => {
    const b = buckets.get(startUs);
    if (b === undefined) {
      buckets.set(startUs, { startUs, count: n, total, smallest, largest, anomalies });
      return;
    }
    b.count += n;
    b.total = saturatedSum(b.total, total);
    b.smallest = Math.min(b.smallest, smallest);
    b.largest = Math.max(b.largest, largest);
    b.anomalies += anomalies;
  };
  const within = series.filter((s) => s.lastUs >= fromUs && s.firstUs < toUs);
  if (within.length === 0) return [];
  const ids = numbers(within.map((s) => s.id));
  // Nothing lies before the first reading: narrower edges.
  const first = within.reduce((least, s) => Math.min(least, s.firstUs), toUs);
  const start = Math.max(fromUs, Math.floor(first / widthUs) * widthUs);
  const [kept] = await sql`
      select max(coalesce(minutes_from_us, ${Number.MAX_SAFE_INTEGER}::bigint))::bigint as minutes from rollup_series
      where series = any(${ids}::int[])`;
  const pieces = piecesOf(start, toUs, widthUs, kept!.minutes ?? Number.MAX_SAFE_INTEGER);
  const [whole, raw] = [pieces.filter((p) => p.width > 0), pieces.filter((p) => p.width === 0)];
  const from = (list: readonly Piece[]) => numbers(list.map((p) => p.fromUs));
  const to = (list: readonly Piece[]) => numbers(list.map((p) => p.toUs));
  // One statement, so that a reading that is being compacted is seen exactly once.
  const rows = await sql`
      select r.start as first_us, null::bigint as first_id, sum(r.readings)::int as points, null::bytea as data,
        saturated_total(r.total) as total, min(r.smallest) as smallest, max(r.largest) as largest, sum(r.anomalies)::int as anomalies,
        null::bigint as low, null::bigint as high
      from unnest(${numbers(whole.map((p) => p.width))}::int[], ${from(whole)}::bigint[], ${to(whole)}::bigint[])
          p(width, low, high)
        cross join lateral (select *, bucket_us - bucket_us % ${widthUs}::bigint as start from rollup
          where series = any(${ids}::int[]) and width = p.width and bucket_us >= p.low and bucket_us < p.high offset 0) r
      group by r.start
      union all
      select first_us, first_id, points, data, null, null, null, null, ${start}::bigint, ${toUs}::bigint from block_new
        where series = any(${ids}::int[]) and last_us >= ${start} and first_us < ${toUs}
      union all
      select b.first_us, b.first_id, b.points, b.data, null, null, null, null, p.low, p.high
      from unnest(${from(raw)}::bigint[], ${to(raw)}::bigint[]) p(low, high)
        cross join lateral (select * from block where series = any(${ids}::int[])
          and first_us >= p.low - p.low % ${DAY_US}::bigint and first_us < p.high and last_us >= p.low offset 0) b`;
  const points = createPoints(MAX_BLOCK_POINTS);
  for (const r of rows) {
    if (r.data === null) {
      add(r.first_us, r.points, r.total, r.smallest, r.largest, r.anomalies);
      continue;
    }
    points.length = 0;
    decodeBlock(r.data as Buffer, r.first_us as number, r.first_id as number, points);
    for (let i = 0; i < points.length; i++) {
      const t = points.timeUs[i]!;
      if (t < r.low || t >= r.high) continue;
      const v = points.value[i]!;
      add(Math.floor(t / widthUs) * widthUs, 1, v, v, v, points.anomaly[i]!);
    }
  }
  return [...buckets.values()].sort((a, b) => a.startUs - b.startUs);
}
