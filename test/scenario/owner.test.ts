/** One partition's owner on a real database: what it stores follows from the log alone. */
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { encodeField, encodeRecord } from "../../server/log/record/encode.ts";
import { MARK_LATE, MARK_SERVER_TIME } from "../../server/store/points.ts";
import { Queries } from "../../server/store/queries.ts";
import { FencedError } from "../../server/store/store.ts";
import { forAnyCut } from "../../testing/any-cut.ts";
import { type Batch, Bench, countsOf, record, START, story, tick } from "../../testing/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

test("the same log gives the same rows, scores, alerts and sums, however it is cut and however often the owner dies", async () => {
  const records = story(1, 4);
  const undisturbed = await Bench.open(postgres.url);
  await undisturbed.append(records);
  const wanted = await undisturbed.everything();
  await undisturbed.close();
  expect(wanted).toContain("temperature");

  const check = async (bench: Bench) => expect(await bench.everything()).toBe(wanted);
  await forAnyCut(records, { url: postgres.url, check }, { numRuns: 8 });
}, 180_000);

test("a resent batch is answered as it was the first time and changes nothing, also where a later one came first", async () => {
  const bench = await Bench.open(postgres.url);
  const batch = (sequence: number): Batch => ({
    producer: "device",
    sequence,
    readings: [
      { sensor: "a", value: sequence },
      { sensor: "b", value: sequence, at: sequence },
    ],
  });
  await bench.append([
    record(1, [batch(1)]),
    record(2, [batch(3)]),
    record(3, [batch(3), batch(2)]),
    record(4, [batch(1)]),
  ]);
  const counts = bench.outcomes.map((o) => o.fragments.map(countsOf));
  // b's second reading comes late the second time: sequence 2 is of an earlier second than 3.
  expect(counts).toEqual([
    [[2, 0, 0, 0]],
    [[2, 0, 0, 0]],
    [
      [2, 0, 0, 0],
      [2, 0, 0, 1],
    ],
    [[2, 0, 0, 0]],
  ]);
  // Also after a crash what is answered adds up, whatever the state that was left.
  await bench.readAgainFrom(await bench.restart());
  await bench.append([record(5, [batch(1), batch(2), batch(3)])]);
  for (const f of bench.outcomes.at(-1)!.fragments) expect(f.accepted + f.duplicate + f.conflicting).toBe(2);
  expect((await new Queries(bench.sql).sensorStats("a"))[0]?.readings).toBe(3);
  expect((await new Queries(bench.sql).sensorStats("b"))[0]?.readings).toBe(3);
  await bench.close();
});

test("a resent batch gets the same refusals, also in the same run, of late readings and after a crash", async () => {
  const bench = await Bench.open(postgres.url);
  const batch = (sequence: number, values: readonly number[]): Batch => ({
    producer: "device",
    sequence,
    readings: values.map((value, at) => ({ sensor: "a", at, value })),
  });
  await bench.append([record(9, [batch(1, [1, 2, 3])])]);
  await bench.append([record(10, [batch(2, [1, 20, 30])])]);
  const first = bench.outcomes.at(-1)!.fragments[0]!;
  expect(countsOf(first)).toEqual([0, 1, 2, 0]);
  expect(first.conflicts.map(({ index }) => index)).toEqual([1, 2]);
  // Twice in one run, together with what it conflicts with and for the first time.
  await bench.append([record(11, [batch(2, [1, 20, 30]), batch(3, [9]), batch(3, [9])]), record(12, [batch(3, [9])])]);
  const [again, third, thirdAgain] = bench.outcomes.at(-2)!.fragments;
  expect(again).toEqual(first);
  expect(third!.conflicts.map(({ index }) => index)).toEqual([0]);
  expect(thirdAgain).toEqual(third);
  expect(bench.outcomes.at(-1)!.fragments[0]).toEqual(third);
  await bench.readAgainFrom(await bench.restart());
  await bench.append([record(13, [batch(2, [1, 20, 30])])]);
  expect(bench.outcomes.at(-1)!.fragments[0]!.conflicts).toEqual(first.conflicts);
  await bench.close();
});

test("a late reading is stored and counted once, and a known or a conflicting one changes nothing", async () => {
  const bench = await Bench.open(postgres.url);
  await bench.append([record(10, [{ readings: [1, 2, 4, 5].map((at) => ({ sensor: "a", at, value: at })) }])]);
  await bench.append([
    record(11, [{ readings: [3, 2, 4, 3].map((at, i) => ({ sensor: "a", at, value: i === 2 ? 9 : at })) }]),
  ]);
  expect(countsOf(bench.outcomes[1]!.fragments[0]!)).toEqual([1, 2, 1, 1]);
  expect(bench.outcomes[1]!.fragments[0]!.conflicts.map((c) => c.index)).toEqual([2]);
  const [stats] = await new Queries(bench.sql).sensorStats("a");
  expect(stats).toMatchObject({ readings: 5, late: 1, smallest: 1, largest: 5 });
  await bench.close();
});

test("after a clock that was three hours ahead, readings without a time are of when they came, also after a restart", async () => {
  const ahead = 3 * 3600;
  const untimed = (sensor: string, value: number) => [{ readings: [{ sensor, value }] }];
  const bench = await Bench.open(postgres.url);
  await bench.append([record(1, untimed("met", 1)), record(2, untimed("quiet", 1))]);
  await bench.append([record(ahead, untimed("met", 2)), tick(ahead + 1)]);
  // Back again. Who was not heard meanwhile notices nothing; who was keeps its true times, as late.
  const back = [record(10, untimed("met", 3)), record(11, untimed("quiet", 2)), record(12, untimed("new", 1))];
  await bench.append([...back, record(12, untimed("met", 4)), record(12, untimed("met", 5))]);
  await bench.restart();
  await bench.append([record(20, untimed("quiet", 3)), record(ahead + 60, untimed("met", 6)), record(ahead + 61, [])]);
  const { points, series, order } = await bench.readings();
  const seconds = (sensor: string) =>
    order
      .filter((i) => series[i]!.sensorId === sensor)
      .map((i) => [points.value[i], Math.floor((points.timeUs[i]! - START) / 1e6), points.mark[i]])
      .sort(([a], [b]) => a! - b!);
  const late = MARK_SERVER_TIME | MARK_LATE;
  expect(seconds("quiet")).toEqual([
    [1, 2, MARK_SERVER_TIME],
    [2, 11, MARK_SERVER_TIME],
    [3, 20, MARK_SERVER_TIME],
  ]);
  expect(seconds("new")).toEqual([[1, 12, MARK_SERVER_TIME]]);
  expect(seconds("met")).toEqual([
    [1, 1, MARK_SERVER_TIME],
    [2, ahead, MARK_SERVER_TIME],
    [3, 10, late],
    [4, 12, late],
    [5, 12, late],
    [6, ahead + 60, MARK_SERVER_TIME],
  ]);
  await bench.close();
});

test("writers whose clocks differ by less than they may keep a sensor's readings without a time in the order of the log", async () => {
  const bench = await Bench.open(postgres.url);
  const at = [10, 250, 100, 101];
  await bench.append(at.map((receivedAt, value) => record(receivedAt, [{ readings: [{ sensor: "a", value }] }])));
  const { points, order } = await bench.readings();
  const times = order.map((i) => [points.value[i], points.timeUs[i]! - START]).sort(([a], [b]) => a! - b!);
  expect(times).toEqual([
    [0, 10e6],
    [1, 250e6],
    [2, 250e6 + 1],
    [3, 250e6 + 2],
  ]);
  await bench.close();
});

test("what is buffered when the clock goes back by hours is let go at once", async () => {
  const bench = await Bench.open(postgres.url);
  const reorderHoldMs = 2_000;
  const config = { sensorType: "temperature", reorderHoldMs };
  const control = create(ControlSchema, { id: "1", action: { case: "config", value: config } });
  const setting = encodeRecord(START, [encodeField(5, toBinary(ControlSchema, control))]);
  const one = (at: number, value: number) => record(at, [{ readings: [{ sensor: "a", value }] }]);
  await bench.append([setting, one(7200, 1), tick(7201)]);
  expect(bench.outcomes).toHaveLength(2); // the setting and the tick
  await bench.append([tick(10), one(11, 2), tick(13)]);
  expect(bench.outcomes).toHaveLength(6);
  await bench.close();
});

test("an owner that was replaced cannot commit any more", async () => {
  const bench = await Bench.open(postgres.url);
  await bench.append([record(1, [{ readings: [{ sensor: "a", at: 1, value: 1 }] }])]);
  const former = bench.owner;
  await bench.restart();
  await bench.append([record(2, [{ readings: [{ sensor: "a", at: 2, value: 2 }] }])]);
  await former.take([{ offset: 1, bytes: record(2, [{ readings: [{ sensor: "a", at: 2, value: 2 }] }]) }]);
  await expect(former.settle()).rejects.toBeInstanceOf(FencedError);
  expect((await new Queries(bench.sql).sensorStats("a"))[0]?.readings).toBe(2);
  await bench.close();
});

test("with a reorder hold, small disorder is not late, and a crash in the middle of it changes nothing", async () => {
  const hold = toBinary(
    ControlSchema,
    create(ControlSchema, { id: "1", action: { case: "config", value: { sensorType: "held", reorderHoldMs: 5000 } } }),
  );
  const config = encodeRecord(START, [encodeField(5, hold)]);
  const disorder = [3, 1, 2, 6, 5, 4].map((at, i) =>
    record(at === 3 ? 1 : i + 1, [
      { readings: [{ sensor: "h", type: "held", at, value: at, metadata: { n: String(at) } }] },
    ]),
  );
  const records = [config, ...disorder, tick(7), tick(20)];
  const whole = await Bench.open(postgres.url);
  await whole.append(records);
  const wanted = await whole.everything();
  expect((await new Queries(whole.sql).sensorStats("h"))[0]).toMatchObject({ readings: 6, late: 0 });
  expect(whole.outcomes.length).toBe(records.length);
  await whole.close();

  const torn = await Bench.open(postgres.url);
  for (const one of records) {
    await torn.append([one]);
    await torn.readAgainFrom(await torn.restart());
  }
  expect(await torn.everything()).toBe(wanted);
  await torn.close();
});
