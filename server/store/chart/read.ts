/** Reads what is stored of some series within columns, each reading once. */
import type { Row, Sql } from "postgres";
import { DAY_US } from "../../lib/time.ts";
import { list } from "../../postgres/literal.ts";
import { decodeBlock } from "../block.ts";
import { createPoints, MAX_BLOCK_POINTS, type Points } from "../points.ts";
import type { Piece } from "../rollup.ts";

/** Rows fetched at once: blocks of some megabytes, and others have their turn in between. */
const FETCH_ROWS = 256;

/** Series that are put together, and which source answers for which part of the range: together, all of it. */
export interface Part {
  readonly series: readonly number[];
  readonly pieces: readonly Piece[];
}

export interface Sources {
  /** Points of a block, of which those in [lowUs, highUs) count. */
  readonly points: (part: number, points: Points, lowUs: number, highUs: number) => void;
  /** Stored aggregates of a column. */
  readonly column: (part: number, startUs: number, row: Row) => void;
}

interface Line extends Piece {
  readonly part: number;
  readonly series: number;
}

/** @param widthUs of the columns that aggregates are put together to; the width of each piece divides it */
export async function readParts(sql: Sql, parts: readonly Part[], widthUs: number, to: Sources): Promise<void> {
  const lines = parts.flatMap(({ series, pieces }, part) =>
    pieces.flatMap((piece) => series.map((id): Line => ({ ...piece, part, series: id }))),
  );
  if (lines.length === 0) return;
  const whole = lines.filter(({ width }) => width > 0);
  const raw = lines.filter(({ width }) => width === 0);
  const column = (of: readonly Line[], name: keyof Line) => list(of.map((line) => line[name]));
  const table = (of: readonly Line[]) =>
    sql`unnest(${column(of, "part")}::int[], ${column(of, "series")}::int[], ${column(of, "width")}::int[],
      ${column(of, "fromUs")}::bigint[], ${column(of, "toUs")}::bigint[]) p(part, series, width, low, high)`;
  // One statement, so that a reading that is being compacted is seen exactly once.
  const cursor = sql`
    select a.part, a.start, a.readings, a.charted, a.smallest, a.largest, a.anomalies, a.first[1] as first_us, a.first[2] as first_value,
      a.last[1] as last_us, a.last[2] as last_value, a.expected_total, a.forecast, a.lowest, a.highest, a.worst,
      null::bigint as low, null::bigint as high, null::bigint as first_id, null::bytea as data
    from (
      select p.part, r.start, sum(readings)::bigint as readings, sum(charted)::bigint as charted, min(smallest) as smallest,
        max(largest) as largest, sum(anomalies)::bigint as anomalies, min(array[first_us::float8, first_value]) as first,
        max(array[last_us::float8, last_value]) as last, sum(expected_total) as expected_total, sum(forecast)::bigint as forecast,
        min(lowest) as lowest, max(highest) as highest, max(worst)::int as worst
      from ${table(whole)} cross join lateral (
        select *, bucket_us - bucket_us % ${widthUs}::bigint as start from rollup
        where series = p.series and width = p.width and bucket_us >= p.low and bucket_us < p.high offset 0) r
      group by p.part, r.start) a
    union all
    select p.part, null, null, null, null, null, null, b.first_us, null, null, null, null, null, null, null, null, p.low, p.high,
      b.first_id, b.data
    from ${table(lines)} cross join lateral (
      select first_us, first_id, data from block_new where series = p.series and last_us >= p.low and first_us < p.high offset 0) b
    union all
    select p.part, null, null, null, null, null, null, b.first_us, null, null, null, null, null, null, null, null, p.low, p.high,
      b.first_id, b.data
    from ${table(raw)} cross join lateral (
      select first_us, first_id, data from block where series = p.series
        and first_us >= p.low - p.low % ${DAY_US}::bigint and first_us < p.high and last_us >= p.low offset 0) b`.cursor(
    FETCH_ROWS,
  );
  const points = createPoints(MAX_BLOCK_POINTS);
  for await (const rows of cursor) {
    for (const r of rows) {
      if (r.data === null) {
        to.column(r.part, r.start, r);
        continue;
      }
      points.length = 0;
      decodeBlock(r.data as Buffer, r.first_us as number, r.first_id as number, points);
      to.points(r.part, points, r.low, r.high);
    }
  }
}

/** Series that are put together, within [fromUs, toUs). */
export interface SeriesPart {
  readonly series: readonly number[];
  readonly fromUs: number;
  readonly toUs: number;
}

export type TakePoints = Sources["points"];

/** The same from blocks alone. */
export function readBlocks(sql: Sql, parts: readonly SeriesPart[], take: TakePoints): Promise<void> {
  const whole = parts.map(({ series, fromUs, toUs }): Part => ({ series, pieces: [{ width: 0, fromUs, toUs }] }));
  return readParts(sql, whole, DAY_US, { points: take, column: () => {} });
}
