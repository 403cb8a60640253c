/** Series as the queries read them. */
import type { Row } from "postgres";
import type { SeriesRow } from "./store.ts";

/** A series, with what is stored of it: sums, and first and newest times in microseconds. */
export interface SeriesSpan extends SeriesRow {
  readonly id: number;
  readonly readings: number;
  readonly anomalies: number;
  readonly firstUs: number;
  readonly lastUs: number;
}

/** As a PostgreSQL array literal. */
export const numbers = (values: readonly number[]) => `{${values.join(",")}}`;

export function seriesRow(r: Row): SeriesRow {
  return {
    sensorId: r.sensor_id,
    sensorType: r.sensor_type,
    unit: r.unit,
    location: (r.location as string | null) ?? undefined,
  };
}

export function spanOf(r: Row): SeriesSpan {
  return {
    ...seriesRow(r),
    id: r.id,
    readings: r.readings,
    anomalies: r.anomalies,
    firstUs: r.first_us,
    lastUs: r.newest_us,
  };
}
