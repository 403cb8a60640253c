/**
 * Brings into the log what people want of assets and types: their settings, and which sensors are in assets. What is wanted is in the store,
 * and what the log has is, too: so whoever does it goes on where another one was killed, and what is logged twice changes nothing.
 */
import { randomUUID } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Sql } from "postgres";
import { assetsAround } from "../../formats/assets.ts";
import type { DetectorConfig } from "../../gen/es/telltale/v1/detector_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import type { LogSubmitter } from "../ingest/log-submitter.ts";
import { partitionOf } from "../ingest/series.ts";
import { SharedLook } from "../lib/shared-look.ts";
import { Changes, delay, either, ignoreRejection, within } from "../lib/signals.ts";
import type { Logger } from "../observe/logger.ts";
import { allEnded, transaction } from "../postgres/transaction.ts";
import { countDuePlaces, type DuePlace, duePlaces, knownPlaces } from "../registry/places.ts";
import {
  adoptSettings,
  areAssetsWanted,
  forgetSettings,
  type WantedSettings,
  type WideScope,
  wantedOf,
  wantedOfAssets,
  wantedSettings,
  wantSettings,
} from "../registry/wanted-settings.ts";
import { OutdatedScorers } from "./outdated-scorers.ts";
import type { LoggedSettings, Settings, SettingsBook } from "./settings-book.ts";

/** Any constant of our own: one process at a time logs, so that nothing old comes behind what is newer. */
const LOCK = 7_351_909_433;
/** Sensors that are looked up and logged at once: in each partition up to this many in a record. */
const SENSORS_AT_ONCE = 2_000;
/** Sensors whose profiles were changed, which wait for the next turn; past it that looks for all. */
const MAX_ASKED = 20_000;
/** What another process was to do and did not is looked for this often. */
const LOOK_AGAIN_MS = 60_000;
/** After a turn that has left something to do; each time twice as long, up to the above. */
const RETRY_MS = 5_000;
/** A process that waits for its turn asks again so often. */
const TURN_AGAIN_MS = 100;
/** A partition that has not committed a record for this long is left to a later turn: the others do not wait for it. */
const COMMIT_MS = 10_000;
/** A process that does nothing for this long in its turn, because it was stopped, loses it: more than twice the above. */
const IDLE_MS = 60_000;

interface SettingsSyncOptions {
  readonly sql: Sql;
  readonly book: SettingsBook;
  readonly partitions: number;
  readonly submitter: Pick<LogSubmitter, "control">;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  readonly commitMs?: number;
  readonly idleMs?: number;
}

/** A transaction that has the lock, and the signal that it has it no more, or that the process ends. */
interface Turn {
  readonly tx: Sql;
  readonly signal: AbortSignal;
  /** Partitions that are left to a later turn, and why. */
  readonly behind: Map<number, string>;
}

/** A record on its way. */
interface Unsettled {
  /** Resolves when it is committed. */
  readonly logged: Promise<void>;
  /** Whether a turn has gone on without it. */
  isLate: boolean;
}

export class SettingsSync {
  readonly #o: SettingsSyncOptions;
  readonly #closing = new AbortController();
  /** At most one turn runs and one waits, whoever asks. */
  readonly #turns = new SharedLook(() => this.#turn());
  /** Of the turn that waits; undefined: all. */
  #asked: Set<string> | undefined = new Set();
  /** The record of a partition that is not known to be committed: until it is no other one is logged there. */
  readonly #unsettled = new Map<number, Unsettled>();
  /** A partition that was left to a later turn has committed. */
  readonly #freed = new Changes();
  readonly #outdated: OutdatedScorers;
  #running: Promise<void> = Promise.resolve();

  constructor(options: SettingsSyncOptions) {
    this.#o = options;
    this.#outdated = new OutdatedScorers(options.clock, options.logger);
  }

  /** Goes on with what is left of before, now and from time to time. */
  start(): void {
    this.#running = this.#repeat();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    await this.#turns.ended();
  }

  /** What the settings of a scope are to be. They are kept, and in the log once `run` has ended. */
  want(wanted: WantedSettings): Promise<void> {
    return wantSettings(this.#o.sql, wanted);
  }

  /**
   * What the settings of a scope are to be, be it in the log or not; undefined where nobody has said so, or before a type's absent field was
   * that of all types: what the log has of it holds.
   */
  async wanted(scope: WideScope): Promise<DetectorConfig | undefined> {
    const [wanted] = await wantedOf(this.#o.sql, scope);
    if (wanted === undefined) return undefined;
    const { action } = fromBinary(ControlSchema, wanted.control);
    if (action.case === "settings") return action.value;
    return action.case === "assetSettings" ? action.value.config : undefined;
  }

  /**
   * Resolves when the log has all that was wanted when it was called. Throws TelltaleError "unavailable" where some partitions do not get
   * it for now; it is logged there later.
   *
   * @param sensorIds only of these sensors, whose profiles were changed, and no settings; undefined: all
   */
  run(sensorIds?: readonly string[]): Promise<void> {
    if (sensorIds === undefined) this.#asked = undefined;
    for (const id of sensorIds ?? []) this.#asked?.add(id);
    if ((this.#asked?.size ?? 0) > MAX_ASKED) this.#asked = undefined;
    return this.#turns.fresh();
  }

  /** As `run`, after profiles were changed, which they are whatever happens: what fails here is done later, and `pending` until then. */
  placed(sensorIds: readonly string[]): Promise<void> {
    const sensors = sensorIds.length;
    return this.run(sensorIds).catch((error: unknown) => {
      this.#o.logger.warn({ err: error, sensors }, "settings of their assets count for sensors later");
    });
  }

  /**
   * Changes that the log lacks: partitions without the settings of the scope, and of an asset also those without the settings of an asset
   * around it, and sensors of it.
   *
   * @param sensorPrefix only sensors whose id begins so
   */
  async pending(scope: WideScope, sensorPrefix = ""): Promise<number> {
    const { sql, book, partitions } = this.#o;
    const { asset } = scope;
    const places = asset === "" ? 0 : await countDuePlaces(sql, asset, sensorPrefix);
    const wanted = asset === "" ? await wantedOf(sql, scope) : await wantedOfAssets(sql, assetsAround(asset));
    if (wanted.length === 0) return places;
    const books = await Promise.all(Array.from({ length: partitions }, (_, partition) => book.of(partition)));
    return wanted.reduce((sum, each) => sum + lacking(each, books).length, places);
  }

  async #repeat(): Promise<void> {
    const { signal } = this.#closing;
    let said = "";
    for (let retryInMs = RETRY_MS; !signal.aborted; ) {
      const error = await this.run().then(
        () => undefined,
        (failure: Error) => failure,
      );
      if (error === undefined) [said, retryInMs] = ["", RETRY_MS];
      else if (!signal.aborted && error.message !== said) {
        said = error.message;
        this.#o.logger.warn({ err: error }, "settings are logged later");
      }
      const pauseMs = error === undefined ? LOOK_AGAIN_MS : retryInMs;
      await within(pauseMs, this.#freed.next, signal).catch(ignoreRejection);
      if (error !== undefined) retryInMs = Math.min(2 * retryInMs, LOOK_AGAIN_MS);
    }
  }

  async #turn(): Promise<void> {
    this.#closing.signal.throwIfAborted();
    // At once: whoever asks from here on is answered by the next turn, which has to find what was asked for.
    const asked = this.#asked;
    this.#asked = new Set();
    const behind = new Map<number, string>();
    const { sql, idleMs = IDLE_MS } = this.#o;
    await transaction(sql, async (tx, lost) => {
      const { signal, leave } = either(lost, this.#closing.signal);
      try {
        await tx`select set_config('idle_in_transaction_session_timeout', ${String(idleMs)}, true)`;
        await this.#haveTurn(tx, signal);
        await this.#logAll({ tx, signal, behind }, asked && [...asked]);
      } finally {
        leave();
      }
    });
    if (behind.size === 0) return;
    const whys = [...Map.groupBy(behind, ([, why]) => why)].map(
      ([why, those]) =>
        `${why} (${those.length === 1 ? "partition" : "partitions"} ${those.map(([n]) => n).join(", ")})`,
    );
    throw new TelltaleError("unavailable", `what is left is logged later: ${whys.sort().join("; ")}`);
  }

  /** Asks again instead of waiting in the database: the process may end meanwhile, and another one's turn may take minutes. */
  async #haveTurn(tx: Sql, signal: AbortSignal): Promise<void> {
    for (;;) {
      const [row] = await tx`select pg_try_advisory_xact_lock(${LOCK}) as is_ours`;
      if (row!.is_ours) return;
      await delay(TURN_AGAIN_MS, signal);
    }
  }

  /** @param asked as `run` has it */
  async #logAll(turn: Turn, asked: readonly string[] | undefined): Promise<void> {
    // Before the settings: these begin to count for all sensors of a partition at one place of its log.
    if (await areAssetsWanted(turn.tx)) await this.#logPlaces(turn, asked);
    if (asked !== undefined) return;
    const wanted = await wantedSettings(turn.tx);
    const books = await this.#books();
    for (const each of await this.#unwanted(turn.tx, wanted, books)) wanted.push(each);
    for (const each of wanted) await this.#logSettings(turn, each, books);
  }

  async #logPlaces(turn: Turn, sensorIds: readonly string[] | undefined): Promise<void> {
    const limit = SENSORS_AT_ONCE;
    for (let after = ""; ; ) {
      turn.signal.throwIfAborted();
      const due = await duePlaces(turn.tx, { sensorIds, after, limit });
      const byPartition = Map.groupBy(due, ({ key }) => partitionOf(key, this.#o.partitions));
      await allEnded([...byPartition].map(([partition, places]) => this.#logPlacesOf(turn, partition, places)));
      if (due.length < limit) return;
      after = due.at(-1)!.key;
    }
  }

  async #logPlacesOf(turn: Turn, partition: number, places: readonly DuePlace[]): Promise<void> {
    const state = this.#outdated.stateOf(partition);
    if (state === "paused") turn.behind.set(partition, this.#outdated.why);
    // One is enough to see whether it knows them by now.
    const portions = state === "current" ? [places] : [places.slice(0, 1), places.slice(1)];
    for (const portion of portions) {
      if (portion.length === 0 || turn.behind.has(partition)) return;
      await this.#log(turn, partition, placeControl(portion));
      if (turn.behind.has(partition)) return;
      const known = await knownPlaces(turn.tx, portion);
      if (this.#outdated.record(partition, known.size > 0)) continue;
      turn.behind.set(partition, this.#outdated.why);
    }
  }

  /** Resolves when it is committed, or the partition is left to a later turn. The process does not wait for that when it ends. */
  async #log({ signal, behind }: Turn, partition: number, control: Uint8Array): Promise<void> {
    if (behind.has(partition)) return;
    try {
      const earlier = this.#unsettled.get(partition);
      const isFree = earlier === undefined || (await this.#isInTime(earlier, signal));
      if (isFree && (await this.#isInTime(this.#submit(partition, control), signal))) return;
      behind.set(partition, "no commit");
    } catch (error) {
      signal.throwIfAborted();
      behind.set(partition, error instanceof Error ? error.message : String(error));
    }
  }

  #submit(partition: number, control: Uint8Array): Unsettled {
    const record = { logged: this.#o.submitter.control(partition, control), isLate: false };
    const ended = () => {
      this.#unsettled.delete(partition);
      if (record.isLate) this.#freed.tell();
    };
    record.logged.then(ended, ended);
    this.#unsettled.set(partition, record);
    return record;
  }

  /** Whether the record is committed in time. One that was late is not waited for again: others would wait in each turn. */
  async #isInTime(record: Unsettled, signal: AbortSignal): Promise<boolean> {
    if (record.isLate) return false;
    const isCommitted = await within(this.#o.commitMs ?? COMMIT_MS, record.logged, signal);
    record.isLate = !isCommitted;
    return isCommitted;
  }

  async #logSettings(turn: Turn, wanted: WantedSettings, books: readonly Settings[]): Promise<void> {
    const { tx, signal, behind } = turn;
    const partitions = lacking(wanted, books);
    if (partitions.length === 0 && !wanted.empty) return;
    signal.throwIfAborted();
    // The turn is still this one's.
    await tx`select 1`;
    await allEnded(partitions.map((partition) => this.#log(turn, partition, wanted.control)));
    if (wanted.empty && partitions.every((partition) => !behind.has(partition))) await forgetSettings(tx, wanted);
  }

  /** One after the other: what each reads at the first time may be a lot. */
  async #books(): Promise<Settings[]> {
    const books: Settings[] = [];
    for (let partition = 0; partition < this.#o.partitions; partition++) books.push(await this.#o.book.of(partition));
    return books;
  }

  /**
   * What the log has and nobody wants. Of an asset: what a process that had lost its turn has logged after all was removed. Of a type: what
   * a version that did not write down what is wanted has logged in some partitions, and was killed: the newest is wanted from now on.
   */
  async #unwanted(tx: Sql, wanted: readonly WantedSettings[], books: readonly Settings[]): Promise<WantedSettings[]> {
    const found = new Map<string, WantedSettings>();
    const known = new Set(wanted.map(keyOf));
    for (const { assets } of books) {
      for (const asset of assets.keys()) {
        const scope = { asset, sensorType: "" };
        if (known.has(keyOf(scope)) || found.has(keyOf(scope))) continue;
        found.set(keyOf(scope), { ...scope, control: nothingFor(asset), empty: true });
      }
    }
    for (const sensorType of new Set(books.flatMap(({ types }) => [...types.keys()]))) {
      const scope = { asset: "", sensorType };
      const newest = known.has(keyOf(scope)) ? undefined : newestOfDifferent(sensorType, books);
      if (newest === undefined) continue;
      const adopted = { ...scope, control: newest.control, empty: newest.empty };
      await adoptSettings(tx, adopted);
      found.set(keyOf(scope), adopted);
    }
    return [...found.values()];
  }
}

function keyOf({ asset, sensorType }: WideScope): string {
  return JSON.stringify([asset, sensorType]);
}

/** The partitions whose log has other settings of the scope. */
function lacking(wanted: WantedSettings, books: readonly Settings[]): number[] {
  const { id } = fromBinary(ControlSchema, wanted.control);
  return books.flatMap((settings, partition) => {
    const logged = settings.logged(wanted);
    return (wanted.empty ? logged === undefined : logged?.controlId === id) ? [] : [partition];
  });
}

/** The newest settings of a type where partitions have different ones; undefined where all have the same. */
function newestOfDifferent(sensorType: string, books: readonly Settings[]): LoggedSettings | undefined {
  const inForce = new Set(books.map((settings) => settings.logged({ asset: "", sensorType })?.controlId));
  if (inForce.size === 1) return undefined;
  const all = books.flatMap(({ types }) => types.get(sensorType) ?? []);
  return all.reduce((newest, each) => (each.receivedUs > newest.receivedUs ? each : newest));
}

function placeControl(places: readonly DuePlace[]): Uint8Array {
  const placed = [...Map.groupBy(places, ({ asset }) => asset)].map(([asset, sensors]) => ({
    ...{ asset, sensorIds: sensors.map(({ key }) => key) },
  }));
  const by = { id: randomUUID(), principal: "assets" };
  return toBinary(ControlSchema, create(ControlSchema, { ...by, action: { case: "placeSensors", value: { placed } } }));
}

/** Settings of the asset that set nothing. */
function nothingFor(asset: string): Uint8Array {
  const by = { id: randomUUID(), principal: "assets" };
  const action = { case: "assetSettings", value: { config: { asset } } } as const;
  return toBinary(ControlSchema, create(ControlSchema, { ...by, action }));
}
