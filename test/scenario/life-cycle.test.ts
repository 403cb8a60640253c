/** Sensors that are retired and deleted, on one partition's owner and a real database: what is stored follows from the log alone. */
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RefusalReason } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { manualClock } from "../../server/clock.ts";
import { Acceptor } from "../../server/ingest/accept.ts";
import { SeriesTable } from "../../server/ingest/series.ts";
import { silentLogger } from "../../server/observe/logger.ts";
import { type Engine, localEngine } from "../../server/offline-scoring/engines.ts";
import { rescoreHistory } from "../../server/offline-scoring/rescore.ts";
import { SensorCensus } from "../../server/store/census.ts";
import { fsck } from "../../server/store/fsck.ts";
import { startMaintenance } from "../../server/store/maintenance.ts";
import { openStoreSql } from "../../server/store/postgres.ts";
import { removeDeleted } from "../../server/store/removal.ts";
import { forAnyCut } from "../../testing/any-cut.ts";
import { Bench, control, deletion, record, type Sent, START, story, tick } from "../../testing/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

const retirement = (at: number, retired: boolean, ...sensorIds: string[]) =>
  control(at, { case: "retire", value: { sensorIds, retired } });

/** The plant's story, with sensors retired, restored and deleted on the way, some of them twice, and settings of theirs in between. */
function lives(seed: number, hours: number): Uint8Array[] {
  const records = story(seed, hours);
  const at = (share: number) => Math.floor(records.length * share);
  const seconds = (index: number) => Math.floor((index / records.length) * hours * 3600) + 57;
  const config = (index: number, sensorId: string) =>
    control(seconds(index), { case: "settings", value: { sensorId, alarmsPerSensorDay: 20, reorderHoldMs: 30_000 } });
  const events: [index: number, bytes: Uint8Array][] = [
    [at(0.1), config(at(0.1), "p0-s5")],
    [at(0.2), deletion(seconds(at(0.2)), "p0-s3", "p1-s3")],
    [at(0.3), deletion(seconds(at(0.3)), "p0-s5")],
    [at(0.4), retirement(seconds(at(0.4)), true, "p0-s7")],
    [at(0.45), retirement(seconds(at(0.45)), true, "p1-s20")],
    [at(0.6), deletion(seconds(at(0.6)), "p0-s3", "p0-s30", "nobody")],
    [at(0.7), retirement(seconds(at(0.7)), false, "p1-s20")],
    [at(0.9), deletion(seconds(at(0.9)), "p1-s7")],
  ];
  for (const [index, bytes] of events.reverse()) records.splice(index, 0, bytes);
  return records;
}

async function everything(bench: Bench): Promise<string[]> {
  const deletions = await bench.sql`
    select log_offset, sensor_id, first_id, cardinality(series) as series, readings from sensor_deletion order by 1, 2`;
  const retired = await bench.sql`select sensor_id, retired_us, retired_by from sensor_retirement order by 1`;
  const [counts] = await bench.sql`select deleted_readings, deleted_anomalies, deleted_late from log_partition`;
  // In lines, so that a difference is a short one.
  const all = JSON.parse(await bench.everything()) as Record<string, unknown>;
  const lines = Object.entries(all).flatMap(([name, of]) =>
    [of].flat().map((line) => `${name} ${JSON.stringify(line)}`),
  );
  return [...lines, ...[...deletions, ...retired, counts].map((line) => JSON.stringify(line))];
}

test("the same log gives the same rows, also of sensors deleted and begun anew, however it is cut and however often the owner dies", async () => {
  const records = lives(11, 2);
  const undisturbed = await Bench.open(postgres.url);
  await undisturbed.append(records);
  const wanted = await everything(undisturbed);
  await undisturbed.close();
  expect(wanted.filter((line) => line.includes("p0-s3")).length).toBeGreaterThan(50);
  const check = async (bench: Bench) => {
    const found = new Set(await everything(bench));
    expect(wanted.filter((line) => !found.has(line))).toEqual([]);
    expect(found.size).toBe(new Set(wanted).size);
  };
  // Deaths behind deletions, after which saved state is of later than the settings of before.
  const runs = { numRuns: 3, examples: [[40, [0, 2, 2, 5, 7, 31, 53, 77, 102, 148]]] as [number, number[]][] };
  await forAnyCut(records, { url: postgres.url, check }, runs);
}, 180_000);

async function released(bench: Bench): Promise<number> {
  return (await bench.sql`select replay_offset from log_partition`)[0]!.replay_offset;
}

test("also where the log begins behind deletions, and by another model, what was deleted does not come back", async () => {
  const records = lives(7, 1);
  const undisturbed = await Bench.open(postgres.url);
  await undisturbed.append(records);
  const wanted = await everything(undisturbed);
  const torn = await Bench.open(postgres.url);
  for (let i = 0; i < records.length; i += 33) {
    await torn.append(records.slice(i, i + 33), 7);
    torn.oldest = await released(torn);
    await torn.resume();
    expect(torn.recovery).toBe("loaded");
  }
  expect(torn.oldest).toBeGreaterThan(records.length / 2);
  const found = new Set(await everything(torn));
  expect(wanted.filter((line) => !found.has(line))).toEqual([]);
  await torn.close();

  const sums = (bench: Bench) =>
    bench.sql`select sensor_id, readings, late, first_us, newest_us, last_value from series order by sensor_id`;
  for (const recovery of ["rebuilt", "warmed"]) {
    const bench = await Bench.open(postgres.url);
    const turn = Math.floor(records.length * 0.65);
    await bench.append(records.slice(0, turn), 20);
    if (recovery === "warmed") bench.oldest = await released(bench);
    bench.model = "other";
    await bench.resume();
    expect(bench.recovery).toBe(recovery);
    await bench.append(records.slice(turn), 20);
    await bench.resume();
    expect(await sums(bench)).toEqual(await sums(undisturbed));
    expect((await fsck(bench.url)).problems).toEqual([]);
    await bench.close();
  }
  await undisturbed.close();
}, 120_000);

/** Tables of the store that name sensors or their series, with what is left of the sensor there. */
async function leftOf(bench: Bench, sensorId: string, series: readonly number[]): Promise<Record<string, number>> {
  const ids = `{${series.join(",")}}`;
  const [row] = await bench.sql`select
    (select count(*)::int from series where sensor_id = ${sensorId}) as series,
    (select count(*)::int from block_new where series = any(${ids}::int[])) as block_new,
    (select count(*)::int from block where series = any(${ids}::int[])) as block,
    (select count(*)::int from rollup where series = any(${ids}::int[])) as rollup,
    (select count(*)::int from reading_metadata where series = any(${ids}::int[])) as metadata,
    (select count(*)::int from alert where sensor_id = ${sensorId}) as alerts,
    (select count(*)::int from alert_event where position(convert_to(${sensorId}, 'UTF8') in event) > 0) as events,
    (select count(*)::int from sensor_profile where sensor_id = ${sensorId}) as profiles,
    (select count(*)::int from sensor_attributes where sensor_id = ${sensorId}) as attributes`;
  return row as unknown as Record<string, number>;
}

test("what is stored of a deleted sensor is removed, at rest or not, the others are complete, and fsck finds nothing at any step", async () => {
  const bench = await Bench.open(postgres.url);
  const maintenance = startMaintenance({ sql: bench.url, logger: silentLogger(), retentionDays: 0, manual: true });
  const problems = async () => (await fsck(bench.url)).problems;
  const records = story(5, 3);
  const half = records.slice(0, records.length / 2);
  await bench.append([
    ...half,
    record(6000, [{ readings: [{ sensor: "p0-s3", at: 5999, value: 20, metadata: { a: "b" } }] }]),
  ]);
  await maintenance.compactNow();
  const jumps = Array.from({ length: 5 }, (_, i) =>
    record(10_900 + i, [{ readings: [{ sensor: "p0-s3", at: 10_900 + i, value: 500 }] }]),
  );
  await bench.append([...records.slice(records.length / 2), ...jumps]);
  await bench.sql`insert into sensor_profile (sensor_id, owner, revision, updated_us, updated_by) values ('p0-s3', 'Ann', 1, 0, 'Ann')`;
  const ids = (await bench.sql`select id from series where sensor_id = 'p0-s3'`).map((r) => r.id as number);
  const before = await leftOf(bench, "p0-s3", ids);
  for (const what of ["series", "block", "block_new", "rollup", "metadata", "alerts", "events", "profiles"])
    expect([what, before[what]! > 0]).toEqual([what, true]);
  const others = async () =>
    (await everything(bench)).filter((l) => /^(readings|sums)/.test(l) && !l.includes('"p0-s3"'));
  const wanted = await others();

  await bench.append([deletion(11_000, "p0-s3")]);
  expect(await problems()).toEqual([]);
  // A receiver that has not had the events yet gets them first, the one of the alert that the deletion has closed among them.
  await bench.sql`insert into outbox_progress values ('receiver', 0, 1)`;
  await bench.sql`update sensor_deletion set deleted_us = ${Date.now() * 1000}`;
  // Whoever removes is killed after one, two, three … transactions, and somebody else goes on.
  const killedAfter = async (transactions: number) => {
    const sql = openStoreSql(bench.url, 1);
    let left = transactions;
    const rest = async () => {
      if (--left === 0) throw new Error("killed");
    };
    const removed = await removeDeleted(sql, Date.now() * 1000, rest).catch(() => undefined);
    await sql.end();
    expect(await problems()).toEqual([]);
    return removed;
  };
  let [kills, waits] = [0, await killedAfter(1)];
  for (; waits === undefined; kills++) waits = await killedAfter(kills + 2);
  expect(kills).toBeGreaterThan(1);
  expect(waits).toEqual({ waiting: 1, finished: 0 });
  expect((await leftOf(bench, "p0-s3", ids)).alerts).toBeGreaterThan(0);
  expect(await problems()).toEqual([]);
  await bench.sql`update outbox_progress set next_number = (select next_event from log_partition)`;
  expect(await maintenance.removeNow()).toEqual({ waiting: 0, finished: 1 });
  expect(Object.values(await leftOf(bench, "p0-s3", ids)).every((n) => n === 0)).toBe(true);
  const [row] =
    await bench.sql`select readings, removed_readings, finished_us is not null as done from sensor_deletion`;
  expect(row).toMatchObject({ removed_readings: row!.readings, done: true });
  expect(await others()).toEqual(wanted);
  expect(await problems()).toEqual([]);

  // The id is free: a reading of long ago begins it, and the alerts of before do not come back.
  await bench.crash();
  await bench.append([record(12_000, [{ readings: [{ sensor: "p0-s3", at: 100, value: 1 }] }])]);
  const [anew] = await bench.sql`select readings, late from series where sensor_id = 'p0-s3'`;
  expect(anew).toEqual({ readings: 1, late: 0 });
  expect(await problems()).toEqual([]);
  await maintenance.close();
  await bench.close();
}, 60_000);

test("what is stored of a sensor is removed although many deletions before wait for a receiver", async () => {
  const bench = await Bench.open(postgres.url);
  const maintenance = startMaintenance({ sql: bench.url, logger: silentLogger(), retentionDays: 0, manual: true });
  await bench.append([...readings(0, 6_000), record(6_500, [{ readings: [{ sensor: "s", at: 6_500, value: 400 }] }])]);
  const ids = (await bench.sql`select id from series`).map((r) => r.id as number);
  await bench.append([deletion(6_600, "s")]);
  await bench.sql`insert into outbox_progress values ('receiver', 0, 1)`;
  await bench.sql`update sensor_deletion set deleted_us = ${Date.now() * 1000}`;
  const before = bench.sql`insert into sensor_deletion
      (id, partition, log_offset, sensor_id, first_id, series, readings, deleted_us, deleted_by) overriding system value
    select -n, partition, -n, sensor_id, first_id, '{}', 0, deleted_us, deleted_by
    from sensor_deletion, generate_series(1, 100) n`;
  expect((await before).count).toBe(100);
  expect(await maintenance.removeNow()).toEqual({ waiting: 101, finished: 0 });
  const left = await leftOf(bench, "s", ids);
  expect([left.block_new, left.block, left.alerts]).toEqual([0, 0, 1]);
  await maintenance.close();
  await bench.close();
}, 60_000);

test("a sensor that is deleted while its history is scored again leaves no scores of the other model behind", async () => {
  const bench = await Bench.open(postgres.url);
  const maintenance = startMaintenance({ sql: bench.url, logger: silentLogger(), retentionDays: 0, manual: true });
  await bench.append(story(5, 1));
  const local = localEngine(bench.sql);
  const engine: Engine = {
    ...local,
    part: async (...of) => {
      await local.part(...of);
      // The engine writes what it has read before only after the removal.
      await bench.sql`create table unwritten as table rescored_block`;
      await bench.sql`delete from rescored_block`;
      await bench.append([deletion(3_700, "p0-s3")]);
      expect(await maintenance.removeNow()).toEqual({ waiting: 0, finished: 1 });
      await bench.sql`insert into rescored_block table unwritten`;
    },
  };
  const wish = { modelFile: undefined, runtime: "js", threshold: 0.95, alarmsPerSensorDay: 0.1, parts: 1 } as const;
  const events = { started: () => {}, progress: () => {}, finished: () => {} };
  const nowUs = START + 86_400e6;
  await rescoreHistory(
    { ...wish, fromUs: undefined, untilUs: undefined },
    { ...{ sql: bench.sql, address: bench.url, engine, nowUs, events }, logger: silentLogger() },
  );
  const [scored] = await bench.sql`select count(*)::int as blocks from rescored_block`;
  expect(scored!.blocks).toBeGreaterThan(0);
  expect((await fsck(bench.url)).problems).toEqual([]);
  await maintenance.close();
  await bench.close();
}, 60_000);

/** Verdicts of a sensor, without ids: these follow from the place in the log. */
async function verdicts(bench: Bench, sensorId: string, from: number): Promise<unknown[]> {
  const { points: p, series, order } = await bench.readings();
  return order
    .filter((i) => series[i]!.sensorId === sensorId && p.timeUs[i]! >= START + from * 1e6)
    .map((i) => [
      p.timeUs[i],
      p.value[i],
      p.confidence[i],
      p.score[i],
      p.anomaly[i],
      p.expected[i],
      p.band[i],
      p.mark[i],
    ]);
}

/** Sensors are silent after five minutes. */
const SILENCE = control(0, { case: "settings", value: { sensorType: "temperature", silenceSeconds: 300 } });

const readings = (from: number, to: number, of: Partial<Sent> = {}): Uint8Array[] =>
  Array.from({ length: (to - from) / 60 }, (_, i) => {
    const at = from + 60 * i;
    return record(at, [{ readings: [{ sensor: "s", at, value: 20 + Math.sin(i) / 5, ...of }] }]);
  });

test("a sensor that is begun anew is judged as one that never was: without what was learnt, set, labelled or retired before", async () => {
  const deleted = await Bench.open(postgres.url);
  const fresh = await Bench.open(postgres.url);
  await deleted.append(readings(0, 12_000));
  await deleted.append([
    control(12_000, { case: "settings", value: { sensorId: "s", off: true, reorderHoldMs: 60_000 } }),
    retirement(12_001, true, "s"),
    ...readings(12_060, 12_120, { value: 500 }),
    // Waits in the reorder buffer when its sensor goes.
    record(12_130, [{ readings: [{ sensor: "s", at: 12_130, value: 7 }] }]),
    deletion(12_150, "s"),
  ]);
  expect(await deleted.sql`select sensor_id from series`).toEqual([]);
  const [counted] = deleted.outcomes.at(-2)!.fragments;
  expect(counted).toMatchObject({ accepted: 1, duplicate: 0, quarantined: 0 });
  const ticks = (from: number, to: number) => Array.from({ length: (to - from) / 2 }, (_, i) => tick(from + 2 * i));
  const after = [...readings(12_180, 24_180), ...readings(24_180, 24_480, { value: 400 })];
  const timed = after.flatMap((bytes, i) => [bytes, tick(12_185 + 60 * i)]);
  for (const bench of [deleted, fresh]) {
    await bench.append([SILENCE, ...timed]);
    await bench.append(ticks(24_500, 24_900));
  }
  expect(await verdicts(deleted, "s", 0)).toEqual(await verdicts(fresh, "s", 0));
  const alerts = (bench: Bench) =>
    bench.sql`select alert_type, severity, opened_us, readings from alert where opened_us > ${START + 12_180e6} order by id`;
  expect(await alerts(deleted)).toEqual(await alerts(fresh));
  // It fell silent in the end, and nobody has retired this one.
  expect((await alerts(fresh)).map((a) => a.alert_type)).toContain("silence");
  await deleted.close();
  await fresh.close();
}, 60_000);

test("a label that comes after the deletion of its alert's sensor changes nothing, and a batch that is resent does not bring it back", async () => {
  const bench = await Bench.open(postgres.url);
  const batch = { producer: "device", sequence: 7, readings: [{ sensor: "s", at: 6_500, value: 400 }] };
  await bench.append([...readings(0, 6_000), record(6_500, [batch])]);
  const [alert] = await bench.sql`select id, detector from alert`;
  expect(alert).toBeDefined();
  await bench.append([deletion(6_600, "s")]);
  const label = { alertId: BigInt(alert!.id), sensorId: "s", correct: false, detector: alert!.detector };
  await bench.append([control(6_700, { case: "label", value: label }), record(6_800, [batch])]);
  expect(bench.outcomes.at(-1)!.fragments[0]).toMatchObject({ accepted: 1 });
  expect(await bench.sql`select sensor_id from series`).toEqual([]);
  const other = await Bench.open(postgres.url);
  const after = readings(6_900, 18_900);
  await bench.append(after);
  await other.append(after);
  expect(await verdicts(bench, "s", 0)).toEqual(await verdicts(other, "s", 0));
  await bench.close();
  await other.close();
}, 60_000);

test("a retired sensor raises no silence alert, and its open alert is resolved; restored, silence counts from its next reading on", async () => {
  const bench = await Bench.open(postgres.url);
  const ticks = (from: number, to: number) => Array.from({ length: (to - from) / 2 }, (_, i) => tick(from + 2 * i));
  const minutes = (from: number, to: number) =>
    readings(from, to).flatMap((bytes, i) => [bytes, tick(from + 60 * i + 5)]);
  const alerts = async () =>
    (await bench.sql`select alert_type, state, resolved_by from alert order by id`).map((a) => ({ ...a }));
  await bench.append([SILENCE, ...minutes(0, 3_000), ...ticks(3_000, 3_600)]);
  expect(await alerts()).toEqual([{ alert_type: "silence", state: 1, resolved_by: "" }]);
  await bench.append([retirement(3_601, true, "s")]);
  const resolved = { alert_type: "silence", state: 3, resolved_by: "tester" };
  expect(await alerts()).toEqual([resolved]);
  await bench.append([...minutes(3_660, 4_860), ...ticks(4_860, 6_000)]);
  await bench.crash();
  expect(await alerts()).toEqual([resolved]);
  await bench.append([retirement(6_001, false, "s"), ...ticks(6_010, 7_000)]);
  expect(await alerts()).toEqual([resolved]);
  await bench.append([...minutes(7_080, 8_280), ...ticks(8_280, 9_000)]);
  expect(await alerts()).toEqual([resolved, { alert_type: "silence", state: 1, resolved_by: "" }]);
  await bench.close();
}, 60_000);

test("beyond the installation's limit readings of new sensors are refused with the reason, known ones go on, and a deletion makes room", async () => {
  const bench = await Bench.open(postgres.url);
  await bench.append([record(1, [{ readings: ["a", "b"].map((sensor) => ({ sensor, at: 1, value: 1 })) }])]);
  const clock = manualClock(1_000_000);
  const census = new SensorCensus({ sql: bench.sql, clock, logger: silentLogger(), limit: 3 });
  await census.start();
  const accept = (sensorIds: readonly string[], value = 1) => {
    const messages = sensorIds.map((sensorId) =>
      create(ReadingSchema, { sensorId, sensorType: "t", unit: "C", value }),
    );
    const batch = {
      producer: "",
      epoch: 1n,
      sequence: 0n,
      traceparent: "",
      readings: messages,
      blocks: [],
      echo: false,
    };
    const rules = { nowUs: START + 1e15, maxAheadUs: 0, oldestUs: 0, mayWrite: () => true, census };
    const { refusals, rejected } = new Acceptor(new SeriesTable(1)).accept(batch, rules);
    return { rejected, refusals: refusals.map(({ index, reason, message }) => ({ index, reason, message })) };
  };
  const { rejected, refusals } = accept(["a", "c", "d", "b", "c"]);
  expect([rejected, refusals]).toEqual([
    1,
    [
      {
        ...{ index: 2, reason: RefusalReason.TOO_MANY_SENSORS },
        message:
          'sensor_id "d" is new, and there are 3 sensors already, which is the limit of this installation (LIMIT_SENSORS_TOTAL): ' +
          "delete sensors that are not needed any more, or raise the limit",
      },
    ],
  ]);
  await bench.append([deletion(10, "a")]);
  expect(accept(["d"]).rejected).toBe(1);
  await census.look();
  expect(accept(["d", "b", "c"]).rejected).toBe(0);
  expect(accept(["a"]).rejected).toBe(1);
  // What was let in and never stored gives its place back.
  clock.advanceMs(11 * 60_000);
  await census.look();
  expect(accept(["a", "e"]).rejected).toBe(0);
  await census.stop();
  await bench.close();
});
