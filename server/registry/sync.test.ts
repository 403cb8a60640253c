/** What the fleet in memory knows, and when, beside a real database. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Stored } from "../../testing/stored.ts";
import { manualClock } from "../clock.ts";
import { silentLogger } from "../observe/logger.ts";
import { attributeStatements } from "../store/attributes.ts";
import { lifeCycleStatements } from "../store/life-cycle.ts";
import type { Fleet } from "./fleet.ts";
import { Profiles } from "./profiles.ts";
import { completeRename, reserveName } from "./rename.ts";
import { OPEN_NONE, OPEN_SILENCE } from "./state.ts";
import { FleetSync } from "./sync.ts";

const T0 = Date.UTC(2026, 9, 31, 20) * 1000;
const AS = { who: "ann", sees: () => true, dryRun: false };

describeWith(["postgres"], "the fleet in memory", () => {
  let server: TestPostgres;
  let stored: Stored & { url: string };
  let profiles: Profiles;
  const clock = manualClock(T0);
  const open = (exactSensors?: number) =>
    new FleetSync({
      ...{ sql: stored.sql, logger: silentLogger(), nowMs: clock.monotonicMs },
      ...(exactSensors === undefined ? {} : { exactSensors }),
    });
  const read = (sensorId: string, second: number) =>
    stored.commit(new Map([[sensorId, [{ timeUs: T0 + second * 1e6, value: 1 }]]]));
  const send = async (sensorId: string, second: number, attributes: Record<string, string>) => {
    for (const statement of attributeStatements([{ sensorId, sinceUs: T0 + second * 1e6, attributes }]))
      await stored.sql.unsafe(statement);
  };
  const owner = (sensorId: string, name: string) =>
    profiles.apply([{ sensorId, fields: { owner: name }, revision: undefined }], AS);
  /** Of each sensor the seconds of its newest reading and the values that are known of it. */
  const seen = (fleet: Fleet) =>
    Object.fromEntries(
      [...fleet.order].map((slot) => {
        const from = fleet.knownFrom[slot]!;
        const known = [...fleet.known.subarray(from, from + fleet.knownCount[slot]!)];
        const second = fleet.lastUs[slot]! < 0 ? null : (fleet.lastUs[slot]! - T0) / 1e6;
        return [fleet.ids[slot], [second, ...known.map((fact) => fleet.facts.values[fact])]];
      }),
    );

  beforeAll(async () => {
    server = await startPostgres();
    stored = await Stored.create(server.url, "registry");
    profiles = new Profiles(stored.sql, clock);
  }, 60_000);
  afterAll(async () => {
    await stored?.close();
    await server?.stop();
  });

  test("has what was stored before each call", async () => {
    const sync = open();
    await read("s1", 1);
    await send("s1", 1, { line: "3" });
    expect(seen(await sync.current())).toEqual({ s1: [1, "3"] });
    await read("s1", 5);
    await read("s2", 2);
    expect(seen(await sync.current())).toEqual({ s1: [5, "3"], s2: [2] });
    await send("s1", 6, { line: "4" });
    await owner("s2", "Ann");
    await owner("s3", "Bob");
    expect(seen(await sync.current())).toEqual({ s1: [5, "4"], s2: [2, "Ann"], s3: [null, "Bob"] });
    // Older than those in force: kept, and not shown.
    await send("s1", 2, { line: "2" });
    await owner("s2", "Cid");
    const [one, two] = await Promise.all([sync.current(), sync.current()]);
    expect(seen(one)).toEqual({ s1: [5, "4"], s2: [2, "Cid"], s3: [null, "Bob"] });
    expect(two).toBe(one);
    sync.close();
    expect(seen(await open().current())).toEqual(seen(one));
  });

  test("misses no transaction that began before another one and committed after it", async () => {
    const sync = open();
    await sync.current();
    let commit = () => {};
    const held = new Promise<void>((resolve) => {
      commit = resolve;
    });
    let begun = () => {};
    const wrote = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const slow = stored.sql.begin(async (tx) => {
      await tx.unsafe(attributeStatements([{ sensorId: "slow", sinceUs: T0, attributes: { line: "slow" } }])[0]!);
      begun();
      await held;
    });
    await wrote;
    await owner("quick", "Ann");
    expect(Object.keys(seen(await sync.current()))).not.toContain("slow");
    commit();
    await slow;
    expect(seen(await sync.current())).toMatchObject({ quick: [null, "Ann"], slow: [null, "slow"] });
    sync.close();
  });

  test("shows open alerts while they are open", async () => {
    const sync = open();
    const alert = (state: number) => stored.sql`
      insert into alert (id, partition, sensor_id, sensor_type, alert_type, severity, message, score, value, opened_us, last_seen_us, state,
        readings, detector, confidence, model_version)
      values (1, 0, 's1', 't', 'silence', 3, '', 0, 0, 0, 0, ${state}, 0, '', 0, '')
      on conflict (id) do update set state = excluded.state`;
    const event = () => stored.sql`update log_partition set next_event = next_event + 1`;
    const openOf = async () => {
      const fleet = await sync.current();
      const slot = fleet.ids.indexOf("s1");
      return [fleet.open[slot], fleet.worst[slot]];
    };
    expect(await openOf()).toEqual([OPEN_NONE, 0]);
    await alert(1);
    await event();
    expect(await openOf()).toEqual([OPEN_SILENCE, 3]);
    await alert(2);
    await event();
    expect(await openOf()).toEqual([OPEN_NONE, 0]);
    sync.close();
  });

  test("of a large installation what people say is seen at once, and readings within ten seconds", async () => {
    const sync = open(0);
    await sync.current();
    await read("s1", 100);
    await owner("s1", "Dora");
    expect(seen(await sync.current()).s1).toEqual([5, "4", "Dora"]);
    clock.advanceMs(2_000);
    await sync.current(); // reads beside the call
    await expect.poll(async () => seen(await sync.current()).s1).toEqual([100, "4", "Dora"]);
    await read("s1", 200);
    clock.advanceMs(11_000);
    expect(seen(await sync.current()).s1).toEqual([200, "4", "Dora"]);
    sync.close();
  });

  test("a deleted sensor is gone at the next call, and what came after it is shown, also of a large installation", async () => {
    for (const exact of [undefined, 0]) {
      const id = `doomed-${exact}`;
      const sync = open(exact);
      await read(id, 7);
      await owner(id, "Ann");
      const retired = [{ partition: 0, sensorId: id, retired: true, atUs: T0, by: "Ann" }];
      for (const statement of lifeCycleStatements([{ retirements: retired }])) await stored.sql.unsafe(statement);
      clock.advanceMs(11_000);
      const fleet = await sync.current();
      const slot = fleet.ids.indexOf(id);
      expect([seen(fleet)[id], fleet.retired[slot]]).toEqual([[7, "Ann"], 1]);
      const gone = {
        partition: 0,
        offset: Number(exact ?? 1) + 77,
        sensorId: id,
        firstId: 1,
        atUs: T0,
        by: "Ann",
      };
      for (const statement of lifeCycleStatements([{ deletions: [gone] }])) await stored.sql.unsafe(statement);
      expect((await sync.current()).isRegistered(slot)).toBe(false);
      await owner(id, "Bob");
      expect(seen(await sync.current())[id]).toEqual([null, "Bob"]);
      // Seen again and again while an old transaction runs, and taken for what it is.
      expect(seen(await sync.current())[id]).toEqual([null, "Bob"]);
      await stored.sql`delete from sensor_profile where sensor_id = ${id}`;
      sync.close();
    }
  });

  test("shows a renamed sensor under its new id alone, with all that is known of it", async () => {
    const rename = async (name: string) => {
      const [row] = await stored.sql`select sensor_shown('r1') as shown`;
      const renaming = { key: "r1", shown: row!.shown as string, name, nowUs: T0, who: "ann" };
      await reserveName(stored.sql, renaming);
      expect(await completeRename(stored.sql, renaming, 0)).toBe("done");
    };
    await read("r1", 3);
    await send("r1", 3, { line: "9" });
    await owner("r1", "Ann");
    const retired = [{ partition: 0, sensorId: "r1", retired: true, atUs: T0, by: "Ann" }];
    for (const statement of lifeCycleStatements([{ retirements: retired }])) await stored.sql.unsafe(statement);
    const sync = open();
    const listed = (fleet: Fleet) =>
      [...fleet.order].filter((slot) => fleet.isRegistered(slot) && fleet.ids[slot]!.startsWith("r"));
    for (const name of ["r2", "r3", "r1", "r2"]) {
      const ids = async () => {
        const fleet = await sync.current();
        return listed(fleet).map((slot) => [fleet.ids[slot], seen(fleet)[fleet.ids[slot]!], fleet.retired[slot]]);
      };
      await ids();
      await rename(name);
      const wanted = [[name, [3, "9", "Ann"], 1]];
      expect(await ids()).toEqual(wanted);
      // What is seen again while an old transaction runs.
      expect(await ids()).toEqual(wanted);
    }
    sync.close();
    const fresh = await open().current();
    expect(listed(fresh).map((slot) => fresh.ids[slot])).toEqual(["r2"]);
  });

  test("gives back what values that are gone have taken", async () => {
    const sync = open();
    const before = await sync.current();
    for (let i = 0; i < 150_000; i++) before.facts.attribute("gone", String(i));
    const after = await sync.current();
    expect(after.facts.size).toBeLessThan(100);
    expect(seen(after)).toEqual(seen(before));
    sync.close();
  });
});
