/**
 * Removes what is stored of deleted sensors, in small transactions, so that readings go on being stored meanwhile; whoever is killed leaves
 * whole ones behind, and the next process goes on. The order keeps pace with compaction, which may move blocks at the same time from the
 * tables of arrival to those at rest, but never back: the first are emptied first.
 *
 * What stays: the deletion's record in the log and in the settings, and the log itself, until its retention.
 */
import { fromBinary } from "@bufbuild/protobuf";
import type { Row, Sql } from "postgres";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { list } from "../postgres/literal.ts";
import { blockTables, maintain } from "./compact.ts";
import { sensorOf } from "./control-sensor.ts";

/** Deletions that are worked on at once: their series are looked for together. */
const AT_ONCE = 100;
/** Rows in one transaction: tens of milliseconds, and far less than a portion of compaction writes. Blocks have up to 1,024 readings each. */
const BLOCKS = 2_000;
const ROWS = 10_000;
/** Alert events are removed when every receiver has had them, or after so long: one that is gone for good keeps nothing. */
const UNDELIVERED_US = 86_400_000_000;
/** Finished deletions are listed for so long. */
const LISTED_US = 30 * 86_400_000_000;

interface Deletion {
  readonly id: number;
  readonly partition: number;
  readonly offset: number;
  readonly sensorId: string;
  /** What the log knows it by. */
  readonly sensorKey: string;
  readonly firstId: number;
  readonly series: readonly number[];
  readonly atUs: number;
}

export interface Removed {
  /** Deletions that are not finished. */
  readonly waiting: number;
  readonly finished: number;
}

/** Works on the deletions that are not finished, the oldest first. `rest` is called between transactions. */
export async function removeDeleted(sql: Sql, nowUs: number, rest: () => Promise<void>): Promise<Removed> {
  let finished = 0;
  // Behind those that wait for receivers of their alerts there may be others.
  for (let next = await unfinished(sql, undefined); next.length > 0; next = await unfinished(sql, next.at(-1)!.id)) {
    const series = new Map(next.flatMap((d) => d.series.map((number) => [number, d.id] as const)));
    if (series.size > 0) await removeReadings(sql, series, rest);
    for (const d of next) await removeAlerts(sql, d, nowUs, rest);
    await removeKnown(sql, next, rest);
    await removeSettings(sql, next, rest);
    finished += await finish(sql, next, nowUs);
  }
  const [left] = await sql`select count(*)::int as n from sensor_deletion where finished_us is null`;
  return { waiting: left!.n, finished };
}

async function unfinished(sql: Sql, after: number | undefined): Promise<Deletion[]> {
  const rows = await sql`select *, array_to_json(series) as numbers from sensor_deletion
    where finished_us is null ${after === undefined ? sql`` : sql`and id > ${after}::bigint`} order by id limit ${AT_ONCE}`;
  return rows.map(deletionOf);
}

function deletionOf(r: Row): Deletion {
  return {
    ...{ id: r.id, partition: r.partition, offset: r.log_offset, sensorId: r.sensor_id },
    sensorKey: r.sensor_key ?? r.sensor_id,
    ...{ firstId: r.first_id, series: r.numbers, atUs: r.deleted_us },
  };
}

/** Repeats a transaction until it finds less than there may be in one. */
async function inPortions(
  sql: Sql,
  most: number,
  rest: () => Promise<void>,
  work: (tx: Sql) => Promise<number>,
): Promise<void> {
  for (let found = most; found >= most; ) {
    found = await maintain(sql, work);
    if (found > 0) await rest();
  }
}

/** @param series by number, the deletion that it is of */
async function removeReadings(sql: Sql, series: ReadonlyMap<number, number>, rest: () => Promise<void>): Promise<void> {
  const numbers = list([...series.keys()]);
  // Those of arrival first; a table that compaction has emptied and dropped meanwhile has nothing any more.
  for (const kind of ["block_new", "block"] as const) {
    for (const table of await blockTables(sql, kind)) {
      await inPortions(sql, BLOCKS, rest, async (tx) => {
        if (!(await blockTables(tx, kind)).includes(table)) return 0;
        const gone = await tx`delete from ${tx(table)} where ctid = any(array(
          select ctid from ${tx(table)} where series = any(${numbers}::int[]) limit ${BLOCKS})) returning series, points`;
        await countRemoved(tx, gone, series);
        return gone.length;
      });
    }
  }
  const others: ((tx: Sql) => Promise<{ count: number }>)[] = [
    (tx) => tx`delete from rollup where ctid = any(array(
      select ctid from rollup where series = any(${numbers}::int[]) limit ${ROWS}))`,
    (tx) => tx`delete from rollup_series where series = any(${numbers}::int[])`,
    (tx) => tx`delete from reading_metadata where ctid = any(array(
      select ctid from reading_metadata where series = any(${numbers}::int[]) limit ${ROWS}))`,
    (tx) => tx`delete from rescored_block where ctid = any(array(
      select b.ctid from rescore_run r join rescored_block b on b.run = r.id and b.series = any(${numbers}::int[]) limit ${BLOCKS}))`,
  ];
  for (const remove of others) await inPortions(sql, BLOCKS, rest, async (tx) => (await remove(tx)).count);
}

/** Says how far each deletion is. */
async function countRemoved(tx: Sql, gone: readonly Row[], series: ReadonlyMap<number, number>): Promise<void> {
  const readings = new Map<number, number>();
  for (const r of gone) {
    const id = series.get(r.series)!;
    readings.set(id, (readings.get(id) ?? 0) + r.points);
  }
  if (readings.size === 0) return;
  await tx`update sensor_deletion d set removed_readings = d.removed_readings + x.readings
    from unnest(${list([...readings.keys()])}::bigint[], ${list([...readings.values()])}::bigint[]) x(id, readings) where d.id = x.id`;
}

/** Alerts of before the deletion and their events, of which the numbers stay: what follows in the list must not move. */
async function removeAlerts(sql: Sql, d: Deletion, nowUs: number, rest: () => Promise<void>): Promise<void> {
  const all = nowUs - d.atUs > UNDELIVERED_US;
  await inPortions(sql, ROWS, rest, async (tx) => {
    const old = await tx`
      select a.id from alert a where a.sensor_id = ${d.sensorId} and a.partition = ${d.partition} and a.id < ${d.firstId}
        and (${all} or not exists (
          select from alert_event e join outbox_progress o on o.partition = e.partition and o.next_number <= e.number
          where e.alert_id = a.id))
      order by a.id limit ${ROWS}`;
    // Whoever derives something from events hears of each change of them.
    if (old.length === 0) return 0;
    const ids = list(old.map((r) => r.id));
    await tx`update alert_event set alert_id = 0, event = '' where alert_id = any(${ids}::bigint[])`;
    await tx`delete from outbox_dropped where alert_id = any(${ids}::bigint[])`;
    await tx`delete from alert where id = any(${ids}::bigint[])`;
    return old.length;
  });
}

/** What people and the sensor itself said of it, as of before the deletion; and what was set aside of it, but for its place in the log. */
async function removeKnown(sql: Sql, deletions: readonly Deletion[], rest: () => Promise<void>): Promise<void> {
  const ids = list(deletions.map(({ id }) => id));
  const removals: ((tx: Sql) => Promise<{ count: number }>)[] = [
    (tx) => tx`delete from sensor_profile p using sensor_deletion d
      where d.id = any(${ids}::bigint[]) and p.sensor_id = d.sensor_id and p.changed <= d.changed`,
    (tx) => tx`delete from sensor_attributes a using sensor_deletion d
      where d.id = any(${ids}::bigint[]) and a.sensor_id = d.sensor_id and a.changed <= d.changed`,
    // The places stay: whoever reads the log again leaves these out.
    (tx) => tx`update quarantined_reading q set sensor_id = '', reason = 'of a deleted sensor', payload = '', state = 3,
        decided_us = coalesce(q.decided_us, d.deleted_us), decided_by = d.deleted_by
      from sensor_deletion d where d.id = any(${ids}::bigint[]) and q.sensor_id <> '' and q.sensor_id = coalesce(d.sensor_key, d.sensor_id)
        and q.partition = d.partition and q.log_offset < d.log_offset`,
    (tx) => tx`delete from window_stats where ctid = any(array(
      select w.ctid from sensor_deletion d join window_stats w on w.kind = 'sensor' and w.key = coalesce(d.sensor_key, d.sensor_id)
      where d.id = any(${ids}::bigint[]) and to_us(w.started_at) < d.deleted_us limit ${ROWS}))`,
  ];
  for (const remove of removals) await inPortions(sql, ROWS, rest, async (tx) => (await remove(tx)).count);
}

/** Settings, labels and maintenance windows of the sensors alone. The records of deletions stay. */
async function removeSettings(sql: Sql, deletions: readonly Deletion[], rest: () => Promise<void>): Promise<void> {
  const bySensor = Map.groupBy(deletions, ({ sensorKey }) => sensorKey);
  let last = { partition: -1, offset: -1 };
  await inPortions(sql, ROWS, rest, async (tx) => {
    const rows = await tx`select partition, log_offset, received_us, control from detector_setting
      where (partition, log_offset) > (${last.partition}, ${last.offset}::bigint) order by partition, log_offset limit ${ROWS}`;
    const end = rows.at(-1);
    if (end !== undefined) last = { partition: end.partition, offset: end.log_offset };
    const gone = rows.filter((r) => {
      const ofSensor = sensorOf(fromBinary(ControlSchema, r.control as Buffer));
      return ofSensor !== undefined && (bySensor.get(ofSensor)?.some((d) => isBefore(r, d)) ?? false);
    });
    if (gone.length > 0) {
      await tx`delete from detector_setting s
        using unnest(${list(gone.map((r) => r.partition))}::int[], ${list(gone.map((r) => r.log_offset))}::bigint[]) x(partition, log_offset)
        where s.partition = x.partition and s.log_offset = x.log_offset`;
    }
    return rows.length;
  });
}

/** In another partition, where windows of one sensor stand too, by the log's time. */
function isBefore(r: Row, d: Deletion): boolean {
  if (r.partition === d.partition) return r.log_offset < d.offset;
  return (r.received_us ?? 0) < d.atUs;
}

/** Notes which deletions have nothing left, and forgets old ones. */
async function finish(sql: Sql, deletions: readonly Deletion[], nowUs: number): Promise<number> {
  return maintain(sql, async (tx) => {
    const done = await tx`update sensor_deletion d set finished_us = ${nowUs}, removed_readings = d.readings
      where d.id = any(${list(deletions.map(({ id }) => id))}::bigint[]) and d.finished_us is null and not exists (
        select from alert a where a.sensor_id = d.sensor_id and a.partition = d.partition and a.id < d.first_id)`;
    await tx`delete from sensor_deletion where finished_us < ${nowUs - LISTED_US}::bigint`;
    return done.count;
  });
}
