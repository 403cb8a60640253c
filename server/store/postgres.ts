import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Sql } from "postgres";
import { DAY_US } from "../lib/time.ts";
import { openClient, type SqlAddress } from "../postgres/connection.ts";
import { list } from "../postgres/literal.ts";
import { isUnavailable, RETRY_FIRST_MS, RETRY_MOST_MS } from "../postgres/unavailable.ts";
import { keyedAlertOf } from "./alerts.ts";
import { decodeBlock } from "./block.ts";
import { Committer } from "./commit.ts";
import { createPoints } from "./points.ts";
import { readQuarantined } from "./quarantine.ts";
import { seriesRow } from "./series.ts";
import { readChunks, readNewest, readOpenAlerts, replaceState, saveState } from "./state.ts";
import type { PartitionRow, StateChunk, Store } from "./store.ts";

/** A transaction of one batch takes milliseconds; past this the database is taken for stuck. */
const STATEMENT_TIMEOUT_MS = 60_000;

/** Below all numbers of chunks. */
const FIRST_CHUNK = -(2 ** 31);
/** Chunks of state in one answer: a few MB. */
const CHUNKS_AT_ONCE = 32;

/** Numbers of PostgreSQL's bigint as JavaScript numbers: ids, offsets and microseconds stay below 2^53. */
const BIGINT_AS_NUMBER = {
  bigint: { to: 20, from: [20], serialize: (n: number) => String(n), parse: (s: string) => Number(s) },
} as never;

/** `name`: what the database's list of sessions shows. */
export function openStoreSql(
  address: SqlAddress,
  max: number,
  timeoutMs: number = STATEMENT_TIMEOUT_MS,
  name = "telltale",
): Sql {
  return openClient(address, {
    max,
    types: BIGINT_AS_NUMBER,
    connection: { statement_timeout: timeoutMs, application_name: name } as never,
  }).sql;
}

/** @param onWriteFailed hears of each write that fails and is tried again: one that only reads says nothing of room */
export function createPostgresStore(
  address: SqlAddress,
  logger: Logger,
  onWriteFailed: (error: unknown) => void = () => undefined,
): Store {
  // For what is read (late readings, new series) and for the state of partitions that come and go.
  const sql = openStoreSql(address, 2);

  /** Tries until the database answers; other errors pass. */
  async function persist<T>(
    what: string,
    attempt: () => Promise<T>,
    onFailed: (error: unknown) => void = () => undefined,
  ): Promise<T> {
    for (let wait = RETRY_FIRST_MS; ; wait = Math.min(2 * wait, RETRY_MOST_MS)) {
      try {
        return await attempt();
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        logger.warn({ err: error, what, retryInMs: wait }, "the database is unavailable");
        onFailed(error);
        await delay(wait);
      }
    }
  }

  const write = <T>(what: string, attempt: () => Promise<T>) => persist(what, attempt, onWriteFailed);

  async function readPartition(partition: number): Promise<PartitionRow> {
    const found = await sql`select * from log_partition where partition = ${partition}`;
    const row = found[0];
    if (row === undefined) {
      await write(
        "add partition",
        () => sql`insert into log_partition (partition) values (${partition}) on conflict do nothing`,
      );
      return readPartition(partition);
    }
    return {
      nextOffset: row.next_offset,
      replayOffset: row.replay_offset,
      replayTick: row.replay_tick,
      replayReceivedUs: row.replay_received_us,
      replayTickedUs: row.replay_ticked_us ?? undefined,
      tick: row.tick,
      receivedUs: row.received_us,
      nextEvent: row.next_event,
      stateEpoch: row.state_epoch,
    };
  }

  // A connection of its own: readings of other partitions are not behind a look for late ones.
  const committer = new Committer(
    openStoreSql(address, 1, STATEMENT_TIMEOUT_MS, "telltale-commit"),
    logger,
    async (partition) => {
      const { nextOffset } = await persist("read partition", () => readPartition(partition));
      return nextOffset;
    },
    onWriteFailed,
  );

  // Its session is opened by the first trial, which hardly ever comes.
  const trials = new Committer(
    openStoreSql(address, 1, STATEMENT_TIMEOUT_MS, "telltale-trial"),
    logger,
    async () => -1,
  );

  return {
    readPartition: (partition) => persist("read partition", () => readPartition(partition)),

    readChunkVersions: (partition) =>
      persist("read versions of state", async () => {
        const rows = await sql`select chunk, version from state_chunk where partition = ${partition}`;
        return rows.map((r) => ({ chunk: r.chunk as number, version: r.version as string }));
      }),

    async *readChunks(partition) {
      let from = FIRST_CHUNK;
      let portion: StateChunk[];
      do {
        portion = await persist("read state", () => readChunks(sql, partition, from, CHUNKS_AT_ONCE));
        yield* portion;
        from = (portion.at(-1)?.chunk ?? from) + 1;
      } while (portion.length === CHUNKS_AT_ONCE);
    },

    readSeries: (partition) =>
      persist("read series", async () => {
        const rows = await sql`select s.id, coalesce(n.key, s.sensor_id) as sensor_id, sensor_type, unit, location
          from series s left join sensor_name n on n.name = s.sensor_id collate "C" where partition = ${partition} order by s.id`;
        return rows.map((r) => ({ id: r.id as number, ...seriesRow(r) }));
      }),

    addSeries: (partition, series) =>
      write("add series", async () => {
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
      write("number the model", async () => {
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

    commit: (c) => committer.commit(c),
    tryCommit: (c) => trials.trial(c),
    readQuarantined: (partition, from) => persist("read quarantine", () => readQuarantined(sql, partition, from)),

    readSettings: (partition, beforeOffset) =>
      persist("read settings", async () => {
        const rows = await sql`select log_offset, tick, received_us, control from detector_setting
          where partition = ${partition} and log_offset < ${beforeOffset} order by log_offset`;
        return rows.map((r) => ({
          offset: r.log_offset as number,
          tick: (r.tick as number | null) ?? 0,
          receivedUs: (r.received_us as number | null) ?? 0,
          control: new Uint8Array(r.control as Buffer),
        }));
      }),

    readAlert: (id) =>
      persist("read alert", async () => {
        const rows = await sql`select *, sensor_key(sensor_id) as key from alert where id = ${id}`;
        return rows[0] === undefined ? undefined : keyedAlertOf(rows[0]);
      }),

    readAlerts: (ids) =>
      persist("read alerts", async () => {
        if (ids.length === 0) return [];
        const rows =
          await sql`select *, sensor_key(sensor_id) as key from alert where id = any(${list(ids)}::bigint[])`;
        return rows.map(keyedAlertOf);
      }),

    readOpenAlerts: (partition) => persist("read open alerts", () => readOpenAlerts(sql, partition)),
    readNewest: (partition) => persist("read newest readings", () => readNewest(sql, partition)),
    replaceState: (replacement) => write("replace state", () => replaceState(sql, replacement)),
    saveState: (saving) => saveState(sql, saving),

    close: async () => {
      await Promise.all([committer.close(), trials.close()]);
      await sql.end({ timeout: 5 });
    },
  };
}
