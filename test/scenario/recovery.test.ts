/** Saved state that does not fit: of another model or layout, with and without the whole log. Never misread, nothing lost or doubled. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, expect, test } from "vitest";
import { AlertState } from "../../gen/es/telltale/v1/alert_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { encodeField, encodeRecord } from "../../server/log/record/encode.ts";
import { fsck } from "../../server/store/fsck.ts";
import { FencedError } from "../../server/store/store.ts";
import { Bench, countsOf, record, START, story, tick } from "../../testing/owner-bench.ts";
import { useBenches } from "../../testing/use-benches.ts";

const open = useBenches(async (url) => {
  undisturbed = await Bench.open(url);
  await undisturbed.append(records, 20);
});
afterAll(() => undisturbed?.close());

const records = story(3, 5);
const half = Math.floor(records.length / 2);

/** One that took all records without an accident. Nothing is changed in it: many are compared with it. */
let undisturbed: Bench;

async function versions(bench: Bench): Promise<string[]> {
  const rows = await bench.sql`select distinct version from state_chunk where chunk >= 0`;
  return rows.map((r) => r.version as string);
}

/** What does not depend on the model: readings, their ids and marks, and the sums. Hashed: nobody wants to read a difference. */
async function counted(bench: Bench, without = ""): Promise<string> {
  const all = JSON.parse(await bench.everything());
  const readings = all.readings.map(([sensor, time, id, value, , , , , mark]: unknown[]) => [
    sensor,
    time,
    id,
    value,
    mark,
  ]);
  const other = (r: unknown[]) => without === "" || !String(r[0]).endsWith(without);
  const sums = all.sums
    .filter((s: { sensor_id: string }) => other([s.sensor_id]))
    .map(({ anomalies: _, ...sum }: Record<string, unknown>) => sum);
  const { next_offset, tick } = all.partition;
  return hash({ readings: readings.filter(other), sums, next_offset, tick, metadata: all.metadata });
}

function hash(content: unknown): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex");
}

/** Scores of readings by id. */
async function scores(bench: Bench): Promise<Map<number, string>> {
  const { readings } = JSON.parse(await bench.everything());
  return new Map(readings.map((r: unknown[]) => [r[2], JSON.stringify(r)]));
}

/** Alerts that the store has open are those of episodes that are open: each recovers or opens again like any other. */
async function openAlerts(bench: Bench): Promise<string[]> {
  const rows = await bench.sql`select sensor_id from alert where state = ${AlertState.OPEN} order by 1`;
  return rows.map((r) => r.sensor_id as string);
}

async function isSound(bench: Bench): Promise<void> {
  const { problems } = await fsck(bench.url);
  expect(problems).toEqual([]);
}

test("another model with the whole log goes on with what it would have had all along, and counts nothing twice", async () => {
  const alone = await open();
  alone.model = "other";
  await alone.restart();
  await alone.append(records, 20);

  const switched = await open();
  await switched.append(records.slice(0, half), 20);
  const before = await scores(switched);
  switched.model = "other";
  await switched.resume();
  expect(switched.recovery).toBe("rebuilt");
  await switched.append(records.slice(half), 20);

  expect(await counted(switched)).toBe(await counted(alone));
  expect(switched.outcomes).toHaveLength(records.length);
  const wanted = await scores(alone);
  let changed = 0;
  for (const [id, row] of await scores(switched)) {
    if (before.has(id)) expect(row).toBe(before.get(id));
    else expect(row).toBe(wanted.get(id));
    if (row !== wanted.get(id)) changed++;
  }
  expect(changed).toBeGreaterThan(100);
  expect(await openAlerts(switched)).toEqual(await openAlerts(alone));
  expect((await versions(switched)).every((v) => v.includes("other"))).toBe(true);
  await isSound(switched);
});

test("another model where the log has lost its beginning starts cold, loses nothing and stores nothing twice", async () => {
  const switched = await open();
  await switched.append(records.slice(0, half), 20);
  switched.oldest = await switched.released();
  expect(switched.oldest).toBeGreaterThan(half / 2);
  switched.model = "other";
  await switched.resume();
  expect(switched.recovery).toBe("warmed");
  // All that was sent comes again, and then goes on.
  await switched.append([...records.slice(half - 20, half)]);
  const resent = switched.outcomes.slice(-20).flatMap((o) => o.fragments.map(countsOf));
  const [accepted, conflicting] = [0, 2].map((i) => resent.reduce((sum, c) => sum + c[i]!, 0));
  // Counts of batches are those of the first time; what has no time of its own is known by its batch.
  expect(accepted).toBeGreaterThan(0);
  expect(conflicting).toBeLessThan(20);
  const [row] = await switched.sql`select readings from log_partition`;
  const [wanted] = await undisturbed.sql`select sum(readings)::int as n from series`;
  await switched.append(records.slice(half), 20);
  const [after] = await switched.sql`select readings from log_partition`;
  expect(after!.readings).toBe(wanted!.n);
  expect(row!.readings).toBeLessThan(wanted!.n);
  const late = async (bench: Bench) => (await bench.sql`select late from log_partition`)[0]!.late;
  expect(await late(switched)).toBe(await late(undisturbed));
  expect((await versions(switched)).every((v) => v.includes("other"))).toBe(true);
  await isSound(switched);
});

test("after such a start the partition is like any other: killed at any place, it gives the same to the bit", async () => {
  const after = async (deaths: readonly number[]) => {
    const bench = await open();
    await bench.append(records.slice(0, half), 20);
    bench.oldest = await bench.released();
    bench.model = "other";
    // Killed before the first commit: the next start finds all of the new state, or all of the old one.
    await bench.restart();
    await bench.resume();
    const kinds = [];
    let done = half;
    for (const death of [...deaths, records.length]) {
      await bench.append(records.slice(done, death), 7);
      done = death;
      bench.oldest = await bench.released();
      await bench.resume();
      kinds.push(bench.recovery);
    }
    expect(new Set(kinds)).toEqual(new Set(["loaded"]));
    return hash(await bench.everything());
  };
  expect(await after([half + 1, half + 30, half + 90])).toBe(await after([]));
});

test("alerts of the former model that are open do not stay open for ever, and no transition is missing", async () => {
  const bench = await open();
  await bench.append(records.slice(0, half), 20);
  // As if the former model had seen what the new one does not.
  await bench.sql`insert into alert select (a).* from (select jsonb_populate_record(alert, '{"id": 7, "state": ${bench.sql.unsafe(String(AlertState.OPEN))},
    "closed_us": null}') as a from alert limit 1) x`;
  bench.oldest = await bench.released();
  bench.model = "other";
  await bench.resume();
  const [row] = await bench.sql`select state, closed_us >= opened_us as closed from alert where id = 7`;
  expect(row).toEqual({ state: AlertState.RECOVERED, closed: true });
  const [last] = await bench.sql`select alert_id from alert_event order by number desc limit 1`;
  expect((await bench.sql`select from alert_event where alert_id = 7`).length).toBe(1);
  expect(last).toBeDefined();
  const [numbers] = await bench.sql`select max(number)::int as last, count(*)::int as n from alert_event`;
  expect(numbers!.last).toBe(numbers!.n);
});

/** A chunk of layout 3, 4 or 5 as former layouts had it: 1 and 2 not packed, and 1 without a list of what waits. */
function formerLayout(layout: number, bytes: Uint8Array): Buffer {
  if (layout >= 3) return Buffer.from(bytes);
  const b = zstdDecompressSync(bytes);
  if (layout === 2) return b;
  expect(b.readUInt32LE(16)).toBe(0);
  return Buffer.concat([b.subarray(0, 16), b.subarray(20)]);
}

/** State as former versions of the detector saved it (../upgrade/state). */
const savedBy = (state: number) =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../upgrade/state/${state}.json`), "utf8"));
const former = savedBy(7);

test.each([
  [1, 6],
  [2, 6],
  [3, 6],
  [4, 7],
  [5, 11],
])(
  "state of a former version, in layout %i of version %i, goes on where the log has lost its beginning",
  async (layout, stateVersion) => {
    const former = savedBy(stateVersion);
    const bench = await open();
    const at = (us: number) => (us - START) / 1e6;
    const sensors: { sensorId: string; sensorType: string; lastUs: number }[] = former.sensors;
    const newest = at(Math.max(...sensors.map((s) => s.lastUs)));
    const readings = (seconds: number, value: number) =>
      sensors.map(({ sensorId: sensor, sensorType: type }) => ({ sensor, type, at: seconds, value }));
    await bench.append([record(1, [{ readings: readings(1, 20) }]), tick(2)]);
    await bench.owner.close();
    const bytes = formerLayout(layout, Buffer.from(former.bytes, "base64"));
    const version = former.version.replace(/^\d+/, String(layout));
    await bench.sql`update state_chunk set bytes = ${bytes}, version = ${version}, as_of = 2 where chunk = 0`;
    await bench.sql`update log_partition set replay_offset = 2`;
    bench.oldest = 1;
    await bench.resume();
    expect(bench.recovery).toBe("migrated");
    expect((await versions(bench)).every((v) => !v.startsWith(former.version))).toBe(true);
    // What was open is open, the silence beside it; what was over stays over.
    expect(await openAlerts(bench)).toEqual(["incident", "silent"]);
    // "silent" comes back, "incident" goes on, and "steady" is judged by what it had learnt: 60 C is not like it, nor like "meter".
    await bench.append([record(newest + 300, [{ readings: readings(newest + 300, 60) }])]);
    const rows = await bench.sql`select sensor_id, state, alert_type from alert order by sensor_id, id`;
    expect(rows.map((r) => `${r.sensor_id} ${r.alert_type} ${r.state === AlertState.OPEN ? "open" : "over"}`)).toEqual([
      "incident anomaly_detection open",
      ...(sensors.some(({ sensorId }) => sensorId === "meter") ? ["meter anomaly_detection open"] : []),
      "silent silence over",
      "steady anomaly_detection open",
      "young anomaly_detection open",
    ]);
    const late = await bench.sql`select late from log_partition`;
    expect(late[0]!.late).toBe(0);
    await bench.resume();
    expect(bench.recovery).toBe("loaded");
  },
);

test("state of the former version with the whole log is rebuilt", async () => {
  const bench = await open();
  await bench.append(records.slice(0, half), 20);
  const bytes = Buffer.from(former.bytes, "base64");
  await bench.sql`update state_chunk set bytes = ${bytes}, version = ${former.version} where chunk = 0`;
  await bench.resume();
  expect(bench.recovery).toBe("rebuilt");
  await bench.append(records.slice(half), 20);
  expect(await bench.everything()).toBe(await undisturbed.everything());
});

test("state in an unknown layout is rebuilt", async () => {
  const wanted = await undisturbed.everything();
  const unknown = await open();
  await unknown.append(records.slice(0, half), 20);
  await unknown.sql`update state_chunk set version = '9/9/x', bytes = 'x' where chunk = 0`;
  await unknown.resume();
  expect(unknown.recovery).toBe("rebuilt");
  await unknown.append(records.slice(half), 20);
  expect(await unknown.everything()).toBe(wanted);
});

test("an owner that gives its partition up leaves nothing to be read again, and the next one goes on to the bit", async () => {
  const moved = await open();
  for (let done = 0; done < records.length; done += 100) {
    await moved.append(records.slice(done, done + 100), 20);
    await moved.owner.close();
    expect(await moved.restart()).toBe(moved.log.length);
  }
  expect(await moved.everything()).toBe(await undisturbed.everything());
});

test("where the log has lost records that the saved state lacks, but the store has, the partition goes on", async () => {
  const bench = await open();
  await bench.append(records.slice(0, half / 2), 20);
  await bench.sql`create table saved as select * from state_chunk join log_partition using (partition)`;
  await bench.append(records.slice(half / 2, half), 20);
  // As if nothing had been saved since.
  await bench.sql.unsafe(`update state_chunk c set as_of = s.as_of, bytes = s.bytes from saved s where c.chunk = s.chunk;
    update log_partition l set replay_offset = s.replay_offset, replay_tick = s.replay_tick, replay_received_us = s.replay_received_us,
      replay_ticked_us = s.replay_ticked_us
      from saved s`);
  bench.oldest = half;
  expect(await bench.released()).toBeLessThan(half);
  await bench.resume();
  expect(bench.recovery).toBe("patched");
  await bench.append(records.slice(half), 20);
  // Sensors "s11" have no times of their own: a batch whose first copy is in the hole is not known again.
  expect(await counted(bench, "-s11")).toBe(await counted(undisturbed, "-s11"));
  await bench.resume();
  expect(bench.recovery).toBe("loaded");
  await isSound(bench);
});

test("where the log has lost records that were never stored, nothing goes on over the hole", async () => {
  const bench = await open();
  await bench.append(records.slice(0, 3));
  bench.oldest = 5;
  await expect(bench.restart()).rejects.toThrow(
    /from offset 3 on, but the log begins at 5: records that were never stored/,
  );
});

test("whoever worked with the state before it was replaced cannot commit any more", async () => {
  const bench = await open();
  await bench.append(records.slice(0, half), 20);
  const former = bench.owner;
  bench.model = "other";
  await bench.resume();
  await former.take([{ offset: half, bytes: records[half]! }]);
  await expect(former.settle()).rejects.toBeInstanceOf(FencedError);
});

test("what waits in the reorder hold all the time neither keeps the state from being saved nor the log from being dropped", async () => {
  const control = create(ControlSchema, {
    id: "1",
    action: { case: "config", value: { sensorType: "held", reorderHoldMs: 5000 } },
  });
  const config = encodeRecord(START, [encodeField(5, toBinary(ControlSchema, control))]);
  // Two sensors; each reading comes before one that was observed a second earlier.
  const swapped = Array.from({ length: 120 }, (_, i) => {
    const at = i + (i % 2 === 0 ? 1 : -1);
    return record(i + 1, [{ readings: ["a", "b"].map((sensor) => ({ sensor, type: "held", at, value: at })) }]);
  });
  const all = [config, ...swapped];
  const whole = await open();
  await whole.append([...all, tick(200)], 1);
  const wanted = await whole.everything();
  expect(JSON.parse(wanted).sums.map((s: { late: number }) => s.late)).toEqual([0, 0]);

  const torn = await open();
  for (let i = 0; i < all.length; i += 25) {
    await torn.append(all.slice(i, i + 25), 1);
    torn.oldest = await torn.released();
    await torn.resume();
    expect(torn.recovery).toBe("loaded");
  }
  // The hold is five seconds: older records than a few times that are not needed.
  expect(torn.oldest).toBeGreaterThan(all.length - 40);
  await torn.append([tick(200)]);
  expect(await torn.everything()).toBe(wanted);
  expect(torn.outcomes.map((o) => o.offset).sort((a, b) => a - b)).toEqual([...all, 0].map((_, i) => i));
  // Another model in the middle of it: what waits is not lost.
  const switched = await open();
  await switched.append(all.slice(0, 60), 1);
  switched.oldest = await switched.released();
  switched.model = "other";
  await switched.resume();
  await switched.append([...all.slice(60), tick(200)], 1);
  expect(await counted(switched)).toBe(await counted(whole));
});
