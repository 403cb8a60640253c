/** The notifier's state in PostgreSQL: loaded as a whole by whoever becomes the one that notifies, and written as it changes. */
import type { Sql } from "postgres";
import { jsonText, list } from "../../postgres/literal.ts";
import type { Ending } from "../../postgres/transaction.ts";
import { MAX_AT_ONCE } from "../deliveries/limits.ts";
import { type Delivery, queuePlanned } from "../deliveries/store.ts";
import type { KnownAlert } from "../known-alert.ts";
import { FIRST_RECEIVED_ID } from "../received/received-alert.ts";
import type { ChannelTold } from "./group.ts";
import type { StepPlace } from "./membership.ts";
import type { Planned } from "./planned.ts";
import { State } from "./state.ts";

/** Rows that are taken at once. */
const PORTION = 2_000;

/** Who loaded the state last. */
export async function readWriter(sql: Sql): Promise<string | undefined> {
  const [row] = await sql`select writer from notify_writer`;
  return row?.writer;
}

/** From here on, every other process has to load the state again before it goes on. */
export async function becomeWriter(tx: Sql): Promise<string> {
  const [row] = await tx`insert into notify_writer (writer) values (gen_random_uuid())
    on conflict (only_row) do update set writer = excluded.writer returning writer`;
  return row!.writer;
}

export async function loadState(sql: Sql): Promise<State> {
  const state = new State();
  for await (const rows of sql`select * from notify_group`.cursor(PORTION)) {
    for (const r of rows) {
      const { key, route, receiver, labels, sequence } = r;
      const escalation = (r.escalation as StepPlace | null) ?? undefined;
      const told = (r.told as readonly (ChannelTold | null)[]).map((each) => each ?? undefined);
      const members = new Set<string>();
      const group = { key, route, receiver, escalation, labels, nextUs: r.next_us, sequence, told, members };
      state.groups.set(key, group);
    }
  }
  for await (const rows of sql`select * from notify_alert`.cursor(PORTION)) {
    for (const { alert, since_us: sinceUs, groups } of rows) {
      state.alerts.set(alert.id, { alert, sinceUs, groups: new Set<string>(groups) });
      for (const key of groups) state.groups.get(key)!.members.add(alert.id);
    }
  }
  return state;
}

/** Writes what has changed, and the messages that follow from it: which of these may be sent once that is committed. */
export function saveState(
  tx: Sql,
  state: State,
  planned: readonly Planned[],
  nowUs: number,
): Ending<readonly Delivery[]> {
  const { alerts, groups, changedAlerts, changedGroups } = state;
  const goneAlerts = [...changedAlerts].filter((id) => !alerts.has(id)).map(Number);
  const goneGroups = [...changedGroups].filter((key) => !groups.has(key));
  const alertRows = [...changedAlerts].flatMap((id) => {
    const entry = alerts.get(id);
    if (entry === undefined) return [];
    const { alert, sinceUs } = entry;
    return [{ alert_id: Number(id), alert, since_us: sinceUs, groups: [...entry.groups] }];
  });
  const groupRows = [...changedGroups].flatMap((key) => {
    const group = groups.get(key);
    if (group === undefined) return [];
    const { route, receiver, escalation = null, labels, nextUs, sequence } = group;
    const told = Array.from(group.told, (each) => each ?? null);
    return [{ key, route, receiver, escalation, labels, next_us: nextUs, sequence, told }];
  });
  const queueing = queuePlanned(tx, planned, { nowUs, limit: MAX_AT_ONCE });
  const statements = [
    ...queueing.statements,
    ...(goneAlerts.length === 0
      ? []
      : [tx`delete from notify_alert where alert_id = any(${list(goneAlerts)}::bigint[])`]),
    ...(goneGroups.length === 0
      ? []
      : [
          tx`delete from notify_group
            where key in (select jsonb_array_elements_text(${jsonText(goneGroups)}::text::jsonb))`,
        ]),
    ...(alertRows.length === 0
      ? []
      : [
          tx`insert into notify_alert (alert_id, alert, since_us, groups)
            select * from jsonb_to_recordset(${jsonText(alertRows)}::text::jsonb)
            as x(alert_id bigint, alert jsonb, since_us bigint, groups jsonb)
            on conflict (alert_id) do update set alert = excluded.alert, since_us = excluded.since_us, groups = excluded.groups`,
        ]),
    ...(groupRows.length === 0
      ? []
      : [
          tx`insert into notify_group (key, route, receiver, escalation, labels, next_us, sequence, told)
            select * from jsonb_to_recordset(${jsonText(groupRows)}::text::jsonb)
            as x(key text, route text, receiver text, escalation jsonb, labels jsonb, next_us bigint, sequence bigint, told jsonb)
            on conflict (key) do update set route = excluded.route, receiver = excluded.receiver,
              next_us = excluded.next_us, sequence = excluded.sequence, told = excluded.told`,
        ]),
  ];
  changedAlerts.clear();
  changedGroups.clear();
  return { statements, done: queueing.done };
}

/** Open alerts as the notifier knows them. */
export async function openAlerts(sql: Sql): Promise<KnownAlert[]> {
  const rows = await sql`select alert from notify_alert where alert->>'status' = 'firing' order by alert_id desc`;
  return rows.map(({ alert }) => alert);
}

/** Those of ours among them, the newest first, below an id. */
export async function openOwnAlerts(
  sql: Sql,
  { belowId, limit }: { belowId: number; limit: number },
): Promise<KnownAlert[]> {
  const rows = await sql`select alert from notify_alert
    where alert->>'status' = 'firing' and alert_id > 0 and alert_id < ${Math.min(belowId, FIRST_RECEIVED_ID)}
    order by alert_id desc limit ${limit}`;
  return rows.map(({ alert }) => alert);
}

/** Those of channels that do not deliver. */
export async function openBroken(sql: Sql): Promise<KnownAlert[]> {
  const rows = await sql`select alert from notify_alert where alert->>'status' = 'firing' and alert_id < 0`;
  return rows.map(({ alert }) => alert);
}

/** Those of the alerts that are over, with the time of their end; `nowUs`: of those that nobody is still to hear of. */
export async function endedAlerts(sql: Sql, ids: readonly string[], nowUs: number): Promise<Map<string, number>> {
  const rows = await sql`select alert from notify_alert where alert_id = any(${list(ids.map(Number))}::bigint[])`;
  const known = new Map(rows.map(({ alert }) => [alert.id as string, alert as KnownAlert]));
  const over = ids.filter((id) => known.get(id)?.status !== "firing");
  return new Map(over.map((id) => [id, known.get(id)?.endsUs ?? nowUs]));
}

/** Undefined where nobody is still to hear of it. */
export async function findAlert(sql: Sql, id: number): Promise<KnownAlert | undefined> {
  const [row] = await sql`select alert from notify_alert where alert_id = ${id}`;
  return row?.alert;
}
