/** Anomalies by sensor and column. */
import type { Sql } from "postgres";
import { list } from "../../postgres/literal.ts";
import { decodeBlock } from "../block.ts";
import { createPoints, MAX_BLOCK_POINTS } from "../points.ts";
import { isCompleting } from "../rollup-completion.ts";
import { ROLLUP_WIDTHS } from "../rollup-sums.ts";
import { endOf, type Grid } from "./grid.ts";

/** Rows fetched at once; others have their turn in between. */
const FETCH_BLOCKS = 256;
const FETCH_SUMS = 5_000;

export interface HeatmapWanted {
  /** Of columns of whole minutes. */
  readonly grid: Grid;
  /** Only sensors whose id begins so. */
  readonly sensorPrefix: string;
  /** Only sensors that it holds of. */
  readonly test: (sensorId: string) => boolean;
  /** At most so many. */
  readonly top: number;
}

/** Anomalies, and the highest score of them in steps of 1e-4; NaN: not known. */
export interface Cell {
  anomalies: number;
  worst: number;
}

/** A sensor with anomalies. */
export interface AnomalousSensor extends Cell {
  readonly sensorId: string;
  /** By column, those with anomalies. */
  readonly columns: Map<number, Cell>;
}

export interface Heatmap {
  /** The worst first. */
  readonly sensors: readonly AnomalousSensor[];
  /** All that match, also beyond `top`. */
  readonly total: number;
  /** Whether aggregates of before are still being completed. */
  readonly completing: boolean;
}

export async function readHeatmap(sql: Sql, wanted: HeatmapWanted): Promise<Heatmap> {
  const read = async (tx: Sql): Promise<Heatmap> => {
    const fresh = await readNew(tx, wanted);
    const ranking = new Ranking(wanted.top);
    for (const sensor of await readSums(tx, wanted, fresh)) ranking.add(sensor);
    const sensors = ranking.sorted().map((ranked) => ({
      ...ranked,
      columns: fresh.get(ranked.sensorId)?.columns ?? new Map(),
    }));
    await readCells(tx, wanted, sensors);
    return { sensors, total: ranking.total, completing: await isCompleting(tx) };
  };
  // Of one moment: readings are moved from the one source to the other.
  return (await sql.begin("isolation level repeatable read read only", read as never)) as Heatmap;
}

type Ranked = Cell & { readonly sensorId: string };

/** The first few of very many sensors. */
class Ranking {
  readonly #top: number;
  #first: Ranked[] = [];
  /** The last one that is in; undefined until there are enough. */
  #last: Ranked | undefined;
  total = 0;

  constructor(top: number) {
    this.#top = top;
  }

  add(sensor: Ranked): void {
    this.total++;
    if (this.#top === 0 || (this.#last !== undefined && byRank(sensor, this.#last) > 0)) return;
    this.#first.push(sensor);
    if (this.#first.length >= 2 * this.#top) this.#cut();
  }

  sorted(): readonly Ranked[] {
    this.#cut();
    return this.#first;
  }

  #cut(): void {
    this.#first = this.#first.sort(byRank).slice(0, this.#top);
    if (this.#first.length === this.#top) this.#last = this.#first.at(-1);
  }
}

/** The highest score first, then the most anomalies, then by id in byte order. */
function byRank(a: Ranked, b: Ranked): number {
  return (
    b.worst - a.worst || b.anomalies - a.anomalies || Buffer.compare(Buffer.from(a.sensorId), Buffer.from(b.sensorId))
  );
}

/** Takes in the anomalies of one score, or of one that is not known. */
function put(cell: Cell, anomalies: number, worst: number): void {
  cell.anomalies += anomalies;
  cell.worst = Math.max(cell.worst, worst);
}

function putColumn(
  { columns }: Pick<AnomalousSensor, "columns">,
  column: number,
  anomalies: number,
  worst: number,
): void {
  const cell = columns.get(column);
  if (cell === undefined) columns.set(column, { anomalies, worst });
  else put(cell, anomalies, worst);
}

/** What is not compacted yet, by sensor. */
async function readNew(tx: Sql, { grid, sensorPrefix, test }: HeatmapWanted): Promise<Map<string, AnomalousSensor>> {
  const { startUs, widthUs } = grid;
  const toUs = endOf(grid);
  const found = new Map<string, AnomalousSensor>();
  const cursor = tx`
    select s.sensor_id, b.first_us, b.first_id, b.data from block_new b join series s on s.id = b.series
    where b.anomalies > 0 and b.last_us >= ${startUs} and b.first_us < ${toUs}
      and starts_with(s.sensor_id, ${sensorPrefix})`.cursor(FETCH_BLOCKS);
  const points = createPoints(MAX_BLOCK_POINTS);
  for await (const rows of cursor) {
    for (const r of rows) {
      if (!found.has(r.sensor_id) && !test(r.sensor_id)) continue;
      points.length = 0;
      decodeBlock(r.data as Buffer, r.first_us as number, r.first_id as number, points);
      for (let i = 0; i < points.length; i++) {
        const t = points.timeUs[i]!;
        if (points.anomaly[i] === 0 || t < startUs || t >= toUs) continue;
        const sensor = found.get(r.sensor_id) ?? { sensorId: r.sensor_id, anomalies: 0, worst: 0, columns: new Map() };
        found.set(r.sensor_id, sensor);
        put(sensor, 1, points.score[i]!);
        putColumn(sensor, Math.floor((t - startUs) / widthUs), 1, points.score[i]!);
      }
    }
  }
  return found;
}

/** The widest aggregates that the columns are made of, in seconds. */
function rollupWidth({ widthUs }: Grid): number {
  return ROLLUP_WIDTHS.findLast((width) => widthUs % (width * 1e6) === 0)!;
}

/** Sums over all columns: of what is compacted, and of what is not. */
async function readSums(
  tx: Sql,
  { grid, sensorPrefix, test }: HeatmapWanted,
  fresh: ReadonlyMap<string, AnomalousSensor>,
): Promise<Iterable<Ranked>> {
  const found = new Map<string, Ranked>();
  for (const { sensorId, anomalies, worst } of fresh.values()) found.set(sensorId, { sensorId, anomalies, worst });
  const cursor = tx`
    select s.sensor_id, a.anomalies, a.worst from (
      select series, sum(anomalies)::bigint as anomalies, coalesce(max(worst), 0)::int as worst from rollup
      where width = ${rollupWidth(grid)} and bucket_us >= ${grid.startUs} and bucket_us < ${endOf(grid)} and anomalies > 0
      group by series) a
    join series s on s.id = a.series ${sensorPrefix === "" ? tx`` : tx`where starts_with(s.sensor_id, ${sensorPrefix})`}`.cursor(
    FETCH_SUMS,
  );
  for await (const rows of cursor) {
    for (const { sensor_id: sensorId, anomalies, worst } of rows) {
      const sensor = found.get(sensorId);
      if (sensor !== undefined) put(sensor, anomalies, worst);
      else if (test(sensorId)) found.set(sensorId, { sensorId, anomalies, worst });
    }
  }
  return found.values();
}

/** What is compacted of these sensors, by column. */
async function readCells(tx: Sql, { grid }: HeatmapWanted, sensors: readonly AnomalousSensor[]): Promise<void> {
  if (sensors.length === 0) return;
  const byId = new Map(sensors.map((sensor) => [sensor.sensorId, sensor]));
  const series = await tx`select id, sensor_id from series where sensor_id in ${tx([...byId.keys()])}`;
  const bySeries = new Map(series.map((r) => [r.id as number, byId.get(r.sensor_id)!]));
  const { startUs, widthUs } = grid;
  const rows = await tx`
    select series, ((bucket_us - ${startUs}::bigint) / ${widthUs}::bigint)::int as column, sum(anomalies)::bigint as anomalies,
      case when count(worst) < count(*) then null else max(worst)::int end as worst
    from rollup where width = ${rollupWidth(grid)} and bucket_us >= ${startUs} and bucket_us < ${endOf(grid)} and anomalies > 0
      and series = any(${list([...bySeries.keys()])}::int[])
    group by 1, 2`;
  for (const r of rows) putColumn(bySeries.get(r.series)!, r.column, r.anomalies, r.worst ?? Number.NaN);
}
