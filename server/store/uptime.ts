import type { Sql } from "postgres";
import type { Clock } from "../clock.ts";
import type { Logger } from "../observe/logger.ts";

/** How exactly the end of a process that was killed is known. */
const BEAT_MS = 5000;

/** Writes down when this process runs, so that uptime is measured and survives restarts. */
export class Uptime {
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #startedUs = 0;

  constructor(sql: Sql, clock: Clock, logger: Logger) {
    this.#sql = sql;
    this.#clock = clock;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    const now = this.#clock.nowUs();
    this.#startedUs = now;
    await this.#sql`insert into uptime (started_us, seen_us) values (${now}, ${now}) on conflict do nothing`;
    this.#timer = setInterval(() => {
      this.#beat().catch((error: unknown) => this.#logger.warn({ err: error }, "uptime could not be written"));
    }, BEAT_MS);
  }

  async #beat(): Promise<void> {
    await this.#sql`update uptime set seen_us = ${this.#clock.nowUs()} where started_us = ${this.#startedUs}`;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beat();
  }
}
