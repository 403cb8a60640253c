/** Series as the queries read them. */
import type { Row, Sql } from "postgres";
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

/** Series of some sensors that may have readings within [fromUs, toUs), by sensor and id. */
export async function spansWithin(
  sql: Sql,
  sensorIds: readonly string[],
  { fromUs, toUs }: { readonly fromUs: number; readonly toUs: number },
): Promise<SeriesSpan[]> {
  if (sensorIds.length === 0) return [];
  const rows = await sql`
    select s.* from jsonb_array_elements_text(${JSON.stringify(sensorIds)}::text::jsonb) i(sensor_id)
      join series s on s.sensor_id = i.sensor_id
    where s.readings > 0 and s.newest_us >= ${fromUs} and s.first_us < ${toUs} order by s.sensor_id collate "C", s.id`;
  return rows.map(spanOf);
}
