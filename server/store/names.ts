/**
 * The names of renamed sensors in memory, all of them: of others nothing is kept. The log, state and settings know a sensor by its key, which
 * is its first id; what people see has the name that is shown (docs/decisions/life-cycle.md).
 *
 * A process that takes readings says in the store which version of the names it goes by. A new name counts once all of them know it, and
 * have committed what they had taken before.
 */
import { randomUUID } from "node:crypto";
import type { Sql } from "postgres";
import { SharedLook } from "../lib/shared-look.ts";
import type { Logger } from "../observe/logger.ts";

/** How often the version is looked at. */
const LOOK_MS = 1_000;
/** Who has not said so for this long takes no readings any more, as far as renames are concerned. */
const LEASE_S = 8;
const RENEW_MS = 2_000;
const PORTION = 5_000;

/** All names at one time. */
export class Names {
  static readonly NONE = new Names([]);
  /** By name. */
  readonly #keys = new Map<string, string>();
  /** By key: the name that is shown, and all. */
  readonly shown = new Map<string, string>();
  readonly #all = new Map<string, string[]>();

  constructor(rows: Iterable<{ readonly name: string; readonly key: string; readonly current: boolean }>) {
    for (const { name, key, current } of rows) {
      this.#keys.set(name, key);
      if (current) this.shown.set(key, name);
      const all = this.#all.get(key);
      if (all === undefined) this.#all.set(key, [name]);
      else all.push(name);
    }
  }

  get size(): number {
    return this.#keys.size;
  }

  has(id: string): boolean {
    return this.#keys.has(id);
  }

  /** What the log knows the sensor by. */
  keyOf(id: string): string {
    return this.#keys.get(id) ?? id;
  }

  /** What is shown of the sensor that the id leads to. */
  shownOf(id: string): string {
    const key = this.#keys.get(id);
    return key === undefined ? id : (this.shown.get(key) ?? id);
  }

  /** All ids that lead where this one does. */
  namesOf(id: string): readonly string[] {
    const key = this.#keys.get(id);
    return key === undefined ? [id] : this.#all.get(key)!;
  }

  /** Names that are not in the other, or lead elsewhere there. */
  added(before: Names): string[] {
    return [...this.#keys].filter(([name, key]) => before.#keys.get(name) !== key).map(([name]) => name);
  }
}

export interface NameReader {
  /** The names have changed: what was derived from them is to be forgotten. */
  changed(): void;
  /** Resolves when all readings that were taken under these ids before are committed. */
  settled(ids: readonly string[]): Promise<void>;
}

export class SensorNames {
  readonly #sql: Sql;
  readonly #logger: Logger;
  readonly #process = randomUUID();
  #names = Names.NONE;
  #version = -1;
  #reader: NameReader | undefined;
  /** Of the reader: what it has said in the store, and new names under which it may have taken readings that are not committed. */
  #said = -1;
  readonly #unsettled = new Set<string>();
  #following: Promise<void> = Promise.resolve();
  #renewedMs = Number.NEGATIVE_INFINITY;
  readonly #hooks: ((names: Names) => void)[] = [];
  #fails = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #looks = new SharedLook(() => this.#look());

  constructor(o: { sql: Sql; logger: Logger }) {
    this.#sql = o.sql;
    this.#logger = o.logger;
  }

  get current(): Names {
    return this.#names;
  }

  /** Reads the names, and goes on reading what changes. */
  async start(): Promise<void> {
    await this.refresh();
    this.#timer = setInterval(() => {
      if (this.#looks.isRunning) return;
      this.refresh().then(
        () => this.#tell(undefined),
        (error: unknown) => this.#tell(error),
      );
    }, LOOK_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looks.ended();
    if (this.#reader === undefined) return;
    this.#reader = undefined;
    await this.#sql`delete from sensor_name_reader where process = ${this.#process}`.catch((error: unknown) =>
      this.#logger.info({ err: error }, "renames wait a few seconds for this process, which has ended"),
    );
  }

  /** Once for all failures that follow each other. */
  #tell(error: unknown): void {
    if (error !== undefined && !this.#fails)
      this.#logger.warn(
        { err: error },
        "the names of sensors cannot be read or followed: renames wait for this process",
      );
    this.#fails = error !== undefined;
  }

  /** Called with the names as they are, and again with each change. */
  onChange(hook: (names: Names) => void): void {
    this.#hooks.push(hook);
    hook(this.#names);
  }

  /** This process takes readings by the names from now on. A database without room is no reason not to: it is told later. */
  async readBy(reader: NameReader): Promise<void> {
    this.#reader = reader;
    // It knows these before it takes a reading.
    this.#said = this.#version;
    await this.refresh().catch((error: unknown) => this.#tell(error));
  }

  /** Resolves when all that was committed of names before this call is known here. */
  refresh(): Promise<void> {
    return this.#looks.fresh();
  }

  async #look(): Promise<void> {
    const [row] = await this.#sql`select version from sensor_name_version`;
    const version = row!.version as number;
    if (version !== this.#version) await this.#read(version);
    if (this.#reader !== undefined && performance.now() - this.#renewedMs > RENEW_MS) await this.#renew();
  }

  async #read(version: number): Promise<void> {
    const rows: { name: string; key: string; current: boolean }[] = [];
    // May be of a later version than was looked at: then they are read once more.
    for await (const portion of this.#sql`select name, key, current from sensor_name`.cursor(PORTION))
      rows.push(...(portion as unknown as typeof rows));
    const before = this.#names;
    this.#names = new Names(rows);
    this.#version = version;
    for (const hook of this.#hooks) hook(this.#names);
    this.#follow(this.#names.added(before), version);
  }

  /** Says that the version is gone by, once what was taken under the new names before is committed. Nobody waits for it here. */
  #follow(added: readonly string[], version: number): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    reader.changed();
    for (const name of added) this.#unsettled.add(name);
    this.#following = this.#following
      .then(async () => {
        const ids = [...this.#unsettled];
        await reader.settled(ids);
        for (const id of ids) this.#unsettled.delete(id);
        this.#said = version;
        await this.#renew();
      })
      .catch((error: unknown) =>
        this.#logger.warn({ err: error, version }, "new names of sensors are not in use by this process yet"),
      );
  }

  async #renew(): Promise<void> {
    if (this.#reader === undefined) return;
    const startedMs = performance.now();
    await this.#sql`insert into sensor_name_reader (process, version, until)
      values (${this.#process}, ${this.#said}, now() + make_interval(secs => ${LEASE_S}))
      on conflict (process) do update set version = greatest(sensor_name_reader.version, excluded.version), until = excluded.until`;
    this.#renewedMs = startedMs;
  }
}

/** How many processes take readings by former names. */
export async function readersBehind(sql: Sql, version: number): Promise<number> {
  await sql`delete from sensor_name_reader where until < now() - interval '1 minute'`;
  const [row] =
    await sql`select count(*)::int as n from sensor_name_reader where until > now() and version < ${version}`;
  return row!.n;
}
