/** Charts: series in columns, and anomalies by sensor and column. */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { MAX_TIME_US } from "../../formats/time.ts";
import {
  GetAnomalyHeatmapResponseSchema,
  HeatmapRowSchema,
  type Series,
  SeriesColumnsSchema,
  SeriesReadingsSchema,
  SeriesSchema,
} from "../../gen/es/telltale/v1/chart_pb.ts";
import type { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { REASONS } from "../detect/index.ts";
import { MINUTE_US, toTimestamp } from "../lib/time.ts";
import { readMatchers } from "../registry/filter.ts";
import type { Registry } from "../registry/registry.ts";
import { canAccessSensor } from "../security/principal.ts";
import type { ChartSeries } from "../store/chart/charts.ts";
import type { ColumnSums } from "../store/chart/column-sums.ts";
import { type Grid, gridOf } from "../store/chart/grid.ts";
import type { AnomalousSensor } from "../store/chart/heatmap.ts";
import { MARK_LATE, type Points } from "../store/points.ts";
import type { Queries } from "../store/queries.ts";
import { roomFor } from "./pages.ts";
import { principalOf } from "./principal.ts";
import { invalid, timeOf } from "./query.ts";

const DEFAULT_TOP = 50;

export interface ChartOptions {
  readonly queries: Queries;
  readonly registry: Pick<Registry, "sensorTest">;
}

type Charts = Pick<ServiceImpl<typeof QueryService>, "getSeries" | "getAnomalyHeatmap">;

export function createCharts({ queries, registry }: ChartOptions): Charts {
  return {
    async getSeries(request, context) {
      const range = { ...rangeOf(request), columns: request.columns };
      const asked = [...new Set(request.sensorIds)];
      const visible = asked.filter((id) => canAccessSensor(principalOf(context), id));
      const { grid, series, completing } = await queries.chart(visible, range);
      const known = new Set(series.map(({ sensorId }) => sensorId));
      return {
        ...columnsOf(grid),
        series: fittingSeries(series.map(seriesMessage), roomFor(context)),
        unknownSensorIds: asked.filter((id) => !known.has(id)),
        completing,
      };
    },

    async getAnomalyHeatmap(request, context: HandlerContext) {
      const { columns, search, top = DEFAULT_TOP } = request;
      const grid = gridOf({ ...rangeOf(request), columns }, MINUTE_US);
      const test = await registry.sensorTest({ search, matchers: readMatchers(request.matchers) });
      const { sensorPrefix } = principalOf(context);
      const { sensors, total, completing } = await queries.heatmap({ grid, sensorPrefix, test, top });
      return create(GetAnomalyHeatmapResponseSchema, {
        ...columnsOf(grid),
        rows: sensors.map(rowMessage),
        sensorCount: BigInt(total),
        completing,
      });
    },
  };
}

/** Upper bounds of the bytes of a column and of a reading in a series, and of the rest of it. */
const COLUMN_BYTES = 90;
const READING_BYTES = 110;
const SERIES_BYTES = 12_000;

/** Without the series of a sensor's other units where they do not fit into a message; those of the current ones always do. */
function fittingSeries(all: readonly Series[], room: number): Series[] {
  const bytesOf = ({ columns, readings }: Series) =>
    SERIES_BYTES + COLUMN_BYTES * (columns?.counts.length ?? 0) + READING_BYTES * (readings?.values.length ?? 0);
  let bytes = all.reduce((sum, series) => sum + bytesOf(series), 0);
  const kept = [...all];
  for (let i = all.length - 1; i > 0 && bytes > room; i--) {
    const current = all.find(({ sensorId }) => sensorId === all[i]!.sensorId)!;
    if (current === all[i]) continue;
    bytes -= bytesOf(all[i]!);
    kept.splice(i, 1);
    current.otherUnits.unshift(all[i]!.unit);
  }
  return kept;
}

function rangeOf(request: { startTime?: Timestamp | undefined; endTime?: Timestamp | undefined }) {
  const fromUs = timeOf("start_time", request.startTime, 0);
  const toUs = timeOf("end_time", request.endTime, MAX_TIME_US);
  if (toUs <= fromUs) throw invalid("end_time", "the range ends before it begins: give an end after the start");
  return { fromUs, toUs };
}

function columnsOf({ widthUs, startUs, count }: Grid) {
  return { columnWidthUs: BigInt(widthUs), firstColumnTime: toTimestamp(startUs), columnCount: count };
}

function seriesMessage({ sensorId, unit, sums, points, otherUnits }: ChartSeries): Series {
  return create(SeriesSchema, {
    sensorId,
    unit,
    otherUnits: [...otherUnits],
    ...(points === undefined ? { columns: columnsMessage(sums) } : { raw: true, readings: readingsMessage(points) }),
  });
}

function columnsMessage(sums: ColumnSums) {
  const filled = Array.from(sums.count.keys()).filter((c) => sums.count[c]! > 0);
  // What depends on every reading of the column.
  const whole = (value: (c: number) => number) =>
    filled.map((c) => (sums.charted[c] === sums.count[c] ? value(c) : Number.NaN));
  return create(SeriesColumnsSchema, {
    indexes: filled,
    counts: filled.map((c) => BigInt(sums.count[c]!)),
    firstValues: whole((c) => sums.first[c]!),
    minValues: filled.map((c) => sums.smallest[c]!),
    maxValues: filled.map((c) => sums.largest[c]!),
    lastValues: whole((c) => sums.last[c]!),
    expectedValues: whole((c) => sums.expectedTotal[c]! / sums.expectedCount[c]!),
    lowerBounds: whole((c) => finite(sums.lowest[c]!)),
    upperBounds: whole((c) => finite(sums.highest[c]!)),
    anomalyCounts: filled.map((c) => BigInt(sums.anomalies[c]!)),
    maxAnomalyScores: whole((c) => sums.worst[c]! / 10_000),
  });
}

function finite(bound: number): number {
  return Number.isFinite(bound) ? bound : Number.NaN;
}

function readingsMessage(p: Points) {
  const of = <T>(value: (i: number) => T) => Array.from({ length: p.length }, (_, i) => value(i));
  return create(SeriesReadingsSchema, {
    observedAtUs: of((i) => BigInt(p.timeUs[i]!)),
    values: of((i) => p.value[i]!),
    expectedValues: of((i) => p.expected[i]!),
    lowerBounds: of((i) => p.expected[i]! - p.band[i]!),
    upperBounds: of((i) => p.expected[i]! + p.band[i]!),
    anomalies: of((i) => p.anomaly[i] === 1),
    anomalyScores: of((i) => p.score[i]! / 10_000),
    confidences: of((i) => p.confidence[i]! / 10_000),
    reasons: of((i) => REASONS[p.anomaly[i] === 1 ? p.reason[i]! : 0] ?? ""),
    late: of((i) => (p.mark[i]! & MARK_LATE) !== 0),
  });
}

function rowMessage({ sensorId, anomalies, worst, columns }: AnomalousSensor) {
  const cells = [...columns].sort(([a], [b]) => a - b);
  return create(HeatmapRowSchema, {
    sensorId,
    anomalyCount: BigInt(anomalies),
    maxAnomalyScore: worst / 10_000,
    indexes: cells.map(([column]) => column),
    anomalyCounts: cells.map(([, cell]) => BigInt(cell.anomalies)),
    maxAnomalyScores: cells.map(([, cell]) => cell.worst / 10_000),
  });
}
