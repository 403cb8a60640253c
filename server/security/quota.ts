import type { Reading, SeriesBlock } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { sizeOf } from "../lib/batch-size.ts";
import { delay } from "../lib/signals.ts";
import type { QuotaSettings } from "./settings.ts";
import { type Usage, windowMs } from "./usage.ts";

/** What a batch costs its sender. */
export interface BatchSize {
  readonly readings: readonly Pick<Reading, "sensorId">[];
  readonly blocks: readonly Pick<SeriesBlock, "sensorId" | "values">[];
}

/** Sensors that a caller may not send beside those that it has. */
export interface SensorsOverLimit {
  readonly limit: number;
  readonly refused: ReadonlySet<string>;
}

/** What a caller (see `callerOf`) may use. Going over it is TelltaleError "exhausted" with the time to wait. */
export class Quota {
  readonly #settings: QuotaSettings;
  readonly #usage: Usage;
  readonly #clock: Clock;

  constructor(settings: QuotaSettings, usage: Usage, clock: Clock) {
    this.#settings = settings;
    this.#usage = usage;
    this.#clock = clock;
  }

  /** Counts a call; `weight`: as how many. One that weighs more than a second's calls is let through as the only one of its second. */
  async call(caller: string, weight = 1): Promise<void> {
    const { callsPerSecond } = this.#settings;
    if (callsPerSecond === 0) return;
    const counted = Math.min(weight, callsPerSecond);
    const calls = await this.#usage.add(`calls:${caller}`, counted);
    if (calls <= callsPerSecond) return;
    const why =
      counted > 1 ? `calls a second: this one counts as ${counted}, by the rows it may bring` : "calls a second";
    throw over(why, callsPerSecond, this.#nextWindowMs());
  }

  /** Counts the readings and the sensors of a batch. */
  async take(caller: string, batch: BatchSize): Promise<void> {
    if ((await this.#excess(caller, batch)) === 0) return;
    throw over("readings a second", this.#settings.readingsPerSecond, this.#nextWindowMs());
  }

  /**
   * The same where readings are refused one by one: answers with the sensors for which there is no room. To wait would not help their
   * sender, and those that it has already go on.
   */
  async takeEach(caller: string, batch: BatchSize): Promise<SensorsOverLimit | undefined> {
    const { sensors: limit } = this.#settings;
    const refused = limit === 0 ? NONE : await this.#usage.admit(caller, sensorsOf(batch), limit, "some");
    if ((await this.#readingsOver(caller, batch)) > 0)
      throw over("readings a second", this.#settings.readingsPerSecond, this.#nextWindowMs());
    return refused.size === 0 ? undefined : { limit, refused };
  }

  /** The same for a sender that can be slowed: resolves when what is over this second's share is waited off at the allowed rate. */
  async takeSlowly(caller: string, batch: BatchSize, signal: AbortSignal): Promise<void> {
    const excess = await this.#excess(caller, batch);
    if (excess === 0) return;
    await delay(this.#nextWindowMs() + (excess / this.#settings.readingsPerSecond) * windowMs, signal);
  }

  /** A place among the caller's streams, until the function is called; again is as good as once. */
  async enter(caller: string): Promise<() => void> {
    const { streams } = this.#settings;
    if (streams === 0) return () => {};
    const leave = await this.#usage.enter(caller, streams);
    if (leave === undefined) throw over("streams at once", streams, windowMs);
    return leave;
  }

  /** Readings over this second's share. */
  async #excess(caller: string, batch: BatchSize): Promise<number> {
    await this.#checkSensors(caller, batch);
    return this.#readingsOver(caller, batch);
  }

  async #readingsOver(caller: string, batch: BatchSize): Promise<number> {
    const { readingsPerSecond } = this.#settings;
    if (readingsPerSecond === 0) return 0;
    const total = await this.#usage.add(`readings:${caller}`, sizeOf(batch));
    return Math.max(0, total - readingsPerSecond);
  }

  async #checkSensors(caller: string, batch: BatchSize): Promise<void> {
    const { sensors } = this.#settings;
    if (sensors === 0) return;
    const { size } = await this.#usage.admit(caller, sensorsOf(batch), sensors, "all");
    if (size > 0) throw over("sensors", sensors, undefined);
  }

  #nextWindowMs(): number {
    return windowMs - ((this.#clock.nowUs() / 1_000) % windowMs);
  }
}

const NONE: ReadonlySet<string> = new Set();

function sensorsOf({ readings, blocks }: BatchSize): Set<string> {
  const ids = new Set<string>();
  for (const { sensorId } of readings) ids.add(sensorId);
  for (const { sensorId } of blocks) ids.add(sensorId);
  return ids;
}

function over(what: string, limit: number, retryAfterMs: number | undefined): TelltaleError {
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new TelltaleError("exhausted", `Over the limit of ${limit} ${what}`, wait);
}
