/** Settings of assets as people want them, and the assets of sensors that the log is to hear of. */
import type { Sql } from "postgres";

/** What people want of an asset. */
export interface WantedSettings {
  readonly asset: string;
  /** A `Control` in binary form. */
  readonly control: Uint8Array;
  /** Whether it sets nothing. */
  readonly empty: boolean;
}

/** A sensor that is in another asset than the log knows, where settings of assets count for it. */
export interface DuePlace {
  readonly key: string;
  /** "": it is in none. */
  readonly asset: string;
}

/** @param asset only of this one; undefined: of all */
export async function wantedSettings(sql: Sql, asset?: string): Promise<WantedSettings[]> {
  const only = asset === undefined ? sql`` : sql`where asset = ${asset}`;
  const rows = await sql`select asset, control, empty from asset_settings ${only} order by asset`;
  return rows.map((r) => ({ asset: r.asset, control: new Uint8Array(r.control as Buffer), empty: r.empty }));
}

/** In place of what was wanted of the asset before. */
export async function wantSettings(sql: Sql, { asset, control, empty }: WantedSettings): Promise<void> {
  await sql`insert into asset_settings (asset, control, empty) values (${asset}, ${Buffer.from(control)}, ${empty})
    on conflict (asset) do update set control = excluded.control, empty = excluded.empty`;
}

/** All partitions have it: of an asset without settings nothing is left. */
export async function forgetSettings(sql: Sql, { asset, control }: WantedSettings): Promise<void> {
  await sql`delete from asset_settings where asset = ${asset} and control = ${Buffer.from(control)} and empty`;
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

/** Of the asset and what is in it. */
export async function countDuePlaces(sql: Sql, asset: string): Promise<number> {
  const [row] = await sql`select count(*)::int as n from (${due(sql, undefined)}) d
    where is_in_asset(asset, ${asset}) or is_in_asset(known, ${asset})`;
  return row!.n;
}

/** What people say and what the log knows, where they differ and settings count for one of them. */
function due(sql: Sql, sensorIds: readonly string[] | undefined) {
  const ids = sql`(select jsonb_array_elements_text(${JSON.stringify(sensorIds ?? [])}::text::jsonb) collate "C")`;
  const profiles = sensorIds === undefined ? sql`` : sql`and p.sensor_id in ${ids}`;
  const places =
    sensorIds === undefined ? sql`` : sql`where k.sensor_key in (select sensor_key(i.id) from ${ids} i(id))`;
  // Each asset is looked up with those around it: what compares them with all that have settings takes minutes where there are thousands of both.
  return sql`with x as (
      select coalesce(w.sensor_key, k.sensor_key) as sensor_key, coalesce(w.asset, '') as asset, coalesce(k.asset, '') as known
      from (select coalesce(n.key, p.sensor_id) as sensor_key, p.asset from sensor_profile p
          left join sensor_name n on n.name = p.sensor_id where p.asset <> '' ${profiles}) w
        full join (select * from sensor_place k ${places}) k on k.sensor_key = w.sensor_key
      where coalesce(w.asset, '') <> coalesce(k.asset, '')),
    concerned as (
      select a.asset from (select asset from x union select known from x) a
      where exists (select from string_to_array(a.asset, '/') p(names), generate_series(1, cardinality(p.names)) n(depth), asset_settings s
        where s.asset = array_to_string(p.names[1:n.depth], '/') collate "C"))
    select * from x where asset in (select asset from concerned) or known in (select asset from concerned)`;
}
