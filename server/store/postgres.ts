import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Sql } from "postgres";
import { openClient, type SqlAddress } from "../log/connection.ts";
import { copyIn } from "../log/copy.ts";
import { ignoreHere, transaction } from "../log/transaction.ts";
import { alertOf, upsertAlert } from "./alerts.ts";
import { decodeBlock } from "./block.ts";
import { BLOCK_COLUMNS } from "./blocks.ts";
import { packTick } from "./log-ticks.ts";
import { createPoints } from "./points.ts";
import { seriesRow } from "./series.ts";
import { readNewest, readOpenAlerts, replaceState, saveChunks, saveState } from "./state.ts";
import { type Commit, FencedError, type PartitionRow, type StateChunk, type Store } from "./store.ts";

/** Pauses between tries while the database is away: long enough not to hammer it, short enough to heal within seconds. */
const RETRY_FIRST_MS = 50;
const RETRY_MOST_MS = 2000;
/** A transaction of one batch takes milliseconds; past this the database is taken for stuck. */
const STATEMENT_TIMEOUT_MS = 60_000;

/** Numbers of PostgreSQL's bigint as JavaScript numbers: ids, offsets and microseconds stay below 2^53. */
export const BIGINT_AS_NUMBER = {
  bigint: { to: 20, from: [20], serialize: (n: number) => String(n), parse: (s: string) => Number(s) },
} as never;

export function openStoreSql(address: SqlAddress, max: number, timeoutMs: number = STATEMENT_TIMEOUT_MS): Sql {
  return openClient(address, {
    max,
    types: BIGINT_AS_NUMBER,
    connection: { statement_timeout: timeoutMs, application_name: "telltale" } as never,
  }).sql;
}

/** Whether the database may answer the same request later: it is away, starting, stopping or out of connections. */
export function isAway(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? "";
  return (
    /^(08|57P|53|40)/.test(code) ||
    code === "55006" ||
    /^(CONNECTION_|CONNECT_TIMEOUT|ECONN|ENOENT|EPIPE|ETIMEDOUT|EHOST|ENOTFOUND|EAI_AGAIN)/.test(code)
  );
}

/** Records whose outcomes are kept: minutes of a heavy load. */
const KEPT_OUTCOMES = 50_000;
const DAY_US = 86_400_000_000;

const list = (values: readonly (number | boolean)[]) => `{${values.join(",")}}`;

export function createPostgresStore(address: SqlAddress, logger: Logger): Store {
  // One connection commits, one reads (late readings, new series) beside it.
  const sql = openStoreSql(address, 2);

  /** Tries until the database answers; other errors pass. */
  async function persist<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    for (let wait = RETRY_FIRST_MS; ; wait = Math.min(2 * wait, RETRY_MOST_MS)) {
      try {
        return await attempt();
      } catch (error) {
        if (!isAway(error)) throw error;
        logger.warn({ err: error, what, retryInMs: wait }, "database is away");
        await delay(wait);
      }
    }
  }

  async function readPartition(partition: number): Promise<PartitionRow> {
    const found = await sql`select * from log_partition where partition = ${partition}`;
    const row = found[0];
    if (row === undefined) {
      await sql`insert into log_partition (partition) values (${partition}) on conflict do nothing`;
      return readPartition(partition);
    }
    return {
      nextOffset: row.next_offset,
      replayOffset: row.replay_offset,
      replayTick: row.replay_tick,
      replayReceivedUs: row.replay_received_us,
      tick: row.tick,
      receivedUs: row.received_us,
      nextEvent: row.next_event,
      stateEpoch: row.state_epoch,
    };
  }

  async function commitOnce(c: Commit): Promise<void> {
    await transaction(sql, async (tx) => {
      // The log makes this commit repeatable, so it need not wait for the disk: after a crash of the database the offset
      // goes back with everything else, and the same records give the same rows.
      tx`set local synchronous_commit = off`.catch(ignoreHere);
      const n = c.next;
      const moved = await tx`
        update log_partition set next_offset = ${n.nextOffset}, replay_offset = ${n.replayOffset},
          replay_tick = ${n.replayTick}, replay_received_us = ${n.replayReceivedUs}, tick = ${n.tick},
          received_us = ${n.receivedUs}, next_event = ${n.nextEvent}, readings = readings + ${c.readings},
          anomalies = anomalies + ${c.anomalies}, late = late + ${c.late}
        where partition = ${c.partition} and next_offset = ${c.expectedOffset}
          and state_epoch = ${n.stateEpoch}
        returning (select current from block_generation) as generation`;
      if (moved.length === 0) {
        const now = await tx`select next_offset from log_partition where partition = ${c.partition}`;
        throw new FencedError(c.partition, c.expectedOffset, now[0]?.next_offset ?? -1);
      }
      const work: Promise<unknown>[] = [];
      if (c.blocks !== undefined) {
        const table = `block_new_${moved[0]!.generation as number}`;
        const rows = Buffer.from(c.blocks.buffer, c.blocks.byteOffset, c.blocks.byteLength);
        await copyIn(tx, `copy ${table} (${BLOCK_COLUMNS}) from stdin with (format binary)`, rows);
      }
      if (c.chunks.length > 0) await saveChunks(tx, c.partition, c.chunks);
      const s = c.changes;
      if (s.series.length > 0) {
        work.push(tx`
          update series s set readings = s.readings + u.readings, total = s.total + u.total,
            smallest = least(s.smallest, u.smallest), largest = greatest(s.largest, u.largest),
            anomalies = s.anomalies + u.anomalies, late = s.late + u.late, first_us = least(s.first_us, u.first_us),
            newest_us = greatest(s.newest_us, u.newest_us),
            last_us = case when n then u.last_us else s.last_us end, last_id = case when n then u.last_id else s.last_id end,
            last_value = case when n then u.last_value else s.last_value end,
            last_score = case when n then u.last_score else s.last_score end,
            last_anomaly = case when n then u.last_anomaly else s.last_anomaly end
          from (select *, last_us >= 0 as n from unnest(${list(s.series)}::int[], ${list(s.readings)}::int[],
            ${list(s.total)}::float8[], ${list(s.smallest)}::float8[], ${list(s.largest)}::float8[],
            ${list(s.anomalies)}::int[], ${list(s.late)}::int[], ${list(s.firstUs)}::bigint[], ${list(s.newestUs)}::bigint[], ${list(s.lastUs)}::bigint[],
            ${list(s.lastId)}::bigint[], ${list(s.lastValue)}::float8[], ${list(s.lastScore)}::int[],
            ${list(s.lastAnomaly)}::bool[]) x(id, readings, total, smallest, largest, anomalies, late, first_us, newest_us, last_us,
            last_id, last_value, last_score, last_anomaly)) u
          where s.id = u.id`);
      }
      for (const a of c.alerts) work.push(upsertAlert(tx, c.partition, a));
      if (c.events.length > 0) {
        const rows = c.events.map((e) => ({
          partition: c.partition,
          number: e.number,
          alert_id: e.alertId,
          event: Buffer.from(e.event),
        }));
        work.push(tx`insert into alert_event ${tx(rows)}`);
      }
      if (c.metadata.length > 0) {
        const rows = c.metadata.map((m) => ({
          series: m.series,
          observed_us: m.observedUs,
          struct: Buffer.from(m.struct),
        }));
        work.push(tx`insert into reading_metadata ${tx(rows)} on conflict do nothing`);
      }
      for (const x of c.settings) {
        work.push(tx`insert into detector_setting (partition, log_offset, tick, received_us, control)
          values (${c.partition}, ${x.offset}, ${x.tick}, ${x.receivedUs}, ${Buffer.from(x.control)})`);
      }
      for (const l of c.labels ?? []) {
        work.push(tx`update alert set label = ${l.correct}, labelled_us = ${l.labelledUs}, labelled_by = ${l.labelledBy},
          label_comment = ${l.comment} where id = ${l.alertId}`);
      }
      if (c.ticked !== undefined) {
        const { minute, bytes } = packTick(c.ticked.receivedUs, c.ticked.tick);
        work.push(tx`insert into log_tick (partition, minute, ticks) values (${c.partition}, ${minute}, ${bytes})
          on conflict (partition, minute) do update set ticks = log_tick.ticks || excluded.ticks`);
      }
      if (c.outcomes.length > 0) {
        const rows = c.outcomes.map((x) => ({
          partition: c.partition,
          log_offset: x.offset,
          outcome: Buffer.from(x.outcome),
        }));
        work.push(tx`insert into record_outcome ${tx(rows)}`);
        const kept = n.nextOffset - KEPT_OUTCOMES;
        work.push(tx`delete from record_outcome where partition = ${c.partition} and log_offset < ${kept}`);
      }
      await Promise.all(work);
    });
  }

  return {
    readPartition: (partition) => persist("read partition", () => readPartition(partition)),

    readChunks: (partition) =>
      persist("read state", async () => {
        const chunks: StateChunk[] = [];
        const rows = sql`select chunk, as_of, version, bytes from state_chunk where partition = ${partition} order by chunk`;
        // In portions: the state of a large partition does not fit one answer.
        for await (const portion of rows.cursor(64)) {
          for (const r of portion) {
            chunks.push({
              chunk: r.chunk,
              asOf: r.as_of,
              version: r.version,
              bytes: new Uint8Array(r.bytes as Buffer),
            });
          }
        }
        return chunks;
      }),

    readSeries: (partition) =>
      persist("read series", async () => {
        const rows = await sql`select id, sensor_id, sensor_type, unit, location from series
          where partition = ${partition} order by id`;
        return rows.map((r) => ({ id: r.id as number, ...seriesRow(r) }));
      }),

    addSeries: (partition, series) =>
      persist("add series", async () => {
        const rows = series.map((s) => ({
          partition,
          sensor_id: s.sensorId,
          sensor_type: s.sensorType,
          unit: s.unit,
          location: s.location ?? null,
        }));
        const ids: number[] = [];
        // A statement takes at most 65,535 parameters.
        for (let i = 0; i < rows.length; i += 5000) {
          const added = await sql`insert into series ${sql(rows.slice(i, i + 5000))}
            on conflict (sensor_id, sensor_type, unit, location) do update set partition = excluded.partition
            returning id`;
          for (const r of added) ids.push(r.id as number);
        }
        return ids;
      }),

    modelNumber: (version) =>
      persist("read model number", async () => {
        await sql`insert into model (version) values (${version}) on conflict do nothing`;
        const rows = await sql`select id from model where version = ${version}`;
        return rows[0]!.id as number;
      }),

    valuesAt: (series, timesUs) =>
      persist("read values", async () => {
        const ids = list(series);
        // A range for each day touched: compacted blocks do not cross days, so that few rows are read however far apart the
        // times lie.
        const ranges = new Map<number, [number, number]>();
        for (const t of timesUs) {
          const day = Math.floor(t / DAY_US) * DAY_US;
          const r = ranges.get(day);
          if (r === undefined) ranges.set(day, [t, t]);
          else {
            r[0] = Math.min(r[0], t);
            r[1] = Math.max(r[1], t);
          }
        }
        const days = list([...ranges.keys()]);
        const lows = list([...ranges.values()].map((r) => r[0]));
        const highs = list([...ranges.values()].map((r) => r[1]));
        const rows = await sql`
          with r as (select * from unnest(${days}::bigint[], ${lows}::bigint[], ${highs}::bigint[]) x(day, low, high))
          select b.first_us, b.first_id, b.points, b.data from block_new b
            where b.series = any(${ids}::int[]) and exists (select from r where b.first_us <= r.high and b.last_us >= r.low)
          union all
          select b.first_us, b.first_id, b.points, b.data from r join block b
            on b.series = any(${ids}::int[]) and b.first_us between r.day and r.high and b.last_us >= r.low`;
        const values = new Map<number, number>();
        for (const r of rows) {
          const points = createPoints(r.points as number);
          decodeBlock(r.data as Buffer, r.first_us as number, r.first_id as number, points);
          for (let i = 0; i < points.length; i++) values.set(points.timeUs[i]!, points.value[i]!);
        }
        return values;
      }),

    commit: async (c) => {
      for (let wait = RETRY_FIRST_MS; ; wait = Math.min(2 * wait, RETRY_MOST_MS)) {
        try {
          await commitOnce(c);
          return;
        } catch (error) {
          if (error instanceof FencedError) throw error;
          if (!isAway(error)) throw error;
          logger.warn({ err: error, partition: c.partition, retryInMs: wait }, "commit failed, database is away");
          await delay(wait);
          // The commit may have been made before the connection broke: look before trying again.
          const now = await persist("read partition", () => readPartition(c.partition));
          if (now.nextOffset === c.next.nextOffset) return;
          if (now.nextOffset !== c.expectedOffset) throw new FencedError(c.partition, c.expectedOffset, now.nextOffset);
        }
      }
    },

    readSettings: (partition, beforeOffset) =>
      persist("read settings", async () => {
        const rows = await sql`select control from detector_setting
          where partition = ${partition} and log_offset < ${beforeOffset} order by log_offset`;
        return rows.map((r) => new Uint8Array(r.control as Buffer));
      }),

    readAlert: (id) =>
      persist("read alert", async () => {
        const rows = await sql`select * from alert where id = ${id}`;
        return rows[0] === undefined ? undefined : alertOf(rows[0]);
      }),

    readAlerts: (ids) =>
      persist("read alerts", async () => {
        const rows = ids.length === 0 ? [] : await sql`select * from alert where id = any(${list(ids)}::bigint[])`;
        return rows.map(alertOf);
      }),

    readOpenAlerts: (partition) => persist("read open alerts", () => readOpenAlerts(sql, partition)),
    readNewest: (partition) => persist("read newest readings", () => readNewest(sql, partition)),
    replaceState: (replacement) => persist("replace state", () => replaceState(sql, replacement)),
    saveState: (saving) => saveState(sql, saving),

    close: () => sql.end({ timeout: 5 }),
  };
}
