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

  test("all sessions of a caller end at once, but for the one that is kept", async () => {
    const sessions = replica();
    const cid: Principal = { ...anonymous, name: "jwt:cid" };
    const [kept, other, ofGil] = [
      await sessions.begin(cid, "Firefox"),
      await sessions.begin(cid, "Chrome"),
      await sessions.begin({ ...anonymous, name: "jwt:gil" }, "Edge"),
    ];
    const goOn = () => Promise.all([kept, other, ofGil].map(({ id }) => sessions.isOpen(id)));
    expect(await goOn()).toEqual([true, true, true]);
    expect(await sessions.endAll(cid, kept.id)).toBe(1);
    expect(await goOn()).toEqual([true, false, true]);
    expect([await sessions.endAll({ name: "jwt:cid" }), await sessions.endAll(cid)]).toEqual([1, 0]);
    expect(await goOn()).toEqual([false, false, true]);
  });

  test("a logout token ends the session that it names, or all of its person, and counts once", async () => {
    const sessions = replica();
    const at = (subject: string, sid?: string): Principal => ({
      ...anonymous,
      name: `jwt:${subject}`,
      provider: { subject, sid },
    });
    const names = { first: at("dan", "s1"), second: at("dan", "s2"), unnamed: at("dan"), other: at("eve", "s1") };
    const ids = Object.fromEntries(
      await Promise.all(
        Object.entries(names).map(async ([name, who]) => [name, (await sessions.begin(who, "")).id] as const),
      ),
    );
    const open = async () => {
      const found = await Promise.all(Object.keys(names).map((name) => sessions.isOpen(ids[name]!)));
      return Object.keys(names).filter((_, index) => found[index]);
    };
    const logout = (jti: string, subject?: string, sid?: string) =>
      sessions.endByProvider({ jti, subject, sid, endsMs: Date.now() + 60_000 });
    // The one that began without a name cannot be told from the one that is named.
    expect([await logout("a", "dan", "s1"), await open()]).toEqual([2, ["second", "other"]]);
    expect([await logout("a", "dan"), await open()]).toEqual([undefined, ["second", "other"]]);
    expect([await logout("b", undefined, "s2"), await open()]).toEqual([1, ["other"]]);
    expect([await logout("c", "eve"), await open()]).toEqual([1, []]);
    expect(await logout("d", "nobody")).toBe(0);
  });

  test("a logout token is forgotten once it is too old to count", async () => {
    const sessions = replica();
    const logout = (jti: string, endsMs: number) =>
      sessions.endByProvider({ jti, subject: "fay", sid: undefined, endsMs });
    await logout("old", Date.now() - 1_000);
    await logout("new", Date.now() + 60_000);
    expect((await sql`select jti from logout_token where jti in ('old', 'new')`).map(({ jti }) => jti)).toEqual([
      "new",
    ]);
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
