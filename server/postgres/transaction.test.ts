import type { PendingQuery, Row, Sql } from "postgres";
import { beforeAll, expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { useDatabase } from "../../testing/use-database.ts";
import { openStoreSql } from "../store/postgres.ts";
import { allEnded, endingTransaction, transaction } from "./transaction.ts";

describeWith(["postgres"], "a transaction in parts", () => {
  let sql: Sql;
  let url: string;
  useDatabase("in_parts", (database) => {
    ({ sql, url } = database);
  });
  beforeAll(async () => {
    await sql`create table noted (what text not null)`;
  });

  test("leaves nothing where one part fails while another still has statements to send", async () => {
    const failed = Promise.withResolvers<void>();
    let goesOn: Promise<unknown> | undefined;
    const fails = async (tx: Sql) => {
      await tx`select 1 / 0`.catch((error: unknown) => {
        failed.resolve();
        throw error;
      });
    };
    const slow = async (tx: Sql) => {
      await failed.promise;
      // Long enough for a transaction that does not wait for this part to be over.
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      await tx`insert into noted values ('outside')`;
    };
    const whole = transaction(sql, (tx) => {
      goesOn = slow(tx);
      return allEnded([fails(tx), goesOn]);
    });
    await expect(whole).rejects.toThrow(/division by zero/);
    await expect(goesOn).rejects.toThrow(/current transaction is aborted/);
    expect(await sql`select * from noted`).toEqual([]);
  });

  test("gives what its parts give", async () => {
    const parts = await transaction(sql, (tx) => allEnded([tx`select 1 as a`, Promise.resolve("b"), 3]));
    expect([parts[0][0]!.a, parts[1], parts[2]]).toEqual([1, "b", 3]);
  });

  test("that waits for something else while its connection is lost sends nothing into the next one, and is told", async () => {
    const one = openStoreSql(url, 1);
    const [began, waits, told] = [
      Promise.withResolvers<number>(),
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
    ];
    const lost = transaction(one, async (tx, over) => {
      const [row] = await tx`select pg_backend_pid() as pid`;
      over.addEventListener("abort", () => told.resolve());
      began.resolve(row!.pid);
      await waits.promise;
    });
    const ended = expect(lost).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
    await sql`select pg_terminate_backend(${await began.promise}::int)`;
    await ended;
    await told.promise;
    const next = transaction(one, async (tx) => {
      await tx`insert into noted values ('next')`;
      waits.resolve();
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      await tx`select 1`;
      throw new Error("taken back");
    });
    await expect(next).rejects.toThrow("taken back");
    expect(await sql`select * from noted where what = 'next'`).toEqual([]);
    await one.end();
  });

  test("whose last statements are sent with the commit is stored with all of them, or fails and leaves nothing", async () => {
    const noted = async () => (await sql`select what from noted order by what`).map(({ what }) => what);
    const note = (what: string[], more: (tx: Sql) => PendingQuery<Row[]>) =>
      endingTransaction(sql, async (tx) => {
        await tx`insert into noted values (${what[0]!})`;
        const last = tx`insert into noted values (${what[1]!}) returning what`;
        return { statements: [last, more(tx)], done: ([rows]) => rows![0]!.what };
      });
    await expect(note(["a", "b"], (tx) => tx`select 1 / 0`)).rejects.toThrow(/division by zero/);
    expect(await noted()).toEqual([]);
    expect(await note(["a", "b"], (tx) => tx`select 1`)).toBe("b");
    expect(await noted()).toEqual(["a", "b"]);
  });
});
