/**
 * What the reports' SQL reads, as temporary tables of one transaction. This is all that is PostgreSQL's own of a report: on another
 * engine, register tables of these names and run the same statements.
 */
import type { TransactionSql } from "postgres";
import { HOUR_US } from "../lib/time.ts";
import { decodeBlock } from "../store/block.ts";
import { createPoints, MAX_BLOCK_POINTS } from "../store/points.ts";
import { saturatedSum } from "../store/sums.ts";

export interface Period {
  readonly fromUs: number;
  /** Exclusive. */
  readonly toUs: number;
  /** Start of what the range is compared with. */
  readonly baselineUs: number;
  /** Width of the steps in which levels are drawn. */
  readonly stepUs: number;
}

/** Blocks read at once. */
const CURSOR_ROWS = 500;

/** Columns of the tables, as other engines need them too. */
export const TABLES = {
  report_period: "from_us bigint, to_us bigint, baseline_us bigint, step_us bigint",
  report_sensor: "sensor_id text, sensor_type text, first_us bigint",
  report_hour:
    "series int, sensor_id text, unit text, hour_us bigint, readings bigint, total double precision, anomalies bigint",
  report_alarm:
    "alert_id bigint, sensor_id text, sensor_type text, alert_type text, severity int, opened_us bigint, closed_us bigint, acknowledged_us bigint",
  report_listed: "sensor_id text, series int",
} as const;

/** Makes and fills the tables. `report_listed` is empty: each list fills it for itself. */
export async function fillTables(tx: TransactionSql, period: Period): Promise<void> {
  const { fromUs, toUs, baselineUs, stepUs } = period;
  for (const [name, columns] of Object.entries(TABLES)) {
    await tx.unsafe(`create temporary table ${name} (${columns}) on commit drop`);
  }
  await tx`insert into report_period values (${fromUs}, ${toUs}, ${baselineUs}, ${stepUs})`;
  // Of a sensor with several series, the type of the newest.
  await tx`
    insert into report_sensor
    select sensor_id, (array_agg(sensor_type order by newest_us desc))[1], min(first_us)
    from series where readings > 0 and first_us < ${toUs} group by sensor_id`;
  await tx`
    insert into report_alarm
    select id, sensor_id, sensor_type, alert_type, severity, opened_us, closed_us, acknowledged_us
    from alert where opened_us < ${toUs} and (opened_us >= ${fromUs} or closed_us is null or closed_us >= ${toUs})`;
  await tx`
    insert into report_hour
    select s.id, s.sensor_id, s.unit, r.bucket_us, r.readings, r.total, r.anomalies
    from rollup r join series s on s.id = r.series
    where r.width = 3600 and r.bucket_us >= ${baselineUs} and r.bucket_us < ${toUs}`;
  await addNew(tx, baselineUs, toUs);
}

interface Hour {
  readonly series: number;
  readonly hourUs: number;
  readings: number;
  total: number;
  anomalies: number;
}

/** The newest blocks are in no rollup yet. */
async function addNew(tx: TransactionSql, fromUs: number, toUs: number): Promise<void> {
  const hours = new Map<string, Hour>();
  const points = createPoints(MAX_BLOCK_POINTS);
  const rows = tx`select series, first_us, first_id, data from block_new where last_us >= ${fromUs} and first_us < ${toUs}`;
  for await (const some of rows.cursor(CURSOR_ROWS)) {
    for (const { series, first_us, first_id, data } of some) {
      points.length = 0;
      decodeBlock(data as Buffer, first_us as number, first_id as number, points);
      for (let i = 0; i < points.length; i++) {
        const at = points.timeUs[i]!;
        if (at < fromUs || at >= toUs) continue;
        const hourUs = Math.floor(at / HOUR_US) * HOUR_US;
        const key = `${series}/${hourUs}`;
        const hour = hours.get(key) ?? { series, hourUs, readings: 0, total: 0, anomalies: 0 };
        hours.set(key, hour);
        hour.readings++;
        hour.total = saturatedSum(hour.total, points.value[i]!);
        hour.anomalies += points.anomaly[i]!;
      }
    }
  }
  const all = [...hours.values()];
  const column = (of: (hour: Hour) => number) => `{${all.map(of).join(",")}}`;
  await tx`
    insert into report_hour
    select s.id, s.sensor_id, s.unit, n.hour_us, n.readings, n.total, n.anomalies
    from unnest(${column((h) => h.series)}::int[], ${column((h) => h.hourUs)}::bigint[],
      ${column((h) => h.readings)}::bigint[], ${column((h) => h.total)}::float8[], ${column((h) => h.anomalies)}::bigint[])
      n(series, hour_us, readings, total, anomalies)
    join series s on s.id = n.series`;
}
