import type { Sql } from "postgres";
import { StartupError, TelltaleError } from "../errors.ts";
import { copyIn, copyOut } from "../postgres/copy.ts";
import { transaction } from "../postgres/transaction.ts";
import type { LogEntry } from "./log.ts";
import { decodeEntries, encodeRows, type Row } from "./rows.ts";

/** One table of records. A partition's records with offsets from `first[partition]` up to the next segment's are in it. */
export interface Segment {
  readonly id: number;
  readonly first: readonly number[];
}

/** What the tables hold: the segments, oldest first, and each partition's next offset. */
export interface Layout {
  readonly segments: Segment[];
  readonly next: number[];
}

/** A client or a transaction of it. */
type Queries = Pick<Sql, "unsafe">;

const schema = "telltale_log";
/** Two numbers of our own, so that no other user of advisory locks in the database is met by chance. */
const lockKeys = "1416389708, 1281321842";
/** Time that a former owner's session may take to end (a killed process's server side notices at its next read). */
const lockTimeoutMs = 10_000;

const table = (id: number) => `${schema}.records_${id}`;

/** Makes this session the only appender, or says who is. `me` is this process's application_name. */
export async function lockAppender(sql: Sql, me: string): Promise<void> {
  const [{ locked } = { locked: false }] = await sql.unsafe(`select pg_try_advisory_lock(${lockKeys}) as locked`);
  if (locked) return;
  // A session of our own that the network has cut, but the server still believes in.
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = ${me} and pid <> pg_backend_pid()`;
  try {
    await sql.unsafe(`set lock_timeout = ${lockTimeoutMs}`);
    await sql.unsafe(`select pg_advisory_lock(${lockKeys})`);
    await sql.unsafe("set lock_timeout = 0");
  } catch (error) {
    if ((error as { code?: string }).code !== "55P03") throw error;
    throw new StartupError(`${await holder(sql)} Stop it first, or give this one a database of its own.`);
  }
}

async function holder(sql: Sql): Promise<string> {
  const [keyHigh, keyLow] = lockKeys.split(", ").map(Number) as [number, number];
  const [row] = await sql`
    select a.pid, a.application_name as name, a.backend_start::text as since
    from pg_locks l join pg_stat_activity a using (pid)
    where l.locktype = 'advisory' and l.granted and l.classid = ${keyHigh} and l.objid = ${keyLow}`;
  const who = row ? ` (${row.name}, session ${row.pid}, since ${row.since})` : "";
  return `Another process${who} writes to the log in this database, and only one may.`;
}

/**
 * Closes the newest segment permanently and begins a new one. A constraint that refuses every new row makes an append of a
 * former owner fail, and adding it waits for one under way: so what `next` says is final, whatever became of the
 * former owner's last commit.
 */
export async function takeOver(sql: Sql, partitions: number): Promise<Layout> {
  return await transaction(sql, async (tx) => {
    await tx.unsafe(`create schema if not exists ${schema}`);
    await tx.unsafe(`create table if not exists ${schema}.segment (id int8 primary key, first int8[] not null)`);
    const rows = await tx.unsafe(`select id, first::text from ${schema}.segment order by id`);
    const segments: Segment[] = rows.map((row) => ({ id: Number(row.id), first: numbers(row.first) }));
    const newest = segments.at(-1);
    const next = newest ? await nextOffsets(tx, newest) : new Array<number>(partitions).fill(0);
    if (next.length !== partitions) {
      throw new StartupError(
        `The log in this database has ${next.length} partitions, but ${partitions} are asked for. The number is fixed when ` +
          `the log is made (sensors would change their partition): set it back to ${next.length}.`,
      );
    }
    if (newest) await tx.unsafe(`alter table ${table(newest.id)} add constraint sealed check (false) not valid`);
    segments.push(await createSegment(tx, (newest?.id ?? 0) + 1, next));
    return { segments, next };
  });
}

async function nextOffsets(sql: Queries, { id, first }: Segment): Promise<number[]> {
  const rows = await sql.unsafe(`
    select p, (select max("offset") from ${table(id)} where partition = p) as last
    from generate_series(0, ${first.length - 1}) p order by p`);
  return rows.map((row, partition) => (row.last === null ? first[partition]! : Number(row.last) + 1));
}

/**
 * Payloads are stored as they are (they are compressed already or not worth it) and out of the row. Rows are never updated or
 * deleted, so vacuum has nothing to do.
 */
export async function createSegment(sql: Queries, id: number, next: readonly number[]): Promise<Segment> {
  const first = [...next];
  await sql.unsafe(`
    create table ${table(id)} (
      partition int4 not null,
      "offset" int8 not null,
      payload bytea not null,
      primary key (partition, "offset")
    ) with (autovacuum_enabled = false, toast.autovacuum_enabled = false);
    alter table ${table(id)} alter column payload set storage external;
    insert into ${schema}.segment values (${id}, '{${first.join(",")}}')`);
  return { id, first };
}

export async function dropSegment(sql: Queries, id: number): Promise<void> {
  // Two statements in one message are one transaction.
  await sql.unsafe(`drop table if exists ${table(id)}; delete from ${schema}.segment where id = ${id}`);
}

/** One transaction for all rows. Rejects without saying whether they were stored when the connection ends meanwhile. */
export async function appendRows(sql: Sql, segment: Segment, rows: readonly Row[]): Promise<void> {
  await copyIn(sql, `copy ${table(segment.id)} from stdin (format binary)`, [encodeRows(rows)]);
}

/** Rows looked at per read, a bound on the sort for the running sum. */
const maxReadRows = 1_000;

/** Up to `maxBytes` of the partition's records from the offset on (one at least, if there is one). */
export async function readEntries(
  sql: Sql,
  layout: Layout,
  partition: number,
  from: number,
  maxBytes: number,
): Promise<LogEntry[]> {
  const oldest = layout.segments[0]?.first[partition] ?? 0;
  if (from < oldest || from > layout.next[partition]!) {
    throw new TelltaleError(
      "conflict",
      `The store wants partition ${partition} of the log from offset ${from} on, but the log has ${oldest} to ` +
        `${layout.next[partition]! - 1}: store and log are not of the same age. Restore them from the same backup.`,
    );
  }
  const start = layout.segments.findLastIndex(({ first }) => first[partition]! <= from);
  for (const { id } of layout.segments.slice(start)) {
    const messages = await copyOut(
      sql,
      `copy (
        select "offset", payload from (
          select "offset", payload, sum(length(payload)) over (order by "offset") - length(payload) as before
          from (
            select "offset", payload from ${table(id)}
            where partition = ${partition} and "offset" >= ${from} order by "offset" limit ${maxReadRows}
          ) as rows
        ) as summed
        where before < ${maxBytes} order by "offset"
      ) to stdout (format binary)`,
    );
    const entries = decodeEntries(messages);
    if (entries.length > 0) return entries;
  }
  return [];
}

function numbers(array: string): number[] {
  return array.slice(1, -1).split(",").map(Number);
}
