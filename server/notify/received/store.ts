/** Received alerts in PostgreSQL. */
import type { PendingQuery, Row, Sql } from "postgres";
import { jsonText } from "../../postgres/literal.ts";
import { allEnded, type Ending, endingTransaction, endWithin } from "../../postgres/transaction.ts";
import { fingerprint } from "../channels/fingerprint.ts";
import { openOwnLabels } from "../heartbeats/store.ts";
import { MAX_OPEN_RECEIVED_ALERTS } from "./limits.ts";
import { type Episode, labelHash, type SentAlert, type StoredEpisode, send } from "./received-alert.ts";

/** Any constant of our own: receivers take turns, so that the bound holds and two that send the same alert make one of it. */
const LOCK = 7_351_909_413;
/** Over for longer than this, they are removed: as messages are. */
const KEPT_US = 30 * 86_400_000_000;
/** Removed at once. */
const PRUNED_AT_ONCE = 10_000;

/** What came of alerts that were sent together. */
export interface Receipt {
  readonly begun: number;
  readonly ended: number;
  /** Open before and still, or over and not open before. */
  readonly known: number;
  /** Places of those for which there was no room. */
  readonly tooMany: readonly number[];
  /** Places of those that are open and the platform's own. */
  readonly own: readonly number[];
  /** Whether notifications have to hear of something. */
  readonly hasNews: boolean;
}

interface Kept {
  /** Undefined: it began in this call. */
  readonly id: number | undefined;
  episode: Episode;
}

/** Labels with their one open episode, and those that ended in this call. */
class Line {
  readonly hash: string;
  open: Kept | undefined;
  isNews = false;
  readonly ended: Kept[] = [];

  constructor(hash: string) {
    this.hash = hash;
  }

  /** What was open, as it is now. Answers whether it has ended. */
  take(episode: Episode | undefined, isNews: boolean): boolean {
    const { open } = this;
    if (open === undefined || episode === undefined) return false;
    open.episode = episode;
    this.isNews ||= isNews;
    if (episode.closedUs === undefined) return false;
    this.ended.push(open);
    this.open = undefined;
    return true;
  }
}

/** Stores those of other programs in their order; once it resolves, they are committed. What the platform has raised they cannot change. */
export function receive(sql: Sql, alerts: readonly SentAlert[], nowUs: number): Promise<Receipt> {
  const reception = { nowUs, most: MAX_OPEN_RECEIVED_ALERTS, isOwn: false };
  return endingTransaction(sql, (tx) => receiving(tx, alerts, reception));
}

export interface Reception {
  readonly nowUs: number;
  /** That may be open then. */
  readonly most: number;
  /** Whether the platform itself sends them. */
  readonly isOwn: boolean;
}

/** As `receive`, within a transaction. */
export async function receiveWithin(tx: Sql, alerts: readonly SentAlert[], reception: Reception): Promise<Receipt> {
  return endWithin(await receiving(tx, alerts, reception));
}

async function receiving(
  tx: Sql,
  alerts: readonly SentAlert[],
  { nowUs, most, isOwn }: Reception,
): Promise<Ending<Receipt>> {
  const hashes = alerts.map(({ labels }) => labelHash(labels));
  // Sent together; the database begins each when the one before is done. The lock is the first: it does not wait to be awaited.
  const [, lines, [count], ownLabels] = await allEnded([
    tx`select pg_advisory_xact_lock(${LOCK})`.execute(),
    openLines(tx, hashes),
    tx`select count(*)::int as open from received_alert where closed_us is null`,
    isOwn ? [] : openOwnLabels(tx),
  ]);
  const ownHashes = new Set(ownLabels.map(labelHash));
  let room = most - (count!.open as number);
  const counts = { begun: 0, ended: 0, known: 0 };
  const tooMany: number[] = [];
  const own: number[] = [];
  alerts.forEach((alert, i) => {
    if (ownHashes.has(hashes[i]!)) {
      own.push(i);
      return;
    }
    const line = lines.get(hashes[i]!)!;
    const { before, begun, isNews } = send(line.open?.episode, alert, nowUs);
    const hasEnded = line.take(before, isNews);
    if (hasEnded) room++;
    if (begun === undefined) counts[hasEnded ? "ended" : "known"]++;
    else if (room <= 0) tooMany.push(i);
    else {
      line.open = { id: undefined, episode: begun };
      counts.begun++;
      room--;
    }
  });
  const hasNews = counts.begun + counts.ended > 0 || lines.values().some((line) => line.isNews);
  const statements = writing(tx, [...lines.values()], nowUs);
  return { statements, done: () => ({ ...counts, tooMany, own, hasNews }) };
}

async function openLines(tx: Sql, hashes: readonly string[]): Promise<Map<string, Line>> {
  const unique = [...new Set(hashes)];
  // In the order of ids, as the planner takes them: neither waits for the other in a circle.
  const rows = await tx`select * from received_alert
    where closed_us is null and label_hash in (select jsonb_array_elements_text(${jsonText(unique)}::text::jsonb))
    order by id for update`;
  const lines = new Map(unique.map((hash) => [hash, new Line(hash)]));
  for (const row of rows) lines.get(row.label_hash)!.open = { id: row.id, episode: episodeOf(row) };
  return lines;
}

/** Ends before beginnings: labels have one open row. What began and ended in one call nobody is to hear of. */
function writing(tx: Sql, lines: readonly Line[], nowUs: number): PendingQuery<Row[]>[] {
  const changed = lines.flatMap(({ open, ended, isNews }) => [
    ...ended.filter(({ id }) => id !== undefined).map((each) => ({ ...columns(each), needs_step: true })),
    ...(open?.id === undefined ? [] : [{ ...columns(open), needs_step: isNews }]),
  ]);
  const begun = lines.flatMap(({ hash, open }) => {
    if (open === undefined || open.id !== undefined) return [];
    const { labels } = open.episode;
    return [{ ...columns(open), label_hash: hash, fingerprint: fingerprint(labels), labels }];
  });
  const ends = () =>
    tx`update received_alert r set annotations = x.annotations, generator_url = x.generator_url, starts_us = x.starts_us,
        ends_us = x.ends_us, is_timeout = x.is_timeout, closed_us = x.closed_us, updated_us = ${nowUs},
        needs_step = r.needs_step or x.needs_step
      from jsonb_to_recordset(${jsonText(changed)}::text::jsonb) as x(id bigint, annotations jsonb, generator_url text, starts_us bigint,
        ends_us bigint, is_timeout boolean, closed_us bigint, needs_step boolean)
      where r.id = x.id`;
  const beginnings = () =>
    tx`insert into received_alert (label_hash, fingerprint, labels, annotations, generator_url, starts_us, ends_us, is_timeout,
        received_us, updated_us, needs_step)
      select x.label_hash, x.fingerprint, x.labels, x.annotations, x.generator_url, x.starts_us, x.ends_us, x.is_timeout,
        ${nowUs}, ${nowUs}, true
      from jsonb_to_recordset(${jsonText(begun)}::text::jsonb) as x(label_hash text, fingerprint text, labels jsonb, annotations jsonb,
        generator_url text, starts_us bigint, ends_us bigint, is_timeout boolean)`;
  return [...(changed.length === 0 ? [] : [ends()]), ...(begun.length === 0 ? [] : [beginnings()])];
}

function columns({ id, episode }: Kept) {
  const { annotations, generatorUrl, startsUs, endsUs, isTimeout, closedUs } = episode;
  return {
    ...{ id, annotations, generator_url: generatorUrl, starts_us: startsUs, ends_us: endsUs, is_timeout: isTimeout },
    closed_us: closedUs ?? null,
  };
}

/** At most so many episodes of which notifications have to hear, the older first; those whose end has passed end here. */
export async function takeReceived(tx: Sql, nowUs: number, limit: number): Promise<StoredEpisode[]> {
  const rows = await tx`with due as (
      select id from received_alert where id in (
        select id from received_alert where needs_step
        union all select id from received_alert where closed_us is null and ends_us <= ${nowUs})
      order by id limit ${limit} for update)
    update received_alert r set needs_step = false,
      closed_us = case when r.closed_us is null and r.ends_us <= ${nowUs} then r.ends_us else r.closed_us end
    from due where r.id = due.id returning r.*`;
  return rows.map(storedOf).sort((a, b) => a.id - b.id);
}

export async function pruneReceived(tx: Sql, nowUs: number): Promise<void> {
  await tx`delete from received_alert where id in (
    select id from received_alert where closed_us < ${nowUs - KEPT_US} and not needs_step limit ${PRUNED_AT_ONCE})`;
}

/** Open ones, the newest first, below an id. */
export async function openReceived(
  sql: Sql,
  { nowUs, belowId, limit }: { nowUs: number; belowId: number; limit: number },
): Promise<StoredEpisode[]> {
  const rows = await sql`select * from received_alert where closed_us is null and ends_us > ${nowUs} and id < ${belowId}
    order by id desc limit ${limit}`;
  return rows.map(storedOf);
}

/** Those that were open at some time of the range, the newest first. */
export async function receivedBetween(
  sql: Sql,
  { fromUs, toUs, limit }: { readonly fromUs: number; readonly toUs: number; readonly limit: number },
): Promise<StoredEpisode[]> {
  const rows = await sql`select * from received_alert
    where starts_us < ${toUs} and (closed_us is null or closed_us > ${fromUs}) order by id desc limit ${limit}`;
  return rows.map(storedOf);
}

/** Also where it is over. */
export async function findReceived(sql: Sql, id: number): Promise<StoredEpisode | undefined> {
  const [row] = await sql`select * from received_alert where id = ${id}`;
  return row && storedOf(row);
}

/** The first time counts. Undefined where there is none of this id within the prefix that is open. */
export async function acknowledgeReceived(
  sql: Sql,
  { id, sensorPrefix, by }: { id: number; sensorPrefix: string; by: string },
  nowUs: number,
): Promise<{ readonly atUs: number; readonly by: string } | undefined> {
  const [row] = await sql`update received_alert set acknowledged_us = coalesce(acknowledged_us, ${nowUs}),
      acknowledged_by = coalesce(acknowledged_by, ${by}), needs_step = needs_step or acknowledged_us is null
    where id = ${id} and closed_us is null and ends_us > ${nowUs}
      and starts_with(coalesce(labels->>'sensor_id', ''), ${sensorPrefix}) returning *`;
  return row && { atUs: row.acknowledged_us, by: row.acknowledged_by };
}

function episodeOf(r: Row): Episode {
  const { labels, annotations, generator_url: generatorUrl, is_timeout: isTimeout } = r;
  const closedUs = (r.closed_us as number | null) ?? undefined;
  return { labels, annotations, generatorUrl, startsUs: r.starts_us, endsUs: r.ends_us, isTimeout, closedUs };
}

function storedOf(r: Row): StoredEpisode {
  return {
    ...episodeOf(r),
    ...{ id: r.id, fingerprint: r.fingerprint, updatedUs: r.updated_us },
    acknowledgedUs: (r.acknowledged_us as number | null) ?? undefined,
    acknowledgedBy: (r.acknowledged_by as string | null) ?? undefined,
  };
}
