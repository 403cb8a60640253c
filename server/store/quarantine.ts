/** The store's side of what is set aside: see `migrations/071_quarantine.sql`. */
import type { Row, Sql } from "postgres";
import { hex, jsonb } from "../postgres/literal.ts";
import type { QuarantinedKey, QuarantinedRow } from "./store.ts";

/** A statement of the commit's transaction. Read again after a crash, the same record is set aside once. */
export function quarantineStatement(partition: number, rows: readonly QuarantinedRow[]): string {
  const objects = rows.map((r) => ({
    partition,
    log_offset: r.offset,
    fragment: r.fragment,
    index: r.index,
    readings: r.readings,
    sensor_id: storable(r.sensorId),
    reason: storable(r.reason),
    sqlstate: r.sqlstate,
    received_us: r.receivedUs,
    payload: hex(r.payload),
  }));
  return `insert into quarantined_reading (partition, log_offset, fragment, index, readings, sensor_id, reason, sqlstate, received_us, payload)
    select partition, log_offset, fragment, index, readings, sensor_id, reason, sqlstate, received_us, decode(payload, 'hex')
    from jsonb_to_recordset(${jsonb(objects)}) as x(partition int, log_offset bigint, fragment int, index int, readings int,
      sensor_id text, reason text, sqlstate text, received_us bigint, payload text)
    on conflict (partition, log_offset, fragment, index) do nothing`;
}

/** What of the records from the offset on is set aside. */
export async function readQuarantined(sql: Sql, partition: number, from: number): Promise<QuarantinedKey[]> {
  const rows = await sql`select log_offset, fragment, index from quarantined_reading
    where partition = ${partition} and log_offset >= ${from}`;
  return rows.map((r) => ({ offset: r.log_offset, fragment: r.fragment, index: r.index }));
}

/** PostgreSQL's text has no NUL. */
function storable(text: string): string {
  return text.replaceAll("\0", "\ufffd").toWellFormed().slice(0, 1000);
}

/** What is set aside, as people see it. */
export interface QuarantinedItem extends QuarantinedRow {
  readonly id: number;
  readonly partition: number;
  /** Of the payload, which is empty in a list where it is too large. */
  readonly payloadBytes: number;
  readonly state: number;
  readonly decidedUs: number | undefined;
  readonly decidedBy: string;
}

export const WAITING = 1;
export const SUBMITTED_AGAIN = 2;
export const DISCARDED = 3;

export interface QuarantineFilter {
  /** Older than this id; 0: from the newest. */
  readonly beforeId: number;
  /** Also what is decided. */
  readonly all: boolean;
  readonly limit: number;
  /** Larger payloads are left out. */
  readonly maxPayloadBytes: number;
  /** Rows end, one at least, behind that with which their payloads have so many bytes. */
  readonly maxBytes: number;
}

/** What people do with what is set aside. */
export class QuarantineQueries {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Newest first. */
  async list({ beforeId, all, limit, maxPayloadBytes, maxBytes }: QuarantineFilter): Promise<QuarantinedItem[]> {
    const before = beforeId === 0 ? Number.MAX_SAFE_INTEGER : beforeId;
    // Lengths first: a thousand whole records would be gigabytes.
    const rows = await this.#sql`
      with listed as (select id, octet_length(payload) as bytes from quarantined_reading
        where id < ${before} and (${all} or state = ${WAITING}) order by id desc limit ${limit}),
      summed as (select id, bytes <= ${maxPayloadBytes} as whole,
        sum(case when bytes <= ${maxPayloadBytes} then bytes else 0 end) over (order by id desc rows unbounded preceding exclude current row) as before
        from listed)
      select ${this.#sql.unsafe(PLAIN)}, sensor_shown(sensor_id) as shown, octet_length(payload) as payload_bytes, case when whole then payload else '' end as payload
      from summed s join quarantined_reading using (id) where coalesce(s.before, 0) <= ${maxBytes} order by id desc`;
    return rows.map(itemOf);
  }

  async get(id: number): Promise<QuarantinedItem | undefined> {
    const rows = await this
      .#sql`select *, sensor_shown(sensor_id) as shown, octet_length(payload) as payload_bytes from quarantined_reading where id = ${id}`;
    return rows[0] && itemOf(rows[0]);
  }

  /** Decides once; undefined where there is none that waits. */
  async decide(id: number, state: number, by: string, nowUs: number): Promise<QuarantinedItem | undefined> {
    const rows = await this
      .#sql`update quarantined_reading set state = ${state}, decided_us = ${nowUs}, decided_by = ${by}
      where id = ${id} and state = ${WAITING} returning *, sensor_shown(sensor_id) as shown, octet_length(payload) as payload_bytes`;
    return rows[0] && itemOf(rows[0]);
  }

  async waiting(): Promise<number> {
    const [row] = await this.#sql`select count(*)::int as n from quarantined_reading where state = ${WAITING}`;
    return row!.n;
  }
}

/** All columns but the payload. */
const PLAIN =
  "id, partition, log_offset, fragment, index, readings, sensor_id, reason, sqlstate, received_us, state, decided_us, decided_by";

function itemOf(r: Row): QuarantinedItem {
  return {
    id: r.id,
    partition: r.partition,
    offset: r.log_offset,
    fragment: r.fragment,
    index: r.index,
    readings: r.readings,
    sensorId: r.shown,
    reason: r.reason,
    sqlstate: r.sqlstate,
    receivedUs: r.received_us,
    payload: new Uint8Array(r.payload as Buffer),
    payloadBytes: r.payload_bytes,
    state: r.state,
    decidedUs: r.decided_us ?? undefined,
    decidedBy: r.decided_by,
  };
}
