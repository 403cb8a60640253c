import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { createContextValues, type HandlerContext } from "@connectrpc/connect";
import { pino } from "pino";
import { expect, test } from "vitest";
import {
  type DetectorConfig,
  type DetectorConfigSchema,
  DetectorConfigSource,
  Direction,
  GetDetectorConfigRequestSchema,
  SetDetectorConfigRequestSchema,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { TelltaleError } from "../errors.ts";
import { partitionOf } from "../ingest/series.ts";
import { enumName } from "../lib/enum-name.ts";
import type { WantedSettings, WideScope } from "../registry/wanted-settings.ts";
import { anonymous } from "../security/principal.ts";
import { createConfig } from "./detector-config.ts";
import { principalKey } from "./principal.ts";
import { SettingsBook } from "./settings-book.ts";

const PARTITIONS = 4;
type Config = MessageInitShape<typeof DetectorConfigSchema>;

/** Logs in memory, and sensors that have been met. */
function service(
  types: Readonly<Record<string, string>> = {},
  places: Readonly<Record<string, string>> = {},
  log: "commits" | "is slow" | "fails" = "commits",
) {
  const logs: Uint8Array[][] = Array.from({ length: PARTITIONS }, () => []);
  const read: string[] = [];
  const append = (partition: number, action: Control["action"]) =>
    logs[partition]!.push(toBinary(ControlSchema, create(ControlSchema, { id: "c", action })));
  const queries = {
    settingsFrom: async (partition: number, offset: number) => {
      read.push(`${partition}:${offset}`);
      return logs[partition]!.map((control, i) => ({ offset: i, receivedUs: i, control })).slice(offset);
    },
    sensorType: async (sensorId: string) => types[sensorId],
    keyOf: async (sensorId: string) => (sensorId === "renamed" ? "first" : sensorId),
    placeOf: async (key: string) => places[key] ?? "",
    isAssetSeen: async (asset: string, prefix: string) =>
      Object.entries(places).some(([id, place]) => id.startsWith(prefix) && `${place}/`.startsWith(`${asset}/`)),
    shownOf: async (sensorId: string) => (sensorId === "first" ? "renamed" : sensorId),
  };
  const pending = new Map<string, WantedSettings>();
  const keyOf = ({ asset, sensorType }: WideScope) => `${asset} ${sensorType}`;
  const config = createConfig({
    book: new SettingsBook(queries, PARTITIONS),
    logger: pino({ level: "silent" }),
    settings: {
      want: async (wanted) => void pending.set(keyOf(wanted), wanted),
      wanted: async (scope) => {
        const wanted = pending.get(keyOf(scope));
        const action = wanted && fromBinary(ControlSchema, wanted.control).action;
        return action?.case === "assetSettings" ? action.value.config : (action?.value as DetectorConfig | undefined);
      },
      run: async () => {
        if (log === "fails") throw new TelltaleError("unavailable", "the log takes nothing");
        if (log === "is slow") return;
        for (const { control } of pending.values()) for (const each of logs) each.push(control);
        pending.clear();
      },
      pending: async (scope, prefix) => (prefix ? 0 : Number(pending.has(keyOf(scope)))),
    },
    queries: queries as never,
    partitions: PARTITIONS,
    clock: { nowUs: () => 0 } as never,
    runner: {} as never,
    alarmsPerSensorDay: 0.1,
    log: async (action, _, partition) => void append(partition, action),
  });
  const context = (prefix = "") => {
    const values = createContextValues().set(principalKey, { ...anonymous, sensorPrefix: prefix });
    return { values, signal: new AbortController().signal } as HandlerContext;
  };
  const get = (scope: MessageInitShape<typeof GetDetectorConfigRequestSchema>, prefix?: string) =>
    config.get(create(GetDetectorConfigRequestSchema, scope), context(prefix));
  const set = (value: Config) => config.set(create(SetDetectorConfigRequestSchema, { config: value }), context());
  return { get, set, logs, read, append };
}

const sourceOf = (origins: readonly { readonly field: string; readonly source: number }[], field: string) =>
  enumName(DetectorConfigSource, origins.find((each) => each.field === field)!.source).toUpperCase();

/** As a version before there were settings of sensors has logged it. */
const before = (value: Config) => create(ControlSchema, { action: { case: "config", value } }).action;

test("settings of a sensor are logged in its partition alone, those of a type in every one", async () => {
  const it = service();
  await it.set({ sensorType: "flow", rangeMax: 5 });
  await it.set({ sensorId: "pump-7", rangeMax: 4 });
  const own = partitionOf("pump-7", PARTITIONS);
  expect(it.logs.map(({ length }) => length)).toEqual(Array.from({ length: 4 }, (_, p) => (p === own ? 2 : 1)));
});

test("settings of a renamed sensor are logged under its first id, in the partition of that, and found by the id that is shown", async () => {
  const it = service();
  await it.set({ sensorId: "renamed", off: true });
  const logged = it.logs.map((log) => log.map((bytes) => fromBinary(ControlSchema, bytes).action.value));
  expect(logged.flat()).toMatchObject([{ sensorId: "first", off: true }]);
  expect(logged[partitionOf("first", PARTITIONS)]).toHaveLength(1);
  const { config } = await it.get({ sensorId: "renamed" });
  expect(config).toMatchObject({ sensorId: "renamed", off: true });
});

test("of a type that was set before there were layers only the reorder buffer is that of all types; set again, every field is", async () => {
  const it = service({ "pump-7": "flow" });
  const everywhere = (value: Config) => {
    for (let p = 0; p < PARTITIONS; p++) it.append(p, before(value));
  };
  everywhere({ alarmsPerSensorDay: 3, rangeMin: -9, reorderHoldMs: 200 });
  everywhere({ sensorType: "flow", rangeMax: 5 });
  for (const scope of [{ sensorType: "flow" }, { sensorId: "pump-7" }]) {
    const { config, origins } = await it.get(scope);
    expect(config).toMatchObject({ alarmsPerSensorDay: 0.1, rangeMax: 5, reorderHoldMs: 200 });
    expect(config.rangeMin).toBeUndefined();
    expect(sourceOf(origins, "alarms_per_sensor_day")).toBe("PLATFORM");
    expect(sourceOf(origins, "reorder_hold_ms")).toBe("ALL_TYPES");
    expect(sourceOf(origins, "range_max")).toBe("SENSOR_TYPE");
  }
  const { config, origins } = await it.set({ sensorType: "flow", rangeMax: 6 });
  expect(config).toMatchObject({ alarmsPerSensorDay: 3, rangeMin: -9, rangeMax: 6 });
  expect(sourceOf(origins, "range_min")).toBe("ALL_TYPES");
  // An empty one of before replaced those of all types as well; an empty one of today is none.
  everywhere({ sensorType: "flow" });
  expect((await it.get({ sensorId: "pump-7" })).config.rangeMin).toBeUndefined();
  await it.set({ sensorType: "flow" });
  expect((await it.get({ sensorId: "pump-7" })).config.rangeMin).toBe(-9);
});

test("only what is new is read, and by everybody who asks at once", async () => {
  const it = service({ "pump-7": "flow" });
  const own = partitionOf("pump-7", PARTITIONS);
  for (let n = 0; n < 5; n++) await it.set({ sensorId: "pump-7", rangeMax: n });
  it.read.length = 0;
  const all = await Promise.all(Array.from({ length: 3 }, () => it.get({ sensorId: "pump-7" })));
  expect(all.map(({ config }) => config.rangeMax)).toEqual([4, 4, 4]);
  expect(new Set(it.read)).toEqual(new Set([`${own}:4`, `${own}:5`]));
});

test("a sensor of another's prefix is not there, and one without readings has what its own settings and all types say", async () => {
  const it = service({ "pump-7": "flow" });
  await it.set({ sensorType: "flow", off: true });
  await it.set({ silenceSeconds: 60 });
  await it.set({ sensorId: "new-1", direction: Direction.LOW });
  await expect(it.get({ sensorId: "pump-7" }, "new-")).rejects.toMatchObject({ kind: "not_found" });
  const { config, origins } = await it.get({ sensorId: "new-1" }, "new-");
  expect(config).toMatchObject({ direction: Direction.LOW, silenceSeconds: 60, off: false });
  expect(sourceOf(origins, "off")).toBe("PLATFORM");
  await it.set({ sensorId: "new-1" });
  await expect(it.get({ sensorId: "new-1" })).rejects.toMatchObject({ kind: "not_found" });
});

test("past the most sensors with settings of their own the next is refused, and one that has them may change and lose them", async () => {
  const it = service();
  const own = (n: number) => ({ case: "settings", value: { sensorId: `s${n}`, off: true } }) as const;
  for (let n = 0; n < 100_000; n++) it.append(partitionOf("s0", PARTITIONS), own(n) as never);
  const more = Array.from({ length: 50 }, (_, n) => `t${n}`).find(
    (id) => partitionOf(id, PARTITIONS) === partitionOf("s0", PARTITIONS),
  )!;
  await expect(it.set({ sensorId: more, off: true })).rejects.toMatchObject({
    kind: "exhausted",
    message: expect.stringMatching(/^100000 sensors of this partition have settings of their own, which is the limit/),
  });
  expect((await it.set({ sensorId: "s0", off: false })).config.off).toBe(false);
  await it.set({ sensorId: "s0" });
  expect((await it.set({ sensorId: more, off: true })).config.off).toBe(true);
});

test("an asset's own value counts before those of the assets around it and of the sensor's type, and behind the sensor's", async () => {
  const it = service({ "pump-7": "flow" }, { "pump-7": "site/boiler house/pump" });
  await it.set({ sensorType: "flow", rangeMin: 0, rangeMax: 5, maxRatePerSecond: 1, silenceSeconds: 60 });
  await it.set({ asset: "site", rangeMin: 1, rangeMax: 6, timeZone: "Europe/Berlin", maxRatePerSecond: 2 });
  await it.set({ asset: "site/boiler house", rangeMin: 2, rangeMax: 7 });
  await it.set({ asset: "site/boiler", rangeMin: 5 });
  await it.set({ sensorId: "pump-7", rangeMin: 3 });
  const { config, origins } = await it.get({ sensorId: "pump-7" });
  expect(config).toMatchObject({ rangeMin: 3, rangeMax: 7, maxRatePerSecond: 2, silenceSeconds: 60 });
  expect(config.timeZone).toBe("Europe/Berlin");
  const from = (field: string) => origins.find((each) => each.field === field)!;
  expect(from("range_min")).toMatchObject({ source: DetectorConfigSource.SENSOR, asset: "" });
  expect(from("range_max")).toMatchObject({ source: DetectorConfigSource.ASSET, asset: "site/boiler house" });
  expect(from("time_zone")).toMatchObject({ source: DetectorConfigSource.ASSET, asset: "site" });
  expect(sourceOf(origins, "silence_seconds")).toBe("SENSOR_TYPE");
  const ofAsset = await it.get({ asset: "site/boiler house" });
  expect(ofAsset.config).toMatchObject({ rangeMin: 2, rangeMax: 7, asset: "site/boiler house", sensorId: "" });
  expect(ofAsset.pending).toBe(0n);
});

test.each([{ asset: "site" }, { sensorType: "flow" }, {}])(
  "what was set of %o is shown while the log lacks it: a command that keeps the rest must not lose it",
  async (scope) => {
    const it = service({}, {}, "is slow");
    await it.set({ ...scope, timeZone: "Europe/Berlin" });
    const { config, origins, pending } = await it.get(scope);
    expect(config.timeZone).toBe("Europe/Berlin");
    const { ASSET, SENSOR_TYPE, ALL_TYPES } = DetectorConfigSource;
    const source = "asset" in scope ? ASSET : "sensorType" in scope ? SENSOR_TYPE : ALL_TYPES;
    expect(origins.find(({ field }) => field === "time_zone")!.source).toBe(source);
    expect(pending).toBe(1n);
    const limited = it.get(scope, "pump-");
    if ("asset" in scope) await expect(limited).rejects.toMatchObject({ kind: "not_found" });
    else expect(await limited).toMatchObject({ pending: 0n });
  },
);

test.each([{ asset: "site" }, { sensorType: "flow" }])(
  "a change of %o that is kept is no error where the log does not take it: it is pending",
  async (scope) => {
    const it = service({}, {}, "fails");
    expect(await it.set({ ...scope, rangeMax: 5 })).toMatchObject({ config: { rangeMax: 5 }, pending: 1n });
    expect(await it.get(scope)).toMatchObject({ config: { rangeMax: 5 }, pending: 1n });
  },
);

test("settings of an asset without any field are gone, and a range that two assets contradict is refused", async () => {
  const it = service({}, { "pump-7": "site/hall" });
  await it.set({ asset: "site", rangeMax: 6 });
  await expect(it.set({ asset: "site/hall", rangeMin: 6 })).rejects.toThrow(
    "6 (of the settings of the asset) is not below range_max 6 (of the settings of the asset): set both",
  );
  await it.set({ asset: "site" });
  const { config } = await it.get({ asset: "site/hall" });
  expect(config.rangeMax).toBeUndefined();
});

test("a caller of some sensors sees settings of the assets that these are in, and of no other", async () => {
  const it = service({}, { "pump-7": "site/hall", "valve-1": "site/yard" });
  await it.set({ asset: "site", rangeMax: 6 });
  expect((await it.get({ asset: "site/hall" }, "pump-")).config.rangeMax).toBe(6);
  await expect(it.get({ asset: "site/yard" }, "pump-")).rejects.toThrow('there is no asset "site/yard"');
});

test("an early alert comes a quarter of an hour before, at least, or not at all", async () => {
  const it = service();
  await expect(it.set({ earlyAlertHours: 0.2 })).rejects.toThrow(
    "config.early_alert_hours: 0.2 is too short to act in: give 0.25 or more, or 0 for no early alerts",
  );
  for (const earlyAlertHours of [0, 0.25]) {
    expect((await it.set({ earlyAlertHours })).config.earlyAlertHours).toBe(earlyAlertHours);
  }
});

test("a sensor, an asset and a type are not named together, and an asset is a path", async () => {
  const it = service();
  await expect(it.set({ asset: "site", sensorType: "flow" })).rejects.toThrow("give a sensor, an asset or a type");
  await expect(it.get({ asset: "site//hall" })).rejects.toThrow('asset: it is "site//hall": give names with one slash');
});
