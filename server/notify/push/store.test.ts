import { randomUUID } from "node:crypto";
import type { Sql } from "postgres";
import { afterEach, expect, test } from "vitest";
import { describeWith } from "../../../testing/needs.ts";
import { useDatabase } from "../../../testing/use-database.ts";
import { systemClock } from "../../clock.ts";
import { DAY_US } from "../../lib/time.ts";
import { Secrets } from "../channels/secrets.ts";
import { createBrowsers } from "./browsers.ts";
import { BROWSER_DAYS, MAX_BROWSERS_OF_CALLER } from "./limits.ts";
import { liveSubscriptions, type NewSubscription, subscribe, subscriptionsOf } from "./store.ts";

const NOW = 1_800_000_000_000_000;

describeWith(["postgres"], "browsers in the store", () => {
  let sql: Sql;
  useDatabase("browsers", (database) => {
    sql = database.sql;
  });
  afterEach(() => sql`truncate web_push_subscription, web_push_key, api_token`);

  const browser = (changes: Partial<NewSubscription> = {}): NewSubscription => ({
    ...{ endpoint: `https://push.example/${randomUUID()}`, p256dh: "p", auth: "a", label: "", caller: "ann" },
    ...{ callerKey: "name:ann", tokenId: undefined, sensorPrefix: "", ...changes },
  });
  const live = async (nowUs = NOW, callers: string[] = []) =>
    (await liveSubscriptions(sql, callers, nowUs)).map(({ endpoint }) => endpoint);

  test("a browser is told until the console was not open in it for 30 days", async () => {
    const { endpoint } = (await subscribe(sql, browser(), NOW))!;
    expect(await live(NOW + BROWSER_DAYS * DAY_US)).toEqual([endpoint]);
    expect(await live(NOW + BROWSER_DAYS * DAY_US + 1)).toEqual([]);
    await subscribe(sql, browser({ endpoint }), NOW + DAY_US);
    expect(await live(NOW + BROWSER_DAYS * DAY_US + 1)).toEqual([endpoint]);
  });

  test("a browser whose token is revoked, has expired or is gone is told no more", async () => {
    const ends = (us: number) => new Date(us / 1_000);
    const token = (id: string, expires: Date | null, revoked: Date | null) => sql`insert into api_token
      (id, name, secret_hash, scopes, expires_at, revoked_at) values (${id}, ${id}, ${Buffer.from(id)}, 1, ${expires}, ${revoked})`;
    await token("good", ends(NOW + DAY_US), null);
    await token("revoked", null, ends(NOW));
    await token("expired", ends(NOW), null);
    for (const tokenId of ["good", "revoked", "expired", "gone"]) {
      await subscribe(sql, browser({ tokenId, endpoint: `https://push.example/${tokenId}` }), NOW);
    }
    expect(await live()).toEqual(["https://push.example/good"]);
  });

  test("a browser belongs to who subscribed it last, and the callers that are named are told", async () => {
    const mine = browser();
    await subscribe(sql, mine, NOW);
    await subscribe(sql, { ...mine, caller: "bob", callerKey: "name:bob", sensorPrefix: "line-3/" }, NOW);
    expect(await subscriptionsOf(sql, "name:ann", NOW)).toEqual([]);
    expect(await subscriptionsOf(sql, "name:bob", NOW)).toMatchObject([{ caller: "bob", sensorPrefix: "line-3/" }]);
    expect(await live(NOW, ["ann"])).toEqual([]);
    expect(await live(NOW, ["ann", "bob"])).toEqual([mine.endpoint]);
  });

  test("a caller has at most so many browsers, and may renew each", async () => {
    const all = Array.from({ length: MAX_BROWSERS_OF_CALLER }, () => browser());
    // All at once: together they keep to the limit.
    const made = await Promise.all([...all, browser()].map((each) => subscribe(sql, each, NOW)));
    expect(made.filter((each) => each !== undefined)).toHaveLength(MAX_BROWSERS_OF_CALLER);
    const [kept] = await subscriptionsOf(sql, "name:ann", NOW);
    expect(await subscribe(sql, browser({ endpoint: kept!.endpoint }), NOW)).toMatchObject({ id: kept!.id });
    expect(await subscribe(sql, browser({ callerKey: "name:bob" }), NOW)).toBeDefined();
  });

  test("all processes have one key, whichever asks first", async () => {
    const browsers = createBrowsers({ sql, clock: systemClock, given: undefined });
    const keys = await Promise.all([1, 2, 3].map(() => browsers.key(new Secrets({}))));
    expect(new Set(keys.map(({ publicKey }) => publicKey)).size).toBe(1);
  });

  test("what a push service has taken or does not know is kept and removed", async () => {
    const browsers = createBrowsers({ sql, clock: systemClock, given: undefined });
    const { id } = (await subscribe(sql, browser(), systemClock.nowUs()))!;
    await browsers.delivered(id);
    expect(await browsers.list([])).toMatchObject([{ id, successUs: expect.any(Number) }]);
    await browsers.remove(id);
    expect(await browsers.list([])).toEqual([]);
  });
});
