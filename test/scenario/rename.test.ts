import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { History } from "../../server/backtest/history.ts";
import { manualClock } from "../../server/clock.ts";
import { silentLogger } from "../../server/observe/logger.ts";
import { type Engine, localEngine } from "../../server/offline-scoring/engines.ts";
import { rescoreHistory } from "../../server/offline-scoring/rescore.ts";
import { completeRename, MAX_NAMES, releaseName, reserveName } from "../../server/registry/rename.ts";
import { SensorCensus } from "../../server/store/census.ts";
import { fsck } from "../../server/store/fsck.ts";
import { removeDeleted } from "../../server/store/removal.ts";
import { Bench, control, deletion, record, type Sent, START, story, tick } from "../../testing/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

async function rename(bench: Bench, key: string, name: string): Promise<string> {
  const [row] = await bench.sql`select sensor_shown(${key}) as shown`;
  const renaming = { key, shown: row!.shown as string, name, nowUs: START, who: "tester" };
  const reserved = await reserveName(bench.sql, renaming);
  if (reserved !== "reserved" && reserved !== "own") return reserved;
  return completeRename(bench.sql, renaming, 0);
}

const RENAMED = ["p0-s1", "p0-s7", "p0-s11", "p1-s20"];

/** The plant's story with settings, a retirement and labels of sensors that are renamed, and a deletion of another. */
function lives(seed: number, hours: number): Uint8Array[] {
  const records = story(seed, hours);
  const at = (share: number) => Math.floor(records.length * share);
  const seconds = (index: number) => Math.floor((index / records.length) * hours * 3600) + 57;
  const events: [number, (s: number) => Uint8Array][] = [
    [0.15, (s) => control(s, { case: "settings", value: { sensorId: "p0-s1", reorderHoldMs: 30_000 } })],
    [0.3, (s) => control(s, { case: "retire", value: { sensorIds: ["p1-s20"], retired: true } })],
    [0.5, (s) => deletion(s, "p0-s30")],
    [0.6, (s) => control(s, { case: "settings", value: { sensorId: "p0-s7", alarmsPerSensorDay: 20 } })],
    [0.7, (s) => control(s, { case: "retire", value: { sensorIds: ["p1-s20"], retired: false } })],
  ];
  for (const [share, make] of events.reverse()) records.splice(at(share), 0, make(seconds(at(share))));
  return records;
}

async function everything(bench: Bench): Promise<string[]> {
  const attributes = await bench.sql`select sensor_id, since_us, attributes from sensor_attributes order by 1, 2`;
  const retired = await bench.sql`select sensor_id, retired_us, retired_by from sensor_retirement order by 1`;
  const all = JSON.parse(await bench.everything()) as Record<string, unknown>;
  const lines = Object.entries(all).flatMap(([name, of]) =>
    [of].flat().map((line) => `${name} ${JSON.stringify(line)}`),
  );
  return [...lines, ...[...attributes, ...retired].map((line) => JSON.stringify(line))];
}

test("the same log gives the same rows, whenever sensors are renamed, however it is cut and however often the owner dies", async () => {
  const records = lives(13, 1);
  const undisturbed = await Bench.open(postgres.url);
  await undisturbed.append(records);
  const wanted = await everything(undisturbed);
  await undisturbed.close();
  const moment = fc.tuple(fc.nat(records.length), fc.constantFrom(...RENAMED), fc.nat(3), fc.boolean());
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.array(moment, { minLength: 4, maxLength: 12 }),
      async (cut, moments) => {
        const bench = await Bench.open(postgres.url);
        try {
          let done = 0;
          for (const [place, key, number, dies] of moments.sort(([a], [b]) => a - b)) {
            // While records are taken, and not only between them.
            const [result] = await Promise.all([
              rename(bench, key, number === 0 ? key : `${key}/name ${number}`),
              bench.append(records.slice(done, Math.max(done, place)), cut),
            ]);
            // The first id of a sensor that was never renamed is the one that it has.
            expect(["done", "taken"]).toContain(result);
            done = Math.max(done, place);
            if (dies) await bench.readAgainFrom(await bench.restart());
          }
          await bench.append(records.slice(done), cut);
          expect((await fsck(bench.url)).problems).toEqual([]);
          for (const key of RENAMED) await rename(bench, key, key);
          const found = new Set(await everything(bench));
          expect(wanted.filter((line) => !found.has(line))).toEqual([]);
          expect(found.size).toBe(new Set(wanted).size);
        } finally {
          await bench.close();
        }
      },
    ),
    { numRuns: 4 },
  );
}, 180_000);

const minutes = (sensor: string, from: number, to: number): Sent[] =>
  Array.from({ length: to - from }, (_, i) => ({ sensor, at: (from + i) * 60, value: 20 + Math.sin(from + i) }));

describe("names of a sensor", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.open(postgres.url);
    await bench.append([record(3000, [{ readings: [...minutes("a", 0, 50), ...minutes("other", 0, 50)] }])]);
  });
  afterAll(() => bench.close());
  const shown = async () =>
    (await bench.sql`select sensor_id, readings from series order by 1`).map((r) => `${r.sensor_id} ${r.readings}`);

  test("lead to it, however often it is renamed, and back", async () => {
    expect(await rename(bench, "a", "b")).toBe("done");
    expect(await rename(bench, "a", "c")).toBe("done");
    expect(await shown()).toEqual(["c 50", "other 50"]);
    await bench.append([record(4000, [{ readings: minutes("a", 50, 60) }])]);
    await bench.crash();
    await bench.append([record(5000, [{ readings: minutes("a", 60, 70) }])]);
    expect(await shown()).toEqual(["c 70", "other 50"]);
    expect((await bench.sql`select name, key, current from sensor_name order by 1`).map((r) => ({ ...r }))).toEqual([
      { name: "a", key: "a", current: false },
      { name: "b", key: "a", current: false },
      { name: "c", key: "a", current: true },
    ]);
    expect(await rename(bench, "a", "a")).toBe("done");
    expect(await shown()).toEqual(["a 70", "other 50"]);
  });

  test("are no other sensor's, nor is an id that a sensor has or that is still being removed", async () => {
    for (const name of ["a", "b", "c"]) expect(await rename(bench, "other", name)).toBe("taken");
    expect(await rename(bench, "a", "other")).toBe("taken");
    await bench.append([record(5100, [{ readings: minutes("gone", 80, 90) }]), deletion(5200, "gone")]);
    expect(await rename(bench, "a", "gone")).toBe("removing");
    await removeDeleted(bench.sql, START, async () => {});
    expect(await rename(bench, "a", "gone")).toBe("done");
    expect((await fsck(bench.url)).problems).toEqual([]);
  });

  test("are so many and no more, and a reservation that comes to nothing leaves nothing behind", async () => {
    const [{ n }] = (await bench.sql`select count(*)::int as n from sensor_name where key = 'a'`) as unknown as [
      { n: number },
    ];
    for (let i = n; i < MAX_NAMES; i++) expect(await rename(bench, "a", `a${i}`)).toBe("done");
    expect(await rename(bench, "a", "one too many")).toBe("many");
    expect(await rename(bench, "a", "b")).toBe("done");
    const renaming = { key: "other", shown: "other", name: "new", nowUs: START, who: "tester" };
    expect(await reserveName(bench.sql, renaming)).toBe("reserved");
    expect(await reserveName(bench.sql, renaming)).toBe("own");
    await releaseName(bench.sql, renaming);
    expect(await bench.sql`select from sensor_name where key = 'other'`).toHaveLength(0);
  });

  test("are free once it is deleted, also for a sensor of its own", async () => {
    await bench.append([deletion(6000, "a")]);
    expect(await bench.sql`select from sensor_name`).toHaveLength(0);
    const [noted] =
      await bench.sql`select sensor_id, sensor_key, readings from sensor_deletion order by id desc limit 1`;
    expect(noted).toEqual({ sensor_id: "b", sensor_key: "a", readings: 70 });
    await removeDeleted(bench.sql, START, async () => {});
    await bench.append([
      record(6100, [{ readings: [...minutes("a", 100, 110), ...minutes("b", 100, 120)] }]),
      tick(6101),
    ]);
    expect(await shown()).toEqual(["a 10", "b 20", "other 50"]);
    expect((await fsck(bench.url)).problems).toEqual([]);
  });

  test("keep a sensor apart that was begun under one of them by a process that did not know it", async () => {
    expect(await rename(bench, "other", "elsewhere")).toBe("done");
    expect(await reserveName(bench.sql, { key: "other", shown: "elsewhere", name: "x", nowUs: 0, who: "" })).toBe(
      "reserved",
    );
    await bench.append([record(7000, [{ readings: [...minutes("x", 0, 30), ...minutes("other", 130, 140)] }])]);
    await bench.crash();
    await bench.append([record(7100, [{ readings: minutes("x", 30, 40) }])]);
    expect(await shown()).toEqual(["a 10", "b 20", "elsewhere 60", "x (begun in partition 0) 40"]);
    const { problems } = await fsck(bench.url);
    expect(problems.map(({ kind }) => kind)).toEqual(["sensor begun under an id of another"]);
    await bench.append([deletion(7200, "x")]);
    expect(await shown()).toEqual(["a 10", "b 20", "elsewhere 60"]);
  });
});

test("a backtest's timeline has what was said of a sensor under the id that is shown, the log's the first one", async () => {
  const bench = await Bench.open(postgres.url);
  try {
    await bench.append([
      record(3000, [{ readings: minutes("first", 0, 50) }]),
      control(3100, { case: "settings", value: { sensorId: "first", alarmsPerSensorDay: 9 } }),
      control(3200, { case: "retire", value: { sensorIds: ["first", "else"], retired: true } }),
    ]);
    expect(await rename(bench, "first", "second")).toBe("done");
    const history = new History(bench.sql);
    const named = async (read: "timeline" | "loggedTimeline") =>
      (await history[read](0)).controls.map(({ control: { action } }) => {
        const value = action.value as { sensorId?: string; sensorIds?: string[] };
        return value.sensorIds ?? value.sensorId;
      });
    expect(await named("timeline")).toEqual(["second", ["second", "else"]]);
    expect(await named("loggedTimeline")).toEqual(["first", ["first", "else"]]);
  } finally {
    await bench.close();
  }
});

test("scoring history again comes to the stored scores of renamed sensors with settings of their own, also of one renamed meanwhile", async () => {
  const bench = await Bench.open(postgres.url);
  try {
    const own = ["p0-s1", "p0-s3", "p0-s7", "p0-s11"];
    const settings = own.map((sensorId, i) =>
      control(50 + i, { case: "settings", value: { sensorId, alarmsPerSensorDay: 50 } }),
    );
    await bench.append([...settings, ...story(5, 1)]);
    for (const key of own.slice(1)) expect(await rename(bench, key, `hall/${key}`)).toBe("done");
    const wish = { modelFile: undefined, runtime: "js", threshold: 0.95, alarmsPerSensorDay: 0.1, parts: 3 } as const;
    const local = localEngine(bench.sql);
    const engine: Engine = {
      ...local,
      part: async (run, part, ...rest) => {
        await local.part(run, part, ...rest);
        expect(await rename(bench, own[part]!, `moved/${part}`)).toBe("done");
      },
    };
    const events = { started: () => {}, progress: () => {}, finished: () => {} };
    await rescoreHistory(
      { ...wish, fromUs: undefined, untilUs: undefined },
      { ...{ sql: bench.sql, address: bench.url, engine, nowUs: START + 86_400e6, events }, logger: silentLogger() },
    );
    const [found] = await bench.sql`
      select count(*)::int as blocks, count(*) filter (where r.data <> b.data)::int as changed
      from block b left join rescored_block r on r.series = b.series and r.first_us = b.first_us`;
    expect(found!.blocks).toBeGreaterThan(30);
    expect(found!.changed).toBe(0);
    const [scored] = await bench.sql`select count(*)::int as blocks from rescored_block`;
    expect(scored!.blocks).toBe(found!.blocks);
  } finally {
    await bench.close();
  }
}, 60_000);

test("another model finds renamed sensors again, whether it reads the whole log or what is left of it", async () => {
  for (const recovery of ["rebuilt", "warmed"]) {
    const bench = await Bench.open(postgres.url);
    try {
      const records = story(7, 1);
      await bench.append(records.slice(0, 60), 20);
      for (const key of RENAMED) await rename(bench, key, `hall/${key}`);
      if (recovery === "warmed")
        bench.oldest = (await bench.sql`select replay_offset from log_partition`)[0]!.replay_offset;
      bench.model = "other";
      await bench.resume();
      expect(bench.recovery).toBe(recovery);
      await bench.append(records.slice(60), 20);
      await bench.resume();
      const [wrong] = await bench.sql`select count(*)::int as n from series where sensor_id in ${bench.sql(RENAMED)}`;
      expect(wrong!.n).toBe(0);
      expect((await fsck(bench.url)).problems).toEqual([]);
    } finally {
      await bench.close();
    }
  }
}, 60_000);

test("a sensor that was renamed counts once among those that there may be", async () => {
  const bench = await Bench.open(postgres.url);
  try {
    await bench.append([record(3000, [{ readings: [...minutes("a", 0, 5), ...minutes("other", 0, 5)] }])]);
    const census = new SensorCensus({ sql: bench.sql, clock: manualClock(), logger: silentLogger(), limit: 3 });
    await census.look();
    expect(await rename(bench, "a", "b")).toBe("done");
    census.renamed();
    await census.look();
    expect(census.mayBegin("third")).toBe(true);
    census.begin("third");
    expect(["b", "other", "fourth"].map((id) => census.mayBegin(id))).toEqual([true, true, false]);
  } finally {
    await bench.close();
  }
});
