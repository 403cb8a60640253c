/** Signs of life in PostgreSQL. Times are the database's: processes have clocks of their own. */
import type { Row, Sql } from "postgres";
import { jsonText } from "../../postgres/literal.ts";
import type { Labels } from "../matching.ts";
import { MAX_GAP_MS } from "./limits.ts";

/** A row is written again after this time, and not at every step. */
const SEEN_EVERY_US = 5_000_000;

export interface StoredHeartbeat {
  readonly name: string;
  readonly sinceUs: number;
  readonly lastUs: number | undefined;
  readonly pings: number;
  /** Labels of its open alert. */
  readonly missing: Labels | undefined;
  readonly missingUs: number | undefined;
}

export interface StoredPing {
  readonly name: string;
  readonly okUs: number | undefined;
  readonly failedUs: number | undefined;
  /** Why the last one was not taken; "" where it was. */
  readonly reason: string;
}

/** Takes a sign of life. */
export async function takeSign(
  sql: Sql,
  name: string,
): Promise<{ readonly atUs: number; readonly wasMissing: boolean }> {
  const [row] = await sql`insert into notify_heartbeat (name, since_us, last_us, pings)
    values (${name}, database_us(), database_us(), 1)
    on conflict (name) do update set last_us = greatest(notify_heartbeat.last_us, excluded.last_us),
      pings = notify_heartbeat.pings + 1
    returning last_us, missing_us`;
  return { atUs: row!.last_us, wasMissing: row!.missing_us !== null };
}

export async function readHeartbeats(sql: Sql): Promise<StoredHeartbeat[]> {
  return (await sql`select * from notify_heartbeat`).map(heartbeatOf);
}

/** Labels of the alerts of those that are missing. */
export async function openOwnLabels(tx: Sql): Promise<Labels[]> {
  return (await tx`select missing from notify_heartbeat where missing is not null`).map(({ missing }) => missing);
}

export async function databaseUs(sql: Sql): Promise<number> {
  const [row] = await sql`select database_us() as now`;
  return row!.now;
}

/** Since when somebody has been there without a gap; undefined: nobody ever was. */
export async function readWatch(sql: Sql): Promise<number | undefined> {
  const [row] = await sql`select since_us from notify_watch`;
  return row?.since_us;
}

/** Notes that somebody is there. Since when somebody has been, without a gap. */
export async function keepWatch(tx: Sql, nowUs: number): Promise<number> {
  const [row] = await tx`select since_us, seen_us from notify_watch`;
  const hasGap = row === undefined || row.seen_us < nowUs - MAX_GAP_MS * 1_000;
  const sinceUs: number = hasGap ? nowUs : row.since_us;
  if (hasGap || row.seen_us < nowUs - SEEN_EVERY_US) {
    await tx`insert into notify_watch (since_us, seen_us) values (${sinceUs}, ${nowUs})
      on conflict (only_row) do update set since_us = excluded.since_us, seen_us = excluded.seen_us`;
  }
  return sinceUs;
}

/** Known from now on; of those that are known nothing changes. */
export async function expect(tx: Sql, names: readonly string[], nowUs: number): Promise<void> {
  await tx`insert into notify_heartbeat (name, since_us)
    select name, ${nowUs} from jsonb_array_elements_text(${jsonText(names)}::text::jsonb) as x(name)
    on conflict do nothing`;
}

export async function markMissing(
  tx: Sql,
  name: string,
  missing: { readonly labels: Labels; readonly sinceUs: number } | undefined,
): Promise<void> {
  await tx`update notify_heartbeat
    set missing = ${missing === undefined ? null : jsonText(missing.labels)}::text::jsonb, missing_us = ${missing?.sinceUs ?? null}
    where name = ${name}`;
}

export async function forget(tx: Sql, names: readonly string[]): Promise<void> {
  await tx`delete from notify_heartbeat
    where name in (select jsonb_array_elements_text(${jsonText(names)}::text::jsonb))`;
}

/** What became of a ping that was sent. */
export async function recordPing(sql: Sql, name: string, failure: string | undefined): Promise<void> {
  if (failure === undefined) {
    await sql`insert into notify_ping (name, ok_us) values (${name}, database_us())
      on conflict (name) do update set ok_us = excluded.ok_us, reason = ''`;
  } else {
    await sql`insert into notify_ping (name, failed_us, reason) values (${name}, database_us(), ${failure})
      on conflict (name) do update set failed_us = excluded.failed_us, reason = excluded.reason`;
  }
}

/** Of those that are sent no more. */
export async function forgetPingsBut(sql: Sql, names: readonly string[]): Promise<void> {
  await sql`delete from notify_ping
    where name not in (select jsonb_array_elements_text(${jsonText(names)}::text::jsonb))`;
}

export async function readPings(sql: Sql): Promise<StoredPing[]> {
  const rows = await sql`select * from notify_ping`;
  return rows.map(({ name, ok_us: ok, failed_us: failed, reason }) => {
    return { name, okUs: ok ?? undefined, failedUs: failed ?? undefined, reason };
  });
}

function heartbeatOf({ name, since_us: sinceUs, pings, missing, ...r }: Row): StoredHeartbeat {
  const times = { sinceUs, lastUs: r.last_us ?? undefined, missingUs: r.missing_us ?? undefined };
  return { name, ...times, pings, missing: missing ?? undefined };
}
