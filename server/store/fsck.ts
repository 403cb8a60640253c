/** Checks every invariant of the stored data and names what breaks one. Reads only, and sees one moment of the database. */
import type { Sql } from "postgres";
import type { SqlAddress } from "../postgres/connection.ts";
import { Findings, LISTED_PER_KIND, type Problem } from "./fsck-findings.ts";
import { checkReadings, type SeriesSums } from "./fsck-readings.ts";
import { openStoreSql } from "./postgres.ts";
import { RETAINED_FROM } from "./retention.ts";

export interface FsckReport {
  /** The first ones of each kind. */
  readonly problems: readonly Problem[];
  /** How often each kind was met. */
  readonly counts: ReadonlyMap<string, number>;
  readonly readings: number;
  readonly blocks: number;
}

/** `onProgress` hears how many of all blocks are done. */
export async function fsck(
  address: SqlAddress,
  onProgress: (done: number, all: number) => void = () => {},
): Promise<FsckReport> {
  // Two sessions of one snapshot: one streams blocks, the other looks things up meanwhile. No statement is cut short.
  const stream = openStoreSql(address, 1, 0);
  const lookup = openStoreSql(address, 1, 0);
  try {
    return (await stream.begin("isolation level repeatable read read only", async (a) => {
      const [{ snapshot }] = (await a`select pg_export_snapshot() as snapshot`) as unknown as [{ snapshot: string }];
      return lookup.begin("isolation level repeatable read read only", async (b) => {
        await b.unsafe(`set transaction snapshot '${snapshot}'`);
        return check(a as unknown as Sql, b as unknown as Sql, onProgress);
      });
    })) as FsckReport;
  } finally {
    await Promise.all([stream.end({ timeout: 5 }), lookup.end({ timeout: 5 })]);
  }
}

async function check(stream: Sql, sql: Sql, onProgress: (done: number, all: number) => void): Promise<FsckReport> {
  const findings = new Findings();
  const [mark] = await sql`select value::bigint as us from meta where key = ${RETAINED_FROM}`;
  const { sums, readings, blocks } = await checkReadings(stream, sql, mark?.us ?? 0, findings, onProgress);
  await checkPartitions(sql, sums, findings);
  await checkEvents(sql, findings);
  await checkState(sql, findings);
  await checkQuarantine(sql, findings);
  await checkDeletions(sql, findings);
  await checkNames(sql, findings);
  await checkLog(sql, findings);
  return { problems: findings.problems, counts: findings.counts, readings, blocks };
}

/** What log_partition counts is what its series have, and what those had that are deleted. */
async function checkPartitions(sql: Sql, sums: ReadonlyMap<number, SeriesSums>, findings: Findings): Promise<void> {
  for (const p of await sql`select * from log_partition order by partition`) {
    const found = sums.get(p.partition) ?? { readings: 0, anomalies: 0, late: 0 };
    for (const what of ["readings", "anomalies", "late"] as const) {
      const counted = p[what] - p[`deleted_${what}`];
      if (counted === found[what]) continue;
      findings.add("partition counts", `partition ${p.partition} counts ${counted} ${what}, its series ${found[what]}`);
    }
    if (p.replay_offset > p.next_offset) {
      const text = `partition ${p.partition} rebuilds its state from offset ${p.replay_offset}, past its next ${p.next_offset}`;
      findings.add("offsets", text);
    }
  }
}

async function checkEvents(sql: Sql, findings: Findings): Promise<void> {
  const rows = await sql`
    select p.partition, p.next_event, count(e.number)::bigint as n, min(e.number) as first, max(e.number) as last
    from log_partition p left join alert_event e using (partition) group by 1, 2 order by 1`;
  for (const r of rows) {
    if (r.n > 0 && r.last - r.first + 1 !== r.n) {
      const text = `partition ${r.partition} has ${r.n} alert events numbered ${r.first} to ${r.last}`;
      findings.add("event numbers", text);
    }
    if (r.n > 0 ? r.last + 1 !== r.next_event : r.next_event !== 1) {
      const text = `partition ${r.partition} gives the next alert event ${r.next_event}, the last one is ${r.last ?? "none"}`;
      findings.add("event numbers", text);
    }
  }
  for (const r of await sql`
    select id, sensor_id, state, opened_us, last_seen_us, closed_us from alert
    where (state = 1) <> (closed_us is null) or last_seen_us < opened_us or closed_us < opened_us
    order by id limit ${LISTED_PER_KIND}`) {
    findings.add(
      "alert is no episode",
      `alert ${r.id} of ${r.sensor_id}: state ${r.state}, opened ${r.opened_us}, last seen ${r.last_seen_us}, closed ${r.closed_us ?? "never"}`,
    );
  }
  for (const r of await sql`
    select e.partition, e.number, e.alert_id from alert_event e
    where not exists (select from alert a where a.id = e.alert_id) and (e.alert_id <> 0 or e.event <> '') order by 1, 2 limit ${LISTED_PER_KIND}`) {
    findings.add(
      "event without alert",
      `event ${r.number} of partition ${r.partition} is of alert ${r.alert_id}, which is not there`,
    );
  }
  for (const r of await sql`
    select o.sink, o.partition, o.next_number, p.next_event from outbox_progress o left join log_partition p using (partition)
    where p.partition is null or o.next_number > p.next_event`) {
    const text = `sink ${r.sink} wants event ${r.next_number} of partition ${r.partition}, which comes to ${r.next_event ?? "nothing"}`;
    findings.add("event numbers", text);
  }
}

/** Chunks of several versions may be there after a change of the model: they are rebuilt when the partition is opened. */
async function checkState(sql: Sql, findings: Findings): Promise<void> {
  for (const r of await sql`
    select c.partition, c.chunk, c.as_of, p.next_offset, length(c.bytes) as bytes, c.version
    from state_chunk c left join log_partition p using (partition) order by 1, 2`) {
    const which = `state chunk ${r.chunk} of partition ${r.partition}`;
    if (r.next_offset === null) findings.add("state", `${which} is of a partition that is not there`);
    else if (r.as_of > r.next_offset) {
      findings.add("state", `${which} is as of offset ${r.as_of}, past the partition's next ${r.next_offset}`);
    }
    if (r.bytes === 0 || r.version === "") findings.add("state", `${which} is empty or of no version`);
  }
}

/** What is set aside came with a commit of its record, and was decided on by somebody or waits. */
async function checkQuarantine(sql: Sql, findings: Findings): Promise<void> {
  for (const r of await sql`
    select q.id, q.partition, q.log_offset, p.next_offset from quarantined_reading q left join log_partition p using (partition)
    where p.partition is null or q.log_offset >= p.next_offset order by q.id`) {
    const text = `quarantined reading ${r.id} is of offset ${r.log_offset} of partition ${r.partition}, which is stored up to ${r.next_offset ?? "nothing"}`;
    findings.add("quarantine", text);
  }
  for (const r of await sql`
    select id, state, decided_by from quarantined_reading
    where state not in (1, 2, 3) or (state = 1) <> (decided_us is null) or readings < 0 order by id`) {
    findings.add("quarantine", `quarantined reading ${r.id} has the state ${r.state}, decided by "${r.decided_by}"`);
  }
}

/** Nothing is left of a sensor whose deletion is finished, and what is there of alerts belongs to a sensor. */
async function checkDeletions(sql: Sql, findings: Findings): Promise<void> {
  const left = {
    aggregates: sql`exists (select from rollup r where r.series = any(d.series))
      or exists (select from rollup_series r where r.series = any(d.series))`,
    metadata: sql`exists (select from reading_metadata m where m.series = any(d.series))`,
    "scores of other models": sql`exists (select from rescore_run r join rescored_block b on b.run = r.id and b.series = any(d.series))`,
    // A sensor that was given the id since has brought alerts of its own.
    alerts: sql`exists (select from alert a where a.sensor_id = d.sensor_id and a.partition = d.partition and a.id < d.first_id)
      and not exists (select from sensor_name n where n.name = d.sensor_id)`,
    "a profile": sql`exists (select from sensor_profile p where p.sensor_id = d.sensor_id and p.changed <= d.changed)`,
    attributes: sql`exists (select from sensor_attributes a where a.sensor_id = d.sensor_id and a.changed <= d.changed)`,
    "quarantined readings": sql`exists (select from quarantined_reading q
      where q.sensor_id = coalesce(d.sensor_key, d.sensor_id) and q.partition = d.partition and q.log_offset < d.log_offset)`,
  };
  for (const [what, isLeft] of Object.entries(left)) {
    for (const r of await sql`
      select sensor_id from sensor_deletion d where finished_us is not null and (${isLeft}) order by id limit ${LISTED_PER_KIND}`) {
      findings.add("deleted sensor", `of the deleted sensor "${r.sensor_id}" ${what} are left`);
    }
  }
  for (const r of await sql`
    select id, sensor_id from alert a where not exists (select from series s where s.sensor_id = a.sensor_id) and not exists (
      select from sensor_deletion d where d.finished_us is null and d.sensor_id = a.sensor_id collate "C" and a.id < d.first_id)
    order by id limit ${LISTED_PER_KIND}`) {
    findings.add("alert without sensor", `alert ${r.id} is of the sensor "${r.sensor_id}", which has no reading`);
  }
}

/** A sensor is shown under one id, and nothing is stored under the others that lead to it. */
async function checkNames(sql: Sql, findings: Findings): Promise<void> {
  for (const r of await sql`select key, count(*) filter (where current)::int as shown from sensor_name group by key
    having count(*) filter (where current) <> 1 order by key limit ${LISTED_PER_KIND}`) {
    findings.add("sensor names", `the sensor that the log knows as "${r.key}" is shown under ${r.shown} ids`);
  }
  for (const table of ["series", "alert", "sensor_profile", "sensor_attributes", "sensor_retirement"]) {
    for (const r of await sql`select distinct n.name, n.key from ${sql(table)} t
      join sensor_name n on n.name = t.sensor_id collate "C" and not n.current order by n.name limit ${LISTED_PER_KIND}`) {
      findings.add(
        "sensor names",
        `${table} has rows of "${r.name}", which is another id of a sensor (key "${r.key}")`,
      );
    }
  }
  for (const r of await sql`select n.name, n.key from sensor_name n
    where n.current and n.named_by = 'the platform' order by n.name limit ${LISTED_PER_KIND}`) {
    findings.add(
      "sensor begun under an id of another",
      `"${r.name}" was begun as "${r.key}" by a process that did not know that this id leads to another sensor`,
    );
  }
}

/** The embedded log, where there is one: what is stored came from it, and what a rebuilding needs is still in it. */
async function checkLog(sql: Sql, findings: Findings): Promise<void> {
  const [there] = await sql`select to_regclass('telltale_log.segment') is not null as log`;
  if (!there!.log) return;
  const segments = await sql`select id, array_to_json(first) as first from telltale_log.segment order by id`;
  const newest = segments[segments.length - 1];
  if (newest === undefined) return;
  const last = new Map<number, number>();
  for (const r of await sql.unsafe(
    `select partition, max("offset") as last from telltale_log.records_${newest.id} group by 1`,
  )) {
    last.set(r.partition, r.last);
  }
  for (const p of await sql`select partition, next_offset, replay_offset from log_partition order by 1`) {
    const end = last.has(p.partition) ? last.get(p.partition)! + 1 : (newest.first[p.partition] ?? 0);
    if (p.next_offset > end) {
      findings.add(
        "offsets",
        `partition ${p.partition} is stored up to offset ${p.next_offset}, its log ends at ${end}`,
      );
    }
    const oldest = segments[0]!.first[p.partition] ?? 0;
    if (p.replay_offset < oldest) {
      const text = `partition ${p.partition} rebuilds its state from offset ${p.replay_offset}, its log begins at ${oldest}`;
      findings.add("offsets", text);
    }
  }
}
