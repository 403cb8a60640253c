import type { Sql } from "postgres";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../../testing/postgres.ts";
import { Random } from "../../../testing/random.ts";
import { Stored } from "../../../testing/stored.ts";
import { openStoreSql } from "../../store/postgres.ts";
import { MAX_OPEN_RECEIVED_ALERTS } from "./limits.ts";
import type { SentAlert } from "./received-alert.ts";
import { acknowledgeReceived, findReceived, openReceived, pruneReceived, receive, takeReceived } from "./store.ts";

const NOW = 1_000_000_000_000;
const LATER = NOW + 60_000_000;
const DAY = 86_400_000_000;

describeWith(["postgres"], "received alerts in the store", () => {
  let server: TestPostgres;
  let stored: Awaited<ReturnType<typeof Stored.create>>;
  let sql: Sql;
  beforeAll(async () => {
    server = await startPostgres();
    stored = await Stored.create(server.url, "received");
    sql = openStoreSql(stored.url, 8);
  }, 60_000);
  afterAll(async () => {
    await sql.end();
    await stored.close();
    await server.stop();
  });
  afterEach(() => sql`truncate received_alert`);

  const alert = (name: string, changes: Partial<SentAlert> = {}): SentAlert => ({
    labels: { alertname: name },
    annotations: {},
    generatorUrl: "",
    ...{ startsUs: NOW, endsUs: NOW + 240_000_000, isTimeout: false, ...changes },
  });
  const take = (nowUs = NOW, limit = 500) => sql.begin((tx) => takeReceived(tx as unknown as Sql, nowUs, limit));
  const open = (nowUs = NOW) => openReceived(sql, { nowUs, belowId: Number.MAX_SAFE_INTEGER, limit: 1_000 });

  test("two that send the same at once make one episode of it, and notifications hear of it once", async () => {
    const all = Array.from({ length: 20 }, (_, i) => alert(`a${i}`));
    const receipts = await Promise.all(Array.from({ length: 8 }, () => receive(sql, all, NOW)));
    expect(receipts.map(({ begun }) => begun).sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 20]);
    expect(await open()).toHaveLength(20);
    expect(await take()).toHaveLength(20);
    expect((await receive(sql, all, LATER)).hasNews).toBe(false);
    expect(await take(LATER)).toEqual([]);
    expect((await open()).every(({ updatedUs }) => updatedUs === LATER)).toBe(true);
  });

  test("an end, and what is sent after it, are two episodes, in their order", async () => {
    await receive(sql, [alert("a")], NOW);
    const [first] = await take();
    const over = alert("a", { endsUs: LATER });
    expect(await receive(sql, [over, over], LATER)).toMatchObject({ ended: 1, known: 1, hasNews: true });
    expect(await receive(sql, [alert("a", { startsUs: LATER })], LATER + 1)).toMatchObject({ begun: 1 });
    const episodes = await take(LATER + 1);
    expect(episodes.map(({ id, closedUs }) => [id === first!.id, closedUs])).toEqual([
      [true, LATER],
      [false, undefined],
    ]);
  });

  test("one that is not sent again ends at its end, once", async () => {
    await receive(sql, [alert("a"), alert("b", { endsUs: NOW + DAY })], NOW);
    await take();
    expect(await open(NOW + 240_000_000)).toHaveLength(1);
    expect(await take(NOW + 240_000_000)).toMatchObject([{ closedUs: NOW + 240_000_000 }]);
    expect(await take(NOW + 250_000_000)).toEqual([]);
  });

  test("there is room for so many that are open, and for another where one has ended", async () => {
    const portion = 2_000;
    const named = (i: number) => alert(`n${i}`);
    for (let i = 0; i < MAX_OPEN_RECEIVED_ALERTS; i += portion) {
      await receive(
        sql,
        Array.from({ length: portion }, (_, k) => named(i + k)),
        NOW,
      );
    }
    const more = [named(0), alert("more"), { ...named(1), endsUs: NOW }, alert("again")];
    expect(await receive(sql, more, NOW)).toMatchObject({ begun: 1, ended: 1, known: 1, tooMany: [1] });
    const [row] = await sql`select count(*)::int as open from received_alert where closed_us is null`;
    expect(row!.open).toBe(MAX_OPEN_RECEIVED_ALERTS);
    let taken = 0;
    for (let got = await take(); got.length > 0; got = await take()) taken += got.length;
    expect(taken).toBe(MAX_OPEN_RECEIVED_ALERTS + 1);
  }, 60_000);

  test("whoever acknowledges first counts, within the own sensors and while it is open", async () => {
    await receive(sql, [alert("a", { labels: { alertname: "a", sensor_id: "line-1/x" } }), alert("b")], NOW);
    await take();
    const [b, a] = await open();
    const by = (id: number, name: string, sensorPrefix = "") =>
      acknowledgeReceived(sql, { id, sensorPrefix, by: name }, NOW);
    expect(await by(b!.id, "eve", "line-1/")).toBeUndefined();
    expect(await by(a!.id, "ann", "line-1/")).toEqual({ atUs: NOW, by: "ann" });
    expect(await by(a!.id, "bob")).toEqual({ atUs: NOW, by: "ann" });
    expect((await take()).map(({ id, acknowledgedBy }) => [id, acknowledgedBy])).toEqual([[a!.id, "ann"]]);
    await receive(sql, [alert("b", { endsUs: NOW })], NOW);
    expect(await by(b!.id, "bob")).toBeUndefined();
  });

  test("those that were over for long are removed, once notifications have heard of them", async () => {
    await receive(sql, [alert("a"), alert("b")], NOW);
    const episodes = await take();
    await receive(sql, [alert("b", { endsUs: NOW })], NOW);
    await pruneReceived(sql, NOW + 31 * DAY);
    expect(await findReceived(sql, episodes[1]!.id)).toBeDefined();
    await take();
    await pruneReceived(sql, NOW + 29 * DAY);
    expect(await findReceived(sql, episodes[1]!.id)).toBeDefined();
    await pruneReceived(sql, NOW + 31 * DAY);
    expect(await findReceived(sql, episodes[1]!.id)).toBeUndefined();
    expect(await findReceived(sql, episodes[0]!.id)).toBeDefined();
  });

  test("whoever sends and whoever takes at the same time lose nothing and never wait in a circle", async () => {
    const seed = Number(process.env.TELLTALE_SEED ?? Date.now() % 1_000_000);
    process.stdout.write(`TELLTALE_SEED=${seed} repeats these alerts\n`);
    const random = new Random(seed);
    const names = Array.from({ length: 30 }, (_, i) => `r${i}`);
    const heard = new Map<number, number | undefined>();
    const rounds = Array.from({ length: 60 }, () =>
      names.filter(() => random.next() < 0.5).map((name) => alert(name, random.next() < 0.4 ? { endsUs: NOW } : {})),
    );
    let isSending = true;
    const taking = (async () => {
      while (isSending) for (const { id, closedUs } of await take(NOW, 7)) heard.set(id, closedUs);
    })();
    for (let i = 0; i < rounds.length; i += 4) {
      await Promise.all(rounds.slice(i, i + 4).map((each) => receive(sql, each, NOW)));
    }
    isSending = false;
    await taking;
    for (let got = await take(); got.length > 0; got = await take())
      for (const each of got) heard.set(each.id, each.closedUs);
    const rows = await sql`select id, closed_us from received_alert order by id`;
    expect(rows.map(({ id, closed_us: closedUs }) => [id, closedUs ?? undefined])).toEqual(
      [...heard].sort(([a], [b]) => a - b),
    );
  });
});
