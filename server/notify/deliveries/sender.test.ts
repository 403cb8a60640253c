import type { Sql } from "postgres";
import { expect, test } from "vitest";
import { describeWith } from "../../../testing/needs.ts";
import { notification } from "../../../testing/notification.ts";
import { Random } from "../../../testing/random.ts";
import { useDatabase } from "../../../testing/use-database.ts";
import { systemClock } from "../../clock.ts";
import { silentLogger } from "../../observe/logger.ts";
import { endingTransaction } from "../../postgres/transaction.ts";
import type { Channel } from "../channel.ts";
import type { Planned } from "../groups/planned.ts";
import type { Message } from "../message.ts";
import { MAX_AT_ONCE } from "./limits.ts";
import { Sender } from "./sender.ts";
import { queuePlanned, SENT } from "./store.ts";

const STEPS = 60;
const RECEIVERS = ["a", "b"];

describeWith(["postgres"], "messages that were planned", () => {
  let sql: Sql;
  useDatabase("sender", (database) => {
    sql = database.sql;
  });

  test("are sent once, in the order of their groups, whether they are handed on or found", async () => {
    const seed = Number(process.env.TELLTALE_SEED ?? Date.now() % 1_000_000);
    process.stdout.write(`TELLTALE_SEED=${seed} repeats these messages\n`);
    const random = new Random(seed);
    const sent: Message[] = [];
    const channel: Channel = {
      kind: "webhook",
      async send(message) {
        for (let turns = random.between(0, 20); turns > 0; turns--) await new Promise(setImmediate);
        sent.push(message);
        return { kind: "ok" };
      },
      async close() {},
    };
    const sender = new Sender({
      ...{ sql, clock: systemClock, logger: silentLogger(), onAttempt: () => {} },
      ...{ channelOf: () => channel, receiverOf: () => undefined, isHeld: () => false },
      prepare: async ({ message }) => message,
    });
    let planned = 0;
    for (let step = 0; step < STEPS; step++) {
      const isMerged = random.next() < 0.1;
      const some = RECEIVERS.flatMap((receiver) => {
        const groups = isMerged ? ["merged"] : ["g0", "g1", "g2"].filter(() => random.next() < 0.7);
        return groups.map((group) => plannedFor(receiver, `${group}/${receiver}`, step, isMerged));
      });
      planned += some.length;
      const nowUs = systemClock.nowUs();
      const queued = await endingTransaction(sql, async (tx) => queuePlanned(tx, some, { nowUs, limit: MAX_AT_ONCE }));
      // Some are lost on the way, as where another process had planned them.
      sender.look(true, random.next() < 0.8 ? queued : []);
    }
    await expect.poll(() => sent.length).toBe(planned);
    await sender.close();
    expect(new Set(sent.map(({ key }) => key)).size, `TELLTALE_SEED=${seed}`).toBe(planned);
    const [row] = await sql`select count(*) filter (where state <> ${SENT})::int as open from notify_delivery`;
    expect(row!.open).toBe(0);
    for (const [group, own] of Map.groupBy(sent, ({ groupKey }) => groupKey)) {
      const steps = own.map(({ truncatedAlerts }) => truncatedAlerts);
      expect(steps, `${group}, TELLTALE_SEED=${seed}`).toEqual(steps.toSorted((x, y) => x - y));
    }
  }, 60_000);

  test("come without a picture from the second attempt on, so that the words do not wait for it", async () => {
    const attempts: (boolean | undefined)[] = [];
    const channel: Channel = {
      kind: "webhook",
      async send({ isPlain }) {
        attempts.push(isPlain);
        return isPlain ? { kind: "ok" } : { kind: "retry", reason: "answered 500", afterMs: 1 };
      },
      async close() {},
    };
    const sender = new Sender({
      ...{ sql, clock: systemClock, logger: silentLogger(), onAttempt: () => {} },
      ...{ channelOf: () => channel, receiverOf: () => undefined, isHeld: () => false },
      prepare: async ({ message }) => message,
    });
    const nowUs = systemClock.nowUs();
    const planned = [plannedFor("pictured", "pictured", 1, false)];
    const queued = await endingTransaction(sql, async (tx) => queuePlanned(tx, planned, { nowUs, limit: 1 }));
    sender.look(true, queued);
    await expect.poll(() => attempts.length).toBe(2);
    await sender.close();
    expect(attempts).toEqual([undefined, true]);
  });

  test("of a channel that fails by itself are attempts like others, and wait as others do", async () => {
    const errors: unknown[] = [];
    const failed = Promise.withResolvers<void>();
    const logger = {
      ...silentLogger(),
      error: (about: object) => errors.push("err" in about && about.err),
      warn: () => failed.resolve(),
    };
    const channel: Channel = {
      kind: "webhook",
      async send() {
        throw new TypeError("no such part");
      },
      async close() {},
    };
    const sender = new Sender({
      ...{ sql, clock: systemClock, logger, onAttempt: () => {} },
      ...{ channelOf: () => channel, receiverOf: () => undefined, isHeld: () => false },
      prepare: async ({ message }) => message,
    });
    const nowUs = systemClock.nowUs();
    const planned = [plannedFor("thrown", "thrown", 1, false)];
    const queued = await endingTransaction(sql, async (tx) => queuePlanned(tx, planned, { nowUs, limit: 1 }));
    sender.look(true, queued);
    await failed.promise;
    await sender.close();
    expect(errors[0]).toMatchObject({ message: "no such part" });
    const [row] =
      await sql`select attempts, next_us > ${nowUs} as waits, reason from notify_delivery where receiver = 'thrown'`;
    expect(row).toMatchObject({ waits: true, reason: expect.stringContaining("failed by itself") });
    expect(row!.attempts).toBe(errors.length);
  });

  test("are handed on as they are stored, so that a repetition has the same text", async () => {
    const labels = { zone: "z\ud800", alertname: "x", b: "1" };
    const message = notification({ key: "as-stored", groupLabels: labels });
    const planned = { ...plannedFor("c", "c", 1, false), message };
    const [handed] = await endingTransaction(sql, async (tx) => queuePlanned(tx, [planned], { nowUs: 1, limit: 1 }));
    const [row] = await sql`select message from notify_delivery where key = 'as-stored'`;
    expect(JSON.stringify(handed!.message)).toBe(JSON.stringify(row!.message));
  });
});

/** The step stands in a field that changes nothing else. */
function plannedFor(receiver: string, groupKey: string, step: number, isMerged: boolean): Planned {
  const message = notification({ key: `${groupKey}/${step}`, receiver, groupKey, truncatedAlerts: step });
  return { message, groupKey, sequence: step, isMerged, channel: 0, channelKey: receiver, kind: "webhook" };
}
