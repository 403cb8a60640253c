/** Subscriptions of browsers in PostgreSQL. */
import type { Row, Sql } from "postgres";
import { DAY_US } from "../../lib/time.ts";
import { BROWSER_DAYS, MAX_BROWSERS, MAX_BROWSERS_OF_CALLER } from "./limits.ts";
import type { Subscription } from "./subscription.ts";

const LIFETIME_US = BROWSER_DAYS * DAY_US;

/** Who subscribes. */
export interface Subscriber {
  readonly caller: string;
  /** Tells callers apart where names do not. */
  readonly callerKey: string;
  readonly tokenId: string | undefined;
  readonly sensorPrefix: string;
}

export type NewSubscription = Pick<Subscription, "endpoint" | "p256dh" | "auth" | "label"> & Subscriber;

/**
 * Subscribes a browser, or renews what it has: it then belongs to who is signed in there now. Undefined where there are too many already.
 */
export async function subscribe(sql: Sql, s: NewSubscription, nowUs: number): Promise<Subscription | undefined> {
  return await sql.begin(async (tx) => {
    // One after the other, so that together they keep to the limits.
    await tx`lock table web_push_subscription in share row exclusive mode`;
    await tx`delete from web_push_subscription where renewed_us < ${nowUs - LIFETIME_US}`;
    const [row] = await tx`insert into web_push_subscription
        (endpoint, p256dh, auth, label, caller, caller_key, token_id, sensor_prefix, created_us, renewed_us)
      select ${s.endpoint}, ${s.p256dh}, ${s.auth}, ${s.label}, ${s.caller}, ${s.callerKey}, ${s.tokenId ?? null},
        ${s.sensorPrefix}, ${nowUs}, ${nowUs}
      where (select count(*) from web_push_subscription where endpoint <> ${s.endpoint}) < ${MAX_BROWSERS}
        and (select count(*) from web_push_subscription where endpoint <> ${s.endpoint} and caller_key = ${s.callerKey})
          < ${MAX_BROWSERS_OF_CALLER}
      on conflict (endpoint) do update set p256dh = excluded.p256dh, auth = excluded.auth, label = excluded.label,
        caller = excluded.caller, caller_key = excluded.caller_key, token_id = excluded.token_id,
        sensor_prefix = excluded.sensor_prefix, renewed_us = excluded.renewed_us
      returning *`;
    return row && subscriptionOf(row);
  });
}

/** Whether there was one of this id and caller. */
export async function unsubscribe(sql: Sql, id: string, callerKey: string): Promise<Subscription | undefined> {
  const [row] = await sql`delete from web_push_subscription where id::text = ${id} and caller_key = ${callerKey}
    returning *`;
  return row && subscriptionOf(row);
}

/** Those of one caller, the oldest first. */
export async function subscriptionsOf(sql: Sql, callerKey: string, nowUs: number): Promise<Subscription[]> {
  const rows = await sql`select * from web_push_subscription
    where caller_key = ${callerKey} and renewed_us >= ${nowUs - LIFETIME_US} order by created_us, id`;
  return rows.map(subscriptionOf);
}

/** Without those that are too old, and those whose token is revoked or has expired: who may not look is not told. */
export async function liveSubscriptions(sql: Sql, callers: readonly string[], nowUs: number): Promise<Subscription[]> {
  const rows = await sql`select s.* from web_push_subscription s
    left join api_token t on t.id::text = s.token_id
    where s.renewed_us >= ${nowUs - LIFETIME_US}
      and (s.token_id is null or (t.id is not null and t.revoked_at is null
        and (t.expires_at is null or t.expires_at > to_timestamp(${nowUs / 1e6}))))
    order by s.created_us, s.id`;
  return rows.map(subscriptionOf).filter(({ caller }) => callers.length === 0 || callers.includes(caller));
}

export async function markDelivered(sql: Sql, id: string, nowUs: number): Promise<void> {
  await sql`update web_push_subscription set success_us = ${nowUs} where id::text = ${id}`;
}

export async function removeSubscription(sql: Sql, id: string): Promise<void> {
  await sql`delete from web_push_subscription where id::text = ${id}`;
}

function subscriptionOf(r: Row): Subscription {
  const { id, endpoint, p256dh, auth, label, caller } = r;
  const times = { createdUs: r.created_us, renewedUs: r.renewed_us, successUs: r.success_us ?? undefined };
  return { id, endpoint, p256dh, auth, label, caller, sensorPrefix: r.sensor_prefix, ...times };
}
