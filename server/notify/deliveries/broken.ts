/** Channels that do not deliver: of each there is an alert, which routes may match. */
import type { Row, Sql } from "postgres";
import type { KnownAlert } from "../known-alert.ts";
import type { NotifiedAlert } from "../message.ts";
import { noChannel } from "./store.ts";
import type { Target } from "./target.ts";

/** What its alert is called. */
export const CHANNEL_BROKEN = "channel_broken";
const SEVERITY = "high";

/** A channel has one row for as long as it is broken, with the first reason. */
export async function markBroken(
  tx: Sql,
  { receiver, channelKey, kind, reason }: Target & { readonly kind: string; readonly reason: string },
  nowUs: number,
): Promise<void> {
  if (reason === noChannel(receiver)) return; // it was taken out, which is no fault
  await tx`insert into notify_broken (receiver, channel_key, kind, since_us, reason)
    values (${receiver}, ${channelKey}, ${kind}, ${nowUs}, ${reason}) on conflict do nothing`;
}

/** It has taken a message. */
export async function markWhole(tx: Sql, { receiver, channelKey }: Target): Promise<void> {
  await tx`delete from notify_broken where receiver = ${receiver} and channel_key = ${channelKey}`;
}

/** A channel that has not taken a message since. */
export interface Broken extends Target {
  readonly sinceUs: number;
  /** The first. */
  readonly reason: string;
}

export async function brokenChannels(sql: Sql): Promise<Broken[]> {
  const rows = await sql`select receiver, channel_key, since_us, reason from notify_broken`;
  return rows.map((row) => ({ ...targetOf(row), sinceUs: row.since_us, reason: row.reason }));
}

/** Their alerts; those of channels that are gone are forgotten. */
export async function brokenAlerts(tx: Sql, isKnown: (target: Target) => boolean): Promise<KnownAlert[]> {
  const rows = await tx`select * from notify_broken order by alert_id desc`;
  const gone = rows.filter((row) => !isKnown(targetOf(row)));
  for (const row of gone) await markWhole(tx, targetOf(row));
  return rows.filter((row) => !gone.includes(row)).map(alertOf);
}

/** Whether it is one of these, and none of a sensor. */
export function isBrokenId(id: string): boolean {
  return id.startsWith("-");
}

/** As people read it: such as "pager by pagerduty". */
export function brokenChannelOf({ labels }: Pick<NotifiedAlert, "labels">): string {
  return `${labels.receiver ?? ""} by ${labels.channel ?? ""}`;
}

function targetOf(row: Row): Target {
  return { receiver: row.receiver, channelKey: row.channel_key };
}

function alertOf({ alert_id: id, receiver, kind, since_us: startsUs, reason }: Row): KnownAlert {
  return {
    ...{ id: String(id), severity: SEVERITY, isAcknowledged: false, status: "firing", startsUs },
    labels: { alertname: CHANNEL_BROKEN, severity: SEVERITY, receiver, channel: kind },
    annotations: {
      summary: `Messages to ${receiver} by ${kind} are not delivered`,
      description: reason,
    },
  };
}
