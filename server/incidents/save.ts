/** What the fold has changed, into the store: a few statements for any number of rows. */
import type { Sql } from "postgres";
import { jsonb } from "../postgres/literal.ts";
import type { Incident, Member, SensorHistory } from "./model.ts";
import type { State } from "./state.ts";

/** Stores all changes since the last call, but for the progress. In a transaction. */
export async function saveChanges(tx: Sql, state: State): Promise<void> {
  const { incidents, members, sensors, pairs, gonePairs, owners, lateAcknowledged } = state.changes;
  const statements = [
    upsert("incident", ["id"], INCIDENT, [...incidents.values()].filter(isThere).map(incidentColumns)),
    remove(
      "incident",
      ["id bigint"],
      gone(incidents).map((id) => ({ id })),
    ),
    upsert("incident_member", ["alert_id"], MEMBER, [...members.values()].map(memberColumns)),
    upsert("incident_sensor", ["sensor_id"], SENSOR, [...sensors.values()].filter(isThere).map(sensorColumns)),
    remove(
      "incident_sensor",
      ["sensor_id text"],
      gone(sensors).map((sensor_id) => ({ sensor_id })),
    ),
    remove(
      "incident_pair",
      ["a text", "b text"],
      [...gonePairs.values()].map(({ a, b }) => ({ a, b })),
    ),
    upsert("incident_pair", ["a", "b"], PAIR, [...pairs.values()]),
    upsert(
      "incident_owner",
      ["owner"],
      OWNER,
      [...owners.values()].filter(isThere).map(({ owner, sinceSeq, newestUs, floodAlert = null }) => ({
        ...{ owner, since_seq: sinceSeq, newest_us: newestUs, flood_alert: floodAlert },
      })),
    ),
    remove(
      "incident_owner",
      ["owner text"],
      gone(owners).map((owner) => ({ owner })),
    ),
  ].filter((statement) => statement !== undefined);
  if (statements.length > 0) await tx.unsafe(statements.join("; "));
  for (const { alertId, seq } of lateAcknowledged) await acknowledgeLate(tx, alertId, seq);
  state.changes.clear();
}

/** An alert whose incident has left the memory. */
async function acknowledgeLate(tx: Sql, alertId: number, seq: number): Promise<void> {
  await tx`with m as (
      update incident_member set acknowledged = true, changed_seq = ${seq}
      where alert_id = ${alertId} and not acknowledged returning incident_id)
    update incident i set acknowledged = i.acknowledged + 1, changed_seq = ${seq} from m where i.id = m.incident_id`;
}

const INCIDENT = {
  ...{
    id: "bigint",
    seq: "bigint",
    changed_seq: "bigint",
    opened_us: "bigint",
    last_us: "bigint",
    closed_us: "bigint",
  },
  ...{ severity: "smallint", origin_alert: "bigint", worst_alert: "bigint", alerts: "int", open: "int" },
  ...{ acknowledged: "int", sensors: "int", flood_owner: "text", flood_peak: "int", live: "boolean" },
};
const MEMBER = {
  ...{ alert_id: "bigint", incident_id: "bigint", first_incident_id: "bigint", seq: "bigint", changed_seq: "bigint" },
  ...{ sensor_id: "text", alert_type: "text", severity: "smallint", opened_us: "bigint", closed_us: "bigint" },
  ...{ acknowledged: "boolean", owner: "text", asset: "text", keys: "jsonb", reason: "jsonb" },
};
const COUNTS = { epoch: "bigint", current: "int", previous: "int" };
const SENSOR = {
  ...{ sensor_id: "text", ...COUNTS, counted_us: "bigint", counted_seq: "bigint", opened_us: "bigint" },
  ...{ opened_seq: "bigint", alert_id: "bigint" },
};
const PAIR = { a: "text", b: "text", ...COUNTS, seq: "bigint" };
const OWNER = { owner: "text", since_seq: "bigint", newest_us: "bigint", flood_alert: "bigint" };

function incidentColumns(i: Incident) {
  let sensors = 0;
  for (const key of i.spans.keys()) if (key.startsWith("sensor/")) sensors++;
  return {
    ...{ id: i.id, seq: i.seq, changed_seq: i.changedSeq, opened_us: i.origin.openedUs, last_us: i.lastUs },
    ...{ closed_us: i.closedUs ?? null, severity: i.worst.severity, origin_alert: i.origin.alertId },
    ...{ worst_alert: i.worst.alertId, alerts: i.members.length, open: i.open, acknowledged: i.acknowledged, sensors },
    ...{ flood_owner: i.floodOwner ?? null, flood_peak: i.floodPeak, live: i.live },
  };
}

function memberColumns(m: Member) {
  return {
    ...{ alert_id: m.alertId, incident_id: m.incidentId, first_incident_id: m.firstIncidentId, seq: m.seq },
    ...{ changed_seq: m.changedSeq, sensor_id: m.sensorId, alert_type: m.alertType, severity: m.severity },
    ...{ opened_us: m.openedUs, closed_us: m.closedUs ?? null, acknowledged: m.acknowledged },
    ...{ owner: m.owner, asset: m.asset, keys: m.keys, reason: m.reason },
  };
}

function sensorColumns(s: SensorHistory) {
  return {
    ...{ sensor_id: s.sensorId, epoch: s.epoch, current: s.current, previous: s.previous, counted_us: s.countedUs },
    ...{ counted_seq: s.countedSeq, opened_us: s.openedUs, opened_seq: s.openedSeq, alert_id: s.alertId },
  };
}

function isThere<T>(thing: T | undefined): thing is T {
  return thing !== undefined;
}

function gone<K, V>(changes: ReadonlyMap<K, V | undefined>): K[] {
  return [...changes].filter(([, thing]) => thing === undefined).map(([key]) => key);
}

/** Columns of a table with their types, and rows of them. */
function upsert(
  table: string,
  key: readonly string[],
  columns: Readonly<Record<string, string>>,
  rows: readonly object[],
): string | undefined {
  if (rows.length === 0) return undefined;
  const names = Object.keys(columns);
  const types = names.map((name) => `${name} ${columns[name]}`).join(", ");
  const changes = names.filter((name) => !key.includes(name)).map((name) => `${name} = excluded.${name}`);
  return `insert into ${table} (${names.join(", ")})
    select ${names.join(", ")} from jsonb_to_recordset(${jsonb(rows)}) as x(${types})
    on conflict (${key.join(", ")}) do update set ${changes.join(", ")}`;
}

function remove(table: string, key: readonly string[], rows: readonly object[]): string | undefined {
  if (rows.length === 0) return undefined;
  const names = key.map((column) => column.split(" ")[0]!);
  const same = names.map((name) => `t.${name} = x.${name}`).join(" and ");
  return `delete from ${table} t using jsonb_to_recordset(${jsonb(rows)}) as x(${key.join(", ")}) where ${same}`;
}
