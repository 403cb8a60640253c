import type { Sql } from "postgres";
import { expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { useDatabase } from "../../testing/use-database.ts";
import { type Clock, manualClock } from "../clock.ts";
import { silentLogger } from "../observe/logger.ts";
import { openStoreSql } from "../store/postgres.ts";
import { ConsoleSessions, MAX_SESSIONS_OF_CALLER } from "./console-sessions.ts";
import { anonymous, type Principal } from "./principal.ts";

describeWith(["postgres"], "sessions of browsers", () => {
  let sql: Sql;
  let url: string;
  useDatabase("sessions", (database) => {
    ({ sql, url } = database);
  });

  const ann: Principal = { ...anonymous, name: "jwt:ann" };
  const bob: Principal = { ...anonymous, name: "jwt:bob" };
  const replica = (clock: Clock = manualClock(Date.now() * 1_000)) =>
    new ConsoleSessions({ sql, clock, logger: silentLogger() });

  test("one that is ended at a replica is over there at once, and at the others within two seconds", async () => {
    const [clock, here] = [manualClock(Date.now() * 1_000), replica()];
    const there = replica(clock);
    const { id } = await here.begin(ann, "Firefox");
    expect([await here.isOpen(id), await there.isOpen(id)]).toEqual([true, true]);
    await here.end(id);
    expect([await here.isOpen(id), await there.isOpen(id)]).toEqual([false, true]);
    clock.advanceMs(2_000);
    expect(await there.isOpen(id)).toBe(false);
  });

  test("it is over at its end, and one that was never begun is none", async () => {
    const clock = manualClock(Date.now() * 1_000);
    const { id, endsAt } = await replica().begin(ann, "");
    const sessions = replica(clock);
    expect([await sessions.isOpen(id), await sessions.isOpen("made-up")]).toEqual([true, false]);
    clock.advanceMs(endsAt.getTime() - clock.nowUs() / 1_000);
    expect(await sessions.isOpen(id)).toBe(false);
  });

  test("a person sees and ends their own; those that are idle for longer than the cookie lasts are not shown", async () => {
    const sessions = replica();
    const { id } = await sessions.begin(bob, "Chrome");
    const idle = await sessions.begin(bob, "Edge");
    await sql`update console_session set last_used_at = now() - interval '62 minutes' where id = ${idle.id}`;
    expect((await sessions.list(10, bob)).map(({ caller, browser }) => [caller, browser])).toEqual([
      ["jwt:bob", "Chrome"],
    ]);
    expect((await sessions.list(10)).map((each) => each.id)).toContain(id);
    expect(await sessions.end(id, ann)).toBeUndefined();
    expect(await sessions.isOpen(id)).toBe(true);
    expect((await sessions.end(id, bob))?.id).toBe(id);
    expect(await sessions.list(10, bob)).toEqual([]);
  });

  test("a caller has at most so many: the oldest make room", async () => {
    const sessions = replica();
    const carol: Principal = { ...anonymous, name: "jwt:carol" };
    const first = await sessions.begin(carol, "first");
    const others = await sql`insert into console_session (id, caller, caller_key, browser, ends_at)
      select 'carol-' || i, 'jwt:carol', 'name:jwt:carol', '', now() + interval '1 hour'
      from generate_series(2, ${MAX_SESSIONS_OF_CALLER}) i`;
    expect(others.count).toBe(MAX_SESSIONS_OF_CALLER - 1);
    expect(await sessions.list(1_000, carol)).toHaveLength(MAX_SESSIONS_OF_CALLER);
    await sessions.begin(carol, "last");
    const left = await sessions.list(1_000, carol);
    expect([left.length, left.some(({ id }) => id === first.id)]).toEqual([MAX_SESSIONS_OF_CALLER, false]);
  });

  test("while the database is away, those that were seen go on, and others cannot be checked", async () => {
    const clock = manualClock(Date.now() * 1_000);
    const away = openStoreSql(url, 1);
    const sessions = new ConsoleSessions({ sql: away, clock, logger: silentLogger() });
    const { id } = await sessions.begin(ann, "");
    expect(await sessions.isOpen(id)).toBe(true);
    await away.end();
    clock.advanceMs(10_000);
    expect(await sessions.isOpen(id)).toBe(true);
    await expect(sessions.isOpen("other")).rejects.toMatchObject({ kind: "unavailable" });
    clock.advanceMs(300_000);
    await expect(sessions.isOpen(id)).rejects.toMatchObject({ kind: "unavailable" });
  });
});
