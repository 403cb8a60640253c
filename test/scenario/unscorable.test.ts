/** A reading that the detector fails at, which is a mistake of ours: it is set aside, everything else goes on, and people are told. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { RecordOutcomeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import { createDetector, type Detector } from "../../server/detect/index.ts";
import { encodeField, encodeRecord } from "../../server/log/record/encode.ts";
import { Quarantine } from "../../server/scoring/quarantine.ts";
import { Bench, record, START, tick } from "../../testing/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

/** The detector of these tests fails at it. */
const POISON = 4242;

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

function failing(): Detector {
  const detector = createDetector();
  const score = detector.score.bind(detector);
  detector.score = (batch) => {
    if (batch.value.subarray(0, batch.length).includes(POISON)) throw new RangeError("offset is out of bounds");
    return score(batch);
  };
  return detector;
}

const batch = (sequence: number, readings: readonly { sensor: string; value: number }[]) => ({
  producer: "device",
  sequence,
  readings: readings.map((r) => ({ ...r, at: 60 * sequence })),
});
const counts = (bench: Bench) =>
  bench.outcomes.map(({ fragments }) => fragments.map((f) => [f.accepted, f.duplicate, f.conflicting, f.quarantined]));
const stored = (bench: Bench) =>
  bench.sql`select sensor_id, readings, last_value from series where readings > 0 order by sensor_id`;

test("the reading is set aside with the reason, and what is before, beside and behind it is settled", async () => {
  const bench = await Bench.open(postgres.url, { createDetector: failing });
  const records = [
    record(10, [batch(1, [{ sensor: "a", value: 1 }])]),
    record(20, [batch(2, [{ sensor: "b", value: 2 }])]),
    record(30, [batch(3, [{ sensor: "bad", value: POISON }])]),
    record(40, [batch(4, [{ sensor: "a", value: 4 }])]),
  ];
  await bench.appendThrough(records);
  expect(counts(bench)).toEqual([[[1, 0, 0, 0]], [[1, 0, 0, 0]], [[0, 0, 0, 1]], [[1, 0, 0, 0]]]);
  expect(await stored(bench)).toMatchObject([
    { sensor_id: "a", readings: 2, last_value: 4 },
    { sensor_id: "b", readings: 1 },
  ]);
  const aside =
    await bench.sql`select log_offset, fragment, index, readings, sensor_id, reason from quarantined_reading`;
  expect(aside).toEqual([
    {
      log_offset: 2,
      fragment: 0,
      index: 0,
      readings: 1,
      sensor_id: "bad",
      reason: "the reading cannot be scored: offset is out of bounds",
    },
  ]);

  // After a crash it is not tried again, and nothing is set aside twice.
  await bench.crash();
  await bench.appendThrough([record(50, [batch(5, [{ sensor: "b", value: 5 }])])]);
  expect(counts(bench).at(-1)).toEqual([[1, 0, 0, 0]]);
  expect(await bench.sql`select count(*)::int as n from quarantined_reading`).toEqual([{ n: 1 }]);
  await bench.close();
});

test("several such readings among good ones, in whatever runs they are taken, are all passed", async () => {
  const bench = await Bench.open(postgres.url, { createDetector: failing });
  const records = Array.from({ length: 60 }, (_, i) =>
    record(10 * i, [batch(i + 1, [{ sensor: `s${i % 7}`, value: i % 20 === 13 ? POISON : i }])]),
  );
  await bench.appendThrough(records, 25);
  const sums = counts(bench).flat();
  expect(sums.length).toBe(60);
  expect(sums.filter(([accepted]) => accepted === 1)).toHaveLength(57);
  expect(await bench.sql`select log_offset from quarantined_reading order by 1`).toEqual(
    [13, 33, 53].map((log_offset) => ({ log_offset })),
  );
  await bench.close();
});

test.each([
  { with: "one process", keepOutcomes: false },
  { with: "several processes, of which the store keeps the outcomes", keepOutcomes: true },
])(
  "readings that are stored and that a newer program fails at when it rebuilds the state stop nothing either, with $with",
  async (w) => {
    const bench = await Bench.open(postgres.url, { keepOutcomes: w.keepOutcomes });
    const readings = Array.from({ length: 20 }, (_, i) =>
      i === 7 ? { sensor: "bad", value: POISON } : { sensor: "a", value: i },
    );
    await bench.appendThrough(readings.map((r, i) => record(10 * i, [batch(i + 1, [r])])));
    expect(await stored(bench)).toMatchObject([
      { sensor_id: "a", readings: 19 },
      { sensor_id: "bad", readings: 1 },
    ]);
    // The next owner reads the log from the first record again.
    bench.createDetector = failing;
    bench.quarantine = new Quarantine();
    expect(await bench.restart()).toBe(0);
    const log = bench.log.splice(0).map(({ bytes }) => bytes);
    await bench.appendThrough([...log, record(300, [batch(30, [{ sensor: "a", value: 30 }])])]);
    expect(await stored(bench)).toMatchObject([
      { sensor_id: "a", readings: 20, last_value: 30 },
      { sensor_id: "bad", readings: 1 },
    ]);
    expect(await bench.sql`select log_offset, readings from quarantined_reading`).toEqual([
      { log_offset: 7, readings: 1 },
    ]);
    // What the sender was answered first stays.
    const outcomes = await bench.sql`select log_offset::int as at, outcome from record_outcome order by log_offset`;
    const all = w.keepOutcomes ? [...Array(21).keys()] : [];
    expect(outcomes.map(({ at }) => at)).toEqual(all);
    const [first] = outcomes
      .filter(({ at }) => at === 7)
      .map(({ outcome }) => fromBinary(RecordOutcomeSchema, outcome));
    expect(first?.fragments.map((f) => [f.accepted, f.quarantined])).toEqual(w.keepOutcomes ? [[1, 0]] : undefined);
    await bench.close();
  },
);

const asideAt = (bench: Bench) =>
  bench.sql`select log_offset::int as at, fragment, index, readings from quarantined_reading order by log_offset, fragment, index`;

/** Two batches a record, each with readings of several sensors; the detector fails at the readings named by record, batch and place. */
function plant(bad: readonly string[]): Uint8Array[] {
  return Array.from({ length: 40 }, (_, i) => {
    const batches = [0, 1].map((b) => ({
      producer: `device-${b}`,
      sequence: i + 1,
      readings: Array.from({ length: 6 }, (_, r) => {
        const value = bad.includes(`${i}/${b}/${r}`) ? POISON : 20 + ((i * 7 + b * 3 + r) % 11) / 10;
        return { sensor: `s${b}-${r}`, at: 60 * i, value };
      }),
    }));
    return record(60 * i, batches);
  });
}

test("of a record only the readings that the detector fails at are set aside, and all else is as if they had never come, to the bit", async () => {
  const bad = ["7/0/0", "7/1/5", "20/0/3", "39/1/2"];
  const bench = await Bench.open(postgres.url, { createDetector: failing });
  await bench.appendThrough(plant(bad), 13);
  const aside = await asideAt(bench);
  expect(aside).toEqual(
    bad.map((b) => {
      const [at, fragment, index] = b.split("/").map(Number);
      return { at, fragment, index, readings: 1 };
    }),
  );
  const sums = counts(bench).flat();
  expect(sums.filter(([accepted, , , quarantined]) => accepted === 5 && quarantined === 1)).toHaveLength(bad.length);
  expect(sums.filter(([accepted]) => accepted === 6)).toHaveLength(80 - bad.length);

  // One that knows from the beginning what is left out, with a detector that fails at nothing.
  const other = await Bench.open(postgres.url);
  for (const { at, fragment, index } of aside) {
    await other.sql`insert into quarantined_reading (partition, log_offset, fragment, index, readings, reason, received_us, payload)
      values (0, ${at}, ${fragment}, ${index}, 1, 'r', 0, '')`;
  }
  await other.restart();
  await other.append(plant(bad), 5);
  expect(await bench.everything()).toBe(await other.everything());
  for (const each of [bench, other]) {
    await each.crash();
    await each.append([record(3000, [{ readings: [{ sensor: "s0-0", at: 3000, value: 99 }] }])]);
  }
  expect(await bench.everything()).toBe(await other.everything());
  await bench.close();
  await other.close();
});

test("a record with many such readings is set aside as a whole", async () => {
  const bench = await Bench.open(postgres.url, { createDetector: failing });
  const bad = Array.from({ length: 9 }, (_, i) => `7/${i % 2}/${i >> 1}`);
  await bench.appendThrough(plant(bad), 13);
  expect(await asideAt(bench)).toEqual([{ at: 7, fragment: -2, index: 0, readings: 12 }]);
  expect(counts(bench).filter((record) => record.every(([, , , quarantined]) => quarantined === 6))).toHaveLength(1);
  expect(counts(bench).filter((record) => record.every(([accepted]) => accepted === 6))).toHaveLength(39);
  await bench.close();
});

test("a reading that waited in the reorder buffer is set aside in its own record, not in that which released it", async () => {
  const bench = await Bench.open(postgres.url, { createDetector: failing });
  const action = { case: "config", value: { sensorType: "temperature", reorderHoldMs: 5000 } } as const;
  const config = toBinary(ControlSchema, create(ControlSchema, { id: "1", action }));
  const reading = (at: number, value: number) => record(at, [{ readings: [{ sensor: "a", at, value }] }]);
  const records = [
    encodeRecord(START, [encodeField(5, config)]),
    ...[reading(1, 1), reading(2, POISON), reading(3, 3), reading(4, 4)],
    ...[tick(20), reading(21, 5), tick(40)],
  ];
  await bench.appendThrough(records, 1);
  expect(await asideAt(bench)).toEqual([{ at: 2, fragment: 0, index: 0, readings: 1 }]);
  expect(await stored(bench)).toMatchObject([{ sensor_id: "a", readings: 4, last_value: 5 }]);
  const quarantined = bench.outcomes.map(({ offset, fragments }) => [offset, fragments[0]?.quarantined ?? 0]);
  expect(quarantined.filter(([, n]) => n! > 0)).toEqual([[2, 1]]);
  expect(new Set(bench.outcomes.map(({ offset }) => offset)).size).toBe(bench.outcomes.length);
  await bench.close();
});

test.each([
  { left: "by themselves", bad: 1 },
  { left: "with their record", bad: 9 },
])(
  "readings that are stored and that a rebuilding leaves out $left are duplicates when they are sent again, once and for all",
  async (w) => {
    const bench = await Bench.open(postgres.url);
    const left = [
      { sensor: "a", at: 600, value: 6 },
      { sensor: "met", at: 600, value: 7 },
      ...Array.from({ length: w.bad }, (_, i) => ({ sensor: `bad${i}`, at: 600, value: POISON })),
    ];
    const all = [[0, left.length, 0, 0]];
    const records = [
      record(10, [batch(1, [{ sensor: "a", value: 1 }])]),
      record(20, [{ readings: left }]),
      record(30, [batch(3, [{ sensor: "b", value: 3 }])]),
    ];
    await bench.appendThrough(records);
    bench.createDetector = failing;
    bench.quarantine = new Quarantine();
    expect(await bench.restart()).toBe(0);
    const log = bench.log.splice(0).map(({ bytes }) => bytes);
    const again = () => record(bench.log.length * 60, [{ readings: left }]);
    await bench.appendThrough([...log, again()]);
    expect(counts(bench).at(-1)).toEqual(all);
    expect(await bench.sql`select fragment, readings from quarantined_reading`).toEqual([
      w.bad === 1 ? { fragment: 0, readings: 1 } : { fragment: -2, readings: left.length },
    ]);
    // Neither does the next owner forget it, whether it reads the record again or not.
    for (const how of ["crash", "crash", "close", "crash"] as const) {
      if (how === "close") await bench.owner.close();
      await bench.crash();
      await bench.appendThrough([again()]);
      expect(counts(bench).at(-1), how).toEqual(all);
    }
    expect(await stored(bench)).toMatchObject([
      { sensor_id: "a", readings: 2, last_value: 6 },
      { sensor_id: "b", readings: 1 },
      ...left.slice(2).map(({ sensor }) => ({ sensor_id: sensor, readings: 1, last_value: POISON })),
      { sensor_id: "met", readings: 1, last_value: 7 },
    ]);
    // A conflicting value is one, and what is newer is stored.
    const other = [
      { sensor: "met", at: 600, value: 8 },
      { sensor: "met", at: 660, value: 9 },
    ];
    await bench.appendThrough([record(900, [{ readings: other }])]);
    expect(counts(bench).at(-1)).toEqual([[1, 0, 1, 0]]);
    await bench.close();
  },
);
