import type { Sql } from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { silentLogger } from "../observe/logger.ts";
import { migrate } from "../postgres/migrate.ts";
import { transaction } from "../postgres/transaction.ts";
import { completeRename, namesVersion, reserveName } from "../registry/rename.ts";
import { Names, readersBehind, SensorNames } from "./names.ts";
import { openStoreSql } from "./postgres.ts";

describe("names", () => {
  const names = new Names([
    { name: "a", key: "a", current: false },
    { name: "b", key: "a", current: true },
    { name: "c", key: "a", current: false },
    { name: "apart", key: "c", current: true },
  ]);

  test("lead to one sensor each, and of others nothing is known", () => {
    for (const name of ["a", "b", "c"]) {
      expect([names.keyOf(name), names.shownOf(name), names.has(name)]).toEqual(["a", "b", true]);
      expect(names.namesOf(name)).toEqual(["a", "b", "c"]);
    }
    // Begun under an id that leads to another sensor: its key is no name of its own.
    expect([names.keyOf("apart"), names.shownOf("apart"), names.shown.get("c")]).toEqual(["c", "apart", "apart"]);
    expect([names.keyOf("x"), names.shownOf("x"), names.has("x"), names.namesOf("x")]).toEqual([
      "x",
      "x",
      false,
      ["x"],
    ]);
  });

  test("are new where there were none before, or where they led elsewhere", () => {
    expect(names.added(Names.NONE)).toEqual(["a", "b", "c", "apart"]);
    expect(names.added(names)).toEqual([]);
    const before = new Names([
      { name: "a", key: "a", current: true },
      { name: "b", key: "b", current: true },
    ]);
    expect(names.added(before)).toEqual(["b", "c", "apart"]);
  });
});

describe("processes that take readings", () => {
  let postgres: TestPostgres;
  let sql: ReturnType<typeof openStoreSql>;
  const started: SensorNames[] = [];
  beforeAll(async () => {
    postgres = await startPostgres();
    sql = openStoreSql(postgres.url, 4);
    await migrate(sql);
  }, 60_000);
  afterAll(async () => {
    await sql?.end();
    await postgres?.stop();
  });
  beforeEach(async () => {
    await Promise.all(started.splice(0).map((names) => names.stop()));
    await sql`delete from sensor_name`;
    await sql`delete from sensor_name_reader`;
  });

  async function process() {
    const names = new SensorNames({ sql, logger: silentLogger() });
    started.push(names);
    const settling: { ids: readonly string[]; done: () => void; fail: (error: Error) => void }[] = [];
    let changes = 0;
    await names.refresh();
    await names.readBy({
      changed: () => void changes++,
      settled: (ids) =>
        new Promise((done, fail) => {
          settling.push({ ids, done, fail });
        }),
    });
    return { names, settling, changes: () => changes };
  }
  const renaming = (name: string) => ({ key: "old", shown: "old", name, nowUs: 0, who: "tester" });
  const behind = async () => readersBehind(sql, await namesVersion(sql));
  const until = async (condition: () => Promise<boolean>) => {
    while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
  };

  test("are behind until each knows the names and has committed what it took under them before", async () => {
    const [one, other] = [await process(), await process()];
    expect(await behind()).toBe(0);
    expect(await reserveName(sql, renaming("new"))).toBe("reserved");
    expect(await behind()).toBe(2);
    await Promise.all([one.names.refresh(), other.names.refresh()]);
    expect(one.names.current.keyOf("new")).toBe("old");
    expect([one.changes(), other.changes()]).toEqual([1, 1]);
    expect(await behind()).toBe(2);
    expect(one.settling[0]?.ids).toEqual(expect.arrayContaining(["new", "old"]));
    one.settling[0]!.done();
    await until(async () => (await behind()) === 1);
    other.settling[0]!.done();
    await until(async () => (await behind()) === 0);
    expect(await completeRename(sql, renaming("new"), 0)).toBe("done");
    await one.names.refresh();
    expect(one.names.current.shownOf("old")).toBe("new");
    // No name is new to it.
    await until(async () => one.settling.length === 2);
    expect(one.settling[1]?.ids).toEqual([]);
  });

  test("that could not commit it say nothing of later names before they have", async () => {
    const { names, settling } = await process();
    await reserveName(sql, renaming("new"));
    await names.refresh();
    settling[0]!.fail(new Error("the log does not take a record"));
    await reserveName(sql, renaming("newer"));
    await names.refresh();
    await until(async () => settling.length === 2);
    expect(settling[1]!.ids).toEqual(expect.arrayContaining(["new", "newer", "old"]));
    expect(await behind()).toBe(1);
    settling[1]!.done();
    await until(async () => (await behind()) === 0);
  });

  test("that have ended are not waited for, those that were killed for some seconds", async () => {
    const [ended, killed] = [await process(), await process()];
    await reserveName(sql, renaming("new"));
    await ended.names.stop();
    expect(await behind()).toBe(1);
    await sql`update sensor_name_reader set until = now()`;
    expect(await behind()).toBe(0);
    expect(killed.names.current.has("new")).toBe(false);
  });

  describe("open alerts that notifications write while their sensor is renamed", () => {
    const alert = {
      ...{ id: "1", status: "firing", labels: { sensor_id: "old", sensor_type: "t" } },
      annotations: { summary: "old is not as usual", description: "Anomaly detected: t of old high since then" },
    };
    const write = (tx: Sql) => tx`insert into notify_alert (alert_id, alert, groups, since_us)
      values (1, ${JSON.stringify(alert)}::text::jsonb, '[]', 0)`;
    const isWaiting = async () =>
      (await sql`select from pg_locks where locktype = 'advisory' and not granted`).length > 0;
    const renamed = {
      ...{ labels: { sensor_id: "new", sensor_type: "t" } },
      annotations: { summary: "new is not as usual", description: "Anomaly detected: t of new high since then" },
    };

    beforeEach(async () => {
      await sql`delete from notify_alert`;
      await sql`delete from alert`;
      await sql`insert into alert (id, partition, sensor_id, sensor_type, alert_type, severity, message, score, value, opened_us,
        last_seen_us, state, readings, detector, confidence, model_version)
        values (1, 0, 'old', 't', 'anomaly_detection', 1, '', 0, 0, 0, 0, 1, 1, '', 1, '')`;
      await reserveName(sql, renaming("new"));
    });
    const stored = async () => (await sql`select alert from notify_alert`)[0]!.alert;

    test("have the new id: the rename waits for what is being written", async () => {
      const { promise: end, resolve } = Promise.withResolvers<void>();
      const { promise: written, resolve: wrote } = Promise.withResolvers<void>();
      const writing = transaction(sql, async (tx) => {
        await write(tx);
        wrote();
        await end;
      });
      await written;
      const renames = completeRename(sql, renaming("new"), 0);
      await until(isWaiting);
      resolve();
      await writing;
      expect(await renames).toBe("done");
      expect(await stored()).toMatchObject(renamed);
    });

    test("have the new id: what is written waits for the rename", async () => {
      const { promise: end, resolve } = Promise.withResolvers<void>();
      const { promise: changed, resolve: change } = Promise.withResolvers<void>();
      const renames = transaction(sql, async (tx) => {
        await tx`select rename_sensor('old', 0, 'new', 0, 'tester')`;
        change();
        await end;
      });
      await changed;
      const writing = transaction(sql, (tx) => write(tx));
      await until(isWaiting);
      resolve();
      await Promise.all([renames, writing]);
      expect(await stored()).toMatchObject(renamed);
    });
  });
});
