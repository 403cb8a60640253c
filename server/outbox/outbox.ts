/** Alert events on their way out: at least once to each receiver, in order within a partition, with an id that never changes. */
import type { Sql } from "postgres";
import type { Logger } from "../observe/logger.ts";
import { Courier } from "./courier.ts";
import { Cursors } from "./cursors.ts";
import type { DeliveryCounts, Receiver } from "./receiver.ts";

/** Events whose commit was not noticed, and those left by a former owner, are looked for this often. */
const LOOK_AGAIN_MS = 2000;

export interface OutboxOptions {
  readonly sql: Sql;
  readonly receivers: readonly Receiver[];
  readonly logger: Logger;
  readonly onPortion: (counts: DeliveryCounts) => void;
}

export class Outbox {
  readonly #couriers: readonly Courier[];
  /** Partitions whose events this process delivers: those that it commits. */
  readonly #owned = new Set<number>();
  readonly #timer: NodeJS.Timeout;

  constructor({ sql, receivers, logger, onPortion }: OutboxOptions) {
    const twice = receivers.find((r, i) => receivers.findIndex(({ name }) => name === r.name) !== i);
    if (twice !== undefined) throw new Error(`two receivers are named "${twice.name}": they would share a cursor`);
    const cursors = new Cursors(sql);
    const owns = (partition: number) => this.#owned.has(partition);
    this.#couriers = receivers.map((receiver) => new Courier({ receiver, cursors, logger, onPortion, owns }));
    this.#timer = setInterval(() => {
      for (const partition of this.#owned) this.#look(partition);
    }, LOOK_AGAIN_MS);
  }

  /** This process has committed in the partition; perhaps there are events. */
  committed(partition: number, events: number): void {
    const first = !this.#owned.has(partition);
    this.#owned.add(partition);
    if (events > 0 || first) this.#look(partition);
  }

  /** The partition has another owner. */
  released(partition: number): void {
    this.#owned.delete(partition);
    for (const courier of this.#couriers) courier.forget(partition);
  }

  /** Waits for deliveries under way; what was not delivered is delivered by whoever owns the partition next. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#couriers.map((courier) => courier.close()));
  }

  #look(partition: number): void {
    for (const courier of this.#couriers) courier.look(partition);
  }
}
