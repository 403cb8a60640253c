/** Readings of some sensors as a chart draws them: put together by column, and one by one where there are few. */
import type { Sql } from "postgres";
import { copyPoint, createPoints, type Points } from "../points.ts";
import { type Piece, piecesOf } from "../rollup.ts";
import { isCompleting } from "../rollup-completion.ts";
import { ColumnSums } from "./column-sums.ts";
import { endOf, type Grid, gridOf, LADDER_US } from "./grid.ts";
import { MAX_CHART_READINGS, MAX_CHART_UNITS, MAX_OTHER_UNITS } from "./limits.ts";
import { readBlocks, readParts } from "./read.ts";
import { type UnitSeries, unitsOf } from "./units.ts";

export interface ChartRange {
  readonly fromUs: number;
  readonly toUs: number;
  /** Columns to aim for; and no more readings are answered one by one. */
  readonly columns: number;
}

/** A sensor's readings in one unit. */
export interface ChartSeries {
  readonly sensorId: string;
  readonly unit: string;
  readonly sums: ColumnSums;
  /** Its readings in rising order of time, where there are few. */
  readonly points: Points | undefined;
  /** Other units that it has readings in within the columns, and that are not answered. */
  readonly otherUnits: readonly string[];
}

export interface Chart {
  readonly grid: Grid;
  /** In the order asked for; of one sensor the current unit first. */
  readonly series: readonly ChartSeries[];
  /** Whether aggregates of before are still being completed. */
  readonly completing: boolean;
}

/** What of the grid is read of a unit's series, and from where. */
interface Source extends UnitSeries {
  readonly otherUnits: readonly string[];
  readonly pieces: readonly Piece[];
}

export async function readChart(sql: Sql, sensorIds: readonly string[], range: ChartRange): Promise<Chart> {
  const units = await unitsOf(sql, sensorIds);
  const { grid, sources } = affordable(units, range);
  const completing = await isCompleting(sql);
  const sums = sources.map(() => new ColumnSums(grid));
  await readParts(sql, sources, grid.widthUs, {
    points: (part, points, low, high) => sums[part]!.addPoints(points, low, high),
    column: (part, startUs, row) => sums[part]!.addRollup(startUs, row),
  });
  const points = await readFew(sql, sources, { sums, most: range.columns, grid });
  return {
    grid,
    completing,
    series: sources.map(({ sensorId, unit, otherUnits }, i) => ({
      ...{ sensorId, unit, otherUnits, sums: sums[i]!, points: points[i] },
    })),
  };
}

/** The columns that the range asks for, or wider ones where too many readings would have to be gone through. */
function affordable(units: readonly UnitSeries[], range: ChartRange): { grid: Grid; sources: Source[] } {
  for (let leastUs = 0; ; ) {
    const grid = gridOf(range, leastUs);
    const sources = answered(units, grid);
    const readings = sources.reduce((sum, source) => sum + rawReadings(source), 0);
    const wider = LADDER_US.find((width) => width > grid.widthUs);
    if (readings <= MAX_CHART_READINGS || wider === undefined) return { grid, sources };
    leastUs = wider;
  }
}

/** Of each sensor the current unit, and others that it has readings in within the grid. */
function answered(units: readonly UnitSeries[], grid: Grid): Source[] {
  const toUs = endOf(grid);
  const bySensor = Map.groupBy(units, ({ sensorId }) => sensorId);
  return [...bySensor.values()].flatMap((all) => {
    const within = all.filter(({ firstUs, lastUs }, i) => i === 0 || (lastUs >= grid.startUs && firstUs < toUs));
    const otherUnits = within.slice(MAX_CHART_UNITS, MAX_CHART_UNITS + MAX_OTHER_UNITS).map(({ unit }) => unit);
    return within.slice(0, MAX_CHART_UNITS).map((unit) => ({ ...unit, otherUnits, pieces: piecesWithin(unit, grid) }));
  });
}

function piecesWithin({ firstUs, lastUs, minutesFromUs }: UnitSeries, grid: Grid): Piece[] {
  const { startUs, widthUs } = grid;
  // Nothing lies before the first reading or behind the last one.
  const from = Math.max(startUs, Math.floor(firstUs / widthUs) * widthUs);
  const to = Math.min(endOf(grid), (Math.floor(lastUs / widthUs) + 1) * widthUs);
  return piecesOf(from, to, widthUs, minutesFromUs);
}

/** About how many readings of the pieces no aggregate answers for. */
function rawReadings({ readings, firstUs, lastUs, pieces }: Source): number {
  const span = pieces.reduce((sum, { width, fromUs, toUs }) => sum + (width === 0 ? toUs - fromUs : 0), 0);
  return readings * Math.min(1, span / (lastUs - firstUs + 1));
}

/** By source, its readings one by one where there are at most so many. */
async function readFew(
  sql: Sql,
  sources: readonly Source[],
  { sums, most, grid }: { sums: readonly ColumnSums[]; most: number; grid: Grid },
): Promise<(Points | undefined)[]> {
  const few = [...sources.keys()].filter((i) => sums[i]!.readings > 0 && sums[i]!.readings <= most);
  const toUs = endOf(grid);
  const parts = few.map((i) => ({ series: sources[i]!.series, fromUs: grid.startUs, toUs }));
  const found = new Map(few.map((i) => [i, createPoints(most)]));
  await readBlocks(sql, parts, (part, points, low, high) => {
    const into = found.get(few[part]!);
    for (let i = 0; into !== undefined && i < points.length; i++) {
      if (points.timeUs[i]! < low || points.timeUs[i]! >= high) continue;
      if (into.length < most) copyPoint(points, i, into);
      else found.delete(few[part]!); // More have come meanwhile.
    }
  });
  return sources.map((_, i) => {
    const points = found.get(i);
    // Fewer than were counted: the others are past their retention, and aggregates alone tell of them.
    return points === undefined || points.length < sums[i]!.readings ? undefined : inOrder(points);
  });
}

function inOrder(points: Points): Points {
  const { timeUs } = points;
  const order = Array.from({ length: points.length }, (_, i) => i).sort((a, b) => timeUs[a]! - timeUs[b]!);
  const sorted = createPoints(points.length);
  for (const i of order) copyPoint(points, i, sorted);
  return sorted;
}
