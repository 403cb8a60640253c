/** Alert events of the past, with the labels that their sensors have now. */
import { fromBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Sql } from "postgres";
import { type AlertEvent, AlertEventSchema, AlertEventType } from "../../../gen/es/telltale/v1/watch_pb.ts";
import { toMicros } from "../../lib/time.ts";
import { readDetails, type SensorDetails } from "../../registry/details.ts";
import { showNames } from "../events.ts";
import type { KnownAlert } from "../known-alert.ts";
import { knownAlert } from "../labels.ts";

/** Each has two to four events of about 500 bytes, all of which are in memory. */
const MAX_ALERTS = 50_000;
/** Sensors whose details are read at once. */
const SENSORS_AT_ONCE = 1_000;

export interface PastEvent {
  readonly atUs: number;
  /** The alert after it. */
  readonly alert: KnownAlert;
}

export interface History {
  readonly alerts: number;
  /** Whether older alerts were left out. */
  readonly isTruncated: boolean;
  /** In the order of time. */
  readonly events: readonly PastEvent[];
}

/** Events of the alerts that opened in the range, until its end. Times are those at which things happened at the sensors. */
export async function readHistory(sql: Sql, { fromUs, toUs }: { fromUs: number; toUs: number }): Promise<History> {
  const rows = await sql`with a as (
      select id from alert where opened_us >= ${fromUs} and opened_us < ${toUs}
      order by opened_us desc, id desc limit ${MAX_ALERTS + 1})
    select e.event from a join alert_event e on e.alert_id = a.id
    order by a.id desc, e.partition, e.number`;
  const all = rows.map(({ event }) => fromBinary(AlertEventSchema, event as Buffer));
  const ids = new Set(all.map(({ alert }) => alert!.id));
  const kept = new Set([...ids].slice(0, MAX_ALERTS));
  const events = all.filter(({ alert }) => kept.has(alert!.id));
  await showNames(sql, events);
  const details = await detailsOf(
    sql,
    events.map(({ alert }) => alert!.sensorId),
  );
  // Of an alert in their order, whatever its times say: nobody hears of one after its end.
  const latest = new Map<bigint, number>();
  const past = events.map((event) => {
    const { id, sensorId } = event.alert!;
    const atUs = Math.max(happenedUs(event), latest.get(id) ?? 0);
    latest.set(id, atUs);
    return { atUs, alert: knownAlert(event, details.get(sensorId)) };
  });
  return {
    alerts: kept.size,
    isTruncated: ids.size > kept.size,
    events: past.filter(({ atUs }) => atUs < toUs).sort((a, b) => a.atUs - b.atUs),
  };
}

/** By the sensor's id. */
export async function detailsOf(sql: Sql, sensorIds: readonly string[]): Promise<ReadonlyMap<string, SensorDetails>> {
  const found = new Map<string, SensorDetails>();
  const distinct = [...new Set(sensorIds)];
  for (let i = 0; i < distinct.length; i += SENSORS_AT_ONCE) {
    for (const each of await readDetails(sql, distinct.slice(i, i + SENSORS_AT_ONCE))) found.set(each.sensorId, each);
  }
  return found;
}

/** An event has no time of its own: it is that of the alert's field that it changed. */
function happenedUs({ type, alert }: AlertEvent): number {
  const { openedAt, lastSeenAt, acknowledgedAt, closedAt } = alert!;
  const at: Record<AlertEventType, Timestamp | undefined> = {
    [AlertEventType.UNSPECIFIED]: openedAt,
    [AlertEventType.OPENED]: openedAt,
    [AlertEventType.RAISED]: lastSeenAt,
    [AlertEventType.ACKNOWLEDGED]: acknowledgedAt,
    [AlertEventType.RECOVERED]: closedAt,
    [AlertEventType.RESOLVED]: closedAt,
  };
  return toMicros((at[type] ?? lastSeenAt ?? openedAt)!);
}
