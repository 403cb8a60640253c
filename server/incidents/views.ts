/** Incidents as they are shown. To whoever may not see all sensors, an incident is made of the alerts that he may see, and nothing else. */
import type { PendingQuery, Row, Sql } from "postgres";
import { list } from "../postgres/literal.ts";
import { MAX_MERGED_IDS } from "./limits.ts";
import type { Progress } from "./load.ts";
import { readProgress } from "./load.ts";
import type { Reason } from "./model.ts";
import type { IncidentSettings } from "./settings.ts";

export interface IncidentView {
  /** The first of its alerts, by the order of events. */
  readonly id: number;
  /** Of the events that brought the first of its alerts and that changed one last. */
  readonly firstSeq: number;
  readonly changedSeq: number;
  readonly openedUs: number;
  readonly lastUs: number;
  /** Undefined while an alert is open. */
  readonly closedUs: number | undefined;
  readonly severity: number;
  readonly origin: AlertOf;
  readonly worst: AlertOf;
  readonly alerts: number;
  readonly open: number;
  readonly acknowledged: number;
  readonly sensors: number;
  /** Undefined where it is no flood. */
  readonly flood: { readonly owner: string; readonly peak: number } | undefined;
  readonly merged: readonly number[];
}

interface AlertOf {
  readonly alertId: number;
  readonly sensorId: string;
}

export interface MemberView extends AlertOf {
  readonly alertType: string;
  readonly severity: number;
  readonly openedUs: number;
  readonly closedUs: number | undefined;
  readonly acknowledged: boolean;
  readonly owner: string;
  readonly asset: string;
  readonly reason: Reason;
}

export interface IncidentFilter {
  readonly open: boolean | undefined;
  readonly minSeverity: number;
  readonly flood: boolean | undefined;
  readonly sensorId: string;
  readonly asset: string;
  readonly fromUs: number;
  readonly toUs: number;
  readonly minAlerts: number;
}

/** What is behind a place in a list. */
type After = { readonly timeUs: number; readonly id: number } | undefined;

export const EVERY_INCIDENT: IncidentFilter = {
  ...{ open: undefined, minSeverity: 0, flood: undefined, sensorId: "", asset: "" },
  ...{ fromUs: 0, toUs: Number.MAX_SAFE_INTEGER, minAlerts: 1 },
};

export class IncidentViews {
  readonly #sql: Sql;
  readonly settings: IncidentSettings;

  constructor(sql: Sql, settings: IncidentSettings) {
    this.#sql = sql;
    this.settings = settings;
  }

  progress(): Promise<Progress> {
    return readProgress(this.#sql);
  }

  /** Newest opened first. `sensorPrefix`: of the sensors that the caller may see. */
  async list(
    filter: IncidentFilter,
    { sensorPrefix, limit, after }: { sensorPrefix: string; limit: number; after: After },
  ): Promise<IncidentView[]> {
    const sql = this.#sql;
    const behind =
      after === undefined ? sql`` : sql`and (opened_us, id) < (${after.timeUs}::bigint, ${after.id}::bigint)`;
    const rows =
      await sql`select * from ${this.#seen(sensorPrefix)} s where ${this.#matches(filter, sensorPrefix)} ${behind}
      order by opened_us desc, id desc limit ${limit}`;
    return this.#views(rows, sensorPrefix);
  }

  /** Of an incident, or of any alert in it; undefined where there is none that the caller may see. */
  async find(id: number, sensorPrefix: string): Promise<{ incidentId: number; view: IncidentView } | undefined> {
    const [row] = await this.#sql`select incident_id from incident_member_shown
      where alert_id = ${id} and starts_with(sensor_id, ${sensorPrefix})`;
    if (row === undefined) return undefined;
    const incidentId = row.incident_id as number;
    const [view] = await this.ofIncidents([incidentId], EVERY_INCIDENT, sensorPrefix);
    return view === undefined ? undefined : { incidentId, view };
  }

  /** In the order in which they changed. */
  async ofIncidents(ids: readonly number[], filter: IncidentFilter, sensorPrefix: string): Promise<IncidentView[]> {
    if (ids.length === 0) return [];
    const only = this.#sql`where incident_id = any(${list(ids)}::bigint[])`;
    const rows = await this
      .#sql`select * from ${this.#seen(sensorPrefix, only)} s where ${this.#matches(filter, sensorPrefix)}
      order by changed_seq`;
    return this.#views(rows, sensorPrefix);
  }

  /** First opened first. */
  async members(
    incidentId: number,
    { sensorPrefix, limit, after }: { sensorPrefix: string; limit: number; after: After },
  ): Promise<MemberView[]> {
    const sql = this.#sql;
    const rows = await sql`select * from incident_member_shown
      where incident_id = ${incidentId} and starts_with(sensor_id, ${sensorPrefix})
        ${after === undefined ? sql`` : sql`and (opened_us, alert_id) > (${after.timeUs}::bigint, ${after.id}::bigint)`}
      order by opened_us, alert_id limit ${limit}`;
    return rows.map(memberOf);
  }

  /** Alerts that nobody has acknowledged, first opened first. */
  async unacknowledged(incidentId: number, sensorPrefix: string): Promise<number[]> {
    const rows = await this.#sql`select m.alert_id from incident_member_shown m join alert a on a.id = m.alert_id
      where m.incident_id = ${incidentId} and starts_with(m.sensor_id, ${sensorPrefix}) and a.acknowledged_us is null
      order by m.opened_us, m.alert_id`;
    return rows.map((r) => r.alert_id as number);
  }

  /** Incidents with a change behind the place, and the last of these changes, in their order. */
  async changedAfter(seq: number, { sensorPrefix, limit }: { sensorPrefix: string; limit: number }) {
    const rows = await this.#sql`select incident_id, max(changed_seq) as seq from incident_member_shown
      where changed_seq > ${seq} and starts_with(sensor_id, ${sensorPrefix}) group by 1 order by 2 limit ${limit}`;
    return rows.map((r) => ({ incidentId: r.incident_id as number, seq: r.seq as number }));
  }

  /** Asks whoever derives to derive all again; it is done when so many are answered. */
  async askForRebuild(): Promise<number> {
    const [row] = await this.#sql`update incident_progress set asked = asked + 1 returning asked`;
    return row!.asked;
  }

  /** Alert events that were taken and not removed since, and the incidents that they are. */
  async counts(): Promise<{ events: number; incidents: number }> {
    const [row] = await this.#sql`select (select count(*) from incident_event)::bigint as events,
      (select count(*) from incident)::bigint as incidents`;
    return { events: row!.events, incidents: row!.incidents };
  }

  /** Incidents as the caller sees them, a table. */
  #seen(sensorPrefix: string, only: PendingQuery<Row[]> = this.#sql``): PendingQuery<Row[]> {
    const sql = this.#sql;
    if (sensorPrefix === "") {
      return sql`(select * from (select id as incident_id, id, seq as first_seq, changed_seq, opened_us, last_us, closed_us,
        severity, origin_alert, worst_alert, alerts, open, acknowledged, sensors, flood_owner, flood_peak from incident) i ${only})`;
    }
    const { floodAlerts, floodWindowUs } = this.settings;
    const visible = sql`starts_with(sensor_id, ${sensorPrefix})`;
    return sql`(
      select m.*, f.peak as flood_peak, case when f.peak > ${floodAlerts} then i.flood_owner end as flood_owner
      from (
        select incident_id, (array_agg(alert_id order by seq))[1] as id, min(seq) as first_seq, max(changed_seq) as changed_seq,
          min(opened_us) as opened_us, max(opened_us) as last_us, max(closed_us) as closed_us, max(severity) as severity,
          (array_agg(alert_id order by opened_us, alert_id))[1] as origin_alert,
          (array_agg(alert_id order by severity desc, opened_us, alert_id))[1] as worst_alert,
          count(*)::int as alerts, (count(*) filter (where closed_us is null))::int as open,
          (count(*) filter (where acknowledged))::int as acknowledged, count(distinct sensor_id)::int as sensors
        from (select * from incident_member_shown ${only}) v where ${visible} group by incident_id) m
      join incident i on i.id = m.incident_id
      left join lateral (
        select max(alerts) as peak from (
          select count(*) over (order by opened_us range between ${floodWindowUs - 1}::bigint preceding and current row) as alerts
          from incident_member_shown where incident_id = i.id and owner = i.flood_owner and ${visible}) w) f on i.flood_owner is not null)`;
  }

  #matches(f: IncidentFilter, sensorPrefix: string): PendingQuery<Row[]> {
    const sql = this.#sql;
    const member = (rule: PendingQuery<Row[]>) =>
      sql`and exists (select from incident_member_shown x where x.incident_id = s.incident_id and starts_with(x.sensor_id, ${sensorPrefix}) and ${rule})`;
    return sql`severity >= ${f.minSeverity} and alerts >= ${f.minAlerts} and last_us >= ${f.fromUs} and opened_us <= ${f.toUs}
      ${f.open === undefined ? sql`` : f.open ? sql`and open > 0` : sql`and open = 0`}
      ${f.flood === undefined ? sql`` : f.flood ? sql`and flood_owner is not null` : sql`and flood_owner is null`}
      ${f.sensorId === "" ? sql`` : member(sql`x.sensor_key = sensor_key(${f.sensorId})`)}
      ${f.asset === "" ? sql`` : member(sql`(x.asset = ${f.asset} or starts_with(x.asset, ${`${f.asset}/`}))`)}`;
  }

  async #views(rows: readonly Row[], sensorPrefix: string): Promise<IncidentView[]> {
    const alerts = [...new Set(rows.flatMap((r) => [r.origin_alert as number, r.worst_alert as number]))];
    const [sensors, merged] = await Promise.all([
      this.#sensorsOf(alerts),
      this.#merged(
        rows.map((r) => r.incident_id as number),
        sensorPrefix,
      ),
    ]);
    return rows.map((r) => ({
      ...{ id: r.id, firstSeq: r.first_seq, changedSeq: r.changed_seq, openedUs: r.opened_us, lastUs: r.last_us },
      closedUs: r.open > 0 ? undefined : r.closed_us,
      severity: r.severity,
      origin: { alertId: r.origin_alert, sensorId: sensors.get(r.origin_alert) ?? "" },
      worst: { alertId: r.worst_alert, sensorId: sensors.get(r.worst_alert) ?? "" },
      ...{ alerts: r.alerts, open: r.open, acknowledged: r.acknowledged, sensors: r.sensors },
      flood: r.flood_owner === null ? undefined : { owner: r.flood_owner, peak: Number(r.flood_peak) },
      merged: (merged.get(r.incident_id) ?? []).filter((id) => id !== r.id).slice(-MAX_MERGED_IDS),
    }));
  }

  async #sensorsOf(alerts: readonly number[]): Promise<Map<number, string>> {
    const rows = await this
      .#sql`select alert_id, sensor_id from incident_member_shown where alert_id = any(${list(alerts)}::bigint[])`;
    return new Map(rows.map((r) => [r.alert_id, r.sensor_id]));
  }

  /** By incident: of each that its alerts were in first, the first alert that the caller sees. */
  async #merged(incidentIds: readonly number[], sensorPrefix: string): Promise<Map<number, number[]>> {
    const sql = this.#sql;
    // Who sees all knows the incident itself by its id.
    const others = sensorPrefix === "" ? sql`and first_incident_id <> incident_id` : sql``;
    const rows = await sql`
      select distinct on (incident_id, first_incident_id) incident_id, alert_id from incident_member_shown
      where incident_id = any(${list(incidentIds)}::bigint[]) and starts_with(sensor_id, ${sensorPrefix}) ${others}
      order by incident_id, first_incident_id, seq`;
    const merged = new Map<number, number[]>();
    for (const r of rows) merged.set(r.incident_id, [...(merged.get(r.incident_id) ?? []), r.alert_id]);
    return merged;
  }
}

function memberOf(r: Row): MemberView {
  return {
    ...{ alertId: r.alert_id, sensorId: r.sensor_id, alertType: r.alert_type, severity: r.severity },
    ...{ openedUs: r.opened_us, closedUs: r.closed_us ?? undefined, acknowledged: r.acknowledged },
    ...{ owner: r.owner, asset: r.asset, reason: r.reason },
  };
}
