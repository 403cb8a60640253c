/** The assets of sensors that the log is to hear of. */
import type { Sql } from "postgres";

/** A sensor that is in another asset than the log knows, where settings of assets count for it. */
export interface DuePlace {
  readonly key: string;
  /** "": it is in none. */
  readonly asset: string;
}

/**
 * Sensors whose key is behind `after`, in the order of keys.
 *
 * @param sensorIds only these; undefined: all
 */
export async function duePlaces(
  sql: Sql,
  { sensorIds, after, limit }: { sensorIds: readonly string[] | undefined; after: string; limit: number },
): Promise<DuePlace[]> {
  const rows = await sql`select sensor_key, asset from (${due(sql, sensorIds)}) d
    where sensor_key > ${after} order by sensor_key limit ${limit}`;
  return rows.map((r) => ({ key: r.sensor_key, asset: r.asset }));
}

/** Of the asset and what is in it, of sensors whose shown id begins with the prefix. */
export async function countDuePlaces(sql: Sql, asset: string, sensorPrefix: string): Promise<number> {
  const seen = sensorPrefix === "" ? sql`` : sql`and starts_with(sensor_shown(sensor_key), ${sensorPrefix})`;
  const [row] = await sql`select count(*)::int as n from (${due(sql, undefined)}) d
    where (is_in_asset(asset, ${asset}) or is_in_asset(known, ${asset})) ${seen}`;
  return row!.n;
}

/** The places of these that the log has as they are here: keys of sensors. */
export async function knownPlaces(sql: Sql, places: readonly DuePlace[]): Promise<Set<string>> {
  const rows = await sql`select k.sensor_key from sensor_place k
    join jsonb_to_recordset(${JSON.stringify(places)}::text::jsonb) as p(key text, asset text)
    on k.sensor_key = p.key collate "C" and k.asset = p.asset collate "C"`;
  return new Set(rows.map((r) => r.sensor_key as string));
}

/** What people say and what the log knows, where they differ and settings count for one of them. */
function due(sql: Sql, sensorIds: readonly string[] | undefined) {
  const ids = sql`(select jsonb_array_elements_text(${JSON.stringify(sensorIds ?? [])}::text::jsonb) collate "C")`;
  const profiles = sensorIds === undefined ? sql`` : sql`and p.sensor_id in ${ids}`;
  const places =
    sensorIds === undefined ? sql`` : sql`where k.sensor_key in (select sensor_key(i.id) from ${ids} i(id))`;
  // Each asset is looked up with those around it: what compares them with all that have settings takes minutes where there are thousands of
  // both. "offset 0": the planner must not make a join of it, which it takes for cheaper before it has counted the rows.
  return sql`with x as (
      select coalesce(w.sensor_key, k.sensor_key) as sensor_key, coalesce(w.asset, '') as asset, coalesce(k.asset, '') as known
      from (select coalesce(n.key, p.sensor_id) as sensor_key, p.asset from sensor_profile p
          left join sensor_name n on n.name = p.sensor_id where p.asset <> '' ${profiles}) w
        full join (select * from sensor_place k ${places}) k on k.sensor_key = w.sensor_key
      where coalesce(w.asset, '') <> coalesce(k.asset, '')),
    concerned as (
      select a.asset from (select asset from x union select known from x) a
      where exists (select from string_to_array(a.asset, '/') p(names), generate_series(1, cardinality(p.names)) n(depth)
        where exists (select from wanted_settings s
          where s.asset = array_to_string(p.names[1:n.depth], '/') collate "C" and s.sensor_type = '' offset 0)))
    select * from x where asset in (select asset from concerned) or known in (select asset from concerned)`;
}
