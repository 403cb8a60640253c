/** Checks every invariant of the stored data and names what breaks one. Reads only, and sees one moment of the database. */
import type { Sql } from "postgres";
import type { SqlAddress } from "../log/connection.ts";
import { checkReadings, type SeriesSums } from "./fsck-readings.ts";
import { openStoreSql } from "./postgres.ts";
import { RETAINED_FROM } from "./retention.ts";

export interface Problem {
  /** Which invariant, for example "overlap". */
  readonly kind: string;
  /** What is wrong, where. */
  readonly text: string;
}

export interface FsckReport {
  /** The first ones of each kind. */
  readonly problems: readonly Problem[];
  /** How often each kind was met. */
  readonly counts: ReadonlyMap<string, number>;
  readonly readings: number;
  readonly blocks: number;
}

/** Problems of one kind that are told one by one; the rest is counted. */
const TOLD_OF_A_KIND = 20;

export class Findings {
  readonly problems: Problem[] = [];
  readonly counts = new Map<string, number>();

  add(kind: string, text: string): void {
    const n = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, n);
    if (n <= TOLD_OF_A_KIND) this.problems.push({ kind, text });
  }
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
  await checkLog(sql, findings);
  return { problems: findings.problems, counts: findings.counts, readings, blocks };
}

/** What log_partition counts is what its series have. */
async function checkPartitions(sql: Sql, sums: ReadonlyMap<number, SeriesSums>, findings: Findings): Promise<void> {
  for (const p of await sql`select * from log_partition order by partition`) {
    const found = sums.get(p.partition) ?? { readings: 0, anomalies: 0, late: 0 };
    for (const what of ["readings", "anomalies", "late"] as const) {
      if (p[what] === found[what]) continue;
      findings.add("partition counts", `partition ${p.partition} counts ${p[what]} ${what}, its series ${found[what]}`);
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
    order by id limit ${TOLD_OF_A_KIND}`) {
    findings.add(
      "alert is no episode",
      `alert ${r.id} of ${r.sensor_id}: state ${r.state}, opened ${r.opened_us}, last seen ${r.last_seen_us}, closed ${r.closed_us ?? "never"}`,
    );
  }
  for (const r of await sql`
    select e.partition, e.number, e.alert_id from alert_event e
    where not exists (select from alert a where a.id = e.alert_id) order by 1, 2 limit ${TOLD_OF_A_KIND}`) {
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
