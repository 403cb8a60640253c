import type { Sql } from "postgres";
import { AlertState } from "../../gen/es/telltale/v1/alert_pb.ts";
import { CopyBuffer, copyIn, copyOut, putBytes, putInt32, putInt64, rowsOf } from "../postgres/copy.ts";
import { jsonb, list } from "../postgres/literal.ts";
import { ignoreHere, transaction } from "../postgres/transaction.ts";
import { alertColumns, eventColumns, keyedAlertOf } from "./alerts.ts";
import {
  type AlertRow,
  FencedError,
  type NewestRow,
  type StateChunk,
  type StateReplacement,
  type StateSaving,
} from "./store.ts";

/** Field count, then each field's length and value, without version and bytes themselves. */
const CHUNK_HEAD = 2 + (4 + 4) + (4 + 4) + (4 + 8) + 4 + 4;

/** Chunks of one partition's state. */
export interface Saved {
  readonly partition: number;
  readonly chunks: readonly StateChunk[];
}

/**
 * Puts chunks in the place of their former saves: statements of one transaction, and the data of the COPY that is the last of them.
 * By COPY, which takes bytes as they are: as parameters they become text of twice the length that is copied five times, and most of
 * what the collector of garbage has to do.
 */
export function savingOf(saved: readonly Saved[]): { statements: string; data: Buffer } {
  const rows = saved.flatMap(({ partition, chunks }) => chunks.map((chunk) => ({ partition, ...chunk })));
  const copy = new CopyBuffer(rows.reduce((n, k) => n + CHUNK_HEAD + 2 * k.version.length + k.bytes.length, 64));
  for (const k of rows) {
    const version = Buffer.from(k.version);
    const b = copy.reserve(CHUNK_HEAD + version.length + k.bytes.length);
    let p = b.writeInt16BE(5, copy.position);
    p = putInt32(b, p, k.partition);
    p = putInt32(b, p, k.chunk);
    p = putInt64(b, p, k.asOf);
    p = putBytes(b, p, version);
    p = putBytes(b, p, k.bytes);
    copy.advance(p);
  }
  const [partitions, chunks] = [list(rows.map((r) => r.partition)), list(rows.map((r) => r.chunk))];
  const statements = `delete from state_chunk s using unnest('${partitions}'::int[], '${chunks}'::int[]) x(partition, chunk)
    where s.partition = x.partition and s.chunk = x.chunk;
    copy state_chunk (partition, chunk, as_of, version, bytes) from stdin with (format binary)`;
  return { statements, data: copy.finish() };
}

/** Up to `limit` saved chunks from that number on, by COPY too: as results of a query, bytes come in digits. They are views of what came. */
export async function readChunks(sql: Sql, partition: number, from: number, limit: number): Promise<StateChunk[]> {
  const messages = await copyOut(
    sql,
    `copy (
      select chunk, as_of, version, bytes from state_chunk
      where partition = ${partition} and chunk >= ${from} order by chunk limit ${limit}
    ) to stdout (format binary)`,
  );
  return Array.from(rowsOf(messages), ([chunk, asOf, version, bytes]) => ({
    chunk: chunk!.readInt32BE(),
    asOf: Number(asOf!.readBigInt64BE()),
    version: version!.toString(),
    bytes: bytes!,
  }));
}

export async function readOpenAlerts(sql: Sql, partition: number): Promise<AlertRow[]> {
  const rows = await sql`select *, sensor_key(sensor_id) as key from alert
    where partition = ${partition} and state = ${AlertState.OPEN} order by id`;
  return rows.map(keyedAlertOf);
}

export async function readNewest(sql: Sql, partition: number): Promise<NewestRow[]> {
  const rows = await sql`select sensor_key(sensor_id) as sensor_id, last_us, last_value, last_id from series
    where partition = ${partition} and last_us is not null`;
  return rows.map((r) => ({ sensorId: r.sensor_id, lastUs: r.last_us, lastValue: r.last_value, lastId: r.last_id }));
}

/**
 * Deletes the saved state and puts another in its place, in one transaction: whoever opens the partition sees one or the other.
 * Fails with FencedError where the partition is not as it was read; a commit of whoever worked with the former state fails after it.
 */
export async function replaceState(sql: Sql, r: StateReplacement): Promise<void> {
  const { partition } = r;
  await transaction(sql, async (tx) => {
    await moveReplay(tx, r);
    await tx`delete from state_chunk where partition = ${partition}`;
    await putChunks(tx, r);
    const alerts = jsonb(r.alerts.map((a) => alertColumns(partition, a)));
    const events = jsonb(r.events.map((e) => eventColumns(partition, e)));
    await tx.unsafe(`select put_alerts(${alerts}), put_alert_events(${events})`);
  });
}

/** Saves chunks in one transaction. Fails with FencedError where the partition has another owner. */
export async function saveState(sql: Sql, s: StateSaving): Promise<void> {
  await transaction(sql, async (tx) => {
    await moveReplay(tx, s);
    await putChunks(tx, s);
  });
}

async function moveReplay(tx: Sql, { partition, before, after }: StateSaving): Promise<void> {
  tx`set local synchronous_commit = off`.catch(ignoreHere);
  const moved = await tx`
    update log_partition set replay_offset = ${after.replayOffset}, replay_tick = ${after.replayTick},
      replay_received_us = ${after.replayReceivedUs}, replay_ticked_us = ${after.replayTickedUs ?? null},
      next_event = ${after.nextEvent}, state_epoch = ${after.stateEpoch}
    where partition = ${partition} and next_offset = ${before.nextOffset} and state_epoch = ${before.stateEpoch}
    returning next_offset`;
  if (moved.length > 0) return;
  const now = await tx`select next_offset from log_partition where partition = ${partition}`;
  throw new FencedError(partition, before.nextOffset, now[0]?.next_offset ?? -1);
}

/** One after another: all of them at once may be more than fits into memory. */
async function putChunks(tx: Sql, { partition, chunks }: StateSaving): Promise<void> {
  for (const chunk of chunks()) {
    const { statements, data } = savingOf([{ partition, chunks: [chunk] }]);
    await copyIn(tx, statements, [data]);
  }
}
