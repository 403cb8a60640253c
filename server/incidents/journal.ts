/**
 * The one order of alert events. Those of a partition are in their order already; those of several are merged by event time where they are
 * met together, and the place that each was given is stored with what the registry said then: whoever derives again finds the same.
 */
import { fromBinary } from "@bufbuild/protobuf";
import type { Row, Sql } from "postgres";
import type { Attributes } from "../../formats/attributes.ts";
import { type AlertEvent, AlertEventSchema, AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import { jsonb } from "../postgres/literal.ts";
import { attributesInForce } from "../registry/profile.ts";
import { eventTimeUs, type Facts, type Input, inputOf, NO_FACTS } from "./input.ts";

/** Its name among the receivers of alert events. */
const RECEIVER = "incidents";

/**
 * The next events that nobody has taken, `limit` where there are so many, of each partition as many or all, numbered from `seq` on; records
 * their order.
 */
export async function takeNext(tx: Sql, seq: number, limit: number): Promise<Input[]> {
  const rows = await tx`
    select partition, number, e.alert_id, e.event from (
      select l.partition, n.number from log_partition l
        left join outbox_progress p on p.sink = ${RECEIVER} and p.partition = l.partition
        cross join lateral (select number from alert_event
          where partition = l.partition and number >= coalesce(p.next_number, 1) order by number limit ${limit}) n
      order by n.number - coalesce(p.next_number, 1), l.partition limit ${limit}) n
      join alert_event e using (partition, number)
    order by partition, number`;
  if (rows.length === 0) return [];
  // Those of alert 0 were removed with their sensor.
  const left = rows.filter((r) => r.alert_id !== 0);
  const events = merged(await keyed(tx, left));
  const facts = await factsOf(tx, events);
  const inputs = events.map((event, i) => inputOf(seq + i, event, facts.get(event.id) ?? NO_FACTS));
  const places = events.map(({ id, partition, number }, i) => ({
    ...{ seq: seq + i, partition, number: Number(number), facts: facts.get(id) ?? null },
  }));
  await tx.unsafe(`insert into incident_event (seq, partition, number, facts)
      select seq, partition, number, facts from jsonb_to_recordset(${jsonb(places)})
        as x(seq bigint, partition int, number bigint, facts jsonb);
    insert into outbox_progress (sink, partition, next_number)
      select '${RECEIVER}', partition, max(number) + 1
        from jsonb_to_recordset(${jsonb(rows.map(({ partition, number }) => ({ partition, number })))})
          as x(partition int, number bigint) group by partition
      on conflict (sink, partition) do update set next_number = excluded.next_number`);
  return inputs;
}

/** Events that nobody has taken yet. */
export async function waitingEvents(sql: Sql): Promise<number> {
  const [row] = await sql`select coalesce(sum(l.next_event - coalesce(p.next_number, 1)), 0)::bigint as events
    from log_partition l left join outbox_progress p on p.sink = ${RECEIVER} and p.partition = l.partition`;
  return row!.events;
}

/** Events that were taken before, behind the place, in their order. */
export async function takenAfter(tx: Sql, seq: number, limit: number): Promise<Input[]> {
  const rows = await tx`
    select j.seq, j.facts, e.event from incident_event j join alert_event e using (partition, number)
      where j.seq > ${seq} order by j.seq limit ${limit}`;
  const events = await keyed(tx, rows);
  return rows.map((r, i) => inputOf(r.seq, events[i]!, r.facts ?? NO_FACTS));
}

/** The events, of sensors by their keys: an event says what its sensor was called then. */
async function keyed(tx: Sql, rows: readonly Row[]): Promise<AlertEvent[]> {
  const events = rows.map((r) => fromBinary(AlertEventSchema, r.event as Buffer));
  const ids = [...new Set(events.map(({ alert }) => alert!.sensorId))];
  const names = await tx`select name, key from sensor_name
    where name in (select jsonb_array_elements_text(${JSON.stringify(ids)}::text::jsonb))`;
  const keys = new Map(names.map((r) => [r.name as string, r.key as string]));
  for (const { alert } of events) alert!.sensorId = keys.get(alert!.sensorId) ?? alert!.sensorId;
  return events;
}

/** Events that were removed with their sensor are of alert 0: forgets their places, and what the registry said. */
export async function forgetRemoved(tx: Sql): Promise<void> {
  await tx`delete from incident_event j where not exists (
    select from alert_event e where e.partition = j.partition and e.number = j.number and e.alert_id <> 0)`;
}

/** The partition's lists as one, each in its order: always the earliest of those that stand first. */
function merged(events: readonly AlertEvent[]): AlertEvent[] {
  const lists = [...Map.groupBy(events, ({ partition }) => partition).values()].map((list) => ({
    list: list.map((event) => ({ event, us: eventTimeUs(event) })),
    at: 0,
  }));
  return events.map(() => {
    let first = lists.find(({ list, at }) => at < list.length)!;
    for (const each of lists) {
      if (each.at < each.list.length && each.list[each.at]!.us < first.list[first.at]!.us) first = each;
    }
    return first.list[first.at++]!.event;
  });
}

/** What the registry says of the sensors whose alerts open, by event; of attributes that were sent those of the time of opening. */
async function factsOf(tx: Sql, events: readonly AlertEvent[]): Promise<Map<string, Facts>> {
  const opened = events.filter(({ type }) => type === AlertEventType.OPENED);
  if (opened.length === 0) return new Map();
  const asked = opened.map((event) => ({
    ...{ id: event.id, sensor_id: event.alert!.sensorId, opened_us: eventTimeUs(event) },
  }));
  const rows = await tx.unsafe(`
    select i.id, p.owner, p.asset, p.attributes as edited, (
        select a.attributes from sensor_attributes a where a.sensor_id = sensor_shown(i.sensor_id) collate "C" and a.since_us <= i.opened_us
        order by a.since_us desc limit 1) as sent
    from jsonb_to_recordset(${jsonb(asked)}) as i(id text, sensor_id text, opened_us bigint)
      left join sensor_profile p on p.sensor_id = sensor_shown(i.sensor_id) collate "C"`);
  return new Map(
    rows.filter(({ owner, sent }) => owner !== null || sent !== null).map((r) => [r.id as string, factsOfRow(r)]),
  );
}

function factsOfRow({ owner, asset, edited, sent }: Row): Facts {
  const attributes = attributesInForce((sent as Attributes) ?? {}, (edited as Attributes) ?? {});
  return { owner: owner ?? "", asset: asset ?? "", attributes };
}
