/** Settings of single sensors hold wherever the partition is opened again: from saved state, from the log, with another model. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type DetectorConfigSchema, Direction } from "../../gen/es/telltale/v1/detector_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { encodeField, encodeRecord } from "../../server/log/record/encode.ts";
import { fsck } from "../../server/store/fsck.ts";
import { Bench, START, story, tick } from "../../testing/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

let postgres: TestPostgres;
const benches: Bench[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());
afterEach(async () => {
  await Promise.all(benches.splice(0).map((bench) => bench.close()));
});

async function open(): Promise<Bench> {
  const bench = await Bench.open(postgres.url);
  benches.push(bench);
  return bench;
}

let controls = 0;
const set = (value: MessageInitShape<typeof DetectorConfigSchema>, second = 0, firstOffset?: number) => {
  const rules = firstOffset === undefined ? {} : { timeZoneRules: { firstOffset } };
  const control = create(ControlSchema, { id: `c${controls++}`, action: { case: "settings", value }, ...rules });
  return encodeRecord(START + second * 1e6, [encodeField(5, toBinary(ControlSchema, control))]);
};

/** In the story the sensors "s3" jump up, and at its end all fall silent; some sensors of p0 have settings of their own. */
const HOURS = 5;
const plant = story(11, HOURS);
const half = Math.floor(plant.length / 2);
const records = [
  set({ sensorId: "p0-s3", direction: Direction.LOW }),
  set({ sensorId: "p0-s8", off: true }),
  set({ sensorId: "p0-s4", timeZone: "Mars/Olympus", holidays: { dates: ["2026-01-05"] } }, 0, 5400),
  set({ sensorId: "p0-s5", reorderHoldMs: 4000, rangeMax: 22 }),
  ...plant.slice(0, half),
  set({ sensorType: "temperature", alarmsPerSensorDay: 4, silenceSeconds: 120 }, HOURS * 1800),
  set({ sensorId: "p0-s5" }, HOURS * 1800),
  set({ sensorId: "p0-s6", rangeMin: 22 }, HOURS * 1800),
  set({ sensorId: "p0-s4", timeZone: "Mars/Utopia" }, HOURS * 1800, -7200),
  ...plant.slice(half),
  ...Array.from({ length: 60 }, (_, i) => tick(HOURS * 3600 + 10 * i)),
];

const alerts = async (bench: Bench) => {
  const rows = await bench.sql`select sensor_id, detector, count(*)::int as n from alert group by 1, 2 order by 1, 2`;
  return new Map(rows.map((r) => [`${r.sensor_id} ${r.detector}`, r.n as number]));
};
const of = (found: Map<string, number>, sensor: string) => [...found.keys()].filter((k) => k.startsWith(`${sensor} `));

async function released(bench: Bench): Promise<number> {
  return (await bench.sql`select replay_offset from log_partition`)[0]!.replay_offset;
}

test("wherever the partition is opened again, and where the log begins behind the settings, the results are the same", async () => {
  const whole = await open();
  await whole.append(records, 20);
  const found = await alerts(whole);
  expect(of(found, "p1-s3").length).toBeGreaterThan(1);
  expect(of(found, "p0-s3")).toEqual(["p0-s3 silence"]);
  expect(found.get("p1-s8 silence")).toBe(1);
  expect(of(found, "p0-s8")).toEqual([]);
  expect(found.get("p0-s5 impossible range")).toBeGreaterThan(0);
  expect(found.get("p0-s6 impossible range")).toBeGreaterThan(0);
  const wanted = await whole.everything();

  const torn = await open();
  for (let i = 0; i < records.length; i += 33) {
    await torn.append(records.slice(i, i + 33), 7);
    torn.oldest = await released(torn);
    await torn.resume();
    expect(torn.recovery).toBe("loaded");
  }
  expect(torn.oldest).toBeGreaterThan(4);
  expect((await torn.everything()) === wanted).toBe(true);
  expect((await fsck(torn.url)).problems).toEqual([]);
});

test("another model applies them too, with the whole log and where the log has lost them", async () => {
  for (const whole of [true, false]) {
    const bench = await open();
    const turn = 4 + half;
    await bench.append(records.slice(0, turn), 20);
    if (!whole) bench.oldest = await released(bench);
    bench.model = "other";
    await bench.resume();
    expect(bench.recovery).toBe(whole ? "rebuilt" : "warmed");
    await bench.append(records.slice(turn), 20);
    const found = await alerts(bench);
    // Where it has only just begun to learn, the forecaster's unrest after a jump may be told, which has no side; the jumps are not.
    expect(of(found, "p0-s3").filter((alert) => alert !== "p0-s3 scatter")).toEqual(["p0-s3 silence"]);
    expect(of(found, "p0-s8")).toEqual([]);
    expect(of(found, "p1-s3").filter((alert) => alert !== "p1-s3 scatter").length).toBeGreaterThan(1);
    expect(found.get("p0-s6 impossible range")).toBeGreaterThan(0);
  }
});
