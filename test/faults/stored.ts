import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { openClient } from "../../server/postgres/connection.ts";
import { decodeBlock } from "../../server/store/block.ts";
import { createPoints, MAX_BLOCK_POINTS } from "../../server/store/points.ts";

/** All that a database has stored, in a form in which two databases can be compared. */
export interface Stored {
  /** Value by `sensor@microseconds`; a reading that is there twice is in `repeated`. */
  readonly values: Map<string, number>;
  readonly repeated: string[];
  /** By sensor: hash over every column of its readings in the order of time. */
  readonly scored: Map<string, string>;
  /** By partition and number: hash of the transition of an alert. */
  readonly events: Map<string, string>;
  readonly anomalies: number;
  /** By partition: offset after the last record stored. */
  readonly next: Map<number, number>;
  /** By partition: number of the first transition that is not known to be published. */
  readonly published: Map<number, number>;
}

/** Reads everything from the tables, past the platform and the proxies. */
export async function readStored(url: string): Promise<Stored> {
  const client = openClient(url, { max: 1 });
  try {
    const { sql } = client;
    const models = new Map((await sql`select id, version from model`).map((row) => [Number(row.id), row.version]));
    const values = new Map<string, number>();
    const repeated: string[] = [];
    const lines = new Map<string, { at: number; line: string }[]>();
    let anomalies = 0;
    const rows = sql`
      select s.sensor_id, b.first_us::float8, b.first_id::float8, b.model, b.data
      from (
        select series, first_us, first_id, model, data from block
        union all select series, first_us, first_id, model, data from block_new
      ) b join series s on s.id = b.series`.cursor(500);
    const points = createPoints(MAX_BLOCK_POINTS);
    for await (const batch of rows) {
      for (const { sensor_id: sensor, first_us: firstUs, first_id: firstId, model, data } of batch) {
        points.length = 0;
        decodeBlock(data, Number(firstUs), Number(firstId), points);
        const own = lines.get(sensor) ?? [];
        lines.set(sensor, own);
        for (let i = 0; i < points.length; i++) {
          const key = `${sensor}@${points.timeUs[i]}`;
          if (values.has(key)) repeated.push(key);
          values.set(key, points.value[i]!);
          anomalies += points.anomaly[i]!;
          const columns = [points.timeUs, points.id, points.value, points.score, points.confidence, points.anomaly];
          const more = [points.reason, points.mark, points.expected, points.band];
          const line = [...columns, ...more].map((column) => column[i]).join(" ");
          own.push({ at: points.timeUs[i]!, line: `${line} ${models.get(Number(model))}` });
        }
      }
    }
    const scored = new Map<string, string>();
    for (const [sensor, own] of lines) {
      own.sort((a, b) => a.at - b.at);
      scored.set(sensor, hash(own.map(({ line }) => line).join("\n")));
    }
    const eventRows = await sql`select partition, number, event from alert_event`;
    const events = new Map(eventRows.map((row) => [`${row.partition}/${row.number}`, hash(row.event)]));
    const nextRows = await sql`select partition, next_offset from log_partition`;
    const next = new Map(nextRows.map((row) => [Number(row.partition), Number(row.next_offset)]));
    const sentRows = await sql`select partition, next_number from outbox_progress`;
    const published = new Map(sentRows.map((row) => [Number(row.partition), Number(row.next_number)]));
    return { values, repeated, scored, events, anomalies, next, published };
  } finally {
    await client.sql.end();
  }
}

/** How far the store is, asked past the platform and the proxies; answers as soon as the database can. */
export class CommitWatch {
  readonly #client;

  constructor(url: string) {
    this.#client = openClient(url, { max: 1, connect_timeout: 1 });
  }

  /** By partition: offset after the last record stored. */
  async offsets(): Promise<Map<number, number>> {
    for (;;) {
      try {
        const rows = await this.#client.sql`select partition, next_offset from log_partition`;
        return new Map(rows.map((row) => [Number(row.partition), Number(row.next_offset)]));
      } catch {
        await sleep(20); // it is down: what happens then is what is tested
      }
    }
  }

  /** Resolves when each of the partitions has got past where it was. */
  async past(before: ReadonlyMap<number, number>, how: "any" | "all"): Promise<void> {
    for (;;) {
      const now = await this.offsets();
      const moved = [...before].map(([partition, offset]) => (now.get(partition) ?? 0) > offset);
      if (how === "all" ? moved.every(Boolean) : moved.some(Boolean)) return;
      await sleep(20);
    }
  }

  /** Resolves when every transition of an alert that there is now was published. */
  async published(): Promise<void> {
    const due = await this.#client.sql`select partition, next_event from log_partition where next_event > 1`;
    for (;;) {
      const rows = await this.#client.sql`select partition, next_number from outbox_progress`;
      const sent = new Map(rows.map((row) => [Number(row.partition), Number(row.next_number)]));
      if (due.every((row) => (sent.get(Number(row.partition)) ?? 1) >= Number(row.next_event))) return;
      await sleep(100);
    }
  }

  async close(): Promise<void> {
    await this.#client.sql.end({ timeout: 1 });
  }
}

/** Keys of the first map that the second has not, or has otherwise; at most so many. */
export function differences<T>(wanted: ReadonlyMap<string, T>, found: ReadonlyMap<string, T>, most = 5): string[] {
  const wrong = [];
  for (const [key, value] of wanted) {
    if (found.get(key) === value) continue;
    wrong.push(`${key}: ${String(value)} wanted, ${String(found.get(key))} found`);
    if (wrong.length >= most) break;
  }
  return wrong;
}

function hash(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("base64");
}
