import type { Sql } from "postgres";
import { expect, test } from "vitest";
import { describeWith } from "../../../testing/needs.ts";
import { Random } from "../../../testing/random.ts";
import { useDatabase } from "../../../testing/use-database.ts";
import { dueDeliveries, finish, SENT } from "./store.ts";

const ROWS = 120;

interface Place {
  readonly id: number;
  readonly lane: string;
  readonly group: string;
  readonly isMerged: boolean;
}

describeWith(["postgres"], "messages that wait", () => {
  let sql: Sql;
  useDatabase("in_order", (database) => {
    sql = database.sql;
  });

  test("keep the order of their group, and one of several groups that of its channel", async () => {
    const seed = Number(process.env.TELLTALE_SEED ?? Date.now() % 1_000_000);
    process.stdout.write(`TELLTALE_SEED=${seed} repeats these messages\n`);
    const random = new Random(seed);
    const places: Place[] = [];
    for (let i = 0; i < ROWS; i++) {
      const receiver = random.pick(["a", "b"]);
      const isMerged = random.next() < 0.1;
      const group = isMerged ? `merged/${receiver}` : `${receiver}${random.between(0, 3)}`;
      const [row] = await sql`insert into notify_delivery
          (key, group_key, sequence, receiver, channel, channel_key, kind, message, state, next_us, created_us, merged)
        values (${`key${i}`}, ${group}, ${i}, ${receiver}, 0, ${receiver}, 'webhook', '{}', 1, 0, 0, ${isMerged}) returning id`;
      places.push({ id: row!.id, lane: receiver, group, isMerged });
    }
    const sent: number[] = [];
    while (sent.length < ROWS) {
      const due = await dueDeliveries(sql, { nowUs: 1, limit: 1_000, but: [] });
      expect(due.length, `TELLTALE_SEED=${seed}`).toBeGreaterThan(0);
      const { id } = random.pick(due);
      await finish(sql, { id, state: SENT, reason: "" }, 1);
      sent.push(id);
    }
    const at = new Map(sent.map((id, i) => [id, i]));
    for (const later of places) {
      for (const earlier of places) {
        const areOrdered = earlier.group === later.group || earlier.isMerged || later.isMerged;
        if (earlier.id >= later.id || earlier.lane !== later.lane || !areOrdered) continue;
        expect(at.get(earlier.id)!, `TELLTALE_SEED=${seed}`).toBeLessThan(at.get(later.id)!);
      }
    }
  });
});
