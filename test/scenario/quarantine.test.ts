/** What the store refuses for its data is set aside; everything else of its partition goes on, and reading the log again gives the same. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { ReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { encodeField, encodeRecord } from "../../server/log/record/encode.ts";
import { fsck } from "../../server/store/fsck.ts";
import { type Batch, Bench, record, START, story, tick } from "../../testing/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

/** A database that refuses values from 1000 on: it stands for whatever a database may refuse. */
async function picky(): Promise<Bench> {
  const bench = await Bench.open(postgres.url);
  await bench.sql`alter table series add constraint picky check (largest < 1000)`;
  return bench;
}

const batch = (minute: number, values: readonly number[]): Batch => ({
  producer: "device",
  sequence: minute + 1,
  readings: values.map((value, i) => ({
    sensor: `s${i}`,
    at: 60 * minute,
    value,
    metadata: { minute: String(minute) },
  })),
});

const counts = (bench: Bench) =>
  bench.outcomes.map(({ fragments }) => fragments.map((f) => [f.accepted, f.duplicate, f.conflicting, f.quarantined]));

test("the refused reading is set aside alone, once, with a reason, and its neighbours are settled", async () => {
  const bench = await picky();
  await bench.appendThrough([
    record(10, [batch(0, [1, 2, 3])]),
    record(70, [batch(1, [1, 2000, 3]), batch(2, [4, 5, 6])]),
  ]);
  expect(counts(bench)).toEqual([
    [[3, 0, 0, 0]],
    [
      [2, 0, 0, 1],
      [3, 0, 0, 0],
    ],
  ]);
  expect(bench.outcomes[1]!.fragments[0]!.quarantinedIndices).toEqual([1]);
  const rows = await bench.sql`select * from quarantined_reading`;
  expect(rows).toMatchObject([
    { log_offset: 1, fragment: 0, index: 1, readings: 1, sensor_id: "s1", sqlstate: "23514" },
  ]);
  expect(rows[0]!.reason).toContain("picky");
  expect(fromBinary(ReadingSchema, rows[0]!.payload)).toMatchObject({
    sensorId: "s1",
    value: 2000,
    metadata: { minute: "1" },
    observedAt: { seconds: BigInt(START / 1e6 + 60) },
  });
  expect((await fsck(bench.url)).problems).toEqual([]);
  // The same batch again is answered as it was.
  await bench.crash();
  await bench.appendThrough([record(200, [batch(1, [1, 2000, 3])])]);
  expect(counts(bench).at(-1)).toEqual([[2, 0, 0, 1]]);
  await bench.close();
});

test("a log with refused readings gives the same in whatever runs it is taken and however often its owner dies", async () => {
  const records = story(5, 3);
  for (let i = 20; i < 170; i += 30) {
    const readings = Array.from({ length: 30 }, (_, s) => ({
      sensor: `p0-s${s}`,
      at: 60 * i + 58,
      value: s % 7 === 0 ? 5000 + s : 21,
    }));
    records.splice(i, 0, record(60 * i + 59, [{ producer: "bad", sequence: i, readings }]));
  }
  const whole = await picky();
  await whole.appendThrough(records);
  const wanted = await whole.everything();
  const aside = async (bench: Bench) =>
    JSON.stringify(
      await bench.sql`select log_offset, fragment, index, sensor_id from quarantined_reading order by 1, 2, 3`,
    );
  const wantedAside = await aside(whole);
  expect(JSON.parse(wantedAside).length).toBe(25);
  expect((await fsck(whole.url)).problems).toEqual([]);
  await whole.close();

  for (const cut of [1, 7, 40]) {
    const bench = await picky();
    for (let done = 0; done < records.length; done += 60) {
      await bench.appendThrough(records.slice(done, done + 60), cut);
      await bench.crash();
    }
    expect(await bench.everything()).toBe(wanted);
    expect(await aside(bench)).toBe(wantedAside);
    await bench.close();
  }
  // Rebuilt from the first record, with what the store has of it, as another version of the program does.
  const rebuilt = await picky();
  await rebuilt.appendThrough(records, 25);
  await rebuilt.sql`update state_chunk set version = 'other' where chunk >= 0`;
  await rebuilt.crash();
  expect(rebuilt.recovery).toBe("rebuilt");
  expect(await rebuilt.everything()).toBe(wanted);
  await rebuilt.close();
}, 240_000);

test("a sensor whose every reading is refused is set aside after a few trials, and the others go on", async () => {
  const bench = await picky();
  const readings = Array.from({ length: 2000 }, (_, i) => ({
    sensor: i % 2 ? "good" : "bad",
    at: i,
    value: i % 2 ? 1 : 1e9,
  }));
  await bench.appendThrough([record(3000, [{ readings }])]);
  expect(counts(bench)).toEqual([[[1000, 0, 0, 1000]]]);
  expect(bench.setAsides).toBeLessThan(3);
  await bench.close();
});

test("a reading that waits in the reorder buffer is set aside too, and its batch is answered", async () => {
  const bench = await picky();
  const hold = { case: "config", value: { sensorType: "temperature", reorderHoldMs: 5000 } } as const;
  const control = toBinary(ControlSchema, create(ControlSchema, { id: "1", action: hold }));
  await bench.appendThrough([encodeRecord(START, [encodeField(5, control)])]);
  await bench.appendThrough([record(1, [batch(0, [1, 5000])])]);
  await bench.appendThrough([tick(30)]);
  expect(counts(bench).filter((c) => c.length > 0)).toEqual([[[1, 0, 0, 1]]]);
  await bench.crash();
  await bench.appendThrough([tick(60)]);
  expect(await bench.sql`select log_offset from quarantined_reading`).toEqual([{ log_offset: 1 }]);
  await bench.close();
});

test("metadata, alerts, new series and what people do cannot stop a partition either", async () => {
  const bench = await Bench.open(postgres.url);
  await bench.sql`alter table reading_metadata add constraint picky check (length(struct) < 40)`;
  await bench.sql`alter table alert add constraint picky check (sensor_id <> 'loud')`;
  await bench.sql`alter table series add constraint picky check (sensor_id <> 'new')`;
  await bench.sql`alter table detector_setting add constraint picky check (length(control) < 60)`;
  const metadata = { note: "x".repeat(60) };
  const records: Uint8Array[] = [];
  for (let i = 0; i < 60; i++) {
    const value = i % 2 ? 20 : 20.1;
    const readings = ["loud", "calm"].map((sensor) => ({ sensor, at: 10 * i, value: i >= 50 ? 500 : value }));
    records.push(record(10 * i + 5, [{ readings }]));
  }
  records.push(
    record(700, [
      {
        readings: [
          { sensor: "calm", at: 700, value: 20, metadata },
          { sensor: "calm", at: 701, value: 20 },
        ],
      },
    ]),
  );
  records.push(
    record(701, [
      {
        readings: [
          { sensor: "new", at: 701, value: 20 },
          { sensor: "calm", at: 702, value: 20 },
        ],
      },
    ]),
  );
  const maintenance = { case: "maintenance", value: { id: "w", sensorId: "calm", comment: "y".repeat(100) } } as const;
  for (const action of [maintenance, { case: "config", value: { sensorType: "calm" } } as const]) {
    const control = toBinary(ControlSchema, create(ControlSchema, { id: "1", principal: "p", action }));
    records.push(encodeRecord(START + 705e6, [encodeField(5, control)]));
  }
  records.push(record(710, [{ readings: [{ sensor: "calm", at: 710, value: 20 }] }]));
  await bench.appendThrough(records, 13);
  const [partition] = await bench.sql`select next_offset from log_partition`;
  expect(partition!.next_offset).toBe(records.length);
  const aside =
    await bench.sql`select sensor_id, fragment, count(*)::int as n from quarantined_reading group by 1, 2 order by 1, 2`;
  expect(aside.map((r) => [r.sensor_id, r.fragment])).toEqual([
    ["", -1],
    ["calm", 0],
    ["loud", 0],
    ["new", 0],
  ]);
  expect((await bench.sql`select count(*)::int as n from alert where sensor_id = 'calm'`)[0]!.n).toBeGreaterThan(0);
  const before = await bench.everything();
  await bench.crash();
  expect(await bench.everything()).toBe(before);
  expect((await fsck(bench.url)).problems).toEqual([]);
  await bench.close();
}, 60_000);

test("bytes that are no record are set aside, and a record of a later layout is not passed", async () => {
  const bench = await Bench.open(postgres.url);
  const texts = ['{"sensor_id": "a", "value": 1}', "", "\u0008\u0001\u001a\u00ff"].map((text) =>
    Buffer.from(text, "latin1"),
  );
  await bench.appendThrough([record(1, [batch(0, [1])]), ...texts, record(70, [batch(1, [2])])]);
  expect(counts(bench)).toEqual([[[1, 0, 0, 0]], [], [], [], [[1, 0, 0, 0]]]);
  const rows = await bench.sql`select log_offset, fragment, payload from quarantined_reading order by 1`;
  expect(rows.map((r) => [r.log_offset, r.fragment])).toEqual([1, 2, 3].map((offset) => [offset, -2]));
  expect(rows[0]!.payload.toString("latin1")).toBe(texts[0]!.toString("latin1"));
  await expect(bench.appendThrough([Buffer.from("\u0008\u0002", "latin1")])).rejects.toThrow("run the newer program");
  await bench.close();
});
