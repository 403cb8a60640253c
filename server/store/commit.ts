/**
 * What the owners of partitions commit, in as few transactions as the database keeps up with: while one is under way, the commits of
 * other partitions gather for the next. A transaction is one message and one answer (`migrations/333_replay_ticked.sql`), with the blocks in between,
 * since what a commit of few readings costs is its round trips.
 */
import { setTimeout as delay, setImmediate } from "node:timers/promises";
import type { Logger } from "pino";
import type { Sql } from "postgres";
import { copyIn, joinCopies } from "../postgres/copy.ts";
import { hex, jsonb } from "../postgres/literal.ts";
import { isRefusal, isUnavailable, RETRY_FIRST_MS, RETRY_MOST_MS } from "../postgres/unavailable.ts";
import { alertColumns, eventColumns } from "./alerts.ts";
import { attributeStatements } from "./attributes.ts";
import { BLOCK_COLUMNS } from "./blocks.ts";
import { lifeCycleStatements } from "./life-cycle.ts";
import { packTick } from "./log-ticks.ts";
import { quarantineStatement } from "./quarantine.ts";
import { savingOf } from "./state.ts";
import { type Commit, FencedError, RefusedError, type SeriesChanges } from "./store.ts";

/** Bytes of blocks in one transaction, unless one commit alone has more: through in tens of milliseconds. */
const MAX_GROUP_BYTES = 8 * 1024 * 1024;
/** Records whose outcomes are kept: minutes of a heavy load. They are looked for once in so many records. */
const KEPT_OUTCOMES = 50_000;
const FORGET_EVERY = 256;
/** What `store_commit` raises. */
const FENCED = "TT001";
const OTHER_GENERATION = "TT002";
/** Ends a trial: what was done is taken back. */
const TAKEN_BACK = "TT003";
const TAKE_BACK = `do $$ begin raise exception 'taken back' using errcode = '${TAKEN_BACK}'; end $$`;

interface Waiting {
  readonly commit: Commit;
  resolve(): void;
  reject(error: unknown): void;
}

export class Committer {
  /** Of one connection, which nothing else uses. */
  readonly #sql: Sql;
  readonly #logger: Logger;
  readonly #offsetOf: (partition: number) => Promise<number>;
  readonly #onWriteFailed: (error: unknown) => void;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #trials: Promise<unknown> = Promise.resolve();
  /** Where blocks go, as far as is known. */
  #generation = 1;

  /**
   * @param offsetOf the next offset of a partition as it is stored
   * @param onWriteFailed hears of each failure that is waited out
   */
  constructor(
    sql: Sql,
    logger: Logger,
    offsetOf: (partition: number) => Promise<number>,
    onWriteFailed: (error: unknown) => void = () => undefined,
  ) {
    this.#onWriteFailed = onWriteFailed;
    this.#sql = sql;
    this.#logger = logger;
    this.#offsetOf = offsetOf;
  }

  /** Resolves when the commit is in; retries while the database is unavailable; rejects with FencedError. One at a time for a partition. */
  commit(commit: Commit): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ commit, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** Does all of a commit and takes it back, one at a time; answers with the refusal where there is one. Nothing may be committed beside it. */
  trial(commit: Commit): Promise<RefusedError | undefined> {
    const result = this.#trials.then(() => this.#try(commit));
    this.#trials = result.catch(() => undefined);
    return result;
  }

  async #try(commit: Commit): Promise<RefusedError | undefined> {
    for (let wait = RETRY_FIRST_MS; ; wait = Math.min(2 * wait, RETRY_MOST_MS)) {
      try {
        await this.#transaction([commit], TAKE_BACK);
      } catch (error) {
        if ((error as { code?: string }).code === TAKEN_BACK) return undefined;
        if (isRefusal(error)) return refused(error);
        if (!isUnavailable(error)) throw error;
        await delay(wait);
      }
    }
  }

  async close(): Promise<void> {
    await this.#running;
    await this.#sql.end({ timeout: 5 });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Runs of other partitions that arrived together with this one are scored before the answers to a transaction are looked at: they
      // go along.
      await setImmediate();
      const group = this.#nextGroup();
      // Whatever happens, everybody hears of it, and the next ones have their turn.
      await this.#store(group).catch((error: unknown) => {
        for (const w of group) w.reject(error);
      });
    }
    this.#running = undefined;
  }

  #nextGroup(): Waiting[] {
    let bytes = 0;
    let n = 0;
    while (n < this.#waiting.length) {
      bytes += this.#waiting[n]!.commit.blocks?.length ?? 0;
      if (n > 0 && bytes > MAX_GROUP_BYTES) break;
      n++;
    }
    return this.#waiting.splice(0, n);
  }

  /** Settles every one of the group; rejects where it cannot find out what became of them. */
  async #store(group: readonly Waiting[]): Promise<void> {
    let left = group;
    for (let wait = RETRY_FIRST_MS; left.length > 0; wait = Math.min(2 * wait, RETRY_MOST_MS)) {
      try {
        await this.#transaction(left.map((w) => w.commit));
        for (const w of left) w.resolve();
        return;
      } catch (error) {
        if (!isUnavailable(error)) {
          const [only, ...more] = left;
          if (more.length === 0) only!.reject(isRefusal(error) ? refused(error) : error);
          // One of them is at fault, and the others must not suffer for it.
          else for (const w of left) await this.#store([w]);
          return;
        }
        const partitions = left.map((w) => w.commit.partition);
        this.#logger.warn({ err: error, partitions, retryInMs: wait }, "commit failed: the database is unavailable");
        this.#onWriteFailed(error);
        await delay(wait);
        left = await this.#notStored(left);
      }
    }
  }

  /** After a failure: a commit may have been made before the connection broke. */
  async #notStored(group: readonly Waiting[]): Promise<Waiting[]> {
    const left: Waiting[] = [];
    for (const w of group) {
      const { partition, expectedOffset, next } = w.commit;
      const offset = await this.#offsetOf(partition);
      if (offset === next.nextOffset) w.resolve();
      else if (offset !== expectedOffset) w.reject(new FencedError(partition, expectedOffset, offset));
      else left.push(w);
    }
    return left;
  }

  async #transaction(commits: readonly Commit[], last?: string): Promise<void> {
    for (;;) {
      try {
        await send(this.#sql, commits, this.#generation, last);
        return;
      } catch (error) {
        const { code, detail, hint } = error as { code?: string; detail?: string; hint?: string };
        if (code === OTHER_GENERATION) {
          this.#generation = Number(detail);
          continue;
        }
        if (code !== FENCED) throw error;
        const fenced = commits.find((c) => c.partition === Number(hint))!;
        throw new FencedError(fenced.partition, fenced.expectedOffset, Number(detail));
      }
    }
  }
}

/** @param last a statement after all others of the transaction */
async function send(sql: Sql, commits: readonly Commit[], generation: number, last?: string): Promise<void> {
  const blocks = commits.flatMap((c) => c.blocks ?? []);
  const chunks = commits.filter((c) => c.chunks.length > 0);
  const rest = restOf(commits);
  const args = [
    blocks.length > 0 ? generation : "null",
    `'${JSON.stringify(commits.map(partitionColumns))}'`,
    ...seriesColumns(commits.map((c) => c.changes)),
    rest === undefined ? "null" : jsonb(rest),
  ];
  const statements = [`select store_commit(${args.join(", ")})`];
  for (const { partition, quarantined = [] } of commits) {
    if (quarantined.length > 0) statements.push(quarantineStatement(partition, quarantined));
  }
  statements.push(...attributeStatements(commits.flatMap((c) => c.attributes ?? [])));
  statements.push(...lifeCycleStatements(commits));
  const copies: Uint8Array[][] = [];
  if (blocks.length > 0) {
    statements.push(`copy block_new_${generation} (${BLOCK_COLUMNS}) from stdin with (format binary)`);
    copies.push(joinCopies(blocks));
  }
  if (chunks.length > 0) {
    const saving = savingOf(chunks);
    statements.push(saving.statements);
    copies.push([saving.data]);
  }
  if (last !== undefined) statements.push(last);
  await copyIn(sql, statements.join("; "), ...copies);
}

function refused(error: unknown): RefusedError {
  return new RefusedError(error as Error, (error as { code: string }).code);
}

/** Numbers only: nothing in it has to be quoted. */
function partitionColumns(c: Commit) {
  const n = c.next;
  return {
    partition: c.partition,
    expected: c.expectedOffset,
    state_epoch: n.stateEpoch,
    next_offset: n.nextOffset,
    replay_offset: n.replayOffset,
    replay_tick: n.replayTick,
    replay_received_us: n.replayReceivedUs,
    replay_ticked_us: n.replayTickedUs,
    tick: n.tick,
    received_us: n.receivedUs,
    next_event: n.nextEvent,
    readings: c.readings,
    anomalies: c.anomalies,
    late: c.late,
  };
}

/**
 * In the order of the function's parameters, each with what it is where it is left out. A sensor's series are of one partition: none is met
 * twice.
 */
const SERIES_COLUMNS: readonly (readonly [keyof SeriesChanges, (keyof SeriesChanges | number | boolean)?])[] = [
  ["series"],
  ["readings", 1],
  ["total"],
  ["smallest", "total"],
  ["largest", "total"],
  ["anomalies", 0],
  ["late", 0],
  ["firstUs", "newestUs"],
  ["newestUs"],
  ["lastUs", "newestUs"],
  ["lastId"],
  ["lastValue", "total"],
  ["lastScore", 0],
  ["lastAnomaly", false],
];

/** Of single readings nearly all columns say nothing new; numbers are dear as texts, here and there. */
function seriesColumns(changes: readonly SeriesChanges[]): string[] {
  const some = changes.filter(({ series }) => series.length > 0);
  return SERIES_COLUMNS.map(([name, otherwise]) =>
    otherwise !== undefined && some.every((c) => saysNothing(c, name, otherwise))
      ? "null"
      : `'{${some.map((c) => c[name].join(",")).join(",")}}'`,
  );
}

/** By loops: what is called for each of many numbers gets each in an object of its own. */
function saysNothing(c: SeriesChanges, name: keyof SeriesChanges, otherwise: keyof SeriesChanges | number | boolean) {
  const column = c[name];
  if (typeof otherwise !== "string") {
    for (let i = 0; i < column.length; i++) if (column[i] !== otherwise) return false;
    return true;
  }
  const other = c[otherwise];
  // 0 and -0 are not the same value to those who read it.
  for (let i = 0; i < column.length; i++) if (!Object.is(column[i], other[i])) return false;
  return true;
}

/** Rows by table, of tables that have any; undefined where none has. */
function restOf(commits: readonly Commit[]): Record<string, unknown[]> | undefined {
  const of = <T>(rows: (c: Commit) => readonly T[]) => commits.flatMap(rows);
  const tables = {
    alerts: of((c) => c.alerts.map((a) => alertColumns(c.partition, a))),
    events: of((c) => c.events.map((e) => eventColumns(c.partition, e))),
    metadata: of((c) =>
      c.metadata.map((m) => ({ series: m.series, observed_us: m.observedUs, struct: hex(m.struct) })),
    ),
    settings: of((c) =>
      c.settings.map((s) => ({
        partition: c.partition,
        log_offset: s.offset,
        tick: s.tick,
        received_us: s.receivedUs,
        control: hex(s.control),
      })),
    ),
    labels: of((c) =>
      (c.labels ?? []).map((l) => ({
        id: l.alertId,
        label: l.correct,
        labelled_us: l.labelledUs,
        labelled_by: l.labelledBy,
        label_comment: l.comment,
      })),
    ),
    ticks: of((c) => {
      if (c.ticked === undefined) return [];
      const { minute, bytes } = packTick(c.ticked.receivedUs, c.ticked.tick);
      return [{ partition: c.partition, minute, ticks: hex(bytes) }];
    }),
    outcomes: of((c) =>
      c.outcomes.map((o) => ({ partition: c.partition, log_offset: o.offset, outcome: hex(o.outcome) })),
    ),
    forgotten: of((c) => {
      const turn = (offset: number) => Math.floor(offset / FORGET_EVERY);
      const due = c.outcomes.length > 0 && turn(c.next.nextOffset) > turn(c.expectedOffset);
      return due ? [{ partition: c.partition, before: c.next.nextOffset - KEPT_OUTCOMES }] : [];
    }),
  };
  const some = Object.entries(tables).filter(([, rows]) => rows.length > 0);
  return some.length === 0 ? undefined : Object.fromEntries(some);
}
