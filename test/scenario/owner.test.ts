/** One partition's owner on a real database: what it stores follows from the log alone. */
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { encodeField, encodeRecord } from "../../server/record/encode.ts";
import { Queries } from "../../server/store/queries.ts";
import { FencedError } from "../../server/store/store.ts";
import { type Batch, Bench, record, START, story, tick } from "../support/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

test("the same log gives the same rows, scores, alerts and sums, however it is cut and however often the owner dies", async () => {
  const records = story(1, 6);
  const undisturbed = await Bench.open(postgres.url);
  await undisturbed.append(records);
  const wanted = await undisturbed.everything();
  await undisturbed.close();
  expect(wanted).toContain("temperature");

  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.nat(records.length), { maxLength: 6 }),
      async (cut, deaths) => {
        const bench = await Bench.open(postgres.url);
        try {
          let done = 0;
          for (const death of [...deaths.sort((a, b) => a - b), records.length]) {
            await bench.append(records.slice(done, Math.max(done, death)), cut);
            done = Math.max(done, death);
            await bench.readAgainFrom(await bench.restart());
          }
          expect(await bench.everything()).toBe(wanted);
        } finally {
          await bench.close();
        }
      },
    ),
    { numRuns: 8 },
  );
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
  const counts = bench.outcomes.map((o) => o.fragments.map((f) => f.counts));
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
  for (const { counts } of bench.outcomes.at(-1)!.fragments) expect(counts[0] + counts[1] + counts[2]).toBe(2);
  expect((await new Queries(bench.sql).sensorStats("a"))?.readings).toBe(3);
  expect((await new Queries(bench.sql).sensorStats("b"))?.readings).toBe(3);
  await bench.close();
});

test("a late reading is stored and counted once, and a known or a conflicting one changes nothing", async () => {
  const bench = await Bench.open(postgres.url);
  await bench.append([record(10, [{ readings: [1, 2, 4, 5].map((at) => ({ sensor: "a", at, value: at })) }])]);
  await bench.append([
    record(11, [{ readings: [3, 2, 4, 3].map((at, i) => ({ sensor: "a", at, value: i === 2 ? 9 : at })) }]),
  ]);
  expect(bench.outcomes[1]!.fragments[0]!.counts).toEqual([1, 2, 1, 1]);
  expect(bench.outcomes[1]!.fragments[0]!.conflicts.map((c) => c.index)).toEqual([2]);
  const stats = await new Queries(bench.sql).sensorStats("a");
  expect(stats).toMatchObject({ readings: 5, late: 1, smallest: 1, largest: 5 });
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
  expect((await new Queries(bench.sql).sensorStats("a"))?.readings).toBe(2);
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
  expect(await new Queries(whole.sql).sensorStats("h")).toMatchObject({ readings: 6, late: 0 });
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
