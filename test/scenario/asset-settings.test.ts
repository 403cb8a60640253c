/** Settings of assets hold for the sensors in them, wherever the partition is opened again: from saved state, from the log, with another model. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type DetectorConfigSchema, Direction } from "../../gen/es/telltale/v1/detector_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { encodeField, encodeRecord } from "../../server/log/record/encode.ts";
import { control, deletion, START, story, tick } from "../../testing/owner-bench.ts";
import { alertCounts, appendToOtherModel, appendTorn, ofSensor } from "../../testing/settings-bench.ts";
import { useBenches } from "../../testing/use-benches.ts";

const open = useBenches();

const set = (config: MessageInitShape<typeof DetectorConfigSchema>, second = 0, firstOffset?: number) => {
  const rules = firstOffset === undefined ? {} : { timeZoneRules: { firstOffset } };
  const made = create(ControlSchema, { id: "c", action: { case: "assetSettings", value: { config } }, ...rules });
  return encodeRecord(START + second * 1e6, [encodeField(5, toBinary(ControlSchema, made))]);
};
const place = (second: number, placed: Readonly<Record<string, string[]>>) =>
  control(second, {
    case: "placeSensors",
    value: { placed: Object.entries(placed).map(([asset, sensorIds]) => ({ asset, sensorIds })) },
  });

/** In the story the sensors "s3" jump up, and at its end all fall silent. */
const HOURS = 5;
const plant = story(17, HOURS);
const half = Math.floor(plant.length / 2);
const before = [
  place(0, { "site/hall": ["p0-s3", "p0-s4"], "site/yard": ["p0-s8", "p0-s5"] }),
  set({ asset: "site", timeZone: "Mars/Olympus", direction: Direction.LOW }, 0, 5400),
  set({ asset: "site/yard", off: true, reorderHoldMs: 4000 }),
];
const middle = [
  place(HOURS * 1800, { "": ["p0-s5"], "site/hall": ["p0-s6"] }),
  set({ asset: "site/hall", rangeMin: 22 }, HOURS * 1800),
  set({ asset: "site", timeZone: "Mars/Utopia", direction: Direction.LOW, silenceSeconds: 120 }, HOURS * 1800, -7200),
];
const records = [
  ...before,
  ...plant.slice(0, half),
  ...middle,
  ...plant.slice(half),
  ...Array.from({ length: 100 }, (_, i) => tick(HOURS * 3600 + 3 * i)),
];

test("they count for the sensors in the asset, wherever the partition is opened again and where the log begins behind them", async () => {
  const whole = await open();
  await whole.append(records, 20);
  const found = await alertCounts(whole);
  expect(ofSensor(found, "p1-s3").length).toBeGreaterThan(1);
  expect(ofSensor(found, "p0-s3").filter((each) => !/silence|impossible range|scatter/.test(each))).toEqual([]);
  expect(ofSensor(found, "p0-s8")).toEqual([]);
  expect(["p0-s4 silence", "p0-s5 silence", "p0-s8 silence"].map((each) => found.get(each) ?? 0)).toEqual([1, 0, 0]);
  for (const sensor of ["p0-s3", "p0-s4", "p0-s6"]) expect(found.get(`${sensor} impossible range`)).toBeGreaterThan(0);
  const wanted = await whole.everything();
  const places = await whole.sql`select sensor_key, asset from sensor_place order by 1`;
  expect(places.map((r) => [r.sensor_key, r.asset])).toEqual([
    ["p0-s3", "site/hall"],
    ["p0-s4", "site/hall"],
    ["p0-s5", ""],
    ["p0-s6", "site/hall"],
    ["p0-s8", "site/yard"],
  ]);

  const torn = await open();
  await appendTorn(torn, records);
  expect((await torn.everything()) === wanted).toBe(true);
});

test("another model applies them too, with the whole log and where the log has lost them", async () => {
  for (const whole of [true, false]) {
    const bench = await open();
    await appendToOtherModel(bench, records, { turn: before.length + half, whole });
    const found = await alertCounts(bench);
    expect(ofSensor(found, "p0-s8")).toEqual([]);
    expect(found.get("p0-s6 impossible range")).toBeGreaterThan(0);
    expect(ofSensor(found, "p1-s3").length).toBeGreaterThan(1);
  }
});

test("records that come twice change nothing, and a sensor that is deleted is in no asset any more", async () => {
  const once = await open();
  const twice = await open();
  await once.append(records, 20);
  await twice.append([...before, ...before, ...records.slice(before.length)], 20);
  expect(await alertCounts(twice)).toEqual(await alertCounts(once));
  await once.append([deletion(HOURS * 3600 + 700, "p0-s8")]);
  expect(await once.sql`select * from sensor_place where sensor_key = 'p0-s8'`).toHaveLength(0);
});
