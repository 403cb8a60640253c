/** Alert events that notifications have not seen, with what is known of their sensors. */
import { fromBinary } from "@bufbuild/protobuf";
import type { Sql } from "postgres";
import { type AlertEvent, AlertEventSchema } from "../../gen/es/telltale/v1/watch_pb.ts";
import { allEnded } from "../postgres/transaction.ts";
import { readDetails } from "../registry/details.ts";
import type { KnownAlert } from "./known-alert.ts";
import { knownAlert } from "./labels.ts";
import { FIRST_RECEIVED_ID } from "./received/received-alert.ts";

/** The name of the cursor; those of the outbox's receivers are beside it. */
const SINK = "notify";
/** Of one partition, at once. */
export const EVENTS_AT_ONCE = 500;

/** Takes the next events of every partition, and moves the cursor behind them. A partition begins at its newest event. */
export async function takeEvents(tx: Sql): Promise<KnownAlert[]> {
  const [, rows] = await allEnded([
    tx`insert into outbox_progress (sink, partition, next_number)
      select ${SINK}, partition, next_event from log_partition
      on conflict (sink, partition) do nothing`,
    tx`select e.partition, e.number, e.alert_id, e.event
      from outbox_progress p cross join lateral (
        select * from alert_event e where e.partition = p.partition and e.number >= p.next_number
        order by e.number limit ${EVENTS_AT_ONCE}) e
      where p.sink = ${SINK} order by e.partition, e.number`,
  ]);
  if (rows.length === 0) return [];
  const next = [...Map.groupBy(rows, (r) => r.partition as number)].map(([partition, own]) => ({
    partition,
    next: own.at(-1)!.number + 1,
  }));
  await tx`update outbox_progress p set next_number = x.next
    from jsonb_to_recordset(${JSON.stringify(next)}::text::jsonb) as x(partition int, next bigint)
    where p.sink = ${SINK} and p.partition = x.partition`;
  // Those of alert 0 were removed with their sensor.
  const left = rows.filter((r) => r.alert_id !== 0);
  const events = left.map((r) => fromBinary(AlertEventSchema, r.event as Buffer));
  await showNames(tx, events);
  const details = await readDetails(tx, [...new Set(events.map(({ alert }) => alert!.sensorId))]);
  const bySensor = new Map(details.map((each) => [each.sensorId, each]));
  return events.map((event) => knownAlert(event, bySensor.get(event.alert!.sensorId)));
}

/** A sensor that was renamed since is called by its new id. */
export async function showNames(tx: Sql, events: readonly AlertEvent[]): Promise<void> {
  const ids = [...new Set(events.map(({ alert }) => alert!.sensorId))];
  const rows = await tx`select name, sensor_shown(key) as shown from sensor_name where not current
    and name in (select jsonb_array_elements_text(${JSON.stringify(ids)}::text::jsonb))`;
  const shown = new Map(rows.map((r) => [r.name as string, r.shown as string]));
  for (const { alert } of events) alert!.sensorId = shown.get(alert!.sensorId) ?? alert!.sensorId;
}

/** Ids of alerts that notifications know and the store has no longer: their sensor was deleted, or they are older than what is kept. */
export async function removedAlerts(tx: Sql): Promise<string[]> {
  const rows = await tx`select n.alert_id from notify_alert n
    where n.alert_id > 0 and n.alert_id < ${FIRST_RECEIVED_ID}
      and not exists (select 1 from alert a where a.id = n.alert_id)`;
  return rows.map((r) => String(r.alert_id));
}
