/** Deletions of sensors, as far as they are on record. */
import type { Row, Sql } from "postgres";

export interface DeletionDetails {
  readonly id: number;
  readonly sensorId: string;
  /** That its series counted, and of those how many are removed by now. */
  readonly readings: number;
  readonly removedReadings: number;
  /** Not removed yet. */
  readonly alerts: number;
  readonly atUs: number;
  readonly by: string;
  readonly finishedUs: number | undefined;
}

export interface DeletionFilter {
  /** Only sensors whose id begins so. */
  readonly sensorPrefix: string;
  readonly unfinished: boolean;
  readonly limit: number;
  /** Only deletions before the one with this number. */
  readonly before: number | undefined;
}

/** The newest first. */
export async function listDeletions(sql: Sql, f: DeletionFilter): Promise<DeletionDetails[]> {
  const rows = await sql`
    select d.*, ${alertsLeft(sql)} as alerts from sensor_deletion d
    where starts_with(sensor_id, ${f.sensorPrefix}) ${f.unfinished ? sql`and finished_us is null` : sql``}
      ${f.before === undefined ? sql`` : sql`and id < ${f.before}::bigint`}
    order by id desc limit ${f.limit}`;
  return rows.map(deletionOf);
}

/** The newest deletion of each of the sensors, in no order. */
export async function newestDeletions(sql: Sql, sensorIds: readonly string[]): Promise<DeletionDetails[]> {
  const rows = await sql`
    select distinct on (d.sensor_id) d.*, ${alertsLeft(sql)} as alerts
    from jsonb_array_elements_text(${JSON.stringify(sensorIds)}::text::jsonb) i join sensor_deletion d on d.sensor_id = i collate "C"
    order by d.sensor_id, d.id desc`;
  return rows.map(deletionOf);
}

/** Alerts of each of the sensors. */
export async function countAlerts(sql: Sql, sensorIds: readonly string[]): Promise<Map<string, number>> {
  const rows = await sql`
    select a.sensor_id, count(*)::int as n
    from jsonb_array_elements_text(${JSON.stringify(sensorIds)}::text::jsonb) i join alert a on a.sensor_id = i group by 1`;
  return new Map(rows.map((r) => [r.sensor_id as string, r.n as number]));
}

const alertsLeft = (sql: Sql) => sql`case when d.finished_us is not null then 0 else (
  select count(*)::int from alert a where a.sensor_id = d.sensor_id collate "default" and a.partition = d.partition and a.id < d.first_id) end`;

function deletionOf(r: Row): DeletionDetails {
  return {
    ...{ id: r.id, sensorId: r.sensor_id, readings: r.readings, removedReadings: r.removed_readings, alerts: r.alerts },
    ...{ atUs: r.deleted_us, by: r.deleted_by, finishedUs: (r.finished_us as number | null) ?? undefined },
  };
}
