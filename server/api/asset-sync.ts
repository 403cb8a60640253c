/**
 * Brings into the log what people want of assets: their settings, and which sensors are in them. What is wanted is in the store, and what the
 * log has is, too: so whoever does it goes on where another one was killed, and what is logged twice changes nothing.
 */
import { randomUUID } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Sql } from "postgres";
import type { DetectorConfig } from "../../gen/es/telltale/v1/detector_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import type { LogSubmitter } from "../ingest/log-submitter.ts";
import { partitionOf } from "../ingest/series.ts";
import { delay, either, ignoreRejection, orAbort } from "../lib/signals.ts";
import type { Logger } from "../observe/logger.ts";
import { allEnded, transaction } from "../postgres/transaction.ts";
import {
  countDuePlaces,
  type DuePlace,
  duePlaces,
  forgetSettings,
  type WantedSettings,
  wantedSettings,
  wantSettings,
} from "../registry/places.ts";
import type { SettingsBook } from "./settings-book.ts";

/** Any constant of our own: one process at a time logs, so that nothing old comes behind what is newer. */
const LOCK = 7_351_909_433;
/** Sensors that are looked up and logged at once: in each partition up to this many in a record. */
const SENSORS_AT_ONCE = 2_000;
/** What another process was to do and did not is looked for this often. */
const LOOK_AGAIN_MS = 60_000;
const RETRY_MS = 5_000;
/** A process that waits for its turn asks again so often. */
const TURN_AGAIN_MS = 100;

interface AssetSyncOptions {
  readonly sql: Sql;
  readonly book: SettingsBook;
  readonly partitions: number;
  readonly submitter: Pick<LogSubmitter, "control">;
  readonly logger: Logger;
}

/** A transaction that has the lock, and the signal that it has it no more, or that the process ends. */
interface Turn {
  readonly tx: Sql;
  readonly signal: AbortSignal;
}

export class AssetSync {
  readonly #o: AssetSyncOptions;
  readonly #closing = new AbortController();
  #last: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();

  constructor(options: AssetSyncOptions) {
    this.#o = options;
  }

  /** Goes on with what is left of before, now and from time to time. */
  start(): void {
    this.#running = this.#repeat();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    await this.#last.catch(ignoreRejection);
  }

  /** What an asset's settings are to be. They are kept, and in the log once `run` has ended. */
  want(wanted: WantedSettings): Promise<void> {
    return wantSettings(this.#o.sql, wanted);
  }

  /** What an asset's settings are to be, be it in the log or not; undefined where nobody wants any. */
  async wanted(asset: string): Promise<DetectorConfig | undefined> {
    const [wanted] = await wantedSettings(this.#o.sql, asset);
    if (wanted === undefined) return undefined;
    const { action } = fromBinary(ControlSchema, wanted.control);
    return action.case === "assetSettings" ? action.value.config : undefined;
  }

  /**
   * Resolves when the log has all that was wanted when it was called.
   *
   * @param sensorIds only of these sensors, whose profiles were changed, and no settings; undefined: all
   */
  run(sensorIds?: readonly string[]): Promise<void> {
    const run = this.#last.catch(ignoreRejection).then(() => this.#run(sensorIds));
    this.#last = run;
    return run;
  }

  /** As `run`, after profiles were changed, which they are whatever happens: what fails here is done later, and `pending` until then. */
  async placed(sensorIds: readonly string[]): Promise<void> {
    try {
      await this.run(sensorIds);
    } catch (error) {
      this.#o.logger.warn(
        { err: error, sensors: sensorIds.length },
        "settings of their assets count for sensors later",
      );
    }
  }

  /** Changes that the log lacks: sensors of the asset, and partitions without its settings or those of an asset around it. */
  async pending(asset: string): Promise<number> {
    const { sql } = this.#o;
    const wanted = await wantedSettings(sql);
    if (wanted.length === 0) return 0;
    const around = wanted.filter((each) => asset === each.asset || asset.startsWith(`${each.asset}/`));
    const partitions = await Promise.all(around.map((each) => this.#lacking(each)));
    return partitions.flat().length + (await countDuePlaces(sql, asset));
  }

  async #repeat(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const done = await this.run().then(
        () => true,
        (error: unknown) => {
          if (!signal.aborted)
            this.#o.logger.warn({ err: error, retryInMs: RETRY_MS }, "settings of assets are logged later");
          return false;
        },
      );
      await delay(done ? LOOK_AGAIN_MS : RETRY_MS, signal).catch(ignoreRejection);
    }
  }

  async #run(sensorIds: readonly string[] | undefined): Promise<void> {
    this.#closing.signal.throwIfAborted();
    await transaction(this.#o.sql, async (tx, lost) => {
      const { signal, leave } = either(lost, this.#closing.signal);
      try {
        await this.#haveTurn({ tx, signal });
        await this.#logAll({ tx, signal }, sensorIds);
      } finally {
        leave();
      }
    });
  }

  /** Asks again instead of waiting in the database: the process may end meanwhile, and another one's turn may take minutes. */
  async #haveTurn({ tx, signal }: Turn): Promise<void> {
    for (;;) {
      const [row] = await tx`select pg_try_advisory_xact_lock(${LOCK}) as is_ours`;
      if (row!.is_ours) return;
      await delay(TURN_AGAIN_MS, signal);
    }
  }

  async #logAll(turn: Turn, sensorIds: readonly string[] | undefined): Promise<void> {
    const wanted = await wantedSettings(turn.tx);
    if (wanted.length === 0) return;
    // Before the settings: these begin to count for all sensors of a partition at one place of its log.
    await this.#logPlaces(turn, sensorIds);
    if (sensorIds === undefined) for (const each of wanted) await this.#logSettings(turn, each);
  }

  async #logPlaces({ tx, signal }: Turn, sensorIds: readonly string[] | undefined): Promise<void> {
    const limit = SENSORS_AT_ONCE;
    for (let after = ""; ; ) {
      signal.throwIfAborted();
      const due = await duePlaces(tx, { sensorIds, after, limit });
      const byPartition = Map.groupBy(due, ({ key }) => partitionOf(key, this.#o.partitions));
      await allEnded([...byPartition].map(([partition, places]) => this.#logPlacesOf(partition, places, signal)));
      if (due.length < limit) return;
      after = due.at(-1)!.key;
    }
  }

  #logPlacesOf(partition: number, places: readonly DuePlace[], signal: AbortSignal): Promise<void> {
    const placed = [...Map.groupBy(places, ({ asset }) => asset)].map(([asset, sensors]) => ({
      ...{ asset, sensorIds: sensors.map(({ key }) => key) },
    }));
    const by = { id: randomUUID(), principal: "assets" };
    const control = create(ControlSchema, { ...by, action: { case: "placeSensors", value: { placed } } });
    return this.#log(partition, toBinary(ControlSchema, control), signal);
  }

  /** Resolves when it is committed. The process does not wait for that when it ends: the next start finds what is left. */
  #log(partition: number, control: Uint8Array, signal: AbortSignal): Promise<void> {
    return orAbort(this.#o.submitter.control(partition, control), signal);
  }

  async #logSettings({ tx, signal }: Turn, wanted: WantedSettings): Promise<void> {
    const lacking = await this.#lacking(wanted);
    signal.throwIfAborted();
    await allEnded(lacking.map((partition) => this.#log(partition, wanted.control, signal)));
    if (wanted.empty) await forgetSettings(tx, wanted);
  }

  /** The partitions whose log has other settings of the asset. */
  async #lacking({ asset, control, empty }: WantedSettings): Promise<number[]> {
    const { book, partitions } = this.#o;
    const { id } = fromBinary(ControlSchema, control);
    const all = Array.from({ length: partitions }, async (_, partition) => {
      const logged = (await book.of(partition)).ofAsset(asset);
      return (empty ? logged === undefined : logged?.controlId === id) ? [] : [partition];
    });
    return (await Promise.all(all)).flat();
  }
}
