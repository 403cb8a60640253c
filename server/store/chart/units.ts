/** Series of sensors by unit: values in different units are never put together. */
import type { Row, Sql } from "postgres";

/** A sensor's series in one unit, whatever their types and places. */
export interface UnitSeries {
  readonly sensorId: string;
  readonly unit: string;
  /** Numbers of the series. */
  readonly series: readonly number[];
  readonly readings: number;
  /** Of the first and of the newest reading. */
  readonly firstUs: number;
  readonly lastUs: number;
  /** From then on all of them have aggregates of minutes. */
  readonly minutesFromUs: number;
}

/** In the order of the sensors; of each the current unit first, which is that of the newest reading that was not late. */
export async function unitsOf(sql: Sql, sensorIds: readonly string[]): Promise<UnitSeries[]> {
  if (sensorIds.length === 0) return [];
  const rows = await sql`
    select sensor_id, unit, array_to_json(array_agg(s.id)) as series, sum(readings)::bigint as readings, min(first_us) as first_us,
      max(s.newest_us) as newest_us, coalesce(max(last_us), -1) as current_us,
      max(coalesce(minutes_from_us, ${Number.MAX_SAFE_INTEGER}::bigint))::bigint as minutes_from_us
    from series s left join rollup_series r on r.series = s.id
    where sensor_id in ${sql(sensorIds as string[])} and readings > 0 group by sensor_id, unit
    order by current_us desc, newest_us desc, unit`;
  const bySensor = Map.groupBy(rows, (r) => r.sensor_id as string);
  return sensorIds.flatMap((id) => (bySensor.get(id) ?? []).map(unitSeries));
}

function unitSeries(r: Row): UnitSeries {
  return {
    sensorId: r.sensor_id,
    unit: r.unit,
    series: r.series,
    readings: r.readings,
    firstUs: r.first_us,
    lastUs: r.newest_us,
    minutesFromUs: r.minutes_from_us,
  };
}
