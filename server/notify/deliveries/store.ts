/** Messages on their way, and what became of them. */
import type { Row, Sql } from "postgres";
import { jsonText } from "../../postgres/literal.ts";
import type { Ending } from "../../postgres/transaction.ts";
import { channelKeys } from "../config/channel-keys.ts";
import type { NotifyConfig } from "../config/config.ts";
import type { Planned } from "../groups/planned.ts";
import type { Message } from "../message.ts";

export const QUEUED = 1;
export const SENT = 2;
export const FAILED = 3;

/** What became of messages is kept for so long. */
const KEPT_US = 30 * 86_400_000_000;

export interface Delivery {
  readonly id: number;
  readonly message: Message;
  /** Messages with the same to the same channel keep their order. */
  readonly groupKey: string;
  readonly sequence: number;
  readonly receiver: string;
  /** Its place among the receiver's channels. */
  readonly channel: number;
  /** By which it is found, whatever its place is now. */
  readonly channelKey: string;
  readonly kind: string;
  readonly state: number;
  readonly attempts: number;
  readonly reason: string;
  readonly createdUs: number;
  readonly nextUs: number;
  readonly doneUs: number | undefined;
  /** The receiver that is notified instead of one that was not; "" where there is none. */
  readonly fallbackTo: string;
  /** The id of the message that failed, and instead of which this one is sent. */
  readonly fallbackOf: number | undefined;
}

/**
 * The next message of each group and channel, where its time has come: one that waits holds back those behind it, and one of several groups
 * those of all groups. `but`: receivers that have
 * enough to do.
 */
export async function dueDeliveries(
  sql: Sql,
  { nowUs, limit, but }: { nowUs: number; limit: number; but: readonly string[] },
): Promise<Delivery[]> {
  const rows = await sql`select * from notify_delivery d
    where state = 1 and next_us <= ${nowUs}
      and receiver not in (select jsonb_array_elements_text(${JSON.stringify(but)}::text::jsonb))
      and ${isNext(sql)}
    order by next_us, id limit ${limit}`;
  return rows.map(deliveryOf);
}

/** Whether nothing that waits is before the message d. */
function isNext(sql: Sql) {
  // Literals of the state: the partial indexes are for nothing else, so that a storm of messages costs no more than a few.
  return sql`not exists (select 1 from notify_delivery b
      where b.state = 1 and b.group_key = d.group_key and b.channel = d.channel and b.sequence < d.sequence)
    and not exists (select 1 from notify_delivery b where b.state = 1 and b.merged
      and b.receiver = d.receiver and b.channel_key = d.channel_key and b.id < d.id)
    and (not d.merged or not exists (select 1 from notify_delivery b where b.state = 1
      and b.receiver = d.receiver and b.channel_key = d.channel_key and b.id < d.id))`;
}

/**
 * Queues what was planned. Answers at most `limit` of these messages that nothing which waits is before, the first ones, as they are stored:
 * once the transaction is committed they may be sent without being looked for.
 */
export function queuePlanned(
  tx: Sql,
  planned: readonly Planned[],
  { nowUs, limit }: { readonly nowUs: number; readonly limit: number },
): Ending<Delivery[]> {
  if (planned.length === 0) return { statements: [], done: () => [] };
  const rows = planned.map(({ message, groupKey, sequence, isMerged, channel, channelKey, kind }) => ({
    ...{ key: message.key, group_key: groupKey, sequence, receiver: message.receiver, merged: isMerged },
    ...{ channel, channel_key: channelKey, kind, message, next_us: nowUs, created_us: nowUs },
  }));
  // One statement does not see what it inserts: of a group a channel has one message here, and the order behind one of several groups is
  // that of ids.
  const merging = planned.filter(({ isMerged }) => isMerged).map(({ message }) => message.receiver);
  const queued = tx`with d as (
      insert into notify_delivery
        (key, group_key, sequence, receiver, channel, channel_key, kind, message, state, next_us, created_us, merged)
      select x.key, x.group_key, x.sequence, x.receiver, x.channel, x.channel_key, x.kind, x.message, 1, x.next_us, x.created_us, x.merged
      from jsonb_to_recordset(${jsonText(rows)}::text::jsonb) as x(key text, group_key text, sequence bigint, receiver text,
        channel int, channel_key text, kind text, message jsonb, next_us bigint, created_us bigint, merged boolean)
      returning *)
    select * from d where ${isNext(tx)}
      and receiver not in (select jsonb_array_elements_text(${jsonText(merging)}::text::jsonb))
    order by id limit ${limit}`;
  return { statements: [queued], done: ([stored]) => stored!.map(deliveryOf) };
}

/** How many messages receivers got since a time, and when the first of them was queued. */
export async function messagesSince(
  sql: Sql,
  receivers: readonly string[],
  sinceUs: number,
): Promise<Map<string, { readonly count: number; readonly firstUs: number }>> {
  const rows = await sql`select receiver, count(distinct key)::int as count, min(created_us) as first
    from notify_delivery where created_us > ${sinceUs}
      and receiver in (select jsonb_array_elements_text(${jsonText(receivers)}::text::jsonb))
    group by receiver`;
  return new Map(rows.map((r) => [r.receiver as string, { count: r.count, firstUs: r.first }]));
}

/** When the next of those that wait for a time is due; undefined: none waits. */
export async function nextDueUs(sql: Sql, nowUs: number): Promise<number | undefined> {
  const [row] = await sql`select min(next_us) as next from notify_delivery where state = 1 and next_us > ${nowUs}`;
  return (row!.next as number | null) ?? undefined;
}

/** Whether it was still queued. */
export async function finish(
  sql: Sql,
  { id, state, reason, fallbackTo = "" }: { id: number; state: number; reason: string; fallbackTo?: string },
  nowUs: number,
): Promise<boolean> {
  const { count } =
    await sql`update notify_delivery set state = ${state}, reason = ${reason}, fallback_to = ${fallbackTo},
      attempts = attempts + 1, done_us = ${nowUs}
    where id = ${id} and state = ${QUEUED}`;
  return count > 0;
}

/**
 * The channel has taken it, and so works. The record does not wait for the disk: where the database dies before it is there, the message is
 * sent again with its key.
 */
export async function finishSent(
  sql: Sql,
  { id, receiver, channelKey }: Delivery,
  { nowUs, note = "" }: { readonly nowUs: number; readonly note?: string | undefined },
): Promise<void> {
  await sql`with whole as (delete from notify_broken where receiver = ${receiver} and channel_key = ${channelKey})
    update notify_delivery set state = ${SENT}, reason = ${note}, attempts = attempts + 1, done_us = ${nowUs}
    where id = ${id} and state = ${QUEUED} and set_config('synchronous_commit', 'off', true) is not null`;
}

/** A message for a channel in place of another. */
export interface Instead {
  readonly message: Message;
  readonly groupKey: string;
  readonly sequence: number;
  readonly channel: number;
  readonly channelKey: string;
  readonly kind: string;
}

/** Messages in place of another, or by themselves, each once. */
export async function queueInstead(
  tx: Sql,
  of: number | undefined,
  instead: readonly Instead[],
  nowUs: number,
): Promise<void> {
  for (const { message, groupKey, sequence, channel, channelKey, kind } of instead) {
    await tx`insert into notify_delivery
        (key, group_key, sequence, receiver, channel, channel_key, kind, message, state, next_us, created_us, fallback_of)
      values (${message.key}, ${groupKey}, ${sequence}, ${message.receiver}, ${channel}, ${channelKey}, ${kind},
        ${jsonText(message)}::text::jsonb, ${QUEUED}, ${nowUs}, ${nowUs}, ${of ?? null})
      on conflict (key, channel) do nothing`;
  }
}

/** What others were told of alerts, or are yet to be told, in place of a receiver, in its order. `receiver`: absent: of any. */
export async function toldInstead(sql: Sql, alertIds: readonly string[], receiver?: string): Promise<Delivery[]> {
  // Nearly always there is none.
  const [any] = await sql`select 1 from notify_delivery where fallback_of is not null limit 1`;
  if (any === undefined) return [];
  const alerts = jsonText(alertIds.map((id) => [{ id }]));
  const rows = await sql`select distinct on (d.id) d.* from jsonb_array_elements(${alerts}::text::jsonb) x(one)
    join notify_delivery d on d.message->'alerts' @> x.one
    where d.fallback_of is not null and d.state <> ${FAILED}
      ${receiver === undefined ? sql`` : sql`and d.message->'fallback'->'path' ? ${receiver}`}
    order by d.id`;
  return rows.map(deliveryOf);
}

export async function postpone(
  sql: Sql,
  { id, nextUs, reason }: { id: number; nextUs: number; reason: string },
): Promise<void> {
  await sql`update notify_delivery set attempts = attempts + 1, next_us = ${nextUs}, reason = ${reason}
    where id = ${id} and state = ${QUEUED}`;
}

/** Why a message fails whose channel the configuration has no longer. */
export function noChannel(receiver: string): string {
  return `${NO_RECEIVER} ${receiver} ${NO_CHANNEL}`;
}
const NO_RECEIVER = "the configuration has no receiver";
const NO_CHANNEL = "with such a channel any more";

/** Gives up what waits for channels that the configuration has no longer. `beforeUs`: when it was applied; what is newer is by a newer one. */
export async function failWithoutChannel(
  sql: Sql,
  { receivers }: Pick<NotifyConfig, "receivers">,
  { beforeUs, nowUs }: { beforeUs: number; nowUs: number },
): Promise<void> {
  const known = receivers.flatMap(({ name, channels }) => channelKeys(channels).map((key) => ({ name, key })));
  await sql`update notify_delivery d set state = ${FAILED}, done_us = ${nowUs},
      reason = concat_ws(' ', ${NO_RECEIVER}::text, receiver, ${NO_CHANNEL}::text)
    where state = 1 and created_us <= ${beforeUs} and not exists (select 1
      from jsonb_to_recordset(${jsonText(known)}::text::jsonb) as k(name text, key text)
      where k.name = d.receiver and k.key = d.channel_key)`;
}

/** Forgets what became of old ones. */
export async function pruneDeliveries(sql: Sql, nowUs: number): Promise<void> {
  await sql`delete from notify_delivery where state <> ${QUEUED} and done_us < ${nowUs - KEPT_US}`;
}

export interface DeliveryFilter {
  /** Empty: any. */
  readonly receiver: string;
  /** 0: any. */
  readonly state: number;
  /** Absent: any. */
  readonly alertId?: string;
}

/** Newest first, behind an id. */
export async function listDeliveries(
  sql: Sql,
  { receiver, state, alertId }: DeliveryFilter,
  { beforeId, limit }: { beforeId: number | undefined; limit: number },
): Promise<Delivery[]> {
  const rows = await sql`select * from notify_delivery where true
    ${receiver === "" ? sql`` : sql`and receiver = ${receiver}`}
    ${state === 0 ? sql`` : sql`and state = ${state}`}
    ${alertId === undefined ? sql`` : sql`and message->'alerts' @> ${JSON.stringify([{ id: alertId }])}::text::jsonb`}
    ${beforeId === undefined ? sql`` : sql`and id < ${beforeId}`}
    order by id desc limit ${limit}`;
  return rows.map(deliveryOf);
}

function deliveryOf(r: Row): Delivery {
  const { id, message, group_key: groupKey, sequence, receiver, channel, channel_key: channelKey, kind } = r;
  const { state, attempts, reason, fallback_to: fallbackTo } = r;
  const fallbackOf = (r.fallback_of as number | null) ?? undefined;
  const times = { createdUs: r.created_us, nextUs: r.next_us, doneUs: (r.done_us as number | null) ?? undefined };
  const place = { groupKey, sequence, receiver, channel, channelKey, kind };
  return { id, message, ...place, state, attempts, reason, ...times, fallbackTo, fallbackOf };
}
