/**
 * How many sensors there are, for a limit over the whole installation: which ones is kept in memory, so that whoever asks for a new one is
 * answered at once. Other processes' new sensors are seen within seconds: at the limit there may be a few more than it says.
 */
import type { Sql } from "postgres";
import type { Clock } from "../clock.ts";
import type { Logger } from "../observe/logger.ts";

/** How often new series are looked for. */
const LOOK_MS = 2_000;
/** Series get their numbers before they are committed: so many of the newest are read again each time. */
const OVERLAP = 1_000;
/** All are read again after so long, and when a sensor was deleted. */
const WHOLE_MS = 600_000;
/** A sensor that was let in and is not stored by then, since its readings were refused, gives its place back. */
const PENDING_MS = 60_000;
const PORTION = 10_000;

export class SensorCensus {
  readonly limit: number;
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** By id, when it was let in here, by the monotonic clock, milliseconds; 0: it is stored. */
  #known = new Map<string, number>();
  #last = 0;
  /** The newest deletion seen. */
  #deletions = 0;
  #wholeAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(o: { sql: Sql; clock: Clock; logger: Logger; limit: number }) {
    this.limit = o.limit;
    this.#sql = o.sql;
    this.#clock = o.clock;
    this.#logger = o.logger;
  }

  /** Reads all sensors, and goes on reading what is new. */
  async start(): Promise<void> {
    await this.look();
    this.#timer = setInterval(() => {
      // To read all of them may take longer: what two of them find would be mixed.
      this.#looking ??= this.look()
        .catch((error: unknown) => this.#logger.warn({ err: error }, "the number of sensors could not be read"))
        .finally(() => {
          this.#looking = undefined;
        });
    }, LOOK_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Whether readings of the sensor may be taken: it is known, or there is room for one more. */
  mayBegin(sensorId: string): boolean {
    return this.#known.has(sensorId) || this.#known.size < this.limit;
  }

  /** Readings of the sensor are taken. */
  begin(sensorId: string): void {
    if (!this.#known.has(sensorId)) this.#known.set(sensorId, this.#clock.monotonicMs());
  }

  /** Sensors have got other ids: all are read again with the next look. */
  renamed(): void {
    this.#last = 0;
  }

  async look(): Promise<void> {
    const deletions = await this.#sql`select id, sensor_id from sensor_deletion where id > ${this.#deletions}`;
    const nowMs = this.#clock.monotonicMs();
    const whole = this.#last === 0 || deletions.length > 0 || nowMs - this.#wholeAtMs > WHOLE_MS;
    if (whole) {
      this.#wholeAtMs = nowMs;
      for (const { id, sensor_id } of deletions) {
        this.#deletions = Math.max(this.#deletions, id);
        this.#known.delete(sensor_id);
      }
      const stored = await this.#read(0, new Map());
      // Only now: sensors are let in meanwhile.
      for (const [sensorId, atMs] of this.#known)
        if (atMs > 0 && nowMs - atMs < PENDING_MS && !stored.has(sensorId)) stored.set(sensorId, atMs);
      this.#known = stored;
    } else await this.#read(this.#last - OVERLAP, this.#known);
  }

  async #read(after: number, into: Map<string, number>): Promise<Map<string, number>> {
    const rows = this.#sql`select id, sensor_id from series where id > ${after} order by id`;
    for await (const portion of rows.cursor(PORTION)) {
      for (const { id, sensor_id } of portion) {
        into.set(sensor_id, 0);
        this.#last = Math.max(this.#last, id);
      }
    }
    return into;
  }
}
