/** Sensors as they are shown: read from the store as they are now, a page at a time. */
import type { Row, Sql } from "postgres";
import type { Attributes } from "../../formats/attributes.ts";
import { allEnded } from "../postgres/transaction.ts";
import { attributesOf } from "../store/attributes.ts";
import type { Profile } from "./profile.ts";
import { profileOf } from "./profiles.ts";
import { NO_ALERTS, type OpenAlerts, withAlert } from "./state.ts";

/** Of a sensor; whoever sends each reading in another unit must not make an answer that nobody can take. */
const MAX_SERIES = 100;

export interface SeriesDetails {
  readonly sensorType: string;
  readonly unit: string;
  readonly location: string | undefined;
  readonly readings: number;
  readonly firstUs: number;
  readonly lastUs: number;
}

export interface SensorDetails {
  readonly sensorId: string;
  readonly profile: Profile | undefined;
  readonly sent: Attributes;
  /** Those with the newest readings first. */
  readonly series: readonly SeriesDetails[];
  /** Of all its series; −1 where it has no reading. */
  readonly firstUs: number;
  readonly lastUs: number;
  readonly open: OpenAlerts;
  /** Undefined where it is not retired. */
  readonly retired: { readonly atUs: number; readonly by: string } | undefined;
  /** Other ids that lead to it, in byte order. */
  readonly otherIds: readonly string[];
}

/** In the order asked for, without those that there are not. */
export async function readDetails(sql: Sql, sensorIds: readonly string[]): Promise<SensorDetails[]> {
  if (sensorIds.length === 0) return [];
  const ids = sql`(select x collate "C" as sensor_id from jsonb_array_elements_text(${JSON.stringify(sensorIds)}::text::jsonb) x)`;
  const [known, series, alerts] = await allEnded([
    sql`select p.*, i.sensor_id, r.retired_us, r.retired_by, ${attributesOf(sql, sql`i.sensor_id`)} as sent, (
        select json_agg(o.name order by o.name) from sensor_name n join sensor_name o on o.key = n.key and o.name <> n.name
        where n.name = i.sensor_id) as other_ids
      from ${ids} i left join sensor_profile p on p.sensor_id = i.sensor_id
        left join sensor_retirement r on r.sensor_id = i.sensor_id and r.retired_us is not null`,
    sql`select * from ${ids} i cross join lateral (
        select sensor_type, unit, location, readings, first_us, newest_us, min(first_us) over () as oldest_us,
          row_number() over (order by newest_us desc, id) as place
        from series s where s.sensor_id = i.sensor_id collate "default" and s.readings > 0) x
      where place <= ${MAX_SERIES} order by place`,
    sql`select a.sensor_id, a.severity, a.alert_type from ${ids} i join alert a
      on a.sensor_id = i.sensor_id collate "default" and a.state = 1`,
  ]);
  const seriesOf = Map.groupBy(series, (r) => r.sensor_id as string);
  const alertsOf = Map.groupBy(alerts, (r) => r.sensor_id as string);
  const byId = new Map(known.map((r) => [r.sensor_id as string, r]));
  return sensorIds.flatMap((sensorId) => {
    const row = byId.get(sensorId)!;
    const own = seriesOf.get(sensorId) ?? [];
    if (row.revision === null && own.length === 0) return [];
    return [detailsOf(row, own, alertsOf.get(sensorId) ?? [])];
  });
}

function detailsOf(row: Row, series: readonly Row[], alerts: readonly Row[]): SensorDetails {
  return {
    sensorId: row.sensor_id,
    profile: row.revision === null ? undefined : profileOf(row),
    sent: row.sent ?? {},
    series: series.map((r) => ({
      sensorType: r.sensor_type,
      unit: r.unit,
      location: (r.location as string | null) ?? undefined,
      readings: r.readings,
      firstUs: r.first_us,
      lastUs: r.newest_us,
    })),
    firstUs: series[0]?.oldest_us ?? -1,
    lastUs: series[0]?.newest_us ?? -1,
    retired: row.retired_us === null ? undefined : { atUs: row.retired_us, by: row.retired_by },
    otherIds: (row.other_ids as string[] | null) ?? [],
    open: alerts.reduce<OpenAlerts>((open, r) => withAlert(open, r.severity, r.alert_type), NO_ALERTS),
  };
}
