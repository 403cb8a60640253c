/** Alert transitions on their way out: at least once, in order within a partition, with an id that never changes. */
import { fromBinary } from "@bufbuild/protobuf";
import type { Sql } from "postgres";
import { type AlertEvent, AlertEventSchema } from "../../gen/es/telltale/v1/watch_pb.ts";
import type { Logger } from "../observe/logger.ts";

/** Where events go. Resolves when they are safe there; a repetition must do no harm. */
export interface Sink {
  /** Keeps its own progress under this name. */
  readonly name: string;
  send(events: readonly AlertEvent[]): Promise<void>;
  close(): Promise<void>;
}

const EVENTS_AT_ONCE = 500;
/** What was not sent, or not noticed, is looked for this often. */
const LOOK_AGAIN_MS = 2000;

export class Outbox {
  readonly #sql: Sql;
  readonly #sink: Sink;
  readonly #logger: Logger;
  /** Partitions whose events this process sends: those that it commits. */
  readonly #waiting = new Set<number>();
  readonly #owned = new Set<number>();
  #running: Promise<void> | undefined;
  #closed = false;
  readonly #timer: NodeJS.Timeout;

  constructor(sql: Sql, sink: Sink, logger: Logger) {
    this.#sql = sql;
    this.#sink = sink;
    this.#logger = logger;
    this.#timer = setInterval(() => {
      for (const p of this.#owned) this.#waiting.add(p);
      this.#start();
    }, LOOK_AGAIN_MS);
  }

  /** This process has committed in the partition; perhaps there are events. */
  committed(partition: number, events: number): void {
    const first = !this.#owned.has(partition);
    this.#owned.add(partition);
    if (events === 0 && !first) return;
    this.#waiting.add(partition);
    this.#start();
  }

  /** The partition has another owner. */
  released(partition: number): void {
    this.#owned.delete(partition);
    this.#waiting.delete(partition);
  }

  #start(): void {
    if (this.#running !== undefined || this.#closed) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    for (const partition of this.#waiting) {
      this.#waiting.delete(partition);
      try {
        while (!this.#closed && (await this.#sendSome(partition))) {
          // as many portions as there are
        }
      } catch (error) {
        this.#logger.warn(
          { err: error, partition, sink: this.#sink.name },
          "alert events wait: the sink does not take them",
        );
      }
    }
  }

  /** Sends one portion; true where there may be more. */
  async #sendSome(partition: number): Promise<boolean> {
    const name = this.#sink.name;
    const progress = await this.#sql`
      select next_number from outbox_progress where sink = ${name} and partition = ${partition}`;
    const next = (progress[0]?.next_number as number | undefined) ?? 1;
    const rows = await this.#sql`select number, event from alert_event
      where partition = ${partition} and number >= ${next} order by number limit ${EVENTS_AT_ONCE}`;
    if (rows.length === 0) return false;
    await this.#sink.send(rows.map((r) => fromBinary(AlertEventSchema, r.event as Buffer)));
    const after = (rows[rows.length - 1]!.number as number) + 1;
    await this.#sql`insert into outbox_progress (sink, partition, next_number) values (${name}, ${partition}, ${after})
      on conflict (sink, partition) do update
      set next_number = greatest(outbox_progress.next_number, excluded.next_number)`;
    return rows.length === EVENTS_AT_ONCE;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#running;
    await this.#sink.close();
  }
}
