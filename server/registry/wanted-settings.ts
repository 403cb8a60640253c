/** Settings of assets and types as people want them, be they in the log or not. */
import type { Sql } from "postgres";
import { jsonText } from "../postgres/literal.ts";

/** What settings of more than one sensor are made for: an asset, or where that is empty a sensor type; both empty: all types. */
export interface WideScope {
  readonly asset: string;
  readonly sensorType: string;
}

/** What people want of a scope. */
export interface WantedSettings extends WideScope {
  /** A `Control` in binary form. */
  readonly control: Uint8Array;
  /** Whether it sets nothing. */
  readonly empty: boolean;
}

/** In the order of assets, with types before them. */
export async function wantedSettings(sql: Sql): Promise<WantedSettings[]> {
  return (await sql`select * from wanted_settings order by asset, sensor_type`).map(settingsOf);
}

/** Of one scope; none where nothing was ever wanted of it. */
export async function wantedOf(sql: Sql, { asset, sensorType }: WideScope): Promise<WantedSettings[]> {
  const rows = await sql`select * from wanted_settings where asset = ${asset} and sensor_type = ${sensorType}`;
  return rows.map(settingsOf);
}

/** Of those of the assets of which something is wanted. */
export async function wantedOfAssets(sql: Sql, assets: readonly string[]): Promise<WantedSettings[]> {
  const rows = await sql`select * from wanted_settings where sensor_type = '' and asset in (
    select jsonb_array_elements_text(${jsonText(assets)}::text::jsonb) collate "C")`;
  return rows.map(settingsOf);
}

/** Whether anything is wanted of any asset. */
export async function areAssetsWanted(sql: Sql): Promise<boolean> {
  const [row] = await sql`select exists (select from wanted_settings where asset <> '') as any`;
  return row!.any;
}

/** In place of what was wanted of the scope before. */
export async function wantSettings(sql: Sql, { asset, sensorType, control, empty }: WantedSettings): Promise<void> {
  await sql`insert into wanted_settings (asset, sensor_type, control, empty)
    values (${asset}, ${sensorType}, ${Buffer.from(control)}, ${empty})
    on conflict (asset, sensor_type) do update set control = excluded.control, empty = excluded.empty`;
}

/** Unless something else is wanted of the scope by now. */
export async function adoptSettings(sql: Sql, { asset, sensorType, control, empty }: WantedSettings): Promise<void> {
  await sql`insert into wanted_settings (asset, sensor_type, control, empty)
    values (${asset}, ${sensorType}, ${Buffer.from(control)}, ${empty}) on conflict do nothing`;
}

/** All partitions have it: of an asset without settings nothing is left. */
export async function forgetSettings(sql: Sql, { asset, control }: WantedSettings): Promise<void> {
  await sql`delete from wanted_settings where asset = ${asset} and asset <> '' and control = ${Buffer.from(control)} and empty`;
}

function settingsOf(row: Record<string, unknown>): WantedSettings {
  return {
    asset: row.asset as string,
    sensorType: row.sensor_type as string,
    control: new Uint8Array(row.control as Buffer),
    empty: row.empty as boolean,
  };
}
