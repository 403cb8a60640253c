/** Alerts that a silence matched while it was in force: of ours and of others, whether or not somebody had heard of them before. */
import { fromBinary } from "@bufbuild/protobuf";
import type { Sql } from "postgres";
import { AlertEventSchema } from "../../../gen/es/telltale/v1/watch_pb.ts";
import { showNames } from "../events.ts";
import type { KnownAlert } from "../known-alert.ts";
import { knownAlert } from "../labels.ts";
import { labelsTest } from "../matching.ts";
import { detailsOf } from "../preview/history.ts";
import { toKnownAlert } from "../received/received-alert.ts";
import { receivedBetween } from "../received/store.ts";
import type { Silence } from "./silence.ts";

/** Of each kind, the newest: of more, nobody reads the list. */
const MAX_ALERTS = 10_000;

/** The newest first. */
export async function hiddenBy(
  sql: Sql,
  silence: Silence,
): Promise<{ readonly alerts: readonly KnownAlert[]; readonly isTruncated: boolean }> {
  const { startsUs, endsUs } = silence;
  const range = { fromUs: startsUs, toUs: endsUs, limit: MAX_ALERTS };
  const all = [await ownBetween(sql, range), (await receivedBetween(sql, range)).map(toKnownAlert)];
  const alerts = all
    .flat()
    .filter(isMatched(silence))
    .sort((a, b) => b.startsUs - a.startsUs);
  return { alerts, isTruncated: all.some(({ length }) => length === MAX_ALERTS) };
}

export function isMatched({ matchers, sensorPrefix }: Silence): (alert: KnownAlert) => boolean {
  const matches = labelsTest(matchers);
  return ({ labels }) => (labels.sensor_id ?? "").startsWith(sensorPrefix) && matches(labels);
}

/** As they are now. */
async function ownBetween(
  sql: Sql,
  { fromUs, toUs, limit }: { readonly fromUs: number; readonly toUs: number; readonly limit: number },
): Promise<KnownAlert[]> {
  // By the time of their end, so that what was over long before is not looked at.
  const rows = await sql`with a as (
      select id from (
        select id from alert where closed_us is null and opened_us < ${toUs}
        union all
        select id from alert where closed_us > ${fromUs} and opened_us < ${toUs}) x
      order by id desc limit ${limit})
    select e.event from a cross join lateral (
      select event from alert_event e where e.alert_id = a.id order by e.partition, e.number desc limit 1) e`;
  const events = rows.map(({ event }) => fromBinary(AlertEventSchema, event as Buffer));
  await showNames(sql, events);
  const details = await detailsOf(
    sql,
    events.map(({ alert }) => alert!.sensorId),
  );
  return events.map((event) => knownAlert(event, details.get(event.alert!.sensorId)));
}
