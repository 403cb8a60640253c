import type { Sql } from "postgres";
import { MINUTE_US } from "../lib/time.ts";
import { list } from "../postgres/literal.ts";
import type { Points } from "./points.ts";
import { ROLLUP_WIDTHS, RollupRows } from "./rollup-sums.ts";

/** Minutes are kept of a series that has a reading at least this often: a row for each minute must stand for several readings. */
const MINUTES_UP_TO_US = 10_000_000;

/** Points [from, to) of one series, in rising order of time. */
export interface Stretch {
  readonly series: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Adds points that come into `block` to the aggregates, in the same transaction. Counts, extremes and sums of disjoint sets add up,
 * so that late readings make no difference; `total` is exact to the rounding of a sum in some order.
 */
export async function addToRollups(tx: Sql, points: Points, stretches: readonly Stretch[]): Promise<void> {
  const minutesFrom = await minutesFromOf(tx, points, stretches);
  const rows = new RollupRows();
  for (const [i, { series, from, to }] of stretches.entries())
    rows.addPoints(series, points, { from, to, minutesFromUs: minutesFrom[i]! });
  await rows.add(tx);
}

/** For each stretch, the time from which its minutes are kept; infinity: they are not. Decides it for series not decided yet. */
async function minutesFromOf(tx: Sql, points: Points, stretches: readonly Stretch[]): Promise<number[]> {
  const ids = list(stretches.map((s) => s.series));
  const rows = await tx`select series, newest_us, minutes_from_us from rollup_series where series = any(${ids}::int[])`;
  const known = new Map(
    rows.map((r) => [
      r.series as number,
      { newestUs: r.newest_us as number, minutesFromUs: r.minutes_from_us as number | null },
    ]),
  );
  const changed: { series: number; newest_us: number; minutes_from_us: number | null }[] = [];
  const answer = stretches.map(({ series, from, to }) => {
    const before = known.get(series);
    if (before !== undefined && before.minutesFromUs !== null) return before.minutesFromUs;
    const first = points.timeUs[from]!;
    const last = points.timeUs[to - 1]!;
    const dense = to - from > 1 && (last - first) / (to - from - 1) <= MINUTES_UP_TO_US;
    const newest = Math.max(last, before?.newestUs ?? 0);
    // Whole minutes in which nothing has been compacted yet, so that none is kept in part.
    const start =
      before === undefined
        ? Math.floor(first / MINUTE_US) * MINUTE_US
        : Math.floor(before.newestUs / MINUTE_US + 1) * MINUTE_US;
    changed.push({ series, newest_us: newest, minutes_from_us: dense ? start : null });
    return dense ? start : Number.POSITIVE_INFINITY;
  });
  if (changed.length > 0) {
    await tx`
      insert into rollup_series (series, newest_us, minutes_from_us)
      select * from unnest(${list(changed.map((c) => c.series))}::int[], ${list(changed.map((c) => c.newest_us))}::bigint[],
        ${`{${changed.map((c) => c.minutes_from_us ?? "NULL").join(",")}}`}::bigint[])
      on conflict (series) do update set newest_us = excluded.newest_us, minutes_from_us = excluded.minutes_from_us`;
  }
  return answer;
}

/** A part of a range that one source answers for: aggregates of a width, seconds, or, at 0, the blocks themselves. */
export interface Piece {
  readonly width: number;
  readonly fromUs: number;
  readonly toUs: number;
}

/**
 * Cuts [fromUs, toUs) so that whole buckets come from the widest aggregates that fit buckets of `widthUs`, and the edges from
 * narrower ones or from blocks. Minutes are there from `minutesFromUs` on.
 */
export function piecesOf(fromUs: number, toUs: number, widthUs: number, minutesFromUs: number): Piece[] {
  const widths = ROLLUP_WIDTHS.filter((w) => widthUs % (w * 1e6) === 0);
  const cut = (from: number, to: number, i: number): Piece[] => {
    if (from >= to) return [];
    const width = widths[i];
    if (width === undefined) return [{ width: 0, fromUs: from, toUs: to }];
    const w = width * 1e6;
    const first = Math.ceil((width === 60 ? Math.max(from, minutesFromUs) : from) / w) * w;
    const end = Math.floor(to / w) * w;
    if (first >= end) return cut(from, to, i - 1);
    return [...cut(from, first, i - 1), { width, fromUs: first, toUs: end }, ...cut(end, to, i - 1)];
  };
  return cut(fromUs, toUs, widths.length - 1);
}
