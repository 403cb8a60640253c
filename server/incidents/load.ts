/** The fold's state out of the store. */
import type { Row, Sql } from "postgres";
import { addPair, KEPT_RECENT } from "./history.ts";
import { attach, emptyIncident } from "./incident.ts";
import { MAX_FLOOD_OPENINGS } from "./limits.ts";
import type { Member } from "./model.ts";
import type { IncidentSettings } from "./settings.ts";
import { State } from "./state.ts";

/** Rows that are taken at once. */
const PORTION = 5_000;

/** How far incidents are derived. */
export interface Progress {
  readonly seq: number;
  readonly newestUs: number;
  readonly firstUs: number;
  readonly epoch: number;
  readonly rules: number;
  readonly settings: string;
  readonly generation: number;
  /** How often somebody asked for all to be derived again, and which of these are answered. */
  readonly asked: number;
  readonly answered: number;
}

export async function readProgress(sql: Sql): Promise<Progress> {
  const [r] = await sql`select * from incident_progress`;
  const { seq, epoch, rules, settings, generation, asked, answered } = r!;
  return { seq, newestUs: r!.newest_us, firstUs: r!.first_us, epoch, rules, settings, generation, asked, answered };
}

/** As it was after the last event that is stored: so far as the progress says. */
export async function loadState(sql: Sql, progress: Progress, settings: IncidentSettings): Promise<State> {
  const { seq, newestUs, firstUs, epoch } = progress;
  const state = Object.assign(new State(), { seq, newestUs, firstUs, epoch });
  await loadIncidents(sql, state);
  await loadHistory(sql, state);
  await loadOwners(sql, state, settings.floodWindowUs);
  return state;
}

async function loadIncidents(sql: Sql, state: State): Promise<void> {
  const rows = new Map<number, Row>();
  for await (const portion of sql`select * from incident where live`.cursor(PORTION))
    for (const r of portion) rows.set(r.id, r);
  const members = sql`select m.* from incident i join incident_member m on m.incident_id = i.id where i.live order by m.seq`;
  for await (const portion of members.cursor(PORTION)) {
    for (const member of portion.map(memberOf)) {
      const row = rows.get(member.incidentId)!;
      let incident = state.incidents.get(member.incidentId);
      if (incident === undefined) {
        incident = emptyIncident(member, { seq: row.seq, changedSeq: row.changed_seq });
        incident.floodOwner = row.flood_owner ?? undefined;
        incident.floodPeak = row.flood_peak;
        state.incidents.set(incident.id, incident);
      }
      attach(state, incident, member);
    }
  }
}

function memberOf(r: Row): Member {
  return {
    ...{ alertId: r.alert_id, incidentId: r.incident_id, firstIncidentId: r.first_incident_id },
    ...{ seq: r.seq, changedSeq: r.changed_seq, sensorId: r.sensor_id, alertType: r.alert_type, severity: r.severity },
    ...{ openedUs: r.opened_us, closedUs: r.closed_us ?? undefined, acknowledged: r.acknowledged },
    ...{ owner: r.owner, asset: r.asset, keys: r.keys, reason: r.reason },
  };
}

async function loadHistory(sql: Sql, state: State): Promise<void> {
  for await (const portion of sql`select * from incident_sensor order by opened_seq`.cursor(PORTION)) {
    for (const r of portion) {
      const { sensor_id: sensorId, epoch, current, previous } = r;
      state.sensors.set(sensorId, {
        ...{ sensorId, epoch, current, previous, countedUs: r.counted_us, countedSeq: r.counted_seq },
        ...{ openedUs: r.opened_us, openedSeq: r.opened_seq, alertId: r.alert_id },
      });
    }
  }
  const recent = await sql`select sensor_id from incident_sensor order by counted_seq desc limit ${KEPT_RECENT}`;
  state.recent = recent.map((r) => state.sensors.get(r.sensor_id)!).reverse();
  for await (const portion of sql`select a, b, epoch, current, previous, seq from incident_pair`.cursor(PORTION)) {
    for (const { a, b, epoch, current, previous, seq } of portion) {
      addPair(state, { a, b, epoch, current, previous, seq });
    }
  }
}

async function loadOwners(sql: Sql, state: State, windowUs: number): Promise<void> {
  for (const r of await sql`select * from incident_owner`) {
    const openings = await sql`select opened_us, alert_id from incident_member
      where owner = ${r.owner} and seq >= ${r.since_seq} and opened_us > ${r.newest_us - windowUs}
      order by opened_us desc, seq desc limit ${MAX_FLOOD_OPENINGS}`;
    state.owners.set(r.owner, {
      ...{ owner: r.owner, sinceSeq: r.since_seq, newestUs: r.newest_us, floodAlert: r.flood_alert ?? undefined },
      openings: openings.map(({ opened_us: us, alert_id: alertId }) => ({ us, alertId })).reverse(),
    });
  }
}
