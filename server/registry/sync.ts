/**
 * Keeps the fleet in memory up to date while it is asked for. What people change, and attributes, are seen by the next call. So is what
 * readings change in an installation of an ordinary size; in a large one it follows within seconds (docs/decisions/registry.md).
 */
import type { Sql } from "postgres";
import { SharedLook } from "../lib/shared-look.ts";
import type { Logger } from "../observe/logger.ts";
import { Fleet } from "./fleet.ts";
import {
  type Marks,
  readChangedKnown,
  readDeletions,
  readKnown,
  readMarks,
  readOpenAlerts,
  readRenames,
  readRetirements,
  readSeries,
} from "./rows.ts";

/** Up to so many sensors each call sees all that was stored before it: to find what changed costs milliseconds. */
const EXACT_SENSORS = 20_000;
/** Beyond, states and times are read again at the earliest after this, and after ten times of what it took. */
const PAUSE_MS = 1_000;
const PAUSE_FACTOR = 10;
/** Whoever comes after this long waits until they have been read. */
const OLDEST_MS = 10_000;
/** Nobody asks any more: the memory is given back. */
const IDLE_MS = 600_000;
/** Values that no sensor has any more, and places of deleted sensors, stay until all is read again. */
const SPARE_FACTS = 100_000;
const SPARE_REMOVALS = 10_000;

interface Loaded {
  readonly fleet: Fleet;
  readonly factsAtLoad: number;
  /** Deletions and renames that were seen and may be seen again. */
  removals: ReadonlySet<number | string>;
  /** Of profiles and attributes. */
  known: Marks;
  /** Of series and alerts. */
  live: Marks;
  liveAtMs: number;
  liveTookMs: number;
}

export class FleetSync {
  readonly #sql: Sql;
  readonly #logger: Logger;
  readonly #nowMs: () => number;
  readonly #exactSensors: number;
  #loaded: Loaded | undefined;
  readonly #looks = new SharedLook(() => this.#sync());
  #reading: Promise<void> | undefined;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(o: { sql: Sql; logger: Logger; nowMs: () => number; exactSensors?: number }) {
    this.#sql = o.sql;
    this.#logger = o.logger;
    this.#nowMs = o.nowMs;
    this.#exactSensors = o.exactSensors ?? EXACT_SENSORS;
  }

  /** The fleet with what was stored before this call. Calls at once share one look at the store. */
  current(): Promise<Fleet> {
    this.#touch();
    return this.#looks.fresh();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#idle);
    this.#loaded = undefined;
  }

  #touch(): void {
    if (this.#closed) return;
    this.#idle ??= setTimeout(() => {
      this.#loaded = undefined;
      this.#idle = undefined;
    }, IDLE_MS).unref();
    this.#idle.refresh();
  }

  async #sync(): Promise<Fleet> {
    const marks = await readMarks(this.#sql);
    const loaded = this.#loaded;
    if (loaded === undefined || isWorn(loaded)) return this.#load(marks);
    const removed = await this.#remove(loaded);
    for await (const entries of readChangedKnown(this.#sql, loaded.known.horizon))
      for (const entry of entries) loaded.fleet.putKnown(entry);
    for (const { sensorId, retired } of await readRetirements(this.#sql, loaded.known.horizon))
      loaded.fleet.putRetired(sensorId, retired);
    loaded.known = marks;
    // What came after a deletion, of the same sensor, may have been read before it; and of a renamed one all is under another id.
    if (removed) await this.#readLive(loaded, marks, true);
    else if (marks.readings !== loaded.live.readings || marks.events !== loaded.live.events)
      await this.#live(loaded, marks);
    return loaded.fleet;
  }

  async #load(marks: Marks): Promise<Fleet> {
    const startedMs = this.#nowMs();
    const fleet = new Fleet();
    const removals = new Set((await this.#readRemovals(marks.horizon)).keys());
    for await (const entries of readSeries(this.#sql)) for (const entry of entries) fleet.putSeries(entry);
    for await (const entries of readKnown(this.#sql)) for (const entry of entries) fleet.putKnown(entry);
    for (const { sensorId } of await readRetirements(this.#sql)) fleet.putRetired(sensorId, true);
    fleet.putAlerts(await readOpenAlerts(this.#sql));
    const tookMs = this.#nowMs() - startedMs;
    this.#logger.debug({ sensors: fleet.size, tookMs: Math.round(tookMs) }, "sensors read for search");
    const times = { liveAtMs: this.#nowMs(), liveTookMs: 0 };
    this.#loaded = { fleet, factsAtLoad: fleet.facts.size, removals, known: marks, live: marks, ...times };
    return fleet;
  }

  /** Ids under which there is no sensor any more, by the deletion or the rename. */
  async #readRemovals(horizon: string): Promise<Map<number | string, string>> {
    const [deleted, renamed] = await Promise.all([readDeletions(this.#sql, horizon), readRenames(this.#sql, horizon)]);
    return new Map<number | string, string>([...deleted, ...renamed]);
  }

  /** Takes out what was deleted, and what has another id; answers whether there was any. */
  async #remove(loaded: Loaded): Promise<boolean> {
    const found = await this.#readRemovals(loaded.known.horizon);
    const fresh = [...found].filter(([id]) => !loaded.removals.has(id));
    loaded.removals = new Set(found.keys());
    if (fresh.length === 0) return false;
    // A look that began before may still bring them.
    await this.#reading?.catch(() => undefined);
    for (const [, sensorId] of fresh) loaded.fleet.remove(sensorId);
    return true;
  }

  /** Reads what readings have changed: now, or beside the call where that takes long. */
  async #live(loaded: Loaded, marks: Marks): Promise<void> {
    const ageMs = this.#nowMs() - loaded.liveAtMs;
    const waits = loaded.fleet.size <= this.#exactSensors || ageMs > OLDEST_MS;
    const rests = ageMs < Math.max(PAUSE_MS, PAUSE_FACTOR * loaded.liveTookMs);
    if (!waits && rests) return;
    if (this.#reading === undefined || waits) {
      await this.#reading;
      this.#reading = this.#readLive(loaded, marks).finally(() => {
        this.#reading = undefined;
      });
    }
    if (waits) return this.#reading;
    this.#reading.catch((error: unknown) => this.#logger.warn({ err: error }, "states of sensors not read"));
  }

  async #readLive(loaded: Loaded, marks: Marks, all = false): Promise<void> {
    const startedMs = this.#nowMs();
    if (all || marks.readings !== loaded.live.readings) {
      for await (const entries of readSeries(this.#sql, loaded.live.horizon))
        for (const entry of entries) loaded.fleet.putSeries(entry);
    }
    if (all || marks.events !== loaded.live.events) loaded.fleet.putAlerts(await readOpenAlerts(this.#sql));
    loaded.live = marks;
    loaded.liveAtMs = this.#nowMs();
    loaded.liveTookMs = loaded.liveAtMs - startedMs;
  }
}

/** Whether much of it is of what is not there any more. */
function isWorn({ fleet, factsAtLoad }: Loaded): boolean {
  return fleet.facts.size > 2 * factsAtLoad + SPARE_FACTS || fleet.removals > fleet.size / 2 + SPARE_REMOVALS;
}
