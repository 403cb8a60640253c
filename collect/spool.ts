/** The readings of a collector on their way: on disk before anything else, then to the platform, in order and once. */
import { createDeviceClient, type DeviceClient, type DeviceReading } from "../client/index.ts";
import { Changes, ignoreRejection, orAbort } from "../server/lib/signals.ts";
import type { Logger } from "../server/observe/logger.ts";
import type { SampledLines } from "../server/observe/sampled.ts";
import type { CollectorSettings } from "./config/settings.ts";
import type { Counters } from "./counters.ts";
import { tlsOf, tokenOf } from "./platform.ts";

/** Readings that wait in memory for the spool to take them. Past it those that cannot wait are left out. */
const MAX_WAITING = 100_000;
/** A batch is on disk within this time of its first reading, or sooner where somebody waits for it. */
const LINGER_MS = 50;
/** The spool is full when it has taken nothing for so long. One sync of a slow disk is shorter. */
const FULL_AFTER_MS = 2_000;

export interface SpoolParts {
  readonly counters: Counters;
  readonly logger: Logger;
  readonly sampled: Pick<SampledLines, "say">;
}

export class Spool {
  readonly #client: DeviceClient;
  readonly #parts: SpoolParts;
  /** Readings that were stored, settled ones too. */
  #stored = 0;
  /** Readings on their way to the spool. */
  #waiting = 0;
  /** How often readings were given, and of how often, from the first, all of them are stored. */
  #puts = { begun: 0, stored: 0 };
  /** Something could not be stored. */
  #isBroken = false;
  /** Resolves when what was given before has been handed to the client: readings of one sensor stay in their order. */
  #turn: Promise<void> = Promise.resolve();
  /** Runs while something waits, and from the beginning when something was taken. */
  #stuck: NodeJS.Timeout | undefined;
  #isFull = false;
  #isConnected = false;
  readonly #taken = new Changes();
  readonly #failed = Promise.withResolvers<never>();

  /** Rejects when nothing more can be stored: the folder cannot be written, or the platform refuses this sender for good. */
  readonly failed: Promise<never> = this.#failed.promise;

  private constructor(client: (spool: Spool) => DeviceClient, parts: SpoolParts) {
    this.#parts = parts;
    this.failed.catch(ignoreRejection); // whoever runs the collector hears of it
    this.#client = client(this);
  }

  /** Opens the folder; what is left in it is sent first. @throws where it cannot be used */
  static async open({ producer, platform, spool }: CollectorSettings, parts: SpoolParts): Promise<Spool> {
    const tls = await tlsOf(platform);
    const opened = new Spool(
      (of) =>
        createDeviceClient({
          producer,
          url: platform.url,
          // Asked at each connection: a token that was replaced needs no restart, and one that is refused is tried again.
          token: () => tokenOf(platform.tokenFile),
          ...(tls === undefined ? {} : { tls }),
          bufferDir: spool.folder,
          maxBufferBytes: spool.maxBytes,
          fsync: spool.fsync,
          lingerMs: LINGER_MS,
          maxBackoffMs: 30_000,
          onConnection: ({ connected, reason, retryInMs }) => of.#connection(connected, reason, retryInMs),
          onDamage: (damage) => {
            parts.counters.spoolDamaged.inc();
            parts.logger.error({ ...damage }, "a part of the spool holds no whole batch and is left out");
          },
          onProgress: ({ counts }) => parts.counters.settled(counts),
          onRefusal: ({ refusal, reading }) =>
            parts.sampled.say(
              `refusal ${refusal.reason}`,
              { sensor: reading.sensorId, value: reading.value, why: refusal.message },
              "readings refused by the platform",
            ),
        }),
      parts,
    );
    await opened.#client.buffered();
    const { taken } = opened.#client.progress;
    opened.#stored = taken;
    if (taken > 0) parts.logger.info({ readings: taken }, "readings of before are in the spool");
    return opened;
  }

  /** Readings that the platform has not settled. */
  get pending(): number {
    return Math.max(0, this.#stored - this.#client.progress.settled + this.#waiting);
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /**
   * What was given before a moment is stored, on disk as the settings say, once `stored` has reached the `begun` of that moment. `isFull`
   * does not tell: a spool that is slow takes something now and then while more waits in memory.
   */
  get puts(): { readonly begun: number; readonly stored: number } {
    return { ...this.#puts };
  }

  /** Resolves when the readings are stored, on disk as the settings say. Waits while the spool is full. */
  async store(readings: readonly DeviceReading[]): Promise<void> {
    const { error } = await this.#put(readings);
    if (error !== undefined) throw error;
  }

  /** @returns how many are on disk, the first of them; with an error where not all are, or nothing more can be stored */
  async #put(readings: readonly DeviceReading[]): Promise<{ readonly kept: number; readonly error?: unknown }> {
    this.#puts.begun++;
    this.#waiting += readings.length;
    this.#stuck ??= setTimeout(() => this.#full(true), FULL_AFTER_MS);
    const { from, to, error } = await this.#sendInTurn(readings);
    if (error !== undefined) this.#failed.reject(error);
    // Also of what cannot be sent as a whole a part may be on disk.
    const unsealed: unknown = await this.#client.buffered().catch((reason: unknown) => reason);
    const why = error ?? unsealed;
    const kept = Math.max(0, Math.min(to, this.#client.progress.buffered) - from);
    this.#waiting -= readings.length;
    this.#stored += kept;
    this.#parts.counters.spooled(kept);
    if (why === undefined) {
      // They are stored in their order. Behind what is lost no count may say that all is stored.
      if (!this.#isBroken) this.#puts.stored++;
      this.#progressed();
      return { kept };
    }
    this.#isBroken = true;
    this.#failed.reject(why);
    this.#taken.tell();
    return { kept, error: why };
  }

  /** @returns where they are among all that the client took */
  async #sendInTurn(
    readings: readonly DeviceReading[],
  ): Promise<{ readonly from: number; readonly to: number; readonly error?: unknown }> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    const from = this.#client.progress.taken;
    try {
      for (const reading of readings) await this.#client.send(reading);
      return { from, to: this.#client.progress.taken };
    } catch (error) {
      return { from, to: this.#client.progress.taken, error };
    } finally {
      resolve();
    }
  }

  /** For those who cannot wait: without room, now or until the end, the readings are left out, and counted. @returns whether they are taken */
  offer(readings: readonly DeviceReading[]): boolean {
    if (this.#waiting + readings.length > MAX_WAITING || this.#isFull) {
      this.#parts.counters.lost("spool_full", readings.length);
      return false;
    }
    // Why, `failed` tells.
    void this.#put(readings).then(({ kept }) => {
      if (kept < readings.length) this.#parts.counters.lost("spool_full", readings.length - kept);
    });
    return true;
  }

  /** Resolves when more may be stored without waiting. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#isFull || this.#waiting > MAX_WAITING) await orAbort(this.#taken.next, signal);
  }

  /**
   * Sends what is there for as long as the signal allows, then closes; what is not settled stays for the next start.
   *
   * @returns how many readings stay
   */
  async close(signal: AbortSignal): Promise<number> {
    await orAbort(this.#client.flush(), signal).catch((error: unknown) => {
      if (!signal.aborted) this.#parts.logger.warn({ err: error }, "the spool could not be sent");
    });
    clearTimeout(this.#stuck);
    await this.#client.close();
    // What waits for room gets none any more.
    while (this.#waiting > 0) await this.#taken.next;
    return this.pending;
  }

  #progressed(): void {
    clearTimeout(this.#stuck);
    this.#stuck = this.#waiting === 0 ? undefined : setTimeout(() => this.#full(true), FULL_AFTER_MS);
    this.#full(false);
    this.#taken.tell();
  }

  #full(isFull: boolean): void {
    const { counters, logger } = this.#parts;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    counters.spoolFull.set(isFull ? 1 : 0);
    if (isFull)
      logger.error({ readings: this.pending }, "the spool is full: new readings are left out until there is room");
    else logger.info("the spool has room again");
  }

  #connection(connected: boolean, reason: string | undefined, retryInMs: number | undefined): void {
    const { counters, logger, sampled } = this.#parts;
    counters.platformConnected.set(connected ? 1 : 0);
    // What is left of an earlier run is sent on a stream of its own: that is the same connection.
    if (connected && !this.#isConnected) logger.info("connected to the platform");
    this.#isConnected = connected;
    if (!connected)
      sampled.say(
        "platform",
        { why: reason, retryInMs },
        "no connection to the platform: readings are kept in the spool",
      );
  }
}
