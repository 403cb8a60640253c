/** How far each receiver has come in each partition's alert events. */
import { fromBinary } from "@bufbuild/protobuf";
import type { Sql } from "postgres";
import { type AlertEvent, AlertEventSchema } from "../../gen/es/telltale/v1/watch_pb.ts";
import type { Receiver } from "./receiver.ts";

/** An event that a receiver can never take. */
export interface DroppedEvent {
  readonly event: AlertEvent;
  readonly reason: string;
}

export class Cursors {
  readonly #sql: Sql;
  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Number of the receiver's next event; a receiver without a cursor in the partition is given one first. */
  async next({ name, startsAt }: Receiver, partition: number): Promise<number> {
    const find = () => this.#sql`
      select next_number from outbox_progress where sink = ${name} and partition = ${partition}`;
    let [row] = await find();
    if (row === undefined) {
      await this.#sql`insert into outbox_progress (sink, partition, next_number)
        select ${name}, partition, case when ${startsAt === "newest"} then next_event else 1 end
        from log_partition where partition = ${partition}
        on conflict (sink, partition) do nothing`;
      [row] = await find();
    }
    return (row?.next_number as number | undefined) ?? 1;
  }

  /** Events from `next` on, at most `limit`; without those of alerts that were removed with their sensor, which are of alert 0. */
  async events(partition: number, next: number, limit: number): Promise<AlertEvent[]> {
    const rows = await this.#sql`select event from alert_event
      where partition = ${partition} and number >= ${next} and alert_id <> 0 order by number limit ${limit}`;
    return rows.map((r) => fromBinary(AlertEventSchema, r.event as Buffer));
  }

  /** Moves the cursor on, never back: another process may have come further. What is skipped goes on record with it. */
  async advance({ name }: Receiver, partition: number, next: number, dropped?: DroppedEvent): Promise<void> {
    await this.#sql.begin(async (tx) => {
      if (dropped !== undefined) {
        const { event, reason } = dropped;
        await tx`insert into outbox_dropped (sink, partition, number, alert_id, reason)
          values (${name}, ${partition}, ${Number(event.number)}, ${Number(event.alert?.id ?? 0n)}, ${reason})
          on conflict (sink, partition, number) do nothing`;
      }
      await tx`insert into outbox_progress (sink, partition, next_number) values (${name}, ${partition}, ${next})
        on conflict (sink, partition) do update
        set next_number = greatest(outbox_progress.next_number, excluded.next_number)`;
    });
  }
}
