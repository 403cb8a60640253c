/** Reads what the fleet in memory is made of: all of it, or what has changed. */
import type { Row, Sql } from "postgres";
import type { Attributes } from "../../formats/attributes.ts";
import { attributesOf } from "../store/attributes.ts";
import type { AlertEntry, KnownEntry, SeriesEntry } from "./fleet.ts";

/** Rows that are taken at once, so that others have their turn in between. */
const PORTION = 2_000;
const UINT32 = 0xffff_ffffn;

/** How far the store was read. */
export interface Marks {
  /** The oldest transaction that was still running: what is older had been seen. Of PostgreSQL's type xid8. */
  readonly horizon: string;
  /** Changes with each reading that is stored, and with each change of an alert's state or severity. */
  readonly readings: number;
  readonly events: number;
}

export async function readMarks(sql: Sql): Promise<Marks> {
  const [row] = await sql`select pg_snapshot_xmin(pg_current_snapshot())::text as horizon,
    coalesce(sum(readings), 0)::bigint as readings, coalesce(sum(next_event), 0)::bigint as events from log_partition`;
  return row as unknown as Marks;
}

/** Series with readings: all, or those that were written by transactions from the horizon on. */
export async function* readSeries(sql: Sql, horizon?: string): AsyncGenerator<SeriesEntry[]> {
  // A row's own mark has 32 bits and goes round: what is less than half a round ahead is newer.
  const changed =
    horizon === undefined
      ? sql``
      : sql`and ((xmin::text::bigint - ${Number(BigInt(horizon) & UINT32)}::bigint) & 4294967295) < 2147483648`;
  // In the order in which they are gone through later: neighbours in the list are neighbours in memory.
  const order = horizon === undefined ? sql`order by sensor_id collate "C"` : sql``;
  const rows = sql`select sensor_id, sensor_type, unit, location, newest_us from series where readings > 0 ${changed} ${order}`;
  for await (const portion of rows.cursor(PORTION)) yield portion.map(seriesEntry);
}

function seriesEntry(r: Row): SeriesEntry {
  return {
    sensorId: r.sensor_id,
    sensorType: r.sensor_type,
    unit: r.unit,
    location: (r.location as string | null) ?? undefined,
    lastUs: r.newest_us,
  };
}

/** Profiles and attributes of all sensors. */
export async function* readKnown(sql: Sql): AsyncGenerator<KnownEntry[]> {
  // Backwards, as the index has it.
  const rows = sql`
    select sensor_id, p.display_name, p.owner, p.asset, p.tags, p.attributes as edited, a.attributes as sent
    from sensor_profile p full join (
      select distinct on (sensor_id) sensor_id, attributes from sensor_attributes order by sensor_id desc, since_us desc
    ) a using (sensor_id)`;
  for await (const portion of rows.cursor(PORTION)) yield portion.map(knownEntry);
}

/** The same of the sensors whose profile or attributes were written by transactions from the horizon on. */
export async function* readChangedKnown(sql: Sql, horizon: string): AsyncGenerator<KnownEntry[]> {
  // What claims to be newer than now was brought by a dump of another server: it has been there from the beginning.
  const changed = sql`changed >= ${horizon}::text::xid8 and changed < pg_snapshot_xmax(pg_current_snapshot())`;
  const rows = sql`
    select sensor_id, p.display_name, p.owner, p.asset, p.tags, p.attributes as edited,
      ${attributesOf(sql, sql`i.sensor_id`)} as sent
    from (select sensor_id from sensor_profile where ${changed} union select sensor_id from sensor_attributes where ${changed}) i
      left join sensor_profile p using (sensor_id)`;
  for await (const portion of rows.cursor(PORTION)) yield portion.map(knownEntry);
}

/** Sensors that are retired; with a horizon those that were retired or restored by transactions from there on. */
export async function readRetirements(sql: Sql, horizon?: string): Promise<{ sensorId: string; retired: boolean }[]> {
  const changed = horizon === undefined ? sql`retired_us is not null` : sql`changed >= ${horizon}::text::xid8`;
  const rows = await sql`select sensor_id, retired_us is not null as retired from sensor_retirement where ${changed}`;
  return rows.map((r) => ({ sensorId: r.sensor_id, retired: r.retired }));
}

/** Sensors that were deleted by transactions from the horizon on, by the number of the deletion. */
export async function readDeletions(sql: Sql, horizon: string): Promise<Map<number, string>> {
  const rows = await sql`select id, sensor_id from sensor_deletion where changed >= ${horizon}::text::xid8 order by id`;
  return new Map(rows.map((r) => [r.id as number, r.sensor_id as string]));
}

/** Ids under which sensors were shown that were renamed by transactions from the horizon on, each with what tells one change from another. */
export async function readRenames(sql: Sql, horizon: string): Promise<Map<string, string>> {
  const rows = await sql`select name, changed::text as changed from sensor_name
    where not current and changed >= ${horizon}::text::xid8`;
  return new Map(rows.map((r) => [`${r.changed}/${r.name}`, r.name as string]));
}

function knownEntry(r: Row): KnownEntry {
  const sent = (r.sent as Attributes | null) ?? {};
  if (r.edited === null) return { sensorId: r.sensor_id, profile: undefined, sent };
  const { display_name: displayName, owner, asset, tags, edited: attributes } = r;
  return { sensorId: r.sensor_id, profile: { displayName, owner, asset, tags, attributes }, sent };
}

/** All open alerts. */
export async function readOpenAlerts(sql: Sql): Promise<AlertEntry[]> {
  const rows = await sql`select sensor_id, severity, alert_type from alert where state = 1`;
  return rows.map((r) => ({ sensorId: r.sensor_id, severity: r.severity, alertType: r.alert_type }));
}
